// The control of the temperature: a range on a logarithmic scale with marks, a number, and a sweep. It says where the reader
// turns (`turn`), and when they let go (`release`). Knows no image.

import { create, write } from "./bars.js"
import { temperature } from "./numbers.js"

const POSITIONS = 1000 // of the range input
const MAGNET = 0.012 // of log T: as near to a mark, a drag is at it
const SWEEP = 9000 // milliseconds from the lowest to the highest temperature
const STEP = 900 // milliseconds of each step, for whoever prefers less motion
const QUIET = 160 // milliseconds without a key, after which the reader has let go

export class Control {
  constructor(turn, release) {
    this.turned = turn
    this.released = release
    this.play = create("button", { type: "button", class: "play" })
    this.number = create("input", { type: "text", inputmode: "decimal", autocomplete: "off", class: "number" })
    this.range = create("input", { type: "range", min: 0, max: POSITIONS, step: 1 })
    this.marks = create("div", { class: "marks" })
    this.wrong = create("p", { class: "wrong", role: "alert" })
    const label = create("label", { class: "T" }, create("span", {}, "T ="), this.number)
    const track = create("div", { class: "track" }, this.range, this.marks)
    this.element = create("div", { class: "control" }, this.play, label, track, this.wrong)
    this.listen()
  }

  listen() {
    const key = event => {
      if (event.altKey || event.ctrlKey || event.metaKey) return
      if (event.target === this.number && !/^(Arrow(Up|Down)|Page)/.test(event.key)) return
      const T = this.byKey(event.key, event.shiftKey)
      if (T === undefined) return
      event.preventDefault()
      this.turn(T)
      this.release(QUIET)
      if (event.target === this.number) this.number.value = temperature(T)
    }
    this.range.oninput = () => this.turn(this.atPosition(Number(this.range.value)))
    this.range.onchange = () => this.release(0)
    this.range.onkeydown = key
    this.number.onkeydown = key
    this.number.onchange = () => this.enter(this.number.value)
    this.play.onclick = () => (this.playing ? this.stop(true) : this.start())
    this.marks.onclick = event => {
      const mark = event.target.closest("button")
      if (mark) this.jump(Number(mark.dataset.temperature))
    }
  }

  // scale: {low, high, telling, steps, leaps}, temperatures; s: the words.
  dress(scale, s) {
    this.scale = scale
    this.strings = s
    for (const [element, text, title] of [
      [this.range, s.temperature, s.temperature_help], [this.number, s.temperature_entry, s.temperature_entry],
    ]) {
      element.setAttribute("aria-label", text)
      element.title = title
    }
    this.dressPlay()
    const words = new Map([[1, s.mark_one], [scale.telling, s.mark_telling], [scale.high, s.mark_high]])
    const signature = JSON.stringify([...words, s.tells_most])
    if (this.marked === signature) return
    this.marked = signature
    this.magnets = [...words.keys()]
    this.marks.replaceChildren(...[...words].map(([T, text]) => {
      const label = text.replace("{T}", temperature(T))
      const mark = create("button", { type: "button", "data-temperature": T, "aria-label": label, title: label })
      mark.style.setProperty("--place", this.position(T))
      mark.style.setProperty("--one", this.position(1))
      mark.append(create("span", {}, temperature(T)))
      if (T === scale.telling) mark.append(create("small", {}, s.tells_most))
      if (T === scale.telling && T !== 1 && T !== scale.high) mark.className = "telling"
      return mark
    }))
  }

  dressPlay() {
    const text = this.playing ? this.strings.pause : this.strings.play
    write(this.play, this.playing ? "❚❚" : "►")
    this.play.setAttribute("aria-label", text)
    this.play.title = text
  }

  // Where on the scale a temperature lies, 0..1.
  position(T) {
    return Math.log(T / this.scale.low) / Math.log(this.scale.high / this.scale.low)
  }

  // Shows a temperature.
  set(T) {
    this.current = T
    const place = this.position(T)
    const text = temperature(T)
    if (Math.round(POSITIONS * place) !== Number(this.range.value)) this.range.value = POSITIONS * place
    this.range.style.setProperty("--at", place)
    this.range.setAttribute("aria-valuetext", `T = ${text}`)
    if (this.number.getRootNode().activeElement !== this.number) this.number.value = text
  }

  // The temperature of a position of the range, to three digits; at a mark, the mark's own.
  atPosition(position) {
    const { low, high } = this.scale
    const T = low * (high / low) ** (position / POSITIONS)
    return this.magnets.find(mark => Math.abs(Math.log(mark / T)) < MAGNET) ?? Number(T.toPrecision(3))
  }

  byKey(key, fine) {
    const { low, high, steps, leaps } = this.scale
    const next = scale => this.after(scale) ?? high
    const last = scale => scale.findLast(value => value < this.current * (1 - 1e-9)) ?? low
    const bit = sign => Number((this.current * 1.01 ** sign).toPrecision(3))
    if (key === "ArrowRight" || key === "ArrowUp") return fine ? bit(1) : next(steps)
    if (key === "ArrowLeft" || key === "ArrowDown") return fine ? bit(-1) : last(steps)
    return { PageUp: next(leaps), PageDown: last(leaps), Home: low, End: high }[key]
  }

  after(scale) {
    return scale.find(value => value > this.current * (1 + 1e-9))
  }

  enter(text) {
    const T = Number(text.trim().replace(",", ".") || NaN)
    if (T >= this.scale.low && T <= this.scale.high) return this.jump(Number(T.toPrecision(4)))
    this.number.setAttribute("aria-invalid", "true")
    write(this.wrong, this.strings.invalid.replace("{value}", `'${text.slice(0, 40)}'`))
  }

  jump(T) {
    this.turn(T)
    this.number.value = temperature(T)
    this.release(0)
  }

  // The reader turns, and no sweep goes on.
  turn(T) {
    this.stop(false)
    this.go(T)
  }

  go(T) {
    write(this.wrong, "")
    this.number.removeAttribute("aria-invalid")
    this.turned(Math.min(Math.max(T, this.scale.low), this.scale.high))
  }

  release(wait) {
    clearTimeout(this.timer)
    this.timer = setTimeout(() => this.released(), wait)
  }

  // Sweeps from where it is to the top, or, from there, through all temperatures.
  start() {
    const { low, high, leaps } = this.scale
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches
    if (this.current >= high) this.go(low)
    const playing = (this.playing = { from: this.current, since: performance.now() })
    this.dressPlay()
    const wait = () => (playing.timer = still ? setTimeout(on, STEP) : requestAnimationFrame(on))
    const on = () => {
      if (this.playing !== playing) return
      const gone = (performance.now() - playing.since) / SWEEP
      this.go(still ? (this.after(leaps) ?? high) : Number((playing.from * (high / low) ** gone).toPrecision(3)))
      if (this.current >= high) this.stop(true)
      else wait()
    }
    wait()
  }

  stop(release) {
    if (!this.playing) return
    cancelAnimationFrame(this.playing.timer)
    clearTimeout(this.playing.timer)
    this.playing = undefined
    this.dressPlay()
    if (release) this.release(0)
  }

  end() {
    this.stop(false)
    clearTimeout(this.timer)
  }
}
