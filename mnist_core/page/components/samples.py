"""Drawings for whoever will not draw: made by rule, drawn stroke by stroke when one is chosen."""

from __future__ import annotations

from typing import Any

import numpy as np

from mnist_core.datasets.synthetic import Strokes, drawing
from mnist_core.page.components.view import View
from mnist_core.page.templates import render

SHEET = 1000  # the pad's units each way, as in ink/units.js
HEIGHT = 560  # units; a digit's longer side on the pad
NUMBER = (4, 2)  # one sample is a number, to show that several digits are read too


class Samples(View):
    """A row of small drawings, each a button; choosing one draws it on the pad, in the visitor's browser."""

    def __init__(self, seed: int = 4, **options: Any) -> None:
        rng = np.random.default_rng(seed)
        drawings = [(str(digit), _fit(drawing(digit, rng, usual=True), HEIGHT)) for digit in range(10)]
        drawings.append(("".join(map(str, NUMBER)), _number(rng)))
        samples = [_sample(name, strokes) for name, strokes in drawings]
        markup = render("samples.html", samples=samples)
        super().__init__("samples", markup, elem_classes=["samples"], **options)


def _fit(strokes: Strokes, longest: float, centre: float = SHEET / 2) -> Strokes:
    """Strokes scaled so that their longer side is `longest` units, their middle at (`centre`, middle)."""
    points = np.concatenate(strokes)
    low, high = points.min(axis=0), points.max(axis=0)
    scale = longest / float((high - low).max())
    middle = np.array([centre, SHEET / 2])
    return [(stroke - (low + high) / 2) * scale + middle for stroke in strokes]


def _number(rng: np.random.Generator) -> Strokes:
    """`NUMBER`'s digits, side by side."""
    room = SHEET / len(NUMBER)
    placed = (_fit(drawing(d, rng, usual=True), 0.78 * room, (i + 0.5) * room) for i, d in enumerate(NUMBER))
    return [stroke for strokes in placed for stroke in strokes]


def _sample(name: str, strokes: Strokes) -> dict[str, Any]:
    """A sample's name, its strokes as the pad takes them, [[x, y, x, y, ...], ...], and the part of the sheet
    that its picture shows."""
    flat = [stroke.round().astype(int).ravel().tolist() for stroke in strokes]
    return {
        "name": name,
        "strokes": flat,
        "view": "150 150 700 700" if len(name) == 1 else "30 30 940 940",
    }
