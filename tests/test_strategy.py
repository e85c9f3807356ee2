"""How a run is trained: every student in one program, and each choice with its reason."""

from __future__ import annotations

import sysconfig
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdviz import data, models, strategy
from kdviz.spec import RunSpec

MNIST = {1.0: 60_000, 0.1: 6_000}
COMPILER_MISSING, BF16_GAIN = strategy.compiler_missing, strategy.bf16_gain  # as they are; most tests put others in their place


@pytest.fixture(autouse=True)
def a_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One that can compile, gains nothing by bf16 and has compiled nothing yet."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(strategy, "compiler_missing", lambda: None)
    monkeypatch.setattr(strategy, "bf16_gain", lambda *of: 1.0)


def spec(**values: Any) -> RunSpec:
    return RunSpec.from_dict({"dataset": "mnist", **values})


def networks(of: RunSpec) -> dict[str, models.Architecture]:
    known = data.source(of.dataset)
    return {name: models.architecture(name, known.shape, len(known.class_names)) for name in of.student}


def stacks(of: RunSpec) -> list[list[int]]:
    return strategy.stacks(of.students, networks(of))


def choose(of: RunSpec, **given: Any) -> strategy.Strategy:
    usual: dict[str, Any] = {"images": MNIST, "test_images": 10_000, "available": 2}
    return strategy.choose(of, **usual | given)


# Who trains with whom


@given(
    st.lists(st.sampled_from(["linear", "mlp-30-30", "mlp-300-100", "mlp-800-800", "cnn"]), min_size=1, max_size=3, unique=True),
    st.lists(st.sampled_from([0.1, 0.5, 1.0]), min_size=1, max_size=2, unique=True),
    st.integers(1, 3),
    st.integers(1, 3),
)
def test_every_student_is_in_one_stack_with_its_like(
    student: list[str], fraction: list[float], temperatures: int, seeds: int
) -> None:
    of = spec(student=student, fraction=fraction, temperature=list(range(1, temperatures + 1)), seeds=seeds)
    together = stacks(of)
    assert sorted(number for numbers in together for number in numbers) == list(range(len(of.students)))
    for numbers in together:
        assert numbers == sorted(numbers)
        assert len({(of.students[n].network, of.students[n].fraction) for n in numbers}) == 1


def test_narrow_students_train_together() -> None:
    of = spec(student="mlp-30-30", temperature=[1, 4, 20], seeds=5)
    assert stacks(of) == [list(range(20))]


def test_on_a_graphics_card_wide_students_train_together_too() -> None:
    of = spec(student=["mlp-800-800", "cnn"], temperature=[20], seeds=2)
    assert strategy.stacks(of.students, networks(of), "cuda") == [[0, 1, 2, 3], [4], [5], [6], [7]]
    assert strategy.stacks(of.students, networks(of), "cpu") == [[0, 2], [1, 3], [4], [5], [6], [7]]


def test_each_network_and_fraction_is_a_program() -> None:
    of = spec(student=["mlp-30-30", "linear"], fraction=[0.1, 1], seeds=2)
    assert stacks(of) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11], [12, 13, 14, 15]]


def test_wide_students_train_by_seed_each_with_its_control() -> None:
    of = spec(student="mlp-800-800", temperature=[1, 4], seeds=3)
    together = stacks(of)
    assert together == [[0, 3, 6], [1, 4, 7], [2, 5, 8]]
    for seed, numbers in enumerate(together):
        assert {of.students[n].seed for n in numbers} == {seed}
        assert {of.students[n].condition for n in numbers} == {"hard_labels", "distilled"}


def test_what_is_wide_depends_on_how_many_there_are() -> None:
    few, many = (spec(student="mlp-300-100", seeds=seeds) for seeds in (2, 8))
    each = networks(few)["mlp-300-100"].parameters
    assert 4 * each < strategy.STACK_PARAMETERS < 16 * each
    assert (len(stacks(few)), len(stacks(many))) == (1, 8)


def test_convolutions_train_one_by_one() -> None:
    of = spec(student=["cnn", "linear"], seeds=2)
    assert stacks(of) == [[0], [1], [2], [3], [4, 5, 6, 7]]


# Compiled or not


@pytest.mark.parametrize(
    ("values", "compiling", "compiled", "reason"),
    [
        ({}, "no", False, "not compiled, as asked"),
        ({"epochs": 1}, "yes", True, "compiled, as asked"),
        ({"epochs": 1}, "auto", False, "not compiled: would save"),
        ({"epochs": 500}, "auto", True, "compiled: would save"),
        ({"student": "cnn"}, "yes", False, "only dense networks on a CPU"),
        ({"student": ["linear", "cnn"], "epochs": 500}, "auto", False, "only dense networks on a CPU"),
    ],
    ids=str,
)
def test_a_step_is_compiled_as_asked_or_where_it_saves_time(
    values: dict[str, Any], compiling: str, compiled: bool, reason: str
) -> None:
    chosen = choose(spec(**values), compiling=compiling)
    assert chosen.compiled == compiled and reason in chosen.why


@pytest.mark.parametrize("compiling", ["auto", "yes"])
def test_without_a_compiler_nothing_is_compiled_and_the_reason_is_said(compiling: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strategy, "compiler_missing", lambda: "no C++ compiler on this machine")
    chosen = choose(spec(epochs=500), compiling=compiling)
    assert not chosen.compiled and "not compiled: no C++ compiler on this machine" in chosen.why


def test_on_a_gpu_nothing_is_compiled() -> None:
    chosen = choose(spec(epochs=500), compiling="yes", device="cuda")
    assert not chosen.compiled and "only dense networks on a CPU" in chosen.why


def test_what_was_compiled_before_is_worth_it_sooner() -> None:
    def fewest_epochs() -> int:
        return next(epochs for epochs in range(1, 400) if choose(spec(epochs=epochs)).compiled)

    first = fewest_epochs()
    made = strategy.marker(spec(), "fp32", choose(spec()).threads)
    assert made.parent == strategy.compiled_folder()
    made.touch()
    assert 1 < fewest_epochs() < first / 2


def test_what_compiling_needs_is_looked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    missing = COMPILER_MISSING.__wrapped__  # without its memory
    empty, there = tmp_path / "empty", tmp_path / "there"
    empty.mkdir()
    there.mkdir()
    compiler = there / "g++"
    compiler.touch(mode=0o755)
    (there / "Python.h").touch()
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(empty))
    assert missing() == "no C++ compiler on this machine"
    monkeypatch.setenv("PATH", str(there))
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(empty))
    assert missing() == "no Python headers on this machine"
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(there))
    assert missing() is None
    monkeypatch.setenv("PATH", str(empty))
    monkeypatch.setenv("CXX", str(compiler))
    assert missing() is None


# Precision, threads, evaluations


@pytest.mark.parametrize(
    ("student", "asked", "gain", "precision"),
    [
        ("mlp-30-30", "auto", 3.0, "fp32"),
        ("mlp-800-800", "auto", 3.0, "bf16"),
        ("mlp-800-800", "auto", 1.0, "fp32"),
        ("mlp-800-800", "fp32", 3.0, "fp32"),
        ("mlp-30-30", "bf16", 1.0, "bf16"),
    ],
)
def test_precision_is_as_asked_or_what_is_faster_here(
    student: str, asked: str, gain: float, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strategy, "bf16_gain", lambda *of: gain)
    assert choose(spec(student=student, precision=asked)).precision == precision


def test_the_gain_of_bf16_is_measured() -> None:
    assert 0 < BF16_GAIN() < 1000


def test_small_students_get_one_thread_and_large_ones_all() -> None:
    assert choose(spec(student="linear"), available=8).threads == 1
    assert choose(spec(student="mlp-800-800"), available=8).threads == 8
    assert choose(spec(student=["linear", "mlp-800-800"]), available=8).threads == 8


@given(
    st.sampled_from(["linear", "mlp-30-30", "mlp-800-800", "cnn"]),
    st.integers(1, 1000),
    st.integers(1, 32),
    st.integers(1, 4096),
    st.integers(1, 20_000),
)
def test_students_are_judged_from_six_to_twenty_four_times(
    student: str, epochs: int, seeds: int, batch_size: int, test_images: int
) -> None:
    of = spec(student=[student, "mlp-7"], epochs=epochs, seeds=min(seeds, 20), batch_size=batch_size)
    chosen = choose(of, test_images=test_images, compiling="no")
    assert len(chosen.evaluations) == len(chosen.stacks)
    assert all(6 <= evaluations <= 24 for evaluations in chosen.evaluations)


def test_short_runs_are_judged_seldom_and_long_ones_often() -> None:
    short, long = (choose(spec(epochs=epochs, batch_size=4096), compiling="no").evaluations for epochs in (1, 1000))
    assert (short, long) == ([6], [24])


def test_judging_takes_an_eleventh_of_the_time_at_most_where_it_is_more_than_six_times() -> None:
    for epochs in range(1, 60):
        of = spec(epochs=epochs)
        chosen = choose(of, compiling="no")
        (evaluations,) = chosen.evaluations
        network, students = networks(of)["mlp-30-30"], len(of.students)
        training = strategy.step_seconds(network, students, 128, chosen.threads) * 469 * epochs
        judging = evaluations * strategy.evaluation_seconds(network, students, 10_000, chosen.threads)
        assert evaluations == 6 or judging <= training / 11 * (1 + 1e-9)


# Kept


def test_an_earlier_attempts_choices_are_kept() -> None:
    of = spec(epochs=500)
    fresh = choose(of)
    earlier = {"threads": 7, "precision": "bf16", "compiled": False, "evaluations": [11], "host": "elsewhere"}
    assert (fresh.threads, fresh.precision, fresh.compiled, fresh.evaluations) == (2, "fp32", True, [24])
    kept = choose(of, earlier=earlier)
    assert (kept.threads, kept.precision, kept.compiled, kept.evaluations) == (7, "bf16", False, [11])
    assert kept.stacks == fresh.stacks and "as in the earlier attempt" in kept.why
    assert choose(of, earlier={}).why == fresh.why == choose(of, earlier=None).why


def test_what_an_earlier_attempt_did_not_say_is_chosen() -> None:
    kept = choose(spec(epochs=500), earlier={"threads": 5})
    assert (kept.threads, kept.precision, kept.compiled, kept.evaluations) == (5, "fp32", True, [24])


def test_an_earlier_attempt_that_was_compiled_goes_on_without_where_no_compiler_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose(spec(epochs=1), earlier={"compiled": True}).compiled
    monkeypatch.setattr(strategy, "compiler_missing", lambda: "no C++ compiler on this machine")
    assert not choose(spec(epochs=1), earlier={"compiled": True}).compiled
