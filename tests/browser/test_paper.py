"""The paper in a browser: a claim is predicted, run here and judged; a bug of the lab; the bias under the finger."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from kdviz import experiments
from kdviz.experiments import lab
from tests.browser.conftest import Open
from tests.browser.driving import Served, settled, until, visit


def test_a_claim_is_predicted_run_here_and_judged(server: Served, visitor: Open) -> None:
    page = visitor()
    visit(page, f"{server.url}/paper")
    page.locator(".st-key-claim_ensemble button").click()
    expect(page.locator("h2").first).to_have_text("An ensemble in one student")
    expect(page).to_have_url(re.compile(r"[?&]experiment=ensemble"))
    expect(page.get_by_text("What came out")).to_have_count(0)
    expect(page.locator(".st-key-paper_run")).to_have_count(0)
    page.locator(".st-key-predict_neither button").click()
    page.locator(".st-key-paper_run button").click()
    page.locator(".kdviz-curves, .js-plotly-plot").first.wait_for()
    experiment = experiments.find("ensemble")
    specs = experiment.specs(full=False)
    until(lambda: all(server.store.newest(spec, "done") for spec in specs.values()), "both runs are done", 280)
    heading = page.locator("h3", has_text=re.compile("came out"))
    heading.wait_for()
    expect(page.get_by_text("run on this machine on")).to_be_visible()
    expect(page.locator("table").last).to_contain_text("speech, one student of all ten")
    page.reload()  # the reader's own result is found again, and what they expected with it
    settled(page)
    expect(page.get_by_text("run on this machine on")).to_be_visible()
    said = heading.inner_text()
    assert any(said.endswith(words) for words in experiment.predictions.values())
    expect(page.get_by_role("link", name="Curves of run 2")).to_be_visible()


def test_a_bug_of_the_lab_is_predicted_and_run(server: Served, visitor: Open) -> None:
    page = visitor()
    visit(page, f"{server.url}/paper?experiment=misconceptions&bug=zero_weight_drops_t_squared")
    expect(page.get_by_text("The wrong line")).to_be_visible()
    page.locator(".st-key-bug_neither button").click()
    page.locator(".st-key-lab_run button").click()
    spec = lab.spec("zero_weight_drops_t_squared", has_images=False)
    until(lambda: server.store.newest(spec, "done"), "the bug's run is done", 280)
    expect(page.get_by_text("Run on this machine: digits")).to_be_visible()
    expect(page.get_by_text("You expected: No difference is visible.")).to_be_visible()
    came_out = page.locator("h3", has_text="came out").inner_text()
    assert came_out == "What came out: The students make more errors than with the right line."


def test_the_bias_moves_the_errors_under_the_finger(server: Served, visitor: Open) -> None:
    record = experiments.recorded("mythical-3")
    assert record is not None
    measured, page = record["measured"], visitor()
    curve, matched = measured["curve"], measured["rows"]["matched"]["bias"]["mean"]
    visit(page, f"{server.url}/paper?experiment=mythical-3&predicted=few")
    slider, says = page.locator(".kdviz-bias .slider"), page.locator(".kdviz-bias .says")
    page.locator(".kdviz-bias .shapelayer path").first.wait_for(state="attached")

    def stands_at(number: int) -> None:
        bias, errors, own = (curve[key][number] for key in ("bias", "errors", "errors_of_classes"))
        sentence = f"With {bias:+.1f} added: {errors:.0f} errors, {own:.0f} of them on 3."
        assert says.inner_text() == slider.get_attribute("aria-valuetext") == sentence
        # The line stands where Plotly has that bias on its axis.
        line, wanted = page.evaluate(
            """bias => {
                const plot = document.querySelector(".kdviz-bias .plot"), axis = plot._fullLayout.xaxis
                const line = plot.querySelector(".shapelayer path").getBoundingClientRect()
                return [line.left + line.width / 2, plot.getBoundingClientRect().left + axis._offset + axis.d2p(bias)]
            }""",
            bias,
        )
        assert abs(line - wanted) < 1.5

    start = curve["bias"].index(0.0)
    stands_at(start)
    slider.focus()
    for _press in range(5):
        page.keyboard.press("ArrowRight")
    stands_at(start + 5)
    box = slider.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + box["height"] / 2)
    page.mouse.down()
    for share in (0.3, 0.5, 0.6):
        page.mouse.move(box["x"] + box["width"] * share, box["y"] + box["height"] / 2)
    dragged = int(slider.input_value())  # while the finger still holds it
    assert dragged > start + 5
    stands_at(dragged)
    page.mouse.up()
    page.get_by_role("button", name="without any test label").click()
    stands_at(min(range(len(curve["bias"])), key=lambda number: abs(curve["bias"][number] - matched)))
