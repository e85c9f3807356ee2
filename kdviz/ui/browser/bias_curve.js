// Errors over the bias of a class that was never seen: the slider's line moves, and the sentence says what it does, while the
// finger still holds it. Python (kdviz/figures/bias.py) draws the figure; this moves its first shape.

import { filled } from "./figure.js"

const lives = new WeakMap()
let library = null

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".kdviz-bias")
  if (!root) return
  if (!lives.has(root)) lives.set(root, new Curve(root))
  const live = lives.get(root)
  live.show(data)
  return () => {
    live.close()
    lives.delete(root)
  }
}

const signed = number => (number < 0 ? "" : "+") + number.toFixed(1)
const whole = number => Math.round(number).toLocaleString("en-US")

class Curve {
  constructor(root) {
    this.root = root
    this.part = name => root.querySelector("." + name)
    const resized = () => library.Plots.resize(this.part("plot")).then(() => this.move())
    this.sized = new ResizeObserver(() => this.drawn && root.offsetParent && resized())
    this.sized.observe(this.part("plot"))
  }

  show(data) {
    const another = this.data?.id !== data.id
    this.data = data
    const { bias } = data.curve
    const slider = this.part("slider")
    Object.assign(slider, { min: 0, max: bias.length - 1, step: 1 })
    if (another) slider.value = this.nearest(data.at)
    slider.setAttribute("aria-label", data.words.label)
    slider.oninput = () => this.move()
    this.part("marks").replaceChildren(...data.marks.map(mark => {
      const button = Object.assign(document.createElement("button"), { type: "button", textContent: mark.label })
      button.onclick = () => {
        slider.value = this.nearest(mark.bias)
        this.move()
      }
      return button
    }))
    import(new URL(data.plotly, document.baseURI)).then(() => {
      library = window.Plotly
      if (!this.closed) this.draw()
    })
    this.say()
  }

  nearest(bias) {
    const apart = this.data.curve.bias.map(each => Math.abs(each - bias))
    return apart.indexOf(Math.min(...apart))
  }

  get at() {
    return Number(this.part("slider").value)
  }

  say() {
    const { curve, words } = this.data
    const text = filled(words.said, {
      bias: signed(curve.bias[this.at]), errors: whole(curve.errors[this.at]), own: whole(curve.errors_of_classes[this.at]),
      classes: words.classes,
    })
    this.part("says").textContent = text
    this.part("slider").setAttribute("aria-valuetext", text)
    return text
  }

  draw() {
    const { data, layout } = structuredClone(this.data.figure)
    layout.font.family = getComputedStyle(this.root).fontFamily
    library.react(this.part("plot"), data, layout, { displayModeBar: false, doubleClick: false }).then(() => {
      this.drawn = true
      this.move()
    })
  }

  move() {
    this.part("plot").setAttribute("aria-label", this.say())
    const plot = this.part("plot")
    const line = plot.querySelector(".shapelayer path")
    if (!line || this.closed) return
    // By hand: a relayout of Plotly takes longer than a finger's move.
    const { layout } = this.data.figure
    const [low, high] = layout.xaxis.range
    const along = (this.data.curve.bias[this.at] - layout.shapes[0].x0) / (high - low)
    line.setAttribute("transform", `translate(${along * plot.querySelector(".nsewdrag").getBoundingClientRect().width} 0)`)
  }

  close() {
    this.closed = true
    this.sized.disconnect()
    if (this.drawn) library.purge(this.part("plot"))
  }
}
