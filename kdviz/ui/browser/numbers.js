// Numbers as a person reads them. Those that kdviz/figures/numbers.py writes too are the same to the last digit. A share that is
// not 0 is never written as 0, nor one below 1 as 1, and none is written as NaN or Infinity.

const SUPERSCRIPT = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" }

// As Python's format: what lies exactly between two numbers goes to the even one, where toFixed takes the larger.
function fixed(value, decimals) {
  const size = Math.abs(value)
  const text = size.toFixed(decimals)
  const between = size < 1e15 && /^50*$/.test(size.toFixed(decimals + 40).slice(decimals ? text.length : text.length + 1))
  const rounded = between && Number(text.at(-1)) % 2 ? (Number(text) - 10 ** -decimals).toFixed(decimals) : text
  return value < 0 ? `-${rounded}` : rounded
}

export function percent(share, exact = false) {
  if (exact && (share === 0 || share === 1)) return share ? "100%" : "0"
  if (share < 0.0005) return "<0.1%"
  if (share >= 0.9995) return ">99.9%"
  return `${fixed(100 * share, 1)}%`
}

// A share with so many digits, below 0.01 as a power of ten: `0.67`, `4.2×10⁻⁴`. log: its natural logarithm, from which one is
// written that is too small for a double.
export function power(share, log, digits = 2, exact = false) {
  if (exact && (share === 0 || share === 1)) return String(share)
  if (share > 1 - 0.5 * 10 ** -digits) return `>0.${"9".repeat(digits)}`
  return share >= 0.00995 ? share.toPrecision(digits) : scientific(log, digits)
}

// e to the power of x with three digits, as a power of ten where that is shorter; x may be far beyond a double's 709.
export function exponential(x) {
  if (x < Math.log(0.01) || x > Math.log(99949)) return scientific(x, 3)
  const value = Math.exp(x)
  return value < 999.5 ? value.toPrecision(3) : value.toFixed(0)
}

function scientific(log, digits) {
  let exponent = Math.floor(log / Math.LN10)
  let mantissa = (10 ** (log / Math.LN10 - exponent)).toFixed(digits - 1)
  if (mantissa.startsWith("10")) {
    exponent += 1
    mantissa = (1).toFixed(digits - 1)
  }
  return `${mantissa}×10${String(exponent).replace(/./g, sign => SUPERSCRIPT[sign])}`
}

export function signed(value, decimals) {
  return fixed(value, decimals).replace("-", "−")
}

export function temperature(value) {
  return String(Number(value.toPrecision(4)))
}

export function ratio(value) {
  if (value < 10) return fixed(value, 1)
  const unit = 10 ** (Math.floor(Math.log10(value)) - 1)
  return (Number(fixed(value / unit, 0)) * unit).toFixed(0).replace(/\B(?=(\d{3})+$)/g, ",")
}

export function nats(value) {
  return value > 0 && value < 0.005 ? "<0.01" : fixed(Math.max(value, 0), 2)
}
