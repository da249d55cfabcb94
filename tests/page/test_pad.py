"""What a pad sends is checked to the byte before anything is made of it."""

from __future__ import annotations

import base64
import json
import re
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from mnist_core.page.components.pad import SHEET_SIZE, DigitPad, Drawing, DrawingUpdate, Picture, decode


def sent(
    crop: np.ndarray, at: tuple[int, int] = (0, 0), sheet: tuple[int, int] = (100, 80)
) -> dict[str, Any]:
    """An update as `encoding.js` makes it: `crop` (H, W) uint8 at (left, top) of a sheet (width, height)."""
    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    ink = base64.b64encode(deflate.compress(crop.tobytes()) + deflate.flush()).decode()
    height, width = crop.shape
    return {"number": 7, "sheet": list(sheet), "crop": [*at, width, height], "ink": ink}


def decoded(update: Any) -> Drawing:
    """The drawing in an update that arrives as JSON."""
    return decode(DrawingUpdate.model_validate_json(json.dumps(update)))


CROP = np.random.default_rng(0).integers(0, 256, (30, 20), np.uint8)


def test_the_crop_comes_back_in_its_place_on_white_paper() -> None:
    drawing = decoded(sent(CROP, at=(5, 9)))
    sheet = np.asarray(drawing.image)
    assert drawing.number == 7
    assert sheet.shape == (80, 100)
    assert (sheet[9:39, 5:25] == CROP).all()
    assert (np.delete(np.delete(sheet, slice(9, 39), 0), slice(5, 25), 1) == 255).all()


def test_the_pens_lines_come_as_points() -> None:
    update = sent(CROP) | {"lines": [[1, 2, 3, 4], [], [5, 6]]}
    assert decoded(update).lines == [[(1, 2), (3, 4)], [(5, 6)]]
    assert decoded(sent(CROP)).lines is None


def test_a_sheet_without_ink_is_no_picture() -> None:
    assert decoded({"number": 3, "sheet": [512, 512], "crop": None, "ink": ""}) == Drawing(3, None)


def test_the_largest_sheet_of_noise_fits() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (SHEET_SIZE, SHEET_SIZE), np.uint8)
    image = decoded(sent(noise, sheet=(SHEET_SIZE, SHEET_SIZE))).image
    assert image is not None
    assert (np.asarray(image) == noise).all()


def test_a_picture_for_the_pad_is_a_data_address_and_its_caption() -> None:
    given = DigitPad().postprocess(Picture(Image.fromarray(CROP), "a caption of words"))
    assert given is not None
    assert given["caption"] == "a caption of words"
    assert given["picture"].startswith("data:image/png;base64,")
    assert DigitPad().postprocess(None) is None


GOOD = sent(CROP, at=(5, 9))
INK = GOOD["ink"]
BOMB = sent(np.zeros((500, 500), np.uint8), sheet=(512, 512)) | {"crop": [0, 0, 5, 5]}


@pytest.mark.parametrize(
    "bad",
    [
        7, "hello", None, [], {}, {"path": "/etc/passwd"}, GOOD | {"more": 1}, GOOD | {"number": -7},
        GOOD | {"number": "7"}, GOOD | {"number": True}, GOOD | {"sheet": [900, 900]},
        GOOD | {"sheet": [0, 0]},
        GOOD | {"sheet": [100]}, GOOD | {"crop": [0, 0, 0, 0]}, GOOD | {"crop": [-1, 0, 5, 5]},
        GOOD | {"crop": [0.5, 0, 5, 5]}, GOOD | {"ink": 5}, GOOD | {"ink": INK + "A" * 500_000},
        GOOD | {"ink": INK[:-4] + "é==="},
        GOOD | {"lines": [[1, 2]] * 61}, GOOD | {"lines": [[1] * 2001]}, GOOD | {"lines": [[-1, 5]]},
        GOOD | {"lines": [[1, 561]]}, GOOD | {"lines": [1, 2]}, GOOD | {"lines": [[0.5, 1]]},
    ],
)  # fmt: skip
def test_what_has_another_form_is_refused(bad: object) -> None:
    with pytest.raises(ValidationError):
        decoded(bad)


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (GOOD | {"sheet": [100, 20]}, "does not fit"),
        (GOOD | {"crop": [90, 9, 20, 30]}, "does not fit"),
        (GOOD | {"crop": [5, 9, 20, 29]}, "wrong length"),
        (GOOD | {"crop": [5, 9, 20, 31]}, "wrong length"),
        (BOMB, "wrong length"),
        (GOOD | {"ink": ""}, "wrong length"),
        (GOOD | {"ink": "A" + INK}, "damaged"),
        (GOOD | {"ink": base64.b64encode(b"not deflated").decode()}, "damaged"),
    ],
)
def test_what_does_not_fit_together_is_refused_with_a_sentence(bad: object, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        decoded(bad)
