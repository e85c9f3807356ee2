"""Stacked networks against torch.nn: counts, answers, initial weights."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from kdviz import data, models
from kdviz.errors import UnknownName

pytestmark = pytest.mark.usefixtures("one_thread")

NAMES = ["linear", "mlp-30-30", "mlp-7", "mlp-20-10-5-3", "cnn", "cnn-5-7", "kdtf"]
SHAPES = [(8, 8, 1), (28, 28, 1), (32, 32, 3), (10, 6, 2)]


class Norm(nn.Module):
    """Batch normalisation with a bias and no scale."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        shifted: Tensor = self.norm(x) + self.bias[:, None, None]
        return shifted


def torch_network(network: models.Architecture) -> nn.Sequential:
    """Build the network by hand, from its name alone, as PyTorch's tutorials do."""
    height, width, channels = network.shape
    if network.name == "cnn":
        features = 64 * (height // 4) * (width // 4)
        return nn.Sequential(
            nn.Conv2d(channels, 32, 3, padding=1), nn.ReLU(),
            nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(),
            nn.Conv2d(64, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(features, 128), nn.ReLU(), nn.Linear(128, network.classes),
        )  # fmt: skip
    if network.name == "kdtf":
        return nn.Sequential(
            nn.Conv2d(channels, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(64 * (height // 4) * (width // 4), 1024), nn.ReLU(), nn.Linear(1024, network.classes),
        )  # fmt: skip
    numbers = [int(number) for number in network.name.split("-")[1:]]
    if network.name.startswith("cnn-"):
        inputs, blocks = 24, [nn.Conv2d(channels, 24, 2, bias=False), Norm(24), nn.GELU()]
        for outputs in numbers:
            blocks += [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.MaxPool2d(2), Norm(outputs), nn.GELU()]
            blocks += [nn.Conv2d(outputs, outputs, 3, padding=1, bias=False), Norm(outputs), nn.GELU()]
            inputs = outputs
        return nn.Sequential(*blocks, nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(inputs, network.classes))
    hidden = numbers
    layers: list[nn.Module] = [nn.Flatten()]
    inputs = height * width * channels
    for units in hidden:
        layers += [nn.Linear(inputs, units), nn.ReLU()]
        inputs = units
    return nn.Sequential(*layers, nn.Linear(inputs, network.classes))


def with_weights_of(network: models.Architecture, parameters: models.Parameters, student: int) -> nn.Sequential:
    """Return torch's network with the weights of one of the stacked networks."""
    module = torch_network(network).to(parameters["0.bias"].dtype).eval()
    layers = [layer for layer in module if isinstance(layer, (nn.Linear, nn.Conv2d))]
    norms = [layer for layer in module if isinstance(layer, Norm)]
    with torch.no_grad():
        for number, layer in enumerate(layers):
            layer.weight.copy_(parameters[f"{number}.weight"][student])
            bias = layer.bias if layer.bias is not None else norms[number].bias
            bias.copy_(parameters[f"{number}.bias"][student])
        for number, norm in enumerate(norms):
            assert norm.norm.running_mean is not None and norm.norm.running_var is not None
            norm.norm.running_mean.copy_(parameters[f"{number}.mean"][student])
            norm.norm.running_var.copy_(parameters[f"{number}.variance"][student])
    return module


def images(shape: models.Shape, batch: int = 6, seed: int = 0) -> Tensor:
    height, width, channels = shape
    return torch.randn(batch, channels, height, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", SHAPES)
def test_parameters_are_counted_as_torchs_are(name: str, shape: models.Shape) -> None:
    network = models.architecture(name, shape, 10)
    theirs = sum(parameter.numel() for parameter in torch_network(network).parameters())
    initial = models.initial_parameters(network, [0])
    ours = sum(initial[key].numel() for key in models.learned(initial))
    assert network.parameters == theirs == ours
    assert network.bytes == 4 * theirs


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", SHAPES)
def test_multiply_adds_are_those_that_torchs_modules_do(name: str, shape: models.Shape) -> None:
    network = models.architecture(name, shape, 10)
    module, done = torch_network(network).double().eval(), 0

    def count(layer: nn.Module, given: tuple[Tensor, ...], answer: Tensor) -> None:
        nonlocal done
        assert isinstance(layer, (nn.Linear, nn.Conv2d))
        done += answer[0].numel() * layer.weight[0].numel()  # each output is one product with a unit's weights

    for layer in module:
        if isinstance(layer, (nn.Linear, nn.Conv2d)):
            layer.register_forward_hook(count)
    module(images(shape, batch=1))
    assert network.multiply_adds == done


@pytest.mark.parametrize(
    "name", ["mlp-0", "mlp-", "mlp", "mlp-5000", "mlp-4097", "mlp-1-2-3-4-5", "mlp-3-", "mlp--3", "mlp-03", "mlp-1\u0663",
             "mlp-3\n", "MLP-3", " cnn", "resnet", "", None, 3, True, ["cnn"], "x" * 1000]
)  # fmt: skip
def test_an_unknown_network_lists_the_known_ones(name: object) -> None:
    with pytest.raises(UnknownName) as caught:
        models.architecture(name, (8, 8, 1), 10)
    sentence = str(caught.value)
    assert all(known in sentence for known in ("linear", "mlp-A-B", "1 to 4096", "cnn"))
    assert "\n" not in sentence and len(sentence) < 260
    assert repr(str(name))[:10] in sentence


@given(st.lists(st.integers(1, 4096), min_size=1, max_size=4))
def test_every_mlp_within_the_limits_has_a_name(hidden: list[int]) -> None:
    network = models.architecture("mlp-" + "-".join(map(str, hidden)), (8, 8, 1), 10)
    assert [layer.outputs for layer in network.layers] == [*hidden, 10]
    assert network.layers[0].inputs == 64
    assert [layer.inputs for layer in network.layers[1:]] == hidden


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(8, 8, 1), (10, 6, 2)])
def test_three_stacked_networks_answer_as_torchs_do(name: str, shape: models.Shape) -> None:
    network = models.architecture(name, shape, 10)
    parameters, x = models.initial_parameters(network, [3, 1, 4], torch.float64), images(shape)
    ours = models.forward(network, parameters, x)
    assert ours.shape == (3, 6, 10)
    for student in range(3):
        torch.testing.assert_close(ours[student], with_weights_of(network, parameters, student)(x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_of_stacked_networks_are_torchs(name: str) -> None:
    network = models.architecture(name, (8, 8, 1), 10)
    parameters, x = models.initial_parameters(network, [3, 1], torch.float64), images((8, 8, 1))
    modules = [with_weights_of(network, parameters, student) for student in range(2)]
    leaves = [parameters[key].requires_grad_() for key in models.learned(parameters)]
    models.forward(network, parameters, x).square().sum().backward()
    for student, module in enumerate(modules):
        module(x).square().sum().backward()
        for ours, theirs in zip(leaves, module.parameters(), strict=True):
            assert ours.grad is not None and theirs.grad is not None
            torch.testing.assert_close(ours.grad[student], theirs.grad, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(8, 8, 1), (10, 6, 2)])
@pytest.mark.parametrize("groups", [1, 2, 4])
def test_each_group_of_networks_sees_its_own_batch(name: str, shape: models.Shape, groups: int) -> None:
    network = models.architecture(name, shape, 10)
    parameters = models.initial_parameters(network, [3, 1, 4, 1], torch.float64)
    x = torch.stack([images(shape, seed=group) for group in range(groups)])
    ours = models.forward(network, parameters, x)
    assert ours.shape == (4, 6, 10)
    for student in range(4):
        theirs = with_weights_of(network, parameters, student)(x[student * groups // 4])
        torch.testing.assert_close(ours[student], theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["linear", "mlp-20-10-5-3"])
def test_what_enters_each_dense_layer_is_handed_out(name: str) -> None:
    network = models.architecture(name, (8, 8, 1), 10)
    parameters, x = models.initial_parameters(network, [3, 1], torch.float64), images((8, 8, 1))
    hidden: list[Tensor] = []
    models.forward(network, parameters, x, hidden=hidden)
    assert len(hidden) == len(network.layers) - 1
    for student in range(2):
        module = with_weights_of(network, parameters, student)
        for number, entered in enumerate(hidden):
            torch.testing.assert_close(entered[student], module[: 3 + 2 * number](x).mT, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_the_sizes_that_dropout_draws_are_those_of_the_units(name: str) -> None:
    network = models.architecture(name, (10, 6, 2), 10)
    sizes = models.units(network, 4, 2, 6)
    assert sizes[0] == (2, 6, 2, 10, 6) and len(sizes) == len(network.layers)
    units = [size for size, layer in zip(sizes[1:], network.layers[:-1], strict=True) if isinstance(layer, models.Dense)]
    assert units == [(4, layer.outputs, 6) for layer in network.layers[:-1] if isinstance(layer, models.Dense)]
    of = dropout(0.5, 0.5)
    parameters = models.initial_parameters(network, [0, 1, 2, 3], torch.float64)
    x = torch.stack([images((10, 6, 2)), images((10, 6, 2), seed=1)])
    assert models.forward(network, parameters, x, of, of.draw(sizes)).shape == (4, 6, 10)


def test_logits_batch_by_batch_are_those_of_one_batch() -> None:
    network = models.architecture("cnn", (8, 8, 1), 10)
    parameters, x = models.initial_parameters(network, [0, 1], torch.float64), images((8, 8, 1), batch=11)
    whole = models.forward(network, parameters, x)
    parts = models.logits(network, parameters, x, batch=4)
    torch.testing.assert_close(parts, whole, rtol=1e-12, atol=1e-12)
    assert not parts.requires_grad


# Initial weights


@pytest.mark.parametrize("name", NAMES)
def test_initial_weights_depend_on_their_seed_alone(name: str) -> None:
    network = models.architecture(name, (8, 8, 1), 10)
    together = models.initial_parameters(network, [5, 7, 5, 0])
    alone = models.initial_parameters(network, [5])
    for key in models.learned(together):
        stack = together[key]
        assert torch.equal(stack[0], alone[key][0]) and torch.equal(stack[0], stack[2])
        assert not torch.equal(stack[0], stack[1])
    with torch.random.fork_rng():
        torch.manual_seed(123)  # the global generator has no say
        assert all(torch.equal(a, alone[key]) for key, a in models.initial_parameters(network, [5]).items())


def test_making_weights_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    models.initial_parameters(models.architecture("mlp-3", (8, 8, 1), 10), [1, 2])
    assert torch.equal(torch.get_rng_state(), before)


def test_initial_weights_are_spread_as_torchs_are() -> None:
    network = models.architecture("cnn", (8, 8, 1), 10)
    ours = models.initial_parameters(network, list(range(8)))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        theirs = [parameter.detach() for parameter in torch_network(network).parameters()]
    for (key, stack), parameter in zip(ours.items(), theirs, strict=True):
        layer = network.layers[int(key.split(".")[0])]
        bound = 1 / math.sqrt(math.prod(layer.weight_shape[1:]))
        assert stack.shape[1:] == parameter.shape
        assert stack.abs().max() <= bound and parameter.abs().max() <= bound + 1e-6
        assert stack.abs().max() > 0.9 * bound
        if stack.numel() > 1000:  # uniform: as far from zero as a uniform draw is, and centred
            assert float(stack.std()) == pytest.approx(bound / math.sqrt(3), rel=0.05)
            assert float(parameter.std()) == pytest.approx(bound / math.sqrt(3), rel=0.1)
            assert abs(float(stack.mean())) < 0.1 * bound


# Dropout


def dropout(inputs: float, hidden: float = 0.0, seed: int = 0) -> models.Dropout:
    return models.Dropout(inputs, hidden, torch.Generator().manual_seed(seed))


def dropped_from(x: Tensor, of: models.Dropout) -> Tensor:
    """Return x after dropout of the inputs, drawn now."""
    (drawn,) = of.draw([x.shape])
    return of(x, drawn, 0)


def answers(network: models.Architecture, parameters: models.Parameters, x: Tensor, of: models.Dropout) -> Tensor:
    """Return the logits with dropout, drawn now, all networks seeing one batch."""
    drawn = of.draw(models.units(network, len(parameters["0.bias"]), 1, len(x)))
    return models.forward(network, parameters, x[None], of, drawn)


@pytest.mark.parametrize("probability", [0.05, 0.2, 0.5, 0.9])
def test_dropout_drops_its_share_and_keeps_the_mean(probability: float) -> None:
    x = torch.ones(1000, 803)  # not a multiple of eight
    dropped = dropped_from(x, dropout(probability))
    rounded = round(probability * 256) / 256
    share = (dropped == 0).double().mean().item()
    assert share == pytest.approx(rounded, abs=4 * math.sqrt(rounded * (1 - rounded) / x.numel()))
    assert abs(rounded - probability) <= 1 / 512
    kept = dropped[dropped != 0]
    torch.testing.assert_close(kept, torch.full_like(kept, 1 / (1 - rounded)))
    for byte in range(8):  # a word is eight draws; none of them is special
        assert (dropped.flatten()[byte::8] == 0).double().mean().item() == pytest.approx(rounded, abs=0.01)


def test_dropout_draws_anew_each_time_and_from_its_generator_alone() -> None:
    x, first, again = torch.ones(64, 64), dropout(0.5, seed=1), dropout(0.5, seed=1)
    one, two = dropped_from(x, first), dropped_from(x, first)
    with torch.random.fork_rng():
        torch.manual_seed(99)
        assert torch.equal(one, dropped_from(x, again)) and torch.equal(two, dropped_from(x, again))
    assert not torch.equal(one, two)
    assert not torch.equal(one, dropped_from(x, dropout(0.5, seed=2)))
    both = (one != 0) & (two != 0)
    assert both.double().mean().item() == pytest.approx(0.25, abs=0.04)


def test_no_dropout_is_nothing_at_all() -> None:
    x, ours = images((8, 8, 1)), dropout(0.0)
    state = ours.generator.get_state()
    assert dropped_from(x, ours) is x and torch.equal(ours.generator.get_state(), state)


def test_dropout_of_hidden_units_leaves_the_answers_units_alone() -> None:
    network = models.architecture("linear", (8, 8, 1), 10)
    parameters, x = models.initial_parameters(network, [0], torch.float64), images((8, 8, 1))
    plain = models.forward(network, parameters, x)
    assert torch.equal(answers(network, parameters, x, dropout(0.0, 0.5)), plain)
    assert not torch.allclose(answers(network, parameters, x, dropout(0.5, 0.0)), plain)


def test_stacked_networks_have_masks_of_their_own() -> None:
    network = models.architecture("mlp-64", (8, 8, 1), 10)
    parameters, x = models.initial_parameters(network, [0, 0], torch.float64), images((8, 8, 1))
    same = answers(network, parameters, x, dropout(0.5, 0.0))
    own = answers(network, parameters, x, dropout(0.0, 0.5))
    assert torch.equal(same[0], same[1])  # the pixels that are dropped are dropped for all: they see one batch
    assert not torch.allclose(own[0], own[1])


# Inputs


def test_inputs_are_scaled_and_channels_first() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 4, 3, 2), dtype=np.uint8)
    mean, std = (0.3, 0.6), (0.2, 0.5)
    x = models.inputs(pixels, mean, std)
    assert x.shape == (5, 2, 4, 3) and x.dtype == torch.float32
    expected = (pixels / 255 - np.asarray(mean)) / np.asarray(std)
    np.testing.assert_allclose(x.numpy(), expected.transpose(0, 3, 1, 2), rtol=1e-5, atol=1e-6)
    assert pixels.max() > 200  # the pixels themselves are as they were


def test_training_inputs_have_mean_zero_and_deviation_one() -> None:
    dataset = data.load("digits")
    x = models.inputs(dataset.split("training").pixels, dataset.mean, dataset.std)
    assert abs(float(x.mean())) < 1e-5 and float(x.std()) == pytest.approx(1, abs=1e-4)


def test_normalised_layers_train_as_torchs_do_and_keep_their_statistics() -> None:
    network = models.architecture("cnn-5-7", (12, 12, 3), 10)
    parameters = models.initial_parameters(network, [0, 1], torch.float64)
    theirs = [with_weights_of(network, parameters, student).train() for student in range(2)]
    for seed in range(3):
        x = images((12, 12, 3), batch=5, seed=seed) * 2 + 1
        got = models.forward(network, parameters, x, training=True)
        for student, module in enumerate(theirs):
            torch.testing.assert_close(got[student], module(x))
    x = images((12, 12, 3), seed=9)
    for student, module in enumerate(theirs):
        torch.testing.assert_close(models.forward(network, parameters, x)[student], module.eval()(x))


@pytest.mark.parametrize("name", ["cnn-0", "cnn-513", "cnn-8-8-8-8-8", "cnn-8-8-8", "cnn-", "cnn-a"])
def test_blocks_outside_their_limits_are_unknown_networks(name: str) -> None:
    with pytest.raises(UnknownName, match="known: linear"):
        models.architecture(name, (8, 8, 1), 10)
