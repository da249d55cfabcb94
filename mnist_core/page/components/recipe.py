"""The choice of a recipe: presets worth trying, and a control for each setting, with what it does."""

from __future__ import annotations

import json
from html import escape
from typing import Any

import gradio as gr

from mnist_core.config import PRESETS, Knob, TrainConfig, knobs
from mnist_core.page.theme import asset, mount

FIRST = ("optimizer", "learning_rate", "batch_size", "epochs", "train_size")
HIDDEN = ("test_batch_size", "threads")  # of no consequence to the result
WHILE_RUNNING = ("learning_rate", "momentum")
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
    "both": "both, half and half",
    "none": "off",
    "shift": "one-pixel shift",
    "pen": "handwriting",
    "float32": "32 bits",
    "bfloat16": "16 bits",
}


class RecipeForm(gr.HTML):
    """Presets and settings in one component. Handlers receive a `TrainConfig`, and return one to set it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            value=TrainConfig(),
            html_template=_template(),
            css_template=asset("css/recipe.css"),
            js_on_load=mount("recipe"),
            apply_default_css=False,
            elem_id="recipe",
            **options,
        )

    def preprocess(self, payload: Any) -> TrainConfig:
        """The chosen recipe. Raises `ValueError` for anything else."""
        if isinstance(payload, str) and len(payload) < 4000:
            try:
                values = json.loads(payload)
            except json.JSONDecodeError:
                values = None
            if isinstance(values, dict):
                return TrainConfig.from_dict(values)
        raise ValueError("That is not a recipe as the page sends it. Reload the page and choose again.")

    def postprocess(self, value: TrainConfig | None) -> str:
        return json.dumps((value or TrainConfig()).to_dict())

    def api_info(self) -> dict[str, Any]:
        return {"type": "string", "description": "a recipe's fields, as JSON"}


def _template() -> str:
    texts = json.loads(asset("text/presets.json"))
    presets = {name: [*texts[name], config.to_dict()] for name, config in PRESETS.items()}
    options = "".join(f'<option value="{name}">{escape(said[0])}</option>' for name, said in presets.items())
    field = {name: _knob(name, knob) for name, knob in knobs().items() if name not in HIDDEN}
    first = "".join(field[name] for name in FIRST)
    rest = "".join(text for name, text in field.items() if name not in FIRST)
    return f"""<div class="recipe" data-presets="{escape(json.dumps(presets))}">
  <label class="preset"><span>Recipe</span>
    <select class="preset-choice">{options}<option value="own">My own</option></select></label>
  <p class="preset-lesson"></p>
  <details class="fold"><summary>Change the recipe</summary>
    <p class="fold-note">Learning rate and momentum also change a run under way; the rest applies to the next.
      The page's address holds the recipe: copy it to share.</p>
    <div class="knobs">{first}</div>
    <details class="fold more"><summary>More</summary><div class="knobs">{rest}</div></details>
  </details>
</div>"""


def _knob(name: str, knob: Knob) -> str:
    label = NAMES.get(name) or name.replace("_", " ").capitalize()
    if knob.choices is not None:
        options = "".join(
            f'<option value="{choice}">{CHOICES.get(choice, choice)}</option>' for choice in knob.choices
        )
        field = f'<select data-knob="{name}" aria-describedby="help-{name}">{options}</select>'
    else:
        field = _number(name, knob)
    return (
        f'<div class="knob"><label><span>{escape(label)}</span>{field}</label>'
        f'<small id="help-{name}">{escape(knob.help)}</small></div>'
    )


def _number(name: str, knob: Knob) -> str:
    """A number field with a slider under it; the seed has none, since nearby seeds have nothing in common."""
    step = "1" if isinstance(getattr(TrainConfig(), name), int) else "any"
    field = (
        f'<input type="number" data-knob="{name}" min="{knob.low!r}" max="{knob.high!r}" step="{step}" '
        f'data-log="{int(knob.log)}" aria-describedby="help-{name}">'
    )
    return (
        field
        if name == "seed"
        else f'{field}<input type="range" data-slides="{name}" tabindex="-1" aria-hidden="true">'
    )
