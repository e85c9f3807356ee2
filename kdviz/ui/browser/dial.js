// The dial: it owns the temperature while the reader turns it, and draws all that follows from it, in the same frame. Python
// hears of it when the reader lets go. What it shows and says comes from kdviz/ui/components/dial.py.

import { build, create, perLine, set, write } from "./bars.js"
import { formula } from "./formula.js"
import { exponential, nats, percent, power, signed, temperature } from "./numbers.js"
import { filled, sentence } from "./opinion.js"
import { entropy, kl, logSoftmax, logSumExp, meanSoftmax, ranking } from "./soft_targets.js"

const LOG_FLOOR = 1e-6 // where the logarithmic scale begins
const POSITIONS = 1000 // of the range input
const SWEEP = 9000 // milliseconds from the lowest to the highest temperature
const STEP = 900 // milliseconds of each step, for whoever prefers less motion
const QUIET = 160 // milliseconds without a key after which Python is told
const PATTERNS = { "": "plain", "/": "slanted", x: "crossed", ".": "dotted" }

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
    this.sent = [] // the temperatures that Python was told and has not answered yet
    const $ = (tag, attributes, ...children) => create(tag, attributes, ...children)
    this.play = $("button", { type: "button", class: "play" })
    this.number = $("input", { type: "text", inputmode: "decimal", autocomplete: "off", class: "number" })
    this.range = $("input", { type: "range", min: 0, max: POSITIONS, step: 1 })
    this.marks = $("div", { class: "marks" })
    this.wrong = $("p", { class: "wrong", role: "alert" })
    this.panels = $("div", { class: "panels" })
    this.said = $("h5", { class: "sentence" })
    this.facts = $("dl", { class: "facts" })
    this.formula = $("div", { class: "formula" })
    this.live = $("p", { class: "live", "aria-live": "polite" })
    this.view = $("div", { class: "choices" })
    this.note = $("p", { class: "note" })
    this.all = $("details", {}, $("summary", {}), $("div", { class: "scroll" }))
    this.T = $("label", { class: "T" }, $("span", {}, "T ="), this.number)
    root.replaceChildren(
      this.panels, this.note,
      $("div", { class: "control" }, this.play, this.T, $("div", { class: "track" }, this.range, this.marks), this.wrong),
      this.said, this.facts, this.formula, this.view, this.all, this.live,
    )
    this.listen()
    this.resized = new ResizeObserver(() => this.width !== root.clientWidth && this.data && this.build())
    this.resized.observe(root)
  }

  end() {
    this.stop(false)
    clearTimeout(this.timer)
    this.resized.disconnect()
    dials.delete(this.root)
  }

  listen() {
    this.range.oninput = () => {
      this.stop(false)
      this.turn(this.atPosition(Number(this.range.value)))
    }
    this.range.onchange = () => this.report(0)
    this.range.onkeydown = event => {
      if (event.altKey || event.ctrlKey || event.metaKey) return
      const T = this.byKey(event.key, event.shiftKey)
      if (T === undefined) return
      event.preventDefault()
      this.stop(false)
      this.turn(T)
      this.report(QUIET)
    }
    this.number.onkeydown = event => {
      const T = { ArrowUp: "ArrowUp", ArrowDown: "ArrowDown" }[event.key] && this.byKey(event.key, event.shiftKey)
      if (T === undefined) return
      event.preventDefault()
      this.stop(false)
      this.turn(T)
      this.number.value = temperature(T)
      this.report(QUIET)
    }
    this.number.onchange = () => this.enter(this.number.value)
    this.play.onclick = () => (this.playing ? this.stop(true) : this.start())
    this.marks.onclick = event => {
      const mark = event.target.closest("button")
      if (mark) this.jump(Number(mark.dataset.temperature))
    }
    const lit = event => this.light(event.target.closest?.("[data-class]")?.dataset.class)
    for (const kind of ["pointerover", "focusin"]) this.root.addEventListener(kind, lit)
    for (const kind of ["pointerleave", "focusout"]) this.root.addEventListener(kind, () => this.light(undefined))
    this.panels.onclick = event => this.explain(event.target.closest("[data-class]")?.dataset.class)
    this.all.ontoggle = () => this.draw()
  }

  // What Python says: a new image, another language or theme, or only that it has heard of the temperature.
  update(data, send) {
    this.data = data
    this.send = send
    this.names = data.shown.map(index => data.names[index])
    this.atOne = logSoftmax(data.logits)
    this.steps = data.steps
    const chosen = kept.get(data.key) ?? { log: false, view: "compare" }
    kept.set(data.key, chosen)
    this.chosen = chosen
    const answered = this.sent.lastIndexOf(data.T)
    if (answered >= 0) this.sent.splice(0, answered + 1)
    else if (data.T !== this.known) {
      this.stop(false)
      this.sent = []
      this.current = data.T
    }
    this.known = data.T
    if (chosen.subject !== data.subject) {
      chosen.subject = data.subject
      chosen.explained = ranking(data.logits).slice(1).find(index => data.shown.includes(index))
    }
    this.dress()
    this.build()
  }

  // Texts and colours, which do not depend on the temperature.
  dress() {
    const { data, root } = this
    const [r, g, b] = (getComputedStyle(root).backgroundColor.match(/[\d.]+/g) ?? [255, 255, 255]).map(Number)
    const theme = 0.3 * r + 0.6 * g + 0.1 * b < 128 ? "dark" : "light"
    for (const [kind, mark] of Object.entries(data.palette)) root.style.setProperty(`--${kind}`, mark[theme])
    root.style.setProperty("--on-bar", data.on_bar[theme])
    root.lang = data.lang
    const s = data.strings
    this.range.setAttribute("aria-label", s.temperature)
    this.range.title = s.temperature_help
    this.number.setAttribute("aria-label", s.temperature_entry)
    this.number.title = s.temperature_entry
    this.dressMarks()
    write(this.all.firstChild, s.all_numbers)
    this.all.hidden = false
    const option = (name, text, on, act) => {
      const box = create("input", { type: "checkbox" })
      box.checked = on
      box.onchange = () => act(box.checked)
      box.name = name
      return create("label", { class: "option" }, box, create("span", {}, text))
    }
    const c = this.chosen
    const options = [
      option("steps", s.steps, c.view === "steps", on => this.choose({ view: on ? "steps" : "compare" })),
      option("log", s.log, c.log, on => this.choose({ log: on })),
    ]
    if (data.students) options.push(option("students", s.students, data.students.wanted, on => this.send("students", on)))
    if (this.optioned !== JSON.stringify([s, Boolean(data.students)])) {
      this.optioned = JSON.stringify([s, Boolean(data.students)])
      this.view.replaceChildren(...options)
    }
    this.dressPlay()
  }

  dressPlay() {
    const text = this.playing ? this.data.strings.pause : this.data.strings.play
    write(this.play, this.playing ? "❚❚" : "►")
    this.play.setAttribute("aria-label", text)
    this.play.title = text
  }

  dressMarks() {
    const { low, high, telling, strings: s } = this.data
    const marks = [[1, s.mark_one, ""], [telling, s.mark_telling, s.tells_most], [high, s.mark_high, ""]]
    const places = new Map()
    for (const [T, help, word] of marks) places.set(T, [help, word || places.get(T)?.[1] || ""])
    const signature = JSON.stringify([...places])
    if (this.marked === signature) return
    this.marked = signature
    this.magnets = [...places.keys()]
    this.marks.replaceChildren(...[...places].map(([T, [help, word]]) => {
      const mark = create("button", { type: "button", "data-temperature": T, "aria-label": help.replace("{T}", temperature(T)) })
      mark.title = help.replace("{T}", temperature(T))
      mark.style.setProperty("--place", Math.log(T / low) / Math.log(high / low))
      mark.style.setProperty("--one", Math.log(1 / low) / Math.log(high / low))
      mark.className = T === high ? "top" : T === 1 ? "one" : "telling"
      mark.append(create("span", {}, temperature(T)), create("small", {}, word))
      return mark
    }))
  }

  choose(choice) {
    Object.assign(this.chosen, choice)
    this.build()
  }

  explain(index) {
    if (index === undefined || Number(index) === this.chosen.explained) return
    this.chosen.explained = Number(index)
    this.formulaDrawn = undefined
    this.draw()
    this.light(index)
    this.announce()
  }

  light(index) {
    if (this.lit === index) return
    for (const old of this.root.querySelectorAll(".lit")) old.classList.remove("lit")
    if (index !== undefined) {
      for (const now of this.root.querySelectorAll(`[data-class="${index}"]`)) now.classList.add("lit")
    }
    this.lit = index
  }

  // The panels that the chosen view shows. at: what to draw of them at a temperature, from {T, logQ, q}.
  listed() {
    const { data } = this
    const s = data.strings
    const share = { log: this.chosen.log, ticks: this.chosen.log ? [[0, "10⁻⁶"], [0.5, "10⁻³"], [1, "1"]] : [[0.5, "50%"], [1, "100%"]] }
    const teacher = { kind: "teacher", title: s.teacher }
    if (this.chosen.view === "steps") {
      return [
        { id: "logits", kind: "teacher", title: s.logit, subtitle: "z", ticks: [], fixed: true, signed: () => data.logits },
        { id: "divided", kind: "teacher", title: s.divided, live: T => `z / ${T}`, ticks: [], signed: ({ T }) => data.logits.map(z => z / T) },
        { id: "exponentiated", kind: "teacher", title: s.exponentiated, live: T => `exp(z / ${T})`, ticks: [], exponent: true },
        { id: "normalised", ...teacher, title: s.normalised, live: T => `T = ${T}`, ...share, logs: ({ logQ }) => logQ },
      ]
    }
    const panels = []
    const exact = p => p.map(value => Math.log(value))
    if (data.label !== null && data.labelled) {
      const oneHot = data.logits.map((_, index) => Number(index === data.label))
      panels.push({ id: "label", kind: "ground_truth", title: s.ground_truth, subtitle: s.hard_label, ...share, exact: true, fixed: true, logs: () => exact(oneHot) })
    }
    if (data.truth) {
      panels.push({ id: "truth", kind: "ground_truth", title: s.true_probability, subtitle: s.of_this, ...share, exact: true, fixed: true, logs: () => exact(data.truth) })
    }
    panels.push({ id: "at_one", ...teacher, subtitle: "T = 1", ...share, fixed: true, logs: () => this.atOne })
    panels.push({ id: "at_T", ...teacher, live: T => `T = ${T}`, ...share, logs: ({ logQ }) => logQ })
    for (const other of data.students?.panels ?? []) {
      panels.push({
        id: other.kind, kind: other.kind, title: other.label, live: T => `T = ${T}`, ...share,
        logs: ({ T }) => exact(meanSoftmax(other.logits, T)),
      })
    }
    return panels
  }

  build() {
    this.width = this.root.clientWidth
    const panels = this.listed()
    const columns = perLine(panels.length, this.names, this.width)
    const signature = JSON.stringify([panels.map(p => [p.id, p.title, p.subtitle, p.ticks]), this.names, this.data.shown, columns])
    this.listedPanels = panels
    if (this.built !== signature) {
      this.built = signature
      const given = panels.map(p => ({ ...p, subtitle: p.subtitle ?? "", pattern: PATTERNS[this.data.palette[p.kind].pattern] }))
      this.drawn = build(this.panels, given, this.names, this.data.shown, columns, this.data.strings.shares)
      this.lit = undefined
    }
    const notes = [...this.data.notes]
    if (this.chosen.log) notes.push(this.data.strings.log_note)
    if (this.data.students?.note) notes.push(this.data.students.note)
    write(this.note, notes.join(" "))
    this.note.hidden = !notes.length
    this.formulaDrawn = undefined
    this.draw(true)
  }

  // Turns to a temperature: drawn at once, and at most once in each frame.
  turn(T) {
    this.current = Math.min(Math.max(T, this.data.low), this.data.high)
    write(this.wrong, "")
    this.number.removeAttribute("aria-invalid")
    if (this.painting) return void (this.behind = true)
    this.painting = true
    this.draw()
    requestAnimationFrame(() => {
      this.painting = false
      if (this.behind) this.draw()
    })
  }

  draw(afresh = false) {
    this.behind = false
    const { data, current: T, drawn } = this
    const logQ = logSoftmax(data.logits, T)
    const q = logQ.map(value => Math.exp(value))
    const now = { T, logQ, q }
    const text = temperature(T)
    const position = (POSITIONS * Math.log(T / data.low)) / Math.log(data.high / data.low)
    this.listedPanels.forEach((panel, index) => {
      if (panel.fixed && !afresh && !panel.signed) return
      if (panel.live) write(drawn[index].subtitle, panel.live(text))
      this.drawPanel(panel, drawn[index].cells, now)
    })
    if (Math.round(position) !== Number(this.range.value)) this.range.value = position
    this.range.style.setProperty("--at", position / POSITIONS)
    this.range.setAttribute("aria-valuetext", `T = ${text}`)
    if (this.root.getRootNode().activeElement !== this.number) this.number.value = text
    this.root.dataset.temperature = T
    this.drawWords(now)
    this.formulaDrawn ??= formula(this.formula, data, this.chosen.explained, index => this.explain(index))
    this.formulaDrawn(T, logQ)
    if (this.all.open) this.drawAll(now)
  }

  drawPanel(panel, cells, now) {
    const { shown, logits } = this.data
    if (panel.signed) {
      const ends = [0, ...logits, ...logits.map(z => z / now.T)]
      const low = Math.min(...ends)
      const along = value => (0.66 * (value - low)) / (Math.max(...ends) - low || 1)
      panel.signed(now).forEach((value, index) => {
        const row = shown.indexOf(index)
        if (row < 0) return
        const [from, to] = [along(Math.min(value, 0)), along(Math.max(value, 0))]
        set(cells[row], from, to, signed(value, Math.abs(value) < 1000 ? 2 : 0), value, false)
      })
      return
    }
    const logs = panel.exponent ? now.logQ : panel.logs(now)
    const top = panel.exponent ? Math.max(...logs) : 0
    shown.forEach((index, row) => {
      const share = Math.exp(logs[index] - top)
      if (panel.exponent) {
        const x = logits[index] / now.T
        return set(cells[row], 0, 0.5 * share, exponential(x), x, false)
      }
      const along = panel.log ? Math.max(0, 1 + logs[index] / -Math.log(LOG_FLOOR)) : share
      const written = panel.log ? power(share, logs[index], share >= 0.00995 ? 2 : 1, panel.exact) : percent(share, panel.exact)
      set(cells[row], 0, along, written, share)
    })
  }

  // The sentence, and what is known of the shares in one number each.
  drawWords({ T, logQ, q }) {
    const { data } = this
    const s = data.strings
    const parts = sentence(data.logits, data.label, T, data.names, data.rules)
    while (this.said.childNodes.length < parts.length) this.said.append(this.said.childNodes.length % 2 ? create("strong") : document.createTextNode(""))
    while (this.said.childNodes.length > parts.length) this.said.lastChild.remove()
    parts.forEach((part, index) => write(this.said.childNodes[index], part))
    const logUniform = q.map(() => -Math.log(q.length))
    const facts = [
      ["entropy", s.entropy, entropy(q), `${nats(entropy(this.atOne.map(value => Math.exp(value))))} → ${nats(entropy(q))}`],
      ["kl_one", s.kl_one, kl(logQ, this.atOne)],
      ["kl_uniform", s.kl_uniform, kl(logQ, logUniform)],
    ]
    if (data.truth) facts.push(["kl_truth", s.kl_truth, kl(data.truth.map(value => Math.log(value)), logQ)])
    if (this.factNames !== JSON.stringify(facts.map(([, name]) => name))) {
      this.factNames = JSON.stringify(facts.map(([, name]) => name))
      this.facts.replaceChildren(...facts.map(([id, name]) =>
        create("div", {}, create("dt", {}, name), create("dd", { "data-fact": id }))))
    }
    facts.forEach(([, , value, text], index) => {
      const cell = this.facts.children[index].lastChild
      cell.dataset.value = Math.max(value, 0)
      write(cell, s.in_nats.replace("{value}", text ?? nats(value)))
    })
  }

  // Every class and every number of it, in a table that is only kept while it is open.
  drawAll({ T, logQ }) {
    const { data } = this
    const s = data.strings
    const one = this.atOne
    const rows = data.logits.map((z, index) => [
      data.names[index], signed(z, 3), signed(z / T, 3), exponential(z / T), power(Math.exp(one[index]), one[index], 4),
      power(Math.exp(logQ[index]), logQ[index], 4),
    ])
    const titles = [s.class, s.logit, s.divided, s.exponentiated, s.share_one, s.share_T]
    const signature = JSON.stringify([titles, data.names])
    const place = this.all.lastChild
    if (this.tabled !== signature) {
      this.tabled = signature
      const head = create("tr", {}, ...titles.map(title => create("th", { scope: "col" }, title)))
      const body = rows.map(([name, ...rest]) => create("tr", {}, create("th", { scope: "row" }, name), ...rest.map(() => create("td"))))
      place.replaceChildren(create("table", {}, create("thead", {}, head), create("tbody", {}, ...body)))
    }
    rows.forEach((row, index) => {
      const cells = place.querySelector("tbody").rows[index].cells
      row.forEach((text, column) => write(cells[column], text))
    })
    // The last line: what the exponentials sum to, by which each is divided.
    place.dataset.sum = exponential(logSumExp(data.logits, T))
  }

  // The temperature of a position of the range, to three digits; at a mark, the mark's own.
  atPosition(position) {
    const { low, high } = this.data
    const T = low * (high / low) ** (position / POSITIONS)
    return this.magnets.find(mark => Math.abs(Math.log(mark / T)) < 0.012) ?? Number(T.toPrecision(3))
  }

  byKey(key, fine) {
    const { low, high, steps, leaps } = this.data
    const T = this.current
    const next = scale => scale.find(value => value > T * (1 + 1e-9)) ?? high
    const last = scale => scale.findLast(value => value < T * (1 - 1e-9)) ?? low
    const bit = sign => Math.min(Math.max(Number((T * 1.01 ** sign).toPrecision(3)), low), high)
    if (key === "ArrowRight" || key === "ArrowUp") return fine ? bit(1) : next(steps)
    if (key === "ArrowLeft" || key === "ArrowDown") return fine ? bit(-1) : last(steps)
    return { PageUp: next(leaps), PageDown: last(leaps), Home: low, End: high }[key]
  }

  enter(text) {
    const T = Number(text.trim().replace(",", ".").replace(/^T\s*=\s*/i, "") || NaN)
    if (T >= this.data.low && T <= this.data.high) return this.jump(T)
    this.number.setAttribute("aria-invalid", "true")
    write(this.wrong, this.data.strings.invalid.replace("{value}", `'${text.slice(0, 40)}'`))
  }

  jump(T) {
    this.stop(false)
    this.turn(T)
    this.number.value = temperature(T)
    this.report(0)
  }

  // Tells Python, once the reader has let go; keys that follow each other quickly are one turn.
  report(wait) {
    clearTimeout(this.timer)
    this.timer = setTimeout(() => {
      if (this.current === (this.sent.at(-1) ?? this.known)) return
      this.sent.push(this.current)
      this.send("T", this.current)
    }, wait)
    this.announce()
  }

  announce() {
    const { data, current: T } = this
    const index = this.chosen.explained
    const share = Math.exp(logSoftmax(data.logits, T)[index])
    const facts = { name: data.names[index], share: percent(share), T: temperature(T), rank: ranking(data.logits).indexOf(index) + 1, classes: data.names.length }
    write(this.live, filled(data.strings.main_fact, facts).join(""))
  }

  // Sweeps from where it is to the top, or, from there, through all temperatures.
  start() {
    const { low, high, leaps } = this.data
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches
    if (this.current >= high) this.turn(low)
    const playing = (this.playing = { from: this.current, since: performance.now() })
    this.dressPlay()
    const go = () => {
      if (this.playing !== playing) return
      const gone = (performance.now() - playing.since) / SWEEP
      const T = still ? (leaps.find(value => value > this.current * (1 + 1e-9)) ?? high) : playing.from * (high / low) ** gone
      this.turn(Math.min(Number(T.toPrecision(3)), high))
      if (this.current >= high) return this.stop(true)
      playing.timer = still ? setTimeout(go, STEP) : requestAnimationFrame(go)
    }
    playing.timer = still ? setTimeout(go, STEP) : requestAnimationFrame(go)
  }

  stop(report) {
    if (!this.playing) return
    cancelAnimationFrame(this.playing.timer)
    clearTimeout(this.playing.timer)
    this.playing = undefined
    this.dressPlay()
    if (report) this.report(0)
  }
}
