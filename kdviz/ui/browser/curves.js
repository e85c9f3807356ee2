// Learning curves in the browser: what the stream says of runs is drawn as it comes, and what is there can be replayed.
// Python (kdviz/figures/curves.py) says how everything looks and in which words; here points are gathered into it.

const chosen = { metric: "accuracy", scale: "linear", speed: 1, hidden: new Set() }  // stays while the reader is on the pages
const lives = new WeakMap()
let plotly = null

export default function (component) {
  const root = component.parentElement.querySelector(".kdviz-curves")
  if (!root) return
  if (!lives.has(root)) lives.set(root, new Live(root))
  const live = lives.get(root)
  live.update(component)
  return () => {
    live.close()
    lives.delete(root)
  }
}

// One mean and its band over the students of a series: [epochs, means, lows, highs]. An evaluation counts once every student
// has written its point; the rule is that of kdviz.figures.curves.curve.
export function gather(rows, students, at, column) {
  const [student, epoch, seconds] = [at.student, at.epoch, at.seconds]
  const found = new Map()
  const wanted = new Set(students)
  for (const row of rows) {
    if (!wanted.has(row[student]) || row[column] === null || row[seconds] > at.until) continue
    if (!found.has(row[epoch])) found.set(row[epoch], new Map())
    found.get(row[epoch]).set(row[student], row[column])
  }
  const epochs = [...found.keys()].filter(key => found.get(key).size === wanted.size).sort((a, b) => a - b)
  const values = epochs.map(key => [...found.get(key).values()])
  return [
    epochs, values.map(each => each.reduce((sum, value) => sum + value, 0) / each.length),
    values.map(each => Math.min(...each)), values.map(each => Math.max(...each)),
  ]
}

const filled = (text, fields) => text.replace(/\{(\w+)\}/g, (_, name) => fields[name])
const whole = number => number.toLocaleString("en-US")
const over = state => ["done", "stopped", "failed"].includes(state)
const kind = state => (["queued", "running"].includes(state.state) ? "active" : state.state) + " " + state.pace

// As kdviz.figures.numbers.percent writes what is no rounding.
function percent(share) {
  if (share === 0) return "0"
  if (share === 1) return "100%"
  if (share < 0.0005) return "<0.1%"
  if (share >= 0.9995) return ">99.9%"
  return (100 * share).toFixed(1) + "%"
}

function browser() {
  try {
    localStorage.kdviz ??= Array.from(crypto.getRandomValues(new Uint8Array(12)), byte => byte.toString(36)).join("")
    return localStorage.kdviz
  } catch {
    return ""  // no storage for this site: its streams are not counted
  }
}

class Live {
  constructor(root) {
    this.root = root
    this.part = name => root.querySelector("." + name)
    this.runs = new Map()
    this.own = null
    this.until = Infinity  // seconds of training: the time of a replay
    this.playing = false
    this.zoom = null
    this.hovered = null
    this.heard = () => this.follow()
    document.addEventListener("visibilitychange", this.heard)
    this.sized = new ResizeObserver(() => this.drawn && root.offsetParent && plotly.Plots.resize(this.part("plot")))
    this.sized.observe(this.part("plot"))
  }

  update({ data, setStateValue, setTriggerValue }) {
    this.data = data
    this.tell = setTriggerValue
    this.keep = setStateValue
    this.at = Object.fromEntries(data.columns.map((name, column) => [name, column]))
    const [own] = data.runs
    const another = own.id !== this.own || (own.id === "record" && own.points.length !== this.runs.get(own.id)?.points.length)
    const before = this.runs
    this.runs = new Map(data.runs.map(run => {
      const known = before.get(run.id)?.points ?? []
      // Of a run of the store, what Python read and what the stream said are beginnings of the same points.
      return [run.id, { ...run, points: run.id !== "record" && known.length > run.points.length ? known : run.points }]
    }))
    this.own = own.id
    if (another) this.begin()
    else if (own.live && this.until < Infinity) this.begin()  // it was resumed
    this.told = own.state && kind(own.state)
    const plot = this.part("plot")
    plot.hidden = !data.frame
    if (data.frame && !plotly) {
      import(new URL(data.plotly, document.baseURI)).then(() => {
        plotly = window.Plotly
        this.draw()
      })
    }
    plot.setAttribute("aria-label", data.alt ?? "")
    if (data.frame) this.offer()
    this.settle()
    this.follow()
    this.draw()
  }

  begin() {
    this.stop()
    this.until = Infinity
    this.zoom = this.hovered = null
    this.say("")
  }

  close() {
    this.closed = true
    this.stop()
    this.hangUp()
    this.sized.disconnect()
    document.removeEventListener("visibilitychange", this.heard)
    if (this.drawn) plotly.purge(this.part("plot"))
  }

  // The stream

  follow() {
    const going = [...this.runs.values()].filter(run => run.live).map(run => run.id)
    const wanted = document.hidden || this.closed ? "" : going.join()
    if (wanted === this.following) return
    this.hangUp()
    if (!wanted) return
    this.following = wanted
    const url = new URL(this.data.stream, document.baseURI)
    const last = id => this.runs.get(id).points.at(-1)?.[this.at.id] ?? 0
    url.searchParams.set("runs", going.map(id => `${id}:${last(id)}`).join())
    url.searchParams.set("browser", browser())
    const source = this.source = new EventSource(url)
    const on = (name, then) => source.addEventListener(name, event => source === this.source && then(JSON.parse(event.data)))
    const again = seconds => {
      this.hangUp()
      this.timer = setTimeout(() => this.follow(), 1000 * seconds)
    }
    on("points", ({ run, points }) => {
      const held = this.runs.get(run)
      if (!held) return
      held.points = held.points.concat(points.filter(row => row[this.at.id] > last(run)))
      if (this.data.frame) this.draw()
      else if (run === this.own) this.ask()
    })
    on("state", ({ run, ...state }) => {
      const held = this.runs.get(run)
      if (!held) return
      held.state = state
      held.live = !over(state.state)
      if (run !== this.own) return
      this.settle()
      if (kind(state) === this.told) return
      this.told = kind(state)
      this.draw()
      this.tell("moved", state.state)  // Python shows the verdict, or which buttons there are
    })
    on("missing", ({ run }) => {
      if (this.runs.has(run)) this.runs.get(run).live = false
      if (run === this.own) this.say(this.data.words.missing)
    })
    on("again", () => again(1))
    on("end", () => this.hangUp())
    source.onopen = () => {
      if (!this.lost) return
      this.lost = false
      this.say(this.data.words.back, 5)
    }
    source.onerror = () => {
      if (source !== this.source) return
      this.lost = true
      this.say(this.data.words.lost)
      if (source.readyState === EventSource.CLOSED) again(2)
    }
  }

  hangUp() {
    clearTimeout(this.timer)
    this.source?.close()
    this.source = this.following = null
  }

  // A sweep is drawn by Python, which is asked for it now and then.
  ask() {
    if (this.asking) return
    this.asking = setTimeout(() => {
      this.asking = null
      if (!this.closed) this.tell("moved", "points")
    }, Math.max(0, 1000 * this.data.every - (performance.now() - (this.asked ?? -Infinity))))
    this.asked = performance.now() + Math.max(0, 1000 * this.data.every - (performance.now() - (this.asked ?? -Infinity)))
  }

  say(text, seconds) {
    clearTimeout(this.saying)
    this.part("news").textContent = text
    if (seconds) this.saying = setTimeout(() => this.say(""), 1000 * seconds)
  }

  // How far the run is, and the replay of one that is over

  settle() {
    const { words } = this.data
    const { state, live, points } = this.runs.get(this.own)
    const progress = this.part("progress")
    progress.hidden = !live
    if (live) {
      const fields = { step: whole(state.step), steps: whole(state.steps) }
      let text = state.ready ? words.waiting : words.starting
      if (state.state === "paused") text = filled(words.paused, fields)
      else if (state.state === "running" && !state.step) text = this.data.loading
      else if (state.state === "running" && state.left === null) text = filled(words.step, fields)
      else if (state.state === "running" && state.left < 120) text = filled(words.seconds, { ...fields, seconds: Math.round(state.left) })
      else if (state.state === "running") text = filled(words.minutes, { ...fields, minutes: Math.round(state.left / 60) })
      progress.querySelector("progress").value = state.steps ? state.step / state.steps : 0
      progress.querySelector(".step").textContent = text
      progress.querySelector("progress").setAttribute("aria-label", text)
    }
    this.total = Math.max(0, ...points.map(row => row[this.at.seconds]))
    const replay = this.part("replay")
    replay.hidden = live || !this.total
    if (replay.hidden) return
    const time = this.part("time")
    const speed = this.part("speed")
    time.setAttribute("aria-label", words.time)
    this.part("word").textContent = words.speed
    if (speed.options.length !== this.data.speeds.length) {
      speed.replaceChildren(...this.data.speeds.map(value => new Option(`${value} ×`, value, false, value === chosen.speed)))
    }
    speed.onchange = () => (chosen.speed = Number(speed.value))
    this.part("play").onclick = () => (this.playing ? this.stop() : this.play())
    time.oninput = () => {
      const share = time.value / 1000  // read before it is written again
      this.stop()
      this.go(share >= 1 ? Infinity : this.total * share)
    }
    this.showTime()
  }

  showTime() {
    const { words } = this.data
    const now = Math.min(this.until, this.total)
    this.part("play").textContent = this.playing ? "\u275A\u275A " + words.pause : "\u25B6\uFE0E " + words.replay
    this.part("time").value = (1000 * now) / this.total
    this.part("clock").textContent = filled(words.clock, { now: now.toFixed(1), all: this.total.toFixed(1) })
    this.part("time").setAttribute("aria-valuetext", this.part("clock").textContent)
  }

  play() {
    if (this.until >= this.total) this.until = 0
    this.playing = true
    let before = performance.now()
    const step = now => {
      if (!this.playing) return
      this.until += (chosen.speed * (now - before)) / 1000
      before = now
      if (this.until < this.total) this.frameAsked = requestAnimationFrame(step)
      else this.stop()
      this.go(this.playing ? this.until : Infinity)
    }
    this.frameAsked = requestAnimationFrame(step)
  }

  stop() {
    this.playing = false
    cancelAnimationFrame(this.frameAsked)
    if (this.total) this.showTime()
  }

  go(until) {
    this.until = until
    this.showTime()
    if (this.data.frame) return this.draw()
    const now = performance.now()
    clearTimeout(this.sending)
    const send = () => {
      this.sent = performance.now()
      this.keep("at", { run: this.own, seconds: Number.isFinite(until) ? until : null })
    }
    const left = 1000 * this.data.every - (now - (this.sent ?? -Infinity))
    if (left <= 0) send()
    else this.sending = setTimeout(send, left)
  }

  // The choices and the series

  offer() {
    const { words, metrics, frame } = this.data
    if (!metrics.includes(chosen.metric)) chosen.metric = "accuracy"
    if (chosen.metric !== "accuracy" && chosen.scale === "errors") chosen.scale = "log"
    const scales = ["linear", "log", "errors"]
    const choice = (name, values) => {
      const set = document.createElement("fieldset")
      set.dataset.choice = name
      const legend = document.createElement("legend")
      legend.textContent = words[name]
      set.append(legend, ...values.map(value => {
        const label = document.createElement("label")
        const input = Object.assign(document.createElement("input"), { type: "radio", name: `kdviz_${name}`, value })
        input.checked = chosen[name] === value
        input.disabled = value === "errors" && chosen.metric !== "accuracy"
        const text = document.createElement("span")
        text.textContent = words[value]
        label.append(input, text)
        input.onchange = () => {
          chosen[name] = value
          this.zoom = this.hovered = null
          this.offer()
          this.draw()
        }
        return label
      }))
      return set
    }
    const focused = this.root.contains(document.activeElement) ? document.activeElement : null
    const place = focused?.name && `input[name="${focused.name}"][value="${focused.value}"]`
    this.part("choices").replaceChildren(choice("metric", metrics), choice("scale", scales))
    if (place) this.part("choices").querySelector(place)?.focus()
    const named = [...frame.series.map(one => one.line), ...(this.data.teacher && chosen.metric === "accuracy" ? [frame.teacher] : [])]
    const buttons = this.part("series")
    const held = buttons.contains(focused) ? focused.dataset.series : null
    buttons.replaceChildren(...named.map(style => {
      const button = Object.assign(document.createElement("button"), { type: "button" })
      button.dataset.series = style.name
      button.innerHTML = sample(style)
      button.append(style.name)
      button.setAttribute("aria-pressed", String(!chosen.hidden.has(style.name)))
      button.onclick = () => {
        if (!chosen.hidden.delete(style.name)) chosen.hidden.add(style.name)
        button.setAttribute("aria-pressed", String(!chosen.hidden.has(style.name)))
        this.draw()
      }
      return button
    }))
    this.part("note").textContent = chosen.metric === "loss" ? words.note : ""
    if (held) [...buttons.children].find(button => button.dataset.series === held)?.focus()
  }

  // The figure

  draw() {
    if (this.drawing || !plotly || !this.data.frame || this.closed) return
    this.drawing = requestAnimationFrame(() => {
      this.drawing = null
      if (!this.closed && this.data.frame) this.paint()
    })
  }

  paint() {
    const plot = this.part("plot")
    const { traces, layout, words } = this.figure()
    this.painting = true
    plotly.react(plot, traces, layout, { displayModeBar: false, doubleClick: false })
    this.painting = false
    plot.setAttribute("aria-label", words)
    if (this.hovered !== null && plot.querySelector(".plotly")) plotly.Fx.hover(plot, { xval: this.hovered }, "xy")
    if (this.drawn) return
    this.drawn = true
    plot.on("plotly_relayout", change => {
      const range = axis => change[`${axis}.range`] ?? [change[`${axis}.range[0]`], change[`${axis}.range[1]`]]
      const [x, y] = [range("xaxis"), range("yaxis")]
      const is = pair => pair.every(Number.isFinite)
      if (this.painting || !(is(x) || is(y))) return
      this.zoom = { ...this.zoom, ...(is(x) && { x: [...x] }), ...(is(y) && { y: [...y] }) }
    })
    plot.on("plotly_doubleclick", () => {
      this.zoom = null
      this.draw()
    })
    plot.on("plotly_hover", ({ xvals }) => (this.hovered = xvals?.[0] ?? null))
    plot.on("plotly_unhover", () => this.painting || (this.hovered = null))
    // The pointer may leave while the figure is drawn anew, and then no unhover comes.
    plot.addEventListener("pointerleave", () => {
      this.hovered = null
      plotly.Fx.unhover(plot)
    })
  }

  figure() {
    const { frame, teacher, words } = this.data
    const { metric, scale } = chosen
    const logarithmic = scale !== "linear"
    const says = frame.metrics[metric]
    const at = { ...this.at, until: this.until }
    const traces = []
    const said = []
    let [lowest, highest] = [Infinity, teacher?.accuracy ?? 0]
    const epochs = frame.layout.xaxis.range[1] / 1.01
    for (const one of frame.series) {
      const rows = this.runs.get(one.run)?.points ?? []
      const visible = !chosen.hidden.has(one.line.name)
      const terms = metric === "loss" ? ["loss_soft", "loss_hard"] : [scale === "errors" ? "errors" : metric]
      const accuracies = gather(rows, one.students, at, this.at.accuracy)
      if (accuracies[0].length) {
        const [when, mean, low, high] = accuracies.map(each => each.at(-1))
        said.push(filled(words.sentence, {
          condition: one.line.name, accuracy: percent(mean), epochs: String(Number(when.toPrecision(6))),
          low: percent(low), high: percent(high),
        }))
      }
      for (const term of terms) {
        const [x, mean, low, high] = term === "accuracy" ? accuracies : gather(rows, one.students, at, this.at[term])
        if (term.startsWith("loss") && high.every(value => value === 0) && x.length) continue  // a term without weight
        const name = (one.terms[term] ?? one.line).name
        const style = { ...one.line, ...one.terms[term] }
        const placed = values => values.map(value => (scale === "errors" ? Math.max(value, 0.5) : logarithmic && value <= 0 ? null : value))
        x.forEach((epoch, n) => {
          if (visible && epoch >= epochs / 16) lowest = Math.min(lowest, low[n])
          highest = Math.max(highest, high[n])
        })
        traces.push({
          ...one.band, name, visible, x: [...x, ...[...x].reverse()], y: placed([...high, ...[...low].reverse()]),
        })
        const number = scale === "errors" ? ".1f" : says.number
        traces.push({
          ...style, name, visible, x, y: placed(mean), customdata: mean,
          hovertemplate: `%{customdata:${number}}<extra>${name}</extra>`,
        })
      }
    }
    if (teacher && metric === "accuracy") {
      const value = scale === "errors" ? teacher.errors : teacher.accuracy
      const number = scale === "errors" ? ".0f" : says.number
      traces.push({
        ...frame.teacher, visible: !chosen.hidden.has(frame.teacher.name), x: [0, epochs], y: [value, value].map(y => Math.max(y, logarithmic ? 1e-9 : y)),
        hovertemplate: `%{y:${number}}<extra>${frame.teacher.name}</extra>`,
      })
    }
    if (teacher) said.push(filled(words.teacher, { accuracy: percent(teacher.accuracy) }))
    const yaxis = {
      ...frame.layout.yaxis, type: logarithmic ? "log" : "linear", autorange: true, tickformat: scale === "errors" ? "~g" : says.tick,
      title: { text: scale === "errors" ? says.errors : says.title }, ...(logarithmic && { dtick: "D2" }),  // 1, 2, 5, 10, ...
    }
    if (!logarithmic && ["accuracy", "agreement"].includes(metric)) {
      // From a little under all evaluations but those of the first sixteenth, which are near chance.
      const floor = lowest === Infinity ? 0 : Math.max(0, lowest - 0.05 * (highest - lowest) - 0.002)
      Object.assign(yaxis, { autorange: false, range: [floor, 1 + 0.02 * (1 - floor)] })
    }
    const xaxis = { ...frame.layout.xaxis, range: [...frame.layout.xaxis.range] }
    if (this.zoom?.x) xaxis.range = [...this.zoom.x]
    if (this.zoom?.y) Object.assign(yaxis, { autorange: false, range: [...this.zoom.y] })
    const touched = matchMedia("(pointer: coarse)").matches  // where a finger on the figure scrolls the page
    const font = { ...frame.layout.font, family: getComputedStyle(this.root).fontFamily }
    const layout = { ...frame.layout, font, xaxis, yaxis, dragmode: touched ? false : frame.layout.dragmode }
    return { traces, layout, words: said.join(" ") || words.nothing }
  }
}

const DASHES = { solid: "", dash: "9 5", dot: "3 4", longdash: "14 6" }
const SIGNS = {
  circle: "M20 1a5 5 0 1 0 .01 0z", diamond: "M20 0l6 6-6 6-6-6z", square: "M15 1h10v10h-10z", cross: "M18 1h4v3h3v4h-3v3h-4v-3h-3v-4h3z",
}

// How a series looks, for its switch.
function sample({ line, marker, opacity }) {
  const sign = marker ? `<path d="${SIGNS[marker.symbol]}" fill="${marker.color}"/>` : ""
  return `<svg width="40" height="12" aria-hidden="true" opacity="${opacity ?? 1}"><path d="M0 6H40" stroke="${line.color}" stroke-width="3" ` +
    `stroke-dasharray="${DASHES[line.dash]}"/>${sign}</svg>`
}
