// An ensemble on one image: three ways of joining its networks' answers, and each network's own, at the temperature that the dial
// is at. What it says comes from kdviz/ui/components/ensemble_view.py.

import { colour, create, write } from "./bars.js"
import { percent } from "./numbers.js"
import { Panels, shares } from "./panels.js"
import { geometricSoftmax, meanSoftmax, ranking, softmax, temperedSoftmax } from "./soft_targets.js"
import { Following, following, temperatureNow } from "./turning.js"
import { fill, inWords } from "./words.js"

export default following(".ensemble", root => new Ensemble(root))

class Ensemble extends Following {
  constructor(root) {
    super(root)
    this.said = create("p", { class: "live" })
    this.panels = new Panels(create("div", { class: "panels" }))
    this.table = create("div", { class: "scroll", tabindex: 0 })
    root.replaceChildren(this.said, this.panels.root, this.table)
  }

  update(data) {
    this.data = data
    colour(this.root, data)
    this.table.setAttribute("aria-label", data.strings.members)
    this.order = data.members.map(ranking)
    const { members, strings: s } = data
    const way = (id, join) => shares(
      id, "teacher", s[id], T => s.at.replace("{T}", T), ({ T }) => join(members, T).map(value => Math.log(value)), { live: true },
    )
    this.listed = [way("geometric", geometricSoftmax), way("arithmetic", meanSoftmax), way("tempered", temperedSoftmax)]
    this.show()
  }

  show() {
    this.width = this.root.clientWidth
    this.panels.show(this.data, this.listed, false, this.width)
    this.draw(temperatureNow(this.data.T), true)
  }

  draw(T, all = false) {
    const { members, names, strings: s } = this.data
    this.root.dataset.temperature = T
    this.panels.draw({ T }, all)
    write(this.said, this.listed.map(panel => inWords(panel, panel.logs({ T }), T, this.data)).join(" "))
    const rows = members.map((z, number) => {
      const [first, second] = this.order[number]
      const q = softmax(z, T)
      return [names[first], percent(softmax(z)[first]), percent(q[first]), names[second], percent(q[second])]
    })
    fill(this.table, [s.member, s.answer, s.at_one, s.at_T, s.next, s.next_at_T], members.map((_, number) => String(number + 1)), rows)
  }
}
