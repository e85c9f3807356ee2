// A button that copies the page's link. It also tells the browser which language the page is in.
//
// data.link: what the link says when nothing is left out; data.seen: what the address said when that was written;
// data.set: what this link has besides, null for what it must not have; data.wide: whether a phone has room for its words;
// data.lang: for screen readers; data.words: what it says.

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".copy")
  if (!root) return
  document.documentElement.lang = data.lang
  const [button, words, said, field] = ["button", ".words", ".said", "input"].map(part => root.querySelector(part))
  words.textContent = data.words.label
  button.setAttribute("aria-label", data.words.label)
  button.title = data.words.help
  field.setAttribute("aria-label", data.words.field)
  root.classList.toggle("wide", data.wide)

  let timer = 0
  const say = (text, milliseconds) => {
    said.textContent = text
    clearTimeout(timer)
    timer = setTimeout(() => { said.textContent = "" }, milliseconds)
  }
  button.onclick = async () => {
    const link = address(data)
    field.hidden = true
    if (await copied(link)) {
      say(data.words.copied, 2500)
      return
    }
    field.hidden = false  // the browser lets no script copy: the reader does it
    field.value = link
    field.focus()
    field.select()
    say(data.words.yourself, 20000)
  }
  field.onblur = () => {
    field.hidden = true
    said.textContent = ""
  }
  return () => clearTimeout(timer)
}

// The link of what is seen now: the address may have changed since the page was computed, and is right where it has.
function address(data) {
  const now = new URLSearchParams(location.search)
  const query = new URLSearchParams(data.link)
  for (const name of new Set([...now.keys(), ...Object.keys(data.seen)])) {
    const value = now.get(name)
    if (value === (data.seen[name] ?? null)) continue
    if (value === null) query.delete(name)
    else query.set(name, value)
  }
  for (const [name, value] of Object.entries(data.set)) {
    if (value === null) query.delete(name)
    else query.set(name, value)
  }
  const text = query.toString().replaceAll("%2C", ",")  // lists stay readable
  return location.origin + location.pathname + (text ? `?${text}` : "")
}

// Only https and this machine itself have navigator.clipboard; a page that a class opens over the room's network has not.
async function copied(text) {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    const area = document.createElement("textarea")
    const before = deepest()
    area.value = text
    area.readOnly = true
    area.ariaHidden = "true"
    area.style.cssText = "position: fixed; top: 0; left: 0; opacity: 0"
    document.body.append(area)
    area.select()
    let done = false
    try {
      done = document.execCommand("copy")
    } catch {
      done = false
    }
    area.remove()
    before?.focus()
    return done
  }
}

function deepest() {
  let at = document.activeElement
  while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement
  return at
}
