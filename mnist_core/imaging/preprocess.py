"""Any picture of a digit -> the image MNIST would have stored.

MNIST's digits were scanned, cropped to their ink, scaled with antialiasing until the longer side measured
20 pixels, and placed in 28x28 with their centre of mass in the middle (LeCun et al. 1998, "Gradient-based
learning applied to document recognition", III.A). Measured on the 10,000 test images: the longer side is 20
in 9,997 of them, and the centre of mass rounds to pixel index 14 in 9,999. So an MNIST image passes through
unchanged.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps

from mnist_core.imaging.photo import is_photograph, photographed_ink

MEAN = 0.1302  # the book's, of pixels from 0 to 1; over all of MNIST's training pixels it is 0.1307
STD = 0.3069  # the book's too; over all it is 0.3081
SIZE = 28  # pixels; what the network sees
INK_SIZE = 20  # pixels; the ink's longer side
STRING_SIZE = (32, 64)  # rows and columns; what the network for digit strings sees
STRING_INK = (28, 60)  # the most rows and columns that its ink takes
CENTRE = 14  # pixel index, from 0, of the ink's centre of mass
LONGEST_SIDE = 1024  # pixels; larger pictures are reduced by the smallest integer factor that makes them fit
FAINTEST = 24  # grey levels of 255 between paper and ink; less is not ink
_FULL = 250  # ink this strong needs no stretching (MNIST's strongest pixel is 254 or 255 in every image)


def preprocess(image: Image.Image | np.ndarray) -> np.ndarray:
    """What MNIST would have stored for a picture: (28, 28) uint8, 0 for paper, 255 for ink; all 0 if blank.

    Args:
        image: a PIL image, or a uint8 array of shape (H, W), (H, W, 3) or (H, W, 4); dark ink on light or
            light on dark, any size.

    Raises:
        ValueError: not a picture of that kind, one whose file is damaged, or one whose values are no grey
            levels.
    """
    return place(find_ink(image))


def normalise(images: np.ndarray | torch.Tensor) -> torch.Tensor:
    """uint8 images (28, 28) or (N, 28, 28) -> float32 (N, 1, 28, 28), the network's input."""
    pixels = images if torch.is_tensor(images) else torch.from_numpy(images)
    pixels = pixels.reshape(-1, 1, *pixels.shape[-2:])
    return pixels.to(torch.float32).div_(255).sub_(MEAN).div_(STD)


def denormalise(pictures: torch.Tensor) -> torch.Tensor:
    """float32 (N, 1, 28, 28), the network's input -> uint8 (N, 28, 28), MNIST's grey levels."""
    return ((pictures[:, 0] * STD + MEAN) * 255).round().clamp(0, 255).to(torch.uint8)


def find_ink(image: Image.Image | np.ndarray) -> np.ndarray:
    """The ink in a picture: (h, w) uint8, 0 for paper and 255 for the strongest ink; all 0 if there is none.

    On a drawing or a clean scan, paper is the most common colour along the frame and ink whatever differs
    from it, darker or lighter; from a photograph, light, ruled lines and grain are removed first. The result
    is smaller than the picture, by the same factor both ways, for a photograph or a side over `LONGEST_SIDE`.
    """
    picture = _picture(image)
    bands = [np.asarray(band) for band in picture.split()]
    frames = [np.concatenate([band[0], band[-1], band[:, 0], band[:, -1]]) for band in bands]
    papers = [np.bincount(frame).argmax().astype(np.uint8) for frame in frames]
    if min(picture.size) > 2 * SIZE and any(map(is_photograph, frames, papers)):
        return photographed_ink(picture.convert("L"))
    ink = functools.reduce(np.maximum, map(_distance, bands, papers))
    if ink.max() == 1 and max(band.max() for band in bands) == 1:
        raise ValueError(
            "Expected a picture with grey levels from 0 to 255; got one of 0 and 1 alone, which is all but "
            "black. Multiply a mask by 255."
        )
    return _stretch(ink) if ink.max() >= FAINTEST else np.zeros_like(ink)


def upright_size(image: Image.Image | np.ndarray) -> tuple[int, int]:
    """Width and height in pixels of the picture the right way up."""
    if isinstance(image, np.ndarray):
        return image.shape[1], image.shape[0]
    turned = image.getexif().get(ExifTags.Base.Orientation, 1) >= 5  # a quarter turn either way
    return (image.height, image.width) if turned else image.size


def place(ink: np.ndarray) -> np.ndarray:
    """Ink (H, W), 0 for paper -> (28, 28): cropped, longer side 20 pixels, centre of mass at 14."""
    canvas = np.zeros((SIZE, SIZE), np.uint8)
    box = ink_box(ink)
    if box is None:
        return canvas
    left, top, right, bottom = box
    small = _fit(ink[top:bottom, left:right])  # (h, w), the longer one 20
    rows, columns = small.sum(axis=1, dtype=np.float64), small.sum(axis=0, dtype=np.float64)
    top, left = _offset(rows), _offset(columns)
    canvas[top : top + len(rows), left : left + len(columns)] = small
    return canvas


def place_string(ink: np.ndarray) -> np.ndarray:
    """Ink (H, W), 0 for paper -> (32, 64): cropped, fitted into 28x60 with its aspect kept, in the middle."""
    canvas = np.zeros(STRING_SIZE, np.uint8)
    box = ink_box(ink)
    if box is None:
        return canvas
    left, top, right, bottom = box
    scale = min(STRING_INK[0] / (bottom - top), STRING_INK[1] / (right - left))
    small = _resized(ink[top:bottom, left:right], scale)
    top, left = ((whole - part) // 2 for whole, part in zip(STRING_SIZE, small.shape, strict=True))
    canvas[top : top + small.shape[0], left : left + small.shape[1]] = small
    return canvas


def ink_box(ink: np.ndarray) -> tuple[int, int, int, int] | None:
    """(left, top, right, bottom) in pixels around the ink, right and bottom exclusive; None without ink."""
    # A large picture's faintest pixels are smoothing and JPEG ringing; in one as small as MNIST's, strokes.
    faint = FAINTEST if max(ink.shape) > 2 * SIZE else 0
    rows = np.flatnonzero(ink.max(axis=1) > faint)
    if not len(rows):
        return None
    columns = np.flatnonzero(ink.max(axis=0) > faint)
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _fit(crop: np.ndarray) -> np.ndarray:
    height, width = crop.shape
    longest = max(height, width)
    if longest == INK_SIZE:
        return crop
    return _resized(crop, INK_SIZE / longest)


def _resized(crop: np.ndarray, scale: float) -> np.ndarray:
    height, width = crop.shape
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    filtering = Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC
    return _stretch(np.asarray(Image.fromarray(crop).resize(size, filtering)))


def _offset(profile: np.ndarray) -> int:
    """The start of a row or column profile that puts its centre of mass on `CENTRE`, ink kept inside."""
    mean = float(profile @ np.arange(len(profile)) / profile.sum())
    return min(max(round(CENTRE - mean), 0), SIZE - len(profile))


def _stretch(ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pale ink made as strong as MNIST's, including hairlines that paled when they were scaled down."""
    strongest = int(ink.max(initial=0))
    if strongest >= _FULL or not strongest:
        return ink
    return (np.arange(256) * (255 / strongest)).clip(0, 255).astype(np.uint8)[ink]


def _distance(band: NDArray[np.uint8], paper: np.uint8) -> NDArray[np.uint8]:
    """|band - paper|, in uint8 throughout."""
    return np.maximum(band, paper) - np.minimum(band, paper)


def _picture(image: Image.Image | np.ndarray) -> Image.Image:
    """A picture as "L" or "RGB": upright, not transparent, not huge."""
    if isinstance(image, np.ndarray):
        image = _from_array(image)
    if not isinstance(image, Image.Image):
        raise ValueError(
            f"Expected a picture: a PIL image or a uint8 array; got {type(image).__name__}. "
            "Open a file with PIL.Image.open first."
        )
    if not (image.width and image.height):
        raise ValueError(
            f"Expected a picture with pixels; got {image.width}x{image.height}. Give one at least 1x1."
        )
    return _plain(_upright(image))


def _upright(image: Image.Image) -> Image.Image:
    """The right way up, and read to its end: until now it may only have been opened."""
    try:
        return ImageOps.exif_transpose(image)
    except Exception as error:  # PIL's readers raise whatever a damaged file leads them to
        raise ValueError(
            f"Expected a picture that can be read; got one that is damaged or cut short ({error}). Save it "
            "again as PNG or JPEG."
        ) from error


def _plain(image: Image.Image) -> Image.Image:
    """Any mode -> "L" or "RGB", its longer side `LONGEST_SIDE` pixels at most."""
    factor = -(-max(image.size) // LONGEST_SIDE)
    if image.mode.startswith("I") or image.mode == "F":
        image = _sixteen_bits(image)
    if image.has_transparency_data:
        image = _on_paper(_converted(image, "RGBA"))
    elif image.mode not in ("L", "RGB"):
        image = _converted(image, "L" if image.mode == "1" else "RGB")
    return image.reduce(factor) if factor > 1 else image


def _converted(image: Image.Image, mode: str) -> Image.Image:
    try:
        return image.convert(mode)
    except ValueError as error:
        raise ValueError(
            f"Expected a picture in grey or in colours; got one of mode {image.mode}, which PIL does not "
            f"convert to {mode}. Convert it first."
        ) from error


def _sixteen_bits(image: Image.Image) -> Image.Image:
    """Whole numbers beyond 8 bits, or fractions -> "L": white is the brightest value, 1 at least.

    Black is 0 and all below it; where nothing would be seen that way, the lowest value.
    """
    values = np.asarray(image, np.float64)
    lowest, highest = float(values.min()), float(values.max())
    if not math.isfinite(lowest + highest):
        raise ValueError(
            f"Expected a picture of finite numbers; got some from {lowest:g} to {highest:g}. "
            "numpy.nan_to_num puts others in their place."
        )
    if lowest < 0 and highest * 255 < FAINTEST:
        values, highest = values - lowest, highest - lowest
    return Image.fromarray((values.clip(0) * (255 / max(highest, 1.0))).astype(np.uint8))


def _on_paper(image: Image.Image) -> Image.Image:
    """A transparent picture laid on white paper, or on black if what is opaque in it is light."""
    alpha = np.asarray(image.getchannel("A"))
    if alpha.min() == 255:
        return image.convert("RGB")
    light = np.average(np.asarray(image.convert("L")), weights=alpha) > 127 if alpha.any() else False
    paper = Image.new("RGBA", image.size, "black" if light else "white")
    return Image.alpha_composite(paper, image).convert("RGB")


def _from_array(array: np.ndarray) -> Image.Image:
    shaped = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))
    if array.dtype != np.uint8 or not shaped:
        raise ValueError(
            "Expected a uint8 array of shape (H, W), (H, W, 3) or (H, W, 4); "
            f"got {array.dtype} of shape {array.shape}. Scale to 0..255 and use .astype(numpy.uint8)."
        )
    if not array.size:
        raise ValueError(f"Expected a picture with pixels; got an array of shape {array.shape}.")
    return Image.fromarray(array)
