"""The network: the chapter's own class, copied here, is the oracle."""

from __future__ import annotations

import pytest
import torch
import torch.nn as nn
import torch.nn.functional as F

from mnist_core.config import TrainConfig
from mnist_core.model import ConvNet


class BookConvNet(nn.Module):
    """The chapter's class, letter by letter."""

    def __init__(self):
        super(BookConvNet, self).__init__()  # noqa: UP008
        self.cn1 = nn.Conv2d(1, 16, 3, 1)
        self.cn2 = nn.Conv2d(16, 32, 3, 1)
        self.dp1 = nn.Dropout2d(0.10)
        self.dp2 = nn.Dropout2d(0.25)
        self.fc1 = nn.Linear(4608, 64)  # 4608 is basically 12 x 12 x 32
        self.fc2 = nn.Linear(64, 10)

    def forward(self, x):
        x = self.cn1(x)
        x = F.relu(x)
        x = self.cn2(x)
        x = F.relu(x)
        x = F.max_pool2d(x, 2)
        x = self.dp1(x)
        x = torch.flatten(x, 1)
        x = self.fc1(x)
        x = F.relu(x)
        x = self.dp2(x)
        x = self.fc2(x)
        op = F.log_softmax(x, dim=1)
        return op


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randn(5, 1, 28, 28, generator=torch.Generator().manual_seed(1))


def test_it_has_the_books_layers_and_300426_parameters() -> None:
    model = ConvNet()
    assert sum(parameter.numel() for parameter in model.parameters()) == 300_426
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    assert shapes == {name: tuple(tensor.shape) for name, tensor in BookConvNet().state_dict().items()}
    assert (model.dp1.p, model.dp2.p) == (0.10, 0.25)
    assert isinstance(model.dp1, nn.Dropout2d)


@pytest.mark.filterwarnings("ignore:dropout2d")  # the reason why dp2 is another layer here
def test_weights_of_the_books_class_give_the_same_outputs(images: torch.Tensor) -> None:
    book = BookConvNet().eval()
    model = ConvNet().eval()
    model.load_state_dict(book.state_dict())
    torch.testing.assert_close(model(images), book(images), rtol=0, atol=1e-6)


def test_the_same_seed_draws_the_weights_that_the_books_class_draws() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        book = BookConvNet().state_dict()
        torch.manual_seed(0)
        ours = ConvNet().state_dict()
    assert all(torch.equal(ours[name], book[name]) for name in book)


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "tanh", "sigmoid"])
def test_gradients_are_those_of_the_layers_in_the_books_order(activation: str, images: torch.Tensor) -> None:
    model = ConvNet(activation=activation, negative_slope=0.2).eval().double()
    bend = {
        "relu": F.relu,
        "leaky_relu": lambda x: F.leaky_relu(x, 0.2),
        "tanh": torch.tanh,
        "sigmoid": torch.sigmoid,
    }
    images, labels = images.double(), torch.arange(5)
    f = bend[activation]

    x = F.max_pool2d(f(model.cn2(f(model.cn1(images)))), 2).flatten(1)
    expected = F.log_softmax(model.fc2(f(model.fc1(x))), dim=1)
    wanted = torch.autograd.grad(F.nll_loss(expected, labels), list(model.parameters()))
    got = torch.autograd.grad(F.nll_loss(model(images), labels), list(model.parameters()))

    torch.testing.assert_close(model(images), expected)
    for ours, books in zip(got, wanted, strict=True):
        torch.testing.assert_close(ours, books)


def test_it_gives_log_probabilities_for_any_number_of_pictures(images: torch.Tensor) -> None:
    model = ConvNet().eval()
    torch.testing.assert_close(model(images).exp().sum(dim=1), torch.ones(5))
    assert model(images[:0]).shape == (0, 10)


def test_dropout_acts_while_training_only_and_drops_whole_maps_then_single_units(
    images: torch.Tensor,
) -> None:
    model = ConvNet(dropout1=0.5, dropout2=0.5)
    assert not torch.equal(model(images), model(images))
    maps = model.dp1(torch.ones(8, 32, 12, 12)).amax(dim=(2, 3))
    assert set(model.dp1(torch.ones(8, 32, 12, 12)).flatten(2).std(dim=2).flatten().tolist()) == {0.0}
    assert 0 < (maps == 0).float().mean() < 1
    assert 0 < (model.dp2(torch.ones(8, 64)) == 0).float().mean() < 1
    model.eval()
    assert torch.equal(model(images), model(images))


def test_an_unknown_activation_is_refused_by_name() -> None:
    with pytest.raises(
        ValueError, match="activation must be one of relu, leaky_relu, tanh, sigmoid; got 'gelu'"
    ):
        ConvNet(activation="gelu")


def test_a_network_built_from_weights_copies_them_and_draws_nothing() -> None:
    source = ConvNet()
    before = torch.get_rng_state()
    model = ConvNet.with_weights(source.state_dict(), TrainConfig(activation="tanh"))
    assert torch.equal(torch.get_rng_state(), before)
    assert model.activation == "tanh" and not model.training
    source.cn1.weight.data.zero_()
    assert model.cn1.weight.abs().sum() > 0
