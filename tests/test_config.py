"""The recipe: its defaults are the book's, and what it cannot be it refuses in a sentence."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
import torch

from mnist_core.config import PRESETS, TrainConfig, knobs


def test_without_arguments_the_recipe_is_the_books() -> None:
    config = TrainConfig()
    assert (config.epochs, config.batch_size, config.test_batch_size) == (2, 32, 500)
    assert (config.optimizer, config.learning_rate, config.seed) == ("adadelta", 0.5, 0)
    assert (config.activation, config.dropout1, config.dropout2) == ("relu", 0.10, 0.25)
    assert config == PRESETS["book"]


def test_a_recipe_cannot_be_changed_after_it_was_made() -> None:
    with pytest.raises(FrozenInstanceError):
        TrainConfig().epochs = 3


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("epochs", 0, "epochs must be a number from 0.01 to 100; got 0."),
        ("epochs", float("nan"), "epochs must be a number from 0.01 to 100; got nan."),
        ("epochs", True, "epochs must be a number from 0.01 to 100; got True."),
        ("batch_size", 32.0, "batch_size must be a whole number from 1 to 4096; got 32.0."),
        ("batch_size", "32", "batch_size must be a whole number from 1 to 4096; got '32'."),
        ("learning_rate", float("inf"), "learning_rate must be a number from 1e-05 to 100; got inf."),
        ("seed", -1, "seed must be a whole number from 0 to 2147483647; got -1."),
        ("schedule", "cosine", "schedule must be one of constant, triangle; got 'cosine'."),
        ("data", ["mnist"], "data must be one of mnist, synthetic, both; got ['mnist']."),
        ("data", np.array(["mnist"]), "data must be one of mnist, synthetic, both; got array(['mnist']"),
        ("seed", np.int64(-1), "seed must be a whole number from 0 to 2147483647; got np.int64(-1)."),
        ("seed", np.True_, "seed must be a whole number from 0 to 2147483647; got np.True_."),
        ("epochs", np.float32("nan"), "epochs must be a number from 0.01 to 100; got np.float32(nan)."),
        (
            "batch_size",
            np.float64(32),
            "batch_size must be a whole number from 1 to 4096; got np.float64(32.0).",
        ),
        ("batch_size", torch.tensor(32), "batch_size must be a whole number from 1 to 4096; got tensor(32)."),
    ],
)
def test_a_wrong_value_is_refused_with_what_was_expected_and_what_came(field, value, says) -> None:
    with pytest.raises(ValueError) as refused:
        TrainConfig(**{field: value})
    assert str(refused.value).startswith(says)


def test_numpys_numbers_and_strings_are_as_good_as_pythons_and_become_plain() -> None:
    config = TrainConfig(
        epochs=np.float64(0.5), batch_size=np.int64(16), learning_rate=np.float32(0.25), data=np.str_("both")
    )
    assert config == TrainConfig(epochs=0.5, batch_size=16, learning_rate=0.25, data="both")
    assert {type(value) for value in config.to_dict().values()} == {int, float, str}
    assert type(TrainConfig(epochs=np.int32(2)).epochs) is int


def test_a_recipe_survives_json() -> None:
    config = TrainConfig(epochs=0.5, optimizer="sgd", seed=7)
    assert TrainConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_a_recipe_with_an_unknown_field_is_refused() -> None:
    with pytest.raises(ValueError, match="A recipe has no field 'lr'; it has data, train_size, "):
        TrainConfig.from_dict({"lr": 1})


@pytest.mark.parametrize("name", knobs())
def test_every_field_says_in_a_sentence_what_it_does_and_has_its_limits(name: str) -> None:
    knob = knobs()[name]
    assert knob.help.endswith(".") and len(knob.help) < 120
    if knob.choices:
        assert getattr(TrainConfig(), name) in knob.choices
    else:
        assert knob.low <= getattr(TrainConfig(), name) <= knob.high
        assert not knob.log or knob.low > 0
