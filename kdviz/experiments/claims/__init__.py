"""The claims, a file for each: what is asked, what is run, what its figures say."""

from __future__ import annotations

from kdviz.experiments import Experiment
from kdviz.experiments.claims import (
    bugs,
    confused,
    ensembles,
    errors_table,
    kdtf_table,
    little_data,
    logit_matching,
    never_seen,
    t_squared,
    temperature_by_width,
    two_teachers,
    where_from,
)
from kdviz.i18n import N_


def chapters() -> list[tuple[str, list[Experiment]]]:
    """Return all claims in the order in which they are read, in chapters with a title each, a message."""
    return [
        (
            N_("What the paper measured on MNIST"),
            [errors_table.EXPERIMENT, temperature_by_width.EXPERIMENT, never_seen.MYTHICAL_3, never_seen.ONLY_7_AND_8],
        ),
        (
            N_("Where the gain comes from, and how it is lost"),
            [where_from.EXPERIMENT, bugs.EXPERIMENT, little_data.EXPERIMENT, kdtf_table.EXPERIMENT],
        ),
        (
            N_("What the paper derives, and what came after it"),
            [t_squared.EXPERIMENT, logit_matching.EXPERIMENT, two_teachers.EXPERIMENT, ensembles.EXPERIMENT, confused.EXPERIMENT],
        ),
    ]


def kinds() -> list[Experiment]:
    """Return the other kinds of claims that are listed once."""
    return never_seen.OTHER_DIGITS
