// Which sentence says what a teacher thinks of an image at T: the rules of kdviz/ui/opinion.py, whose sentences Python sends.

import { percent, ratio, temperature } from "./numbers.js"
import { ranking, softmax } from "./soft_targets.js"

// z: the logits; label: the true class; names: of the classes; rules: opinion.rules() of Python, in the reader's language.
// Returns the sentence in parts, every second one to be stressed.
export function sentence(z, label, T, names, rules) {
  const q = softmax(z, T)
  const atOne = softmax(z)
  const order = ranking(z)
  const [answer, second] = order
  const third = order[Math.min(2, order.length - 1)]
  const last = order.at(-1)
  const rest = q.reduce((sum, share, index) => (index === answer ? sum : sum + share), 0)
  const facts = {
    T: temperature(T),
    answer: names[answer],
    share: percent(q[answer]),
    label: names[label],
    second: names[second],
    third: names[third],
    last: names[last],
    second_share: percent(q[second]),
    third_share: percent(q[third]),
    last_share: percent(q[last]),
    label_share: percent(q[label]),
    second_at_one: percent(atOne[second]),
    rank: order.indexOf(label) + 1,
    classes: q.length,
    times: ratio(q[second] / Math.max(q[last], 1e-300)),
  }
  const { alike, nothing, over } = rules.limits
  let which = T === 1 ? "second_at_one" : "second"
  if (answer !== label) which = rest < nothing ? "wrong_alone" : facts.rank === 2 ? "wrong_second" : "wrong"
  else if (q[answer] < alike * q[last]) which = "all_alike"
  else if (rest < nothing) which = "alone"
  else if (facts.share === facts.second_share) which = "undecided"
  else if (q[second] >= over * q[last]) which = T === 1 ? "far_above_at_one" : "far_above"
  else if (q[second] < alike * q[last]) which = "others_alike"
  else if (q.length > 3 && facts.second_share === facts.third_share) which = "two_second"
  return filled(rules.sentences[which], facts)
}

// The parts of a sentence of Python's, its named fields filled in: those between ** are every second one.
export function filled(template, facts) {
  return template.split("**").map(part => part.replace(/\{(\w+)\}/g, (_, name) => facts[name]))
}
