// Learning curves in the browser: what the stream says of runs is drawn as it comes, and what is there can be replayed.
// Python (kdviz/figures/curves.py) says how everything looks and in which words; figure.js gathers the points into it.

import { figure, filled, sample } from "./figure.js"
import { fit, nearer, pan } from "./zoom.js"

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

const whole = number => number.toLocaleString("en-US")
const over = state => ["done", "stopped", "failed"].includes(state)
const kind = state => (["queued", "running"].includes(state.state) ? "active" : state.state) + " " + state.pace

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
      else if (state.state === "running") {
        const [seconds, minutes] = [Math.round(state.left), Math.round(state.left / 60)]
        const said = state.left === null ? words.step : state.left < 120 ? words.seconds : words.minutes
        text = filled(said, { ...fields, seconds, minutes })
      }
      progress.querySelector("progress").value = state.steps ? state.step / state.steps : 0
      progress.querySelector(".step").textContent = text
      progress.querySelector("progress").setAttribute("aria-label", text)
    }
    this.total = Math.max(0, ...points.map(row => row[this.at.seconds]))
    const replay = this.part("replay")
    replay.hidden = live || !this.total
    if (replay.hidden) return (this.part("ends").textContent = "")
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
    this.part("ends").textContent = this.data.verdict && this.until < this.total ? words.ends : ""
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
    const named = frame.series.map(one => one.line)
    if (this.data.teacher && chosen.metric === "accuracy") named.push(frame.teacher)
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

  // The zoom, for who has no mouse: the buttons move along the epochs, and the height fits what is seen then

  offerZoom() {
    const { words, frame } = this.data
    const root = this.part("zoom")
    root.hidden = false
    root.setAttribute("aria-label", words.zoom)
    if (!root.firstChild) {
      for (const [name, sign] of Object.entries({ nearer: "+", farther: "−", earlier: "←", later: "→", whole: "" })) {
        const button = Object.assign(document.createElement("button"), { type: "button", className: name, textContent: sign })
        button.onclick = () => this.turnTo(name)
        root.append(button)
      }
      root.append(Object.assign(document.createElement("span"), { role: "status" }))
    }
    for (const button of root.querySelectorAll("button")) {
      const text = words[button.className]
      if (button.className === "whole") button.textContent = text
      else button.title = text
      button.setAttribute("aria-label", text)
    }
    const all = frame.layout.xaxis.range
    const seen = this.zoom?.x ?? all
    const [first, last] = seen.map(value => String(Number(value.toPrecision(3))))
    root.lastChild.textContent = this.zoom?.x ? filled(words.epochs, { first, last }) : ""
    // Not disabled, which would throw the focus away.
    const idle = { farther: !this.zoom, earlier: seen[0] <= all[0], later: seen[1] >= all[1], whole: !this.zoom }
    for (const button of root.querySelectorAll("button")) button.setAttribute("aria-disabled", String(Boolean(idle[button.className])))
  }

  turnTo(name) {
    const all = this.data.frame.layout.xaxis.range
    const seen = this.zoom?.x ?? all
    const x = {
      nearer: () => nearer(seen, 0.5, all), farther: () => nearer(seen, 2, all), earlier: () => pan(seen, -0.5, all),
      later: () => pan(seen, 0.5, all), whole: () => null,
    }[name]()
    this.zoom = x && { x, y: fit(this.part("plot").data ?? [], x, this.part("plot").layout?.yaxis?.type === "log") }
    this.draw()
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
    const { data, runs, until, zoom } = this
    const family = getComputedStyle(this.root).fontFamily
    const { traces, layout, words } = figure({ data, runs, chosen, until, zoom, family })
    this.painting = true
    plotly.react(plot, traces, layout, { displayModeBar: false, doubleClick: false })
    this.painting = false
    plot.setAttribute("aria-label", words)
    this.offerZoom()
    if (this.hovered !== null && plot.querySelector(".plotly")) plotly.Fx.hover(plot, { xval: this.hovered }, "xy")
    if (this.drawn) return
    this.drawn = true
    plot.on("plotly_relayout", change => {
      const range = axis => change[`${axis}.range`] ?? [change[`${axis}.range[0]`], change[`${axis}.range[1]`]]
      const [x, y] = [range("xaxis"), range("yaxis")]
      const is = pair => pair.every(Number.isFinite)
      if (this.painting || !(is(x) || is(y))) return
      this.zoom = { ...this.zoom, ...(is(x) && { x: [...x] }), ...(is(y) && { y: [...y] }) }
      this.offerZoom()
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
}
