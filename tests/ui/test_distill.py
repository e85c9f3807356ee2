"""The Distill page, run as Streamlit runs it, with a store of its own and no engine: what it shows is what the store has."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from kdviz import i18n, knobs, pace, presets, stats
from kdviz.errors import InvalidValue, UserError
from kdviz.figures import curves
from kdviz.i18n import N_
from kdviz.spec import KNOBS, RunSpec
from kdviz.store import State, Store
from tests.sources import ROOT
from tests.ui.given import components

MAIN = ROOT / "kdviz" / "ui" / "main.py"
LANGUAGES = list(i18n.LANGUAGES)
FIRST = next(iter(presets.PRESETS))
SWEEP = "temperature-by-width"
COUNTED = {"helps": "helps", "harms": "harms", "neither": "no visible difference"}
pytestmark = [pytest.mark.filterwarnings("default"), pytest.mark.usefixtures("only_what_ships")]


def page(language: str = "en", **link: str) -> AppTest:
    i18n.use(language)
    at = AppTest.from_file(str(MAIN), default_timeout=120)
    at.context = {"locale": {"en": "en-GB", "zh_Hant": "zh-TW"}[language]}
    at.run()
    at.switch_page("app_pages/distill.py")
    at.session_state["settings"] = True  # the form is made when its expander is open
    for name, value in link.items():
        at.query_params[name] = value
    return seen(at.run())


def seen(at: AppTest) -> AppTest:
    """Return a page that was run; it must not have stumbled."""
    assert not at.exception
    return at


def said(at: AppTest) -> str:
    """Return the sentences of a page, but for its labels."""
    groups: list[Any] = [at.title, at.header, at.markdown, at.caption, at.error, at.warning, at.info]
    return "\n".join(str(element.value) for group in groups for element in group)


def figures(at: AppTest) -> list[dict[str, Any]]:
    return [json.loads(chart.proto.spec) for chart in at.get("plotly_chart")]


def told(at: AppTest) -> dict[str, Any]:
    """Return what the browser is told of a run: its points, how far it is, how it is drawn."""
    (content,) = (content for name, content in components(at).items() if name.startswith("live_"))
    return dict(content)


def points(at: AppTest) -> dict[str, int]:
    """Return how many evaluations each curve has, by name."""
    content = told(at)
    rows = {run["id"]: [dict(zip(content["columns"], row, strict=True)) for row in run["points"]] for run in content["runs"]}
    return {
        one["line"]["name"]: len(curves.curve(curves.Series("distilled", "", "", one["students"]), rows[one["run"]]).mean)
        for one in content["frame"]["series"]
    }


def evaluations(preset: str) -> int:
    """Return how often the students of a preset's record were judged."""
    return len({point["step"] for point in presets.record(preset)["points"]})


def turn_to(at: AppTest, side: str, language: str = "en") -> AppTest:
    """Go to the other side of the page. What AppTest tells the page is the label, made here, outside the page's language."""
    i18n.use(language)
    at.segmented_control(key="distill_kind").select(side).run()
    i18n.use("en")
    return seen(at)


def choose(at: AppTest, preset: str, language: str = "en") -> AppTest:
    """Go to a preset as a reader does: to its side of the page, then to its button."""
    if presets.PRESETS[preset].sweep:
        turn_to(at, "sweep", language)
        i18n.use(language)  # the label of the side is told again
        at.button(key=f"preset_{preset}").click().run()
        i18n.use("en")
        return seen(at)
    return seen(at.button(key=f"preset_{preset}").click().run())


def verdict(result: dict[str, Any], language: str = "en") -> str:
    comparison = result["comparisons"][0]
    known = {name: comparison[name] for name in ("mean", "low", "high", "verdict", "seeds", "seeds_better")}
    i18n.use(language)
    words = stats.sentence(stats.Difference(**known))
    i18n.use("en")
    return words


def translated(language: str, message: str, **fields: object) -> str:
    i18n.use(language)
    text = i18n._(message, **fields)
    i18n.use("en")
    return text


def heading(result: dict[str, Any], language: str = "en") -> str:
    """Return in how many cells a sweep helps and harms, counted from its verdicts."""
    verdicts = [comparison["verdict"] for comparison in result["comparisons"]]
    counts = {name: verdicts.count(verdict) for name, verdict in COUNTED.items()}
    return translated(
        language,
        "Of {cells} settings distillation helps in {helps}, harms in {harms}, and in {neither} no difference is visible.",
        cells=len(verdicts), **counts,
    )  # fmt: skip


def cells(at: AppTest, weight: int | None = None) -> dict[tuple[int, int], str]:
    """Return what the map says, by column and row, all or what is that bold; a cell without points is left out."""
    found: dict[tuple[int, int], str] = {}
    for trace in figures(at)[0]["data"]:
        assert trace["type"] == "heatmap"
        if weight not in (None, trace["textfont"]["weight"]):
            continue
        for row, line in enumerate(trace["text"]):
            found |= {(column, row): text.strip("\u200b") for column, text in enumerate(line) if text.strip("\u200b·")}
    return found


def differences(result: dict[str, Any], across: int) -> dict[tuple[int, int], str]:
    """Return what the map of a finished sweep should say whose columns are the inner loop of its settings."""
    written = [f"{100 * comparison['mean']:+.1f}".replace("-", "−") for comparison in result["comparisons"]]
    return {(n % across, n // across): text if text.strip("+−0.") else text[1:] for n, text in enumerate(written)}


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
    assert verdict(presets.record(FIRST)["result"], language) in said(at)
    assert set(points(at).values()) == {evaluations(FIRST)}
    assert presets.record(FIRST)["made"]["date"] in said(at)
    assert not at.button(key="start").disabled
    assert not at.error and not at.warning
    assert not store.runs()


def test_a_record_of_other_settings_says_whose_it_is(store: Store) -> None:
    at = page(seeds="3", student="linear")
    note = f"There is no recorded run of these settings. The one below is of “{presets.PRESETS[FIRST].title}”: "
    summary = "digits (0.1 of the images), teacher cnn, student mlp-100, T = 8, 8 seeds, 400 epochs."
    assert f"{note}{summary}" in said(at) and "Start trains the same" not in said(at)
    choose(at, "all-images")  # settings that were recorded
    assert "There is no recorded run" not in said(at) and "Start trains the same students here." in said(at)
    seen(at.number_input(key="spec_seeds").set_value(2).run())
    assert "There is no recorded run" in said(at) and "“All images”" in said(at)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("preset", presets.PRESETS)
def test_a_preset_sets_every_knob_and_shows_its_record(preset: str, language: str) -> None:
    at = choose(page(language), preset, language)
    chosen = presets.PRESETS[preset]
    for name in KNOBS:
        shown, wanted = at.session_state[f"spec_{name}"], getattr(chosen.spec, name)
        if name == "student" or knobs.of_names(KNOBS[name]):
            assert tuple(shown) == wanted
        else:
            assert shown == (", ".join(f"{value:g}" for value in wanted) if isinstance(wanted, tuple) else wanted), name
    if chosen.sweep:
        assert translated(language, chosen.reason) in said(at)
        assert heading(presets.record(preset)["result"], language) in said(at)
        return
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
        ("soft_weight", "0", "0"),
        ("soft_weight", "0, -1", "'-1'"),
        ("soft_weight", "", "soft weight"),
        ("fraction", "2", "'2'"),
        ("fraction", "0.5, much", "'much'"),
        ("student", ["mlp-30", "mlp-x"], "'mlp-x'"),
        ("student", [], "student"),
        ("temperature", ",".join(f"{T / 2:g}" for T in range(1, 201)), "at most 1024 students"),
    ],
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_wrong_settings_are_one_sentence_and_no_start(name: str, wrong: Any, named: str, language: str, store: Store) -> None:
    at = page(language)
    right = at.session_state[f"spec_{name}"]
    at.session_state[f"spec_{name}"] = wrong
    if wrong == "0" and name == "soft_weight":
        at.session_state["spec_hard_weight"] = 0.0
    seen(at.run())
    assert len(at.error) == 1
    if language == "en" or named.startswith("'"):
        assert named in at.error[0].value
    assert any("一" <= letter <= "鿿" for letter in at.error[0].value) == (language == "zh_Hant")
    assert at.button(key="start").disabled
    assert set(points(at).values()) == {evaluations(FIRST)}  # the page goes on showing what it showed
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
    assert isinstance(run.spec, RunSpec)
    assert (run.state, run.spec.temperature, run.spec.seeds) == ("queued", (2.0, 8.0), 3)
    assert at.query_params["run"] in (run.id, [run.id])
    assert points(at) == {"hard labels": 0, "distilled, T = 2": 0, "distilled, T = 8": 0}
    assert at.button(key="start").disabled  # one at a time
    state = told(at)["runs"][0]["state"]
    assert (state["state"], state["ready"]) == ("queued", False)  # the browser says that the engine is starting
    # A run that waits stops at once.
    seen(at.button(key=f"stop_{run.id}").click().run())
    assert [run.state for run in store.runs()] == ["stopped"]
    assert "stopped at step 0" in said(at)
    assert not at.button(key="start").disabled


def test_a_link_opens_a_run_with_its_settings(store: Store) -> None:
    run_id = done(store)
    at = page(run=run_id)
    assert verdict(presets.record("all-images")["result"]) in said(at)
    assert points(at) == dict.fromkeys(("hard labels", "distilled, T = 4"), evaluations("all-images"))
    assert at.session_state["spec_student"] == ["mlp-30-30"]
    assert at.segmented_control(key="distill_kind").value == "comparison"
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
    told_of = told(at)["runs"][0]
    assert told_of["live"] and (told_of["state"]["step"], told_of["state"]["steps"]) == (step, steps)
    assert told_of["state"]["left"] > 0
    assert told_of["points"][-1][0] == store.points(run_id)[-1]["id"]  # the stream goes on after it
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
        "hard labels": evaluations("all-images"),
        "distilled, T = 4": evaluations("all-images"),
        "a tenth: hard labels": evaluations("few-labels"),
        "a tenth: distilled, T = 8": evaluations("few-labels"),
    }
    seen(at.button(key=f"delete_{few}").click().run())
    assert [run.id for run in store.runs()] == [all_images]
    assert points(at) == dict.fromkeys(("hard labels", "distilled, T = 4"), evaluations("all-images"))
    seen(at.button(key=f"delete_{all_images}").click().run())
    assert not store.runs()
    assert "run" not in at.query_params
    assert "No runs yet" in said(at)
    assert verdict(presets.record(FIRST)["result"]) in said(at)


def test_many_runs_fold(store: Store) -> None:
    for _ in range(10):
        store.request_stop(store.add_run(RunSpec()))
    at = page()
    assert [expander.label for expander in at.expander] == ["Settings", "Older runs (2)"]
    listed = [button for button in at.button if str(button.key).startswith("open_")]
    assert len(listed) == 8  # what is folded is not made
    at.session_state["older_runs"] = True
    seen(at.run())
    assert len([button for button in at.button if str(button.key).startswith("open_")]) == 10


def test_a_form_that_is_closed_is_not_made_and_keeps_its_settings(store: Store) -> None:
    at = page()
    assert at.number_input(key="spec_seeds").value != 3
    seen(at.number_input(key="spec_seeds").set_value(3).run())
    seen(at.text_input(key="spec_temperature").input("2").run())
    at.session_state["settings"] = False
    for _run in range(3):
        seen(at.run())
        assert not at.number_input and at.query_params["seeds"] in ("3", ["3"])
    seen(at.button(key="start").click().run())
    (run,) = store.runs()
    assert isinstance(run.spec, RunSpec) and (run.spec.seeds, run.spec.temperature) == (3, (2.0,))
    at.session_state["settings"] = True
    seen(at.run())
    assert (at.number_input(key="spec_seeds").value, at.text_input(key="spec_temperature").value) == (3, "2")


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


def test_a_run_pauses_slows_down_and_goes_on(store: Store) -> None:
    run_id = claimed(store, RunSpec(), evaluations=4)
    at = page(run=run_id)
    i18n.use("en")
    seen(at.segmented_control(key=f"pace_{run_id}").select(1 / 16).run())
    assert store.renew(run_id, 1).pace == 1 / 16
    seen(at.button(key=f"pause_{run_id}").click().run())
    assert store.renew(run_id, 1).pause and at.button(key=f"pause_{run_id}").disabled
    store.finish(run_id, 1, "paused", presets.record("all-images")["result"])
    seen(at.run())
    assert told(at)["runs"][0]["state"]["state"] == "paused" and told(at)["runs"][0]["live"]
    assert verdict(presets.record("all-images")["result"]) not in said(at)  # what was found so far is no result yet
    assert at.button(key="start").disabled
    seen(at.button(key=f"resume_{run_id}").click().run())
    run = store.run(run_id)
    assert run is not None and (run.state, run.pause_requested, run.result) == ("queued", False, None)
    # One that waits pauses at once, and one that is paused stops at once.
    seen(at.button(key=f"pause_{run_id}").click().run())
    seen(at.button(key=f"stop_{run_id}").click().run())
    assert [run.state for run in store.runs()] == ["stopped"]


def test_another_reader_s_pace_is_shown(store: Store) -> None:
    run_id = claimed(store, RunSpec(), evaluations=4)
    at = page(run=run_id)
    store.set_pace(run_id, 0.25)
    assert seen(at.run()).segmented_control(key=f"pace_{run_id}").value == 0.25


# Sweeps.

SMALL = RunSpec(student=("mlp-8", "mlp-16"), temperature=(2.0, 8.0), seeds=2, epochs=10)
"""Two columns (T) by two rows (width): students 0 to 5 are those of mlp-8, its control first, 6 to 11 those of mlp-16."""


def judged(students: Iterable[int], step: int = 20, accuracy: float = 0.5) -> list[dict[str, Any]]:
    """Return made-up points: a student's accuracy is that given, and a hundredth more for each number."""
    none = dict(agreement=None, kl=None, loss_soft=None, loss_hard=None)
    return [
        dict(student=n, step=step, epoch=step / 45, accuracy=accuracy + n / 100, errors=1, seconds=0.1, **none) for n in students
    ]


def training(store: Store, spec: RunSpec, made_up: list[dict[str, Any]]) -> str:
    """Put a run that a worker is training into the store, with these points."""
    run_id = store.add_run(spec)
    assert store.claim() is not None
    store.write(run_id, 1, made_up, max((point["step"] for point in made_up), default=0), 900)
    return run_id


@pytest.mark.parametrize("language", LANGUAGES)
def test_sweeps_have_a_side_of_their_own(language: str, store: Store) -> None:
    at = page(language)
    first_words = said(at)
    turn_to(at, "sweep", language)
    result = presets.record(SWEEP)["result"]
    assert [button.key for button in at.button if str(button.key).startswith("preset_")] == [
        f"preset_{name}" for name, preset in presets.PRESETS.items() if preset.sweep
    ]
    assert cells(at) == differences(result, 8)
    assert len(cells(at)) == len(result["comparisons"]) == 24
    assert len(cells(at, weight=800)) == sum(found["verdict"] != COUNTED["neither"] for found in result["comparisons"]) > 0
    assert len(figures(at)) == 1 + 3  # the map, and a panel for each width
    assert heading(result, language) in said(at)
    assert translated(language, presets.PRESETS[SWEEP].reason) in said(at)
    assert len(at.dataframe[0].value) == 24
    assert not at.button(key="start").disabled
    turn_to(at, "comparison", language)
    assert said(at) == first_words
    assert set(points(at).values()) == {evaluations(FIRST)}
    assert not store.runs()


def test_the_table_of_a_sweep_says_what_the_result_says() -> None:
    table = choose(page(), SWEEP).dataframe[0].value
    comparisons = presets.record(SWEEP)["result"]["comparisons"]
    assert list(table["student"]) == [comparison["student"] for comparison in comparisons]
    assert list(table["temperature T"]) == [comparison["temperature"] for comparison in comparisons]
    assert list(table["difference (points)"]) == [f"{100 * comparison['mean']:+.2f}" for comparison in comparisons]
    assert list(table["verdict"]) == [comparison["verdict"] for comparison in comparisons]
    for written, comparison in zip(table["95% interval"], comparisons, strict=True):
        assert written == f"[{100 * comparison['low']:+.2f}, {100 * comparison['high']:+.2f}]"


def test_a_sweep_is_replayed() -> None:
    at = choose(page(), SWEEP)
    at.session_state["live_clock"] = {"at": {"run": "record", "seconds": presets.record(SWEEP)["points"][-1]["seconds"] / 2}}
    seen(at.run())
    assert cells(at) and cells(at) != differences(presets.record(SWEEP)["result"], 8)
    assert "cells have points" in said(at)
    assert not cells(at, weight=800)  # no verdict of a cell before the end


def test_start_queues_the_sweep(store: Store) -> None:
    at = choose(page(), SWEEP)
    at.session_state["spec_seeds"] = 2
    at.session_state["spec_student"] = ["linear", "mlp-8"]
    seen(at.run())
    seen(at.button(key="start").click().run())
    (run,) = store.runs()
    asked = replace(presets.PRESETS[SWEEP].spec, seeds=2, student=("linear", "mlp-8"))
    assert (run.state, run.spec) == ("queued", asked)
    assert at.query_params["run"] in (run.id, [run.id])
    assert at.segmented_control(key="distill_kind").value == "sweep"
    assert not cells(at)
    assert at.button(key="start").disabled


def test_several_values_on_the_other_side_make_a_sweep_too(store: Store) -> None:
    at = page()
    at.session_state["spec_student"] = ["linear", "mlp-8"]
    seen(at.run())
    seen(at.button(key="start").click().run())
    assert [run.spec.swept for run in store.runs() if isinstance(run.spec, RunSpec)] == [["student"]]
    assert at.segmented_control(key="distill_kind").value == "sweep"
    assert "0 of 2 cells have points" in said(at)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_sweep_in_training_shows_the_cells_there_are(language: str, store: Store) -> None:
    # Untrained, then: mlp-8 all of T = 2 and one of two seeds at T = 8, mlp-16 all but its control.
    run_id = training(store, SMALL, judged(range(12), step=0) + judged([0, 1, 2, 3, 4, 8, 9, 10, 11]))
    at = page(language, run=run_id)
    assert cells(at) == {(0, 0): "+2.0"}
    counted = "{filled} of {cells} cells have points; the last evaluation of each is shown. Intervals follow at the end."
    assert translated(language, counted, filled=1, cells=4) in said(at)
    assert not at.dataframe
    assert not cells(at, weight=800)
    assert told(at)["runs"][0]["live"]
    store.write(run_id, 1, judged([5, 6, 7]), 20, 900)
    seen(at.run())
    assert cells(at) == {(0, 0): "+2.0", (1, 0): "+4.0", (0, 1): "+2.0", (1, 1): "+4.0"}
    assert translated(language, counted, filled=4, cells=4) in said(at)


def test_a_stopped_sweep_keeps_its_cells_and_has_a_result(store: Store) -> None:
    record = presets.record(SWEEP)
    run_id = claimed(store, presets.PRESETS[SWEEP].spec, SWEEP, evaluations=4)
    store.request_stop(run_id)
    store.finish(run_id, 1, "stopped", record["result"])
    at = page(run=run_id)
    assert "stopped at step 70 of 4,500" in said(at)
    assert len(cells(at)) == 24
    assert heading(record["result"]) in said(at)
    assert len(at.dataframe[0].value) == 24
    assert "cells have points" not in said(at)


@pytest.mark.parametrize("state", ["stopped", "failed"])
def test_a_sweep_that_ended_before_all_were_judged_promises_nothing(state: State, store: Store) -> None:
    run_id = training(store, SMALL, judged(range(6)))
    store.finish(run_id, 1, state, error=ERRORS[1] if state == "failed" else None)
    at = page(run=run_id)
    assert cells(at) == {(0, 0): "+2.0", (1, 0): "+4.0"}
    assert "at the end" not in said(at)
    assert not at.button(key="start").disabled


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_link_opens_a_sweep_on_its_side(language: str, store: Store) -> None:
    run_id = done(store, SWEEP)
    at = page(language, run=run_id)
    assert at.segmented_control(key="distill_kind").value == "sweep"
    assert at.button(key=f"preset_{SWEEP}")
    assert heading(presets.record(SWEEP)["result"], language) in said(at)
    assert cells(at) == differences(presets.record(SWEEP)["result"], 8)
    assert at.session_state["spec_student"] == ["mlp-8", "mlp-16", "mlp-64"]
    assert at.query_params["run"] in (run_id, [run_id])
    # The other side is another thing to look at, and the run stays in the list.
    turn_to(at, "comparison", language)
    assert "run" not in at.query_params
    assert verdict(presets.record(FIRST)["result"], language) in said(at)
    seen(at.button(key=f"open_{run_id}").click().run())
    assert at.segmented_control(key="distill_kind").value == "sweep"
    # Without the run the page is what it was before.
    seen(at.button(key=f"delete_{run_id}").click().run())
    assert at.segmented_control(key="distill_kind").value == "comparison"
    assert verdict(presets.record(FIRST)["result"], language) in said(at)


def test_two_temperatures_are_a_comparison_of_curves(store: Store) -> None:
    run_id = training(store, RunSpec(temperature=(2.0, 8.0), seeds=2), judged(range(6)))
    at = page(run=run_id)
    assert at.segmented_control(key="distill_kind").value == "comparison"
    assert points(at) == {"hard labels": 1, "distilled, T = 2": 1, "distilled, T = 8": 1}


def test_a_finished_run_of_many_temperatures_from_before_sweeps_is_shown(store: Store) -> None:
    spec = RunSpec(temperature=(1.0, 2.0, 4.0, 8.0), seeds=2)
    run_id = training(store, spec, judged(range(10)))
    result = json.loads(json.dumps(presets.record("all-images")["result"]))
    now = ("student", "fraction", "temperature", "soft_weight")
    before = {name: value for name, value in result["comparisons"][0].items() if name not in now}
    result["comparisons"] = [before | {"temperature": T, "mean": 0.01} for T in spec.temperature]
    store.finish(run_id, 1, "done", result)
    at = page(run=run_id)
    assert cells(at) == dict.fromkeys([(0, 0), (1, 0), (2, 0), (3, 0)], "+1.0")


@pytest.mark.parametrize(
    ("name", "wrong", "named"), [("student", ["mlp-x"], "'mlp-x'"), ("soft_weight", "0, -1", "'-1'"), ("fraction", "2", "'2'")]
)
def test_wrong_lists_of_a_sweep_are_one_sentence_and_no_start(name: str, wrong: Any, named: str, store: Store) -> None:
    at = choose(page(), SWEEP)
    at.session_state[f"spec_{name}"] = wrong
    seen(at.run())
    assert [named in error.value for error in at.error] == [True]
    assert at.button(key="start").disabled
    assert len(cells(at)) == 24  # the page goes on showing what it showed
    assert not store.runs()


def test_a_third_knob_is_a_choice_and_the_map_follows(store: Store) -> None:
    spec = replace(SMALL, fraction=(0.5, 1.0))
    of_half = {number for number, student in enumerate(spec.students) if student.fraction == 0.5}
    flat = [dict(point, accuracy=0.5) for point in judged(set(range(24)) - of_half)]
    run_id = training(store, spec, judged(of_half) + flat)
    at = page(run=run_id)
    choice = at.segmented_control(key="held_fraction")
    assert (choice.label, choice.options, choice.value) == ("fraction of the images", ["0.5", "1"], 0.5)
    assert cells(at) == {(0, 0): "+2.0", (1, 0): "+4.0", (0, 1): "+2.0", (1, 1): "+4.0"}
    seen(at.segmented_control(key="held_fraction").select(1.0).run())
    assert cells(at) == dict.fromkeys([(0, 0), (1, 0), (0, 1), (1, 1)], "0.0")
    # Another sweep with other values of that knob begins with its own first.
    other = training(store, replace(spec, fraction=(0.2, 0.3)), judged(range(24)))
    seen(at.run())
    seen(at.button(key=f"open_{other}").click().run())
    assert at.segmented_control(key="held_fraction").value == 0.2
    assert len(cells(at)) == 4


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("preset", [FIRST, SWEEP])
def test_a_result_says_which_order_of_batches_was_used_and_how_it_was_trained(preset: str, language: str, store: Store) -> None:
    result = presets.record(preset)["result"]
    at = page(language, run=done(store, preset))
    assert result["settings"]["batch_order"] == "own order for each seed, shared by its conditions"
    assert {"en": "order of the batches; the students of one seed, distilled and hard-label, share both", "zh_Hant": "批次順序"}[
        language
    ] in said(at)
    count, programs = len(result["students"]), result["settings"]["programs"]
    how = {"en": f"{count} students trained as {programs} program(s) in ", "zh_Hant": f"{count} 個學生分成 {programs} 個程式"}
    assert how[language] in said(at)
    assert f"{result['seconds']:.1f}" in said(at)
    assert "fp32" in said(at)


@pytest.mark.parametrize("preset", [FIRST, SWEEP])
def test_the_seconds_that_a_run_will_take_are_said_before_the_click(preset: str, store: Store) -> None:
    at = choose(page(), preset)
    spec = presets.PRESETS[preset].spec
    assert f"{len(spec.students)} students." in said(at)
    store.set_fact(pace.CALIBRATION, {"overhead": 0.002, "dense": 2e-10, "conv": 1e-9})
    seen(at.run())
    seconds = pace.seconds(spec, store.fact)
    assert seconds is not None and seconds > 2
    assert f"{len(spec.students)} students, about {seconds:.0f} s on this machine." in said(at)
    # A run like it tells better than the calibration.
    store.set_fact(pace.key(spec), 0.01)
    seen(at.run())
    assert f"about {pace.expected_steps(spec) * 0.01 + 0.3:.0f} s on this machine." in said(at)
