"""A gallery of thumbnails of which one is chosen: a radio group for the eye, the keyboard and the screen reader.

Arrow keys move the choice, Home and End go to its ends; a click or a tap chooses. It is drawn in the browser (a component of
Streamlit's second kind), in the page's theme, and wraps to whatever width there is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import streamlit as st

_HTML = """
<div class="gallery" role="radiogroup"></div>
"""

_CSS = """
.gallery { display: flex; flex-wrap: wrap; gap: 2px; padding: 2px; }
button {
  all: unset; box-sizing: border-box; cursor: pointer; text-align: center; padding: 3px; border-radius: 8px;
  border: 3px solid transparent; color: var(--st-text-color); font-family: var(--st-font); font-size: 0.9rem; line-height: 1.3;
}
button:hover { border-color: var(--st-border-color); }
button[aria-checked="true"] { border-color: var(--st-primary-color); font-weight: 700; }
button:focus-visible { outline: 3px solid var(--st-text-color); outline-offset: 1px; }
img { display: block; width: 56px; height: 56px; object-fit: contain; image-rendering: pixelated; border-radius: 3px; }
span { display: block; min-height: 1.2em; }
"""

_JS = """
const built = new WeakMap()

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".gallery")
  if (!root) return
  root.setAttribute("aria-label", data.label)

  const buttons = () => [...root.children]
  const show = id => {
    const all = buttons()
    const at = all.findIndex(button => Number(button.dataset.id) === id)
    all.forEach((button, index) => {
      button.setAttribute("aria-checked", String(index === at))
      button.tabIndex = index === Math.max(at, 0) ? 0 : -1  // one stop for the Tab key: the choice, or else the first
    })
  }
  const pick = button => {
    show(Number(button.dataset.id))
    button.focus()
    setTriggerValue("picked", Number(button.dataset.id))
  }

  const signature = JSON.stringify(data.items)
  if (built.get(parentElement) !== signature) {  // else the same pictures: leave them and the focus alone
    built.set(parentElement, signature)
    root.replaceChildren(...data.items.map(item => {
      const button = document.createElement("button")
      button.type = "button"
      button.dataset.id = item.id
      button.setAttribute("role", "radio")
      button.setAttribute("aria-label", item.description)
      button.title = item.description
      const picture = document.createElement("img")
      picture.src = item.picture
      picture.alt = ""
      const caption = document.createElement("span")
      caption.textContent = item.caption
      caption.ariaHidden = "true"
      button.append(picture, caption)
      return button
    }))
  }
  show(data.chosen)

  root.onclick = event => {
    const button = event.target.closest("button")
    if (button) pick(button)
  }
  root.onkeydown = event => {
    const all = buttons()
    const at = all.indexOf(event.target.closest("button"))
    const to = {
      ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: all.length - 1,
    }[event.key]
    if (to === undefined || at < 0) return
    event.preventDefault()
    pick(all[(to + all.length) % all.length])
  }
}
"""

_mount = st.components.v2.component("kdviz_gallery", html=_HTML, css=_CSS, js=_JS)


@dataclass(frozen=True)
class Thumbnail:
    """One picture to choose. picture: a data URI; caption: what stands under it; description: what a screen reader says."""

    id: int
    picture: str
    caption: str
    description: str


def gallery(label: str, thumbnails: Sequence[Thumbnail], chosen: int | None, key: str, on_pick: Callable[[int], None]) -> None:
    """Show thumbnails and call `on_pick` with the id of one that is chosen, before the page runs again."""

    def picked() -> None:
        number = st.session_state[key].picked
        if isinstance(number, int) and any(number == thumbnail.id for thumbnail in thumbnails):
            on_pick(number)

    _mount(
        key=key,
        # A tuple: to see whether a list is a table, Streamlit imports pandas (kdviz.ui.served).
        data={"label": label, "chosen": chosen, "items": tuple(asdict(thumbnail) for thumbnail in thumbnails)},
        on_picked_change=picked,
    )
