// Where a zoom along the epochs leads, and the height that fits it. Pure: ranges are [low, high]; `all` is the whole range.

// A range so many times as wide, about its middle, within all of it; null for the whole.
export function nearer([low, high], times, all) {
  const width = (high - low) * times
  if (width >= (all[1] - all[0]) * 0.999) return null
  return within([(low + high - width) / 2, (low + high + width) / 2], all)
}

// A range moved by a share of its width.
export function pan([low, high], share, all) {
  const by = (high - low) * share
  return within([low + by, high + by], all)
}

function within([low, high], all) {
  const by = Math.max(all[0] - low, 0) + Math.min(all[1] - high, 0)
  return [low + by, high + by]
}

// The heights of what is drawn between two epochs, with room above and below, as Plotly has them: logarithms on such an axis.
// undefined where nothing is drawn there.
export function fit(traces, [first, last], logarithmic) {
  const heights = traces.filter(trace => trace.visible !== false).flatMap(({ x, y }) => (
    x.flatMap((epoch, at) => (epoch >= first && epoch <= last && y[at] !== null && Number.isFinite(y[at]) ? [y[at]] : []))
  )).map(value => (logarithmic ? Math.log10(value) : value))
  if (!heights.length) return undefined
  const [low, high] = [Math.min(...heights), Math.max(...heights)]
  const room = 0.08 * (high - low) || 0.05 * Math.abs(high) || 0.05
  return [low - room, high + room]
}
