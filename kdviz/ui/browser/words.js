// What the dial says of an image at a temperature: its opinion in a sentence, each fact in one number, and every number there is.

import { create, write } from "./bars.js"
import { exponential, nats, percent, power, signed, temperature } from "./numbers.js"
import { filled, sentence } from "./opinion.js"
import { entropy, kl, logSoftmax, ranking } from "./soft_targets.js"

export function drawSentence(root, data, T) {
  const parts = sentence(data.logits, data.label, T, data.names, data.rules)
  while (root.childNodes.length > parts.length) root.lastChild.remove()
  while (root.childNodes.length < parts.length) {
    root.append(root.childNodes.length % 2 ? create("strong") : document.createTextNode(""))
  }
  parts.forEach((part, index) => write(root.childNodes[index], part))
}

// now: {T, logQ}, of the shares at T.
export function drawFacts(root, data, now) {
  const { strings: s, truth, names } = data
  const one = logSoftmax(data.logits)
  const spread = log => entropy(log.map(value => Math.exp(value)))
  const facts = [
    ["entropy", spread(now.logQ), `${nats(spread(one))} → ${nats(spread(now.logQ))}`],
    ["kl_one", kl(now.logQ, one)],
    ["kl_uniform", kl(now.logQ, names.map(() => -Math.log(names.length)))],
  ]
  if (truth) facts.push(["kl_truth", kl(truth.map(value => Math.log(value)), now.logQ)])
  const signature = JSON.stringify(facts.map(([id]) => s[id]))
  if (root.dataset.of !== signature) {
    root.dataset.of = signature
    root.replaceChildren(...facts.map(([id]) => {
      const help = s[`${id}_help`]
      return create("div", { title: help }, create("dt", {}, s[id]), create("dd", { "data-fact": id }))
    }))
  }
  facts.forEach(([, value, text], index) => {
    const cell = root.children[index].lastChild
    cell.dataset.value = Math.max(value, 0)
    write(cell, s.in_nats.replace("{value}", text ?? nats(value)))
  })
}

// One class in one sentence, for who hears the page.
export function mainFact(data, T, index) {
  const facts = {
    name: data.names[index],
    share: percent(Math.exp(logSoftmax(data.logits, T)[index])),
    T: temperature(T),
    rank: ranking(data.logits).indexOf(index) + 1,
    classes: data.names.length,
  }
  return filled(data.strings.main_fact, facts).join("")
}

// Every class and every number of it.
export function drawTable(root, data, { T, logQ }) {
  const { logits, names, strings: s } = data
  const one = logSoftmax(logits)
  const titles = [s.class, s.logit, s.divided, s.exponentiated, s.share_one, s.share_T]
  const signature = JSON.stringify([titles, names])
  if (root.dataset.of !== signature) {
    root.dataset.of = signature
    const head = create("tr", {}, ...titles.map(title => create("th", { scope: "col" }, title)))
    const rows = names.map(name => create("tr", {}, create("th", { scope: "row" }, name), ...titles.slice(1).map(() => create("td"))))
    root.replaceChildren(create("table", {}, create("thead", {}, head), create("tbody", {}, ...rows)))
  }
  const { rows } = root.querySelector("tbody")
  const share = log => power(Math.exp(log), log, 4)
  logits.forEach((z, index) => {
    const texts = [signed(z, 3), signed(z / T, 3), exponential(z / T), share(one[index]), share(logQ[index])]
    texts.forEach((text, column) => write(rows[index].cells[column + 1], text))
  })
}
