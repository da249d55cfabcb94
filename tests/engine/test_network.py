"""The derived network: the same numbers as the book's order, and nothing of it shows elsewhere."""

from __future__ import annotations

import threading

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mnist_core.config import ACTIVATIONS, TrainConfig
from mnist_core.engine.network import training_network
from mnist_core.engine.setup import initial_model
from mnist_core.model import ConvNet


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randn(8, 1, 28, 28, generator=torch.Generator().manual_seed(0))


def gradients(network: nn.Module, model: ConvNet, images: torch.Tensor) -> list[torch.Tensor]:
    """The gradients of a loss through `network`, dropout drawn from one seed."""
    torch.manual_seed(5)
    model.train()
    network.train()
    model.zero_grad()
    F.nll_loss(network(images), torch.arange(8)).backward()
    return [parameter.grad.clone() for parameter in model.parameters()]


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_it_gives_the_networks_own_answers_bit_for_bit(activation: str, images: torch.Tensor) -> None:
    model = initial_model(TrainConfig(activation=activation, negative_slope=0.3)).eval()
    network = training_network(model).eval()
    assert torch.equal(network(images), model(images))


@pytest.mark.parametrize("activation", ["relu", "leaky_relu"])
def test_its_gradients_are_the_networks_own(activation: str, images: torch.Tensor) -> None:
    model = initial_model(TrainConfig(activation=activation))
    for ours, books in zip(
        gradients(training_network(model), model, images), gradients(model, model, images), strict=True
    ):
        torch.testing.assert_close(ours, books)


def test_it_pools_before_it_activates(images: torch.Tensor) -> None:
    network = training_network(ConvNet())
    seen: list[tuple[int, ...]] = []

    class Shapes(torch.fx.Interpreter):
        def run_node(self, n: torch.fx.Node) -> object:
            value = super().run_node(n)
            if n.target is F.relu:
                seen.append(tuple(value.shape))
            return value

    Shapes(network).run(images)
    assert seen == [(8, 16, 26, 26), (8, 32, 12, 12), (8, 64)]


def test_it_shares_parameters_and_dropout_with_the_network() -> None:
    model = ConvNet()
    network = training_network(model)
    assert {id(p) for p in network.parameters()} == {id(p) for p in model.parameters()}
    assert network.get_submodule("dp1") is model.dp1


def test_it_is_exact_to_32_bits_at_the_end_under_autocast(images: torch.Tensor) -> None:
    model = ConvNet().eval()
    with torch.autocast("cpu", torch.bfloat16):
        assert training_network(model).eval()(images).dtype == torch.float32


def test_another_network_comes_back_as_it_is() -> None:
    class Other(ConvNet):
        pass

    for other in (nn.Linear(2, 2), Other()):
        assert training_network(other) is other


def test_networks_that_predict_in_other_threads_are_left_alone_while_one_is_derived(
    images: torch.Tensor,
) -> None:
    reader = ConvNet().eval()
    with torch.no_grad():
        expected = reader(images)
    stop, wrong = threading.Event(), []

    def predict() -> None:
        while not stop.is_set():
            try:
                with torch.no_grad():
                    if not torch.equal(reader(images), expected):
                        wrong.append("another answer")
            except Exception as error:  # whatever a half-patched module raises
                wrong.append(repr(error))

    threads = [threading.Thread(target=predict) for _ in range(2)]
    for thread in threads:
        thread.start()
    for slope in range(1, 11):  # every slope is traced anew
        training_network(ConvNet(activation="leaky_relu", negative_slope=slope / 97))
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []
