"""The ink on a photographed sheet: light, grey paper, ruled lines, grain and JPEG artefacts removed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from mnist_core.imaging.connected_components import components

EVEN = 2  # grey levels by which pixels of an even background differ at most
EVEN_SHARE = 0.6  # the least share of a drawing's frame that is even background; ink may cross the rest
WORKING_SIDE = 360  # pixels; the longer side to which photographs are downscaled, which averages out grain
BLUR = 0.004  # of the longer side: against what grain is left
LIGHT_CELLS = 5  # along the longer side: the resolution at which the light on the paper is estimated
PAPER_SHARE = 0.75  # the quantile of a cell's brightness that is taken for its paper
EXTREME = 0.995  # the quantile of all pixels that ink reaches, however thin the pen
STRONG = 0.55  # of the darkest ink: every part of the drawing reaches it somewhere
WEAK = 0.38  # of the darkest ink: the threshold of its edges; ruled lines stay below
LEAST_INK = 0.12  # of the paper's brightness: where nothing has this contrast, there is no ink
LEAST_GRAINS = 6  # the same, times the contrast of the grain
SPECK = 0.02  # of the largest part's area: smaller parts are dirt


def is_photograph(frame: np.ndarray, paper: np.uint8) -> bool:
    """Whether a picture's frame varies too much for a drawing made on a screen or a clean scan.

    Args:
        frame: one band of the pixels along it, uint8 (n,).
        paper: the most common value among them.
    """
    same = np.maximum(frame, paper) - np.minimum(frame, paper) <= EVEN
    return bool(np.count_nonzero(same) < EVEN_SHARE * same.size)


def photographed_ink(grey: Image.Image) -> np.ndarray:
    """The drawing on a photograph ("L") -> (h, w) uint8, 0 for paper and 255 for ink; all 0 if there is none.

    The result may be smaller than the photograph, by an integer factor.
    """
    longest = max(grey.size)
    if longest > WORKING_SIDE:
        grey = grey.reduce(-(-longest // WORKING_SIDE))
    grey = grey.filter(ImageFilter.GaussianBlur(max(grey.size) * BLUR))
    brightness = np.asarray(grey, np.float32)
    return _drawing(_darkness(255 - brightness if _is_chalk(brightness) else brightness))


def _is_chalk(brightness: NDArray[np.float32]) -> bool:
    """Whether what stands out from the sheet is lighter than it, not darker."""
    beside = brightness - _background(brightness, 0.5)
    darkest, lightest = np.percentile(beside, ((1 - EXTREME) * 100, EXTREME * 100))
    return bool(lightest > -darkest)


def _darkness(brightness: NDArray[np.float32]) -> NDArray[np.float32]:
    """How much darker each pixel is than paper in the same light, 0 to 1: (h, w) float32."""
    return (1 - brightness / np.maximum(_background(brightness, PAPER_SHARE), 1)).clip(0, 1)


def _background(brightness: NDArray[np.float32], share: float) -> NDArray[np.float32]:
    """The brightness of the sheet everywhere, (h, w), taken for this quantile of the pixels around."""
    height, width = brightness.shape
    cell = -(-max(height, width) // LIGHT_CELLS)
    rows, columns = -(-height // cell), -(-width // cell)
    padded = np.pad(brightness, ((0, rows * cell - height), (0, columns * cell - width)), mode="edge")
    cells = padded.reshape(rows, cell, columns, cell).transpose(0, 2, 1, 3).reshape(rows, columns, -1)
    paper = np.percentile(cells, share * 100, axis=2)
    smooth = Image.fromarray(paper.astype(np.float32)).resize(
        (columns * cell, rows * cell), Image.Resampling.BICUBIC
    )
    background: NDArray[np.float32] = np.asarray(smooth)[:height, :width]
    return background


def _drawing(darkness: np.ndarray) -> np.ndarray:
    """Darkness (h, w) -> ink (h, w) uint8: the dark parts but ruled lines, dirt and the sheet's edge."""
    peak = float(np.percentile(darkness, EXTREME * 100))
    grain = float(np.median(darkness[darkness > 0])) if darkness.any() else 0.0
    nothing = np.zeros(darkness.shape, np.uint8)
    if peak < max(LEAST_INK, LEAST_GRAINS * grain):
        return nothing
    parts = components(darkness > WEAK * peak)
    strong = np.bincount(parts.labels[darkness > STRONG * peak], minlength=len(parts)) > 0
    kept = strong & ~_at_edge(parts.boxes, darkness.shape)
    kept &= parts.areas >= SPECK * parts.areas[kept].max(initial=0)
    if not kept.any():
        return nothing
    ink = ((darkness / peak - WEAK / 2) / (STRONG - WEAK / 2)).clip(0, 1) * 255
    near = (
        Image.fromarray(kept[parts.labels] & (parts.labels >= 0))
        .convert("L")
        .filter(ImageFilter.MaxFilter(3))
    )
    return np.where(np.asarray(near) > 0, ink, 0).astype(np.uint8)


def _at_edge(boxes: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Which boxes touch the edge, if not all do: the table under the sheet, a finger, a shadow."""
    height, width = shape
    left, top, right, bottom = boxes.T
    reaching = (left == 0) | (top == 0) | (right == width) | (bottom == height)
    return reaching if not reaching.all() else np.zeros_like(reaching)
