"""Links in a browser: copied here and opened by somebody else, they show the same; what a class is sent hides what it should."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Locator, Page, expect

from kdviz.spec import RunSpec
from tests.browser.conftest import Open
from tests.browser.driving import Served, settled, until, visit


def copied(page: Page, button: str = "Copy link", said: str = "Link copied") -> str:
    """Press a button that copies a link, and return what is in the clipboard."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name=button, exact=True).click()
    expect(page.get_by_role("status").filter(has_text=said)).to_be_visible()
    return str(page.evaluate("navigator.clipboard.readText()"))


def within(shown: Locator, width: int) -> bool:
    box = shown.bounding_box()
    return box is not None and box["x"] >= 0 and box["x"] + box["width"] <= width


def query(link: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}


def test_a_copied_link_shows_somebody_else_the_same(server: Served, visitor: Open) -> None:
    page = visitor(locale="zh-TW")
    visit(page, server.url)
    page.locator(".sentence").wait_for()
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hant")
    box = page.get_by_role("button", name="複製連結").bounding_box()
    assert box is not None and min(box["width"], box["height"]) >= 44
    link = copied(page, "複製連結", "已複製連結")  # the address itself is still bare
    assert set(query(link)) == {"dataset", "teacher", "image", "gallery", "T", "lang"}
    other = visitor(locale="en-GB")
    visit(other, link)
    expect(other.locator(".sentence")).to_have_text(page.locator(".sentence").inner_text())

    other.get_by_role("radio", name="EN").click()
    expect(other.locator("h1")).to_have_text("Soft targets")
    other.get_by_role("checkbox", name="Log scale").check()
    other.wait_for_url(re.compile("scale=log"))
    settled(other)
    expect(other.locator("html")).to_have_attribute("lang", "en")
    assert query(copied(other)) == query(link) | {"lang": "en", "scale": "log"}
    other.go_back()
    other.wait_for_url(lambda address: "scale=log" not in address)
    expect(other.get_by_role("checkbox", name="Log scale")).not_to_be_checked()


def test_where_the_browser_has_no_clipboard_the_link_is_copied_or_shown(server: Served, visitor: Open) -> None:
    page = visitor(width=390, height=844)
    page.add_init_script("if (!sessionStorage.clipboard) Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    visit(page, f"{server.url}/distill?seeds=3&student=linear,mlp-8")  # as over plain http in a room
    page.get_by_role("button", name="Copy link").click()
    copied_so = page.get_by_role("status").filter(has_text="Link copied")
    expect(copied_so).to_be_visible()
    assert within(copied_so, 390)
    page.evaluate("document.execCommand = () => false")
    page.get_by_role("button", name="Copy link").click()
    field = page.get_by_role("textbox", name="The link")
    expect(field).to_be_focused()
    assert within(field, 390)
    link = f"{server.url}/distill?dataset=digits&student=linear,mlp-8&seeds=3&lang=en"
    shown = field.evaluate("field => field.value.slice(field.selectionStart, field.selectionEnd)")
    assert (shown.split("?")[0], query(shown)) == (link.split("?")[0], query(link))
    wide, there = page.locator("html").evaluate("element => [element.scrollWidth, element.clientWidth]")
    assert wide <= there
    page.keyboard.press("Tab")
    expect(field).to_be_hidden()
    page.evaluate("sessionStorage.clipboard = 1")
    page.reload()
    page.context.grant_permissions(["clipboard-read"])
    assert query(page.evaluate("navigator.clipboard.readText()")) == query(link)


def test_a_link_of_a_run_opens_it_or_its_settings(server: Served, visitor: Open) -> None:
    asked = RunSpec(student=("mlp-8",), temperature=(2.0, 8.0), seeds=3)
    server.store.request_stop(run_id := server.store.add_run(asked))
    page = visitor()
    visit(page, f"{server.url}/distill?run={run_id}")
    page.locator(f".st-key-resume_{run_id}").wait_for()
    link = copied(page)
    assert query(link) == {"run": run_id, **asked.to_query(), "lang": "en"}
    other = visitor(locale="zh-TW")
    visit(other, link)
    other.locator(f".st-key-resume_{run_id}").wait_for()

    server.store.delete(run_id)
    visit(other, link)
    expect(other.get_by_test_id("stAlert")).to_contain_text(
        f"'{run_id}' of this link is not in this store; its settings are here"
    )
    expect(other.locator(".st-key-start button")).to_be_enabled()
    assert query(copied(other)) == {**asked.to_query(), "lang": "en"}


def test_a_link_for_a_class_hides_what_was_chosen(server: Served, visitor: Open) -> None:
    page = visitor()
    visit(page, f"{server.url}/?T=3&lang=en")
    page.locator(".st-key-for_a_class button:visible").click()
    for control in ("Temperature T", "Gallery of test images"):
        page.get_by_role("dialog").get_by_text(control, exact=True).click()
        expect(page.get_by_role("checkbox", name=control)).to_be_checked()
    page.get_by_role("dialog").get_by_role("radio", name="dark").click()
    told = "the link for a class says what was chosen last"
    until(lambda: query(copied(page, "Copy the link for a class")).get("embed_options") == "dark_theme", told, 20)
    link = copied(page, "Copy the link for a class")
    assert query(link)["hide"] == "T,gallery"
    page.keyboard.press("Escape")
    assert "hide" not in page.url

    pupil = visitor()
    visit(pupil, link)
    expect(pupil.locator(".sentence")).to_contain_text("At T = 3 ")
    assert pupil.get_by_role("slider").count() == 0
    assert pupil.get_by_role("radiogroup", name="Test images").count() == 0
    assert pupil.locator("[data-testid=stApp]").evaluate("app => getComputedStyle(app).backgroundColor") == "rgb(11, 14, 18)"
    pupil.get_by_role("link", name="Distill").click()
    expect(pupil.locator("h1")).to_have_text("Distill")
    until(lambda: "hide=" in pupil.url, "what is hidden stays in the link")
    pupil.get_by_role("link", name="Soft targets").click()
    pupil.get_by_role("button", name="Show all").click()
    pupil.get_by_role("slider").wait_for()
    expect(pupil.get_by_role("radiogroup", name="Test images")).to_be_visible()
    assert "hide=" not in pupil.url and "T=3" in pupil.url


def test_nonsense_of_ten_kilobytes_is_one_sentence(server: Served, visitor: Open) -> None:
    page, nonsense = visitor(width=390, height=844), "%3Cscript%3E" * 850
    for link, button in ((f"/?T={nonsense}", "Copy link"), (f"/distill?student={nonsense}", "Start")):
        visit(page, server.url + link)
        alert = page.get_by_test_id("stAlert")
        expect(alert).to_contain_text("<script><script>")
        expect(alert).to_have_count(1)
        assert len(alert.inner_text()) < 500
        expect(page.get_by_role("button", name=button, exact=True)).to_be_enabled()
        wide, there = page.locator("html").evaluate("element => [element.scrollWidth, element.clientWidth]")
        assert wide <= there
