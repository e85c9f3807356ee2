"""A dataset that is not there: the page says so, and asks the engine for it. Here is no network, and nobody waits for street."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.conftest import Open
from tests.browser.driving import Served, settled, until, visit
from tests.browser.test_languages import hold, texts


def test_mnist_that_cannot_be_fetched_is_one_sentence_and_all_else_goes_on(server: Served, visitor: Open) -> None:
    """In Chinese, so that what is said meanwhile is read as well. It may be the first page of all: the engine starts for it."""
    page = visitor(locale="zh-TW")
    visit(page, f"{server.url}/?dataset=mnist")
    alerts = page.get_by_test_id("stAlert")
    expect(alerts).to_have_count(1)
    expect(alerts).to_contain_text("還沒有 mnist")
    prepare = page.locator(".st-key-prepare_mnist_button button")
    prepare.click()
    page.get_by_test_id("stProgress").wait_for()
    said = texts(page)
    failed = page.get_by_test_id("stAlertContentError")
    expect(failed).to_have_count(1)
    expect(failed).to_contain_text(re.compile("mnist.*無法下載"))
    expect(prepare).to_be_enabled()
    settled(page)
    # The folder's own name stands in the sentence, and those of the files.
    hold({re.sub(r"'/[^']*'|[a-z0-9-]+-ubyte", "", text) for text in said | texts(page)})

    page.get_by_role("radio", name="digits").click()
    page.locator(".sentence").wait_for()
    expect(alerts).to_have_count(0)
    visit(page, f"{server.url}/distill")
    expect(page.locator(".st-key-start button")).to_be_enabled()
    page.locator(".st-key-preset_mnist-few-images button").click()
    expect(alerts).to_contain_text("還沒有 mnist")
    expect(page.locator(".st-key-start")).to_have_count(0)
    page.locator(".js-plotly-plot").wait_for()  # the recorded run needs no images


def test_a_preparation_can_be_cancelled_and_asked_for_again(server: Served, visitor: Open) -> None:
    page = visitor()
    visit(page, f"{server.url}/?dataset=street")
    prepare = page.locator(".st-key-prepare_street_button button")
    progress = page.get_by_test_id("stProgress")
    for _ in range(2):  # the second time the engine has given up the first
        expect(prepare).to_contain_text("Prepare street")
        prepare.click()
        expect(progress).to_contain_text("drawing the pictures")
        page.locator(".st-key-prepare_street_cancel button").click()
        expect(
            page.get_by_test_id("stAlertContentInfo").filter(has_text="The preparation of street was cancelled.")
        ).to_have_count(1)
        expect(prepare).to_be_enabled()
        expect(progress).to_have_count(0)
    prepared = server.log.parent / "images" / "prepared"
    until(lambda: not [path for path in prepared.iterdir() if path.name.endswith("street")], "nothing of street stays")
