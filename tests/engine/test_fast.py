"""The fast recipe and its parts: convolutions that stop early, 16-bit numbers where they pay."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mnist_core.config import PRESETS, TrainConfig
from mnist_core.data import load_mnist
from mnist_core.datasets.digits import Digits
from mnist_core.engine import precision
from mnist_core.engine.events import Evaluation, Event, Finished, Step
from mnist_core.engine.setup import initial_model, resolve
from mnist_core.model import ConvNet
from mnist_core.training import fit

TINY = replace(PRESETS["fast"], epochs=1.0, batch_size=32, precision="float32", threads=1)


def _digits(n: int) -> Digits:
    generator = torch.Generator().manual_seed(0)
    return Digits(
        torch.randint(256, (n, 28, 28), generator=generator, dtype=torch.uint8),
        torch.randint(10, (n,), generator=generator),
    )


def _train(config: TrainConfig) -> tuple[ConvNet, list[Event], list[dict[str, torch.Tensor]]]:
    """A run on noise; all weights after each step."""
    model, weights, events = initial_model(config), [], []
    for event in fit(model, _digits(320), _digits(32), config):
        events.append(event)
        if isinstance(event, Step):
            weights.append({name: tensor.clone() for name, tensor in model.state_dict().items()})
    return model, events, weights


def _last_change(weights: list[dict[str, torch.Tensor]], name: str) -> int:
    """The last step, from 1, that changed this tensor."""
    return max(
        step
        for step in range(2, len(weights) + 1)
        if not weights[step - 1][name].equal(weights[step - 2][name])
    )


@pytest.mark.mnist
def test_the_fast_recipe_reads_988_of_1000_test_digits(data_folder: Path) -> None:
    config = replace(PRESETS["fast"], seed=1)
    train_data, test_data = load_mnist(data_folder, train=True), load_mnist(data_folder, train=False)
    *_, evaluation, finished = fit(initial_model(config), train_data, test_data, config)
    assert isinstance(evaluation, Evaluation)
    assert isinstance(finished, Finished)
    assert evaluation.n == 10_000
    assert evaluation.accuracy >= 0.988


def test_convolutions_stop_learning_one_after_the_other_while_the_rest_goes_on() -> None:
    model, events, weights = _train(replace(TINY, freeze=0.5))
    last = {name: _last_change(weights, name) for name in weights[0]}
    assert last["cn1.weight"] == last["cn1.bias"] == 5  # of ten steps
    assert last["cn2.weight"] == last["cn2.bias"] == 8  # halfway from there to the end, rounded up
    assert {last[f"{layer}.{kind}"] for layer in ("fc1", "fc2") for kind in ("weight", "bias")} == {10}
    losses = [event.loss for event in events if isinstance(event, Step)]
    assert len(set(losses)) == len(losses) == 10
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_until_it_freezes_a_run_is_the_same_as_one_that_never_does() -> None:
    _, _, frozen = _train(replace(TINY, freeze=0.5))
    _, _, free = _train(replace(TINY, freeze=1.0))
    assert frozen[4]["cn1.weight"].equal(free[4]["cn1.weight"])
    assert not frozen[5]["cn1.weight"].equal(free[5]["cn1.weight"])
    assert _last_change(free, "cn1.weight") == _last_change(free, "cn2.weight") == 10


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
    monkeypatch.setattr(precision, "step_seconds", lambda tried: 1.0 if tried == faster else 2.0)
    try:
        assert resolve(TrainConfig(precision="auto")).precision == faster
    finally:
        precision.best_precision.cache_clear()


def test_without_units_for_16_bits_nothing_is_even_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(tried: str) -> float:
        raise AssertionError("bfloat16 without units takes minutes")

    precision.best_precision.cache_clear()
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)
    monkeypatch.setattr(precision, "step_seconds", never)
    try:
        assert resolve(TrainConfig(precision="auto")).precision == "float32"
    finally:
        precision.best_precision.cache_clear()


def test_trying_both_precisions_leaves_everyones_generator_alone() -> None:
    before = torch.get_rng_state()
    assert min(precision.step_seconds("float32"), precision.step_seconds("bfloat16")) > 0
    assert torch.equal(before, torch.get_rng_state())
