"""A pad to draw a digit on with a mouse, a finger or a pen; it hands the page a picture. Knows no network and no dataset.

It is drawn in the browser (a component of Streamlit's second kind) as one path, so that its ink has the theme's colour and is
sharp at any size. The picture is computed from the strokes, not read back from a canvas: it is the same in every theme and on
every screen, and browsers that guard against fingerprinting alter what a canvas gives back.
"""

from __future__ import annotations

import base64
import math

import numpy as np
import streamlit as st

from kdviz.i18n import _

SIDE = 112
"""Pixels of the picture's side: four for each pixel of MNIST."""

_BRUSH = 10
"""Pixels across a stroke. The median stroke of MNIST is 2.5 pixels wide in a digit of 20, as this one is in a digit of 80."""

_WIDTH = 280
"""The pad's width on the page in CSS pixels, where there is room for it."""

_HTML = """
<div class="pad">
  <div class="paper">
    <svg role="img"><path></path></svg>
    <p></p>
  </div>
  <div class="buttons"><button type="button" class="undo"></button><button type="button" class="clear"></button></div>
</div>
"""

_CSS = """
.pad { color: var(--st-text-color); font-family: var(--st-font); }
.paper {
  position: relative; box-sizing: border-box; aspect-ratio: 1; overflow: hidden; background: var(--st-background-color);
  border: 2px solid color-mix(in srgb, currentColor 60%, transparent); border-radius: var(--st-base-radius);
  -webkit-user-select: none; user-select: none;
}
svg { display: block; width: 100%; height: 100%; touch-action: none; cursor: crosshair; -webkit-touch-callout: none; }
path { fill: none; stroke: currentColor; stroke-linecap: round; stroke-linejoin: round; pointer-events: none; }
p {
  position: absolute; inset: 0; display: grid; place-items: center; margin: 0; padding: 1rem; text-align: center;
  pointer-events: none;
}
p[hidden] { display: none; }
.buttons { display: flex; gap: 8px; margin-top: 8px; }
button {
  all: unset; box-sizing: border-box; flex: 1; min-height: 44px; padding: 4px 12px; text-align: center; cursor: pointer;
  border: 1px solid color-mix(in srgb, currentColor 60%, transparent); border-radius: var(--st-button-radius);
}
button:hover { background: var(--st-secondary-background-color); }
button:focus-visible { outline: 3px solid currentColor; outline-offset: 1px; }
button[aria-disabled="true"] { opacity: 0.6; cursor: default; }
"""

_JS = """
const pads = new Map()  // what is drawn, by the pad's key in Python: it outlives the element, which Streamlit may build anew

export default function ({ data, parentElement, setStateValue }) {
  const { side, brush } = data
  const svg = parentElement.querySelector("svg")
  const hint = parentElement.querySelector("p")
  const undo = parentElement.querySelector(".undo")
  const clear = parentElement.querySelector(".clear")
  if (!svg) return

  const pad = pads.get(data.key) ?? { strokes: [], pointer: null }  // strokes: lists of [x, y] in pixels of the picture
  pads.set(data.key, pad)

  const show = () => {
    // A line back to the first point of a stroke of one point makes it a dot.
    const lines = pad.strokes.map(([first, ...rest]) => "M" + first + "L" + (rest.length ? rest : [first]).join(" "))
    svg.firstElementChild.setAttribute("d", lines.join(""))
    hint.hidden = pad.strokes.length > 0
    // A button that is disabled for good would lose the focus.
    for (const button of [undo, clear]) button.setAttribute("aria-disabled", String(!pad.strokes.length))
  }
  const report = () => setStateValue("drawing", pad.strokes.length ? encoded(picture(pad.strokes, side, brush / 2)) : "")

  if (svg.dataset.key !== data.key) {  // a new element, or another pad's: Python knows whether there is a drawing
    svg.dataset.key = data.key
    pad.pointer = null
    if (!data.drawn) pad.strokes = []
    else if (!pad.strokes.length) report()
  }
  svg.setAttribute("viewBox", `0 0 ${side} ${side}`)
  svg.setAttribute("aria-label", data.label)
  svg.firstElementChild.setAttribute("stroke-width", brush)
  hint.textContent = data.hint
  undo.textContent = data.undo
  clear.textContent = data.clear
  show()

  const extend = event => {
    const box = svg.getBoundingClientRect()
    const tenth = (at, start, length) => Math.round(10 * side * (at - start) / length) / 10
    const stroke = pad.strokes.at(-1)
    const moves = event.getCoalescedEvents?.() ?? []
    for (const move of moves.length ? moves : [event]) {
      const x = tenth(move.clientX, box.left, box.width)
      const y = tenth(move.clientY, box.top, box.height)
      const last = stroke.at(-1)
      if (!last || Math.hypot(x - last[0], y - last[1]) >= 0.5) stroke.push([x, y])
    }
    show()
  }
  svg.onpointerdown = event => {
    if (event.button !== 0 || pad.pointer !== null) return  // a second finger, or a hand that lies on the pad, draws nothing
    svg.setPointerCapture(event.pointerId)
    pad.pointer = event.pointerId
    pad.strokes.push([])
    extend(event)
  }
  svg.onpointermove = event => {
    if (event.pointerId === pad.pointer) extend(event)
  }
  svg.onpointercancel = event => {  // the system took it for something else, the edge of a hand or a gesture
    if (event.pointerId !== pad.pointer) return
    pad.pointer = null
    pad.strokes.pop()
    show()
  }
  svg.onlostpointercapture = event => {  // also where the pointer was lifted outside of the pad
    if (event.pointerId !== pad.pointer) return
    pad.pointer = null
    report()
  }
  const keep = strokes => {
    if (!pad.strokes.length || pad.pointer !== null) return
    pad.strokes = strokes
    show()
    report()
  }
  undo.onclick = () => keep(pad.strokes.slice(0, -1))
  clear.onclick = () => keep([])
}

// The share of each pixel that is inked: by its centre's distance to the nearest line.
function picture(strokes, side, radius) {
  const pixels = new Uint8Array(side * side)
  const clamp = (value, low, high) => Math.min(Math.max(value, low), high)
  const reach = radius + 1
  for (const stroke of strokes) {
    stroke.forEach(([bx, by], index) => {
      const [ax, ay] = stroke[Math.max(index - 1, 0)]
      const dx = bx - ax
      const dy = by - ay
      const square = dx ** 2 + dy ** 2
      const [left, right] = [Math.min(ax, bx) - reach, Math.max(ax, bx) + reach].map(x => clamp(Math.round(x), 0, side))
      const [top, bottom] = [Math.min(ay, by) - reach, Math.max(ay, by) + reach].map(y => clamp(Math.round(y), 0, side))
      for (let row = top; row < bottom; row++) {
        for (let column = left; column < right; column++) {
          const x = column + 0.5 - ax
          const y = row + 0.5 - ay
          const along = square ? clamp((x * dx + y * dy) / square, 0, 1) : 0
          const distance = Math.sqrt((x - along * dx) ** 2 + (y - along * dy) ** 2)
          const ink = Math.round(255 * clamp(radius + 0.5 - distance, 0, 1))
          pixels[row * side + column] = Math.max(pixels[row * side + column], ink)
        }
      }
    })
  }
  return pixels
}

function encoded(pixels) {
  return btoa(String.fromCharCode(...pixels))
}
"""

_mount = st.components.v2.component("kdviz_drawing_pad", html=_HTML, css=_CSS, js=_JS)


def drawing_pad(key: str) -> np.ndarray | None:
    """Show a pad and return what is drawn on it, or None while nothing is.

    key: another key is another pad, and empty. Returns (SIDE, SIDE) uint8, ink 255 on 0, after each stroke, Undo and Clear.
    """
    before = st.session_state.get(key, {}).get("drawing")
    shown = _mount(
        key=key,
        data={
            "key": key,
            "drawn": picture(before) is not None,
            "side": SIDE,
            "brush": _BRUSH,
            "label": _("Drawing pad: draw a digit with a mouse, a finger or a pen."),
            "hint": _("Draw a digit here"),
            "undo": _("Undo"),
            "clear": _("Clear"),
        },
        width=_WIDTH,
        on_drawing_change=lambda: None,
    )
    return picture(shown.drawing)


def picture(sent: object) -> np.ndarray | None:
    """Return the picture that a browser sent, base64 of its bytes row by row, or None where it is empty or anything else.

    Returns (SIDE, SIDE) uint8. A browser can send anything: it raises nothing, and decodes nothing of another length.
    """
    if not isinstance(sent, str) or len(sent) != 4 * math.ceil(SIDE**2 / 3):
        return None
    try:
        content = base64.b64decode(sent, validate=True)
    except ValueError:
        return None
    if len(content) != SIDE**2:
        return None
    pixels = np.frombuffer(content, dtype=np.uint8).reshape(SIDE, SIDE).copy()
    return pixels if pixels.any() else None
