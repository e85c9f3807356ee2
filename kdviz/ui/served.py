"""What the server serves beside the pages: the scripts that components run in the browser, and Plotly's own library.

A component's JavaScript travels in every message of its page, so it is a short stub that imports the real one from here, once:
an address holds the hash of what it serves, so a browser keeps it for good and asks for another one after a change. Scripts lie
in `kdviz/ui/browser/` as plain modules, without a build step; they share one hash, that of the whole folder, so that one may
import another that lies beside it, `from "./numbers.js"`. Knows no page.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

SCRIPTS = Path(__file__).parent / "browser"
PLOTLY = "plotly.min.js"
UNDER = "kdviz/browser"
A_YEAR = "public, max-age=31536000, immutable"


def routes() -> list[BaseRoute]:
    """Return the routes that app.py adds to Streamlit's own."""
    from starlette.routing import Route

    return [Route(f"{base()}/{UNDER}/{{digest}}/{{name}}", _script)]


def base() -> str:
    """Return what stands before every path of this server: nothing, or `/` and Streamlit's server.baseUrlPath."""
    path = str(st.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{path}" if path else ""


def address(name: str) -> str:
    """Return the path at which a script of `kdviz/ui/browser`, or PLOTLY, is served."""
    return f"{base()}/{UNDER}/{_digest(name)}/{name}"


def component(name: str, script: str, html: str, css: str, isolate_styles: bool = True) -> Any:
    """Declare a component (of Streamlit's second kind) whose JavaScript is a script of `kdviz/ui/browser`.

    name: among all components; script: a module whose default export is the component's renderer. Returns Streamlit's mount
    function, of which a wrapper for the page is made. The stub keeps a page's calls in order, and calls what the renderer
    returned (its clean-up) when the component goes. isolate_styles: False where a library in it styles the page.
    """
    stub = _STUB % json.dumps([address(name) for name in (script, *_imported(script))])
    mounted = st.components.v2.component(f"kdviz_{name}", html=html, css=css, js=stub, isolate_styles=isolate_styles)

    # Every list and dictionary in a dictionary is looked at, whether it be a table, with the help of pandas and pyarrow: 0.3 s
    # and 80 MB for the first, while nothing of a tuple is. So the data travels as the only item of one; the stub takes it out.
    def mount(*, data: Any = None, **arguments: Any) -> Any:
        return mounted(data=(data,), **arguments)

    return mount


_STUB = """
// The script, and all that it imports, asked for at once: one after the other they would take as long again as they are deep.
const [loaded] = %s.map(address => import(new URL(address, document.baseURI)))
const last = new WeakMap()

export default function (component) {
  const { parentElement } = component
  const turn = {}
  last.set(parentElement, turn)
  const cleanUp = loaded.then(module => {
    if (last.get(parentElement) === turn) return module.default({ ...component, data: component.data[0] })
  })
  return () => {
    if (last.get(parentElement) === turn) last.delete(parentElement)
    cleanUp.then(f => f?.())
  }
}
"""


@lru_cache
def _imported(script: str) -> tuple[str, ...]:
    """Return the scripts that a script imports, and those that they import, each once."""
    found: dict[str, None] = {}
    waiting = [script]
    while waiting:
        text = (SCRIPTS / waiting.pop()).read_text("utf-8")
        new = [name for name in re.findall(r'^import .* from "\./([\w.]+)"', text, re.MULTILINE) if name not in found]
        found |= dict.fromkeys(new)
        waiting += new
    return tuple(found)


def _file(name: str) -> Path | None:
    """Return the file that a name stands for, or None: no other file of this machine is ever served."""
    if name == PLOTLY:
        package = importlib.util.find_spec("plotly")
        assert package is not None and package.submodule_search_locations
        return Path(next(iter(package.submodule_search_locations))) / "package_data" / PLOTLY
    return next((file for file in SCRIPTS.glob("*.js") if file.name == name), None)


@lru_cache
def _digest(name: str) -> str:
    file = _file(name)
    assert file is not None, f"{name} is no script of kdviz/ui/browser"
    files = [file] if name == PLOTLY else sorted(SCRIPTS.glob("*.js"))
    content = b"".join(each.name.encode() + b"\0" + each.read_bytes() for each in files)
    return hashlib.sha256(content).hexdigest()[:16]


async def _script(request: Request) -> Response:
    from starlette.responses import FileResponse, PlainTextResponse

    file = _file(request.path_params["name"])
    if file is None:
        return PlainTextResponse("not found", 404)
    return FileResponse(file, media_type="text/javascript", headers={"cache-control": A_YEAR})
