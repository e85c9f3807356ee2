"""A teacher's training from its spec to its card: judged, stopped, taken up again, kept with its members."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from kdviz import cli, models, teacher_run, teachers, train, turns
from kdviz.errors import InvalidValue, UnknownName
from kdviz.spec import TeacherSpec, from_dict

SPEC = TeacherSpec("digits", "mlp-20", epochs=12, seed=1)


def trained(spec: TeacherSpec = SPEC, hold_out: bool = False) -> tuple[teacher_run.Training, turns.Progress]:
    training = teacher_run.prepare(spec, hold_out=hold_out)
    *_, last = training.training()
    return training, last


@pytest.mark.parametrize(("hold_out", "judged"), [(False, 360), (True, 287)])
def test_a_teacher_is_judged_on_test_images_or_on_those_held_out(hold_out: bool, judged: int) -> None:
    training, last = trained(hold_out=hold_out)
    assert last.test_logits().shape == (1, judged, 10) and last.complete
    assert last.steps == 12 * -(-len(training.dataset.split("train")) // training.recipe.batch_size)
    (point,) = last.points
    assert point.accuracy > 0.5 and point.agreement is None
    ended = teacher_run.result(training, last)["teacher"]
    assert ended["errors"] == point.errors == ended["member_errors"][0] and ended["name"] == "digits-mlp-20"


@pytest.mark.parametrize("often", [train.REST_SECONDS, 0.0])
def test_a_teacher_taken_up_from_its_checkpoint_is_the_one_trained_at_a_stretch(
    often: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    _training, whole = trained()
    monkeypatch.setattr(train, "REST_SECONDS", often)
    training, stops = teacher_run.prepare(SPEC), 0
    checkpoint: bytes | None = None
    points: dict[int, train.Point] = {}
    while True:  # stopped whenever it can be, at evaluations and between them
        for progress in training.training(checkpoint, should_stop=lambda: True):
            points |= {point.step: point for point in progress.points}
            checkpoint, last = progress.checkpoint(), progress
            if progress.step > 0 or progress.complete:
                break
        stops += 1
        if last.complete:
            break
    assert stops > 2
    assert torch.equal(whole.test_logits(), last.test_logits())
    assert points[whole.step].loss_hard == pytest.approx(whole.points[0].loss_hard)


def test_another_seed_is_another_teacher() -> None:
    assert not torch.equal(trained()[1].test_logits(), trained(TeacherSpec("digits", "mlp-20", 12, 2))[1].test_logits())


def test_an_ensemble_is_its_members_and_better_or_alike(own_data: Path) -> None:
    training, last = trained(TeacherSpec("digits", "mlp-20-x3", epochs=12, seed=1))
    assert torch.equal(last.test_logits()[0], trained()[1].test_logits()[0])  # its first member is the teacher of that seed
    card = teacher_run.save(training, last, own_data / "teachers")
    assert (card.name, card.short, card.members) == ("digits-mlp-20-x3", "mlp-20-x3", 3)
    assert card.member_errors == [point.errors for point in last.last_points()] and card.errors <= max(card.member_errors)
    assert teachers.find("digits", "mlp-20-x3") == teachers.find("digits", "digits-mlp-20-x3")
    logits = teachers.logits(card, training.dataset)
    each = teachers.stored_member_logits(card, training.dataset)
    assert each is not None and each.shape == (3, len(training.dataset.labels), 10)
    assert torch.allclose(torch.from_numpy(logits), torch.from_numpy(each.mean(0)))
    where = training.dataset.slice("test")
    assert (logits[where].argmax(-1) != training.dataset.labels[where]).sum() == card.errors


def test_a_convolutional_teacher_learns_and_is_read_again(own_data: Path) -> None:
    training, last = trained(TeacherSpec("digits", "cnn-8-16", epochs=6))  # in bf16 where that is quick, in fp32 elsewhere
    card = teacher_run.save(training, last, own_data / "teachers")
    assert card.accuracy > 0.8
    where = training.dataset.slice("test")
    answers = teachers.logits(card, training.dataset)[where].argmax(-1)
    assert (answers != training.dataset.labels[where]).sum() == card.errors  # judged and loaded alike: its statistics are kept


def test_specs_are_checked_and_read_back() -> None:
    assert from_dict(SPEC.to_dict()) == SPEC
    with pytest.raises(UnknownName):
        TeacherSpec("digits", "resnet-18")
    with pytest.raises(UnknownName):
        TeacherSpec("letters", "cnn")
    for wrong in (dict(network="cnn-x11"), dict(network="cnn-x0"), dict(epochs=0), dict(seed=-1), dict(epochs="many")):
        with pytest.raises(InvalidValue):
            TeacherSpec(**{"dataset": "digits", **wrong})  # type: ignore[arg-type]


def test_weights_kept_in_half_precision_are_judged_as_they_are_kept(own_data: Path) -> None:
    training, last = trained(TeacherSpec("digits", "cnn-8-16-x2", epochs=6))
    whole = teacher_run.save(training, last, own_data / "teachers")
    halved = replace(training, recipe=replace(training.recipe, half=True))
    card = teacher_run.save(halved, last, own_data / "halved")
    sizes = [(of.folder / f"{of.name}.safetensors").stat().st_size for of in (whole, card)]
    assert sizes[1] < 0.6 * sizes[0] and card.recipe["half"] and not whole.recipe["half"]
    network, parameters = teachers.load(card)
    assert {tensor.dtype for tensor in parameters.values()} == {torch.float32}
    assert not torch.equal(parameters["1.weight"], teachers.load(whole)[1]["1.weight"])
    dataset = training.dataset
    test = dataset.split("test")
    logits = teachers.member_logits(network, parameters, models.inputs(test.pixels, dataset.mean, dataset.std))
    assert card.member_errors == (logits.argmax(-1) != test.labels).sum(-1).tolist()
    assert card.errors == (logits.mean(0).argmax(-1) != test.labels).sum()
    assert teacher_run.result(halved, last)["teacher"]["errors"] == card.errors


def test_a_held_out_teacher_is_kept_where_asked_and_says_what_judged_it(
    own_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["teacher", "train", "--data", "digits", "--network", "mlp-20", "--epochs", "2", "--hold-out"]
    assert cli.main(asked) == 0
    assert "errors on the validation images" in capsys.readouterr().out and not list(own_data.rglob("*.json"))
    assert cli.main([*asked, "--to", str(own_data / "teachers")]) == 0
    card = teachers.find("digits", "mlp-20")
    assert (card.judged_on, card.test_images, card.recipe["learns_from"]) == ("validation", 287, "train")
    assert cli.main(["teacher", "list"]) == 0
    assert f"({card.errors} errors of 287 validation images)" in capsys.readouterr().out
