// How far a teacher is from the truth at every temperature, and where on that curve the dial is. What it says comes from
// kdviz/ui/components/street_view.py.

import { colour } from "./bars.js"
import { Lines } from "./lines.js"
import { hear, temperatureNow } from "./turning.js"

const views = new WeakMap()

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".distance")
  if (!root) return
  const view = views.get(root) ?? new Distance(root)
  views.set(root, view)
  view.update(data)
  return () => view.end()
}

class Distance {
  constructor(root) {
    this.root = root
    this.lines = new Lines(root)
    this.deaf = hear(T => this.draw(T))
    this.resized = new ResizeObserver(() => this.width !== root.clientWidth && this.show())
    this.resized.observe(root)
  }

  end() {
    this.deaf()
    this.resized.disconnect()
    views.delete(this.root)
  }

  update(data) {
    this.data = data
    colour(this.root, data)
    this.show()
  }

  show() {
    const { temperatures, distances, marks, ticks, lines, strings: s } = this.data
    this.width = this.root.clientWidth
    this.lines.show({
      width: this.width,
      x: { title: s.along, ends: [temperatures[0], temperatures.at(-1)], ticks: [0.1, 1, 10, 100].map(T => [T, String(T)]), log: true },
      y: { title: s.up, ends: [0, ticks.at(-1)], ticks: ticks.map(value => [value, String(value)]) },
      lines, marks,
    })
    this.lines.values(0, temperatures, distances, s.teacher)
    this.draw(temperatureNow(this.data.T))
  }

  draw(T) {
    this.root.dataset.temperature = T
    this.lines.here(T, this.data.strings.fact)
  }
}
