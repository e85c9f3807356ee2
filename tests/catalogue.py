"""The catalogue of sentences: `python -m tests.catalogue` takes every message of kdviz/ into each language's .po file.

A message is what stands in `_(...)` or `N_(...)`. Translations that exist are kept; a sentence that the code no longer has
is dropped; a new one comes in untranslated, to be filled in by hand. Messages are sorted, without line numbers or dates, so
that a file changes only where a sentence does.
"""

from __future__ import annotations

import ast
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from kdviz.i18n import LANGUAGES, LOCALE_FOLDER
from tests.sources import modules

HEADER = """\
# Sentences of kdviz. The English text is in the code; `python -m tests.catalogue` takes new ones in.
msgid ""
msgstr ""
"Project-Id-Version: kdviz\\n"
"Language: {language}\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"

"""


def messages() -> list[str]:
    """Return every message of kdviz/, sorted."""
    calls = (node for tree in modules().values() for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args)
    marked = (call.args[0] for call in calls if isinstance(call.func, ast.Name) and call.func.id in ("_", "N_"))
    return sorted({text for first in marked for text in _texts(first) if text})


def _texts(node: ast.expr) -> list[str]:
    """Return the texts that an expression may be: itself, or either side of a condition. (Babel takes any string within.)"""
    if isinstance(node, ast.IfExp):
        return _texts(node.body) + _texts(node.orelse)
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []


def languages() -> list[str]:
    """Return the languages that have a catalogue: all but English, which is in the code."""
    return [language for language in LANGUAGES if language != "en"]


def path(language: str) -> Path:
    return LOCALE_FOLDER / language / "LC_MESSAGES" / "kdviz.po"


def read(language: str) -> Catalog:
    """Return a language's catalogue as it lies, or an empty one."""
    if not path(language).is_file():
        return Catalog(locale=language)
    with path(language).open("rb") as file:
        return read_po(file, locale=language)


def updated(language: str) -> str:
    """Return what a language's .po file should hold: every message of the code, with the translations there are."""
    # What another tool has marked as a guess (fuzzy) is no translation.
    there = {message.id: message.string for message in read(language) if message.id and not message.fuzzy}
    catalogue = Catalog(locale=language)
    for message in messages():
        # Babel takes the `% i` of "95% interval" for a format of printf; fields here are in braces.
        catalogue.add(message, there.get(message, "")).flags.discard("python-format")
    body = BytesIO()
    write_po(body, catalogue, omit_header=True, sort_output=True, width=120)
    return HEADER.format(language=language) + body.getvalue().decode()


def update() -> None:
    """Bring every .po file up to date and say what is left to translate."""
    for language in languages():
        text = updated(language)
        path(language).parent.mkdir(parents=True, exist_ok=True)
        path(language).write_text(text, "utf-8")
        missing = [message.id for message in read(language) if message.id and not message.string]
        file = path(language).relative_to(LOCALE_FOLDER.parent.parent)
        print(f"{file}: {len(messages())} messages, {len(missing)} to translate")
        for message in missing:
            print(f"  {message}")


if __name__ == "__main__":
    update()
