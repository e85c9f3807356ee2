"""The errors a person can cause, each one sentence with its remedy. Pages show it, the command line exits with 2.

The sentence is a message of the catalogue with named fields, so that it is English where it is a string (the command line,
a traceback, a log) and the reader's own language where a page asks for `.translated()`:

    raise InvalidValue(N_("seeds must be from {low} to {high}, got {value}"), low=1, high=32, value=quoted(given, 40))
"""

from __future__ import annotations

import json
from typing import Any

from kdviz.i18n import Message, _, english


class UserError(Exception):
    """A mistake of the person at the keyboard, or of their machine: one sentence that says what came and what to do."""

    def __init__(self, message: str, /, **fields: object) -> None:
        super().__init__(message)  # the message alone, so that pickle can build the error again in another process
        self.fields = fields

    def __str__(self) -> str:
        return english(self.args[0], **self.fields)

    def translated(self) -> str:
        """Return the sentence in the current language."""
        return _(self.args[0], **self.fields)

    def to_json(self) -> str:
        """Return the sentence and its fields as text, so that the store can keep the error and a page translate it later."""
        return json.dumps({"message": self.args[0], "fields": {name: _packed(value) for name, value in self.fields.items()}})

    @staticmethod
    def from_json(text: str) -> UserError:
        """Build an error again from `to_json`. Its sentence is the same; its class is UserError, whichever it was."""
        kept = json.loads(text)
        return UserError(kept["message"], **{name: _unpacked(value) for name, value in kept["fields"].items()})


class UnknownName(UserError):
    """A name that is not registered; the sentence has the fields `name` and `known`, a list of those that are."""


class InvalidValue(UserError):
    """A value outside its range; the sentence shows the value and the range."""


class DataUnavailable(UserError):
    """A dataset that is not on this machine, is incomplete, or cannot be downloaded now."""


class WeightsDamaged(UserError):
    """A weights file that is cut short, altered, or does not fit its card."""


def quoted(value: object, length: int | None = None) -> str:
    """Return a value that somebody gave, in quotes and on one line, cut to a length in characters if there is one."""
    return repr(str(value))[:length]


def _packed(field: object) -> Any:
    if isinstance(field, Message):
        return {"text": str(field), "label": field.label}
    if isinstance(field, list):
        return [_packed(item) for item in field]
    return field if isinstance(field, (str, int, float, type(None))) else str(field)


def _unpacked(field: Any) -> object:
    if isinstance(field, dict):
        return Message(field["text"], field["label"])
    if isinstance(field, list):
        return [_unpacked(item) for item in field]
    return field
