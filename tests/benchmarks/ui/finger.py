"""What the measures know of the dial: where it is in the page, which T it shows, and when what a hand did is painted.

The dial is a native range input in a component's shadow root; the temperature that it has drawn stands in a `data-temperature`
there. Only what the browser has drawn counts, not what Python knows.
"""

from __future__ import annotations

DIAL = """
const everywhere = function* (root) {
  for (const element of root.querySelectorAll("*")) {
    yield element
    if (element.shadowRoot) yield* everywhere(element.shadowRoot)
  }
}
let found = null
window.theDial = () => {
  if (!found?.isConnected) found = [...everywhere(document)].find(element => element.matches(".dial input[type=range]")) ?? null
  return found
}
window.drawn = () => window.theDial()?.closest(".dial").dataset.temperature
"""
"""Defines `theDial()`, the range input or null, and `drawn()`, the temperature that the dial has drawn."""

WATCH = """
// `at`: when the hand moved or the key went down, by the browser's stamp. `painted`: the first task after the callbacks of the
// next frame, in which that frame is on its way to the screen. `overtaken`: another input came into the same frame.
window.inputs = []
let hand = 0
for (const kind of ["pointerdown", "pointermove", "keydown"])
  addEventListener(kind, event => (hand = event.timeStamp), { capture: true, passive: true })
let before
const watch = (kind, counts) => {
  addEventListener(kind, () => (before = window.drawn()), { capture: true })
  addEventListener(kind, event => {  // after the dial's own listener
    if (event.composedPath()[0] !== window.theDial() || !counts(event)) return
    const input = { kind, at: hand, was: before, painted: null, changed: false, overtaken: false }
    window.inputs.push(input)
    requestAnimationFrame(() => {
      input.overtaken = window.inputs.at(-1) !== input
      const channel = new MessageChannel()
      channel.port1.onmessage = () => {
        input.painted = performance.now()
        input.changed = window.drawn() !== input.was
      }
      channel.port2.postMessage(null)
    })
  })
}
watch("input", () => true)
watch("keydown", event => event.key.startsWith("Arrow"))

// `link`: when another T came into the link; `ran`: when the run of the script that followed was over.
window.releases = []
addEventListener("pointerup", event => {
  window.releases.push({ at: event.timeStamp, link: null, ran: null })
}, { capture: true, passive: true })
const T = () => new URLSearchParams(location.search).get("T")
for (const name of ["pushState", "replaceState"]) {
  const own = history[name]
  history[name] = function (...given) {
    const was = T()
    own.apply(this, given)
    const release = window.releases.at(-1)
    if (release && T() !== was) release.link ??= performance.now()
  }
}
let running = false
const state = () => {
  const now = document.querySelector("[data-testid=stApp]")?.getAttribute("data-test-script-state")
  const release = window.releases.at(-1)
  if (running && now === "notRunning" && release) release.ran ??= performance.now()
  running = now === "running"
}
addEventListener("DOMContentLoaded", () =>
  new MutationObserver(state).observe(document.body, { subtree: true, attributeFilter: ["data-test-script-state"] }))
"""
"""Keeps in `inputs` every move of the dial, and in `releases` every time the hand let go. Needs DIAL."""
