// What stands in panels of bars, and how long these are at a temperature. Those of the dial: ground truth, teacher and students
// beside each other, or the way from logits to shares, step by step. Knows no control.

import { build, perLine, set, write } from "./bars.js"
import { exponential, percent, power, signed, temperature } from "./numbers.js"
import { logSoftmax, meanSoftmax } from "./soft_targets.js"

const LOG_FLOOR = 1e-6 // where the logarithmic scale begins
const LINEAR = [[0.5, "50%"], [1, "100%"]]
const LOGARITHMIC = [[0, "10⁻⁶"], [0.5, "10⁻³"], [1, "1"]]
const PATTERNS = { "": "plain", "/": "slanted", x: "crossed", ".": "dotted" } // as kdviz/figures names them

// A panel of shares: logs, their logarithms at T; exact: 0 and 1 are meant; without `live`, the same at every temperature.
export function shares(id, kind, title, subtitle, logs, { live = false, exact = false } = {}) {
  return { id, kind, title, subtitle, logs, live, exact }
}

export function compared(data) {
  const { logits, strings: s } = data
  const logarithms = p => p.map(value => Math.log(value))
  const at = T => `T = ${T}`
  const panels = []
  if (data.labelled) {
    const label = logarithms(logits.map((_, index) => Number(index === data.label)))
    panels.push(shares("label", "ground_truth", s.ground_truth, () => s.hard_label, () => label, { exact: true }))
  }
  if (data.truth) {
    const truth = logarithms(data.truth)
    panels.push(shares("truth", "ground_truth", s.true_probability, () => s.of_this, () => truth, { exact: true }))
  }
  const one = logSoftmax(logits)
  panels.push(shares("at_one", "teacher", s.teacher, () => at(1), () => one))
  panels.push(shares("at_T", "teacher", s.teacher, at, ({ logQ }) => logQ, { live: true }))
  for (const { kind, label, logits: networks } of data.students?.panels ?? []) {
    panels.push(shares(kind, kind, label, at, ({ T }) => logarithms(meanSoftmax(networks, T)), { live: true }))
  }
  return panels
}

export function steps({ logits, strings: s }) {
  const step = (id, title, subtitle, more) => ({ id, kind: "teacher", title, subtitle, live: true, ...more })
  return [
    step("logits", s.logit, () => "z", { values: () => logits }),
    step("divided", s.divided, T => `z / ${T}`, { values: T => logits.map(z => z / T) }),
    step("exponentiated", s.exponentiated, T => `exp(z / ${T})`, { exponents: T => logits.map(z => z / T) }),
    shares("normalised", "teacher", s.normalised, T => `T = ${T}`, ({ logQ }) => logQ, { live: true }),
  ]
}

export class Panels {
  constructor(root) {
    this.root = root
  }

  // What is shown from now on: its texts, and as many panels in a line as have room. data: names, shown (the classes that have
  // bars), palette, strings; listed: the panels, as `shares` makes them; room: pixels of one, at the least.
  show(data, listed, log, width, room = 78) {
    const names = data.shown.map(index => data.names[index])
    const columns = perLine(listed.length, names, width, room)
    this.data = data
    this.log = log
    this.listed = listed
    const given = listed.map(panel => ({
      id: panel.id,
      kind: panel.kind,
      title: panel.title,
      pattern: PATTERNS[data.palette[panel.kind].pattern],
      ticks: panel.logs ? (log ? LOGARITHMIC : LINEAR) : [],
    }))
    const signature = JSON.stringify([given, names, data.shown, columns])
    if (this.built === signature) return false
    this.built = signature
    this.drawn = build(this.root, given, names, data.shown, columns, data.strings.shares)
    return true
  }

  // now: {T, logQ}; all: also what is the same at every temperature.
  draw(now, all) {
    const text = temperature(now.T)
    this.listed.forEach((panel, index) => {
      if (!panel.live && !all) return
      const { cells, subtitle } = this.drawn[index]
      write(subtitle, panel.subtitle(text))
      if (panel.values) this.drawValues(cells, panel.values(now.T), now.T)
      else if (panel.exponents) this.drawExponentials(cells, panel.exponents(now.T))
      else this.drawShares(cells, panel.logs(now), panel.exact)
    })
  }

  // Logits, before and after the division on one scale, to the left of zero where negative; their values to the right.
  drawValues(cells, values, T) {
    const { logits, shown } = this.data
    const ends = [0, ...logits, ...logits.map(z => z / T)]
    const low = Math.min(...ends)
    const along = value => (0.6 * (value - low)) / (Math.max(...ends) - low || 1)
    shown.forEach((index, row) => {
      const value = values[index]
      const decimals = Math.abs(value) < 1000 ? 2 : 0
      set(cells[row], along(Math.min(value, 0)), along(Math.max(value, 0)), signed(value, decimals), value, false)
    })
  }

  // The largest takes less than half of the panel; the numbers may be too large for a double: written from their logarithms.
  drawExponentials(cells, exponents) {
    const top = Math.max(...exponents)
    this.data.shown.forEach((index, row) => {
      const x = exponents[index]
      set(cells[row], 0, 0.4 * Math.exp(x - top), exponential(x), x, false)
    })
  }

  drawShares(cells, logs, exact) {
    this.data.shown.forEach((index, row) => {
      const share = Math.exp(logs[index])
      const along = this.log ? Math.max(0, 1 - logs[index] / Math.log(LOG_FLOOR)) : share
      const text = this.log ? power(share, logs[index], share >= 0.00995 ? 2 : 1, exact) : percent(share, exact)
      set(cells[row], 0, along, text, share)
    })
  }
}
