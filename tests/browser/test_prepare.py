"""MNIST, which is not there at first: the page says so, and prepares it when asked."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from kdviz import teachers
from tests.browser.conftest import Open
from tests.browser.driving import Served, settled, visit
from tests.browser.test_languages import hold, texts


def test_mnist_is_prepared_from_the_page(server: Served, visitor: Open) -> None:
    """In Chinese, so that what is said meanwhile is read as well."""
    page = visitor(locale="zh-TW")
    visit(page, f"{server.url}/?dataset=mnist")
    alert = page.get_by_test_id("stAlert")
    expect(alert).to_have_count(1)
    expect(alert).to_contain_text("還沒有 mnist")
    prepare = page.locator(".st-key-prepare_mnist_button button")
    expect(prepare).to_be_enabled()
    # Everything else goes on without it.
    page.get_by_role("radio", name="digits").click()
    page.locator("h5").wait_for()
    expect(alert).to_have_count(0)
    page.get_by_role("radio", name="mnist").click()
    expect(alert).to_have_count(1)
    if not (server.data / "MNIST").exists():
        pytest.skip("KDVIZ_DATA has no MNIST")

    prepare.click()
    page.get_by_test_id("stProgress").wait_for()
    said = texts(page)
    page.locator("h5").wait_for()
    settled(page)
    hold(said | texts(page))
    card = teachers.find("mnist", "cnn")
    expect(page.get_by_test_id("stMain")).to_contain_text(f"10,000 張測試影像中錯 {card.errors} 張")
