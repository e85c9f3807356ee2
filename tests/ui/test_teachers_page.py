"""The Teachers page, run as Streamlit runs it, with a store of its own; what the engine would do, the test does in its place."""

from __future__ import annotations

import io
import os
import time
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from streamlit import config
from streamlit.testing.v1 import AppTest

from kdviz import data, pace, spec, teachers, worker
from kdviz.data import street
from kdviz.errors import UserError
from kdviz.spec import RunSpec, TeacherSpec
from kdviz.store import Store
from kdviz.ui.components import teacher_form
from tests.sources import ROOT
from tests.ui.given import components

MAIN = ROOT / "kdviz" / "ui" / "main.py"
COUNTS = {"car": 24, "dog": 16, "truck": 10}
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """KDVIZ_DATA, with nothing in it."""
    monkeypatch.setenv("KDVIZ_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def open_to_all() -> Iterator[None]:
    """The server listens on every interface."""
    before = config.get_option("server.address")
    config.set_option("server.address", "0.0.0.0")
    yield
    config.set_option("server.address", before)


def page(name: str = "teachers", state: Mapping[str, Any] | None = None, **link: str) -> AppTest:
    at = AppTest.from_file(str(MAIN), default_timeout=120)
    at.context = {"locale": "en-GB"}
    at.run()
    at.switch_page(f"app_pages/{name}.py")
    for key, value in (state or {}).items():
        at.session_state[key] = value
    for key, value in link.items():
        at.query_params[key] = value
    return seen(at.run())


def seen(at: AppTest) -> AppTest:
    """Return a page that was run; it must not have stumbled."""
    assert not at.exception
    return at


def said(at: AppTest) -> str:
    groups: list[Any] = [at.markdown, at.caption, at.error, at.warning, at.info, at.success]
    return "\n".join(str(element.value) for group in groups for element in group)


def keys(at: AppTest) -> set[str | None]:
    """Return the keys of the page's buttons."""
    return {button.key for button in at.button}


def pictures(folder: str = "vehicles and a dog") -> dict[str, bytes]:
    """Return image files of three classes, of uneven number and size, by name; two of them are no pictures."""
    pixels, labels, _shapes = street.generate(200, 7)
    files = {f"{folder}/dog/broken.png": b"nothing", f"{folder}/outside.jpg": b"nothing"}
    for name, count in COUNTS.items():
        for number, image in enumerate(pixels[labels == street.CLASS_NAMES.index(name)][:count]):
            content = io.BytesIO()
            Image.fromarray(image).resize((33 + number, 57 - number)).save(content, "JPEG")
            files[f"{folder}/{name}/{number:03}.jpg"] = content.getvalue()
    return files


def zipped(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, file in files.items():
            archive.writestr(name, file)
    return content.getvalue()


def lay(top: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(content)
    return top


def upload(at: AppTest, content: bytes, name: str = "Vehicles and a dog.zip") -> AppTest:
    at.file_uploader[0].upload(name, content)
    return seen(at.run())


def give(at: AppTest, path: str) -> AppTest:
    at.text_input(key="own_path").set_value(path)
    return seen(at.button(key="own_look").click().run())


def answered(store: Store, at: AppTest) -> AppTest:
    """Answer the question that is open, as a worker does, and look at the page again."""
    question = store.claim_question()
    assert question is not None
    worker.answer_question(store.url, question.id, question.attempt)
    return seen(at.run())


# The teachers, and one more


def test_every_card_is_listed() -> None:
    table = page().dataframe[0].value
    cards = teachers.cards()
    assert len(cards) >= 3
    assert list(table["network"]) == [card.short for card in cards]
    assert list(table["errors"]) == [card.errors for card in cards]
    assert list(table["accuracy"]) == [100 * card.accuracy for card in cards]
    assert list(table["parameters"]) == [card.members * card.parameters for card in cards]
    assert list(table["trained on"]) == [card.date for card in cards]


def test_start_queues_what_the_form_says(store: Store) -> None:
    at = page()
    at.selectbox(key="teacher_network").set_value("mlp-100")
    at.number_input(key="teacher_members").set_value(3)
    at.number_input(key="teacher_epochs").set_value(2)
    at.number_input(key="teacher_seed").set_value(7)
    seen(at.run())
    seen(at.button(key="teachers_start").click().run())
    (run,) = store.runs()
    assert run.spec == TeacherSpec("digits", "mlp-100-x3", 2, 7)
    assert at.query_params["run"] == run.id
    assert at.button(key="teachers_start").disabled
    assert {f"pause_{run.id}", f"stop_{run.id}"} <= keys(at) and "live_curves" in components(at)
    # It is found again by its link, and its settings with it.
    again = page(run=run.id)
    assert f"stop_{run.id}" in keys(again)
    assert again.selectbox(key="teacher_network").value == "mlp-100"
    assert again.number_input(key="teacher_members").value == 3


def test_the_recipes_epochs_stand_in_the_empty_field() -> None:
    at = page()
    train, validation, _test = data.load("digits").counts
    for network in ("cnn", "linear"):
        seen(at.selectbox(key="teacher_network").set_value(network).run())
        assert at.number_input(key="teacher_epochs").value is None
        recipe = teachers.recipe("digits", network, train + validation)
        assert at.number_input(key="teacher_epochs").placeholder == str(recipe.epochs)


@pytest.mark.parametrize("network", ["cnn-9000", "resnet", "cnn-x50"])
def test_a_network_that_there_is_not_is_one_sentence(network: str) -> None:
    # AppTest chooses among what is offered only: what the reader typed is put where the page finds it.
    typed = {"dataset": "digits", "network": network, "members": 1, "epochs": None, "seed": 0}
    at = page(state={"teachers_run": None} | {f"teacher_{name}": value for name, value in typed.items()})
    with pytest.raises(UserError) as wrong:
        TeacherSpec("digits", network)
    assert [error.value for error in at.error] == [str(wrong.value)]
    assert "teachers_start" not in keys(at)
    assert "teachers_start" in keys(seen(at.selectbox(key="teacher_network").set_value("cnn").run()))
    assert not at.error


def test_only_networks_that_the_images_are_large_enough_for_are_suggested() -> None:
    at = page()
    assert "cnn" in at.selectbox(key="teacher_network").options
    assert "cnn-16-32-32" not in at.selectbox(key="teacher_network").options  # digits have 8 by 8 pixels
    seen(at.selectbox(key="teacher_dataset").set_value("cifar10").run())
    assert "cnn-16-32-32" in at.selectbox(key="teacher_network").options
    assert at.selectbox(key="teacher_network").value == spec.defaults("cifar10")["teacher"]


def test_a_dataset_that_is_not_here_is_prepared_first() -> None:
    at = page(dataset="fashion-mnist")
    assert at.selectbox(key="teacher_dataset").value == "fashion-mnist"
    assert "prepare_fashion-mnist_button" in keys(at)
    assert "teachers_start" not in keys(at)


def test_what_becomes_of_a_teacher_of_that_name_is_said() -> None:
    at = page()
    assert "digits has a teacher cnn already (99.17%). The new one takes its place on this machine; the one" in said(at)
    seen(at.number_input(key="teacher_members").set_value(9).run())
    assert "already" not in said(at)


def test_expected_time_is_said_in_a_unit_that_suits(store: Store) -> None:
    train, _validation, _test = data.load("digits").counts
    recipe = teachers.recipe("digits", "cnn", train)
    store.set_fact(pace.key(TeacherSpec()), 300 / (-(-train // recipe.batch_size) * recipe.epochs))
    assert "About 5 minutes on this machine." in said(page())
    assert teacher_form.expected(40.2) == "About 40 s on this machine."
    assert teacher_form.expected(9000) == "About 2.5 hours on this machine."


def test_a_run_that_is_done_leads_on(store: Store) -> None:
    run_id = store.add_run(TeacherSpec("digits", "cnn-x2", 1))
    claimed = store.claim()
    assert claimed is not None
    teacher = {"name": "digits-cnn-x2", "accuracy": 0.9, "errors": 36, "member_errors": [40, 38], "parameters": 1}
    store.finish(run_id, claimed.attempt, "done", {"teacher": teacher, "seconds": 1.0, "settings": {"epochs": 1}})
    at = page(run=run_id)
    assert "digits-cnn-x2 answers 90.00% of the test images rightly: 36 errors together, its members alone 40, 38." in said(at)
    assert [link.value for link in at.page_link] == ["See its soft targets", "Distill a student from it"]
    assert "dataset=digits&teacher=cnn-x2" in at.page_link[0].proto.query_string


def test_a_link_to_no_run_is_said() -> None:
    at = page(run="nowhere")
    assert "The run 'nowhere' of this link is not in this store." in said(at)
    assert "teachers_start" in keys(at)
    assert "run" not in at.query_params


# Images of one's own


def test_a_zip_is_looked_through_used_and_removed_again(store: Store, here: Path) -> None:
    at = upload(page(), zipped(pictures()))
    assert at.progress and "own_cancel" in keys(at)
    assert len(list((here / "uploads").iterdir())) == 1
    answered(store, at)
    assert "**50 images of 3 classes**: 40 to learn from, 10 to test with." in said(at)
    assert "in colour, made 32 × 32 pixels" in said(at)
    table = at.dataframe[1].value
    assert dict(zip(table["class"], table["to learn from"] + table["to test with"], strict=True)) == COUNTS
    for fault in ("images outside the class folders are left out (1)", "files that cannot be read as images are left out (1)"):
        assert fault in said(at)
    assert at.text_input(key="own_name").value == "vehicles-and-a-dog"
    assert not list((here / "uploads").iterdir())
    assert len(list((here / "folders").iterdir())) == 1

    # A page that is loaded anew shows the same; what is decided there is decided.
    at = page(images=at.query_params["images"])
    at.text_input(key="own_name").set_value("Street Life")
    seen(at.run())
    seen(at.button(key="own_use").click().run())
    answered(store, at)
    assert "street-life is ready: 50 images of 3 classes." in said(at)
    assert not list((here / "folders").iterdir())
    assert "images" not in at.query_params
    prepared = data.load("own-street-life")
    assert sum(prepared.counts) == 50
    assert at.selectbox(key="teacher_dataset").value == "own-street-life"
    assert at.selectbox(key="teacher_network").value == spec.OWN_TEACHER
    seen(at.button(key="teachers_start").click().run())
    assert store.runs()[0].spec == TeacherSpec("own-street-life", spec.OWN_TEACHER)
    assert "street-life is ready" not in said(at)

    # Distill offers it, with its own defaults.
    other = page("distill")
    other.session_state["settings"] = True
    assert "street-life" in seen(other.run()).selectbox(key="spec_dataset").options
    seen(other.selectbox(key="spec_dataset").set_value("own-street-life").run())
    defaults = RunSpec.from_dict({"dataset": "own-street-life"})
    assert other.multiselect(key="spec_student").value == list(defaults.student)
    assert other.number_input(key="spec_epochs").value == defaults.epochs
    assert "unknown teacher of own-street-life" in said(other)

    seen(at.button(key="remove_own-street-life").click().run())
    assert "own-street-life" not in data.names()
    assert at.selectbox(key="teacher_dataset").value == "digits"
    seen(other.run())
    assert other.selectbox(key="spec_dataset").value == "digits"


def test_a_folder_on_this_machine_stays_as_it_is(store: Store, tmp_path: Path) -> None:
    folder = lay(tmp_path, pictures("mine")) / "mine"
    before = sorted(folder.rglob("*"))
    for expected in ("own-mine", "own-mine-2"):
        at = page()
        answered(store, give(at, f"'{folder}'"))
        seen(at.button(key="own_use").click().run())
        answered(store, at)
        assert expected in data.names()
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"no zip at all", "this is not a zip file"),
        (zipped(pictures())[:-3000], "the zip is damaged"),
        (b"PK", "the zip is damaged"),
    ],
)
def test_a_zip_that_is_none_is_one_sentence_and_the_page_goes_on(store: Store, here: Path, content: bytes, sentence: str) -> None:
    at = answered(store, upload(page(), content))
    assert len(at.error) == 1 and sentence in at.error[0].value
    assert not list((here / "uploads").iterdir()) and not list((here / "folders").iterdir())
    assert at.file_uploader and not at.button(key="teachers_start").disabled


def test_a_path_that_is_no_folder_is_one_sentence(store: Store, tmp_path: Path) -> None:
    at = answered(store, give(page(), str(tmp_path / "nowhere")))
    assert len(at.error) == 1 and "nowhere' is not a folder" in at.error[0].value
    assert at.text_input(key="own_path").value == str(tmp_path / "nowhere")
    lay(tmp_path, pictures("nowhere"))
    seen(at.button(key="own_look").click().run())  # now there is one
    assert "50 images" in said(answered(store, at))


def test_images_are_discarded(store: Store, here: Path) -> None:
    at = answered(store, upload(page(), zipped(pictures())))
    seen(at.button(key="own_discard").click().run())
    assert at.file_uploader
    assert not list((here / "folders").iterdir())
    assert data.names() == list(data.SOURCES)


def test_looking_is_cancelled(store: Store, here: Path) -> None:
    at = upload(page(), zipped(pictures()))
    seen(at.button(key="own_cancel").click().run())
    assert at.file_uploader and not at.error
    assert not list((here / "uploads").iterdir())
    assert store.claim_question() is None


def test_using_is_cancelled_and_the_report_is_there_again(store: Store) -> None:
    at = answered(store, upload(page(), zipped(pictures())))
    seen(at.button(key="own_use").click().run())
    seen(at.button(key="own_cancel").click().run())
    assert "own_use" in keys(at) and not at.error
    assert data.names() == list(data.SOURCES)


def test_a_path_is_not_asked_for_where_others_can_reach_the_server(open_to_all: None) -> None:
    at = page()
    assert at.file_uploader
    assert "own_path" not in {field.key for field in at.text_input}
    assert "every viewer could look into its folders" in said(at)


def test_what_nobody_decided_on_is_deleted_after_a_day(store: Store, here: Path) -> None:
    old, new = lay(here, {"uploads/old.zip": b"", "folders/old/cats/1.jpg": b""}), lay(here, {"uploads/new.zip": b""})
    before = time.time() - 2 * 86_400
    for path in (old / "uploads" / "old.zip", old / "folders" / "old"):
        os.utime(path, (before, before))
    answered(store, upload(page(), b"no zip"))
    assert [path.name for path in (new / "uploads").iterdir()] == ["new.zip"]
    assert not list((here / "folders").iterdir())
