"""For programs: a picture in, the digits and their probabilities out.

`/predict` takes a file that was uploaded before, `/read_digit` the file itself as text; the latter is also
the one tool that agents get. `page/API.md` has each way of calling them.
"""

from __future__ import annotations

import asyncio
import base64
import io
from typing import IO, Any

import gradio as gr
from gradio.events import api
from gradio_client.utils import is_http_url_like
from PIL import Image

from mnist_core import runs
from mnist_core.answers import as_values
from mnist_core.page.threads import own_thread

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
AT_ONCE = 2  # files that are read at the same time; the others wait
TOOL = "read_digit"
DESCRIPTION = (  # for agents
    "Reads handwritten digits in a picture of any size, dark on light or light on dark. Returns the `number` "
    "that they form, None if nothing is drawn or the model is not sure; for a single digit the `digit`, its "
    "ten `probabilities`, for 0 to 9, its `guess`, sure or not, and the `reason` if there is no digit; and "
    "each of the `digits` with its box."
)
WAITING = 64  # pictures sent as text, the one being read included
_NO_ADDRESS = "Send the picture's file itself: this page does not fetch addresses."
_reader = own_thread(TOOL)
_places = asyncio.Semaphore(WAITING)


class PictureFile(gr.File):
    """An image file. An address in its place is refused before anything is looked up or fetched."""

    is_template = True  # shown as its parent is

    async def async_move_resource_to_block_cache(self, url_or_file_path: Any) -> str | None:
        if url_or_file_path is not None and is_http_url_like(str(url_or_file_path)):
            raise ValueError(_NO_ADDRESS)
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
        As `answers.as_values`.

    Raises:
        ValueError: the file holds no picture that can be read.
    """
    return _read(path)


async def read_digit(picture: str) -> dict[str, Any]:
    """What the built-in model reads in a picture that was sent as text.

    Args:
        picture: a PNG, JPEG, WEBP, GIF or BMP file as base64, or as a data URL that holds base64. No address.

    Returns:
        As `predict`.

    Raises:
        ValueError: the text holds no picture that can be read, or too many others wait.
    """
    if _places.locked():
        raise ValueError("Too many pictures are waiting to be read. Try again in a moment.")
    async with _places:
        return await asyncio.wrap_future(_reader.submit(lambda: _read(io.BytesIO(_decoded(picture)))))


def _decoded(picture: Any) -> bytes:
    """The file in a base64 text or a data URL. Gradio passes on whatever JSON it was given."""
    if not isinstance(picture, str):
        raise ValueError("Send the picture's file as text: base64, or a data URL.")
    if is_http_url_like(picture):
        raise ValueError(_NO_ADDRESS)
    try:
        return base64.b64decode(picture.partition(",")[2] if picture.startswith("data:") else picture)
    except ValueError as error:
        raise ValueError(
            "This text is not base64. Send the picture's file as base64, or a data URL."
        ) from error


def _read(file: str | IO[bytes]) -> dict[str, Any]:
    return as_values(runs.shipped_classifier().read(_open(file)))


def _open(file: str | IO[bytes]) -> Image.Image:
    try:
        with Image.open(file, formats=FORMATS) as image:
            image.load()
            return image
    # Pillow's decoders raise whatever their libraries raise; all of it means that the file is at fault.
    except Exception as error:
        raise ValueError(
            f"That file is not a picture that can be read here. Send a whole {', '.join(FORMATS)} file "
            "of at most 20 million pixels."
        ) from error


def endpoints() -> None:
    """Place what programs call; the page does not show it."""
    with gr.Row(visible=False):
        file = PictureFile(label="a picture of a digit")
        answer = gr.JSON(label="digit and probabilities")
        # The first: Gradio's client takes the page's first function for `/predict`.
        gr.Button().click(predict, file, answer, api_name="predict", concurrency_limit=AT_ONCE)
    # Not queued, an agent's call is answered here, without Gradio's detour over the network to its own page.
    api(read_digit, api_name=TOOL, api_description=DESCRIPTION, queue=False)
