"""The Draw tab: the pad, what is read on it, and drawings for whoever will not draw."""

from __future__ import annotations

import functools
import random
from typing import Literal, TypedDict

import gradio as gr
from PIL import Image
from pydantic import BaseModel

from mnist_core.data import load_mnist
from mnist_core.datasets.digits import Digits
from mnist_core.datasets.download import mnist_is_here
from mnist_core.page.components import reading
from mnist_core.page.components.pad import DigitPad, DrawingUpdate, Picture, decode
from mnist_core.page.components.reading import Answer, Reading, reading_thread
from mnist_core.page.components.samples import Samples
from mnist_core.page.http.routes import FROM_PAGES, json_route
from mnist_core.runs import SHIPPED


class Wiring(TypedDict):
    """How a handler is called."""

    queue: bool
    show_progress: Literal["full", "minimal", "hidden"]
    api_visibility: Literal["public", "private", "undocumented"]


AT_ONCE: Wiring = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}


def draw_tab(tab: gr.Tab, page: gr.Blocks) -> gr.Dropdown:
    """Place the tab's parts; call it inside `tab`.

    Returns:
        Which weights read the pads: "shipped" or the id of one of the visit's runs. It is hidden until there
        is a choice; whoever adds one sets its `choices` and makes it visible.
    """
    with gr.Row(elem_id="draw-layout"):
        pad = DigitPad()
        with gr.Column(elem_id="answer"):
            answer = Reading()
            weights = gr.Dropdown(
                [("the built-in model", SHIPPED)], value=SHIPPED, label="Read by", allow_custom_value=True,
                visible=False, elem_id="read-by",
            )  # fmt: skip
    with gr.Row(elem_id="samples-row"):
        Samples()
        test_image = gr.Button("A random test image", elem_id="random-test", visible=False, size="sm")
    weights.change(None, weights, answer, js="(weights) => weights")
    test_image.click(random_test_image, None, pad, **AT_ONCE)
    gr.on([page.load, tab.select], offer_test_images, None, test_image, **AT_ONCE)
    return weights


class ReadRequest(BaseModel):
    """A drawing, and the weights to read it: the id of one of the visit's runs; else "shipped" or None."""

    model_config = FROM_PAGES

    weights: str | None
    drawing: DrawingUpdate


async def read(secret: str, asked: ReadRequest) -> Answer | None:
    """What the chosen weights read in a drawing."""
    return await reading_thread.run(
        (secret, "read"), lambda: reading.read(secret, asked.weights, decode(asked.drawing))
    )


ROUTES = [json_route("read", ReadRequest, read)]


def offer_test_images() -> gr.Button:
    """The button for a random test image, once MNIST is here."""
    return gr.Button(visible=mnist_is_here())


def random_test_image() -> Picture:
    """One of MNIST's 10,000 test digits for the pad, with its label: the chapter's last step."""
    digits = _test_digits()
    index = random.randrange(len(digits))
    image = Image.fromarray(255 - digits.images[index].numpy())
    caption = f"MNIST test image {index:,} of {len(digits):,} · ground truth {digits.labels[index]}"
    return Picture(image, caption)


@functools.cache
def _test_digits() -> Digits:
    return load_mnist(train=False, download=False)
