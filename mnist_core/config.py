"""A recipe for training: what can be set, its range, its default, and what it does.

Command-line flags and the page's controls take their defaults, ranges and help from here, so that a recipe
means the same everywhere. The defaults are the book's: two epochs, batches of 32, Adadelta at 0.5.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np

ACTIVATIONS = ("relu", "leaky_relu", "tanh", "sigmoid")


def check_number(name: str, value: Any, low: float, high: float, *, whole: bool = False) -> int | float:
    """`value`, which may be one of numpy's, as a plain int or float, if it is a number from `low` to `high`.

    Raises:
        ValueError: anything else. The message has `name`, what was expected and what was given.
    """
    plain = value.item() if isinstance(value, np.integer | np.floating) else value
    right = isinstance(plain, int if whole else int | float) and not isinstance(plain, bool)
    if not (right and low <= plain <= high):
        kind = "a whole number" if whole else "a number"
        raise ValueError(f"{name} must be {kind} {_limits(low, high)}; got {value!r}.")
    return int(plain) if isinstance(plain, int) else float(plain)


def _limits(low: float, high: float) -> str:
    return f"from {_plainly(low)} to {_plainly(high)}"


def _plainly(number: float) -> str:
    return str(number) if isinstance(number, int) else f"{number:g}"


@dataclass(frozen=True, kw_only=True)
class Knob:
    """The values that one field of `TrainConfig` may take, and one line on what it does."""

    help: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] | None = None
    log: bool = False

    @property
    def limits(self) -> str:
        """The lowest and the highest value of a number, in words."""
        assert self.low is not None and self.high is not None
        return _limits(self.low, self.high)

    def check(self, name: str, value: Any, default: Any) -> Any:
        """`value`, plain. Raises `ValueError`, saying what was expected, for a wrong type or range."""
        if self.choices is None:
            assert self.low is not None and self.high is not None
            return check_number(name, value, self.low, self.high, whole=isinstance(default, int))
        if not isinstance(value, str) or value not in self.choices:
            raise ValueError(f"{name} must be one of {', '.join(self.choices)}; got {value!r}.")
        return str(value)


def _knob(default: Any, help: str, **limits: Any) -> Any:
    return field(default=default, metadata={"knob": Knob(help=help, **limits)})


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """A training recipe; without arguments, the book's.

    Raises:
        ValueError: a value of the wrong type or out of range. The message names the field, what was
            expected and what was given.
    """

    data: str = _knob(
        "mnist",
        "The digits to train on: MNIST, synthetic digits, or MNIST and twice as many synthetic ones.",
        choices=("mnist", "synthetic", "both"),
    )
    train_size: int = _knob(
        60_000,
        "How many training digits to use; a few are soon memorised.",
        low=100,
        high=60_000,
        log=True,
    )
    non_digits: int = _knob(
        0,
        "How many letters and signs to mix in; the network learns to be unsure of them.",
        low=0,
        high=60_000,
    )
    epochs: float = _knob(2.0, "Passes over the whole training set.", low=0.01, high=100)
    batch_size: int = _knob(
        32,
        "Digits per step: small batches make many noisy steps, large ones few precise ones.",
        low=1,
        high=4096,
        log=True,
    )
    test_batch_size: int = _knob(
        500, "Digits per batch when testing; does not affect the result.", low=1, high=10_000
    )
    optimizer: str = _knob(
        "adadelta",
        "The rule that turns gradients into steps.",
        choices=("sgd", "momentum", "adadelta", "adam", "adamw", "muon"),
    )
    learning_rate: float = _knob(
        0.5,
        "The size of each step: too large and the loss explodes, too small and it crawls.",
        low=1e-5,
        high=100,
        log=True,
    )
    momentum: float = _knob(0.9, "How much of the last step SGD with momentum keeps.", low=0, high=0.999)
    weight_decay: float = _knob(0.0, "How strongly weights are pulled towards zero.", low=0, high=1)
    schedule: str = _knob(
        "constant",
        "The learning rate over the run: constant, or a triangle up to its peak and down to zero.",
        choices=("constant", "triangle"),
    )
    freeze: float = _knob(
        1.0,
        "Share of the run after which the first convolution is frozen; the second, halfway through the rest.",
        low=0,
        high=1,
    )
    activation: str = _knob(
        "relu",
        "The non-linearity between layers; without it, two linear layers in a row are one.",
        choices=ACTIVATIONS,
    )
    negative_slope: float = _knob(0.01, "The slope of leaky ReLU for negative inputs.", low=0, high=1)
    dropout1: float = _knob(
        0.10, "Share of feature maps dropped after pooling, at each step.", low=0, high=0.9
    )
    dropout2: float = _knob(0.25, "Share of the 64 hidden units dropped, at each step.", low=0, high=0.9)
    augment: str = _knob(
        "none",
        "How training digits are varied: not at all, shifted by up to a pixel, or as handwriting varies.",
        choices=("none", "shift", "pen"),
    )
    label_smoothing: float = _knob(
        0.0, "Share of the target probability spread over all ten digits.", low=0, high=0.5
    )
    evaluations_per_epoch: int = _knob(1, "Evaluations on all test digits per epoch.", low=1, high=100)
    seed: int = _knob(
        0, "Starts the random generator: the same seed gives the same run.", low=0, high=2**31 - 1
    )
    precision: str = _knob(
        "float32",
        "32-bit numbers, 16-bit ones where the processor has units for them, or whichever is faster.",
        choices=("float32", "bfloat16", "auto"),
    )
    threads: int = _knob(0, "Processor threads to train with; 0 for torch's default.", low=0, high=256)

    def __post_init__(self) -> None:
        for knob_field in fields(self):
            name, knob = knob_field.name, knob_field.metadata["knob"]
            object.__setattr__(self, name, knob.check(name, getattr(self, name), knob_field.default))

    def to_dict(self) -> dict[str, Any]:
        """The recipe as plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> TrainConfig:
        """The recipe that `to_dict` wrote. Raises `ValueError` for anything else."""
        if not isinstance(values, dict):
            raise ValueError(f"A recipe is a dict of its fields; got {type(values).__name__}.")
        unknown = sorted(set(values) - set(knobs()), key=str)
        if unknown:
            raise ValueError(f"A recipe has no field {str(unknown[0])[:40]!r}; it has {', '.join(knobs())}.")
        return cls(**values)

    def check_has(self, who: str, **wanted: Any) -> None:
        """Raise `ValueError` unless these fields have these values, the only ones that `who` supports."""
        for name, value in wanted.items():
            if getattr(self, name) != value:
                raise ValueError(
                    f"{who} can only do a recipe with {name}={value!r}; got {getattr(self, name)!r}. "
                    "load_data and fit do all that a recipe says."
                )


def check_recipe(config: Any) -> None:
    """Raise `ValueError` unless this is a `TrainConfig`."""
    if not isinstance(config, TrainConfig):
        raise ValueError(
            f"A recipe is a TrainConfig; got {type(config).__name__}. TrainConfig.from_dict makes one of a "
            "dict."
        )


def knobs() -> dict[str, Knob]:
    """Every field's `Knob`, by name, in the order of `TrainConfig`."""
    return {knob_field.name: knob_field.metadata["knob"] for knob_field in fields(TrainConfig)}


PRESETS: dict[str, TrainConfig] = {
    "book": TrainConfig(),
    "fast": TrainConfig(
        epochs=0.65,
        batch_size=128,
        optimizer="muon",
        learning_rate=0.05,
        schedule="triangle",
        freeze=0.15,
        dropout1=0.0,
        dropout2=0.0,
        augment="shift",
        label_smoothing=0.2,
        precision="auto",
    ),
    "shipped": TrainConfig(
        data="both",
        non_digits=60_000,
        epochs=25.0,
        batch_size=128,
        optimizer="adamw",
        learning_rate=0.003,
        weight_decay=0.1,
        schedule="triangle",
        dropout1=0.0,
        dropout2=0.0,
        augment="pen",
    ),
    "too_high": TrainConfig(optimizer="sgd", learning_rate=10.0),
    "crawling": TrainConfig(optimizer="sgd", learning_rate=0.01, activation="sigmoid", epochs=1.0),
    "by_heart": TrainConfig(train_size=300, epochs=20.0, dropout1=0.0, dropout2=0.0),
    "batch_1": TrainConfig(batch_size=1, epochs=0.1),
    "batch_1024": TrainConfig(batch_size=1024),
}
