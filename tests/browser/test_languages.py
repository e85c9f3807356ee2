"""In Chinese, nothing on a page is English but names: all its text is read, also what opens, hovers or is only heard."""

from __future__ import annotations

import contextlib
import re

import pytest
from playwright.sync_api import Locator, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from kdviz import experiments, presets
from kdviz.spec import RunSpec
from tests.benchmarks.own_picture import DIGITS, draw, open_own, pad, to_upload, upload
from tests.browser.conftest import Finished, Open
from tests.browser.driving import Served, settled, until, visit

STREAMLITS_OWN = {
    "[data-testid=stSkipToContent]": "the link that skips the header",
    "[data-testid=stTopNav]": "the name of the navigation; what is in it is read by itself",
    "[data-testid=stElementToolbarButton] button": "full screen, search, download: at a corner of an image, a figure, a table",
    "[data-testid=stTooltipIcon] button": "`Help for` a label; what it says is read when it opens",
    "[data-testid=stSelectbox] input": "the hint of an empty choice, which these never are",
    "[data-testid=stSelectbox] button": "the arrow that opens a choice",
    "[data-testid=stMultiSelect] button": "the cross that takes all out again, and the arrow",
    "[data-testid=stMultiSelect] [aria-label='Selected values']": "the list of what is chosen; what is in it is read by itself",
    "[data-testid=stNumberInputContainer] button": "less and more, beside a number",
    "[data-testid=stFileUploaderDropzone] button": "the button that opens the dialog of the browser",
    "[data-testid=stFileUploaderDropzone]": "the name of the field for files; its label is read by itself",
    "[data-testid=stFileUploaderDropzoneInstructions]": "how large a file may be, and of which kinds",
    "[data-testid=stFileUploaderFile]": "the file's own name and size, and the cross that takes it away",
    "[data-testid=stStatusWidget]": "the sign that a page is being computed",
    "[data-live-announcer]": "what a screen reader hears of an open choice",
    "[data-testid=stMainMenu]": "the menu of the theme",
}
"""What Streamlit 1.67 says in English whatever the reader's language, by where it stands."""

ONLY_ATTRIBUTES = [
    "[data-testid=stTopNav]",
    "[data-testid=stTooltipIcon] button",
    "[data-testid=stMultiSelect] [aria-label='Selected values']",
]
"""Those of them whose text is not Streamlit's but ours."""

NAMES = [
    "digits", "mnist", "cnn", "linear", "mlp(-[0-9]+)+", "kdviz", "logits?", "softmax", "one-hot", "nats?", "ln", "adam", "sgd",
    "auto", "fp32", "bf16", "test", "validation", "EN", "KL", "MB", "kB", "T", "x86_64", "aarch64", "arm64", "KDVIZ_[A-Z]+",
    "Hinton", "Vinyals", "Dean", "(Furlanello|Stanton) et al\\.", "arXiv", "DushyantaDhyani", "kdtf", "README", "Adam", "MNIST",
    "animals-and-ships",  # the folder of tests/browser/test_teachers.py
]  # fmt: skip
"""Names of things, the same in every language: what the command line calls them, units, terms that Chinese texts keep."""

READ = """
([own, onlyAttributes]) => {
  const found = []
  const walk = root => {
    for (const element of root.querySelectorAll("*")) {
      if (/^(script|style|noscript|annotation)$/i.test(element.tagName)) continue
      if (element.closest("[data-testid=stIconMaterial]")) continue  // an icon, drawn from its name by a font
      if (element.shadowRoot) walk(element.shadowRoot)
      if (own.some(selector => element.closest(selector))) continue
      for (const node of element.childNodes) if (node.nodeType === Node.TEXT_NODE) found.push(node.textContent)
      if (onlyAttributes.some(selector => element.matches(selector))) continue
      for (const name of ["aria-label", "aria-description", "aria-valuetext", "title", "placeholder", "alt"])
        if (element.hasAttribute(name)) found.push(element.getAttribute(name))
    }
  }
  walk(document.body)
  return found
}
"""


def texts(page: Page) -> set[str]:
    """Return all that a page says, seen or only heard, without Streamlit's own words."""
    return {
        text.strip()
        for text in page.evaluate(READ, [[own for own in STREAMLITS_OWN if own not in ONLY_ATTRIBUTES], ONLY_ATTRIBUTES])
        if text.strip()
    }


def english(text: str) -> list[str]:
    """Return the runs of two or more words of two or more Latin letters that are left when names are taken out."""
    for name in NAMES:
        text = re.sub(rf"(?<![A-Za-z0-9_]){name}(?![A-Za-z0-9_])", "·", text)
    return re.findall(r"[A-Za-z]{2,}(?:[\s,.;:'’\-]+[A-Za-z]{2,})+", text)


def hints(page: Page) -> set[str]:
    """Point at every help sign of a page, one after the other, and return what they say."""
    said: set[str] = set()
    for sign in page.locator("[data-testid=stTooltipIcon]").all():
        until(lambda sign=sign: points_at(page, sign), "the sign says its hint")  # type: ignore[misc]
        described = sign.locator("[aria-describedby]").get_attribute("aria-describedby")
        said.add(page.locator(f"[id='{described}']").inner_text())
    return said


def points_at(page: Page, sign: Locator) -> bool:
    """Point at a help sign and return whether it says its hint: a page that is just scrolled may slip from under the mouse."""
    page.mouse.move(0, 0)
    sign.hover()
    with contextlib.suppress(PlaywrightTimeout):
        sign.locator("[aria-describedby]").wait_for(state="attached", timeout=500)
    return sign.locator("[aria-describedby]").count() > 0


def menus(page: Page) -> Locator:
    """Return the menus of the runs; each has a twin that is not seen, by which Streamlit measures it."""
    return page.locator("[data-testid=stPopoverButton]:visible:not(.st-key-for_a_class *)")


def open_choice(page: Page, offered: Locator) -> bool:
    """Open the choice that has the focus, and say whether it is open; the page's scrolling may have closed it again."""
    if not offered.is_visible():
        page.keyboard.press("ArrowDown")
    return offered.is_visible()


def unfolded(page: Page) -> set[str]:
    """Open every expander of a page and every choice, one after the other, and return what they say."""
    for details in page.locator("details").all():
        if not details.evaluate("details => details.open"):
            details.locator("summary").click()
    settled(page)
    said = texts(page)
    offered = page.get_by_role("listbox")
    for choice in page.locator("[data-testid=stSelectbox] input, [data-testid=stMultiSelect] input").all():
        choice.focus()
        until(lambda: open_choice(page, offered), "the choice is open")
        said |= texts(page)
        page.keyboard.press("Escape")
        offered.wait_for(state="detached")
    return said


def hold(said: set[str]) -> None:
    assert any(re.search("[一-鿿]", text) for text in said)
    left = {text: found for text in said if (found := english(text))}
    assert not left


def test_the_sieve_finds_english_and_lets_names_pass() -> None:
    assert english("教師 teacher says no") == ["teacher says no"]
    assert english("The engine is starting.") == ["The engine is starting"]
    assert not english("digits，教師 cnn，學生 mlp-30-30，T = 4，396.7 kB，KL 散度")


def test_soft_targets_is_all_chinese(server: Served, visitor: Open) -> None:
    page = visitor(locale="zh-TW")
    visit(page, server.url)
    expect(page.locator("h1")).to_have_text("軟目標")
    said = unfolded(page) | hints(page)
    for kind in page.locator(".st-key-soft_targets_kind").get_by_role("radio").all()[:5]:  # the rules, and one class
        kind.click()
        settled(page)
        said |= texts(page)
    hold(said)
    for link in ("T=1", "T=100&image=3", "dataset=mnist", "T=hot", "image=99999999"):
        visit(page, f"{server.url}/?{link}")
        hold(texts(page))


def test_an_own_picture_is_all_chinese(server: Served, visitor: Open) -> None:
    page = visitor(locale="zh-TW", height=1400)
    visit(page, f"{server.url}/?dataset=digits")
    open_own(page)
    pad(page).wait_for()
    said = texts(page)
    draw(page, DIGITS[7])
    page.locator(".sentence").wait_for()
    settled(page)
    said |= unfolded(page) | hints(page)
    to_upload(page)
    said |= texts(page)
    upload(page, "a.png", b"no picture", "image/png")
    page.get_by_test_id("stAlertContentError").wait_for()
    hold(said | texts(page) | hints(page))


def test_distill_is_all_chinese_before_a_run(server: Served, visitor: Open) -> None:
    page = visitor(locale="zh-TW")
    visit(page, f"{server.url}/distill?run=nonsense")
    said = texts(page)
    for preset, content in presets.PRESETS.items():
        if content.sweep and not page.locator(f".st-key-preset_{preset}").count():
            page.locator(".st-key-distill_kind").get_by_role("radio").last.click()
        page.locator(f".st-key-preset_{preset} button").click()
        page.locator(f".st-key-preset_{preset} [data-testid=stBaseButton-primary]").wait_for()
        settled(page)
        said |= texts(page)
    hold(said | unfolded(page) | hints(page))


def test_distill_is_all_chinese_with_runs_in_every_state(
    server: Served, visitor: Open, runs_in_every_state: dict[str, str]
) -> None:
    page = visitor(locale="zh-TW")
    said: set[str] = set()
    for state, run_id in runs_in_every_state.items():
        visit(page, f"{server.url}/distill?run={run_id}")
        page.locator(".js-plotly-plot").first.wait_for()
        settled(page)
        said |= texts(page)
        assert not page.get_by_test_id("stException").count(), state
    menus(page).first.click()
    page.get_by_test_id("stPopoverBody").wait_for()
    hold(said | texts(page))


def quoted(page: Page) -> set[str]:
    """Return what a page quotes: lines of code, commands, links to where something is said."""
    within = "[...document.querySelectorAll('pre, pre *, code, a[href^=https]')].flatMap(e => [...e.childNodes])"
    return set(page.evaluate(f"() => {within}.filter(node => node.nodeType === 3).map(node => node.textContent.trim())"))


def test_the_paper_is_all_chinese(server: Served, visitor: Open) -> None:
    page = visitor(locale="zh-TW")
    visit(page, f"{server.url}/paper")
    said = texts(page)
    for name in ("misconceptions&bug=no_t_squared", "mnist-table", "where-from", "kdtf-table", "good-teacher-good-student"):
        visit(page, f"{server.url}/paper?experiment={name}")
        said |= texts(page) - quoted(page)
        for asked in ("bug", "predict"):
            button = page.locator(f".st-key-{asked}_skipped button")
            if button.count():
                button.click()
                button.wait_for(state="detached")
                settled(page)
        said |= unfolded(page) - quoted(page)
    record = experiments.recorded("misconceptions")
    assert record is not None
    hold({text.replace(record["made"]["processor"], "·") for text in said})


@pytest.fixture
def runs_in_every_state(server: Served, finished: Finished) -> dict[str, str]:
    """Runs that are done, stopped and failed, by state, and a stopped sweep; the first was trained."""
    store = server.store
    stopped = store.add_run(RunSpec(temperature=(2.0, 8.0), fraction=(0.1,)))
    sweep = store.add_run(RunSpec(student=("linear", "mlp-8"), soft_weight=(0.5, 1.0), fraction=(0.1, 0.5)))
    for run_id in (stopped, sweep):
        store.request_stop(run_id)
    failed = store.add_run(RunSpec(teacher="nobody"))
    until(lambda: (run := store.run(failed)) is not None and run.state == "failed", "a run without its teacher fails")
    return {"done": finished.run_id, "stopped": stopped, "a sweep": sweep, "failed": failed}
