"""The language of a page: which one is chosen, what stays English, and that nobody's choice reaches anybody else."""

from __future__ import annotations

import contextvars
import pickle
import threading
from collections.abc import Iterator

import pytest

from kdviz import i18n
from kdviz.errors import InvalidValue, UnknownName, UserError, quoted
from kdviz.i18n import N_, Message, _

TRANSLATED = "Temperature T"


@pytest.fixture(autouse=True)
def english_afterwards() -> Iterator[None]:
    yield
    i18n.use("en")


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        (None, "en"),
        ("", "en"),
        ("*", "en"),
        ("en", "en"),
        ("en-GB,en;q=0.9", "en"),
        ("zh-TW", "zh_Hant"),
        ("zh_Hant", "zh_Hant"),
        ("zh-Hant-TW,zh;q=0.9,en;q=0.8", "zh_Hant"),
        ("ZH-hk", "zh_Hant"),
        ("zh-CN", "zh_Hant"),  # the only Chinese there is
        ("fr-FR,zh-TW;q=0.8,en;q=0.5", "zh_Hant"),
        ("fr,de", "en"),
        ("enough", "en"),
        ("zhuang", "en"),
        (";;,,;q=", "en"),
    ],
)
def test_best_match(accepted: str | None, language: str) -> None:
    assert i18n.best_match(accepted) == language


def test_an_unknown_language_is_english() -> None:
    i18n.use("zh_Hant")
    i18n.use("tlh")
    assert i18n.current() == "en"


def test_english_is_the_text_in_the_code() -> None:
    assert _("No such sentence, {n}", n=1) == "No such sentence, 1"
    assert _("") == ""


def test_a_sentence_without_a_translation_stays_english() -> None:
    i18n.use("zh_Hant")
    assert _("No such sentence, {n}", n=1) == "No such sentence, 1"


def test_an_empty_sentence_is_empty_in_every_language() -> None:
    # gettext answers the empty message with the catalogue's header.
    for language in i18n.LANGUAGES:
        i18n.use(language)
        assert _("") == ""


def test_braces_in_a_field_are_left_alone() -> None:
    assert _("got {value}", value="{low} {") == "got {low} {"


def test_a_field_may_have_any_name() -> None:
    assert _("{message}: {self}", message="a", self="b") == "a: b"


def test_what_is_marked_is_translated_where_it_is_shown() -> None:
    marked = N_(TRANSLATED)
    assert marked == TRANSLATED
    i18n.use("zh_Hant")
    assert _(marked) != TRANSLATED
    assert _("[{word}]", word=marked) == f"[{_(marked)}]"
    assert _("[{word}]", word=str(marked)) == f"[{TRANSLATED}]", "what a person typed is never translated"
    assert i18n.english("[{word}]", word=marked) == f"[{TRANSLATED}]"


def test_a_list_has_the_separator_of_its_language() -> None:
    assert _("{names}", names=["a", N_("b")]) == "a, b"
    i18n.use("zh_Hant")
    assert _("{names}", names=["a", "b"]) == "a、b"


def test_a_thing_has_its_label_in_another_language() -> None:
    named = Message("soft weight", "Weight of the soft targets")
    assert _("{thing}", thing=named) == "soft weight"
    i18n.use("zh_Hant")
    assert _("{thing}", thing=named) == _(N_("Weight of the soft targets")) != "soft weight"


def test_a_translation_is_a_plain_string() -> None:
    assert type(_(N_(TRANSLATED))) is str


def test_threads_do_not_share_a_language() -> None:
    i18n.use("zh_Hant")
    seen = []
    thread = threading.Thread(target=lambda: seen.append(i18n.current()))
    thread.start()
    thread.join()
    assert seen == ["en"]
    contextvars.copy_context().run(i18n.use, "en")
    assert i18n.current() == "zh_Hant"


def an_error() -> UserError:
    return InvalidValue(
        N_("{knob} must be a number from {low:g} to {high:g}, got {value}"),
        knob=Message("soft weight", "Weight of the soft targets"),
        low=0,
        high=1000,
        value=quoted("{x}\n", 40),
    )


def test_an_error_is_english_as_a_string_and_translated_on_a_page() -> None:
    english = "soft weight must be a number from 0 to 1000, got '{x}\\n'"
    assert str(an_error()) == an_error().translated() == english
    i18n.use("zh_Hant")
    assert str(an_error()) == english
    assert an_error().translated() != english
    assert "'{x}\\n'" in an_error().translated()


@pytest.mark.parametrize("language", list(i18n.LANGUAGES))
def test_an_error_survives_another_process_and_the_store(language: str) -> None:
    sentence = N_("unknown network {name}; known: {known}")
    unknown = UnknownName(sentence, name=quoted("x" * 200, 80), known=["linear", N_(TRANSLATED)])
    i18n.use(language)
    for error in (an_error(), unknown):
        there_and_back = pickle.loads(pickle.dumps(error))
        assert type(there_and_back) is type(error)
        for again in (there_and_back, UserError.from_json(error.to_json())):
            assert (str(again), again.translated()) == (str(error), error.translated())


def test_quoted_is_one_short_line() -> None:
    assert quoted("a\nb") == r"'a\nb'"
    assert quoted(-1.5) == "'-1.5'"
    assert len(quoted("x" * 1000, 40)) == 40
