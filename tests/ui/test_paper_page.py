"""The page The paper, run as Streamlit runs it, with a store of its own; what the engine would do, the test does in its place."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from kdviz import experiments, i18n, worker
from kdviz.experiments import Experiment, lab
from kdviz.experiments.claims import bugs
from kdviz.misconceptions import MISCONCEPTIONS
from kdviz.spec import RunSpec
from kdviz.store import Store
from kdviz.ui import paper_state
from tests.results import result
from tests.sources import ROOT
from tests.ui.given import components

MAIN = ROOT / "kdviz" / "ui" / "main.py"
TINY: dict[str, Any] = {"student": "mlp-6", "fraction": 0.1, "seeds": 2, "epochs": 2}
NONSENSE = "x<script>alert(1)</script>]{}%"
pytestmark = [pytest.mark.filterwarnings("default"), pytest.mark.usefixtures("one_thread", "only_what_ships")]


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Experiment:
    """The ensemble's experiment, of digits, with students that take a moment and without a result that ships."""
    experiment = experiments.find("ensemble")
    parts = {name: {**TINY, "teacher": values["teacher"], "temperature": [8]} for name, values in experiment.quick.items()}
    small = replace(experiment, quick=parts)
    known = experiments.find
    monkeypatch.setattr(experiments, "find", lambda name: small if name == "ensemble" else known(name))
    recorded = experiments.recorded
    monkeypatch.setattr(experiments, "recorded", lambda name: None if name == "ensemble" else recorded(name))
    return small


def page(language: str = "en", **link: str) -> AppTest:
    at = AppTest.from_file(str(MAIN), default_timeout=120)
    at.context = {"locale": {"en": "en-GB", "zh_Hant": "zh-TW"}[language]}
    at.switch_page("app_pages/paper.py")
    for name, value in link.items():
        at.query_params[name] = value
    return seen(at.run())


def seen(at: AppTest) -> AppTest:
    """Return a page that was run; it must not have stumbled."""
    assert not at.exception
    return at


def press(at: AppTest, key: str) -> AppTest:
    return seen(at.button(key=key).click().run())


def keys(at: AppTest) -> set[str | None]:
    return {button.key for button in at.button}


def said(at: AppTest) -> str:
    groups: list[Any] = [at.header, at.markdown, at.caption, at.error, at.warning, at.info]
    return "\n".join(str(element.value) for group in groups for element in group)


def link_of(at: AppTest) -> Mapping[str, str]:
    """Return what the page's own button would copy."""
    return dict(components(at)["copy_link"]["link"])


def train(store: Store) -> None:
    """Train all runs that wait, as the engine's workers do."""
    while (claimed := store.claim()) is not None:
        worker.train_run(store.url, claimed.id, claimed.attempt)


def answer(store: Store) -> None:
    question = store.claim_question()
    assert question is not None and question.kind == "conclude"
    worker.answer_question(store.url, question.id, question.attempt)


# The claims


@pytest.mark.parametrize("language", list(i18n.LANGUAGES))
def test_every_claim_is_a_button_with_its_question(language: str) -> None:
    at = page(language)
    assert [key for key in map(str, (button.key for button in at.button)) if key.startswith("claim_")] == [
        f"claim_{name}" for name in experiments.names()
    ]
    text = said(at)
    for name in experiments.names():
        i18n.use(language)
        question = i18n._(experiments.find(name).question, **experiments.find(name).fields)
        i18n.use("en")
        assert question in text
    assert not link_of(at).keys() & {"experiment", "predicted", "bug"}


@pytest.mark.parametrize("name", experiments.names())
def test_nothing_of_a_result_stands_there_before_the_reader_has_said_what_they_expect(name: str) -> None:
    at = page(experiment=name)
    experiment = experiments.find(name)
    offered = {f"predict_{outcome}" for outcome in experiment.predictions if outcome != "unknown"} | {"predict_skipped"}
    assert {key for key in keys(at) if str(key).startswith("predict_")} == offered
    record = experiments.recorded(name)
    if record is not None and name != paper_state.LAB:
        assert not any(one["text"] in said(at) for one in record["verdict"])
    assert "paper_run" not in keys(at) and "What came out" not in said(at) and not at.get("plotly_chart")
    assert i18n._(experiment.question, **experiment.fields) in said(at)
    press(at, "predict_skipped")
    assert at.query_params["predicted"] == "skipped" and "predicted" not in link_of(at)
    assert ("What came out" in said(at)) == (record is not None)
    assert not {outcome for outcome in experiment.predictions if outcome == paper_state.NOTHING}


def test_a_committed_result_stands_beside_what_was_expected_with_what_made_it() -> None:
    record = experiments.recorded("misconceptions")
    assert record is not None
    experiment = experiments.find("misconceptions")
    wrong = next(outcome for outcome in experiment.predictions if outcome != record["outcome"])
    at = press(page(experiment="misconceptions"), f"predict_{wrong}")
    text = said(at)
    assert f"You expected: {experiment.predictions[wrong]}" in text
    assert f"What came out: {experiment.predictions[record['outcome']]}" in text
    made = record["made"]
    for part in (made["date"], made["processor"], made["versions"]["torch"], *(s[:12] for s in made["teacher_sha256"].values())):
        assert part in text
    assert "no_t_squared" not in text and "T² left out harms at T = 32" in text
    at = press(page(experiment="misconceptions"), f"predict_{record['outcome']}")
    assert f"You expected, and so it came out: {experiment.predictions[record['outcome']]}" in said(at)


@pytest.mark.parametrize("language", list(i18n.LANGUAGES))
@pytest.mark.parametrize("name", experiments.names())
def test_every_result_stands_on_the_page(name: str, language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    full = result(name, "full")
    monkeypatch.setattr(experiments, "recorded", lambda asked: result(asked, "full"))
    at = page(language, experiment=name, predicted="skipped")
    text = said(at)
    i18n.use(language)
    came = i18n._(experiments.find(name).predictions[full["outcome"]])
    i18n.use("en")
    assert came in text and "2015-03-09" in text and ("Full form" in text) == (language == "en")
    assert at.get("plotly_chart") or "bias_curve" in components(at)
    rows = len(experiments.find(name).paper)
    assert any(len(table.value) >= rows for table in at.table) or not rows


def test_the_bias_is_told_to_the_browser_with_what_stands_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experiments, "recorded", result)
    at = page(experiment="mythical-3", predicted="few")
    given = components(at)["bias_curve"]
    measured = result("mythical-3")["measured"]
    assert given["curve"] == measured["curve"] and given["words"]["classes"] == "3"
    assert [mark["bias"] for mark in given["marks"]] == [
        measured["rows"][name]["bias"]["mean"] for name in ("before", "papers", "matched", "best_on_test")
    ]
    assert "best on the test images" in given["marks"][3]["label"] and "chosen with the labels that judge it" in said(at)
    (pictures,) = at.get("image")
    assert [picture.caption.partition(",")[0] for picture in pictures.proto.imgs] == [
        f"{source['label']}" for source in measured["sources"]
    ]


def test_the_way_on_and_back_keeps_what_was_expected() -> None:
    at = press(page(), "claim_mnist-table")
    press(at, "predict_helps")
    press(at, "paper_next")
    assert at.query_params["experiment"] == "temperature-by-width" and "predicted" not in at.query_params
    press(at, "paper_all")
    assert "experiment" not in at.query_params
    assert at.button(key="claim_mnist-table").icon and not at.button(key="claim_mythical-3").icon
    press(at, "claim_mnist-table")
    assert at.query_params["predicted"] == "helps"


def test_only_what_was_predicted_carries_a_tick() -> None:
    at = press(press(page(), "claim_mnist-table"), "predict_skipped")
    assert not press(at, "paper_all").button(key="claim_mnist-table").icon


@pytest.mark.parametrize(
    ("link", "sentence"),
    [
        ({"experiment": NONSENSE}, "unknown experiment"),
        ({"experiment": "mnist-table", "predicted": NONSENSE}, "unknown prediction"),
        ({"experiment": "misconceptions", "bug": NONSENSE}, "unknown bug"),
    ],
)
def test_a_hostile_link_is_one_sentence(link: dict[str, str], sentence: str) -> None:
    at = page(**link)
    (warning,) = at.warning
    assert sentence in warning.value and "the page shows its own choice instead" in warning.value


# Run here


def test_an_experiment_is_run_here_and_its_result_is_found_again(store: Store, tiny: Experiment) -> None:
    at = press(page(experiment="ensemble"), "predict_neither")
    assert "No result of this experiment ships with kdviz" in said(at)
    press(at, "paper_run")
    assert [run.spec for run in reversed(store.runs())] == list(tiny.specs(full=False).values())
    assert "paper_run" not in keys(at) and "paper_stop_all" in keys(at)
    assert "Run 1 of 2" in said(at) and "live_curves" in components(at)
    train(store)
    seen(at.run())
    assert "The verdict of the runs that are done is being computed" in said(at)
    answer(store)
    seen(at.run())
    text = said(at)
    assert "came out" in text and "run on this machine on" in text and "2 seeds" in text
    assert at.table and at.get("plotly_chart")
    # In another session, once something is expected, the same result stands there.
    again = page(experiment="ensemble", predicted="helps")
    assert "run on this machine on" in said(again) and "paper_run" in keys(again)
    assert again.button(key="paper_run").label == "Run it again"
    # Where one ships too, the reader's own stands there first.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(experiments, "recorded", lambda name: result(name, "full"))
        seen(again.run())
        assert "run on this machine on" in said(again)
        again.segmented_control(key="paper_which_ensemble").select("as it ships with kdviz")
        assert "Full form, as it ships" in said(seen(again.run()))
    seen(again.run())
    # While it is run again, the result stays; when its runs are deleted, it goes.
    press(again, "paper_run")
    assert "run on this machine on" in said(again) and len(store.runs()) == 4
    for run in store.runs():
        store.delete(run.id)
    seen(again.run())
    assert "run on this machine on" not in said(again)


def test_what_is_stopped_goes_on_or_starts_over(store: Store, tiny: Experiment) -> None:
    at = page(experiment="ensemble", predicted="skipped")
    press(at, "paper_run")
    press(at, "paper_stop_all")
    assert {run.state for run in store.runs()} == {"stopped"}
    assert any(str(key).startswith("resume_") for key in keys(at)) and "paper_over" in keys(at)
    press(at, next(str(key) for key in keys(at) if str(key).startswith("resume_")))
    assert sorted(run.state for run in store.runs()) == ["queued", "stopped"]
    for run in store.runs():
        store.request_stop(run.id)
    press(seen(at.run()), "paper_resume_all")
    assert {run.state for run in store.runs()} == {"queued"} and len(store.runs()) == 2


def test_a_whole_class_that_presses_the_button_starts_it_once(store: Store, tiny: Experiment) -> None:
    readers = [page(experiment="ensemble", predicted="skipped") for _ in range(3)]
    for reader in readers:
        press(reader, "paper_run")
    assert len(store.runs()) == 2
    train(store)
    press(page(experiment="ensemble", predicted="skipped"), "paper_run")  # "Run it again"
    assert len(store.runs()) == 4


def test_while_one_part_is_run_again_the_result_of_those_that_are_done_stays(store: Store, tiny: Experiment) -> None:
    at = press(page(experiment="ensemble", predicted="skipped"), "paper_run")
    train(store)
    seen(at.run())
    answer(store)
    press(seen(at.run()), "paper_run")
    claimed = store.claim()
    assert claimed is not None
    worker.train_run(store.url, claimed.id, claimed.attempt)
    seen(at.run())
    answer(store)
    seen(at.run())
    assert "run on this machine on" in said(at) and "paper_run" not in keys(at)


def test_a_reader_can_be_asked_again(store: Store) -> None:
    at = page(experiment="misconceptions", predicted="most")
    assert "came out: More than half" in said(at)
    press(at, "paper_forget")
    assert "came out: More than half" not in said(at) and "predict_most" in keys(at)


def test_a_result_that_cannot_be_computed_says_why(store: Store, tiny: Experiment, monkeypatch: pytest.MonkeyPatch) -> None:
    at = page(experiment="ensemble", predicted="skipped")
    press(at, "paper_run")
    train(store)
    seen(at.run())
    monkeypatch.setattr(store.__class__, "outcome", lambda self, run_id, student: None)
    answer(store)
    seen(at.run())
    assert "The result of the runs here could not be computed" in "".join(error.value for error in at.error)


def test_an_experiment_whose_images_are_not_here_offers_to_fetch_them() -> None:
    at = page(experiment="kdtf-table", predicted="skipped")
    assert "prepare_mnist_button" in keys(at) and "paper_run" not in keys(at)


# The lab


@pytest.mark.parametrize("bug", MISCONCEPTIONS)
def test_each_bug_shows_its_two_lines_and_asks_first(bug: str) -> None:
    at = page(experiment="misconceptions", bug=bug)
    one = MISCONCEPTIONS[bug]
    assert [code.value for code in at.code][:2] == [one.wrong, one.right]
    assert one.claim in said(at) and all(source in said(at) for source in one.sources)
    assert "lab_run" not in keys(at) and {"bug_harms", "bug_neither", "bug_helps", "bug_skipped"} <= keys(at)
    press(at, "bug_harms")
    assert "lab_run" in keys(at) and f"Where it shows: {one.tells}" in said(at)
    record = experiments.recorded("misconceptions")
    assert record is not None
    row = lab.committed(bug, record)
    assert row is not None
    outcome, _said = lab.verdict(row)
    came = "You expected, and so it came out" if outcome == "harms" else "What came out"
    assert f"{came}: {lab.EXPECTED[outcome]}" in said(at)


def test_a_choice_made_in_another_language_is_the_same_choice() -> None:
    at = page(experiment="misconceptions", bug="mse_of_softmaxes")
    at.session_state["language"] = "zh_Hant"
    assert next(code.value for code in seen(at.run()).code) == MISCONCEPTIONS["mse_of_softmaxes"].wrong


def test_a_bug_is_run_against_the_right_loss(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab, "OF_DIGITS", {**TINY, "teacher": "cnn"})
    at = press(page(experiment="misconceptions", bug="no_t_squared"), "bug_harms")
    assert "mnist is not on this machine: this bug is run on digits instead" in said(at)
    press(at, "lab_run")
    (run,) = store.runs()
    assert isinstance(run.spec, RunSpec) and run.spec.loss == ("right", "no_t_squared") and run.spec.temperature == (32.0,)
    assert "lab_run" not in keys(at)
    train(store)
    seen(at.run())
    finished = store.run(run.id)
    assert finished is not None and finished.result is not None
    outcome, sentence = lab.verdict(lab.row("no_t_squared", finished.result))
    assert lab.EXPECTED[outcome] in said(at) and "Run on this machine: digits" in said(at)
    press(at, "lab_run")
    again = store.newest(run.spec)
    assert again is not None and again.id != run.id
    store.request_stop(again.id)
    seen(at.run())  # a bug's run that was stopped leaves room for the experiment below it
    assert {"lab_over", f"resume_{again.id}", "predict_most"} <= keys(at)
    press(at, "lab_over")
    assert len(store.runs()) == 3
    assert sentence.fields["points"] in said(at)


def test_a_bugs_row_is_that_of_the_experiment() -> None:
    """The run of a bug alone, and the same students among those of all bugs, are measured alike."""
    from kdviz import run

    spec = RunSpec.from_dict({**TINY, "loss": ["right", "no_t_squared"], "temperature": [8], "seeds": 3})
    prepared = run.prepare(spec)
    *_, last = prepared.training()
    own = json.loads(json.dumps(run.result(prepared, last)))
    logits = last.test_logits().float().numpy()
    part = experiments.Part(spec, own, logits, prepared.judges.test_labels.numpy())
    (measured,) = bugs._measure({"one": part})["rows"]
    row = lab.row("no_t_squared", own)
    for name in ("harm", "gain_of_right", "gain_of_wrong"):
        assert {key: row[name][key] for key in ("mean", "low", "high")} == pytest.approx(
            {key: measured[name][key] for key in ("mean", "low", "high")}
        )


def test_confused_classes_are_named_in_the_readers_language() -> None:
    text = said(page("zh_Hant", experiment="specialists", predicted="skipped"))
    i18n.use("zh_Hant")
    assert f"{i18n._('airplane')}、{i18n._('ship')}" in text and "airplane" not in text


def test_another_digit_may_be_left_out() -> None:
    at = page(experiment="mythical-3", predicted="few")
    assert at.pills(key="paper_kind").value == "3"
    at.pills(key="paper_kind").set_value("7")
    seen(at.run())
    text = said(at)
    assert at.query_params["experiment"] == "mythical-3-without-7" and "predicted" not in at.query_params
    assert "A student is shown no 7" in text and "3 of 13" in text and "What came out" not in text
    press(at, "predict_many")
    assert "No result of this experiment ships with kdviz: run it here." in said(at)
    press(at, "paper_next")
    assert at.query_params["experiment"] == "only-7-and-8" and "paper_kind" not in keys(at)


@pytest.mark.parametrize("language", list(i18n.LANGUAGES))
def test_beside_another_digit_stands_no_figure_of_the_paper(language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experiments, "recorded", lambda name: result(name, "full"))
    at = page(language, experiment="mythical-3-without-7", predicted="skipped")
    given = components(at)["bias_curve"]
    assert [mark["bias"] for mark in given["marks"]] == [
        result("mythical-3-without-7")["measured"]["rows"][name]["bias"]["mean"] for name in ("before", "matched", "best_on_test")
    ]
    (table,) = [table.value for table in at.table if len(table.value) == 3]
    assert table.shape == (3, 2)  # what, and here: there is nothing found elsewhere
    i18n.use(language)
    assert i18n._("The paper left out the 3 alone: for another digit there is nothing to compare with.") in said(at)
    assert "109" not in said(at) and "+3.5" not in said(at)
