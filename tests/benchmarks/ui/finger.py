"""What the measures of the dial know of it: where it is in the page, what it shows, and when an input of a hand is painted.

The dial is a native range input in a component's shadow root. What it shows is all text of that root and the input's spoken
value: only what is on the screen counts, not what Python has.
"""

from __future__ import annotations

DIAL = """
// The range input of the dial; `all` looks into shadow roots.
const all = function* (root) {
  for (const element of root.querySelectorAll("*")) {
    yield element
    if (element.shadowRoot) yield* all(element.shadowRoot)
  }
}
let found = null
window.theDial = () => {
  if (!found?.isConnected) found = [...all(document)].find(element => element.matches("input[type=range]")) ?? null
  return found
}
const written = root => [...root.children].filter(child => child.tagName !== "STYLE").map(child => child.textContent).join()
window.shownByDial = () => {
  const dial = window.theDial()
  return dial ? `${dial.getAttribute("aria-valuetext")} ${written(dial.getRootNode())}` : ""
}
"""

WATCH = """
// For each input: when the hand moved or the key went down, by the browser's own stamp, and when the frame that shows its value
// was handed to the screen: in the first task after the next frame's callbacks. overtaken: another input came into that frame.
window.inputs = []
let hand = 0
for (const kind of ["pointerdown", "pointermove", "keydown"])
  addEventListener(kind, event => (hand = event.timeStamp), { capture: true, passive: true })
addEventListener("input", event => {
  if (event.composedPath()[0] !== window.theDial()) return
  const made = { at: hand, value: event.composedPath()[0].value, painted: null, changed: false, overtaken: false }
  const before = window.shownByDial()
  window.inputs.push(made)
  requestAnimationFrame(() => {
    const channel = new MessageChannel()
    channel.port1.onmessage = () => {
      made.painted = performance.now()
      made.overtaken = window.theDial().value !== made.value
      made.changed = window.shownByDial() !== before
    }
    channel.port2.postMessage(null)
  })
}, { capture: true })

// When T came into the link, and when the script's run that a release began was over.
window.released = []
let release = null
for (const kind of ["pointerup", "keyup"])
  addEventListener(kind, event => {
    if (event.composedPath()[0] !== window.theDial()) return
    release = { at: event.timeStamp, link: null, ran: null }
    window.released.push(release)
  }, { capture: true, passive: true })
for (const name of ["pushState", "replaceState"]) {
  const own = history[name]
  history[name] = function (...given) {
    const before = new URLSearchParams(location.search).get("T")
    own.apply(this, given)
    if (release && new URLSearchParams(location.search).get("T") !== before) release.link ??= performance.now()
  }
}
let running = false
const state = () => {
  const now = document.querySelector("[data-testid=stApp]")?.getAttribute("data-test-script-state")
  if (now === "running") running = true
  else if (running && now === "notRunning") {
    running = false
    if (release) release.ran ??= performance.now()
  }
}
addEventListener("DOMContentLoaded", () =>
  new MutationObserver(state).observe(document.body, { subtree: true, attributeFilter: ["data-test-script-state"] }))
"""
