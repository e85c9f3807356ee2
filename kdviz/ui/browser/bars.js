// Panels of bars side by side, the classes in the same rows of all of them. What is built stays: turning the temperature changes
// lengths and texts in place. Knows no temperature and no formula.

const ON_BAR_FROM = 0.58 // of a panel's width: on a phone a panel is 75 to 100 pixels wide, and a written share takes 50
const MOST = 5 // panels in a line
const LONGEST_NAME = 18

export function create(tag, attributes = {}, ...children) {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value)
  element.append(...children)
  return element
}

// Sets a text without building anything: only where it is another one.
export function write(node, text) {
  if (node.textContent !== text) node.textContent = text
}

// The colours of Python's palette, for the theme that the root's background shows.
export function colour(root, { palette, on_bar }) {
  const [red, green, blue] = (getComputedStyle(root).backgroundColor.match(/[\d.]+/g) ?? [255, 255, 255]).map(Number)
  const theme = 0.3 * red + 0.6 * green + 0.1 * blue < 128 ? "dark" : "light"
  for (const [kind, mark] of Object.entries(palette)) root.style.setProperty(`--${kind}`, mark[theme])
  root.style.setProperty("--on-bar", on_bar[theme])
}

export function short(name) {
  return name.length > LONGEST_NAME ? `${name.slice(0, LONGEST_NAME - 1)}…` : name
}

// How many panels go into each line: as many as have room, the lines alike. room: pixels of a panel, at the least.
export function perLine(panels, names, width, room) {
  const letters = Math.max(...names.map(name => [...short(name)].reduce((sum, c) => sum + (c > "⺀" ? 2 : 1), 0)))
  const fit = Math.min(MOST, Math.max(1, Math.floor((width - letters * 8.5) / room)))
  return Math.ceil(panels / Math.ceil(panels / fit))
}

// panels: [{id, pattern, colour, title, subtitle, ticks}]; names: of the rows, classes: their class indices.
// Returns for every panel the node of its subtitle and its cells; `set` changes a cell.
export function build(root, panels, names, classes, columns, label) {
  const built = panels.map(() => ({ cells: [] }))
  const lines = []
  for (let start = 0; start < panels.length; start += columns) {
    const some = panels.slice(start, start + columns)
    const line = create("div", { class: "line", role: "table", "aria-label": label, style: `--panels: ${some.length}` })
    const head = create("div", { class: "head", role: "row" }, create("span", { role: "cell" }))
    const foot = create("div", { class: "foot", "aria-hidden": "true" }, create("span"))
    some.forEach((panel, index) => {
      const subtitle = create("b", {}, panel.subtitle)
      built[start + index].subtitle = subtitle
      head.append(create("span", { role: "columnheader" }, `${panel.title} `, subtitle))
      const ticks = panel.ticks.map(([at, text]) => create("span", { style: `left: ${100 * at}%` }, text))
      foot.append(create("span", { class: "ticks" }, ...ticks))
    })
    line.append(head)
    names.forEach((name, row) => {
      const made = create("div", { class: "row", role: "row", "data-class": classes[row] })
      const title = create("span", { class: "name", role: "rowheader" }, short(name))
      if (short(name) !== name) title.title = name
      made.append(title)
      some.forEach((panel, index) => {
        const bar = create("div", { class: `bar ${panel.pattern}`, style: `--colour: var(--${panel.kind})` })
        const text = create("span", {})
        const at = create("div", { class: "at", style: `--colour: var(--${panel.kind})` }, text)
        made.append(create("div", { class: "cell", role: "cell", "data-panel": panel.id }, bar, at))
        built[start + index].cells.push({ bar, at, text })
      })
      line.append(made)
    })
    line.append(foot)
    lines.push(line)
  }
  root.replaceChildren(...lines)
  return built
}

// from, to: where the bar begins and ends, 0..1 of the panel; value: the number itself, for whoever reads the page by program.
export function set(cell, from, to, text, value, mayBeInside = true) {
  const inside = mayBeInside && to >= ON_BAR_FROM
  cell.bar.style.left = `${(100 * from).toFixed(3)}%`
  cell.bar.style.right = `${(100 * (1 - to)).toFixed(3)}%`
  cell.bar.dataset.value = value
  cell.at.style.transform = `translateX(${(100 * to).toFixed(3)}%)`
  if (cell.inside !== inside) cell.at.classList.toggle("inside", inside)
  cell.inside = inside
  write(cell.text, text)
}
