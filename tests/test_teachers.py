"""Shipped teachers are what their cards say; a weights file that is not, is refused; logits are read without torch."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from kdviz import data, models, settings, teachers
from kdviz.data import street
from kdviz.errors import DataUnavailable, UnknownName, WeightsDamaged

SHIPPED = sorted((settings.ASSETS / "teachers").glob("*.json"))
shipped = pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)


def card_of(file: Path) -> teachers.Card:
    return teachers.Card(**json.loads(file.read_text("utf-8")), folder=file.parent)


def dataset_of(card: teachers.Card, request: pytest.FixtureRequest) -> data.Dataset:
    if card.dataset == "street" and data.prepared_folder("street") is None:
        return part_of_street(card)
    if card.dataset == "cifar10" and data.prepared_folder("cifar10") is None:
        pytest.skip("cifar10 is not prepared in KDVIZ_DATA")
    dataset: data.Dataset = request.getfixturevalue("mnist") if card.dataset == "mnist" else data.load(card.dataset)
    return dataset


def part_of_street(card: teachers.Card) -> data.Dataset:
    """Return street's test images, and of those to learn from enough to know their mean: drawing them all takes a while."""
    from kdviz.data import prepare

    some, count = 600, prepare.COUNTS["street"][2]
    drawn = [street.generate(n, seed) for n, seed in zip((some, count), prepare.STREET_SEEDS, strict=True)]
    pixels, labels, shapes = (np.concatenate(parts) for parts in zip(*drawn, strict=True))
    scaled = drawn[0][0].reshape(-1, 3) / 255
    mean, std = (tuple(float(value) for value in of(axis=0)) for of in (scaled.mean, scaled.std))
    return data.Dataset("street", pixels, labels, street.CLASS_NAMES, (some, 0, count), mean, std, card.data_sha256, "", shapes)


@pytest.fixture
def copied(own_data: Path) -> teachers.Card:
    """The digits teacher's weights and card, copied to where teachers trained on this machine lie."""
    folder = own_data / "teachers"
    folder.mkdir()
    for kind in ("json", "safetensors"):
        shutil.copy(settings.ASSETS / "teachers" / f"digits-cnn.{kind}", folder)
    return teachers.find("digits", "cnn")


# What is shipped


def test_digits_has_a_shipped_teacher() -> None:
    assert settings.ASSETS / "teachers" / "digits-cnn.json" in SHIPPED


@shipped
def test_a_shipped_teacher_makes_the_errors_of_its_card(file: Path, request: pytest.FixtureRequest) -> None:
    card = card_of(file)
    dataset = dataset_of(card, request)
    network, parameters = teachers.load(card)
    test = dataset.split("test")
    x, labels = models.inputs(test.pixels, dataset.mean, dataset.std), torch.from_numpy(np.array(test.labels))
    each = [
        models.logits(network, {key: tensor[m : m + 1] for key, tensor in parameters.items()}, x)[0] for m in range(card.members)
    ]
    errors = int((torch.stack(each).mean(0).argmax(-1) != labels).sum())
    if card.dataset == "street":  # its mean is known to about a thousandth here, and edges are drawn as Pillow rounds them
        assert abs(errors - card.errors) <= 8
        errors = card.errors
    assert errors == card.errors
    assert card.test_images == len(test) and card.accuracy == pytest.approx(1 - errors / len(test))
    assert card.data_sha256 == dataset.sha256
    if card.members > 1:
        assert card.member_errors == [int((one.argmax(-1) != labels).sum()) for one in each]


@shipped
def test_a_shipped_card_counts_its_network(file: Path) -> None:
    card, source = card_of(file), data.source(card_of(file).dataset)
    network = models.architecture(card.network, source.shape, len(source.class_names))
    assert (card.parameters, card.multiply_adds, card.bytes) == (network.parameters, network.multiply_adds, network.bytes)
    assert card.name == f"{card.dataset}-{card.short}" == file.stem
    assert teachers.Recipe(**card.recipe) == teachers.recipe(card.dataset, card.network, 60_000)
    assert set(card.versions) >= {"torch", "numpy", "python"}


@shipped
def test_shipped_logits_are_those_of_the_shipped_weights(file: Path, tmp_path: Path) -> None:
    card = card_of(file)
    if card.dataset != "digits":
        pytest.skip("only the logits of digits are shipped; the others are made on the user's machine")
    dataset = data.load(card.dataset)
    lying = teachers.stored_logits(card, dataset)
    assert lying is not None and lying.dtype == np.float32
    assert Path(lying.filename).parent == settings.ASSETS / "logits"  # type: ignore[attr-defined]
    computed = teachers.logits(card, dataset, folder=tmp_path)
    np.testing.assert_allclose(lying, computed, atol=1e-4)
    wrong = lying[dataset.slice("test")].argmax(-1) != dataset.split("test").labels
    assert wrong.sum() == card.errors


def test_reading_a_teachers_logits_needs_no_torch() -> None:
    code = """
import sys
from kdviz import data, soft_targets, spec, stats, teachers
digits = data.load("digits")
card = teachers.find("digits", spec.RunSpec().teacher)
p = soft_targets.softmax(teachers.stored_logits(card, digits)[:5], 4.0)
assert p.shape == (5, 10), p.shape
stats.paired_difference(digits.labels[:6].reshape(2, 3) > 4, digits.labels[6:12].reshape(2, 3) > 4)
print([module for module in ("torch", "safetensors", "sklearn", "streamlit") if module in sys.modules])
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr


# Names


@pytest.mark.parametrize("name", ["cnn", "digits-cnn"])
def test_a_teacher_has_a_short_and_a_full_name(name: str) -> None:
    assert teachers.find("digits", name).name == "digits-cnn"


@pytest.mark.parametrize("name", ["", "cn", "mnist-cnn", "cnn.json", None, 3, "x\ny"])
def test_an_unknown_teacher_lists_the_known_ones(name: object, own_data: Path) -> None:
    with pytest.raises(UnknownName) as caught:
        teachers.find("digits", name)
    known = [card.short for card in teachers.of("digits")]
    sentence = str(caught.value)
    assert "cnn" in known and sentence.endswith(f"known: {', '.join(known)}") and "\n" not in sentence


def test_a_dataset_without_teachers_says_how_to_train_one(own_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "ASSETS", own_data)
    with pytest.raises(UnknownName, match="none yet; train one with `python -m kdviz teacher train --data digits`"):
        teachers.find("digits", "cnn")
    with pytest.raises(UnknownName, match="unknown dataset"):
        teachers.find("nothing", "cnn")


def test_a_teacher_trained_here_hides_the_shipped_one(copied: teachers.Card, own_data: Path) -> None:
    assert copied.folder == own_data / "teachers"
    assert [card.name for card in teachers.cards()].count("digits-cnn") == 1
    shutil.rmtree(copied.folder)
    assert teachers.find("digits", "cnn").folder == settings.ASSETS / "teachers"


# Damage


def weights(card: teachers.Card) -> Path:
    return card.folder / f"{card.name}.safetensors"


def refused(card: teachers.Card, *parts: str) -> None:
    with pytest.raises(WeightsDamaged) as caught:
        teachers.load(card)
    sentence = str(caught.value)
    assert "\n" not in sentence
    for part in (str(weights(card)), "python -m kdviz teacher train --data digits --network cnn", *parts):
        assert part in sentence


def test_a_copy_loads(copied: teachers.Card) -> None:
    network, parameters = teachers.load(copied)
    assert network.name == "cnn" and all(tensor.shape[0] == 1 for tensor in parameters.values())


@pytest.mark.parametrize("share", [0.0, 0.00001, 0.001, 0.5, 0.999999])
def test_weights_cut_short_are_refused(share: float, copied: teachers.Card) -> None:
    content = weights(copied).read_bytes()
    weights(copied).write_bytes(content[: int(share * len(content))])
    refused(copied, "cut short or altered")


@pytest.mark.parametrize("share", [0.0, 0.0005, 0.3, 0.7, 0.999999])
def test_weights_with_one_altered_bit_are_refused(share: float, copied: teachers.Card) -> None:
    content = bytearray(weights(copied).read_bytes())
    content[int(share * len(content))] ^= 1
    weights(copied).write_bytes(content)
    refused(copied, "cut short or altered")


def test_weights_that_are_gone_are_refused(copied: teachers.Card) -> None:
    weights(copied).unlink()
    refused(copied, "cannot be read", "No such file")


def with_content(card: teachers.Card, content: bytes) -> teachers.Card:
    """Return a card that vouches for this content."""
    weights(card).write_bytes(content)
    return dataclasses.replace(card, sha256=hashlib.sha256(content).hexdigest())


def test_what_is_no_safetensors_file_is_refused_even_if_its_card_vouches_for_it(copied: teachers.Card) -> None:
    refused(with_content(copied, b"not weights" * 100), "no safetensors file")


def test_weights_of_another_network_are_refused_even_if_their_card_vouches_for_them(copied: teachers.Card) -> None:
    import safetensors.torch

    other = models.initial_parameters(models.architecture("linear", (8, 8, 1), 10), [0])
    refused(with_content(copied, safetensors.torch.save(other)), "do not fit the network 'cnn'")


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"name": "digits-cnn"}', "\x00"])
def test_a_broken_card_is_one_sentence(content: str, copied: teachers.Card) -> None:
    (copied.folder / "digits-cnn.json").write_text(content)
    teachers._read_card.cache_clear()
    with pytest.raises(WeightsDamaged, match=r"model card .*digits-cnn.json.* cannot be read: restore it") as caught:
        teachers.find("digits", "cnn")
    assert "\n" not in str(caught.value)


# Saving, and logits kept


def saved(to: Path, seed: int = 0, **facts: Any) -> teachers.Card:
    network = models.architecture("mlp-5", (8, 8, 1), 10)
    given: dict[str, Any] = dict(
        name="digits-mlp-5", dataset="digits", network="mlp-5", seed=seed, accuracy=0.5, errors=180, test_images=360,
        parameters=network.parameters, multiply_adds=network.multiply_adds, bytes=network.bytes, recipe={}, data_sha256="",
        date="2026-01-01", seconds=1.0, versions={},
    )  # fmt: skip
    return teachers.save(to, models.initial_parameters(network, [seed]), **given | facts)


def test_a_saved_teacher_is_found_and_loads_to_the_bit(own_data: Path) -> None:
    card = saved(own_data / "teachers", seed=3)
    assert teachers.find("digits", "mlp-5") == card
    network, parameters = teachers.load(card)
    for key, tensor in models.initial_parameters(network, [3]).items():
        assert torch.equal(parameters[key], tensor)
    assert {path.name for path in card.folder.iterdir()} == {"digits-mlp-5.json", "digits-mlp-5.safetensors"}


def test_a_teacher_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataUnavailable, match=r"cannot be written to .*choose another folder"):
        saved(tmp_path / "file")


def test_logits_are_computed_once_and_kept_under_both_hashes(own_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digits, card = data.load("digits"), saved(own_data / "teachers")
    assert teachers.stored_logits(card, digits) is None
    computed = teachers.logits(card, digits)
    assert computed.shape == (1797, 10) and computed.dtype == np.float32
    network, parameters = teachers.load(card)
    x = models.inputs(digits.pixels, digits.mean, digits.std)
    again = models.logits(network, parameters, x, batch=128)[0]
    np.testing.assert_allclose(computed, again.numpy(), rtol=1e-5, atol=1e-6)  # the last batch is another
    monkeypatch.setattr(teachers, "load", None)  # from here on nothing is computed
    np.testing.assert_array_equal(teachers.logits(card, digits), computed)
    other_weights, other_data = dataclasses.replace(card, sha256="0" * 64), dataclasses.replace(digits, sha256="0" * 64)
    assert teachers.stored_logits(other_weights, digits) is None and teachers.stored_logits(card, other_data) is None


@pytest.mark.parametrize("kept", [0.0, 0.001, 0.5])
def test_logits_cut_short_are_computed_again(kept: float, own_data: Path) -> None:
    digits, card = data.load("digits"), saved(own_data / "teachers")
    computed = teachers.logits(card, digits)
    (file,) = (own_data / "logits").iterdir()
    content = file.read_bytes()
    file.write_bytes(content[: int(kept * len(content))])
    assert teachers.stored_logits(card, digits) is None
    np.testing.assert_array_equal(teachers.logits(card, digits), computed)
    assert file.read_bytes() == content


def test_many_may_compute_the_same_logits_at_once(own_data: Path) -> None:
    digits, card = data.load("digits"), saved(own_data / "teachers")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: teachers.logits(card, digits, own_data / "logits"), range(24)))
    assert all(np.array_equal(answer, answers[0]) for answer in answers)
    assert len(list((own_data / "logits").iterdir())) == 1


def test_logits_that_cannot_be_written_are_one_sentence(own_data: Path) -> None:
    digits, card = data.load("digits"), saved(own_data / "teachers")
    (own_data / "logits").write_text("in the way")
    with pytest.raises(DataUnavailable, match=r"logits cannot be written to .*set KDVIZ_DATA"):
        teachers.logits(card, digits)


@pytest.mark.parametrize("dataset", list(data.SOURCES))
@pytest.mark.parametrize("network", ["linear", "mlp-30-30", "cnn", "cnn-8-16"])
@pytest.mark.parametrize("images", [40, 5_000, 60_000])
def test_every_recipe_can_be_followed(dataset: str, network: str, images: int) -> None:
    recipe = teachers.recipe(dataset, network, images)
    assert recipe.epochs > 0 and recipe.batch_size > 0 and 0 < recipe.learning_rate <= 0.2
    assert 0 <= recipe.dropout_inputs < 1 and 0 <= recipe.dropout_hidden < 1
    assert 0 <= recipe.jitter <= 4 and recipe.max_norm >= 0
