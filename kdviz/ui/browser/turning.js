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
function hear(then) {
  heard.add(then)
  return () => heard.delete(then)
}

const views = new WeakMap()

// A part of the page that is drawn at the dial's temperature. It has update(data), show(), which draws all and sets this.width, and
// draw(T); it is drawn again at every temperature and when its width changes, until end().
export class Following {
  constructor(root) {
    this.root = root
    this.deaf = hear(T => this.draw(T))
    this.resized = new ResizeObserver(() => this.width !== root.clientWidth && this.show())
    this.resized.observe(root)
  }

  end() {
    this.deaf()
    this.resized.disconnect()
    views.delete(this.root)
  }
}

// Returns a component's function for Streamlit. selector: of its element; make: makes the Following for it, once.
export function following(selector, make) {
  return ({ data, parentElement }) => {
    const root = parentElement.querySelector(selector)
    if (!root) return
    const view = views.get(root) ?? make(root)
    views.set(root, view)
    view.update(data)
    return () => view.end()
  }
}
