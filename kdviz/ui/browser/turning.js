// The temperature that the page is at. The dial says it on every move; whatever else of the page depends on it hears it, and draws in
// the same frame. Components know nothing of each other, but a browser loads this module once for all of them.

const heard = new Set()
let speaker, at

export function say(dial, T) {
  speaker = dial
  at = T
  for (const then of heard) then(T)
}

// A dial has gone, and with it what it said.
export function leave(dial) {
  if (speaker === dial) speaker = at = undefined
}

// What the dial says, or else, where there is none, what Python does.
export function temperatureNow(python) {
  return at ?? python
}

// then: called with every temperature from now on. Returns what ends that.
export function hear(then) {
  heard.add(then)
  return () => heard.delete(then)
}
