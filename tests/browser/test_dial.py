"""The dial in a browser: its numbers are those of soft_targets.py, its sentence is opinion's; Python hears of T on release."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, WebSocket, expect

from kdviz import data, i18n, teachers
from kdviz.figures import numbers
from kdviz.soft_targets import ensemble_arithmetic, ensemble_geometric, ensemble_tempered, entropy, kl, log_softmax, softmax
from kdviz.ui import galleries, opinion, served
from tests.browser.conftest import Open
from tests.browser.driving import Served, settled, until, visit

WAYS = {"arithmetic": ensemble_arithmetic, "geometric": ensemble_geometric, "tempered": ensemble_tempered}
NAMES = [f"class {letter}" for letter in "abcdefghijkl"]

ASKED = """
async ([address, cases]) => {
  const { softmax, logSoftmax, entropy, kl, meanSoftmax, geometricSoftmax, temperedSoftmax } =
    await import(address + "soft_targets.js")
  const { sentence } = await import(address + "opinion.js")
  const { percent, ratio, temperature, nats } = await import(address + "numbers.js")
  return cases.map(({ z, members, T, label, names, rules, numbers }) => {
    const q = softmax(z, T)
    const uniform = q.map(() => -Math.log(q.length))
    return {
      q,
      joined: [meanSoftmax, geometricSoftmax, temperedSoftmax].map(join => join(members, T)),
      facts: [entropy(q), kl(logSoftmax(z, T), logSoftmax(z)), kl(logSoftmax(z, T), uniform)],
      sentence: sentence(z, label, T, names, rules).join("**"),
      written: [...q.map(share => percent(share)), temperature(T), ratio(numbers[0]), nats(numbers[1])],
    }
  })
}
"""

READ = """
root => ({
  T: Number(root.dataset.temperature),
  bars: Object.fromEntries([...new Set([...root.querySelectorAll(".cell")].map(cell => cell.dataset.panel))].map(panel =>
    [panel, [...root.querySelectorAll(`[data-panel=${panel}] .bar`)].map(bar => Number(bar.dataset.value))])),
  facts: [...root.querySelectorAll("[data-fact]")].map(fact => Number(fact.dataset.value)),
  sentence: root.querySelector(".sentence").textContent,
  text: root.innerText,
})
"""


def dial(page: Page) -> Locator:
    found = page.locator(".dial")
    found.locator(".row").first.wait_for()
    return found


def shown(page: Page) -> dict[str, Any]:
    """Return what the dial shows at this moment."""
    return dict(dial(page).evaluate(READ))


def turn(page: Page) -> Locator:
    return dial(page).locator("input[type=range]")


def members_of(number: int) -> np.ndarray:
    """Return the stored logits of the networks of cnn-x5 for a test image, (members, classes)."""
    dataset = data.load("digits")
    stored = teachers.stored_member_logits(teachers.find("digits", "cnn-x5"), dataset)
    assert stored is not None
    return np.asarray(stored[:, dataset.slice("test")][:, number], dtype=np.float64)


def logits_of(number: int, teacher: str = "cnn") -> np.ndarray:
    dataset = data.load("digits")
    stored = teachers.stored_logits(teachers.find("digits", teacher), dataset)
    assert stored is not None
    return np.asarray(stored[dataset.slice("test")][number], dtype=np.float64)


def cases(count: int) -> list[dict[str, Any]]:
    """Return random logits, labels and temperatures, small and huge, and identical ones."""
    random, found = np.random.default_rng(0), []
    i18n.use("en")
    for number in range(count):
        classes = int(random.integers(2, 13))
        z = random.normal(0, random.choice([0.01, 1, 5, 20, 1e4]), classes)
        if number % 10 == 0:
            z = np.full(classes, random.choice([0.0, 1e4, -1e4]))
        elif number % 10 == 1:
            z = z.round()  # classes that share a place
        T = float(f"{0.05 * 2000 ** random.random():.3g}") if number % 7 else float(random.choice([0.05, 1.0, 100.0]))
        label = int(random.integers(classes)) if number % 3 else int(z.argmax())
        # Networks that agree, and networks that are each sure of another class.
        members = z + random.normal(0, random.choice([0.01, 1, 20, 1e4]), (int(random.integers(1, 6)), classes))
        found.append(
            {"z": z.tolist(), "members": members.tolist(), "T": T, "label": label, "names": NAMES[:classes],
             "rules": opinion.rules(), "numbers": [float(10 ** random.uniform(0, 5)), float(random.uniform(0, 0.02))]}
        )  # fmt: skip
    return found


def test_formulas_and_words_are_those_of_python(server: Served, visitor: Open) -> None:
    page = visitor()
    page.goto(f"{server.url}/_stcore/health")  # a page of this server with nothing on it
    given = cases(240)
    folder = served.address("dial.js").removesuffix("dial.js")
    answers = page.evaluate(ASKED, [folder, given])
    for case, answer in zip(given, answers, strict=True):
        z, T = np.asarray(case["z"]), case["T"]
        q = np.asarray(softmax(z, T))
        np.testing.assert_allclose(answer["q"], q, rtol=0, atol=1e-9)
        members = np.asarray(case["members"])
        joined = [join(members, T) for join in WAYS.values()]
        np.testing.assert_allclose(answer["joined"], np.asarray(joined), rtol=0, atol=1e-9)
        log_q, uniform = log_softmax(z, T), np.full(len(z), -np.log(len(z)))
        expected = [float(entropy(q)), float(kl(log_q, log_softmax(z))), float(kl(log_q, uniform))]
        np.testing.assert_allclose(answer["facts"], expected, rtol=1e-9, atol=1e-9)
        assert answer["sentence"] == opinion.sentence(z, case["label"], T, case["names"])
        ratio, nats = case["numbers"]
        written = [*map(numbers.percent, q.tolist()), numbers.temperature(T), numbers.ratio(ratio), numbers.nats(nats)]
        assert answer["written"] == written


def test_what_is_seen_is_what_soft_targets_says(server: Served, visitor: Open) -> None:
    page = visitor()
    for number, T in ((12, 3.3), (115, 0.05), (7, 100.0)):
        visit(page, f"{server.url}/?image={number}&T={T}")
        z, label = logits_of(number), int(data.load("digits").split("test").labels[number])
        for at in (T, 1.0, 20.0):
            if at != T:
                enter(page, str(at))
            seen = shown(page)
            assert seen["T"] == at
            expected = {"label": np.eye(10)[label], "at_one": softmax(z), "at_T": softmax(z, at)}
            assert set(seen["bars"]) == set(expected)
            for panel, shares in expected.items():
                np.testing.assert_allclose(seen["bars"][panel], shares, rtol=0, atol=1e-6)
            facts = [entropy(softmax(z, at)), kl(log_softmax(z, at), log_softmax(z)), np.log(10) - entropy(softmax(z, at))]
            np.testing.assert_allclose(seen["facts"], np.asarray(facts), rtol=0, atol=1e-6)
            assert seen["sentence"] == opinion.sentence(z, label, at, "0123456789").replace("**", "")
    # Step by step, too, at the same temperature.
    dial(page).locator("input[name=steps]").check()
    steps = shown(page)["bars"]
    for panel, values in {"logits": z, "divided": z / 20, "exponentiated": z / 20, "normalised": softmax(z, 20)}.items():
        np.testing.assert_allclose(steps[panel], values, rtol=0, atol=1e-6)


def enter(page: Page, text: str) -> None:
    entry = dial(page).locator("input.number")
    entry.fill(text)
    entry.press("Enter")


def test_no_temperature_breaks_it(server: Served, visitor: Open) -> None:
    page = visitor()
    visit(page, f"{server.url}/?image=12&T=3")
    root = dial(page)
    root.locator("summary").click()
    root.locator("input[name=log]").check()
    for steps in (False, True):
        root.locator("input[name=steps]").set_checked(steps)
        for key in ("Home", "End"):
            turn(page).press(key)
            text = shown(page)["text"]
            assert not re.search("NaN|Infinity|undefined|null", text), text
    # What is no temperature is one sentence, and the temperature stays.
    for nonsense in ("hot", "0", "1e9", ""):
        enter(page, nonsense)
        expect(root.get_by_role("alert")).to_have_text(re.compile("^T is a number from 0.05 to 100, not"))
        assert shown(page)["T"] == 100
    enter(page, "2,5")
    expect(root.get_by_role("alert")).to_be_hidden()
    assert shown(page)["T"] == 2.5


def test_keys_alone_turn_it(server: Served, visitor: Open) -> None:
    page = visitor()
    visit(page, f"{server.url}/?image=115&T=3")
    turn(page).focus()
    scale = galleries.SCALE
    at = scale.index(3.0)
    for key, T in (
        ("ArrowRight", scale[at + 1]), ("ArrowUp", scale[at + 2]), ("ArrowLeft", scale[at + 1]), ("PageUp", 5.0),
        ("PageDown", 2.0), ("Home", 0.05), ("End", 100.0), ("PageDown", 50.0),
    ):  # fmt: skip
        page.keyboard.press(key)
        until(lambda T=T: shown(page)["T"] == T, f"{key} turns it to {T:g}", 10)  # type: ignore[misc]
        assert turn(page).get_attribute("aria-valuetext") == f"T = {T:g}"
    expect(page).to_have_url(re.compile(r"[?&]T=50(&|$)"))
    # Whoever hears the page is told the main fact, once the keys rest.
    z = logits_of(115)
    second = int(np.argsort(-z, kind="stable")[1])
    said = f"{second} {numbers.percent(float(softmax(z, 50)[second]))} at T = 50, rank 2 of 10"
    expect(dial(page).locator("[aria-live=polite]")).to_have_text(said)
    # The focus is where it was, and the number, the marks and a term are reached by the Tab key.
    assert page.evaluate(FOCUSED) == "Temperature T"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert shown(page)["T"] == 1
    for _press in range(3):
        page.keyboard.press("Tab")
    assert page.evaluate(FOCUSED) == f"The term of {second}"
    page.keyboard.press("Home")
    assert page.evaluate(FOCUSED) == "The term of 0"
    assert dial(page).locator(".row.lit").get_attribute("data-class") == "0"


FOCUSED = """
() => {
  let at = document.activeElement
  while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement
  return at?.getAttribute("aria-label")
}
"""


def ensemble_follows(page: Page, members: np.ndarray, T: float) -> None:
    """Hold what the page shows of an ensemble at this moment against soft_targets.py: bars, table, and what is said of them."""
    root = page.locator(".ensemble")
    seen = root.evaluate(ENSEMBLE)
    assert seen["T"] == T
    for way, join in WAYS.items():
        np.testing.assert_allclose(seen["bars"][way], join(members, T), rtol=0, atol=1e-6)
    expected = []
    for number, z in enumerate(members, 1):
        second, first = np.argsort(z)[-2:]
        shares = [float(softmax(z)[first]), float(softmax(z, T)[first]), float(softmax(z, T)[second])]
        at_one, at_T, of_second = map(numbers.percent, shares)
        expected.append([str(number), str(first), at_one, at_T, str(second), of_second])
    assert seen["table"] == expected
    p = ensemble_arithmetic(members, T)
    first, second, third = np.argsort(-p, kind="stable")[:3]
    said = (
        f"mean of shares, at T = {T:g}: {first} {numbers.percent(float(p[first]))}, then {second} "
        f"{numbers.percent(float(p[second]))} and {third} {numbers.percent(float(p[third]))}."
    )
    assert said in seen["said"]


ENSEMBLE = """
root => ({
  T: Number(root.dataset.temperature),
  bars: Object.fromEntries(["arithmetic", "geometric", "tempered"].map(panel =>
    [panel, [...root.querySelectorAll(`[data-panel=${panel}] .bar`)].map(bar => Number(bar.dataset.value))])),
  table: [...root.querySelectorAll("tbody tr")].map(row => [...row.cells].map(cell => cell.textContent)),
  said: root.querySelector("p").textContent,
})
"""


def test_a_drag_is_drawn_at_once_and_python_hears_of_its_end(server: Served, visitor: Open) -> None:
    page = visitor()
    sent: list[Any] = []

    def listen(socket: WebSocket) -> None:
        socket.on("framesent", lambda frame: sent.append(frame))

    page.on("websocket", listen)
    visit(page, f"{server.url}/?teacher=cnn-x5&image=12&T=1")
    page.locator(".ensemble .row").first.wait_for()
    logits, members = logits_of(12, "cnn-x5"), members_of(12)
    ensemble_follows(page, members, 1.0)
    box = turn(page).bounding_box()
    assert box is not None
    y, inner = (
        box["y"] + box["height"] / 2,
        box["width"] - 36,
    )  # the knob's middle goes from 18 pixels to 18 pixels before the end
    start = box["x"] + 18 + inner * np.log(1 / 0.05) / np.log(2000)
    page.mouse.move(start, y)
    page.mouse.down()
    settled(page)
    before, url, temperatures = len(sent), page.url, []
    for step in range(1, 21):
        page.mouse.move(start + 8 * step, y)
        seen = shown(page)
        temperatures.append(seen["T"])
        np.testing.assert_allclose(seen["bars"]["at_T"], softmax(logits, seen["T"]), rtol=0, atol=1e-6)
        ensemble_follows(page, members, seen["T"])
    assert temperatures == sorted(set(temperatures)) and temperatures[-1] > 3
    assert (len(sent), page.url) == (before, url)  # not a word to the server
    page.mouse.up()
    expect(page).to_have_url(re.compile(rf"[?&]T={numbers.temperature(temperatures[-1])}(&|$)"))
    assert len(sent) > before
    settled(page)
    assert shown(page)["T"] == temperatures[-1]  # nor does the answer move it
    ensemble_follows(page, members, temperatures[-1])


def test_a_term_and_its_bars_light_up_together(server: Served, visitor: Open) -> None:
    page = visitor()
    visit(page, f"{server.url}/?image=12&T=3")
    root = dial(page)
    root.locator(".row[data-class='4']").hover()
    lit = root.locator(".lit")
    assert {one.get_attribute("data-class") for one in lit.all()} == {"4"}
    assert root.locator(".term.lit").count() == root.locator(".row.lit").count() == 1
    root.locator(".term[data-class='7']").click()
    assert root.locator(".row.lit").get_attribute("data-class") == "7"
    q = float(softmax(logits_of(12), 3.0)[7])
    shown_share = root.locator(".formula output").inner_text().translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"))
    assert float(shown_share.replace("×10", "e")) == pytest.approx(q, rel=6e-3)


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_it_plays(server: Served, visitor: Open, motion: Any) -> None:
    page = visitor()
    page.emulate_media(reduced_motion=motion)
    visit(page, f"{server.url}/?image=12&T=20")
    root = dial(page)
    root.evaluate("""root => {
      root.seen = new Set()
      new MutationObserver(() => root.seen.add(Number(root.dataset.temperature))).observe(root, { attributes: true })
    }""")
    root.get_by_role("button", name="Play").click()
    expect(page).to_have_url(re.compile(r"[?&]T=100(&|$)"))
    seen: list[float] = root.evaluate("root => [...root.seen]")
    if motion == "reduce":
        assert seen == [50, 100]
    else:
        assert seen == sorted(seen) and len(seen) > 5
    expect(root.get_by_role("button", name="Play")).to_be_visible()


@pytest.mark.parametrize("link", ["dataset=digits&teacher=cnn-x5", "dataset=digits&T=0.05"])
def test_a_finger_finds_everything_on_a_phone(server: Served, visitor: Open, link: str) -> None:
    page = visitor(width=390, height=844, locale="zh-TW")
    visit(page, f"{server.url}/?{link}")
    root = dial(page)
    for steps in (False, True):
        root.locator("input[name=steps]").set_checked(steps)
        root.locator("input[name=log]").set_checked(steps)
        for element in ("html", "[data-testid=stMain]", ".dial"):
            wide, there = page.locator(element).evaluate("element => [element.scrollWidth, element.clientWidth]")
            assert wide <= there <= 390, element
    small = root.evaluate("""root => [...root.querySelectorAll("button, input:not([type=checkbox]), label, summary")]
      .map(one => [one.outerHTML.slice(0, 80), one.getBoundingClientRect()])
      .filter(([_, box]) => box.width < 44 || box.height < 44).map(([html]) => html)""")
    assert not small
    # However far down one reads in it, the control is at hand.
    for part in (".row", ".formula"):
        root.locator(part).first.evaluate("part => part.scrollIntoView({ block: 'start' })")
        hit = """range => {
          const box = range.getBoundingClientRect()
          return range.getRootNode().elementFromPoint(box.left + box.width / 2, box.top + box.height / 2) === range
        }"""
        assert turn(page).evaluate(hit), part
