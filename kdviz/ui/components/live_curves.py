"""Learning curves that fill in by themselves, drawn in the browser from the stream of points; and replays, from points there are.

Python says once how everything looks, which runs there are and what it knows of them; the browser asks the stream for the rest
and draws, without a rerun of the page until a run changes its state. For a sweep, which Python draws, the browser keeps the
progress and the time of a replay, and asks for a rerun when there is something new.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kdviz import engine
from kdviz.figures import Theme, curves
from kdviz.i18n import _
from kdviz.spec import TeacherSpec
from kdviz.store import Store
from kdviz.ui import served, shown, stream

RERUN_SECONDS = 0.7  # a map and its panels take the browser 0.3 s to draw, on a core that the training could use
SPEEDS = (0.5, 1, 2, 4, 8, 16)

_HTML = """
<div class="kdviz-curves">
  <div class="progress" hidden><progress max="1" value="0"></progress><span class="step"></span></div>
  <div class="news" role="status"></div>
  <div class="choices"></div>
  <div class="series"></div>
  <p class="note"></p>
  <div class="zoom" role="group" hidden></div>
  <div class="plot" role="img"></div>
  <div class="replay" hidden>
    <button type="button" class="play"></button>
    <input type="range" class="time" min="0" max="1000" step="1">
    <span class="clock"></span>
    <label><span class="word"></span> <select class="speed"></select></label>
  </div>
  <p class="ends" role="status"></p>
</div>
"""

_CSS = """
.kdviz-curves { color: var(--st-text-color); font-family: var(--st-font); font-size: 1rem; }
.kdviz-curves [hidden] { display: none !important; }
.kdviz-curves .progress { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 12px; margin-bottom: 8px; }
.kdviz-curves progress { flex: 1 1 12rem; height: 8px; accent-color: var(--st-primary-color); }
.kdviz-curves .step { font-variant-numeric: tabular-nums; }
.kdviz-curves .news:empty { display: none; }
.kdviz-curves .news {
  padding: 4px 12px; margin-bottom: 8px; border-left: 4px solid var(--st-primary-color);
  background: var(--st-secondary-background-color);
}
.kdviz-curves .choices { display: flex; flex-wrap: wrap; gap: 8px 20px; margin-bottom: 8px; }
.kdviz-curves fieldset { display: flex; flex-wrap: wrap; border: 0; padding: 0; margin: 0; min-width: 0; }
.kdviz-curves legend { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
.kdviz-curves fieldset label { position: relative; display: flex; }
.kdviz-curves fieldset input { position: absolute; opacity: 0; }
.kdviz-curves fieldset span, .kdviz-curves .series button, .kdviz-curves .zoom button, .kdviz-curves .play, .kdviz-curves select {
  box-sizing: border-box; min-height: 36px; padding: 5px 12px; color: inherit; background: transparent; font: inherit;
  border: 1px solid color-mix(in srgb, currentColor 45%, transparent); border-radius: var(--st-button-radius); cursor: pointer;
}
.kdviz-curves select { background: var(--st-background-color); }
.kdviz-curves fieldset input:checked + span { background: var(--st-primary-color); border-color: transparent; color: #FFFFFF; }
.kdviz-curves fieldset input:disabled + span { opacity: 0.45; cursor: default; }
.kdviz-curves fieldset input:focus-visible + span, .kdviz-curves button:focus-visible, .kdviz-curves select:focus-visible,
.kdviz-curves .time:focus-visible { outline: 3px solid var(--st-text-color); outline-offset: 1px; }
.kdviz-curves .series { display: flex; flex-wrap: wrap; gap: 4px 8px; margin-bottom: 4px; }
.kdviz-curves .series button { display: flex; align-items: center; gap: 8px; border-color: transparent; padding: 3px 8px; }
.kdviz-curves .series button:hover { background: var(--st-secondary-background-color); }
.kdviz-curves .series button[aria-pressed="false"] { opacity: 0.5; text-decoration: line-through; }
.kdviz-curves .zoom { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 8px; }
.kdviz-curves .zoom button { min-width: 40px; }
.kdviz-curves .zoom button[aria-disabled="true"] { opacity: 0.55; cursor: default; }
.kdviz-curves .ends { margin: 8px 0 0; }
.kdviz-curves .ends:empty { display: none; }
.kdviz-curves .note { margin: 0 0 4px; }
.kdviz-curves .note:empty { display: none; }
.kdviz-curves .plot { min-height: 400px; }
.kdviz-curves .replay { display: flex; flex-wrap: wrap; align-items: center; gap: 8px 12px; margin-top: 8px; }
.kdviz-curves .time { flex: 1 1 10rem; min-width: 6rem; height: 36px; accent-color: var(--st-primary-color); }
.kdviz-curves .clock { font-variant-numeric: tabular-nums; min-width: 7.5em; }
"""

_mount = served.component("live_curves", "curves.js", _HTML, _CSS, isolate_styles=False)


@dataclass(frozen=True)
class Facts:
    """What the browser is told of a run beside its points. epochs: of the longest run; teacher: its accuracy and its errors."""

    epochs: int
    teacher: Mapping[str, float] | None


def show(store: Store | None, view: shown.Shown, others: Sequence[shown.Shown], facts: Facts, theme: Theme) -> None:
    """Draw a run's curves, other runs' faint over them, and go on while it trains. store: None for a record."""
    own = _id(view)
    drawn = curves.series(view.spec, own)
    said = [curves.curve(series, view.points) for series in drawn]
    for other in others:
        assert other.run is not None
        overlaid = curves.series(other.spec, other.run.id, prefix=f"{shown.name(other.run)}: ", faint=True)
        said += [curves.curve(series, other.points) for series in overlaid]
        drawn += overlaid
    teaching = isinstance(view.spec, TeacherSpec)
    data = {
        **_data(store, [view, *others]),
        "plotly": served.address(served.PLOTLY),
        "frame": curves.frame(drawn, facts.epochs, theme),
        "metrics": ["accuracy", "loss"] if teaching else ["accuracy", "loss", "agreement", "kl"],
        "teacher": dict(facts.teacher) if facts.teacher else None,
        "alt": curves.in_words(said, facts.teacher["accuracy"] if facts.teacher else None),
        "words": {
            **_words(),
            "sentence": curves.sentence(),
            "teacher": _("The teacher: {accuracy} right.", accuracy="{accuracy}"),
            "nothing": _("No points yet."),
            "note": _(
                "Filled signs: the soft term. Open signs: the hard term. Each with its weight, mean since the evaluation before."
            ),
            "metric": _("What is drawn"),
            "scale": _("Scale"),
            "accuracy": _("accuracy"),
            "loss": _("loss"),
            "agreement": _("agreement"),
            "kl": _("KL divergence"),
            "linear": _("linear"),
            "log": _("log"),
            "errors": _("errors"),
            "zoom": _("Zoom"),
            "nearer": _("Zoom in"),
            "farther": _("Zoom out"),
            "earlier": _("Earlier epochs"),
            "later": _("Later epochs"),
            "whole": _("Show all"),
            "epochs": _("epochs {first} to {last}", first="{first}", last="{last}"),
        },
    }
    _mount(key="live_curves", data=data, on_moved_change=lambda: None)


def clock(store: Store | None, view: shown.Shown) -> float | None:
    """Show a sweep's progress, or its replay, and return the second of training to draw it at, None for the present.

    Call it in a fragment: it is rerun, at most every RERUN_SECONDS, when there are new points or the replay has gone on.
    """
    data = {**_data(store, [view]), "frame": None, "words": _words()}
    shown_at = _mount(key="live_clock", data=data, on_moved_change=lambda: None, on_at_change=lambda: None).at
    live = view.run is not None and not view.run.over
    if live or not isinstance(shown_at, dict) or shown_at.get("run") != _id(view):
        return None
    seconds = shown_at.get("seconds")
    return float(seconds) if isinstance(seconds, (int, float)) else None


def _id(view: shown.Shown) -> str:
    return view.run.id if view.run is not None else "record"


def _data(store: Store | None, views: Sequence[shown.Shown]) -> dict[str, Any]:
    """Return what the browser needs of the runs: their points so far, and how far each is."""
    ready = store is not None and engine.state(store) == "ready"
    runs = []
    for view in views:
        stand = view.run.stand if view.run is not None else None
        runs.append(
            {
                "id": _id(view),
                "points": stream.rows(view.points),
                "state": stream.state(stand, view.points[-1] if view.points else None, ready) if stand is not None else None,
                "live": stand is not None and not stand.over,
            }
        )
    teaching = isinstance(views[0].spec, TeacherSpec)
    return {
        "runs": runs,
        "columns": list(stream.COLUMNS),
        "stream": stream.address(),
        "every": RERUN_SECONDS,
        "speeds": SPEEDS,
        "verdict": views[0].result is not None,
        "loading": _("loading the images") if teaching else _("loading the images and the teacher's answers"),
    }


def _words() -> dict[str, str]:
    return {
        "waiting": _("waiting for a free worker"),
        "starting": _("the engine is starting; training begins in a few seconds"),
        "step": _("step {step} of {steps}", step="{step}", steps="{steps}"),
        "seconds": _(
            "step {step} of {steps}, about {seconds} s left", step="{step}", steps="{steps}", seconds="{seconds}"
        ),
        "minutes": _(
            "step {step} of {steps}, about {minutes} minutes left", step="{step}", steps="{steps}", minutes="{minutes}"
        ),
        "paused": _("paused at step {step} of {steps}", step="{step}", steps="{steps}"),
        "lost": _("The connection is lost; trying again."),
        "back": _("Connected again."),
        "missing": _("This run has been deleted."),
        "replay": _("Replay"),
        "ends": _("What is said below is how the run ended, not where the replay is."),
        "pause": _("Pause"),
        "time": _("time of the replay"),
        "clock": _("{now} of {all} s", now="{now}", all="{all}"),
        "speed": _("speed"),
    }  # fmt: skip
