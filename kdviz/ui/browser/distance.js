// How far a teacher is from the truth at every temperature, and where on that curve the dial is. What it says comes from
// kdviz/ui/components/street_view.py.

import { colour } from "./bars.js"
import { Lines } from "./lines.js"
import { Following, following, temperatureNow } from "./turning.js"

export default following(".distance", root => new Distance(root))

class Distance extends Following {
  constructor(root) {
    super(root)
    this.lines = new Lines(root)
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
