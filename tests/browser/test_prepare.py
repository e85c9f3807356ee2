"""A dataset that is not there: the page says so and asks the engine for it, here without a network, so that it stays away."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.conftest import Open
from tests.browser.driving import Served, settled, visit
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
    # The folder's own name stands in the sentence.
    hold({re.sub(r"'/[^']*'", "", text) for text in said | texts(page)})

    page.get_by_role("radio", name="digits").click()
    page.locator("h5").wait_for()
    expect(alerts).to_have_count(0)
    visit(page, f"{server.url}/distill")
    expect(page.locator(".st-key-start button")).to_be_enabled()
    page.locator(".st-key-preset_mnist-few-images button").click()
    expect(alerts).to_contain_text("還沒有 mnist")
    expect(page.locator(".st-key-start")).to_have_count(0)
    page.locator(".js-plotly-plot").wait_for()  # the recorded run needs no images
