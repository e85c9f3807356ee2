"""The Distill page, run as Streamlit runs it, with a store of its own and no engine: what it shows is what the store has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from kdviz import i18n, presets, settings, stats
from kdviz.errors import InvalidValue, UserError
from kdviz.i18n import N_
from kdviz.spec import KNOBS, RunSpec
from kdviz.store import Store, open_store
from tests.sources import ROOT

MAIN = ROOT / "kdviz" / "ui" / "main.py"
LANGUAGES = list(i18n.LANGUAGES)
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(autouse=True)
def only_what_ships(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDVIZ_DATA", str(tmp_path))


@pytest.fixture
def store() -> Store:
    """The store that the page opens."""
    return open_store(settings.store_url())


def page(language: str = "en", **link: str) -> AppTest:
    at = AppTest.from_file(str(MAIN), default_timeout=120)
    at.context = {"locale": {"en": "en-GB", "zh_Hant": "zh-TW"}[language]}
    at.run()
    at.switch_page("app_pages/distill.py")
    for name, value in link.items():
        at.query_params[name] = value
    return seen(at.run())


def seen(at: AppTest) -> AppTest:
    """Return a page that was run; it must not have stumbled."""
    assert not at.exception
    return at


def said(at: AppTest) -> str:
    """Return the sentences of a page, but for its labels."""
    groups: list[Any] = [at.title, at.subheader, at.markdown, at.caption, at.error, at.warning, at.info]
    return "\n".join(str(element.value) for group in groups for element in group)


def points(at: AppTest) -> dict[str, int]:
    """Return how many points each curve has, by name."""
    figure = json.loads(at.get("plotly_chart")[0].proto.spec)
    return {trace["name"]: len(trace["x"]) for trace in figure["data"] if trace["mode"] == "lines+markers"}


def verdict(result: dict[str, Any], language: str = "en") -> str:
    comparison = result["comparisons"][0]
    known = {name: comparison[name] for name in ("mean", "low", "high", "verdict", "seeds", "seeds_better")}
    i18n.use(language)
    words = stats.sentence(stats.Difference(**known))
    i18n.use("en")
    return words


def claimed(store: Store, spec: RunSpec, of: str = "all-images", evaluations: int | None = None) -> str:
    """Put a run that a worker is training into the store, with a record's points, all of them or the first evaluations."""
    run_id = store.add_run(spec)
    run = store.claim()
    assert run is not None and run.id == run_id
    record = presets.record(of)
    steps = sorted({point["step"] for point in record["points"]})[:evaluations]
    if steps:
        kept = [point for point in record["points"] if point["step"] in steps]
        store.write(run_id, 1, kept, steps[-1], record["points"][-1]["step"])
    return run_id


def done(store: Store, preset: str = "all-images") -> str:
    """Put a finished run into the store: that of a preset's record."""
    run_id = claimed(store, presets.PRESETS[preset].spec, preset)
    store.finish(run_id, 1, "done", presets.record(preset)["result"])
    return run_id


@pytest.mark.parametrize("language", LANGUAGES)
def test_first_paint_shows_the_recorded_run(language: str, store: Store) -> None:
    at = page(language)
    first = next(iter(presets.PRESETS))
    assert verdict(presets.record(first)["result"], language) in said(at)
    assert set(points(at).values()) == {17}
    assert presets.record(first)["made"]["date"] in said(at)
    assert not at.button(key="start").disabled
    assert not at.error and not at.warning
    assert not store.runs()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("preset", presets.PRESETS)
def test_a_preset_sets_every_knob_and_shows_its_record(preset: str, language: str) -> None:
    at = page(language)
    seen(at.button(key=f"preset_{preset}").click().run())
    chosen = presets.PRESETS[preset]
    for name in KNOBS:
        shown, wanted = at.session_state[f"spec_{name}"], getattr(chosen.spec, name)
        assert shown == (", ".join(f"{value:g}" for value in wanted) if isinstance(wanted, tuple) else wanted), name
    held_out = presets.record(preset, on_validation=True)["result"]["comparisons"][0]
    assert f"{100 * held_out['mean']:+.1f}" in said(at)  # the reason, with what was found on validation images
    assert verdict(presets.record(preset)["result"], language) in said(at)


@pytest.mark.parametrize(
    ("name", "wrong", "named"),
    [
        ("temperature", "hot", "'hot'"),
        ("temperature", "0", "'0'"),
        ("temperature", "-1", "'-1'"),
        ("temperature", "nan", "'nan'"),
        ("temperature", "1e9", "'1e9'"),
        ("temperature", "4, hot", "'hot'"),
        ("temperature", "", "temperature"),
        ("classes_left_out", "10", "10"),
        ("classes_left_out", "seven", "'seven'"),
        ("classes_left_out", "0,1,2,3,4,5,6,7,8,9", "all"),
        ("soft_weight", 0.0, "0"),
        ("temperature", "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16", "128"),
    ],
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_wrong_settings_are_one_sentence_and_no_start(name: str, wrong: Any, named: str, language: str, store: Store) -> None:
    at = page(language)
    right = at.session_state[f"spec_{name}"]
    at.session_state[f"spec_{name}"] = wrong
    if name == "soft_weight":
        at.session_state["spec_hard_weight"] = 0.0
    seen(at.run())
    assert len(at.error) == 1
    if language == "en" or named.startswith("'"):
        assert named in at.error[0].value
    assert any("一" <= letter <= "鿿" for letter in at.error[0].value) == (language == "zh_Hant")
    assert at.button(key="start").disabled
    assert set(points(at).values()) == {17}  # the page goes on showing what it showed
    at.session_state[f"spec_{name}"] = right
    seen(at.run())
    assert not at.error
    assert not at.button(key="start").disabled
    assert not store.runs()


def test_full_width_commas_separate_temperatures() -> None:
    at = page("zh_Hant")
    at.session_state["spec_temperature"] = "2，8"
    seen(at.run())
    assert not at.error


def test_start_puts_a_run_into_the_queue_and_its_id_into_the_link(store: Store) -> None:
    at = page()
    at.session_state["spec_temperature"] = "2, 8"
    at.session_state["spec_seeds"] = 3
    seen(at.run())
    seen(at.button(key="start").click().run())
    (run,) = store.runs()
    assert (run.state, run.spec.temperature, run.spec.seeds) == ("queued", (2.0, 8.0), 3)
    assert at.query_params["run"] in (run.id, [run.id])
    assert points(at) == {"hard labels": 0, "distilled, T = 2": 0, "distilled, T = 8": 0}
    assert at.button(key="start").disabled  # one at a time
    assert "engine is starting" in at.get("progress")[0].proto.text
    # A run that waits stops at once.
    seen(at.button(key=f"stop_{run.id}").click().run())
    assert [run.state for run in store.runs()] == ["stopped"]
    assert "stopped at step 0" in said(at)
    assert not at.button(key="start").disabled


def test_a_link_opens_a_run_with_its_settings(store: Store) -> None:
    run_id = done(store)
    at = page(run=run_id)
    assert verdict(presets.record("all-images")["result"]) in said(at)
    assert points(at) == {"hard labels": 17, "distilled, T = 4": 17}
    assert at.session_state["spec_student"] == "mlp-30-30"
    assert not at.warning


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_link_to_no_run_is_one_sentence(language: str) -> None:
    at = page(language, run="nonsense")
    assert len(at.warning) == 1
    assert "'nonsense'" in at.warning[0].value
    assert "run" not in at.query_params
    assert not at.button(key="start").disabled


def test_a_run_in_training_shows_how_far_it_is(store: Store) -> None:
    run_id = claimed(store, RunSpec(), evaluations=4)
    at = page(run=run_id)
    assert points(at) == {"hard labels": 4, "distilled, T = 4": 4}
    step, steps = (sorted({point["step"] for point in presets.record("all-images")["points"]})[place] for place in (3, -1))
    assert at.get("progress")[0].proto.text.startswith(f"step {step:,} of {steps:,}, about ")
    seen(at.button(key=f"stop_{run_id}").click().run())
    run = store.run(run_id)
    assert run is not None and run.stop_requested and run.state == "running"
    assert at.button(key=f"stop_{run_id}").disabled
    store.finish(run_id, 1, "stopped")
    seen(at.run())
    assert f"stopped at step {step}" in said(at).replace(",", "")
    assert points(at) == {"hard labels": 4, "distilled, T = 4": 4}


ERRORS: list[UserError] = [
    InvalidValue(N_("KDVIZ_WORKERS must be a whole number from 1 to 64, got {given}"), given="'many'"),
    UserError(N_("the memory of this machine did not suffice: use fewer or smaller students")),
]


@pytest.mark.parametrize("error", ERRORS, ids=str)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_failed_run_says_why_and_keeps_its_points(language: str, error: UserError, store: Store) -> None:
    run_id = claimed(store, RunSpec(), evaluations=5)
    store.finish(run_id, 1, "failed", error=error)
    at = page(language, run=run_id)
    i18n.use(language)
    reason = error.translated()
    i18n.use("en")
    assert len(at.error) == 1
    assert reason in at.error[0].value
    assert set(points(at).values()) == {5}
    assert sum(reason in str(caption.value) for caption in at.caption) == 1  # and in the list of runs
    assert not at.button(key="start").disabled


def test_a_run_whose_teacher_has_gone_can_still_be_looked_at(store: Store) -> None:
    at = page(run=claimed(store, RunSpec(teacher="nobody"), evaluations=3))
    assert points(at) == {"hard labels": 3, "distilled, T = 4": 3}


def test_a_run_of_one_seed_has_no_verdict(store: Store) -> None:
    result = json.loads(json.dumps(presets.record("all-images")["result"]))
    result["comparisons"][0].update(low=None, high=None, verdict=None, seeds=1, seeds_better=1)
    result["students"] = [student for student in result["students"] if student["seed"] == 0]
    run_id = claimed(store, RunSpec(seeds=1))
    store.finish(run_id, 1, "done", result)
    at = page(run=run_id)
    assert "train more seeds" in said(at)
    table = at.dataframe[0].value
    assert "±" not in table.to_string()


def test_the_table_says_what_the_result_says(store: Store) -> None:
    at = page(run=done(store))
    table, result = at.dataframe[0].value, presets.record("all-images")["result"]
    assert list(table["network"]) == ["teacher (cnn)", "hard labels", "distilled, T = 4"]
    assert table["accuracy"][0] == f"{result['teacher']['accuracy']:.2%}"
    for row, condition in ((1, "hard_labels"), (2, "distilled")):
        accuracies = [student["accuracy"] for student in result["students"] if student["condition"] == condition]
        assert table["accuracy"][row].startswith(f"{sum(accuracies) / len(accuracies):.2%} ± ")
    assert table["parameters"][1] == f"{result['students'][0]['parameters']:,}"


def test_runs_are_listed_opened_renamed_overlaid_and_deleted(store: Store) -> None:
    few, all_images = done(store, "few-labels"), done(store)
    at = page()
    assert [button.label for button in at.button if str(button.key).startswith("open_")] == [
        "digits, teacher cnn, student mlp-30-30, T = 4, 5 seeds, 100 epochs",
        "digits (0.1 of the images), teacher cnn, student mlp-100, T = 8, 8 seeds, 400 epochs",
    ]
    seen(at.button(key=f"open_{all_images}").click().run())
    assert at.query_params["run"] in (all_images, [all_images])
    seen(at.text_input(key=f"name_{few}").input("  a tenth  ").run())
    assert [run.name for run in store.runs()] == ["", "a tenth"]
    assert at.button(key=f"open_{few}").label == "a tenth"
    seen(at.checkbox(key=f"overlay_{few}").check().run())
    assert points(at) == {
        "hard labels": 17,
        "distilled, T = 4": 17,
        "a tenth: hard labels": 17,
        "a tenth: distilled, T = 8": 17,
    }
    seen(at.button(key=f"delete_{few}").click().run())
    assert [run.id for run in store.runs()] == [all_images]
    assert points(at) == {"hard labels": 17, "distilled, T = 4": 17}
    seen(at.button(key=f"delete_{all_images}").click().run())
    assert not store.runs()
    assert "run" not in at.query_params
    assert "No runs yet" in said(at)
    assert verdict(presets.record(next(iter(presets.PRESETS)))["result"]) in said(at)


def test_many_runs_fold(store: Store) -> None:
    for _ in range(10):
        store.request_stop(store.add_run(RunSpec()))
    at = page()
    assert [expander.label for expander in at.expander] == ["Settings", "Older runs (2)"]


def test_data_that_is_not_there_is_one_sentence_and_a_way_on(store: Store) -> None:
    at = page()
    seen(at.button(key="preset_mnist-few-images").click().run())
    assert len(at.info) == 1
    assert "mnist" in at.info[0].value
    assert not [button for button in at.button if button.key == "start"]
    seen(at.button(key="prepare_mnist_button").click().run())
    question = store.claim_question()
    assert question is not None and (question.kind, question.payload) == ("prepare", {"dataset": "mnist"})
    assert "waiting for the engine" in at.get("progress")[0].proto.text
    store.answer(question.id, 1, progress={"stage": "download", "share": 0.5})
    seen(at.run())
    assert (at.get("progress")[0].proto.value, at.get("progress")[0].proto.text) == (50, "downloading")
    store.answer(question.id, 1, error=UserError(N_("the memory of this machine did not suffice: use fewer or smaller students")))
    store.answer(question.id, 1, state="failed")
    seen(at.run())
    assert ["the memory of this machine" in error.value for error in at.error] == [True]
    assert at.button(key="prepare_mnist_button")


def test_a_store_that_cannot_be_opened_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDVIZ_STORE", "postgresql+nothing://nowhere/kdviz")
    at = page()
    assert len(at.error) == 1
    assert "KDVIZ_STORE" in at.error[0].value


def test_replay_shows_the_record_again_from_its_beginning() -> None:
    at = page()
    seen(at.button(key="replay").click().run())
    assert all(count < 17 for count in points(at).values())
    assert at.get("progress")
