"""The fast recipe and its parts: a first layer that stops early, 16-bit numbers where they pay."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mnist_core import precision
from mnist_core.config import PRESETS, TrainConfig
from mnist_core.data import Digits, load_mnist
from mnist_core.events import Evaluation, Event, Finished, Step
from mnist_core.model import ConvNet
from mnist_core.training import fit, initial_model, resolve

TINY = replace(PRESETS["fast"], epochs=1.0, batch_size=32, precision="float32", threads=1)


def _digits(n: int) -> Digits:
    chance = torch.Generator().manual_seed(0)
    return Digits(
        torch.randint(256, (n, 28, 28), generator=chance, dtype=torch.uint8),
        torch.randint(10, (n,), generator=chance),
    )


def _train(config: TrainConfig) -> tuple[ConvNet, list[Event], list[torch.Tensor]]:
    """A run on noise; the first convolution's weights after each step."""
    model, kernels, events = initial_model(config), [], []
    for event in fit(model, _digits(320), _digits(32), config):
        events.append(event)
        if isinstance(event, Step):
            kernels.append(model.cn1.weight.detach().clone())
    return model, events, kernels


@pytest.mark.mnist
def test_the_fast_recipe_reads_988_of_1000_test_digits(data_folder: Path) -> None:
    config = replace(PRESETS["fast"], seed=1)
    train_data, test_data = load_mnist(data_folder, train=True), load_mnist(data_folder, train=False)
    *_, evaluation, finished = fit(initial_model(config), train_data, test_data, config)
    assert isinstance(evaluation, Evaluation)
    assert isinstance(finished, Finished)
    assert evaluation.n == 10_000
    assert evaluation.accuracy >= 0.988


def test_a_frozen_first_convolution_keeps_its_weights_while_the_rest_learns() -> None:
    model, events, kernels = _train(replace(TINY, freeze=0.5))
    assert not torch.equal(kernels[3], kernels[4])
    assert all(torch.equal(kernels[4], kernel) for kernel in kernels[5:])
    losses = [event.loss for event in events if isinstance(event, Step)]
    assert len(set(losses)) == len(losses) == 10
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_until_it_freezes_a_run_is_the_same_as_one_that_never_does() -> None:
    _, _, frozen = _train(replace(TINY, freeze=0.5))
    _, _, free = _train(replace(TINY, freeze=1.0))
    assert torch.equal(frozen[4], free[4])
    assert not torch.equal(frozen[5], free[5])


def test_a_stopped_run_leaves_every_layer_able_to_learn() -> None:
    config = replace(TINY, freeze=0.0)
    model = initial_model(config)
    events = fit(model, _digits(64), _digits(32), config)
    next(events)
    events.close()
    assert all(parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize("faster", ("float32", "bfloat16"))
def test_auto_takes_whichever_precision_is_measured_faster(
    faster: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    precision.best_precision.cache_clear()
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: True)
    monkeypatch.setattr(precision, "_seconds", lambda tried: 1.0 if tried == faster else 2.0)
    try:
        assert resolve(TrainConfig(precision="auto")).precision == faster
    finally:
        precision.best_precision.cache_clear()


def test_without_units_for_16_bits_nothing_is_even_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(tried: str) -> float:
        raise AssertionError("bfloat16 without units takes minutes")

    precision.best_precision.cache_clear()
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)
    monkeypatch.setattr(precision, "_seconds", never)
    try:
        assert resolve(TrainConfig(precision="auto")).precision == "float32"
    finally:
        precision.best_precision.cache_clear()


def test_trying_both_precisions_leaves_everyones_generator_alone() -> None:
    before = torch.get_rng_state()
    assert min(precision._seconds("float32"), precision._seconds("bfloat16")) > 0
    assert torch.equal(before, torch.get_rng_state())
