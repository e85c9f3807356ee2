// The dial: it owns the temperature while the reader turns it, and draws all that follows from it, in the same frame. Python
// hears of it when the reader lets go. What it shows and says comes from kdviz/ui/components/dial.py.

import { colour, create, write } from "./bars.js"
import { Control } from "./control.js"
import { formula } from "./formula.js"
import { compared, Panels, steps } from "./panels.js"
import { logSoftmax, ranking } from "./soft_targets.js"
import { leave, say } from "./turning.js"
import { drawFacts, drawSentence, drawTable, mainFact } from "./words.js"

const kept = new Map() // what the reader chose, by the dial's key in Python: it outlives the element
const dials = new WeakMap()

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".dial")
  if (!root) return
  const dial = dials.get(root) ?? new Dial(root)
  dials.set(root, dial)
  dial.update(data, setTriggerValue)
  return () => dial.end()
}

class Dial {
  constructor(root) {
    this.root = root
    this.known = undefined // the temperature that Python last said
    this.sent = [] // the temperatures that Python was told and has not said yet
    this.control = new Control(T => this.turn(T), () => this.report())
    this.panels = new Panels(create("div", { class: "panels" }))
    this.note = create("p", { class: "note" })
    this.sentence = create("p", { class: "sentence" })
    this.facts = create("dl", { class: "facts" })
    this.formula = create("div", { class: "formula" })
    this.options = create("div", { class: "options" })
    this.all = create("details", {}, create("summary"), create("div", { class: "scroll" }))
    this.live = create("p", { class: "live", "aria-live": "polite" })
    root.replaceChildren(
      this.panels.root, this.note, this.control.element, this.sentence, this.facts, this.formula, this.options, this.all, this.live,
    )
    this.all.ontoggle = () => this.draw()
    this.panels.root.onclick = event => this.explain(event.target.closest("[data-class]")?.dataset.class)
    const light = event => this.light(event.target.closest("[data-class]")?.dataset.class)
    for (const kind of ["pointerover", "focusin"]) root.addEventListener(kind, light)
    for (const kind of ["pointerleave", "focusout"]) root.addEventListener(kind, () => this.light(undefined))
    this.resized = new ResizeObserver(() => this.width !== root.clientWidth && this.show())
    this.resized.observe(root)
  }

  end() {
    this.control.end()
    this.resized.disconnect()
    leave(this)
    dials.delete(this.root)
  }

  // What Python says: a new image, another language or theme, or only that it has heard of the temperature.
  update(data, send) {
    this.data = data
    this.send = send
    this.chosen = kept.get(data.key) ?? { view: "compare" }
    kept.set(data.key, this.chosen)
    if (this.knownLog !== data.log) this.log = this.knownLog = data.log
    this.control.element.hidden = data.hidden.includes("T")
    if (this.chosen.subject !== data.subject) {
      this.chosen.subject = data.subject
      this.chosen.explained = ranking(data.logits).slice(1).find(index => data.shown.includes(index))
    }
    this.dress()
    const answered = this.sent.lastIndexOf(data.T)
    if (answered >= 0) this.sent.splice(0, answered + 1)  // an echo: the reader may have gone on meanwhile
    else if (data.T !== this.known) {
      this.control.stop(false)
      this.sent = []
      this.T = data.T
    }
    this.known = data.T
    this.show()
  }

  // Colours and words, the same at every temperature.
  dress() {
    const { data } = this
    colour(this.root, data)
    const s = data.strings
    this.control.dress(data.scale, s)
    write(this.all.firstChild, s.all_numbers)
    const options = [["steps", s.steps]]
    if (!data.hidden.includes("log")) options.push(["log", s.log])
    if (data.students) options.push(["students", s.students])
    const signature = JSON.stringify(options)
    if (this.optioned !== signature) {
      this.optioned = signature
      this.options.replaceChildren(...options.map(([name, text]) => {
        const box = create("input", { type: "checkbox", name })
        box.onchange = () => this.choose(name, box.checked)
        return create("label", { class: "option" }, box, create("span", {}, text))
      }))
    }
    const checked = { steps: this.chosen.view === "steps", log: this.log, students: data.students?.wanted }
    for (const box of this.options.querySelectorAll("input")) box.checked = checked[box.name]
  }

  choose(name, on) {
    if (name === "students") return this.send("students", on)
    if (name === "steps") this.chosen.view = on ? "steps" : "compare"
    else {
      this.log = on
      this.send("log", on)
    }
    this.show()
  }

  // Shows what was chosen, at the width there is.
  show() {
    const { data, chosen, log } = this
    this.width = this.root.clientWidth
    const listed = chosen.view === "steps" ? steps(data) : compared(data)
    const room = chosen.view === "steps" ? 110 : 78  // a logit is written beside its bar
    if (this.panels.show(data, listed, log, this.width, room)) this.lit = undefined
    const notes = [...data.notes, log ? data.strings.log_note : "", data.students?.note ?? ""].filter(Boolean)
    write(this.note, notes.join(" "))
    this.note.hidden = !notes.length
    const signature = JSON.stringify([chosen.explained, data.logits, data.shown, data.names, data.strings.term])
    if (this.formulated !== signature) {
      this.formulated = signature
      this.writeFormula = formula(this.formula, data, chosen.explained, index => this.explain(index))
    }
    this.draw(true)
  }

  // The class that the formula works out.
  explain(index) {
    if (index === undefined || Number(index) === this.chosen.explained) return
    this.chosen.explained = Number(index)
    this.show()
    this.lit = undefined
    this.light(index)
    this.announce()
  }

  // A term of the formula and its bars are one thing: touch one, and all of it lights up.
  light(index) {
    if (this.lit === index) return
    for (const old of this.root.querySelectorAll(".lit")) old.classList.remove("lit")
    if (index !== undefined) for (const now of this.root.querySelectorAll(`[data-class="${index}"]`)) now.classList.add("lit")
    this.lit = index
  }

  // Turns to a temperature: drawn at once, and at most once in each frame.
  turn(T) {
    this.T = T
    this.control.set(T)
    this.behind = this.painting
    if (this.painting) return
    this.painting = true
    this.draw()
    requestAnimationFrame(() => {
      this.painting = false
      if (this.behind) this.draw()
    })
  }

  draw(all = false) {
    const { data, T } = this
    const now = { T, logQ: logSoftmax(data.logits, T) }
    this.behind = false
    this.control.set(T)
    this.root.dataset.temperature = T
    this.panels.draw(now, all)
    drawSentence(this.sentence, data, T)
    drawFacts(this.facts, data, now)
    this.writeFormula(T, now.logQ)
    if (this.all.open) drawTable(this.all.lastChild, data, now)
    say(this, T)
  }

  // Tells Python, and who hears the page.
  report() {
    this.announce()
    if (this.T === (this.sent.at(-1) ?? this.known)) return
    this.sent.push(this.T)
    this.send("T", this.T)
  }

  announce() {
    write(this.live, mainFact(this.data, this.T, this.chosen.explained))
  }
}
