// What is said of an image at a temperature: the teacher's opinion in a sentence, each fact in one number, and every number there is.

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

// The main fact of a panel of shares, for who hears the page: the first, the second and the last class.
export function inWords({ title, subtitle, exact }, logs, T, { names, shown, strings }) {
  const values = shown.map(index => Math.exp(logs[index]))
  const order = ranking(values)
  const [first, second, third] = [order[0], order[1], order[Math.min(2, order.length - 1)]]
  const facts = { title, subtitle: subtitle(temperature(T)) }
  for (const [place, at] of Object.entries({ first, second, third })) {
    facts[place] = names[shown[at]]
    facts[`${place}_share`] = percent(values[at], exact)
  }
  return filled(exact && values[first] === 1 ? strings.alone : strings.shares_in_words, facts).join("")
}

// Every class and every number of it.
export function drawTable(root, data, { T, logQ }) {
  const { logits, names, strings: s } = data
  const one = logSoftmax(logits)
  const share = log => power(Math.exp(log), log, 4)
  const rows = logits.map((z, index) => (
    [signed(z, 3), signed(z / T, 3), exponential(z / T), share(one[index]), share(logQ[index])]
  ))
  fill(root, [s.class, s.logit, s.divided, s.exponentiated, s.share_one, s.share_T], names, rows)
}

// A table: the titles of its columns, the head of each row, and the texts of its cells. Built anew only for other titles and heads.
export function fill(root, titles, heads, rows) {
  const signature = JSON.stringify([titles, heads])
  if (root.dataset.of !== signature) {
    root.dataset.of = signature
    const head = create("tr", {}, ...titles.map(title => create("th", { scope: "col" }, title)))
    const empty = heads.map(text => create("tr", {}, create("th", { scope: "row" }, text), ...titles.slice(1).map(() => create("td"))))
    root.replaceChildren(create("table", {}, create("thead", {}, head), create("tbody", {}, ...empty)))
  }
  const lines = root.querySelector("tbody").rows
  rows.forEach((texts, index) => texts.forEach((text, column) => write(lines[index].cells[column + 1], text)))
}
