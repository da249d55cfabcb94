"""A network on pictures: what is taken for pictures, what for answers, and in which modes."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from modes import MODES

from mnist_core import Classifier, ConvNet, TrainConfig, initial_model, pick_device
from mnist_core.imaging.preprocess import normalise
from mnist_core.inference import Calibration, layer_values, predict

PICTURES = torch.randint(256, (20, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def model() -> ConvNet:
    return initial_model(TrainConfig(dropout1=0.5, dropout2=0.5))


@pytest.mark.parametrize("ask", [predict, layer_values])
@pytest.mark.parametrize(
    "pictures",
    [
        np.zeros((1, 28, 28)),
        np.zeros((280, 280), np.uint8),
        np.zeros((1, 280, 280), np.uint8),
        np.zeros((28, 28), np.uint8),
        torch.zeros(28, 28),
        torch.zeros(3, 28, 28),
        torch.zeros(3, 3, 28, 28),
        torch.zeros(3, 1, 28, 28, dtype=torch.int64),
        [[0] * 28] * 28,
        "picture",
    ],
)
def test_what_is_no_stack_of_pictures_is_refused_with_what_came(ask, pictures, model: ConvNet) -> None:
    with pytest.raises(ValueError, match=r"Expected pictures, .* got .*preprocess makes such pictures"):
        ask(model, pictures)


def test_grey_levels_and_their_normalised_form_give_the_same_answers(model: ConvNet) -> None:
    expected = predict(model, PICTURES)
    assert expected.shape == (20, 10) and expected.dtype == torch.float32
    assert torch.equal(predict(model, PICTURES.numpy()), expected)
    assert torch.equal(predict(model, normalise(PICTURES)), expected)
    assert predict(model, PICTURES[:0]).shape == (0, 10)


def test_a_network_in_training_mode_answers_as_in_evaluation_and_stays_in_it(model: ConvNet) -> None:
    expected = predict(model.eval(), PICTURES)
    assert torch.equal(predict(model.train(), PICTURES), expected)
    assert torch.equal(
        layer_values(model, PICTURES)["log_probabilities"],
        layer_values(model.eval(), PICTURES)["log_probabilities"],
    )
    assert torch.equal(predict(model.train(), PICTURES), expected) and model.training


@pytest.mark.parametrize("training", [("dp1",), ("", "cn1", "dp2")], ids=["a part of it", "it but a part"])
def test_a_network_is_read_without_dropout_and_each_of_its_parts_keeps_its_mode(
    training: tuple[str, ...], model: ConvNet
) -> None:
    expected = predict(model.eval(), PICTURES)
    for name, part in model.named_modules():
        part.training = name in training
    assert torch.equal(predict(model, PICTURES), expected)
    assert {name for name, part in model.named_modules() if part.training} == set(training)


@pytest.mark.parametrize("mode", MODES)
def test_whatever_mode_the_caller_is_in_the_answers_are_the_same(mode: str, model: ConvNet) -> None:
    expected, layers = predict(model, PICTURES), layer_values(model, PICTURES)
    with MODES[mode]():
        assert torch.equal(predict(model, PICTURES.numpy()), expected)
        assert all(
            torch.equal(values, layers[name]) for name, values in layer_values(model, PICTURES).items()
        )


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_a_network_in_other_numbers_is_read_too(dtype: torch.dtype, model: ConvNet) -> None:
    answers = predict(initial_model(TrainConfig()).to(dtype), PICTURES)
    assert answers.dtype == torch.float32
    torch.testing.assert_close(answers, predict(initial_model(TrainConfig()), PICTURES), rtol=0, atol=0.03)


@pytest.mark.parametrize("ask", [predict, layer_values])
@pytest.mark.parametrize(("weight", "value"), [("fc2", math.nan), ("cn1", math.nan), ("fc1", 1e38)])
def test_answers_that_are_no_numbers_are_never_given(ask, weight: str, value: float) -> None:
    model = initial_model(TrainConfig())
    getattr(model, weight).weight.data[0] = value
    with pytest.raises(ValueError, match="answers are no finite numbers, because its weights have diverged"):
        ask(model, PICTURES)


@pytest.mark.parametrize("name", ["gpu", "meta", "hpu", "cuda:99", "", 3.5, None])
def test_a_device_that_is_not_here_is_refused_by_name(name: object) -> None:
    says = "There is no device .* here; use cpu, cuda or mps"
    with pytest.raises(ValueError, match=says):
        Classifier.load(device=name)  # type: ignore[arg-type]
    if name:
        with pytest.raises(ValueError, match=says):
            pick_device(name)  # type: ignore[arg-type]


def test_a_calibrations_numbers_become_plain() -> None:
    known = Calibration(temperature=np.float64(0.5), threshold=np.int64(1))
    assert (type(known.temperature), type(known.threshold)) == (float, int)
