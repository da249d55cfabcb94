"""Look inside: the drawing on the pad as it passes through the layers, and why it is read as it is."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

import gradio as gr
import numpy as np

from mnist_core import runs
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
from mnist_core.explain.counterfactual import smallest_edit
from mnist_core.imaging.preprocess import preprocess
from mnist_core.model import CLASSES, ConvNet
from mnist_core.page.components.pad import DigitPad, Drawing
from mnist_core.page.http.direct import direct
from mnist_core.page.tabs.draw import FOLLOW_THE_PEN
from mnist_core.page.tabs.playground import toys_part
from mnist_core.page.templates import render
from mnist_core.page.theme import mount
from mnist_core.page.threads import own_thread
from mnist_core.runs.run import Run

KNOWN = 2000  # training images among which the nearest are looked for
NEIGHBOURS = 8
_MAPS = {"cn1": 16, "cn2": 32, "pool": 32}
_BELOW = {"cn1": "picture", "cn2": "cn1", "pool": "cn2"}
_REASONS = ("why", "edit", "nearest")
_LONGEST_REQUEST = 300  # characters
_ACTIVATION_NAMES = {"relu": "ReLU", "leaky_relu": "leaky ReLU", "tanh": "tanh", "sigmoid": "the sigmoid"}
_THIRDS = (("top", "middle", "bottom"), ("left", "centre", "right"))


@dataclass(frozen=True)
class ViewRequest:
    """What the visitor has unfolded: a map to work out, reasons to give, and what the drawing shall become.

    `still` says that the pen rests, so that what takes longer than a stroke allows may be worked out.
    """

    layer: str | None = None
    map: int = 0
    open: tuple[str, ...] = ()
    target: int | None = None
    still: bool = False


class LayerView(gr.HTML):
    """Shows what `look` returns. Its value comes back as the visitor's `ViewRequest`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            value=None,
            html_template=render("inside.html", classes=CLASSES),
            js_on_load=mount("inside/inside"),
            apply_default_css=False,
            elem_id="layer-view",
            **options,
        )

    def preprocess(self, payload: Any) -> ViewRequest:
        """The visitor's request. Raises `gr.Error` for anything that a page would not send."""
        try:
            return read_view_request(payload)
        except ValueError as error:
            raise gr.Error(str(error), print_exception=False) from None

    def postprocess(self, value: dict[str, Any] | None) -> str:
        return "" if value is None else json.dumps(value, separators=(",", ":"))

    def api_info(self) -> dict[str, Any]:
        return {"type": "string", "description": "what the page has unfolded, as JSON"}


def inside_tab(secret: gr.Component, reader: gr.Component) -> None:
    """The tab's contents.

    Args:
        secret: the visit's.
        reader: which weights read the pad, "shipped" or a run's id.
    """
    with gr.Row(elem_id="inside"):
        with gr.Column(scale=1, min_width=220):
            pad = DigitPad(small=True)
        with gr.Column(scale=3, min_width=320):
            view = LayerView()
    for event in (pad.input, view.input):
        event(look_soon, [secret, reader, pad, view], view, **FOLLOW_THE_PEN)
    toys_part()


@direct
async def look_soon(
    secret: str, reader: str | None, drawing: Drawing, request: ViewRequest
) -> dict[str, Any]:
    """`look`, on a thread of its own, so that nothing waits for it."""
    thread = _patient if request.still else _prompt
    return await asyncio.wrap_future(thread.submit(look, secret, reader, drawing, request))


def look(secret: str, reader: str | None, drawing: Drawing, request: ViewRequest) -> dict[str, Any]:
    """Everything that the tab shows of a drawing, ready for JSON."""
    model = runs.classifier_for(secret, reader).model
    run = _run(secret, reader)
    picture = preprocess(drawing.image) if drawing.image else np.zeros((28, 28), np.uint8)
    maps = feature_maps(model, picture)
    probabilities = np.exp(maps["log_probabilities"])
    order = probabilities.argsort()[::-1]
    blank = not picture.any()
    shown = {
        "layers": _layers(model),
        "bytes": {"picture": _packed(picture), **{name: _signed(maps[name]) for name in _MAPS}},
        "scale": {name: float(np.abs(maps[name]).max()) or 1.0 for name in (*_MAPS, "fc1")},
        "largest": {name: [_largest(values) for values in maps[name]] for name in _MAPS},
        **{name: maps[name].tolist() for name in ("fc1", "fc2", "log_probabilities")},
        "probabilities": probabilities.tolist(),
        "answer": None if blank else int(order[0]),
        "blank": blank,
        "activation": _ACTIVATION_NAMES[model.activation],
        "follows": run is not None and run.active,
        "mnist": mnist_is_here(),
        "said": _said(maps, probabilities, order, blank),
    }
    if run and not blank:
        shown["said"]["answer"] += f" The weights are those of {run.name}."
    if request.layer:
        shown["chosen"] = _chosen(model, maps, request.layer, request.map)
    for name in request.open:
        if not blank and (name != "edit" or request.still):
            value, shown["said"][name] = _REASON[name](model, picture, order, request)
            shown[name] = value
        elif blank:
            shown["said"][name] = "Draw a digit first."
    return shown


def _layers(model: ConvNet) -> list[dict[str, Any]]:
    """The layers for the page, each with a note on its code or its numbers where one is needed."""
    notes = {"log_probabilities": "the percentages are exp of these numbers"}
    shown = layers(model)
    first = next(layer.name for layer in shown if "self.activate(" in layer.code)
    notes[first] = f"self.activate is {_ACTIVATION_NAMES[model.activation]}"
    return [{**asdict(layer), "note": notes.get(layer.name, "")} for layer in shown]


def _run(secret: str, reader: str | None) -> Run | None:
    """The visit's run whose weights are looked through; None for the built-in model."""
    if reader in (None, runs.SHIPPED):
        return None
    with contextlib.suppress(runs.RunError):
        return runs.registry().run(secret, reader)
    return None


def read_view_request(text: Any) -> ViewRequest:
    """The request in a page's line of JSON; nothing unfolded if there is none yet. Raises `ValueError`."""
    if text in (None, ""):
        return ViewRequest()
    problem = ValueError("That is not a choice that this page offers. Reload the page.")
    if not isinstance(text, str) or len(text) > _LONGEST_REQUEST:
        raise problem
    try:
        request = ViewRequest(**json.loads(text))
    except (TypeError, ValueError, RecursionError):
        raise problem from None
    whole = type(request.map) is int and (request.target is None or type(request.target) is int)
    listed = isinstance(request.open, list) and all(name in _REASONS for name in request.open)
    known = request.layer is None or (isinstance(request.layer, str) and request.layer in _MAPS)
    if not (whole and listed and known and request.still in (True, False)):
        raise problem
    if not 0 <= request.map < _MAPS.get(request.layer, 32) or not 0 <= (request.target or 0) < CLASSES:
        raise problem
    return ViewRequest(
        request.layer, request.map, tuple(dict.fromkeys(request.open)), request.target, request.still
    )


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


def _why(model: ConvNet, picture: np.ndarray, order: np.ndarray, request: ViewRequest) -> tuple[Any, str]:
    """Which ink spoke for the answer, and which for the runner-up."""
    first, second = int(order[0]), int(order[1])
    both = {digit: ink_that_mattered(model, picture, digit) for digit in (first, second)}
    said = (
        f"Blue ink spoke for the digit, orange ink against it. The {first} rests most on the ink at the "
        f"{_where(both[first])}; what most suggests a {second} lies at the {_where(both[second])}."
    )
    return [{"digit": digit, "map": _signed(values)} for digit, values in both.items()], said


def _edit(model: ConvNet, picture: np.ndarray, order: np.ndarray, request: ViewRequest) -> tuple[Any, str]:
    """The smallest edit that turns the answer into the wanted digit, or into any other."""
    if request.target == order[0]:
        return None, f"It is read as a {request.target} already."
    edit = smallest_edit(model, picture, request.target)
    if edit is None:
        wanted = "another digit" if request.target is None else f"a {request.target}"
        return None, f"No edit of at most a fifth of the ink was found that makes it {wanted}."
    drawn = sum(dab.drawn for dab in edit.dabs)
    deeds = [
        f"{verb} {count} {'dab' if count == 1 else 'dabs'}"
        for verb, count in (("draw", drawn), ("erase", len(edit.dabs) - drawn))
        if count
    ]
    said = (
        f"To make it a {edit.digit}, {' and '.join(deeds)} as wide as your pen: {edit.change:.0%} of the "
        f"ink. Read again, it is a {edit.digit} with {_percent(edit.probability)}. "
        "Solid rings are drawn, dashed rings erased."
    )
    dabs = [[dab.row, dab.column, dab.drawn] for dab in edit.dabs]
    return {"picture": _packed(edit.picture), "dabs": dabs, "pen": edit.pen}, said


def _nearest(model: ConvNet, picture: np.ndarray, order: np.ndarray, request: ViewRequest) -> tuple[Any, str]:
    """The training images that the network finds most like the drawing."""
    try:
        digits = _known_digits()
    except DataError as error:
        return [], str(error)
    if model not in _known_points:
        _known_points[model] = hidden(model, digits.images)
    indices, away = nearest_in(_known_points[model], hidden(model, picture)[0], NEIGHBOURS)
    labels = digits.labels[indices].tolist()
    said = (
        f"Of {len(digits):,} training images, these lie nearest in the 64 numbers that the last layer "
        f"decides by: {', '.join(map(str, labels))}."
    )
    pictures = digits.images[indices].numpy()
    return [
        {"label": label, "distance": float(distance), "picture": _packed(image)}
        for label, distance, image in zip(labels, away, pictures, strict=True)
    ], said


_REASON: dict[str, Callable[..., tuple[Any, str]]] = {"why": _why, "edit": _edit, "nearest": _nearest}
_known_points: WeakKeyDictionary[ConvNet, np.ndarray] = WeakKeyDictionary()
_prompt, _patient = own_thread("look"), own_thread("edit")  # what follows the pen; what may take longer


@lru_cache(maxsize=1)
def _known_digits() -> Digits:
    return load_mnist(train=True, download=False).subset(KNOWN)


def _said(
    maps: dict[str, np.ndarray], probabilities: np.ndarray, order: np.ndarray, blank: bool
) -> dict[str, str]:
    """What the pictures show, in words."""
    lit = int((maps["fc1"] > 0).sum())
    first, second = (f"{digit} with {_percent(probabilities[digit])}" for digit in order[:2])
    return {
        "answer": "Draw a digit, and watch it pass." if blank else f"Read as {first}, next {second}.",
        "picture": "What the network sees: " + ("nothing yet" if blank else "28 by 28 pixels"),
        "flat": f"4608 numbers in one row, {int((maps['flat'] != 0).sum())} of them not zero",
        "fc1": f"64 numbers, {lit} of them above zero",
    }


def _percent(probability: float) -> str:
    """A probability in words; never 0 % or 100 %, which no network can be sure of."""
    if probability > 0.999:
        return "more than 99.9 %"
    return "less than 0.1 %" if probability < 0.001 else f"{probability:.1%}".replace("%", " %")


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
