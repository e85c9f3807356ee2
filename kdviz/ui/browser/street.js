// From car to truck: the reader changes a drawing's shape, and the picture, the teacher's shares and the true probabilities change
// under the finger; the shares also while the dial turns. What it says comes from kdviz/ui/components/street_view.py.

import { colour, create, write } from "./bars.js"
import { Lines } from "./lines.js"
import { percent, temperature } from "./numbers.js"
import { filled } from "./opinion.js"
import { Panels, shares } from "./panels.js"
import { logSoftmax, softmax } from "./soft_targets.js"
import { Following, following, temperatureNow } from "./turning.js"
import { inWords } from "./words.js"

const kept = {} // the shape that the reader chose: it outlives the element

export default following(".street", root => new Street(root))

class Street extends Following {
  constructor(root) {
    super(root)
    this.range = create("input", { type: "range", min: 0, step: 1 })
    this.shape = create("output", { "aria-hidden": "true" })
    this.name = create("span")
    this.picture = create("div", { class: "picture", role: "img" })
    this.said = create("p", { class: "live" })
    this.panels = new Panels(create("div", { class: "panels" }))
    this.lines = new Lines(create("div"))
    const label = create("label", { class: "shape" }, create("span", {}, this.name, " ", this.shape), this.range)
    this.beside = create("div", { class: "beside" }, this.said, this.panels.root)
    root.replaceChildren(label, create("div", { class: "both" }, this.picture, this.beside), this.lines.key.parentNode)
    this.range.oninput = () => {
      kept.at = Number(this.range.value)
      this.draw(this.T, true)
    }
  }

  update(data) {
    this.data = data
    colour(this.root, data)
    const { shapes, strings: s } = data
    kept.at ??= Math.floor(shapes.length / 2)
    this.range.max = shapes.length - 1
    this.range.title = s.shape_help
    write(this.name, s.shape)
    this.range.setAttribute("aria-label", s.shape)
    Object.assign(this.picture.style, {
      width: `${data.side}px`, height: `${data.side}px`, backgroundImage: `url("${data.picture}")`, backgroundSize: `${100 * shapes.length}% 100%`,
    })
    const truth = shares("truth", "ground_truth", s.truth, () => s.given, ({ at }) => data.truth[at].map(Math.log), { exact: true })
    const of = (id, logs, subtitle, live) => shares(id, "teacher", s.teacher, subtitle, logs, { live })
    const teacher = [
      of("at_one", ({ at }) => logSoftmax(data.logits[at]), () => "T = 1", false),
      of("at_T", ({ at, T }) => logSoftmax(data.logits[at], T), T => `T = ${T}`, true),
    ]
    this.listed = data.logits ? [...teacher, truth] : [truth]
    this.show()
  }

  show() {
    const { data, root } = this
    this.width = root.clientWidth
    this.panels.show(data, this.listed, false, this.beside.clientWidth)
    this.lines.show({
      width: this.width,
      x: { title: data.strings.along, ends: [0, 1], ticks: [0, 0.2, 0.4, 0.6, 0.8, 1].map(value => [value, String(value)]) },
      y: { title: data.strings.up, ends: [-0.02, 1.02], ticks: [0, 0.25, 0.5, 0.75, 1].map(value => [value, `${100 * value}%`]) },
      lines: data.lines,
    })
    this.draw(temperatureNow(data.T), true)
  }

  // all: also what is the same at every temperature.
  draw(T, all = false) {
    const { shapes, logits, truth, truck, strings: s } = this.data
    const at = kept.at
    const text = String(shapes[at])
    this.T = T
    Object.assign(this.root.dataset, { temperature: T, shape: text })
    this.range.value = at
    this.range.style.setProperty("--at", at / (shapes.length - 1))
    this.range.setAttribute("aria-valuetext", `s = ${text}`)
    write(this.shape, text)
    this.picture.style.backgroundPosition = `${(100 * at) / (shapes.length - 1)}% 0`
    this.picture.setAttribute("aria-label", s.picture.replace("{s}", text))
    this.panels.draw({ T, at }, all)
    write(this.said, this.listed.map(panel => inWords(panel, panel.logs({ T, at }), T, this.data)).join(" "))
    const of = (rows, T) => rows.map(row => (T ? softmax(row, T) : row)[truck])
    const values = [of(truth), ...(logits ? [of(logits, 1), of(logits, T)] : [undefined, undefined])]
    if (T === 1) values[2] = undefined // one line, not two on each other
    const labels = [s.truth, s.teacher_one, s.teacher_T.replace("{T}", temperature(T))]
    const read = values.map((each, number) => each && percent(each[at], number === 0))
    values.forEach((each, number) => this.lines.values(number, shapes, each, labels[number], read[number]))
    const facts = { s: text, truth: read[0], at_one: read[1], at_T: read[2] ?? read[1], T: temperature(T) }
    this.lines.here(shapes[at], filled(logits ? s.fact : s.fact_of_truth, facts).join(""))
  }
}
