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

function mean(rows) {
  return rows[0].map((_, index) => rows.reduce((sum, row) => sum + row[index], 0) / rows.length)
}

// The mean soft targets of several networks, a list of logits: ensemble_arithmetic.
export function meanSoftmax(networks, T = 1) {
  return mean(networks.map(z => softmax(z, T)))
}

// Their geometric mean, the softmax of the mean logits: ensemble_geometric.
export function geometricSoftmax(networks, T = 1) {
  return softmax(mean(networks), T)
}

// T applied to the logarithm of the mean shares at T = 1: ensemble_tempered.
export function temperedSoftmax(networks, T = 1) {
  const logs = networks.map(z => logSoftmax(z))
  const tops = logs[0].map((_, index) => Math.max(...logs.map(row => row[index])))
  const means = mean(logs.map(row => row.map((value, index) => Math.exp(value - tops[index]))))
  return softmax(means.map((value, index) => Math.log(value) + tops[index]), T)
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
