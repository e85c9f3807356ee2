"""Trained teachers: weights as safetensors, a model card (JSON) beside them; to load is to verify. And how they are trained.

A teacher's name is its dataset and its network, `mnist-cnn`; within a dataset the network alone is enough. Several networks
that answer together are an ensemble, `mnist-cnn-x5`: its logits are its members' averaged ones. Teachers lie in
assets/teachers (shipped) and KDVIZ_DATA/teachers (trained here, found first). Their logits over a whole dataset are computed
once and kept under the hashes of weights and data. Listing teachers and reading logits needs no torch.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from kdviz import data, models, settings
from kdviz.errors import DataUnavailable, UnknownName, WeightsDamaged, quoted
from kdviz.i18n import N_

if TYPE_CHECKING:
    from torch import Tensor

    from kdviz.models import Parameters


@dataclass(frozen=True)
class Recipe:
    """How a teacher is trained.

    jitter: pixels an image is shifted by at most; flip: every image is mirrored in every other epoch; cutout: side of a square
    that is greyed out, 0 for none (both at most a quarter of the picture's side); cutmix: share of the images that get a
    rectangle of another one, and as much of its label; max_norm: of a hidden unit's incoming weights, 0 for none; learns_from:
    the split, `train` where the validation images are to stay unseen, `training` for train and validation together; half: the
    weights are kept in half precision, so that twice as many fit into a file, and judged as they are kept; restart: the epoch at
    which the learning rate, having fallen to 0, starts again from half of what it was and falls once more (Loshchilov and Hutter
    2017, arXiv:1608.03983), 0 for never.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    dropout_inputs: float = 0.0
    dropout_hidden: float = 0.0
    jitter: int = 0
    max_norm: float = 0.0
    learns_from: data.Split = "training"
    optimizer: str = "adam"
    flip: bool = False
    cutout: int = 0
    cutmix: float = 0.0
    half: bool = False
    restart: int = 0


def recipe(dataset: str, network: str, images: int) -> Recipe:
    """Return the recipe a network is trained by on so many images, frozen before its test errors were read."""
    if dataset == "mnist" and network.startswith("mlp"):
        return Recipe(200, 256, 1e-3, dropout_inputs=0.2, dropout_hidden=0.5, jitter=2, max_norm=2.0)
    if dataset == "mnist" and network == "cnn":
        return Recipe(24, 128, 1e-3, dropout_hidden=0.4, jitter=2)
    if dataset == "mnist" and network == "kdtf":  # Adam 0.001, batches of 128, 5,000 steps and dropout are kdtf's
        return Recipe(11, 128, 1e-3, dropout_hidden=0.25, half=True)
    if dataset in ("mnist", "street") and network.startswith("cnn-"):
        return Recipe(12 if dataset == "mnist" else 10, 500, 0.14, jitter=2, optimizer="muon")
    if dataset == "digits" and network == "cnn":
        return Recipe(120, 64, 2e-3, dropout_inputs=0.1, dropout_hidden=0.5, jitter=1, learns_from="train")
    if dataset == "digits" and network.startswith("cnn-"):
        return Recipe(60, 50, 0.05, jitter=1, learns_from="train", optimizer="muon")
    if dataset == "digits":
        return Recipe(120, 64, 1e-3, dropout_hidden=0.2 if network != "linear" else 0.0, jitter=1, learns_from="train")
    # Few images need more epochs, smaller batches and, as those are noisier, smaller steps.
    epochs, batch_size, step = (30, 1000, 0.2) if images >= 20_000 else (40, 250, 0.1) if images >= 3_000 else (60, 50, 0.05)
    if network.startswith("cnn-"):
        whole = Recipe(epochs, batch_size, step, jitter=4, flip=True, cutout=8, optimizer="muon")
        # Unmixed, 60 epochs of cnn-64-256-256 knew 99.9 % of CIFAR-10's training images by heart, and 90.8 % of the others.
        return replace(whole, epochs=66, cutmix=0.5, half=True, restart=36) if dataset == "cifar10" else whole
    return Recipe(epochs, min(batch_size, 128), 1e-3, dropout_hidden=0.4 if network != "linear" else 0.0, jitter=2)


@dataclass(frozen=True)
class Card:
    """A model card. accuracy (0..1) and errors are on the images of `judged_on` of the dataset with this data_sha256.

    members: how many networks answer together, each with these parameters, multiply_adds and bytes, seeds from `seed` on, and
    these member_errors; copy: which copy of the dataset, where there are several; judged_on: test, or validation
    where those images were held out from the training; there are test_images of them.
    """

    name: str
    dataset: str
    network: str
    seed: int
    accuracy: float
    errors: int
    test_images: int
    parameters: int
    multiply_adds: int
    bytes: int
    recipe: dict[str, Any]
    data_sha256: str
    sha256: str
    date: str
    seconds: float
    versions: dict[str, str]
    folder: Path
    members: int = 1
    member_errors: list[int] | None = None
    copy: str = ""
    judged_on: data.Split = "test"

    @property
    def short(self) -> str:
        """The teacher's name within its dataset: `cnn`, `cnn-x5`."""
        return self.network if self.members == 1 else f"{self.network}-x{self.members}"


def folders() -> list[Path]:
    return [settings.data_folder() / "teachers", settings.ASSETS / "teachers"]


def cards() -> list[Card]:
    """Return every teacher's card, by name; one trained here hides a shipped one of the same name."""
    found: dict[str, Card] = {}
    for folder in reversed(folders()):
        for file in sorted(folder.glob("*.json")) if folder.is_dir() else []:
            card = _read_card(file, file.stat().st_mtime_ns)
            found[card.name] = card
    return [found[name] for name in sorted(found)]


@lru_cache(maxsize=256)
def _read_card(file: Path, _modified: int) -> Card:
    try:
        return Card(**json.loads(file.read_text("utf-8")), folder=file.parent)
    except (OSError, ValueError, TypeError):
        raise WeightsDamaged(
            N_("the model card {file} cannot be read: restore it, or delete it and train again"), file=quoted(file)
        ) from None


def of(dataset: str) -> list[Card]:
    """Return the cards of a dataset's teachers, by name."""
    return [card for card in cards() if card.dataset == dataset]


def find(dataset: str, name: object) -> Card:
    """Return the card of a dataset's teacher, by network (`cnn`) or full name (`digits-cnn`). Raises UnknownName."""
    data.source(dataset)
    known = of(dataset)
    for card in known:
        if name in (card.name, card.short):
            return card
    sentence = N_("unknown teacher of {dataset} {name}; known: {known}")
    if not known:
        sentence = N_(
            "unknown teacher of {dataset} {name}; known: none yet; "
            "train one with `python -m kdviz teacher train --data {dataset}`"
        )
    raise UnknownName(sentence, dataset=dataset, name=quoted(name, 80), known=[card.short for card in known])


def verify(card: Card) -> None:
    """Raise WeightsDamaged unless the weights are the card's, to the bit. A file that has not changed is read once."""
    file = card.folder / f"{card.name}.safetensors"
    fields = {"file": quoted(file), "dataset": card.dataset, "network": card.short}
    try:
        status = file.stat()
        sha256 = _sha256(file, status.st_mtime_ns, status.st_size)
    except OSError as error:
        raise WeightsDamaged(
            N_(
                "the weights {file} cannot be read ({reason}): restore the file, "
                "or run `python -m kdviz teacher train --data {dataset} --network {network}`"
            ),
            reason=error.strerror,
            **fields,
        ) from None
    if sha256 != card.sha256:
        raise WeightsDamaged(
            N_(
                "the weights {file} are not those of their card (cut short or altered): restore the file, "
                "or run `python -m kdviz teacher train --data {dataset} --network {network}`"
            ),
            **fields,
        )


@lru_cache(maxsize=64)
def _sha256(file: Path, _modified: int, _size: int) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def load(card: Card) -> tuple[models.Architecture, Parameters]:
    """Return a teacher's network and weights, fp32, its members stacked. Raises WeightsDamaged unless the file is its card's."""
    import safetensors
    import safetensors.torch

    verify(card)
    file = card.folder / f"{card.name}.safetensors"
    fields = {"file": quoted(file), "dataset": card.dataset, "network": card.short}
    known = data.source(card.dataset)
    network = models.architecture(card.network, known.shape, len(known.class_names))
    try:
        parameters = {key: tensor.float() for key, tensor in safetensors.torch.load_file(file).items()}
    except safetensors.SafetensorError as error:
        raise WeightsDamaged(
            N_(
                "the weights {file} are no safetensors file ({reason}): restore the file, "
                "or run `python -m kdviz teacher train --data {dataset} --network {network}`"
            ),
            reason=str(error),
            **fields,
        ) from None
    expected = {key: (card.members, *size) for key, size in network.sizes.items()}
    if {key: tuple(tensor.shape) for key, tensor in parameters.items()} != expected:
        raise WeightsDamaged(
            N_(
                "the weights {file} do not fit the network '{network}': restore the file, "
                "or run `python -m kdviz teacher train --data {dataset} --network {network}`"
            ),
            **fields,
        )
    return network, parameters


def save(to: Path, weights: Parameters, **facts: Any) -> Card:
    """Write a teacher's weights (members stacked) and card into a folder and return the card. facts: Card's other fields."""
    import safetensors.torch

    content = safetensors.torch.save({key: tensor.contiguous().cpu() for key, tensor in weights.items()})
    card = Card(**facts, sha256=hashlib.sha256(content).hexdigest(), folder=to)
    written = {key: value for key, value in asdict(card).items() if key != "folder"}
    try:
        to.mkdir(parents=True, exist_ok=True)
        (to / f"{card.name}.safetensors").write_bytes(content)
        (to / f"{card.name}.json").write_text(json.dumps(written, indent=1) + "\n", "utf-8")
    except OSError as error:
        raise DataUnavailable(
            N_("the teacher cannot be written to {folder} ({reason}): choose another folder"),
            folder=quoted(to),
            reason=error.strerror,
        ) from None
    return card


def _logits_file(card: Card, dataset: data.Dataset, of_members: bool = False) -> str:
    return f"{card.name}-{card.sha256[:12]}-{dataset.sha256[:12]}{'-members' if of_members else ''}.npy"


def stored_logits(card: Card, dataset: data.Dataset) -> np.ndarray | None:
    """Return a teacher's logits over every image of a dataset, (n, classes) float32, memory-mapped; None if not computed yet."""
    return _stored(_logits_file(card, dataset), (len(dataset.labels), len(dataset.class_names)))


def stored_member_logits(card: Card, dataset: data.Dataset) -> np.ndarray | None:
    """Return the logits of an ensemble's members, (members, n, classes) float32, memory-mapped; None if not computed yet."""
    shape = (card.members, len(dataset.labels), len(dataset.class_names))
    return _stored(_logits_file(card, dataset, of_members=True), shape)


def _stored(name: str, shape: tuple[int, ...]) -> np.ndarray | None:
    for folder in (settings.ASSETS / "logits", settings.data_folder() / "logits"):
        if (folder / name).is_file():
            try:
                logits: np.ndarray = np.load(folder / name, mmap_mode="r")
            except (OSError, EOFError, ValueError):
                continue  # cut short: computed again
            if logits.shape == shape:
                return logits
    return None


def logits(
    card: Card, dataset: data.Dataset, folder: Path | None = None, progress: Callable[[float], None] = lambda share: None
) -> np.ndarray:
    """Return a teacher's logits over every image of a dataset, (n, classes) float32, computing and keeping them if need be.

    An ensemble's are the mean of its members', which are kept beside them. progress: called with the share that is computed.
    """
    stored = stored_logits(card, dataset)
    if stored is not None and folder is None and (card.members == 1 or stored_member_logits(card, dataset) is not None):
        return stored
    network, parameters = load(card)
    each = np.empty((card.members, len(dataset.labels), len(dataset.class_names)), np.float32)
    part = 4096
    for begin in range(0, len(dataset.labels), part):
        x = models.inputs(dataset.pixels[begin : begin + part], dataset.mean, dataset.std)
        each[:, begin : begin + part] = member_logits(network, parameters, x)
        progress(min(1.0, (begin + part) / len(dataset.labels)))
    joined: np.ndarray = each.mean(axis=0)
    folder = folder or settings.data_folder() / "logits"
    if card.members > 1:
        _keep(each, folder, _logits_file(card, dataset, of_members=True))
    _keep(joined, folder, _logits_file(card, dataset))
    return joined


def member_logits(network: models.Architecture, parameters: Parameters, x: Tensor) -> np.ndarray:
    """Return the logits of a teacher's networks, one after the other, since stacked convolutions are slower.

    parameters: members stacked; x: (n, channels, height, width) -> (members, n, classes) float32.
    """
    members = range(len(parameters["0.bias"]))
    return np.concatenate([models.logits(network, models.one(parameters, member), x).numpy() for member in members])


def _keep(computed: np.ndarray, folder: Path, name: str) -> None:
    write(folder, name, lambda file: np.save(file, computed))


def write(folder: Path, name: str, content: Callable[[BinaryIO], None]) -> None:
    """Write what a teacher's answers are kept in, so that it is there whole or not at all. Raises DataUnavailable."""
    scratch = folder / f".{uuid.uuid4().hex}.part"  # of this call alone: two workers may compute the same logits at once
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with scratch.open("wb") as file:
            content(file)
        scratch.replace(folder / name)
    except OSError as error:
        raise DataUnavailable(
            N_("the teacher's logits cannot be written to {folder} ({reason}): free some space or set KDVIZ_DATA"),
            folder=quoted(folder),
            reason=error.strerror,
        ) from None
