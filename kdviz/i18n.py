"""Every sentence a person reads, in English and Traditional Chinese (as written in Taiwan), by gettext.

English is the text in the code. The catalogue lies in kdviz/locale as a .po file, read directly by Babel, so that no
compiled copy can fall behind. The language is a context variable: each page sets it once, threads do not share it.
"""

from __future__ import annotations

from contextvars import ContextVar
from functools import lru_cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path

LANGUAGES = {"en": "English", "zh_Hant": "繁體中文"}
LOCALE_FOLDER = Path(__file__).parent / "locale"

_language: ContextVar[str] = ContextVar("language", default="en")


class Message(str):
    """A text of the catalogue, translated where it is shown, also where it fills a field of another text.

    label: the text to translate it by, where a page has a name of its own for the thing (`soft weight` is what the command
    line calls it, "Weight of the soft targets" is its label).
    """

    label: str | None

    def __new__(cls, text: str, label: str | None = None) -> Message:
        message = super().__new__(cls, text)
        message.label = label
        return message


def N_(message: str) -> Message:
    """Mark a text for the catalogue without translating it yet: it is translated where it is shown."""
    return Message(message)


def _(message: str, /, **fields: object) -> str:
    """Return a text in the current language, its named fields filled in: `_("{n} images", n=3)`.

    A field that is a Message is translated too; a list is written out with the language's own separator.
    """
    return _filled(_language.get(), message, fields)


def english(message: str, /, **fields: object) -> str:
    """Return what `_` returns in English, whatever the current language is."""
    return _filled("en", message, fields)


def _filled(language: str, message: str, fields: dict[str, object]) -> str:
    def shown(field: object) -> object:
        if isinstance(field, Message):
            return _filled(language, field, {})
        if isinstance(field, list):
            return _filled(language, N_(", "), {}).join(str(shown(item)) for item in field)
        return field

    looked_up: str = message
    if language != "en":
        looked_up = getattr(message, "label", None) or message
    text = str(translations(language).gettext(looked_up)) if message else ""
    return text.format(**{name: shown(field) for name, field in fields.items()}) if fields else text


def current() -> str:
    """Return the code of the current language, a key of LANGUAGES."""
    return _language.get()


def use(language: str) -> None:
    """Set the current language for this thread or task; an unknown code means English."""
    _language.set(language if language in LANGUAGES else "en")


def best_match(accepted: str | None) -> str:
    """Return the language for a browser's locale or Accept-Language, such as `zh-TW,zh;q=0.9`: the first that is known.

    Any Chinese is answered in Traditional Chinese, the only Chinese there is.
    """
    for part in (accepted or "").replace("_", "-").split(","):
        code = part.split(";")[0].strip().lower()
        if code.split("-")[0] == "zh":
            return "zh_Hant"
        if code.split("-")[0] == "en":
            return "en"
    return "en"


@lru_cache
def translations(language: str) -> NullTranslations:
    """Return the catalogue of a language; English is its own."""
    if language == "en":
        return NullTranslations()
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    with (LOCALE_FOLDER / language / "LC_MESSAGES" / "kdviz.po").open("rb") as file:
        catalogue = read_po(file, locale=language)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return GNUTranslations(compiled)
