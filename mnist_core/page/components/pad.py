"""The drawing pad: a canvas of our own on `gr.HTML`, ready at once, read while the pen moves.

All pads of a page show one sheet of ink (`assets/js/ink`). Each change of it reaches the page's routes as a
crop of the ink in grey levels, and comes out here as a `Drawing`.
"""

from __future__ import annotations

import base64
import binascii
import io
import zlib
from typing import Annotated, Any, NamedTuple

import numpy as np
from PIL import Image
from pydantic import BaseModel, Field

from mnist_core.page.components.view import View
from mnist_core.page.http.routes import FROM_PAGES
from mnist_core.page.templates import data_url, render
from mnist_core.runs.run import Lines

SHEET_SIZE = 560  # pixels; the longest side that a page sends
PAPER = 255
# Noise does not deflate: as many bytes as pixels and a little more, and four characters for three of them.
_LONGEST_INK = SHEET_SIZE * SHEET_SIZE * 4 // 3 + 1024  # characters
Side = Annotated[int, Field(ge=1, le=SHEET_SIZE)]  # pixels
Offset = Annotated[int, Field(ge=0, lt=SHEET_SIZE)]
Line = Annotated[list[Annotated[int, Field(ge=0, le=SHEET_SIZE)]], Field(max_length=2000)]
Place = Annotated[int, Field(ge=0, lt=1000)]  # of one of several digits, from the left


class _Tool(NamedTuple):
    """A button of the pad: its class, its label, what its tip adds, its icon's path in a box of 24."""

    name: str
    label: str
    tip: str
    icon: str
    switch: bool = False  # stays pressed


_TOOLS = (
    _Tool("undo", "Undo", "Ctrl+Z", "M9 14 4 9l5-5M4 9h10a6 6 0 0 1 0 12h-3"),
    _Tool("redo", "Redo", "Ctrl+Shift+Z", "m15 14 5-5-5-5m5 5H10a6 6 0 0 0 0 12h3"),
    _Tool("eraser", "Eraser", "", "m7 20-4-4L14 5l6 6-9 9H7zm0 0h14M9 10l6 6", switch=True),
    _Tool(
        "picture",
        "Picture",
        "a photo or a file; or drop or paste one",
        "M4 5h16v14H4zm0 11 5-5 4 4 3-3 4 4M15 9h.01",
    ),
    _Tool("clear", "Clear", "", "M5 7h14M10 7V4h4v3m3 0-1 13H8L7 7"),
)
_SMALL_TOOLS = ("undo", "eraser", "clear")


class DrawingUpdate(BaseModel):
    """An update of the sheet as a page sends it; its twin is in `assets/js/types.js`."""

    model_config = FROM_PAGES

    number: Annotated[int, Field(ge=0, lt=10**9)]  # of the update
    sheet: tuple[Side, Side]  # width and height in pixels
    crop: tuple[Offset, Offset, Side, Side] | None  # left, top, width and height of the ink; None: blank
    ink: Annotated[
        str, Field(max_length=_LONGEST_INK, pattern="^[A-Za-z0-9+/]*={0,2}$")
    ]  # the crop, see `decode`
    lines: list[Line] = Field(default=[], max_length=60)  # the pen's, in the order drawn, where known


class Drawing(NamedTuple):
    """What a pad holds.

    Attributes:
        number: the update's.
        image: the sheet, dark on light; None if it is blank.
        lines: the pen's, in the order drawn, each points (x, y) in the image's pixels; None where not known.
    """

    number: int
    image: Image.Image | None
    lines: Lines | None = None


class Picture(NamedTuple):
    """What a handler returns to lay a picture on the pads: its pixels, dark on light, and a line about it."""

    image: Image.Image
    caption: str = ""


class DigitPad(View):
    """A pad. What is drawn on it goes from the page's script to the page's routes; handlers lay a `Picture`
    on all pads by returning one.

    Args:
        small: fewer tools, and no element ids: the page's large pad alone has `digit-pad`, `pad-clear`,
            `pad-undo`, `pad-redo` and `pad-eraser`.
    """

    def __init__(self, *, small: bool = False, **options: Any) -> None:
        super().__init__(
            "pad",
            _template(small),
            elem_id=None if small else "digit-pad",
            elem_classes=["pad", "small"] if small else ["pad"],
            **options,
        )

    def postprocess(self, value: Any) -> Any:
        """A `Picture` as a data address, with its caption; None for none."""
        if value is None:
            return None
        file = io.BytesIO()
        value.image.convert("L").save(file, "PNG")
        return {"picture": data_url(file.getvalue(), "image/png"), "caption": value.caption}


def decode(sent: DrawingUpdate) -> Drawing:
    """The drawing in an update.

    `ink` is the crop, a byte a pixel, 255 for paper, deflated without header (RFC 1951), in base64.

    Raises:
        ValueError: the numbers do not fit each other, or the data are not of that length or form.
    """
    if sent.crop is None:
        return Drawing(sent.number, None)
    (sheet_width, sheet_height), (left, top, width, height) = sent.sheet, sent.crop
    if left + width > sheet_width or top + height > sheet_height:
        raise ValueError("That drawing does not fit its sheet. Reload the page and draw again.")
    sheet = np.full((sheet_height, sheet_width), PAPER, np.uint8)
    crop = np.frombuffer(_inflate(sent.ink, width * height), np.uint8).reshape(height, width)
    sheet[top : top + height, left : left + width] = crop
    lines: Lines = [list(zip(line[::2], line[1::2], strict=False)) for line in sent.lines if line]
    return Drawing(sent.number, Image.fromarray(sheet), lines or None)


def _inflate(data: str, size: int) -> bytes:
    """Exactly `size` bytes from base64 of raw deflate; never more than that is unpacked."""
    try:
        stream = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
        unpacked = stream.decompress(base64.b64decode(data, validate=True), size + 1)
    except (binascii.Error, zlib.error):
        raise ValueError("That drawing's data is damaged. Reload the page and draw again.") from None
    if len(unpacked) != size or not stream.eof:
        raise ValueError("That drawing's data has the wrong length. Reload the page and draw again.")
    return unpacked


def _template(small: bool) -> str:
    """The pad's markup. It holds no `${value}`, so Gradio never renders it again and the canvas stays."""
    tools = [tool for tool in _TOOLS if not small or tool.name in _SMALL_TOOLS]
    return render("pad.html", tools=tools, small=small)
