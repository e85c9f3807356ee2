"""Links of every page, run as Streamlit runs them: what is wrong is one sentence each, and the page works; what is hidden."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from kdviz import data, i18n, presets, settings
from kdviz.spec import KNOBS, RunSpec, TeacherSpec
from kdviz.store import Store, open_store
from kdviz.ui.components import spec_form
from kdviz.ui.hiding import CONTROLS
from tests.sources import ROOT
from tests.ui.given import components

MAIN = ROOT / "kdviz" / "ui" / "main.py"
NONSENSE = "x<script>alert(1)</script>]{}%" * 334
START = {"distill": "start", "teachers": "teachers_start"}
pytestmark = [pytest.mark.filterwarnings("default"), pytest.mark.usefixtures("only_what_ships")]


def opened(page: str, link: dict[str, Any]) -> AppTest:
    """Open a page by a link, as the first thing in a session."""
    at = AppTest.from_file(str(MAIN), default_timeout=60)
    at.context = {"locale": "en-GB"}
    if page != "soft_targets":
        at.switch_page(f"app_pages/{page}.py")
    at.session_state["settings"] = True  # the form is made when its expander is open
    for name, value in link.items():
        at.query_params[name] = value
    return seen(at.run())


def seen(at: AppTest) -> AppTest:
    """Return a page that was run; it must not have stumbled."""
    assert not at.exception
    return at


def link_of(at: AppTest) -> dict[str, str]:
    """Return what the page's own button would copy."""
    return dict(components(at)["copy_link"]["link"])


WRONG: list[tuple[str, dict[str, Any], int]] = [
    *(("soft_targets", {name: NONSENSE}, 1) for name in ("dataset", "teacher", "image", "gallery", "T", "scale", "lang", "hide")),
    *(("soft_targets", {"T": T}, 1) for T in ("1e9", "nan", "inf", "-inf", "0", "1e-9", "--3", "３,")),
    *(("soft_targets", {"image": image}, 1) for image in ("-1", "1e99", "999999999999", "0x10")),
    *(("soft_targets", {"gallery": gallery}, 1) for gallery in ("10", "-1", "class")),
    ("soft_targets", {"T": ["1e9", "hot"]}, 1),
    ("soft_targets", {"dataset": "../../etc", "T": "nan", "image": "-1"}, 3),
    ("soft_targets", {"unheard": NONSENSE, "seeds": "1e12"}, 0),
    *(("distill", {name: NONSENSE}, 1) for name in KNOBS if name != "classes_left_out"),
    ("distill", {"classes_left_out": NONSENSE}, 1),
    ("distill", {"seeds": "1e12"}, 1),
    ("distill", {"seeds": ["3", "1e12"]}, 1),
    ("distill", {"student": "mlp-" + "9" * 10_000}, 1),
    ("distill", {"student": ",".join(f"mlp-{units}" for units in range(1, 1200))}, 1),
    ("distill", {"temperature": ",".join(str(T / 100) for T in range(5, 1700))}, 1),
    ("distill", {"temperature": "nan", "fraction": "1e99", "run": "<script>"}, 3),
    ("distill", {"run": NONSENSE}, 1),
    ("distill", {"run": "\0"}, 1),
    ("distill", {"T": "nan", "unheard": NONSENSE}, 0),
    *(("teachers", {name: NONSENSE}, 1) for name in ("dataset", "network", "epochs", "seed", "run", "lang", "hide")),
    ("teachers", {"network": "cnn-x" + "9" * 10_000, "epochs": "1e12", "seed": "-1"}, 3),
]


@pytest.mark.parametrize(("page", "link", "wrong"), WRONG, ids=lambda value: str(value)[:60])
def test_a_wrong_link_is_one_sentence_each_and_a_page_that_works(page: str, link: dict[str, Any], wrong: int) -> None:
    began = time.monotonic()
    at = opened(page, link)
    assert len(at.warning) == wrong
    for warning in at.warning:
        assert len(warning.value) < 500  # what came is cut
    assert not at.error
    if page in START:
        assert not at.button(key=START[page]).disabled
    assert at.title[0].value
    assert time.monotonic() - began < 30


@pytest.mark.parametrize("gallery", ["telling", "certain", "wrong", "3"])
def test_the_gallery_that_is_open_is_in_the_link(gallery: str) -> None:
    at = opened("soft_targets", {"image": "12"})
    pills = at.pills(key="soft_targets_kind")
    first = pills.value
    seen(pills.set_value(int(gallery) if gallery.isdecimal() else gallery).run())
    assert at.query_params["gallery"] in (gallery, [gallery])
    shown = [item["id"] for item in components(at)["gallery"]["items"]]
    other = opened("soft_targets", link_of(at))
    assert not other.warning
    assert str(other.pills(key="soft_targets_kind").value) == gallery != str(first)
    assert [item["id"] for item in components(other)["gallery"]["items"]] == shown


def test_of_many_classes_the_one_that_is_open_is_in_the_link(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kdviz.ui.components.test_images.MOST_PILLS", 5)
    at = opened("soft_targets", {"gallery": "7"})
    assert (at.pills(key="soft_targets_kind").value, at.selectbox(key="soft_targets_class").value) == ("class", 7)
    seen(at.selectbox(key="soft_targets_class").select(3).run())
    assert at.query_params["gallery"] in ("3", ["3"])
    assert {item["caption"][0] for item in components(at)["gallery"]["items"]} == {"3"}
    seen(at.pills(key="soft_targets_kind").set_value("certain").run())
    assert at.query_params["gallery"] in ("certain", ["certain"])
    seen(at.pills(key="soft_targets_kind").set_value("class").run())
    labels = data.load("digits").split("test").labels
    assert at.session_state["soft_targets_class"] == int(labels[at.session_state["soft_targets_image"]])


def test_a_wrong_value_spoils_no_other(store: Store) -> None:
    at = opened("distill", {"student": "mlp-8,mlp-16", "seeds": "1e12", "temperature": "1,4", "epochs": "7"})
    assert "'1e12'" in at.warning[0].value
    assert spec_form_says(at) == RunSpec(student=("mlp-8", "mlp-16"), temperature=(1.0, 4.0), epochs=7)
    assert at.segmented_control(key="distill_kind").value == "sweep"
    assert len(seen(at.run()).warning) == 1  # it stays until the reader changes something
    at.session_state["spec_seeds"] = 2
    assert not seen(at.run()).warning
    assert at.query_params["seeds"] in ("2", ["2"])


def spec_form_says(at: AppTest) -> RunSpec:
    values = {name: at.session_state[spec_form.key(name)] for name in KNOBS}
    lists = {name: value.split(",") if value else [] for name, value in values.items() if isinstance(value, str) and "," in value}
    empty: dict[str, list[str]] = {name: [] for name, value in values.items() if value == ""}
    return RunSpec.from_dict({**values, **lists, **empty})


def test_a_link_of_a_run_opens_it_where_it_is_and_its_settings_where_it_is_not(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = RunSpec(student=("mlp-8",), temperature=(2.0, 3.14159265358979), seeds=3, learning_rate=0.002)
    store.request_stop(run_id := store.add_run(asked))
    at = opened("distill", {"run": run_id})
    link = link_of(at)
    assert link == {"run": run_id, **asked.to_query(), "lang": "en"}
    at = opened("distill", link)
    assert (at.session_state["distill_run"], spec_form_says(at)) == (run_id, asked)
    assert not at.warning

    monkeypatch.setenv("KDVIZ_STORE", f"sqlite:///{tmp_path / 'another.sqlite'}")
    at = opened("distill", link)
    assert at.session_state["distill_run"] is None
    assert [f"'{run_id}'" in warning.value and "press Start" in warning.value for warning in at.warning] == [True]
    assert spec_form_says(at) == asked
    seen(at.button(key="start").click().run())
    (run,) = open_store(settings.store_url()).runs()
    assert run.spec == asked
    assert not at.warning


@pytest.mark.parametrize("preset", presets.PRESETS)
def test_a_link_of_a_preset_shows_its_record(preset: str) -> None:
    at = opened("distill", presets.PRESETS[preset].spec.to_query())
    assert at.session_state["distill_preset"] == preset
    assert not at.warning


def test_a_link_of_the_first_view_says_it_whole_although_the_address_is_bare() -> None:
    at = opened("soft_targets", {})
    assert not at.query_params
    link = link_of(at)
    assert set(link) == {"dataset", "teacher", "image", "gallery", "T", "lang"}
    again = opened("soft_targets", link)
    assert link_of(again) == link


def test_the_scale_is_in_the_link() -> None:
    at = opened("soft_targets", {"scale": "log"})
    assert at.session_state["soft_targets_log"] is True
    assert link_of(at)["scale"] == "log"
    at.session_state["soft_targets_log"] = False
    seen(at.run())
    assert "scale" not in at.query_params
    assert "T" in at.query_params


def test_a_link_of_teachers_has_the_settings_of_the_training(store: Store) -> None:
    at = opened("teachers", {"dataset": "street", "network": "cnn-8-16-x3", "epochs": "4"})
    state = at.session_state
    assert (state["teacher_dataset"], state["teacher_network"], state["teacher_members"]) == ("street", "cnn-8-16", 3)
    asked = TeacherSpec("street", "cnn-8-16-x3", 4)
    assert link_of(at) == {**asked.to_query(), "lang": "en"}
    store.request_stop(run_id := store.add_run(asked))
    link = link_of(opened("teachers", {"run": run_id}))
    assert link == {"run": run_id, **asked.to_query(), "lang": "en"}


def test_a_teacher_that_was_trained_leads_to_distill_with_it_chosen(store: Store) -> None:
    at = opened("distill", {"dataset": "digits", "teacher": "cnn-x5"})
    assert not at.warning
    assert spec_form_says(at) == RunSpec(teacher="cnn-x5")


def test_language_and_what_is_hidden_stay_on_other_pages_and_the_settings_come_back() -> None:
    at = opened("soft_targets", {"T": "3", "hide": "gallery,runs", "lang": "zh-TW"})
    i18n.use("zh_Hant")  # AppTest answers for the browser from here: choices in the words that were shown
    assert at.query_params["lang"] in ("zh_Hant", ["zh_Hant"])
    at.switch_page("app_pages/distill.py")
    at.query_params.clear()  # as Streamlit does in a browser
    seen(at.run())
    assert dict(at.query_params) in ({"lang": "zh_Hant", "hide": "gallery,runs"}, {"lang": ["zh_Hant"], "hide": ["gallery,runs"]})
    at.session_state["spec_seeds"] = 3
    seen(at.run())
    at.switch_page("app_pages/soft_targets.py")
    at.query_params.clear()
    seen(at.run())
    assert at.session_state["soft_targets_T"] == 3.0
    assert at.query_params["T"] in ("3", ["3"])
    at.switch_page("app_pages/distill.py")
    at.query_params.clear()
    seen(at.run())
    assert at.session_state["spec_seeds"] == 3
    assert at.query_params["seeds"] in ("3", ["3"])


# Hidden controls


def keys(at: AppTest) -> set[str]:
    """Return the keys of the controls on a page, the names of its components, and the controls that the dial has."""
    groups = [at.button, at.segmented_control, at.selectbox, at.select_slider, at.toggle, at.pills, at.number_input]
    given = components(at)
    found = {str(one.key) for group in groups for one in group} | given.keys()
    if "dial" in given:
        found |= {f"dial_{name}" for name in ("T", "log") if name not in given["dial"]["hidden"]}
    return found


KEYS = {
    "dataset": "soft_targets_dataset", "teacher": "soft_targets_teacher", "T": "dial_T", "log": "dial_log",
    "own": "soft_targets_source", "gallery": "gallery", "kind": "distill_kind", "presets": "preset_few-labels",
    "settings": "spec_seeds", "start": "start", "runs": "open_",
}  # fmt: skip


@pytest.mark.parametrize("name", KEYS)
def test_a_link_hides_a_control_and_the_reader_gets_it_back(name: str, store: Store) -> None:
    store.request_stop(run_id := store.add_run(RunSpec()))
    key = KEYS[name] + run_id if name == "runs" else KEYS[name]
    page = CONTROLS[name].page.replace("-", "_")
    at = opened(page, {"hide": name})
    assert key not in keys(at)
    assert at.query_params["hide"] in (name, [name])
    seen(at.button(key="show_all").click().run())
    assert key in keys(at)
    assert "hide" not in at.query_params
    assert "show_all" not in keys(at)


@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_what_is_hidden_is_said_as_text_and_no_result_is_hidden(language: str) -> None:
    everything = ",".join(CONTROLS)
    shown, at = (opened("soft_targets", {"T": "3.3", "lang": language} | hide) for hide in ({}, {"hide": everything}))
    said = [str(text.value) for text in at.markdown]
    for value in ("**3.3**", "**digits**", "**cnn**"):
        assert any(value in text for text in said), value
    assert [one.proto.spec for one in at.get("plotly_chart")] == [one.proto.spec for one in shown.get("plotly_chart")]
    assert {**components(at)["dial"], "hidden": []} == components(shown)["dial"]

    link = {"student": "mlp-8,mlp-16", "temperature": "1,4", "lang": language}
    shown, at = (opened("distill", link | hide) for hide in ({}, {"hide": everything}))
    assert [one.proto.spec for one in at.get("plotly_chart")] == [one.proto.spec for one in shown.get("plotly_chart")]
    assert "mlp-8, mlp-16" in at.table[0].value.to_string()


def test_unknown_controls_are_one_sentence_and_the_known_are_hidden() -> None:
    at = opened("distill", {"hide": "settings, nothing ,<b>"})
    assert [("'nothing'" in warning.value, "gallery" in warning.value) for warning in at.warning] == [(True, True)]
    assert "spec_seeds" not in keys(at)
    assert at.query_params["hide"] in ("settings", ["settings"])


def test_the_settings_that_a_link_fixes_are_those_that_start() -> None:
    at = opened("distill", {"hide": "settings", "seeds": "3", "student": "linear"})
    seen(at.button(key="start").click().run())
    (run,) = open_store(settings.store_url()).runs()
    assert run.spec == RunSpec(seeds=3, student=("linear",))
