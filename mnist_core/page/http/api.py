"""`/predict`: an image file in, the digit and its probabilities out, for programs.

from gradio_client import Client, handle_file
Client("http://127.0.0.1:7860").predict(handle_file("seven.png"), api_name="/predict")
"""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio_client.utils import is_http_url_like
from PIL import Image

from mnist_core import runs

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
AT_ONCE = 2  # files that are read at the same time; the others wait


class PictureFile(gr.File):
    """An image file. An address in its place is refused before anything is looked up or fetched."""

    is_template = True  # shown as its parent is

    async def async_move_resource_to_block_cache(self, url_or_file_path: Any) -> str | None:
        if url_or_file_path is not None and is_http_url_like(str(url_or_file_path)):
            raise ValueError("Send the picture's file itself: this page does not fetch addresses.")
        return await super().async_move_resource_to_block_cache(url_or_file_path)

    def preprocess(self, payload: Any) -> str:
        """The path of the uploaded file. Raises `ValueError` without one."""
        path = getattr(payload, "path", None)
        if not path:
            raise ValueError("Send one picture's file, for example with gradio_client.handle_file.")
        return str(path)


def predict(path: str) -> dict[str, Any]:
    """What the built-in model reads in the picture at `path`.

    Returns:
        digit: 0 to 9, or None when nothing is drawn or the model is not sure that it is a digit.
        probabilities: ten numbers that sum to 1, for 0 to 9.
        guess: the most probable digit, sure or not.
        reason: why there is no digit, in a sentence.

    Raises:
        ValueError: the file holds no picture that can be read.
    """
    prediction = runs.shipped_classifier().predict(_open(path))
    return {
        "digit": prediction.digit,
        "probabilities": prediction.probabilities,
        "guess": prediction.guess,
        "reason": prediction.reason,
    }


def _open(path: str) -> Image.Image:
    try:
        with Image.open(path, formats=FORMATS) as image:
            image.load()
            return image
    # Pillow's decoders raise whatever their libraries raise; all of it means that the file is at fault.
    except Exception as error:
        raise ValueError(
            f"That file is not a picture that can be read here. Send a whole {', '.join(FORMATS)} file "
            "of at most 20 million pixels."
        ) from error


def predict_endpoint() -> None:
    """Place the endpoint; the page does not show it."""
    with gr.Row(visible=False):
        file = PictureFile(label="a picture of a digit")
        answer = gr.JSON(label="digit and probabilities")
        gr.Button().click(predict, file, answer, api_name="predict", concurrency_limit=AT_ONCE)
