"""What the network reads on the pad: the thread that reads, and the part of the page that shows it."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any, NamedTuple

import gradio as gr
import numpy as np

from mnist_core.classifier import Prediction
from mnist_core.imaging.preprocess import SIZE
from mnist_core.model import CLASSES
from mnist_core.page.components.pad import Drawing
from mnist_core.page.templates import render
from mnist_core.page.theme import mount
from mnist_core.page.threads import own_thread
from mnist_core.runs import SHIPPED, classifier_for

SHIPPED_READ = "Read by the built-in model"


class Answer(NamedTuple):
    """What was read in one update of a pad.

    Attributes:
        number: the update's.
        digits: from left to right; none when the sheet is blank.
        size: (width, height) of the sheet in pixels, to which the digits' boxes refer.
        reader: which model read it, in words.
    """

    number: int
    digits: list[Prediction]
    size: tuple[int, int] = (1, 1)
    reader: str = SHIPPED_READ


class Reader:
    """A thread that reads drawings, with one torch thread of its own: reading never waits behind training."""

    def __init__(self) -> None:
        self._thread = own_thread("reader")

    def warm_up(self) -> None:
        """Load the built-in model and read once, in the background, so that no visitor waits for it."""
        self._thread.submit(lambda: classifier_for("", SHIPPED).read(np.eye(SIZE, dtype=np.uint8) * 255))

    async def read(self, secret: str, weights: str | None, drawing: Drawing) -> Answer:
        """The digits of a visit's drawing, by the built-in model or by one of its own runs."""
        image = drawing.image
        if image is None:
            return Answer(drawing.number, [], reader=_in_words(weights))
        job = self._thread.submit(lambda: classifier_for(secret, weights).read(image))
        return Answer(drawing.number, await asyncio.wrap_future(job), image.size, _in_words(weights))


reader = Reader()


class Reading(gr.HTML):
    """Large digit, ten bars in fixed order, and what the network saw. Handlers return an `Answer`.

    The page holds one: `prediction`, `probabilities` and `model-input` are its element ids.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(
            value=None,
            html_template=render("reading.html", classes=CLASSES, size=SIZE, reader=SHIPPED_READ),
            js_on_load=mount("reading"),
            apply_default_css=False,
            elem_classes=["reading"],
            **options,
        )

    def preprocess(self, payload: Any) -> None:
        """An answer is looked at, not read back: whatever a client sends as its value is dropped."""
        return None

    def postprocess(self, value: Answer | None) -> str:
        """One line of JSON; empty for no answer."""
        if value is None:
            return ""
        digits = [_as_plain(prediction, value.size) for prediction in value.digits]
        answer = {"number": value.number, "digits": digits, "reader": value.reader}
        return json.dumps(answer, separators=(",", ":"))

    def api_info(self) -> dict[str, Any]:
        return {"type": "string", "description": "what was read, as JSON"}


def _in_words(weights: str | None) -> str:
    return SHIPPED_READ if weights in (None, "", SHIPPED) else "Read by weights trained here"


def _as_plain(prediction: Prediction, size: tuple[int, int]) -> dict[str, Any]:
    """A prediction for the page: its box in parts of the sheet, from 0 to 1."""
    width, height = size
    left, top, right, bottom = prediction.box or (0, 0, width, height)
    return {
        "digit": prediction.digit,
        "guess": prediction.guess,
        "reason": prediction.reason,
        "probabilities": [round(probability, 4) for probability in prediction.probabilities],
        "input": base64.b64encode(prediction.model_input.tobytes()).decode(),
        "box": [round(side, 4) for side in (left / width, top / height, right / width, bottom / height)],
    }
