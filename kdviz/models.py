"""Networks by name: `linear`, `mlp-A-B`, `cnn`, `cnn-A-B`, `kdtf`. Only running them needs torch.

A network is a tuple of layers. `forward` runs S networks of one architecture at once: parameters are stacked on a leading
axis, and the first layer of those that see the same batch is one wide product. S = 1 is no special case. The layers and
their initial weights are those of torch.nn.Linear and torch.nn.Conv2d, and the tests hold them so.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from kdviz.errors import UnknownName, quoted
from kdviz.i18n import N_

if TYPE_CHECKING:
    import torch
    from torch import Tensor

NAMES = [
    "linear",
    N_("mlp-A-B (hidden layers of A and B units, 1 to 4096, up to four of them)"),
    "cnn",
    N_("cnn-A-B (blocks of A and B channels, 1 to 512, up to four)"),
    "kdtf",
]
Shape = tuple[int, int, int]  # height, width, channels


@dataclass(frozen=True)
class Dense:
    """Inputs -> outputs, as torch.nn.Linear; ReLU follows unless it is the last layer."""

    inputs: int
    outputs: int

    norm = False

    @property
    def weight_shape(self) -> tuple[int, ...]:
        return (self.outputs, self.inputs)

    @property
    def multiply_adds(self) -> int:
        return self.inputs * self.outputs


@dataclass(frozen=True)
class Conv:
    """A square convolution, as torch.nn.Conv2d, with ReLU, and 2x2 max-pooling if asked. height, width: of what it puts out.

    padded: it keeps the picture's size ("same"), else each side loses kernel - 1 pixels. norm: batch normalisation before the
    activation, which then is GELU: as torch.nn.BatchNorm2d with its scale held at 1, and the layer's bias behind it.
    """

    inputs: int
    outputs: int
    kernel: int
    height: int
    width: int
    pool: bool
    padded: bool = True
    norm: bool = False

    @property
    def weight_shape(self) -> tuple[int, ...]:
        return (self.outputs, self.inputs, self.kernel, self.kernel)

    @property
    def multiply_adds(self) -> int:
        return self.inputs * self.outputs * self.kernel**2 * self.height * self.width


@dataclass(frozen=True)
class Architecture:
    """A named network for images of one shape and a number of classes."""

    name: str
    shape: Shape
    classes: int
    layers: tuple[Dense | Conv, ...]

    @property
    def sizes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every tensor of `Parameters` by its name, without the networks' axis."""
        found: dict[str, tuple[int, ...]] = {}
        for number, layer in enumerate(self.layers):
            found |= {f"{number}.weight": layer.weight_shape, f"{number}.bias": (layer.outputs,)}
            if layer.norm:
                found |= {f"{number}.{part}": (layer.outputs,) for part in STATISTICS}
        return found

    @property
    def parameters(self) -> int:
        """Weights and biases."""
        return sum(math.prod(layer.weight_shape) + layer.outputs for layer in self.layers)

    @property
    def multiply_adds(self) -> int:
        """Multiplications with addition for one image, biases and activations not counted."""
        return sum(layer.multiply_adds for layer in self.layers)

    @property
    def convolutional(self) -> bool:
        """Whether any layer is a convolution."""
        return any(isinstance(layer, Conv) for layer in self.layers)

    @property
    def bytes(self) -> int:
        """Size of the weights in fp32."""
        return 4 * self.parameters


def architecture(name: object, shape: Shape, classes: int) -> Architecture:
    """Return the network of a name for images of shape (height, width, channels). Raises UnknownName."""
    height, width, channels = shape
    pixels = height * width * channels
    if name == "linear":
        return Architecture("linear", shape, classes, (Dense(pixels, classes),))
    if (blocks := re.fullmatch(r"cnn((?:-[1-9][0-9]{0,2}){1,4})", str(name))) is not None:
        channels_of = [int(each) for each in blocks[1][1:].split("-")]
        if max(channels_of) <= 512 and min(height, width) > 2 ** len(channels_of):
            return Architecture(str(name), shape, classes, _blocks(shape, channels_of, classes))
    if name == "cnn":
        a, b, units = (32, 64, 128)
        layers = (
            Conv(channels, a, 3, height, width, pool=False),
            Conv(a, a, 3, height, width, pool=True),
            Conv(a, b, 3, height // 2, width // 2, pool=False),
            Conv(b, b, 3, height // 2, width // 2, pool=True),
            Dense(b * (height // 4) * (width // 4), units),
            Dense(units, classes),
        )
        return Architecture("cnn", shape, classes, layers)
    if name == "kdtf":  # the teacher of DushyantaDhyani/kdtf
        first, second = Conv(channels, 32, 5, height, width, pool=True), Conv(32, 64, 5, height // 2, width // 2, pool=True)
        dense = Dense(64 * (height // 4) * (width // 4), 1024)
        return Architecture("kdtf", shape, classes, (first, second, dense, Dense(1024, classes)))
    match = re.fullmatch(r"mlp((?:-[1-9][0-9]{0,3}){1,4})", str(name))
    if match is None or max(hidden := [int(units) for units in match[1][1:].split("-")]) > 4096:
        raise UnknownName(N_("unknown network {name}; known: {known}"), name=quoted(name, 80), known=NAMES)
    sizes = [pixels, *hidden, classes]
    return Architecture(str(name), shape, classes, tuple(Dense(a, b) for a, b in pairwise(sizes)))


def _blocks(shape: Shape, channels_of: list[int], classes: int) -> tuple[Dense | Conv, ...]:
    """Return the layers of `cnn-A-B-C`: a 2x2 convolution, then two 3x3 convolutions a block, the first of them pooled.

    The form of Keller Jordan's airbench (arXiv:2404.00498), its first layer learned, its last pooling over what is left. The
    unpadded first layer makes sides of 31, 15, 7 and 3: a fifth less work than 32, 16, 8 and 4.
    """
    height, width, inputs = shape
    layers: list[Dense | Conv] = [Conv(inputs, 24, 2, height - 1, width - 1, pool=False, padded=False, norm=True)]
    height, width, inputs = height - 1, width - 1, 24
    for outputs in channels_of:
        layers.append(Conv(inputs, outputs, 3, height, width, pool=True, norm=True))
        height, width = height // 2, width // 2
        layers.append(Conv(outputs, outputs, 3, height, width, pool=False, norm=True))
        inputs = outputs
    return (*layers, Dense(inputs, classes))


STATISTICS = ("mean", "variance")
"""Of a normalised layer's outputs over the training, kept beside weight and bias but not learned by gradient."""
STATISTICS_MOMENTUM, STATISTICS_EPSILON = 0.1, 1e-5
Parameters = dict[str, "Tensor"]
"""`0.weight`, `0.bias`, `1.weight`, ...: each with the S networks on its first axis; `0.mean`, `0.variance` where normalised."""


def learned(parameters: Parameters) -> list[str]:
    """Return the names of the tensors that gradients change."""
    return [key for key in parameters if not key.endswith(STATISTICS)]


def initial_parameters(network: Architecture, seeds: list[int], dtype: torch.dtype | None = None) -> Parameters:
    """Return the initial weights of len(seeds) networks, each drawn from its seed alone as torch.nn.Linear draws its own.

    Uniform in +-1/sqrt(inputs of a unit), biases too. Equal seeds give equal networks, whoever stands beside them.
    """
    import torch

    stacks: dict[str, list[Tensor]] = {}
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        for number, layer in enumerate(network.layers):
            bound = 1 / math.sqrt(math.prod(layer.weight_shape[1:]))
            for part, size in (("weight", layer.weight_shape), ("bias", (layer.outputs,))):
                drawn = (torch.rand(size, generator=generator, dtype=torch.float64) * 2 - 1) * bound
                stacks.setdefault(f"{number}.{part}", []).append(drawn)
            if layer.norm:
                for part, value in zip(STATISTICS, (0.0, 1.0), strict=True):
                    stacks.setdefault(f"{number}.{part}", []).append(torch.full((layer.outputs,), value, dtype=torch.float64))
    return {key: torch.stack(stack).to(dtype or torch.get_default_dtype()) for key, stack in stacks.items()}


@dataclass
class Dropout:
    """Drops inputs and hidden units with these probabilities (rounded to 256ths), drawing from its own generator.

    A mask is cut from random words, eight bytes a draw: a tenth of the time of torch.nn.functional.dropout on a CPU.
    """

    inputs: float
    hidden: float
    generator: torch.Generator

    def draw(self, sizes: list[torch.Size]) -> list[Tensor | None]:
        """Return random bytes for the inputs and every hidden layer, whose sizes are given; None where nothing is dropped."""
        import torch

        drawn: list[Tensor | None] = []
        for number, size in enumerate(sizes):
            if self.threshold(number) == 0:
                drawn.append(None)
                continue
            words = torch.empty((size.numel() + 7) // 8, dtype=torch.int64).random_(-(2**63), None, generator=self.generator)
            drawn.append(words.view(torch.uint8)[: size.numel()].view(size))
        return drawn

    def threshold(self, layer: int) -> int:
        """Return the bytes of 256 that drop a unit: of the inputs (layer 0) or of a hidden layer."""
        return round(256 * (self.hidden if layer else self.inputs))

    def __call__(self, x: Tensor, drawn: Tensor | None, layer: int) -> Tensor:
        """Return x with units zeroed where the bytes drawn say so, and the others scaled up."""
        if drawn is None:
            return x
        threshold = self.threshold(layer)
        return x * (drawn.to(x.device) >= threshold).to(x.dtype).mul_(256 / (256 - threshold))


def units(network: Architecture, students: int, groups: int, batch: int) -> list[torch.Size]:
    """Return the sizes of the inputs and of every hidden layer as `forward` has them, for Dropout.draw."""
    import torch

    height, width, channels = network.shape
    sizes = [torch.Size((groups, batch, channels, height, width))]
    for layer in network.layers[:-1]:
        if isinstance(layer, Dense):
            sizes.append(torch.Size((students, layer.outputs, batch)))
        else:
            sizes.append(torch.Size((0,)))  # convolutions keep all their units
    return sizes


def forward(
    network: Architecture,
    parameters: Parameters,
    x: Tensor,
    dropout: Dropout | None = None,
    drawn: list[Tensor | None] | None = None,
    hidden: list[Tensor] | None = None,
    training: bool = False,
) -> Tensor:
    """Return the logits of S stacked networks: x (G, batch, channels, height, width) -> (S, batch, classes), a view.

    G divides S: the first S / G networks see the first batch, and so on; (batch, channels, height, width) is one batch for all.
    Inside, units stand before images, (S, units, batch): the first layer of all networks that share a batch is then one
    product whose result needs no copy, and the softmax over classes runs along the images. drawn: of dropout, see Dropout.draw;
    hidden: a list that receives every dense layer's inputs but the first's, (S, units, batch), for the chain rule.
    training: normalised layers take the batch's own mean and variance, and move the statistics kept in parameters towards them.
    """
    import torch
    import torch.nn.functional as F

    students = parameters["0.bias"].shape[0]
    if x.ndim == 4:
        x = x[None]
    groups, batch = x.shape[:2]
    if dropout is not None and drawn is not None:
        x = dropout(x, drawn[0], 0)
    last = len(network.layers) - 1
    stacked = False  # whether x already differs between the networks
    for number, layer in enumerate(network.layers):
        weight, bias = parameters[f"{number}.weight"], parameters[f"{number}.bias"]
        if isinstance(layer, Conv):
            if not stacked:
                x = x.transpose(0, 1).flatten(1, 2)
                if students == 1:  # a third quicker on a CPU; several networks, being groups, are not
                    x = x.contiguous(memory_format=torch.channels_last)
            added = None if layer.norm else bias.flatten()
            padding = layer.kernel // 2 if layer.padded else 0
            x = F.conv2d(x, weight.flatten(0, 1), added, padding=padding, groups=students if stacked else groups)
            if layer.norm:
                if layer.pool:
                    x = F.max_pool2d(x, 2)
                mean, variance = (parameters[f"{number}.{part}"].view(-1) for part in STATISTICS)
                # Without a weight CUDA's kernel gives the bias no gradient; a processor's does, and is spared a product.
                ones = None if x.device.type == "cpu" else torch.ones_like(mean)
                x = F.batch_norm(
                    x, mean, variance, ones, bias.flatten(), training, STATISTICS_MOMENTUM, STATISTICS_EPSILON
                )  # fmt: skip
                x = F.gelu(x)
            else:
                x = F.relu(x, inplace=True)
                if layer.pool:
                    x = F.max_pool2d(x, 2)
            if layer.norm and isinstance(network.layers[number + 1], Dense):
                x = x.amax((2, 3), keepdim=True)
            stacked = True
            continue
        if not stacked:  # pixels
            x = x.flatten(2).mT
            x = torch.baddbmm(bias.view(groups, -1, 1), weight.view(groups, -1, layer.inputs), x)
            x = x.view(students, layer.outputs, batch)
            stacked = True
        else:
            if x.ndim == 4:  # (batch, S * channels, height, width) out of a convolution
                x = x.reshape(batch, students, -1).permute(1, 2, 0)
            if hidden is not None:
                hidden.append(x)
            x = torch.baddbmm(bias[:, :, None], weight, x)
        if number < last:
            x = F.relu(x, inplace=True)
            if dropout is not None and drawn is not None:
                x = dropout(x, drawn[number + 1], number + 1)
    return x.mT


def inputs(pixels: np.ndarray, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """Return images as a network sees them: pixels (n, height, width, channels) uint8 -> (n, channels, height, width) fp32.

    Each channel has the training images' mean taken off and is divided by their standard deviation (both in 0..1).
    """
    import torch

    x = torch.from_numpy(np.array(pixels.transpose(0, 3, 1, 2), order="C")).to(torch.float32)
    m, s = (torch.tensor(values, dtype=torch.float32)[:, None, None] for values in (mean, std))
    return x.div_(255).sub_(m).div_(s)


def one(parameters: Parameters, number: int) -> Parameters:
    """Return one of the stacked networks' parameters, stacked with S = 1."""
    return {key: tensor[number : number + 1] for key, tensor in parameters.items()}


def features(network: Architecture, parameters: Parameters, x: Tensor, batch: int = 128) -> Tensor:
    """Return what the last layer of one network sees: x (n, channels, height, width) -> (n, units)."""
    import torch

    found = []
    with torch.no_grad():
        for part in torch.split(x, batch):
            hidden: list[Tensor] = []
            forward(network, parameters, part, hidden=hidden)
            found.append(hidden[-1][0].mT if hidden else part.flatten(1))
    return torch.cat(found)


def logits(network: Architecture, parameters: Parameters, x: Tensor, batch: int | None = None) -> Tensor:
    """Return S networks' logits, without gradients, a batch at a time: x (n, channels, height, width) -> (S, n, classes)."""
    import torch

    if batch is None:  # small batches of a convolution stay in the processor's cache: 3,300 images/s at 128, 1,900 at 2,048
        batch = 128 if network.convolutional else 2048

    with torch.inference_mode():
        return torch.cat([forward(network, parameters, part) for part in torch.split(x, batch)], dim=1)
