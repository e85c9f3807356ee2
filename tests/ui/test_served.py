"""kdviz.ui.served: the scripts of components have addresses that change with their content, and nothing else is served."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette

from kdviz.ui import served


def get(path: str) -> tuple[int, dict[str, str], bytes]:
    """Ask the routes for a path, as a browser would, and return status, headers and content."""
    said: list[MutableMapping[str, Any]] = []

    asked = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> dict[str, Any]:
        if (message := next(asked, None)) is not None:
            return message
        return await asyncio.Future()  # a browser that waits for the answer says nothing more

    async def send(message: MutableMapping[str, Any]) -> None:
        said.append(message)

    scope = {
        "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"", "headers": [],
        "root_path": "", "scheme": "http", "server": ("localhost", 80), "http_version": "1.1",
    }  # fmt: skip
    asyncio.run(Starlette(routes=served.routes())(scope, receive, send))
    headers = {key.decode(): value.decode() for key, value in said[0]["headers"]}
    return said[0]["status"], headers, b"".join(message.get("body", b"") for message in said[1:])


def test_plotly_is_served_for_good_from_its_own_package() -> None:
    status, headers, content = get(served.address(served.PLOTLY))
    assert status == 200
    assert headers["content-type"].startswith("text/javascript")
    assert "immutable" in headers["cache-control"]
    assert b"plotly.js v" in content[:200]


def test_an_address_changes_with_the_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served, "SCRIPTS", tmp_path)
    (tmp_path / "one.js").write_text("export default () => 1\n", "utf-8")
    served._digest.cache_clear()
    before = served.address("one.js")
    (tmp_path / "one.js").write_text("export default () => 2\n", "utf-8")
    served._digest.cache_clear()
    assert served.address("one.js") != before
    served._digest.cache_clear()


@pytest.mark.parametrize("name", ["served.py", "nothing.js", "..%2Fserved.py", "%2Fetc%2Fpasswd", "../server.py"])
def test_nothing_else_is_served(name: str) -> None:
    assert get(f"/{served.UNDER}/0/{name}")[0] == 404


def test_a_script_is_asked_for_together_with_all_that_it_imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.js").write_text('import { b } from "./b.js"\nimport { c } from "./c.js"\n', "utf-8")
    (tmp_path / "b.js").write_text('import { c } from "./c.js"\nexport const b = c\n', "utf-8")
    (tmp_path / "c.js").write_text("export const c = 1\n", "utf-8")
    monkeypatch.setattr(served, "SCRIPTS", tmp_path)
    served._imported.cache_clear()
    assert served._imported("a.js") == ("b.js", "c.js")
    assert served._imported("c.js") == ()
    served._imported.cache_clear()
