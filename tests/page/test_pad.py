"""What a pad sends is checked to the byte before anything is made of it."""

from __future__ import annotations

import base64
import re
import zlib

import numpy as np
import pytest
from PIL import Image

from mnist_core.page.components.pad import SHEET_SIZE, DigitPad, Drawing, Picture, decode


def line(
    crop: np.ndarray, at: tuple[int, int] = (0, 0), sheet: tuple[int, int] = (100, 80), number: int = 7
) -> str:
    """A line as `encoding.js` writes it: `crop` (H, W) uint8 at (left, top) of a sheet (width, height)."""
    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    data = base64.b64encode(deflate.compress(crop.tobytes()) + deflate.flush()).decode()
    height, width = crop.shape
    return f"{number} {sheet[0]}x{sheet[1]} {width}x{height}+{at[0]}+{at[1]} {data}"


CROP = np.random.default_rng(0).integers(0, 256, (30, 20), np.uint8)


def test_the_crop_comes_back_in_its_place_on_white_paper() -> None:
    drawing = decode(line(CROP, at=(5, 9)))
    sheet = np.asarray(drawing.image)
    assert drawing.number == 7
    assert sheet.shape == (80, 100)
    assert (sheet[9:39, 5:25] == CROP).all()
    assert (np.delete(np.delete(sheet, slice(9, 39), 0), slice(5, 25), 1) == 255).all()


def test_a_sheet_without_ink_is_no_picture() -> None:
    assert decode("3 512x512 0x0+0+0 ") == Drawing(3, None)
    assert DigitPad().preprocess("") == DigitPad().preprocess(None) == Drawing(0, None)


def test_the_largest_sheet_of_noise_fits() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (SHEET_SIZE, SHEET_SIZE), np.uint8)
    image = decode(line(noise, sheet=(SHEET_SIZE, SHEET_SIZE))).image
    assert image is not None
    assert (np.asarray(image) == noise).all()


def test_a_picture_for_the_pad_is_a_line_that_the_pad_can_show() -> None:
    text = DigitPad().postprocess(Picture(Image.fromarray(CROP), "a caption of words"))
    kind, address, caption = text.split(" ", 2)
    assert (kind, caption) == ("paint", "a caption of words")
    assert address.startswith("data:image/png;base64,")
    assert DigitPad().preprocess(text) == Drawing(0, None)


GOOD = line(CROP, at=(5, 9))
DATA = GOOD.rsplit(" ", 1)[1]
BOMB = line(np.zeros((500, 500), np.uint8), sheet=(512, 512)).replace("500x500", "5x5")


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (7, "not a drawing"),
        ({"path": "/etc/passwd"}, "not a drawing"),
        ("hello", "not a drawing"),
        (GOOD + "\n", "not a drawing"),
        (GOOD.replace(DATA, DATA[:-4] + "é==="), "not a drawing"),
        (GOOD.replace("7 ", "-7 ", 1), "not a drawing"),
        (GOOD + "A" * 500_000, "not a drawing"),
        (GOOD.replace("100x80", "100x20"), "does not fit"),
        (GOOD.replace("+5+9", "+90+9"), "does not fit"),
        (GOOD.replace("100x80", "900x900"), "does not fit"),
        ("1 0x0 0x0+0+0 ", "does not fit"),
        (GOOD.replace("20x30", "20x29"), "wrong length"),
        (GOOD.replace("20x30", "20x31"), "wrong length"),
        (BOMB, "wrong length"),
        (GOOD.replace(DATA, ""), "wrong length"),
        (GOOD.replace(DATA, "A" + DATA), "damaged"),
        (GOOD.replace(DATA, base64.b64encode(b"not deflated").decode()), "damaged"),
    ],
)
def test_anything_else_is_refused_with_a_sentence(bad: object, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        DigitPad().preprocess(bad)
