"""What the components of a page are given: AppTest runs no JavaScript, but it has their data."""

from __future__ import annotations

import json
from typing import Any

from streamlit.testing.v1 import AppTest


def components(at: AppTest) -> dict[str, Any]:
    """Return what each component of kdviz on a page is given, by its name without `kdviz_`, in the page's order."""
    found = {one.proto.component_name.removeprefix("kdviz_"): json.loads(one.proto.json) for one in at.get("bidi_component")}
    # kdviz.ui.served sends the data as the only item of a list.
    return {name: content[0] if isinstance(content, list) else content for name, content in found.items()}
