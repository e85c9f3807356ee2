// A small figure of lines, in SVG: what moves under the finger is redrawn in a millisecond, which a library for figures takes
// twenty of. Colours are those of `colour` in bars.js. Knows no temperature.

import { create, write } from "./bars.js"

const SVG = "http://www.w3.org/2000/svg"
const HEIGHT = 270
const ABOVE = 12 // pixels from the top to the highest value
const BELOW = 52 // for the numbers and the title of the axis
const DASHES = { solid: "none", dash: "9 5", dot: "3 4", longdash: "14 6" }

function draw(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag)
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value)
  element.append(...children)
  return element
}

export class Lines {
  constructor(root) {
    this.key = create("ul", { class: "key" })
    this.svg = draw("svg", { role: "img", class: "lines" })
    root.replaceChildren(this.key, this.svg)
  }

  // width: in pixels; x, y: {title, ends: [low, high], ticks: [[value, text]], log}; lines: [{id, kind, dash, width}];
  // marks: [{x, y, text, below}], of the first line's kind. Everything stays until the next call; `values` and `here` move.
  show({ width, x, y, lines, marks = [] }) {
    const signature = JSON.stringify([width, x, y, lines, marks])
    if (this.built === signature) return
    this.built = signature
    const left = 12 + 8 * Math.max(...y.ticks.map(([, text]) => text.length)) + 18
    const along = ({ ends: [low, high], log }, value) => (log ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low))
    this.left = value => left + along(x, value) * (width - left - 14)
    this.top = value => ABOVE + (1 - along(y, value)) * (HEIGHT - ABOVE - BELOW)
    const [bottom, right] = [HEIGHT - BELOW, width - 14]
    const grid = [
      ...y.ticks.flatMap(([value, text]) => [
        draw("path", { class: "grid", d: `M${left} ${this.top(value)}H${right}` }),
        draw("text", { x: left - 6, y: this.top(value), dy: "0.35em", "text-anchor": "end" }, text),
      ]),
      ...x.ticks.flatMap(([value, text]) => [
        draw("path", { class: "grid", d: `M${this.left(value)} ${ABOVE}V${bottom}` }),
        draw("text", { x: this.left(value), y: bottom + 18, "text-anchor": "middle" }, text),
      ]),
    ]
    const titles = [
      draw("text", { x: (left + right) / 2, y: HEIGHT - 8, "text-anchor": "middle" }, x.title),
      draw("text", { transform: `translate(12 ${(ABOVE + bottom) / 2}) rotate(-90)`, "text-anchor": "middle" }, y.title),
    ]
    this.cursor = draw("path", { class: "cursor" })
    this.paths = lines.map(({ kind, dash, width: stroke }) => (
      draw("path", { class: "curve", stroke: `var(--${kind})`, "stroke-dasharray": DASHES[dash], "stroke-width": stroke })
    ))
    const noted = marks.flatMap(mark => {
      const [at, high] = [this.left(mark.x), this.top(mark.y)]
      const anchor = mark.below ? "middle" : "start"
      return [
        draw("rect", { x: at - 5.5, y: high - 5.5, width: 11, height: 11, fill: `var(--${lines[0].kind})` }),
        draw("text", { class: "mark", x: at + (mark.below ? 0 : 9), y: high + (mark.below ? 22 : -16), "text-anchor": anchor }, mark.text),
      ]
    })
    this.svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`)
    this.svg.setAttribute("height", HEIGHT)
    this.svg.replaceChildren(...grid, ...titles, this.cursor, ...this.paths, ...noted)
    this.key.replaceChildren(...lines.map(({ id, kind, dash, width: stroke }) => {
      const sample = draw("svg", { width: 40, height: 12, "aria-hidden": "true" }, draw("path", {
        d: "M0 6H40", stroke: `var(--${kind})`, "stroke-dasharray": DASHES[dash], "stroke-width": stroke,
      }))
      return create("li", { "data-line": id }, sample, create("span"), create("b"))
    }))
  }

  // One line's values at each of xs, what it is called, and the value that the cursor reads off it; without values, it is not there.
  values(number, xs, values, label, read = "") {
    const path = this.paths[number]
    const entry = this.key.children[number]
    entry.hidden = !values
    path.setAttribute("d", values ? `M${values.map((value, at) => `${this.left(xs[at]).toFixed(1)} ${this.top(value).toFixed(1)}`).join("L")}` : "")
    if (!values) return
    write(entry.children[1], label)
    write(entry.children[2], read)
  }

  // Where the reader is, and the figure's main fact in words.
  here(x, words) {
    this.cursor.setAttribute("d", `M${this.left(x)} ${ABOVE}V${HEIGHT - BELOW}`)
    this.cursor.dataset.value = x
    this.svg.setAttribute("aria-label", words)
  }
}
