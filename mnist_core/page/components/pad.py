"""The drawing pad: a canvas of our own on `gr.HTML`, ready at once, read while the pen moves.

All pads of a page show one sheet of ink (`assets/js/ink`). Each change of it reaches the server as one
line of text, a crop of the ink in grey levels, and comes out here as a `Drawing`.
"""

from __future__ import annotations

import base64
import binascii
import io
import re
import zlib
from typing import Any, NamedTuple

import gradio as gr
import numpy as np
from PIL import Image

from mnist_core.page.templates import render
from mnist_core.page.theme import mount

SHEET_SIZE = 560  # pixels; the longest side that a page sends
PAPER = 255
_LINE = re.compile(
    r"(?P<number>\d{1,9}) (?P<sheet>\d{1,3}x\d{1,3}) (?P<crop>\d{1,3}x\d{1,3}\+\d{1,3}\+\d{1,3}) "
    r"(?P<data>[A-Za-z0-9+/]*={0,2})"
)
# Noise does not deflate: as many bytes as pixels and a little more, and four characters for three of them.
_LONGEST_DATA = SHEET_SIZE * SHEET_SIZE * 4 // 3 + 1024  # characters


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


class Drawing(NamedTuple):
    """What a pad holds: the update's number, and the sheet as a picture, dark on light; None if blank."""

    number: int
    image: Image.Image | None


class Picture(NamedTuple):
    """What a handler returns to lay a picture on the pads: its pixels, dark on light, and a line about it."""

    image: Image.Image
    caption: str = ""


class DigitPad(gr.HTML):
    """A pad. Wire it with `pad.input(handler, pad, ..., queue=False, trigger_mode="always_last")`.

    Handlers receive a `Drawing`, and lay a `Picture` on all pads by returning one.

    Args:
        small: fewer tools, and no element ids: the page's large pad alone has `digit-pad`, `pad-clear`,
            `pad-undo`, `pad-redo` and `pad-eraser`.
    """

    def __init__(self, *, small: bool = False, **options: Any) -> None:
        super().__init__(
            value=None,
            html_template=_template(small),
            js_on_load=mount("pad"),
            apply_default_css=False,
            elem_id=None if small else "digit-pad",
            elem_classes=["pad", "small"] if small else ["pad"],
            **options,
        )

    def preprocess(self, payload: Any) -> Drawing:
        """The drawing in a page's line. Raises `ValueError` for anything that a page would not send."""
        if payload in (None, "") or (isinstance(payload, str) and payload.startswith("paint ")):
            return Drawing(0, None)
        return decode(payload)

    def postprocess(self, value: Picture | None) -> str:
        """The line that lays a picture on the pads; empty for none."""
        if value is None:
            return ""
        file = io.BytesIO()
        value.image.convert("L").save(file, "PNG")
        return f"paint data:image/png;base64,{base64.b64encode(file.getvalue()).decode()} {value.caption}"

    def api_info(self) -> dict[str, Any]:
        return {"type": "string", "description": "a drawing as the page's pad sends it"}

    @staticmethod
    def to_image(drawing: Drawing) -> Image.Image | None:
        """The sheet as an "L" picture, black on white; None when nothing is drawn."""
        return drawing.image


def decode(line: Any) -> Drawing:
    """`NUMBER SHEETxSHEET WIDTHxHEIGHT+LEFT+TOP DATA` -> a `Drawing`.

    DATA is the crop, a byte a pixel, 255 for paper, deflated without header (RFC 1951), in base64.

    Raises:
        ValueError: the line is not of this form, or its numbers do not fit each other.
    """
    parts = _LINE.fullmatch(line) if isinstance(line, str) and len(line) <= _LONGEST_DATA + 64 else None
    if parts is None:
        raise ValueError("That is not a drawing as the pad sends it. Reload the page and draw again.")
    sheet_width, sheet_height = map(int, parts["sheet"].split("x"))
    width, height, left, top = map(int, re.split(r"[x+]", parts["crop"]))
    fits = left + width <= sheet_width <= SHEET_SIZE and top + height <= sheet_height <= SHEET_SIZE
    if not (fits and sheet_width and sheet_height):
        raise ValueError("That drawing does not fit its sheet. Reload the page and draw again.")
    if not width * height:
        return Drawing(int(parts["number"]), None)
    sheet = np.full((sheet_height, sheet_width), PAPER, np.uint8)
    crop = np.frombuffer(_inflate(parts["data"], width * height), np.uint8).reshape(height, width)
    sheet[top : top + height, left : left + width] = crop
    return Drawing(int(parts["number"]), Image.fromarray(sheet))


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
