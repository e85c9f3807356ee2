"""Streamlit's settings of the page: each is a real option with a value it allows, and the colours can be read."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from streamlit import config

from tests.sources import ROOT

SETTINGS = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text("utf-8"))


def flat(table: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in table.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return found


@pytest.mark.parametrize("name", flat(SETTINGS))
def test_each_setting_is_real(name: str) -> None:
    assert name in config._config_options_template, f"this Streamlit has no option {name}"


def test_what_the_design_relies_on() -> None:
    settings = flat(SETTINGS)
    assert settings["server.address"] == "localhost"
    assert settings["browser.gatherUsageStats"] is False
    assert settings["runner.postScriptGC"] is False
    assert settings["client.showErrorDetails"] == "none"
    assert "server.headless" not in settings  # Streamlit's own default opens a browser where there is a display


def test_nothing_is_fetched_from_elsewhere() -> None:
    assert not [value for value in flat(SETTINGS).values() if "//" in str(value)]


def luminance(colour: str) -> float:
    """Return the relative luminance of #RRGGBB, 0..1, by WCAG 2.2."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_of_black_and_white_is_21() -> None:
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_colours_can_be_read(mode: str) -> None:
    theme = SETTINGS["theme"][mode]
    for surface in (theme["backgroundColor"], theme["secondaryBackgroundColor"]):
        assert contrast(theme["textColor"], surface) >= 7
        assert contrast(theme["linkColor"], surface) >= 4.5
        assert contrast(theme["primaryColor"], surface) >= 3  # a control, and the thumb of a slider
    assert contrast("#FFFFFF", theme["primaryColor"]) >= 4.5  # a button's text is white in both modes
