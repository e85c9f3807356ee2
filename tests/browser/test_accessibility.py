"""axe-core on every page, in both languages, light and dark: nothing serious or critical in what kdviz draws or says."""

from __future__ import annotations

import re
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import Finished, Open
from tests.browser.driving import Served, settled, visit

STREAMLITS_OWN = {
    # The text of the choice that is made has the theme's primary colour on a tenth of it; the text of a primary button is white
    # on the same colour. On a dark page no colour gives both 4.5:1: this one gives 4.7 to the button and 3.8 to the choice, which
    # also says that it is chosen by its border and to a screen reader.
    ("color-contrast", "dark"): ("[data-testid=stButtonGroup] [data-selected=true]",),
}
"""What Streamlit 1.67 draws and kdviz cannot mend: by rule and colour scheme, the parts of a page that the rule passes over."""

GRAVE = ("serious", "critical")
HELD = ("heading-order",)
"""Rules that are held though axe calls them moderate."""


def faults(page: Page, scheme: str) -> list[str]:
    """Return what axe calls serious or critical, shadow roots included: the rule, where, and why."""
    violations: list[dict[str, Any]] = Axe().run(page).response["violations"]
    return [
        f"{violation['id']}: {node['html'][:300]} {node['failureSummary']}"
        for violation in violations
        if violation["impact"] in GRAVE or violation["id"] in HELD
        for node in violation["nodes"]
        if not any(_within(page, node["target"], outer) for outer in STREAMLITS_OWN.get((violation["id"], scheme), ()))
    ]


def _within(page: Page, target: list[Any], outer: str) -> bool:
    """Return whether what axe points at lies in a part of the page; in a shadow root, which is ours, nothing does."""
    if not isinstance(target[0], str):
        return False
    return bool(page.evaluate("([target, outer]) => Boolean(document.querySelector(target)?.closest(outer))", [target[0], outer]))


def look(page: Page, address: str) -> None:
    """Open a page and everything on it that opens."""
    visit(page, address)
    page.locator("h2, .js-plotly-plot").first.wait_for()
    page.locator(".copy button[aria-label]").first.wait_for()  # the scripts of components have come
    for plot in page.locator(".plot[role=img]").all():
        expect(plot).to_have_attribute("aria-label", re.compile("."))  # and the figures have been drawn
    for details in page.locator("details").all():
        if not details.evaluate("details => details.open"):
            details.locator("summary").click()
    settled(page)


@pytest.mark.parametrize(
    ("language", "scheme"), [("en", "light"), ("zh_Hant", "dark")]
)  # colours and words do not depend on each other
def test_axe_finds_nothing_grave(server: Served, visitor: Open, finished: Finished, language: str, scheme: str) -> None:
    page = visitor(color_scheme=scheme)
    found = {}
    for address in ("?dataset=digits", "?dataset=digits&teacher=cnn-x5", "?dataset=street", "?dataset=mnist", "?T=hot",
                    "distill?", f"distill?run={finished.run_id}", "teachers?", "paper?",
                    "paper?experiment=mythical-3&predicted=skipped", "paper?experiment=little-data&predicted=skipped",
                    "paper?experiment=misconceptions&predicted=most"):  # fmt: skip
        look(page, f"{server.url}/{address}&lang={language}")
        if wrong := faults(page, scheme):
            found[address] = wrong
    assert not found


def test_axe_sees_into_shadow_roots_and_says_what_is_grave(chromium: Any) -> None:
    """Without this, an axe that finds nothing would look like a page without faults."""
    page = chromium.new_page()
    page.set_content(
        "<html lang=en><title>t</title><main><h1>t</h1><p style='color:#999;background:#fff'>pale</p><div></div></main>"
    )
    page.evaluate("document.querySelector('div').attachShadow({ mode: 'open' }).innerHTML = '<input type=range>'")
    found = "".join(faults(page, "light"))
    page.close()
    assert "color-contrast" in found and "label" in found
