"""Experiments as data; what they measure against counting by hand; results that hold together; runs that can be interrupted."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from string import Formatter
from typing import Any

import numpy as np
import pytest

from kdviz import answers, cli, data, experiments, settings, soft_targets, stats, teachers
from kdviz.errors import InvalidValue, UnknownName
from kdviz.experiments import Experiment, Part, Said, running
from kdviz.experiments.claims import confused, logit_matching, never_seen, where_from
from kdviz.misconceptions import MISCONCEPTIONS
from kdviz.spec import APART, EVERY_RUN, RunSpec

pytestmark = pytest.mark.usefixtures("one_thread")

ALL = [experiments.find(name) for name in experiments.names()]
EACH = pytest.mark.parametrize("experiment", ALL, ids=experiments.names())
RECORDS = sorted((settings.ASSETS / "experiments").glob("*.json"))
RECORDED = pytest.mark.parametrize("file", RECORDS, ids=lambda file: file.name)
SMALL = {"student": "mlp-6", "fraction": 0.1, "seeds": 2, "epochs": 2}


# The data


def test_they_stand_in_order() -> None:
    assert experiments.names() == [
        "mnist-table", "temperature-by-width", "mythical-3", "only-7-and-8", "where-from", "misconceptions", "little-data",
        "kdtf-table", "t-squared", "logit-matching", "good-teacher-good-student", "ensemble", "specialists",
    ]  # fmt: skip


@EACH
def test_every_spec_is_one_that_can_be_run(experiment: Experiment) -> None:
    for full in (False, True):
        specs = experiment.specs(full)
        assert specs and len({spec.id for spec in specs.values()}) == len(specs)
        for spec in specs.values():
            teachers.find(spec.dataset, spec.teacher)
            assert spec.evaluate_on == "test" and spec.seeds >= 3
            if full and spec.dataset == "mnist":
                assert spec.seeds == 5
    assert all(spec.seeds == 2 for spec in experiment.specs(False, 2).values())
    assert experiment.seconds[0] <= 60 and sum(one.seconds[1] for one in ALL) < 6 * 3600


@EACH
def test_what_is_said_is_said_whole(experiment: Experiment) -> None:
    assert experiment.question.endswith("?") and len(experiment.predictions) >= 2
    for found in experiment.paper:
        assert found.value >= 0 and found.what and found.where


@EACH
def test_with_one_seed_nothing_is_claimed(experiment: Experiment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a verdict rests on an interval; of a class that was never seen, and of an angle, it does not."""
    if experiment.name in ("mythical-3", "only-7-and-8", "logit-matching"):
        return
    monkeypatch.setattr(confused, "answered", lambda part: (soft_targets.softmax(part.logits[0].astype(np.float64)), []))
    parts = {}
    for name, spec in experiment.specs(False, 1).items():
        part = made_up(spec, {"hard_labels": 0.9, "right": 0.6})
        rows = [{**row, "agreement": 0.9, "kl": 0.1} for row in part.result["students"]]
        parts[name] = replace(part, result={**part.result, "students": rows})
    concluded = experiment.concluded(parts)
    assert concluded["outcome"] == "unknown", concluded["verdict"]
    said = " ".join(one["text"] for one in concluded["verdict"])
    assert not re.search(r"harms|helps|not told apart|no difference|does not show", said)


def test_an_unknown_experiment_lists_the_known_ones() -> None:
    with pytest.raises(UnknownName, match="unknown experiment 'mnist'; known: mnist-table, temperature-by-width"):
        experiments.find("mnist")
    with pytest.raises(InvalidValue, match="seeds must be"):
        experiments.find("mnist-table").specs(False, 99)


# What is measured, of made-up students


def made_up(spec: RunSpec, accuracies: Mapping[Any, float], images: int = 600) -> Part:
    """Return a part whose students answer about as many images rightly as is wanted: of each condition, or of each student."""
    rng = np.random.default_rng(1)
    labels = rng.integers(10, size=images)
    logits = np.zeros((len(spec.students), images, 10), np.float32)
    easy = rng.random(images)
    for number, student in enumerate(spec.students):
        wanted = accuracies.get((student.network, student.temperature), accuracies.get(student.loss, 0.5))
        wanted = accuracies.get(student.condition, wanted)
        right = easy + 0.02 * rng.normal(size=images) < wanted
        answered = np.where(right, labels, (labels + rng.integers(1, 10, images)) % 10)
        logits[number, np.arange(images), answered] = 5
    right = logits.argmax(-1) == labels
    rows = [
        {"errors": int((~r).sum()), "accuracy": float(r.mean()), "train_accuracy": 1.0, "loss": s.loss}
        for r, s in zip(right, spec.students, strict=True)
    ]
    result = {"students": rows, "teacher": {"errors": 20, "accuracy": 0.97}, "settings": {"transfer_images": 60}}
    return Part(spec, result, logits, labels)


def texts(said: list[Said]) -> str:
    return " ".join(one.to_dict()["text"] for one in said)


@pytest.mark.parametrize(("distilled", "expected"), [(0.9, "helps"), (0.8, "neither"), (0.7, "harms")])
def test_the_table_is_the_students_and_its_verdict_their_interval(distilled: float, expected: str) -> None:
    spec = RunSpec(seeds=5)
    part = made_up(spec, {"hard_labels": 0.8, "distilled": distilled})
    concluded = experiments.find("mnist-table").concluded({"students": part})
    errors = [row["errors"] for row in part.result["students"]]
    measured = concluded["measured"]
    assert measured["students"]["hard_labels"]["errors"] == {"mean": np.mean(errors[:5]), "seeds": errors[:5]}
    assert measured["students"]["distilled"]["errors"]["mean"] == pytest.approx(np.mean(errors[5:]))
    assert measured["gain"]["mean"] == pytest.approx((np.mean(errors[:5]) - np.mean(errors[5:])) / 600)
    room = np.mean(errors[:5]) - 20
    assert measured["closed"] == pytest.approx((np.mean(errors[:5]) - np.mean(errors[5:])) / room)
    assert concluded["outcome"] == expected
    assert f"{np.mean(errors[5:]):.1f} errors of 600" in concluded["verdict"][0]["text"]
    alone = made_up(replace(spec, seeds=1), {"hard_labels": 0.8, "distilled": distilled})
    assert experiments.find("mnist-table").concluded({"students": alone})["outcome"] == "unknown"


def test_the_narrow_band_is_pooled_and_a_wide_students_high_temperatures_are_held_together() -> None:
    spec = RunSpec(student=("mlp-30-30", "mlp-300-300"), temperature=(1, 2.5, 4, 10, 20), seeds=3)
    better = {("mlp-30-30", T): 0.9 if T in (2.5, 4) else 0.7 for T in spec.temperature}
    wide = {("mlp-300-300", T): 0.9 for T in spec.temperature}
    part = made_up(spec, {**better, **wide, "hard_labels": 0.7})
    concluded = experiments.find("temperature-by-width").concluded({"widths": part})
    measured = concluded["measured"]
    assert concluded["outcome"] == "as_the_paper"
    assert [one["temperature"] for one in measured["beyond"]["lower"]] == [1]
    assert [one["temperature"] for one in measured["beyond"]["higher"]] == [10, 20]
    for one in measured["beyond"]["lower"] + measured["beyond"]["higher"]:
        assert one["difference"]["mean"] == pytest.approx(0.2, abs=0.03)
    assert measured["best"]["30"] in (2.5, 4.0) and len(measured["rows"]) == 10
    (alike,) = measured["alike"]
    assert alike["width"] == 300 and {alike["best"], alike["worst"]} == {10, 20} and alike["pairs"] == 1
    assert "not told apart" in concluded["verdict"][-1]["text"]
    close = made_up(spec, {**better, ("mlp-30-30", 10.0): 0.9, **wide, "hard_labels": 0.7})  # as good as the band, beyond it
    concluded = experiments.find("temperature-by-width").concluded({"widths": close})
    assert concluded["outcome"] == "otherwise"
    assert "not better than every higher T tried: against T = 10" in concluded["verdict"][1]["text"]
    flat = made_up(spec, {**wide, **dict.fromkeys(better, 0.8), "hard_labels": 0.7})
    assert experiments.find("temperature-by-width").concluded({"widths": flat})["outcome"] == "otherwise"


def test_a_class_that_was_never_seen_comes_back_with_its_bias() -> None:
    spec = RunSpec(classes_left_out=(3,), seeds=2)
    part = made_up(spec, {"hard_labels": 0.6, "distilled": 1.2})
    logits = part.logits.copy()
    logits[:, :, 3] -= 7  # so that no 3 is answered
    measured = never_seen._mythical({"students": replace(part, logits=logits)})
    threes = int((part.labels == 3).sum())
    rows = measured["rows"]
    assert rows["before"]["errors_of_classes"]["mean"] == threes == measured["images_of_classes"]
    assert rows["best_on_test"]["errors"]["mean"] == 0 and 2 < rows["best_on_test"]["bias"]["mean"] < 12
    assert rows["matched"]["bias"]["mean"] == pytest.approx(7, abs=1.5) and rows["matched"]["errors"]["mean"] == 0
    assert measured["share"] == pytest.approx(0.1, abs=0.01)
    assert rows["as_few"] == rows["best_on_test"]  # which leaves none of them wrong
    at_zero = measured["curve"]["bias"].index(0.0)
    assert measured["curve"]["errors"][at_zero] == rows["before"]["errors"]["mean"]
    outcome, said = never_seen._mythical_verdict(measured)
    assert outcome == "nearly_all" and "know 0.0% of them; hard-label students know 0.0%" in texts(said)
    assert "it is 100.0%" in texts(said) and "no more of the class wrong than the paper's, 14" in texts(said)
    # Forty threes that are told apart from other images only by a bias that turns more of those to 3.
    answers_of, where = logits.copy(), np.flatnonzero(part.labels == 3)[:40]
    others = np.flatnonzero(part.labels != 3)[:60]
    answers_of[:, where, 3] -= 10
    answers_of[:, others, 3] = answers_of[:, others].max(-1) - 12
    few = never_seen._mythical({"students": replace(part, logits=answers_of)})["rows"]
    assert min(few["best_on_test"]["errors_of_classes"]["seeds"]) > 14 >= max(few["as_few"]["errors_of_classes"]["seeds"])
    assert few["as_few"]["errors"]["mean"] > few["best_on_test"]["errors"]["mean"]
    # What is best on the test set decides nothing: where the matched bias does not help, neither does that.
    at_odds = {**measured, "rows": {**rows, "matched": rows["before"]}}
    assert never_seen._mythical_verdict(at_odds)[0] == "few"


@pytest.mark.parametrize("digit", range(10))
def test_any_digit_may_be_left_out_and_the_papers_figures_stand_beside_its_own(digit: int) -> None:
    one = experiments.find(experiments.find("mythical-3").others[f"{digit}"])
    assert one.listed == "mythical-3" and (one.name in experiments.names()) == (digit == 3) == bool(one.paper)
    assert [spec.classes_left_out for full in (False, True) for spec in one.specs(full).values()] == [(digit,)] * 2
    part = made_up(replace(one.specs(False)["students"], dataset="digits", teacher="cnn"), {"distilled": 0.9})
    concluded = one.concluded({"students": part})
    assert set(concluded["measured"]["rows"]) == {"before", "matched", "best_on_test"} | (
        {"papers", "as_few"} if one.paper else set()
    )
    said = " ".join(sentence["text"] for sentence in concluded["verdict"])
    assert f"never saw the digit {digit} know" in said and ("109" in said) == (digit == 3)


def test_the_idea_of_an_absent_class_is_drawn_from_the_images_most_like_it() -> None:
    spec = RunSpec(classes_left_out=(3,), seeds=2)
    sources = never_seen._sources(made_up(spec, {}), 3, most=5)
    digits = data.load("digits")
    shares = [source["share"] for source in sources]
    assert len(sources) == 5 and shares == sorted(shares, reverse=True) and shares[0] > 0.15
    few = replace(spec, fraction=(0.1,))
    seen = set(answers.transfer_set(few, digits, 0.1).tolist())
    assert {source["image"] for source in never_seen._sources(made_up(few, {}), 3, most=5)} <= seen  # no others taught them
    for source in sources:
        assert digits.labels[source["image"]] == source["label"] != 3 and source["image"] < 1437


def test_two_classes_alone_are_lowered_together() -> None:
    spec = RunSpec(classes_left_out=(0, 1, 2, 3, 4, 5, 6, 9), seeds=2)
    part = made_up(spec, {"distilled": 0.95})
    logits = part.logits.copy()
    logits[:, :, [7, 8]] += 6
    measured = never_seen._two_classes({"students": replace(part, logits=logits)})
    assert measured["classes"] == [7, 8]
    assert measured["rows"]["before"]["errors"]["mean"] > 400 > 60 > measured["rows"]["best_on_test"]["errors"]["mean"]
    assert measured["rows"]["best_on_test"]["bias"]["mean"] < 0 and measured["rows"]["matched"]["bias"]["mean"] < -3
    assert never_seen._two_classes_verdict(measured)[0] == "nearly_all"


@pytest.mark.parametrize(("permuted", "expected"), [(0.72, "most"), (0.86, "less"), (0.8, "some"), (0.9, "none")])
def test_what_permuted_classes_lack_is_dark_knowledge(permuted: float, expected: str) -> None:
    spec = RunSpec(conditions=(*EVERY_RUN, *APART), seeds=4)
    wanted = {"hard_labels": 0.7, "distilled": 0.9, "permuted_non_targets": permuted, "confidence_weighted": 0.7,
              "label_smoothing": 0.75, "random_teacher": 0.7}  # fmt: skip
    concluded = experiments.find("where-from").concluded({"few": made_up(spec, wanted)})
    found = concluded["measured"]["few"]
    assert concluded["outcome"] == expected and len(concluded["verdict"]) == 5
    for name, lack in found["lacks"].items():
        assert lack["mean"] == pytest.approx(found["gains"]["distilled"]["mean"] - found["gains"][name]["mean"])
    no_gain = made_up(spec, {**wanted, "hard_labels": 0.9})
    alone = experiments.find("where-from").concluded({"few": no_gain})
    assert alone["outcome"] == "unknown" and len(alone["verdict"]) == 1  # there is nothing to take apart
    no_gain = replace(no_gain, result={**no_gain.result, "settings": {"transfer_images": 600}})
    both = experiments.find("where-from").concluded({"few": made_up(spec, wanted), "all": no_gain})
    assert both["outcome"] == expected  # where there are fewest images


def test_a_bug_is_judged_at_its_highest_temperature_against_the_right_loss() -> None:
    spec = RunSpec(loss=("right", "no_t_squared", "mse_of_softmaxes"), temperature=(2, 8), seeds=4)
    part = made_up(spec, {"hard_labels": 0.6, "right": 0.9, "no_t_squared": 0.6, "mse_of_softmaxes": 0.9})
    concluded = experiments.find("misconceptions").concluded({"one": part})
    rows = concluded["measured"]["rows"]
    assert [(row["loss"], row["temperature"]) for row in rows] == [
        ("no_t_squared", 2), ("mse_of_softmaxes", 2), ("no_t_squared", 8), ("mse_of_softmaxes", 8),
    ]  # fmt: skip
    for row in rows:
        assert row["harm"]["mean"] == pytest.approx(row["accuracy"]["wrong"] - row["accuracy"]["right"])
    first, second = (said["text"] for said in concluded["verdict"])
    assert first.startswith("no_t_squared harms at T = 8: -") and second.startswith("mse_of_softmaxes does not show at T = 8")
    assert concluded["outcome"] == "few"


def test_little_data_says_which_share_of_the_loss_is_made_up() -> None:
    parts = {
        f"{fraction}": made_up(RunSpec(fraction=(fraction,), seeds=4), {"hard_labels": hard, "distilled": soft})
        for fraction, hard, soft in ((1.0, 0.9, 0.9), (0.03, 0.5, 0.8))
    }
    concluded = experiments.find("little-data").concluded(parts)
    rows = concluded["measured"]["rows"]
    assert [row["fraction"] for row in rows] == [0.03, 1.0] and concluded["outcome"] == "helps"
    accuracy = {name: rows[0]["students"][name]["accuracy"]["mean"] for name in ("hard_labels", "distilled")}
    whole = rows[1]["students"]["hard_labels"]["accuracy"]["mean"]
    share = (accuracy["distilled"] - accuracy["hard_labels"]) / (whole - accuracy["hard_labels"])
    assert f"With 3% of the images soft targets win back {share:.0%} of" in concluded["verdict"][-1]["text"]
    fewer = experiments.find("little-data").concluded({"0.03": parts["0.03"]})
    assert "win back" not in " ".join(one["text"] for one in fewer["verdict"])  # of all the images nothing is known
    assert rows[0]["gap"]["hard_labels"] == pytest.approx(1 - accuracy["hard_labels"])


def test_the_seed_articles_table_stands_beside_ours() -> None:
    spec = RunSpec(student=("linear",), temperature=(2, 5), seeds=4)
    part = made_up(spec, {"hard_labels": 0.92, ("linear", 2.0): 0.92, ("linear", 5.0): 0.97}, images=2000)
    concluded = experiments.find("kdtf-table").concluded({"students": part})
    assert concluded["outcome"] == "one" and len(concluded["verdict"]) == 3
    assert "kdtf has +0.30" in concluded["verdict"][0]["text"] and "helps" in concluded["verdict"][1]["text"]


def test_leaving_the_factor_out_is_made_up_for_by_the_learning_rate() -> None:
    """Three steps of gradient descent: at a rate T² times as high they are those of the right loss."""
    specs = experiments.find("t-squared").specs(False, 2)
    assert specs["raised"].learning_rate == pytest.approx(specs["gradient descent"].learning_rate * 32**2)
    parts = {name: made_up(spec, {"hard_labels": 0.6, "right": 0.9, "no_t_squared": 0.9 if name == "raised" else 0.7})
             for name, spec in specs.items()}  # fmt: skip
    concluded = experiments.find("t-squared").concluded(parts)
    assert concluded["outcome"] == "all" and len(concluded["verdict"]) == 4  # "raised" cannot but be the same
    harms = {name: rows[-1]["harm"]["verdict"] for name, rows in concluded["measured"].items()}
    assert harms == {"with hard labels": "harms", "gradient descent": "harms", "raised": "no visible difference", "Adam": "harms"}


def test_the_angle_to_matching_zero_mean_logits_goes_to_zero() -> None:
    rng = np.random.default_rng(0)
    z, v = rng.normal(0, 5, (2, 200, 10))
    degrees = logit_matching.angles(z + 3, v - 40, (0.5, 2, 8, 32, 1000))
    assert all(one > other for one, other in itertools.pairwise(degrees)) and degrees[0] > 30 and degrees[-1] < 1
    common = logit_matching.angles(z + 100, v, (2.0,))  # what all classes have in common is nothing
    assert logit_matching.angles(z, v, (2.0,)) == pytest.approx(common)
    step = 1e-4  # the gradient is that of the cross-entropy, by finite differences
    one = z[:1]
    loss = [-(soft_targets.softmax(v[:1], 2) * soft_targets.log_softmax(one + step * e, 2)).sum() for e in np.eye(10)]
    base = -(soft_targets.softmax(v[:1], 2) * soft_targets.log_softmax(one, 2)).sum()
    gradient = (np.array(loss) - base) / step
    matching = (one - v[:1] - (one - v[:1]).mean())[0]
    cosine = gradient @ matching / np.linalg.norm(gradient) / np.linalg.norm(matching)
    assert logit_matching.angles(one, v[:1], (2.0,))[0] == pytest.approx(np.degrees(np.arccos(cosine)), abs=0.1)


def test_students_are_judged_by_their_teachers_errors() -> None:
    spec = RunSpec(seeds=4)
    parts = {}
    for name, errors, accuracy in (("good", 10, 0.9), ("bad", 50, 0.7)):
        part = made_up(spec, {"hard_labels": 0.6, "distilled": accuracy})
        rows = [{**row, "agreement": accuracy, "kl": 0.1} for row in part.result["students"]]
        parts[name] = replace(part, result={**part.result, "students": rows, "teacher": {"errors": errors}})
    concluded = experiments.find("good-teacher-good-student").concluded(parts)
    assert concluded["outcome"] == "helps" and concluded["measured"]["better"] == "good"
    assert "agree with it on 90.00% of the images, the worse one's with theirs on 70.00%" in concluded["verdict"][1]["text"]


def test_an_ensembles_student_stands_beside_a_single_teachers() -> None:
    parts = {name: made_up(RunSpec(teacher=teacher, seeds=4), {"hard_labels": 0.7, "distilled": 0.8})
             for name, teacher in (("one", "cnn"), ("several", "cnn-x5"))}  # fmt: skip
    concluded = experiments.find("ensemble").concluded(parts)
    assert concluded["outcome"] == "neither" and "the members miss 3, 2, 3, 5, 4, together 20" in concluded["verdict"][0]["text"]


def test_a_sentence_has_the_fields_that_it_is_given() -> None:
    for message in (*where_from.LACKS.values(), *experiments.GAIN.values()):
        assert {field for _, field, _, _ in Formatter().parse(message) if field} <= {"own", "points", "lost", "low", "high"}


# Runs


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, own_data: Path) -> Experiment:
    """An experiment of two runs of a moment each, and a KDVIZ_DATA of its own."""
    parts = {name: {**SMALL, "temperature": [T]} for name, T in (("cold", 1), ("hot", 8))}
    one = replace(experiments.find("where-from"), name="small", quick=parts, full=parts, predictions={"any": "any"},
                  measure=lambda of: {name: experiments.students(part, part.setting) for name, part in of.items()},
                  verdict=lambda of: ("any", [Said("{n} runs", {"n": str(len(of))})]))  # fmt: skip
    monkeypatch.setattr(experiments, "find", lambda name: one)
    return one


def test_an_experiment_says_what_made_it_and_leaves_nothing_behind(small: Experiment, own_data: Path) -> None:
    said: list[str] = []
    result = running.carry_out(small, False, None, said.append)
    assert result["verdict"] == [{"message": "{n} runs", "fields": {"n": "2"}, "text": "2 runs"}] and result["kind"] == "quick"
    assert set(result["made"]) >= {"date", "machine", "cores", "versions", "seconds", "seeds", "teacher_sha256", "data_sha256"}
    assert result["made"]["teacher_sha256"]["hot"] == teachers.find("digits", "cnn").sha256
    for part in result["parts"].values():
        assert RunSpec.from_dict(part["spec"]).seeds == 2 and len(part["students"]) == 4
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert "1 of 2, cold" in said
    said.clear()  # until its result is written its runs are kept
    again = running.carry_out(small, False, None, said.append)
    assert again["measured"] == result["measured"] and not any("students" in one for one in said)
    running.forget(small, False, None)
    assert not list((own_data / "experiments").iterdir())


def test_an_interrupted_experiment_goes_on_where_it_was(
    small: Experiment, own_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = running.carry_out(small, False, None, lambda said: None)
    running.forget(small, False, None)
    monkeypatch.setattr(running, "CHECKPOINT_SECONDS", 0.0)
    replaced = running._write

    def breaks_off(file: Path, content: bytes) -> None:
        replaced(file, content)
        if file.name == "run.checkpoint" and (own_data / "experiments" / done / "result.json").is_file():
            raise KeyboardInterrupt

    done = running.folder(small.specs(False)["cold"]).name
    monkeypatch.setattr(running, "_write", breaks_off)
    with pytest.raises(KeyboardInterrupt):
        running.carry_out(small, False, None, lambda said: None)
    monkeypatch.setattr(running, "_write", replaced)
    assert sum(1 for _ in (own_data / "experiments").glob("*/result.json")) == 1
    said: list[str] = []
    again = running.carry_out(small, False, None, said.append)
    assert sum("students" in one for one in said) == 1 and any("going on where it was" in one for one in said)
    assert again["measured"] == whole["measured"]


def test_the_command_prints_the_result_alone_and_records_it(
    small: Experiment, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "small.json"
    assert cli.main(["experiment", "small", "--seeds", "2", "--json", "--record", str(file)]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["experiment"] == "small"
    recorded = json.loads(file.read_text("utf-8"))
    assert recorded["measured"]["hot"]["distilled"]["errors"] == printed["measured"]["hot"]["distilled"]["errors"]
    assert not list((settings.data_folder() / "experiments").iterdir())
    monkeypatch.setattr(running, "train", None)  # what cannot be written is said before anything is trained
    assert cli.main(["experiment", "small", "--record", str(tmp_path / "nowhere" / "x.json")]) == 2
    assert "cannot be written" in capsys.readouterr().err
    running.check(tmp_path / "later.json")
    assert not (tmp_path / "later.json").exists()


def test_the_list_names_each_with_its_question_and_its_time(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["experiment", "list"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in printed] == experiments.names()
    assert cli.main(["experiment", "list", "--json"]) == 0
    assert [one["name"] for one in json.loads(capsys.readouterr().out)] == experiments.names()
    assert cli.main(["experiment", "nothing"]) == 2


# Committed results


@RECORDED
def test_a_committed_result_carries_what_made_it_and_is_of_the_experiment(file: Path) -> None:
    content = json.loads(file.read_text("utf-8"))
    experiment = experiments.find(content["experiment"])
    assert file.name == f"{experiment.name}.{content['kind']}.json"
    specs = experiment.specs(content["kind"] == "full")
    assert {name: RunSpec.from_dict(part["spec"]) for name, part in content["parts"].items()} == specs
    made = content["made"]
    assert set(made["versions"]) == {"kdviz", "torch", "numpy", "python"} and made["date"] and made["machine"]
    for name, spec in specs.items():
        card = teachers.find(spec.dataset, spec.teacher)
        assert made["teacher_sha256"][name] == card.sha256 and made["data_sha256"][name] == card.data_sha256
        assert made["seeds"][name] == spec.seeds and len(content["parts"][name]["students"]) == len(spec.students)


@RECORDED
def test_a_committed_verdict_is_the_one_that_its_figures_give(file: Path) -> None:
    content = json.loads(file.read_text("utf-8"))
    outcome, said = experiments.find(content["experiment"]).verdict(content["measured"])
    assert outcome == content["outcome"]
    assert [one.to_dict() for one in said] == content["verdict"]


def test_one_cell_of_a_committed_result_comes_out_again() -> None:
    content = json.loads((settings.ASSETS / "experiments" / "misconceptions.full.json").read_text("utf-8"))
    recorded = content["parts"]["ensemble"]
    seeds = 4
    from kdviz import run

    spec = replace(RunSpec.from_dict(recorded["spec"]), seeds=seeds)  # each seed is the same student among more or fewer
    ready = run.prepare(spec)
    *_, last = ready.training()
    kept = [row for row in recorded["students"] if row["seed"] < seeds]
    for ours, theirs in zip(run.result(ready, last)["students"], kept, strict=True):
        assert {key: ours[key] for key in ("condition", "loss", "seed")} == {k: theirs[k] for k in ("condition", "loss", "seed")}
        assert abs(ours["errors"] - theirs["errors"]) <= 4  # of 360; another processor adds up in another order


def test_every_bug_that_the_lab_shows_is_one_there_is() -> None:
    for full in (False, True):
        specs = experiments.find("misconceptions").specs(full).values()
        shown = {loss for spec in specs for loss in spec.loss} - {"right"}
        assert shown == set(MISCONCEPTIONS)


def test_intervals_are_those_of_stats() -> None:
    rng = np.random.default_rng(0)
    one, two = rng.random((2, 3, 50)) < 0.6
    assert experiments.interval(one, two) == vars(stats.paired_difference(one, two))


def test_a_result_names_what_trained_its_runs_and_not_what_concluded_them() -> None:
    spec = experiments.find("ensemble").specs(False)["one"]
    versions = {"kdviz": "0.0.1", "torch": "1.0"}
    made = {"date": "2020-02-03", "at": "2020-02-03T09:00:00+00:00", "processor": "abacus", "cores": 1, "versions": versions}
    later = {**made, "at": "2020-02-03T10:00:00+00:00", "cores": 9, "processor": "slide rule"}

    def trained(**how: object) -> Part:
        part = made_up(spec, {})
        settings_there = {"teacher_sha256": "a", "data_sha256": "b", **how}
        return replace(part, result={**part.result, "seconds": 2.0, "settings": settings_there})

    parts = {"one": trained(made=later), "two": trained(made=made, graphics_card="card"), "three": trained(made=made)}
    assert running.made(parts) == {
        **later, "processor": "slide rule, card, abacus", "seconds": 6.0, "seeds": dict.fromkeys(parts, spec.seeds),
        "teacher_sha256": dict.fromkeys(parts, "a"), "data_sha256": dict.fromkeys(parts, "b"),
    }  # fmt: skip


def test_a_run_of_an_earlier_kdviz_is_of_the_day_when_it_ended() -> None:
    spec = experiments.find("ensemble").specs(False)["one"]
    logits = np.zeros((len(spec.students), 360, 10), np.float32)
    earlier = running.part(spec, {"settings": {"torch": "1.9.0", "transfer_images": 60}}, logits, 1.5e9)
    made = earlier.result["settings"]["made"]
    assert made["date"] in ("2017-07-13", "2017-07-14", "2017-07-15") and made["versions"]["torch"] == "1.9.0"
    own = {"made": {"date": "2020-02-03"}, "torch": "1.9.0"}
    assert running.part(spec, {"settings": own}, logits, 1.5e9).result["settings"] == own
