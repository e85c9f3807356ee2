// Learning curves as a figure: points are gathered into the frame that Python made (kdviz/figures/curves.py). Pure but for the
// kind of pointer, which says whether a figure can be zoomed.

export const filled = (text, fields) => text.replace(/\{(\w+)\}/g, (_, name) => fields[name])

// As kdviz.figures.numbers.percent writes what is no rounding.
function percent(share) {
  if (share === 0) return "0"
  if (share === 1) return "100%"
  if (share < 0.0005) return "<0.1%"
  if (share >= 0.9995) return ">99.9%"
  return (100 * share).toFixed(1) + "%"
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

// Everything Plotly needs, and the text alternative. data: what Python said; runs: their points, by id; chosen: what the reader
// chose; until: seconds of training; zoom: the ranges the reader has zoomed to; family: of the font.
export function figure({ data, runs, chosen, until, zoom, family }) {
  const { frame, teacher, words } = data
  const { metric, scale } = chosen
  const columns = Object.fromEntries(data.columns.map((name, column) => [name, column]))
  const logarithmic = scale !== "linear"
  const says = frame.metrics[metric]
  const at = { ...columns, until }
  const traces = []
  const said = []
  let [lowest, highest] = [Infinity, teacher?.accuracy ?? 0]
  const epochs = frame.layout.xaxis.range[1] / 1.01
  for (const one of frame.series) {
    const rows = runs.get(one.run)?.points ?? []
    const visible = !chosen.hidden.has(one.line.name)
    const terms = metric === "loss" ? ["loss_soft", "loss_hard"] : [scale === "errors" ? "errors" : metric]
    const accuracies = gather(rows, one.students, at, columns.accuracy)
    if (accuracies[0].length) {
      const [when, mean, low, high] = accuracies.map(each => each.at(-1))
      said.push(filled(words.sentence, {
        condition: one.line.name, accuracy: percent(mean), epochs: String(Number(when.toPrecision(6))),
        low: percent(low), high: percent(high),
      }))
    }
    for (const term of terms) {
      const [x, mean, low, high] = term === "accuracy" ? accuracies : gather(rows, one.students, at, columns[term])
      if (term.startsWith("loss") && high.every(value => value === 0) && x.length) continue  // a term without weight
      const name = (one.terms[term] ?? one.line).name
      const style = { ...one.line, ...one.terms[term] }
      const placed = values => values.map(
        value => (scale === "errors" ? Math.max(value, 0.5) : logarithmic && value <= 0 ? null : value),
      )
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
      ...frame.teacher, visible: !chosen.hidden.has(frame.teacher.name), x: [0, epochs],
      y: Array(2).fill(scale === "errors" ? Math.max(value, 0.5) : value),
      hovertemplate: `%{y:${number}}<extra>${frame.teacher.name}</extra>`,
    })
  }
  if (teacher) said.push(filled(words.teacher, { accuracy: percent(teacher.accuracy) }))
  const yaxis = {
    ...frame.layout.yaxis, type: logarithmic ? "log" : "linear", autorange: true,
    tickformat: scale === "errors" ? "~g" : says.tick,
    title: { text: scale === "errors" ? says.errors : says.title }, ...(logarithmic && { dtick: "D2" }),  // 1, 2, 5, 10, ...
  }
  if (!logarithmic && ["accuracy", "agreement"].includes(metric)) {
    // From a little under all evaluations but those of the first sixteenth, which are near chance.
    const floor = lowest === Infinity ? 0 : Math.max(0, lowest - 0.05 * (highest - lowest) - 0.002)
    Object.assign(yaxis, { autorange: false, range: [floor, 1 + 0.02 * (1 - floor)] })
  }
  const xaxis = { ...frame.layout.xaxis, range: [...frame.layout.xaxis.range] }
  if (zoom?.x) xaxis.range = [...zoom.x]
  if (zoom?.y) Object.assign(yaxis, { autorange: false, range: [...zoom.y] })
  const touched = matchMedia("(pointer: coarse)").matches  // where a finger on the figure scrolls the page
  const font = { ...frame.layout.font, family }
  const layout = { ...frame.layout, font, xaxis, yaxis, dragmode: touched ? false : frame.layout.dragmode }
  return { traces, layout, words: said.join(" ") || words.nothing }
}

const DASHES = { solid: "", dash: "9 5", dot: "3 4", longdash: "14 6" }
const SIGNS = {
  circle: "M20 1a5 5 0 1 0 .01 0z", diamond: "M20 0l6 6-6 6-6-6z", square: "M15 1h10v10h-10z",
  cross: "M18 1h4v3h3v4h-3v3h-4v-3h-3v-4h3z",
}

// How a series looks, for its switch.
export function sample({ line, marker, opacity }) {
  const sign = marker ? `<path d="${SIGNS[marker.symbol]}" fill="${marker.color}"/>` : ""
  const stroke = `<path d="M0 6H40" stroke="${line.color}" stroke-width="3" stroke-dasharray="${DASHES[line.dash]}"/>`
  return `<svg width="40" height="12" aria-hidden="true" opacity="${opacity ?? 1}">${stroke}${sign}</svg>`
}
