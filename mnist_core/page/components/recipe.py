"""The choice of a recipe: presets worth trying, and a control for each setting, with what it does."""

from __future__ import annotations

import functools
import json
from typing import Any

from mnist_core.config import PRESETS, Knob, TrainConfig, knobs
from mnist_core.page.components.view import View
from mnist_core.page.templates import render
from mnist_core.page.theme import asset

FIRST = ("optimizer", "learning_rate", "batch_size", "epochs", "train_size")
HIDDEN = ("test_batch_size", "threads")  # of no consequence to the result
NAMES = {
    "train_size": "Training digits",
    "dropout1": "Dropout after pooling",
    "dropout2": "Dropout before the last layer",
    "negative_slope": "Leaky ReLU slope",
    "freeze": "Freeze the convolutions",
    "augment": "Augmentation",
    "evaluations_per_epoch": "Tests per epoch",
    "data": "Digits",
    "non_digits": "Non-digits",
}
CHOICES = {
    "sgd": "SGD",
    "momentum": "SGD with momentum",
    "adadelta": "Adadelta",
    "adam": "Adam",
    "adamw": "AdamW",
    "muon": "Muon",
    "relu": "ReLU",
    "leaky_relu": "Leaky ReLU",
    "mnist": "MNIST",
    "synthetic": "synthetic",
    "both": "MNIST and synthetic, 1 to 2",
    "none": "off",
    "shift": "one-pixel shift",
    "pen": "handwriting",
    "float32": "32 bits",
    "bfloat16": "16 bits",
}


class RecipeForm(View):
    """Presets and settings in one component. Handlers receive a `TrainConfig`, and return one to set it."""

    def __init__(self, **options: Any) -> None:
        style = asset("css/recipe.css")
        super().__init__(
            "recipe", _template(), value=TrainConfig(), css_template=style, elem_id="recipe", **options
        )

    def preprocess(self, payload: Any) -> Any:
        """The chosen recipe, a `TrainConfig`, from its fields. Raises `ValueError` for anything else."""
        if not isinstance(payload, dict):
            raise ValueError("That is not a recipe as the page sends it. Reload the page and choose again.")
        return TrainConfig.from_dict(payload)

    def postprocess(self, value: Any) -> Any:
        """A `TrainConfig`'s fields; the book's for None."""
        return (value or TrainConfig()).to_dict()


@functools.cache
def preset_texts() -> dict[str, list[str]]:
    """For each preset its title, and what it shows in a sentence or two."""
    texts: dict[str, list[str]] = json.loads(asset("text/presets.json"))
    return texts


def _template() -> str:
    texts = preset_texts()
    presets = {name: [*texts[name], config.to_dict()] for name, config in PRESETS.items()}
    fields = {name: _field(name, knob) for name, knob in knobs().items() if name not in HIDDEN}
    return render(
        "recipe.html",
        presets=json.dumps(presets),
        titles={name: texts[name][0] for name in PRESETS},
        first=[fields[name] for name in FIRST],
        rest=[field for name, field in fields.items() if name not in FIRST],
    )


def _field(name: str, knob: Knob) -> dict[str, Any]:
    """A knob for the form: a choice, or a number with a slider under it. The seed has no slider, since nearby
    seeds have nothing in common."""
    return {
        "name": name,
        "label": NAMES.get(name) or name.replace("_", " ").capitalize(),
        "help": knob.help,
        "choices": {choice: CHOICES.get(choice, choice) for choice in knob.choices or ()},
        "low": knob.low,
        "high": knob.high,
        "step": "1" if isinstance(getattr(TrainConfig(), name), int) else "any",
        "log": int(knob.log),
        "slides": name != "seed",
    }
