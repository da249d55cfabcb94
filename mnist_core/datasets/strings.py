"""Synthetic digit strings: pieces of ink that hold one digit, two or three that touch, or no digit at all.

Digits are the copybook's and MNIST's training digits, these traced to their skeletons and written again by
another hand; what is no digit are the copybook's signs, the letters of the typefaces that Matplotlib brings,
random strokes, digits turned, mirrored, cut and overlaid. All are drawn with any pen.
"""

from __future__ import annotations

import concurrent.futures
import functools
import multiprocessing
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from mnist_core.datasets import synthetic
from mnist_core.datasets.digits import Digits
from mnist_core.datasets.glyphs import FURTHER_LETTERS, SIGNS
from mnist_core.datasets.skeletons import thin, trace
from mnist_core.datasets.synthetic import Strokes
from mnist_core.imaging.pen import draw_line
from mnist_core.imaging.preprocess import place_string

MOST_DIGITS = 3
NOTHING = -1  # the label of a place where there is no digit
BLOCK = 4000  # pieces from one seed: the same ones however many processes draw them

_LENGTH_SHARES = (0.32, 0.28, 0.24, 0.16)  # of pieces with no digit, one, two and three
_MNIST_SHARE = 0.6  # of digits
_PEN = (0.025, 0.27)  # the pen's width over a digit's height
_ROWS = 84  # pixels; three for one of the view's
_SMALL = (18, 30)  # pixels: the height of those drawn as small as MNIST's
_SMALL_SHARE = 0.12
_TRACED_SCALE = 2  # MNIST's pictures are enlarged by this before they are thinned

# Letters and marks that somebody would read as a digit are left out: B D G I L O Q S T U Y Z and others.
_LATIN = "ACEFHKMNPRVWXadefhkmnptuvwxÄÅÆÑÜÝæèêëîñöûüĄČĖĘĦŁŃŇŘŒœ"
_GREEK = "ΓΔΛΞΠΣΦΨΩηκλμνπφχψω"
_CYRILLIC = "ДЖИЙКЛМНПФХЦШЩЯджийклмнпфхцшщя"
_OTHERS = "ԱԲԷԸԹԺԻԽԾՃՆՇՈՊՌՐՒՓՔֆდემლჟღყშჩცძჭხჯאחמעץשתبتجسصعفكلمي"
_MARKS = "&@$%€£¥¶?*∞∇√≈≠∑∏∈∀∧∨⊂⊕⇒↔♫☼♀♂♠♣☺"  # noqa: RUF001
_LETTERS = _LATIN * 3 + _GREEK + _CYRILLIC + _OTHERS + _MARKS
_TYPEFACES = (
    "DejaVuSans", "DejaVuSans-Oblique", "DejaVuSansMono", "DejaVuSerif-Italic", "DejaVuSerif",
    "STIXGeneral", "STIXGeneralItalic", "cmss10", "cmti10",
)  # fmt: skip
_OUTSIDE = {"+", "#", "tick"}  # signs on which refusals are measured


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
    copies = traced(mnist)
    _typeset()  # once, and every process that is forked has them
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


Traced = list[list[Strokes]]  # for each digit, many ways to write it


def traced(mnist: Digits) -> Traced:
    """MNIST's digits as strokes, sorted by label."""
    copies: Traced = [[] for _ in range(10)]
    for start in range(0, len(mnist), BLOCK):
        images = mnist.images[start : start + BLOCK, None].float()
        large = torch.nn.functional.interpolate(images, scale_factor=_TRACED_SCALE, mode="bicubic")[:, 0]
        ink = np.pad(large.numpy() > 110, ((0, 0), (1, 1), (1, 1)))
        for skeleton, label in zip(thin(ink), mnist.labels[start : start + BLOCK].tolist(), strict=True):
            copies[label].append(trace(skeleton))
    return copies


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
        strokes, said = piece(rng, _copies, pen)
        row[: len(said)] = said
        pictures.append(place_string(_drawn(strokes, rng, pen)))
    return np.stack(pictures), digits


def piece(rng: np.random.Generator, copies: Traced, pen: float) -> tuple[Strokes, list[int]]:
    """The strokes of one piece, and its digits from left to right.

    Args:
        pen: its width over a digit's height.
    """
    length = int(rng.choice(4, p=_LENGTH_SHARES))
    if not length:
        return _no_digit(rng, copies, pen), []
    said = rng.integers(0, 10, length).tolist()
    if length > 1 and rng.random() < 0.08:  # sticks side by side are easily taken for a letter
        said = rng.choice([1, 1, 1, 4, 7], length).tolist()
    if length == 1:
        return _slipped(_digit(said[0], rng, copies), rng), said
    return _side_by_side([_digit(digit, rng, copies) for digit in said], rng, pen), said


def _digit(digit: int, rng: np.random.Generator, copies: Traced) -> Strokes:
    if rng.random() < _MNIST_SHARE:
        ways = copies[digit]
        return _by_another_hand(ways[rng.integers(len(ways))], rng)
    return synthetic.drawing(digit, rng, rare=True)


def _slipped(strokes: Strokes, rng: np.random.Generator) -> Strokes:
    """Now and then with a gap of the pen somewhere, or a short stroke where it was put down too early."""
    chance = rng.random()
    if chance < 0.04:
        longest = max(range(len(strokes)), key=lambda i: len(strokes[i]))
        path = strokes[longest]
        cut = int(rng.uniform(0.2, 0.8) * len(path))
        return (
            [*strokes[:longest], path[: cut + 1], path[cut + 2 :], *strokes[longest + 1 :]]
            if len(path) > cut + 4
            else strokes
        )
    if chance < 0.06:
        points = np.concatenate(strokes)
        at = points[rng.integers(len(points))] + rng.normal(0, 0.1, 2)
        return [*strokes, np.stack([at, at + rng.normal(0, 0.04, 2)])]
    return strokes


def _side_by_side(parts: list[Strokes], rng: np.random.Generator, pen: float) -> Strokes:
    """Signs pushed together until their ink touches or nearly does, of about one size, on about one line."""
    gap = pen * rng.uniform(0.35, 1.05)  # between the middles of the strokes that come closest
    kind = rng.random()
    if kind < 0.15:
        gap = -rng.uniform(0, 0.08)
    elif kind < 0.3:
        gap = pen + rng.uniform(0, 0.13)
    together = _centred(parts[0])
    for part in parts[1:]:
        part = [stroke * rng.lognormal(0, 0.09) for stroke in _centred(part)]
        shift = np.array([_distance(together, part) + gap, rng.normal(0, 0.06)])
        moved = [stroke + shift for stroke in part]
        if rng.random() < 0.04:  # the pen not lifted
            moved[0] = np.concatenate([together[-1][-1:], moved[0]])
        together = [*together, *moved]
    return together


def _centred(strokes: Strokes) -> Strokes:
    points = np.concatenate(strokes)
    low, high = points.min(axis=0), points.max(axis=0)
    size = max(float(high[1] - low[1]), 0.6 * float(high[0] - low[0]), 1e-3)
    return [(stroke - (low + high) / 2) / size for stroke in strokes]


def _distance(left: Strokes, right: Strokes, rows: int = 16) -> float:
    """How far `right` has to be shifted to the right for its path to meet that of `left`."""
    reach = np.full(rows, -np.inf), np.full(rows, np.inf)
    for strokes, edge, extreme in ((left, reach[0], np.maximum), (right, reach[1], np.minimum)):
        points = np.concatenate([_dense(stroke) for stroke in strokes])
        at = ((points[:, 1] + 0.75) / 1.5 * rows).astype(int).clip(0, rows - 1)
        extreme.at(edge, at, points[:, 0])
    between = reach[0][:, None] - reach[1][None]
    near = abs(np.subtract.outer(np.arange(rows), np.arange(rows))) <= 1
    if np.isneginf(between[near]).all():  # in no row side by side
        return float(reach[0].max() - reach[1].min())
    return float(between[near].max())


def _dense(path: NDArray[np.float64]) -> NDArray[np.float64]:
    """A path with points in between, so that none lies further than about 0.05 from the next."""
    if len(path) < 2:
        return path
    steps = int(np.ceil(np.abs(np.diff(path, axis=0)).max() / 0.05))
    if steps <= 1:
        return path
    shares = np.arange(steps)[:, None, None] / steps
    between: NDArray[np.float64] = (path[:-1] + shares * np.diff(path, axis=0)).reshape(-1, 2)
    return np.concatenate([between, path[-1:]])


def _by_another_hand(strokes: Strokes, rng: np.random.Generator, strength: float = 1.0) -> Strokes:
    """A traced drawing as another hand would write it: slant, turn, proportions, and a slow wobble."""
    points = np.concatenate(strokes)
    low, high = points.min(axis=0), points.max(axis=0)
    x, y = ((points - (low + high) / 2) / max(float(high[1] - low[1]), 0.4)).T
    x = x * rng.lognormal(0, 0.14 * strength)
    phases, sizes = rng.uniform(0, 2 * np.pi, 4), rng.normal(0, 0.03 * strength, 4)
    dx = sizes[0] * np.sin(4 * y + phases[0]) + sizes[1] * np.sin(7 * y + phases[1])
    dy = sizes[2] * np.sin(4 * x + phases[2]) + sizes[3] * np.sin(5 * y + phases[3])
    x, y = x + dx - y * rng.normal(0.03, 0.15 * strength), y + dy
    turn = rng.normal(0, 0.08 * strength)
    moved = np.stack([x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)], axis=1)
    step = int(rng.choice([1, 2, 3, 5]))
    written = np.split(moved, np.cumsum([len(stroke) for stroke in strokes])[:-1])
    return [np.concatenate([stroke[:-1:step], stroke[-1:]]) for stroke in written]


# What is no digit


def _no_digit(rng: np.random.Generator, copies: Traced, pen: float) -> Strokes:
    kinds = (
        _letter,
        _written_letter,
        _copybook_sign,
        _word,
        _scribble,
        _closed,
        _turned,
        _mirrored,
        _overlaid,
        _part,
        _many,
        _bar,
    )
    shares = (0.28, 0.18, 0.09, 0.11, 0.08, 0.08, 0.05, 0.03, 0.04, 0.03, 0.02, 0.01)
    return kinds[rng.choice(len(kinds), p=shares)](rng, copies, pen)


def _letter(rng: np.random.Generator, *_: Any) -> Strokes:
    letters = _typeset()
    return _by_another_hand(letters[rng.integers(len(letters))], rng, 1.5)


@functools.cache
def _typeset() -> list[Strokes]:
    """The letters of some typefaces, traced."""
    import matplotlib

    folder = Path(matplotlib.get_data_path(), "fonts", "ttf")
    pictures = []
    for typeface in _TYPEFACES:
        font = ImageFont.truetype(str(folder / f"{typeface}.ttf"), 44)
        missing = font.getmask("\U0010fffe")
        for letter in _LETTERS:
            if bytes(font.getmask(letter)) == bytes(missing) or not font.getbbox(letter)[2]:
                continue
            picture = Image.new("L", (96, 96))
            ImageDraw.Draw(picture).text((48, 48), letter, fill=255, font=font, anchor="mm")
            pictures.append(np.asarray(picture) > 127)
    return [strokes for skeleton in thin(np.stack(pictures)) if (strokes := trace(skeleton))]


def _written_letter(rng: np.random.Generator, *_: Any) -> Strokes:
    """A letter as somebody writes it, its strokes not quite where they belong."""
    name = rng.choice(list(FURTHER_LETTERS))
    ways = SIGNS[name] + 2 * FURTHER_LETTERS[name]
    letter = synthetic.written_by_hand(synthetic.pick(ways, rng), rng.uniform(0.55, 1.1), rng)
    return [stroke + rng.normal(0, 0.03, 2) for stroke in _by_another_hand(letter, rng)]


def _copybook_sign(rng: np.random.Generator, *_: Any) -> Strokes:
    name = rng.choice([name for name in SIGNS if name not in _OUTSIDE])
    return synthetic.written_by_hand(synthetic.pick(SIGNS[name], rng), rng.uniform(0.6, 1.0), rng)


def _word(rng: np.random.Generator, copies: Traced, pen: float) -> Strokes:
    """Two or three letters side by side, or letters and a digit."""
    count = int(rng.choice([2, 3], p=[0.7, 0.3]))
    letters = _letter, _written_letter, _copybook_sign
    parts = [letters[rng.choice(3, p=(0.4, 0.4, 0.2))](rng, copies) for _ in range(count)]
    if rng.random() < 0.3:
        parts[rng.integers(count)] = _digit(int(rng.integers(10)), rng, copies)
    return _side_by_side(parts, rng, pen)


def _scribble(rng: np.random.Generator, *_: Any) -> Strokes:
    strokes = []
    for _stroke in range(int(rng.integers(1, 5))):
        points = rng.uniform(0, 1, (int(rng.integers(3, 14)), 2)) * (rng.uniform(0.5, 2.2), 1)
        corners = tuple(np.flatnonzero(rng.random(len(points)) < rng.choice([0, 0.3, 1])).tolist())
        strokes.append(synthetic.curve(points, [c for c in corners if 0 < c < len(points) - 1]))
    return strokes


def _closed(rng: np.random.Generator, *_: Any) -> Strokes:
    """An outline with five corners or more, or with dents and points, now and then with something in it."""
    corners = int(rng.integers(5, 9))
    angles = np.sort(rng.uniform(0, 0.6, corners) + np.arange(corners)) * 2 * np.pi / corners
    radii = rng.uniform(0.75, 1.0, corners) if rng.random() < 0.5 else rng.uniform(0.3, 1.0, corners)
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1) * radii[:, None] * (rng.uniform(0.6, 1.4), 1)
    points = np.concatenate([points, points[:1]])
    sharp = list(range(1, corners)) if radii.min() > 0.7 or rng.random() < 0.7 else []
    strokes = [synthetic.curve(points, sharp) / 2]
    if rng.random() < 0.45:
        inside = rng.uniform(-0.25, 0.25, (int(rng.integers(2, 5)), 2))
        strokes.append(synthetic.curve(inside, []))
    return _by_another_hand(strokes, rng)


def _turned(rng: np.random.Generator, copies: Traced, _: float) -> Strokes:
    """A digit on its side, of those that are none that way."""
    turn = rng.choice([-1, 1]) * (np.pi / 2 + rng.normal(0, 0.25))
    cos, sin = np.cos(turn), np.sin(turn)
    strokes = _digit(int(rng.choice([2, 3, 4, 5, 6, 7, 9])), rng, copies)
    return [stroke @ np.array([[cos, sin], [-sin, cos]]) for stroke in strokes]


def _mirrored(rng: np.random.Generator, copies: Traced, _: float) -> Strokes:
    return [stroke * (-1, 1) for stroke in _digit(int(rng.choice([3, 4, 7, 9])), rng, copies)]


def _overlaid(rng: np.random.Generator, copies: Traced, _: float) -> Strokes:
    """Two digits, or a digit and a letter, written over each other, or a digit crossed out."""
    under = _centred(_digit(int(rng.integers(2, 10)), rng, copies))
    if rng.random() < 0.6:
        over = _centred(_digit(int(rng.integers(2, 10)), rng, copies))
    elif rng.random() < 0.5:
        over = _centred(_letter(rng, copies))
    else:
        over = _centred(_scribble(rng, copies))
    return [*under, *(stroke + rng.normal(0, 0.12, 2) for stroke in over)]


def _part(rng: np.random.Generator, copies: Traced, _: float) -> Strokes:
    """A digit of which a good part is missing, so that it is none."""
    strokes = _digit(int(rng.choice([2, 3, 4, 5, 8])), rng, copies)
    points = np.concatenate(strokes)
    middle = np.median(points, axis=0) + rng.normal(0, 0.08, 2)
    side = rng.choice([-1, 1])
    kept = [stroke[side * (stroke[:, 1] - middle[1]) < 0] for stroke in strokes]
    return [stroke for stroke in kept if len(stroke) > 1] or strokes[:1]


def _many(rng: np.random.Generator, copies: Traced, pen: float) -> Strokes:
    """Four digits or more: more than this network reads."""
    digits = rng.integers(0, 10, rng.integers(4, 7))
    return _side_by_side([_digit(int(digit), rng, copies) for digit in digits], rng, pen)


def _bar(rng: np.random.Generator, *_: Any) -> Strokes:
    """A flat line, a comma, or two lines."""
    length, turn = rng.uniform(0.4, 1.0), rng.normal(0, 0.15)
    line = np.array([[0, 0], [length / 2, rng.normal(0, 0.03)], [length, 0]])
    line = line @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    if rng.random() < 0.3:
        below = np.array([rng.normal(0, 0.05), rng.uniform(0.25, 0.5)])
        return [line, line + below]
    return [line]


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
