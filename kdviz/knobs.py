"""One knob of a spec: how it is declared, which values it takes, how it is written in a link and read from it.

Knows no spec: whatever dataclass declares its fields by `knob` is validated by the same lines, whoever asks.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any, TypeVar

from kdviz.errors import InvalidValue, UnknownName, UserError, quoted
from kdviz.i18n import N_, Message

Spec = TypeVar("Spec")


def knob(
    default: Any,
    label: str,
    help: str,
    low: float | None = None,
    high: float | None = None,
    unit: str = "",
    choices: tuple[str, ...] = (),
    by_dataset: Mapping[str, Any] | None = None,
    each: Callable[[Any], Any] | None = None,
    whole: bool = False,
) -> Any:
    """Declare a field of a spec.

    low, high: the allowed range, both included; choices: the allowed names, if fixed; by_dataset: defaults that differ from
    `default`, which is that of digits; each: makes one value of a list, where those are no numbers; whole: no fractions.
    """
    meta: dict[str, Any] = dict(
        label=label, help=help, low=low, high=high, unit=unit, choices=choices, by_dataset=by_dataset or {},
        each=each, whole=whole,
    )  # fmt: skip
    return field(default=default, metadata=meta)


def of_names(f: dataclasses.Field[Any]) -> bool:
    """Return whether a knob takes several of its choices."""
    return bool(f.metadata["choices"]) and isinstance(f.default, tuple)


def validated(f: dataclasses.Field[Any], value: Any) -> Any:
    """Return a knob's value in its own type. Raises InvalidValue or UnknownName, the value and the range in the sentence.

    A list keeps each value once: of names in the order of the choices, of numbers that may be none at all by size.
    """
    meta, name = f.metadata, Message(f.name.replace("_", " "), f.metadata["label"])
    if isinstance(f.default, tuple):
        values = value if isinstance(value, (list, tuple)) else [value]
        if not values and f.default:
            raise InvalidValue(N_("{knob} must be one value or several, got none"), knob=name)
        if of_names(f):
            for each in values:
                choice(name, each, meta["choices"])
            return tuple(allowed for allowed in meta["choices"] if allowed in values)
        made = [meta["each"](v) if meta["each"] else number(name, v, meta["low"], meta["high"], meta["whole"]) for v in values]
        return tuple(dict.fromkeys(made)) if f.default else tuple(sorted(set(made)))
    if isinstance(f.default, str):
        if meta["choices"]:
            choice(name, value, meta["choices"])
        return str(value)
    if f.default is None and value is None:
        return None
    return number(name, value, meta["low"], meta["high"], whole=isinstance(f.default, int))


def choice(name: Message, value: Any, choices: tuple[str, ...]) -> None:
    """Raise UnknownName unless a value is one of the allowed names."""
    if value not in choices:
        raise UnknownName(N_("unknown {knob} {name}; known: {known}"), knob=name, name=quoted(value, 80), known=list(choices))


def number(name: Message, value: Any, low: float, high: float, whole: bool) -> Any:
    """Return value as an int (whole) or a float within low..high. Raises InvalidValue."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not low <= number <= high or (whole and number != int(number)) or isinstance(value, bool):
        sentence = N_("{knob} must be a number from {low:g} to {high:g}, got {value}")
        if whole:
            sentence = N_("{knob} must be a whole number from {low:g} to {high:g}, got {value}")
        raise InvalidValue(sentence, knob=name, low=low, high=high, value=quoted(value, 40))
    return int(number) if whole else number


def written(value: Any) -> str:
    """Return a knob's value as text from which `kdviz.spec.read` and the spec make the same value again."""
    if isinstance(value, tuple):
        return ",".join(written(each) for each in value)
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


def followed(build: Callable[[Mapping[str, Any]], Spec], given: Mapping[str, Any]) -> tuple[Spec | None, list[UserError]]:
    """Build a spec from the values that can be followed together; return it and what is wrong with each that cannot."""
    taken: dict[str, Any] = {}
    wrong: dict[str, UserError] = {}
    try:
        return build(given), []
    except UserError:
        spec = None
    while True:  # again while it helps: fewer seeds may make room for more temperatures
        before = len(taken)
        for name in [name for name in given if name not in taken]:
            try:
                spec = build({**taken, name: given[name]})
            except UserError as error:
                wrong[name] = error
            else:
                taken[name] = given[name]
        if len(taken) == before:
            return spec, [error for name, error in wrong.items() if name not in taken]
