"""Every sentence that a person reads is in the catalogue, whole, in every language; and every error can be translated."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from string import Formatter

import pytest

from tests import catalogue
from tests.sources import modules

LANGUAGES = catalogue.languages()

MAINLAND = [
    "網絡", "數據", "信息", "默認", "軟件", "硬件", "屏幕", "鼠標", "文件夾", "內存", "服務器", "加載", "視頻",
    "緩存", "線程", "進程",
]  # fmt: skip
"""Words of Chinese as written elsewhere, in Traditional characters; in Taiwan they are others or mean something else."""


def translated() -> Iterator[tuple[str, str, str]]:
    """Yield (language, message, translation) for every entry that lies in a catalogue."""
    for language in LANGUAGES:
        for message in catalogue.read(language):
            if message.id:
                yield language, str(message.id), str(message.string)


def fields(text: str) -> set[tuple[str, str, str]]:
    """Return a text's fields, each as (name, format, conversion)."""
    return {(name, form or "", how or "") for _, name, form, how in Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("language", LANGUAGES)
def test_catalogue_is_what_the_code_says(language: str) -> None:
    there = {str(message.id) for message in catalogue.read(language) if message.id}
    assert not set(catalogue.messages()) - there, "run `python -m tests.catalogue` and translate what it lists"
    assert not there - set(catalogue.messages()), "run `python -m tests.catalogue`: the code no longer says these"
    assert catalogue.path(language).read_text("utf-8") == catalogue.updated(language), "run `python -m tests.catalogue`"


@pytest.mark.parametrize("language", LANGUAGES)
def test_catalogue_is_complete(language: str) -> None:
    lying = catalogue.read(language)
    assert not [message.id for message in lying if message.id and not message.string], "not translated"
    assert not [message.id for message in lying if message.id and message.fuzzy], "fuzzy"
    assert not lying.obsolete


def test_translations_have_the_fields_of_their_sentence() -> None:
    wrong = [(message, text) for _, message, text in translated() if text and fields(message) != fields(text)]
    assert not wrong


def test_translations_have_the_marks_of_their_sentence() -> None:
    # Bold, code and formulas of Markdown, in pairs; a link keeps its address.
    for _, message, text in translated():
        if text:
            for mark in ("**", "`", "$"):
                assert message.count(mark) == text.count(mark), (mark, message)
            assert re.findall(r"\]\([^)]*\)", message) == re.findall(r"\]\([^)]*\)", text)
            assert re.findall(r"`[^`]*`", message) == re.findall(r"`[^`]*`", text), "code is not translated"


def test_characters_are_traditional() -> None:
    # Big5 is the character set of Traditional Chinese as written in Taiwan: a character simplified elsewhere is not in it.
    wrong = {char: text for _, _, text in translated() for char in text if "一" <= char <= "鿿" and not _in_big5(char)}
    assert not wrong


def test_words_are_those_of_taiwan() -> None:
    assert not [(word, text) for _, _, text in translated() for word in MAINLAND if word in text]


def test_punctuation_is_full_width() -> None:
    half = re.compile(r"[一-鿿]\s*[,.;:?!()]\s*[一-鿿]")
    assert not [text for _, _, text in translated() if half.search(text)]


def _in_big5(char: str) -> bool:
    try:
        char.encode("big5")
    except UnicodeEncodeError:
        return False
    return True


# How sentences stand in the code.


def calls(names: set[str]) -> Iterator[tuple[str, ast.Call]]:
    for module, tree in modules().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", None)
                if called in names:
                    yield f"{module}, line {node.lineno}", node


def error_classes() -> set[str]:
    """Return the names of UserError and of every class that is one."""
    found, grown = {"UserError"}, True
    while grown:
        before = len(found)
        for tree in modules().values():
            for node in ast.walk(tree):
                if isinstance(node, ast.ClassDef) and {base.id for base in node.bases if isinstance(base, ast.Name)} & found:
                    found.add(node.name)
        grown = len(found) > before
    return found


def message_of(call: ast.Call) -> str | None:
    """Return the sentence of a call as it stands there, or None where it is a name for one that is marked elsewhere."""
    first = call.args[0]
    if isinstance(first, ast.Call) and getattr(first.func, "id", None) == "N_":
        first = first.args[0]
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None


def given_fields(call: ast.Call) -> set[str] | None:
    names = {keyword.arg for keyword in call.keywords}
    return None if None in names else {name for name in names if name is not None}


def test_each_error_is_a_marked_sentence() -> None:
    names = error_classes()
    assert names >= {"UserError", "UnknownName", "InvalidValue"}
    for where, call in calls(names):
        if isinstance(call.args[0], ast.Name | ast.Subscript):
            continue  # a sentence that is marked where it was given its name
        first = call.args[0]
        marked = isinstance(first, ast.Call) and getattr(first.func, "id", None) == "N_"
        assert marked or where.startswith("kdviz.errors"), f"{where}: an error's sentence is N_(...), with named fields"


def test_each_sentence_gets_its_fields() -> None:
    for where, call in calls(error_classes() | {"_"}):
        message, given = message_of(call), given_fields(call)
        # Without fields `_` leaves braces alone: a template whose fields are filled in later.
        if message is not None and given is not None and (given or getattr(call.func, "id", None) != "_"):
            assert given == {name for name, _, _ in fields(message)}, f"{where}: {message}"


def test_no_sentence_is_put_together() -> None:
    for where, call in calls({"_", "N_"}):
        if call.args:
            assert not isinstance(call.args[0], ast.JoinedStr | ast.BinOp), f"{where}: a sentence is whole, with named fields"
