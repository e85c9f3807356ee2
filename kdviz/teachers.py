"""Trained teachers: weights as safetensors, a model card (JSON) beside them; to load is to verify. And how they are trained.

A teacher's name is its dataset and its network, `mnist-cnn`; within a dataset the network alone is enough. Teachers lie in
assets/teachers (shipped) and KDVIZ_DATA/teachers (trained here, found first). Their logits over a whole dataset are computed
once and kept under the hashes of weights and data. Listing teachers and reading logits needs no torch.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kdviz import data, models, settings
from kdviz.errors import DataUnavailable, UnknownName, WeightsDamaged, quoted
from kdviz.i18n import N_

if TYPE_CHECKING:
    from kdviz.models import Parameters


@dataclass(frozen=True)
class Recipe:
    """How a teacher is trained.

    jitter: pixels an image is shifted by at most; max_norm: of a hidden unit's incoming weights, 0 for none; learns_from: the
    split, `train` where the validation images are to stay unseen, `training` for train and validation together.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    dropout_inputs: float = 0.0
    dropout_hidden: float = 0.0
    jitter: int = 0
    max_norm: float = 0.0
    learns_from: data.Split = "training"


def recipe(dataset: str, network: str) -> Recipe:
    """Return the recipe a network is trained by, frozen before its test errors were read."""
    if dataset == "mnist":
        if network == "cnn":
            return Recipe(24, 128, 1e-3, dropout_hidden=0.4, jitter=2)
        return Recipe(200, 256, 1e-3, dropout_inputs=0.2, dropout_hidden=0.5, jitter=2, max_norm=2.0)
    if network == "cnn":
        return Recipe(120, 64, 2e-3, dropout_inputs=0.1, dropout_hidden=0.5, jitter=1, learns_from="train")
    return Recipe(120, 64, 1e-3, dropout_hidden=0.2 if network != "linear" else 0.0, jitter=1, learns_from="train")


@dataclass(frozen=True)
class Card:
    """A model card. accuracy (0..1) and errors are on the test images of the dataset with this data_sha256."""

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


def find(dataset: str, name: object) -> Card:
    """Return the card of a dataset's teacher, by network (`cnn`) or full name (`digits-cnn`). Raises UnknownName."""
    data.source(dataset)
    known = [card for card in cards() if card.dataset == dataset]
    for card in known:
        if name in (card.name, card.network):
            return card
    sentence = N_("unknown teacher of {dataset} {name}; known: {known}")
    if not known:
        sentence = N_(
            "unknown teacher of {dataset} {name}; known: none yet; "
            "train one with `python -m kdviz teacher train --data {dataset}`"
        )
    raise UnknownName(sentence, dataset=dataset, name=quoted(name, 80), known=[card.network for card in known])


def verify(card: Card) -> None:
    """Raise WeightsDamaged unless the weights are the card's, to the bit. A file that has not changed is read once."""
    file = card.folder / f"{card.name}.safetensors"
    fields = {"file": quoted(file), "dataset": card.dataset, "network": card.network}
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
    """Return a teacher's network and weights (stacked, S = 1). Raises WeightsDamaged unless the file is its card's."""
    import safetensors
    import safetensors.torch

    verify(card)
    file = card.folder / f"{card.name}.safetensors"
    fields = {"file": quoted(file), "dataset": card.dataset, "network": card.network}
    known = data.source(card.dataset)
    network = models.architecture(card.network, known.shape, len(known.class_names))
    try:
        parameters = safetensors.torch.load_file(file)
    except safetensors.SafetensorError as error:
        raise WeightsDamaged(
            N_(
                "the weights {file} are no safetensors file ({reason}): restore the file, "
                "or run `python -m kdviz teacher train --data {dataset} --network {network}`"
            ),
            reason=str(error),
            **fields,
        ) from None
    expected = {
        f"{number}.{part}": (1, *size)
        for number, layer in enumerate(network.layers)
        for part, size in (("weight", layer.weight_shape), ("bias", (layer.outputs,)))
    }
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
    """Write a teacher's weights (stacked, S = 1) and card into a folder and return the card. facts: Card's other fields."""
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


def _logits_file(card: Card, dataset: data.Dataset) -> str:
    return f"{card.name}-{card.sha256[:12]}-{dataset.sha256[:12]}.npy"


def stored_logits(card: Card, dataset: data.Dataset) -> np.ndarray | None:
    """Return a teacher's logits over every image of a dataset, (n, classes) float32, memory-mapped; None if not computed yet."""
    for folder in (settings.ASSETS / "logits", settings.data_folder() / "logits"):
        file = folder / _logits_file(card, dataset)
        if file.is_file():
            try:
                logits: np.ndarray = np.load(file, mmap_mode="r")
            except (OSError, EOFError, ValueError):
                continue  # cut short: computed again
            if logits.shape == (len(dataset.labels), len(dataset.class_names)):
                return logits
    return None


def logits(card: Card, dataset: data.Dataset, folder: Path | None = None) -> np.ndarray:
    """Return a teacher's logits over every image of a dataset, (n, classes) float32, computing and keeping them if need be."""
    stored = stored_logits(card, dataset)
    if stored is not None and folder is None:
        return stored
    network, parameters = load(card)
    x = models.inputs(dataset.pixels, dataset.mean, dataset.std)
    # Small batches stay in the processor's cache: 3,300 images/s of the CNN at 128, 1,900 at 2,048.
    computed = models.logits(network, parameters, x, batch=128)[0].numpy()
    folder = folder or settings.data_folder() / "logits"
    scratch = folder / f".{uuid.uuid4().hex}.part"  # of this call alone: two workers may compute the same logits at once
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with scratch.open("wb") as file:
            np.save(file, computed)
        scratch.replace(folder / _logits_file(card, dataset))
    except OSError as error:
        raise DataUnavailable(
            N_("the teacher's logits cannot be written to {folder} ({reason}): free some space or set KDVIZ_DATA"),
            folder=quoted(folder),
            reason=error.strerror,
        ) from None
    return computed
