"""What a person can get wrong in the browser: one sentence each, and the page goes on."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import Open
from tests.browser.driving import Served, settled, visit


def test_links_of_soft_targets(server: Served, visitor: Open) -> None:
    page = visitor()
    alert = page.get_by_test_id("stAlert")
    for link, named in (("T=hot", "'hot'"), ("T=1e9", "'1e9'"), ("dataset=nope", "'nope'"), ("image=99999999", "'99999999'")):
        visit(page, f"{server.url}/?{link}")
        expect(alert).to_contain_text(named)
        expect(alert).to_have_count(1)
        expect(page.locator(".sentence")).to_be_visible()
    before = page.locator(".sentence").inner_text()
    page.get_by_role("slider").press("ArrowRight")
    expect(page.locator(".sentence")).not_to_have_text(before)
    expect(alert).to_have_count(0)


def test_a_link_of_distill(server: Served, visitor: Open) -> None:
    page = visitor()
    visit(page, f"{server.url}/distill?run=nonsense")
    alert = page.get_by_test_id("stAlert")
    expect(alert).to_have_count(1)
    expect(alert).to_contain_text("'nonsense'")
    expect(page.get_by_role("button", name="Start")).to_be_enabled()
    page.locator(".js-plotly-plot").wait_for()


def test_settings_of_distill(server: Served, visitor: Open) -> None:
    page = visitor()
    visit(page, f"{server.url}/distill")
    page.locator("details > summary").first.click()
    alert, start = page.get_by_test_id("stAlert"), page.locator(".st-key-start button")
    temperature = page.locator(".st-key-spec_temperature input")
    for wrong in ("hot", "0", "-1", "nan"):
        temperature.fill(wrong)
        temperature.press("Enter")
        expect(alert).to_contain_text(f"'{wrong}'")
        expect(alert).to_have_count(1)
        expect(start).to_be_disabled()
    temperature.fill("4")
    temperature.press("Enter")
    expect(alert).to_have_count(0)
    expect(start).to_be_enabled()

    student = page.locator(".st-key-spec_student input")
    student.fill("resnet")
    student.press("Enter")
    expect(alert).to_contain_text("'resnet'")
    expect(alert).to_have_count(1)
    expect(start).to_be_disabled()
    for _chosen in range(2):  # without any there is nothing to train
        student.press("Backspace")
    expect(alert).to_contain_text("student must be one value or several, got none")
    expect(alert).to_have_count(1)
    expect(start).to_be_disabled()
    student.fill("mlp-64-32")
    student.press("Enter")
    expect(alert).to_have_count(0)
    expect(start).to_be_enabled()
    settled(page)
    assert page.locator(".js-plotly-plot").count() == 1
