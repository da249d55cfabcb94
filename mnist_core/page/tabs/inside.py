"""Look inside: the drawing on the pad as it passes through the layers, and why it is read as it is."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import asdict
from functools import lru_cache
from typing import Annotated, Any, Literal
from weakref import WeakKeyDictionary

import gradio as gr
import numpy as np
from pydantic import BaseModel, Field, model_validator

from mnist_core.answers import as_values, digits_in, left_out, sureness, with_article
from mnist_core.classifier import Classifier, Prediction
from mnist_core.data import load_mnist
from mnist_core.datasets.digits import Digits
from mnist_core.datasets.download import DataError, mnist_is_here
from mnist_core.explain.activations import (
    feature_maps,
    hidden,
    ink_that_mattered,
    kernels,
    layers,
    nearest_in,
)
from mnist_core.explain.counterfactual import BUDGET, smallest_edit
from mnist_core.imaging.preprocess import SIZE
from mnist_core.model import CLASSES, ConvNet
from mnist_core.page.components.pad import DigitPad, Drawing, DrawingUpdate, Place, decode
from mnist_core.page.components.reading import SHIPPED_READ, chosen_reader, read_drawing
from mnist_core.page.components.view import View
from mnist_core.page.http.routes import FROM_PAGES, json_route
from mnist_core.page.templates import render
from mnist_core.page.threads import Latest
from mnist_core.page.views.percent import percent, share
from mnist_core.runs import SHIPPED

KNOWN = 2000  # training images among which the nearest are looked for
NEIGHBOURS = 8
_MAPS = {"cn1": 16, "cn2": 32, "pool": 32}
_BELOW = {"cn1": "picture", "cn2": "cn1", "pool": "cn2"}
_ACTIVATION_NAMES = {"relu": "ReLU", "leaky_relu": "leaky ReLU", "tanh": "tanh", "sigmoid": "the sigmoid"}
Reason = tuple[Any, str]  # what is shown, and what it says
_THIRDS = (("top", "middle", "bottom"), ("left", "centre", "right"))


class ViewRequest(BaseModel):
    """What the visitor has unfolded: a map to work out, reasons to give, and what the drawing shall become.

    `still` says that the pen rests, so that what takes longer than a stroke allows may be worked out. Its
    twin is `ViewRequest` in `assets/js/types.js`.
    """

    model_config = FROM_PAGES

    layer: Literal["cn1", "cn2", "pool"] | None = None
    map: Annotated[int, Field(ge=0, lt=max(_MAPS.values()))] = 0
    open: frozenset[Literal["why", "edit", "nearest"]] = frozenset()
    target: Annotated[int, Field(ge=0, lt=CLASSES)] | None = None
    still: bool = False

    @model_validator(mode="after")
    def _map_exists(self) -> ViewRequest:
        if self.layer is not None and self.map >= _MAPS[self.layer]:
            raise ValueError(f"{self.layer} has {_MAPS[self.layer]} maps")
        return self


class LayersRequest(BaseModel):
    """A drawing, whose weights to look through, which of its digits, and what to show of that."""

    model_config = FROM_PAGES

    weights: str | None
    drawing: DrawingUpdate
    digit: Place = 0
    view: ViewRequest


def inside_tab(weights: gr.Dropdown) -> None:
    """The tab's contents.

    Args:
        weights: which weights read the pad, "shipped" or a run's id.
    """
    with gr.Row(elem_id="inside"):
        with gr.Column(scale=1, min_width=220):
            DigitPad(small=True)
        with gr.Column(scale=3, min_width=320):
            view = View(
                "inside/inside", render("inside.html", classes=CLASSES), value=SHIPPED, elem_id="layer-view"
            )
    weights.change(None, weights, view, js="(weights) => weights")


async def show_layers(secret: str, asked: LayersRequest) -> dict[str, Any] | None:
    """`look`, on a thread of its own, so that nothing waits for it."""
    thread = _patient if asked.view.still else _prompt
    return await thread.run(
        secret, lambda: look(secret, asked.weights, decode(asked.drawing), asked.view, asked.digit)
    )


ROUTES = [json_route("layers", LayersRequest, show_layers)]


def look(
    secret: str, weights: str | None, drawing: Drawing, request: ViewRequest, digit: int = 0
) -> dict[str, Any]:
    """Everything that the tab shows of a drawing; `Layers` in `assets/js/types.js`.

    Args:
        digit: which of several digits is looked at, from the left.
    """
    run, classifier, by = chosen_reader(secret, weights)
    model = classifier.model
    found = read_drawing(classifier, drawing)
    readings = digits_in(found)
    place = min(digit, len(readings) - 1)
    reading = readings[place] if readings else None
    picture = reading.model_input if reading is not None else np.zeros((SIZE, SIZE), np.uint8)
    maps = feature_maps(model, picture)
    order = maps["log_probabilities"].argsort()[::-1]
    blank = reading is None
    shown = {
        "number": drawing.number,
        "layers": _layers(model),
        "bytes": {"picture": _packed(picture), **{name: _signed(maps[name]) for name in _MAPS}},
        "scale": {name: float(np.abs(maps[name]).max()) or 1.0 for name in (*_MAPS, "fc1")},
        "largest": {name: [_largest(values) for values in maps[name]] for name in _MAPS},
        **{name: maps[name].tolist() for name in ("fc1", "fc2", "log_probabilities")},
        "probabilities": np.exp(maps["log_probabilities"]).tolist(),
        "answer": None if blank else int(order[0]),
        "blank": blank,
        "activation": _ACTIVATION_NAMES[model.activation],
        "follows": run is not None and run.active,
        "mnist": mnist_is_here(),
        "said": {"answer": _read_as(readings, place), **_said(maps, blank)},
    }
    if (omitted := left_out(found)) is not None:
        shown["said"]["answer"] += f" {omitted}"
    if by != SHIPPED_READ and not blank:
        shown["said"]["answer"] += f" {by}."
    if request.layer:
        shown["chosen"] = _chosen(model, maps, request.layer, request.map)
    for name in sorted(request.open):
        if not blank and (request.still or name not in _AT_REST):
            value, shown["said"][name] = _REASON[name](classifier, picture, order, request)
            shown[name] = value
        elif blank:
            shown["said"][name] = "Draw a digit first."
    return shown


def _layers(model: ConvNet) -> list[dict[str, Any]]:
    """The layers for the page, each with a note on its code or its numbers where one is needed."""
    notes = {"log_probabilities": "the percentages are exp of these numbers, before calibration"}
    shown = layers(model)
    first = next(layer.name for layer in shown if "self.activate(" in layer.code)
    notes[first] = f"self.activate is {_ACTIVATION_NAMES[model.activation]}"
    return [{**asdict(layer), "note": notes.get(layer.name, "")} for layer in shown]


def _chosen(model: ConvNet, maps: dict[str, np.ndarray], layer: str, index: int) -> dict[str, Any]:
    """One map in full precision, with what it was computed from."""
    below = maps[_BELOW[layer]]
    chosen = {"layer": layer, "map": index, "values": _packed(maps[layer][index])}
    if layer == "pool":
        return {**chosen, "below": _packed(below[index]), "weights": None, "bias": 0.0}
    weights = kernels(model, layer)
    return {
        **chosen,
        "below": _packed(below),
        "weights": _packed(weights[index]),
        "strongest": float(np.abs(weights[index]).max()),
        "bias": getattr(model, layer).bias[index].item(),
    }


def _why(classifier: Classifier, picture: np.ndarray, order: np.ndarray, request: ViewRequest) -> Reason:
    """Which ink spoke for the answer, and which for the runner-up."""
    first, second = int(order[0]), int(order[1])
    both = {digit: ink_that_mattered(classifier.model, picture, digit) for digit in (first, second)}
    said = (
        f"Blue ink spoke for the digit, orange ink against it. The {first} rests most on the ink at the "
        f"{_where(both[first])}; what most suggests {with_article(second)} lies at the "
        f"{_where(both[second])}."
    )
    return [{"digit": digit, "map": _signed(values)} for digit, values in both.items()], said


def _edit(classifier: Classifier, picture: np.ndarray, order: np.ndarray, request: ViewRequest) -> Reason:
    """The smallest edit that turns the answer into the wanted digit, or into any other."""
    if request.target == order[0]:
        return None, f"The network's most probable digit is {request.target} already."
    edit = smallest_edit(classifier.model, picture, request.target)
    again = as_values(classifier.read(edit.picture)) if edit is not None else {}
    if edit is None or again["number"] not in (None, str(edit.digit)):  # a dab may be left out
        wanted = "another digit" if request.target is None else with_article(request.target)
        return None, f"No edit of at most {share(BUDGET)} of the ink was found that makes it {wanted}."
    drawn = sum(dab.drawn for dab in edit.dabs)
    deeds = [
        f"{verb} {count} {'dab' if count == 1 else 'dabs'}"
        for verb, count in (("draw", drawn), ("erase", len(edit.dabs) - drawn))
        if count
    ]
    said = (
        f"To make it {with_article(edit.digit)}, {' and '.join(deeds)} as wide as your pen: "
        f"{share(edit.change)} of the ink. {_read_again(again)} Solid rings mark what is drawn, "
        "dashed rings what is erased."
    )
    dabs = [[dab.row, dab.column, dab.drawn] for dab in edit.dabs]
    return {"picture": _packed(edit.picture), "dabs": dabs, "pen": edit.pen}, said


def _read_again(again: dict[str, Any]) -> str:
    """What the edited picture is read as, at the threshold of every other reading."""
    if again["number"] is None:
        return "The network is not sure which digit the edited drawing is."
    return f"The edited drawing is read as {again['number']} ({percent(sureness(again))})."


def _nearest(classifier: Classifier, picture: np.ndarray, order: np.ndarray, request: ViewRequest) -> Reason:
    """The training images that the network finds most like the drawing."""
    model = classifier.model
    try:
        digits = _known_digits()
    except DataError as error:
        return [], str(error)
    if model not in _known_points:
        _known_points[model] = hidden(model, digits.images)
    point = hidden(model, picture[None])[0]
    indices, away = nearest_in(_known_points[model], point, NEIGHBOURS)
    labels = digits.labels[indices].tolist()
    said = (
        f"The nearest of {len(digits):,} training images, by the distance between the {point.size} "
        f"activations that the last layer decides by: {', '.join(map(str, labels))}."
    )
    pictures = digits.images[indices].numpy()
    return [
        {"label": label, "said": with_article(label), "distance": float(distance), "picture": _packed(image)}
        for label, distance, image in zip(labels, away, pictures, strict=True)
    ], said


_REASON: dict[str, Callable[[Classifier, np.ndarray, np.ndarray, ViewRequest], Reason]] = {
    "why": _why,
    "edit": _edit,
    "nearest": _nearest,
}
_AT_REST = frozenset({"edit", "nearest"})  # those that take longer than a stroke allows
_known_points: WeakKeyDictionary[ConvNet, np.ndarray] = WeakKeyDictionary()
_prompt, _patient = Latest("look"), Latest("look-at-rest")  # what follows the pen; what may take longer


@lru_cache(maxsize=1)
def _known_digits() -> Digits:
    return load_mnist(train=True, download=False).subset(KNOWN)


def _read_as(readings: list[Prediction], place: int) -> str:
    """What the digit looked at is read as, in words and as every other tab has it."""
    if not readings:
        return "Draw a digit, and watch it pass through the layers."
    reading = readings[place]
    order = np.argsort(reading.probabilities)[::-1]
    first, second = (f"{digit} ({percent(reading.probabilities[digit])})" for digit in order[:2])
    which = f"Digit {place + 1} of {len(readings)}: " if len(readings) > 1 else ""
    if reading.closest is None:
        return f"{which}{reading.reason}"
    known = "read as" if reading.digit is not None else "not sure this is a digit, perhaps"
    said = f"{which}{known} {first}, then {second}."
    return said[0].upper() + said[1:]


def _said(maps: dict[str, np.ndarray], blank: bool) -> dict[str, str]:
    """What the pictures show, in words."""
    flat, units = maps["flat"], maps["fc1"]
    return {
        "picture": "What the network sees: " + ("nothing yet" if blank else f"{SIZE} by {SIZE} pixels"),
        "flat": f"{flat.size:,} numbers in one row, {np.count_nonzero(flat):,} of them not zero",
        "fc1": f"{units.size:,} activations, {np.count_nonzero(units > 0):,} of them above zero",
    }


def _where(values: np.ndarray) -> str:
    """Where on the sheet a map is strongest, in thirds: "top left"."""
    places = [[values[r : r + 10, c : c + 10].clip(0).sum() for c in (0, 9, 18)] for r in (0, 9, 18)]
    row, column = divmod(int(np.argmax(places)), 3)
    names = [_THIRDS[0][row], _THIRDS[1][column]]
    return "centre" if names == ["middle", "centre"] else " ".join(names)


def _largest(values: np.ndarray) -> list[float]:
    """A map's largest value, its row and its column."""
    row, column = divmod(int(values.argmax()), values.shape[1])
    return [float(values[row, column]), row, column]


def _signed(values: np.ndarray) -> str:
    """Values to draw, as signed bytes: 127 for the strongest of them."""
    strongest = float(np.abs(values).max()) or 1.0
    return _packed(np.rint(values / strongest * 127).clip(-127, 127).astype(np.int8))


def _packed(values: np.ndarray) -> str:
    """An array's bytes in base64: uint8, int8 or little-endian float32."""
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()
