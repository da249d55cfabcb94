"""What the network reads on the pad: the thread that reads, and the part of the page that shows it."""

from __future__ import annotations

import base64
from typing import Any, NamedTuple, TypedDict

import numpy as np

from mnist_core.answers import digits_in, left_out
from mnist_core.classifier import Classifier, Prediction
from mnist_core.imaging.preprocess import SIZE
from mnist_core.model import CLASSES
from mnist_core.page.components.pad import Drawing
from mnist_core.page.components.view import View
from mnist_core.page.templates import render
from mnist_core.page.threads import Latest
from mnist_core.runs import SHIPPED, registry, shipped_classifier
from mnist_core.runs.run import Run

SHIPPED_READ = "Read by the built-in model"


class ReadDigit(TypedDict):
    """One digit of an answer; `ReadDigit` in `assets/js/types.js`."""

    digit: int | None  # None: not sure that it is one
    guess: int | None  # the most probable one; None: none stands out
    reason: str | None  # why there is no digit
    probabilities: list[float]  # ten
    input: str  # (28, 28) uint8, what the network saw, in base64
    box: list[float]  # left, top, right, bottom in parts of the sheet


class Answer(TypedDict):
    """What was read in one update of a pad; `Answer` in `assets/js/types.js`."""

    number: int  # the update's
    digits: list[ReadDigit]  # row by row, left to right; none when the sheet is blank
    left_out: str | None  # which small signs beside them were not read, in a sentence
    reader: str  # which model read it, in words


class Reader(NamedTuple):
    """Who reads.

    Attributes:
        run: whose weights read; None for the built-in model.
        said: the same in a few words.
    """

    run: Run | None
    classifier: Classifier
    said: str


def chosen_reader(secret: str, weights: str | None) -> Reader:
    """The chosen weights: those of one of the visit's runs by its id, else the built-in model."""
    if weights in (None, SHIPPED):
        return Reader(None, shipped_classifier(), SHIPPED_READ)
    run = registry().reading_run(secret, weights)
    if run is None:
        return Reader(None, shipped_classifier(), f"{SHIPPED_READ}: the chosen weights are gone")
    return Reader(run, run.classifier(), f"Read by {run.name}")


def answer(drawing: Drawing, readings: list[Prediction], reader: str) -> Answer:
    """What was read in a drawing, by whom."""
    size = drawing.image.size if drawing.image is not None else (1, 1)
    return {
        "number": drawing.number,
        "digits": [_as_plain(each, size) for each in digits_in(readings)],
        "left_out": left_out(readings),
        "reader": reader,
    }


def read_drawing(classifier: Classifier, drawing: Drawing) -> list[Prediction]:
    """What a classifier reads on a pad."""
    return classifier.read(drawing.image, drawing.lines) if drawing.image is not None else []


def read(secret: str, weights: str | None, drawing: Drawing) -> Answer:
    """What the chosen weights read in a drawing."""
    reader = chosen_reader(secret, weights)
    readings = read_drawing(reader.classifier, drawing)
    return answer(drawing, readings, reader.said)


reading_thread = Latest("reader")


def warm_up() -> None:
    """Load the built-in model and read once, in the background, so that no visitor waits for it."""
    reading_thread.submit(lambda: shipped_classifier().read(np.eye(SIZE, dtype=np.uint8) * 255))


class Reading(View):
    """Large digit, ten bars in fixed order, and what the network saw. Its value is the weights that read.

    The page holds one: `prediction`, `probabilities` and `model-input` are its element ids.
    """

    def __init__(self, **options: Any) -> None:
        markup = render("reading.html", classes=CLASSES, size=SIZE, reader=SHIPPED_READ)
        super().__init__("reading", markup, value=SHIPPED, elem_classes=["reading"], **options)


def _as_plain(prediction: Prediction, size: tuple[int, int]) -> ReadDigit:
    """A prediction for the page: its box in parts of the sheet, from 0 to 1."""
    width, height = size
    left, top, right, bottom = prediction.box or (0, 0, width, height)
    return {
        "digit": prediction.digit,
        "guess": prediction.closest,
        "reason": prediction.reason,
        "probabilities": [round(probability, 6) for probability in prediction.probabilities],
        "input": base64.b64encode(prediction.model_input.tobytes()).decode(),
        "box": [round(side, 4) for side in (left / width, top / height, right / width, bottom / height)],
    }
