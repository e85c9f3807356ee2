// The softmax of one class with this image's numbers, every term a button: it lights its bar, and makes its class the one that
// is worked out. Built once for a class; `formula` returns what writes the numbers of a temperature into it.

import { create, short, write } from "./bars.js"
import { exponential, power, signed, temperature } from "./numbers.js"
import { logSumExp } from "./soft_targets.js"

export function formula(root, data, explained, choose) {
  const { names, logits, shown, strings } = data
  const exponents = [] // [node, class]
  const raised = index => {
    const up = create("sup")
    exponents.push([up, index])
    return [create("i", {}, "e"), up]
  }
  const term = index => {
    const button = create("button", { type: "button", class: "term", "data-class": index }, ...raised(index))
    button.setAttribute("aria-label", strings.term.replace("{name}", names[index]))
    button.setAttribute("aria-pressed", String(index === explained))
    button.tabIndex = index === explained ? 0 : -1 // one stop for the Tab key; arrows go on from there
    return button
  }
  const terms = shown.map(term)
  const sum = terms.flatMap((button, index) => (index ? [create("span", { class: "plus" }, "+"), button] : [button]))
  if (shown.length < names.length) sum.push(create("span", { class: "plus" }, "+ …"))
  const over = create("span", { "data-class": explained, class: "numerator" }, ...raised(explained))
  const worked = [create("span", { "data-class": explained, class: "numerator" }), create("span", { class: "denominator" })]
  const share = create("output", { "data-class": explained })
  const fraction = (above, ...below) => create("span", { class: "fraction" }, above, create("span", { class: "denominator" }, ...below))
  const q = create("span", { class: "q", "data-class": explained }, create("i", {}, "q"), create("sub", {}, short(names[explained])))
  const focused = root.getRootNode().activeElement
  const hadFocus = focused && root.contains(focused)
  root.replaceChildren(
    q, "=", fraction(over, ...sum), create("span", { class: "worked" }, "=", fraction(worked[0], worked[1]), "=", share),
  )
  root.setAttribute("role", "group")
  root.setAttribute("aria-label", strings.formula)
  const chosen = terms[shown.indexOf(explained)]
  if (hadFocus) chosen?.focus()
  root.onclick = event => {
    const button = event.target.closest("button")
    if (button) choose(button.dataset.class)
  }
  root.onkeydown = event => {
    const at = terms.indexOf(event.target)
    const to = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: terms.length - 1 }[event.key]
    if (to === undefined || at < 0) return
    event.preventDefault()
    choose(terms[(to + terms.length) % terms.length].dataset.class)
  }
  return (T, logQ) => {
    for (const [node, index] of exponents) write(node, `${signed(logits[index], 2)}/${temperature(T)}`)
    write(worked[0], exponential(logits[explained] / T))
    write(worked[1], exponential(logSumExp(logits, T)))
    write(share, power(Math.exp(logQ[explained]), logQ[explained], 3))
  }
}
