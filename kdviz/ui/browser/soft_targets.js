// The formulas of kdviz/soft_targets.py that a browser needs while the temperature turns: the only second copy of them.
// z: the logits of one image, any finite numbers; T: from 0.05 to 100; log-probabilities throughout, so that nothing overflows.

export function logSoftmax(z, T = 1) {
  const top = Math.max(...z)
  const shifted = z.map(value => (value - top) / T)
  const log = Math.log(shifted.reduce((sum, value) => sum + Math.exp(value), 0))
  return shifted.map(value => value - log)
}

export function softmax(z, T = 1) {
  return logSoftmax(z, T).map(value => Math.exp(value))
}

// H(p) in nats; 0 log 0 counts as its limit, 0.
export function entropy(p) {
  return p.reduce((sum, share) => (share > 0 ? sum - share * Math.log(share) : sum), 0)
}

// KL(p || q) in nats, from log-probabilities.
export function kl(logP, logQ) {
  return logP.reduce((sum, value, index) => {
    const p = Math.exp(value)
    return p > 0 ? sum + p * (value - logQ[index]) : sum
  }, 0)
}

// The mean soft targets of several networks: a list of logits.
export function meanSoftmax(networks, T = 1) {
  const each = networks.map(z => softmax(z, T))
  return each[0].map((_, index) => each.reduce((sum, q) => sum + q[index], 0) / each.length)
}

// The logarithm of the sum of exp(z/T), the formula's denominator: itself, it would overflow.
export function logSumExp(z, T = 1) {
  const top = Math.max(...z)
  return top / T + Math.log(z.reduce((sum, value) => sum + Math.exp((value - top) / T), 0))
}

// The indices of the classes, the largest logit first, equal ones in their usual order.
export function ranking(z) {
  return z.map((_, index) => index).sort((a, b) => z[b] - z[a])
}
