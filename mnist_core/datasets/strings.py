"""Synthetic digit strings: pieces of ink that hold one digit, two or three that touch, or no digit at all.

Digits are the copybook's and MNIST's training digits, the latter traced to their skeletons and written again
by another hand. What is no digit is one of the copybook's signs, a letter of the typefaces that Matplotlib
brings, random strokes, or digits turned, mirrored, cut or overlaid. All are drawn with any pen.
"""

from __future__ import annotations

import concurrent.futures
import multiprocessing
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from mnist_core.datasets.digits import Digits
from mnist_core.datasets.no_digits import no_digit
from mnist_core.datasets.side_by_side import side_by_side
from mnist_core.datasets.synthetic import Strokes
from mnist_core.datasets.traced import Traced, traced_digits, traced_letters, written_digit
from mnist_core.imaging.pen import draw_line
from mnist_core.imaging.preprocess import place_string
from mnist_core.strings import LENGTH_SHARES

MOST_DIGITS = 3
NOTHING = -1  # the label of a place where there is no digit
BLOCK = 4000  # pieces from one seed: the same ones however many processes draw them

_PEN = (0.025, 0.27)  # the pen's width over a digit's height
_ROWS = 84  # pixels; three for each of the rows that the ink takes in the network's view
_SMALL = (18, 30)  # pixels: the height of those drawn as small as MNIST's
_SMALL_SHARE = 0.12


@dataclass(frozen=True)
class Strings:
    """Pieces of ink and what they say.

    Attributes:
        pictures: uint8 (n, 32, 64), as `place_string` gives them.
        lengths: int64 (n,), how many digits there are; 0 for what is none.
        digits: int64 (n, 3), `NOTHING` where there is no digit.
    """

    pictures: torch.Tensor
    lengths: torch.Tensor
    digits: torch.Tensor

    def __len__(self) -> int:
        return len(self.lengths)


def draw_strings(
    n: int, seed: int, mnist: Digits, *, processes: int = 1, drawn: Callable[[int], None] | None = None
) -> Strings:
    """`n` pieces, the same for the same seed however many processes draw them.

    Args:
        mnist: the digits that are traced.
        drawn: called with the number of pieces so far.
    """
    copies = traced_digits(mnist)
    traced_letters()  # once, and every process that is forked has them
    blocks = [(seed, start, min(BLOCK, n - start)) for start in range(0, n, BLOCK)]
    parts, so_far = [], 0
    with concurrent.futures.ProcessPoolExecutor(
        processes, multiprocessing.get_context("fork"), initializer=_share, initargs=(copies,)
    ) as pool:
        for part in pool.map(_block, blocks):
            parts.append(part)
            so_far += len(part[1])
            if drawn is not None:
                drawn(so_far)
    pictures, digits = (torch.from_numpy(np.concatenate(each)) for each in zip(*parts, strict=True))
    return Strings(pictures, (digits != NOTHING).sum(dim=1), digits)


_copies: Traced = []


def _share(copies: Traced) -> None:
    global _copies
    _copies = copies


def _block(what: tuple[int, int, int]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    seed, start, n = what
    rng = np.random.default_rng((seed, start))
    pictures, digits = [], np.full((n, MOST_DIGITS), NOTHING, np.int64)
    for row in digits:
        pen = float(np.exp(rng.uniform(*np.log(_PEN))))
        strokes, labels = piece(rng, _copies, pen)
        row[: len(labels)] = labels
        pictures.append(place_string(_drawn(strokes, rng, pen)))
    return np.stack(pictures), digits


def piece(rng: np.random.Generator, copies: Traced, pen: float) -> tuple[Strokes, list[int]]:
    """The strokes of one piece, and its digits from left to right.

    Args:
        pen: its width over a digit's height.
    """
    length = int(rng.choice(4, p=LENGTH_SHARES))
    if not length:
        return no_digit(rng, copies, pen), []
    digits = rng.integers(0, 10, length).tolist()
    if length > 1 and rng.random() < 0.08:  # sticks side by side are easily taken for a letter
        digits = rng.choice([1, 1, 1, 4, 7], length).tolist()
    if length == 1:
        return _slipped(written_digit(digits[0], rng, copies), rng), digits
    return side_by_side([written_digit(digit, rng, copies) for digit in digits], rng, pen), digits


def _slipped(strokes: Strokes, rng: np.random.Generator) -> Strokes:
    """The same strokes, now and then with a gap in one of them or with a short stray stroke."""
    kind = rng.random()
    if kind < 0.04:
        longest = max(range(len(strokes)), key=lambda i: len(strokes[i]))
        path = strokes[longest]
        cut = int(rng.uniform(0.2, 0.8) * len(path))
        return (
            [*strokes[:longest], path[: cut + 1], path[cut + 2 :], *strokes[longest + 1 :]]
            if len(path) > cut + 4
            else strokes
        )
    if kind < 0.06:
        points = np.concatenate(strokes)
        at = points[rng.integers(len(points))] + rng.normal(0, 0.1, 2)
        return [*strokes, np.stack([at, at + rng.normal(0, 0.04, 2)])]
    return strokes


# Drawn as a pad or a scan would show it


def _drawn(strokes: Strokes, rng: np.random.Generator, pen: float) -> NDArray[np.uint8]:
    """Strokes -> ink (h, w) uint8; some as small as MNIST's."""
    points = np.concatenate(strokes)
    low, high = points.min(axis=0), points.max(axis=0)
    height = max(float(high[1] - low[1]), 0.45 * float(high[0] - low[0]), 1e-3)
    scale = _ROWS * (1 - pen / 2) / height
    width = max(1.5, pen * _ROWS)
    size = tuple((np.ceil((high - low) * scale + width) + 4).astype(int).tolist())
    image = Image.new("L", size)
    pencil = ImageDraw.Draw(image)
    for stroke in strokes:
        draw_line(pencil, (stroke - low) * scale + width / 2 + 2, width, 255)
    if rng.random() < _SMALL_SHARE:
        factor = rng.uniform(*_SMALL) / _ROWS
        small = (max(1, round(size[0] * factor)), max(1, round(size[1] * factor)))
        image = image.resize(small, Image.Resampling.BOX)
    return np.asarray(image)
