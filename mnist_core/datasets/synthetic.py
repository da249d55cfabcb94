"""Synthetic digits: a copybook's pen strokes, varied as handwriting varies, rendered as a pad would."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from mnist_core.datasets.glyphs import DIGITS, FURTHER_LETTERS, SIGNS
from mnist_core.imaging.pen import draw_line
from mnist_core.imaging.preprocess import SIZE, preprocess

CANVAS = 180  # pixels each way; about five for one of the 28x28 image's
MARGIN = 0.2  # of the canvas, on each side, so that slanted strokes and thick pens stay on it
PEN = (0.02, 0.26)  # the pen's width over the digit's longer side, from a hairline to a felt pen
POINTS = 14  # per stretch of curve between two of the copybook's points, before they are thinned out
NEIGHBOURLY = 0.1  # share of digits with a trace of a neighbour that touched them and was cut off
_NARROW = {1: 0.42}  # width over height where it is not `_WIDTH`; a one is a stick with a flag
_WIDTH = 0.72

Drawn = Callable[[], None]  # called after each drawing; what it raises ends the drawing of more
Strokes = list[np.ndarray]  # each (points, 2) float: x to the right, y downwards, the digit's height about 1


def digits(n: int, seed: int, drawn: Drawn | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    """`n` digits, all ten equally often: uint8 (n, 28, 28) images and int64 (n,) labels."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n) % 10)
    images = np.zeros((n, SIZE, SIZE), np.uint8)
    for image, label in zip(images, labels, strict=True):
        strokes = drawing(int(label), rng)
        if rng.random() < NEIGHBOURLY:
            strokes = _beside(strokes, drawing(int(rng.choice([0, 2, 3, 4, 5, 6, 7, 8, 9])), rng), rng)
        image[:] = preprocess(render(strokes, rng))
        if drawn is not None:
            drawn()
    return torch.from_numpy(images), torch.from_numpy(labels.astype(np.int64))


def non_digits(n: int, seed: int, drawn: Drawn | None = None) -> torch.Tensor:
    """`n` non-digits, uint8 (n, 28, 28): letters, signs, mirrored digits, several digits at once."""
    rng = np.random.default_rng((seed, 1))  # another random stream than that of `digits`
    images = np.zeros((n, SIZE, SIZE), np.uint8)
    for image in images:
        image[:] = preprocess(render(_no_digit(rng), rng))
        if drawn is not None:
            drawn()
    return torch.from_numpy(images)


def contact_sheet() -> Image.Image:
    """A row of every digit, and two of non-digits: "L", in square cells."""
    rng = np.random.default_rng(0)
    columns, cell = 24, 60  # drawings in a row; pixels each way
    rows = [functools.partial(drawing, digit) for digit in range(10)] + [_no_digit] * 2
    sheet = Image.new("L", (columns * cell, len(rows) * cell), 255)
    for row, hand in enumerate(rows):
        for column in range(columns):
            drawn = render(hand(rng), rng).resize((cell, cell), Image.Resampling.BOX)
            sheet.paste(drawn, (column * cell, row * cell))
    return sheet


def drawing(digit: int, rng: np.random.Generator, *, usual: bool = False) -> Strokes:
    """The strokes of one way to write `digit`, in one handwriting.

    Args:
        usual: the way that the copybook gives most weight.
    """
    way = max(DIGITS[digit])[1] if usual else pick(DIGITS[digit], rng)
    return written_by_hand(way, _NARROW.get(digit, _WIDTH), rng)


def sign(rng: np.random.Generator) -> Strokes:
    """The strokes of a letter or sign that is no digit, in one handwriting."""
    name = rng.choice(list(SIGNS))
    ways = SIGNS[name] + FURTHER_LETTERS.get(name, ())
    return written_by_hand(pick(ways, rng), rng.uniform(0.6, 1.0), rng)


def render(strokes: Strokes, rng: np.random.Generator, pen: float | None = None) -> Image.Image:
    """Strokes as a pad shows them: "L", black ink on white, `CANVAS` pixels each way.

    Args:
        pen: its width over the drawing's longer side; None for a random one in `PEN`.
    """
    points = np.concatenate(strokes)
    low, high = points.min(axis=0), points.max(axis=0)
    longest = max(float((high - low).max()), 1e-3)
    pen = float(np.exp(rng.uniform(*np.log(PEN)))) if pen is None else pen
    scale = CANVAS * (1 - 2 * MARGIN) / longest
    image = Image.new("L", (CANVAS, CANVAS), 255)
    pencil = ImageDraw.Draw(image)
    for stroke in strokes:
        path = (stroke - (low + high) / 2) * scale + CANVAS / 2
        draw_line(pencil, path, pen * scale * longest, 0)
    return image


def pick(ways: Sequence[tuple[float, str]], rng: np.random.Generator) -> str:
    """One of several ways to write a sign, by their weights."""
    shares = np.array([share for share, _ in ways])
    return ways[rng.choice(len(ways), p=shares / shares.sum())][1]


def rotated(strokes: Strokes, angle: float) -> Strokes:
    """Strokes rotated about the origin by `angle` radians, clockwise as they are seen."""
    cos, sin = np.cos(angle), np.sin(angle)
    return [stroke @ np.array([[cos, sin], [-sin, cos]]) for stroke in strokes]


# From the copybook to handwriting


def written_by_hand(way: str, width: float, rng: np.random.Generator) -> Strokes:
    """One copybook line as one hand writes it: strokes with a height of about 1."""
    clumsiness = rng.gamma(2.5, 0.014)  # of the height: how far each of the copybook's points strays
    curves = []
    for points, corners in _parse(way):
        strayed = points + rng.normal(0, clumsiness, points.shape)
        curves.append(_ends(curve(strayed, corners), rng))
    if rng.random() < 0.06:  # the pen leaves upwards to the right, as if another letter followed
        away = np.array([rng.uniform(0.1, 0.5), -rng.uniform(0.05, 0.3)])
        curves[0] = np.concatenate([curves[0], curves[0][-1:] + away])
    shaped = _shape(_lifts(curves, rng), width, rng)
    step = int(rng.choice([1, 2, 3, 5, 7], p=[0.2, 0.25, 0.25, 0.2, 0.1]))  # a slow device sees fewer points
    return [_tremble(_thin(curve, step), rng) for curve in shaped]


@functools.cache
def _parse(way: str) -> tuple[tuple[np.ndarray, tuple[int, ...]], ...]:
    """A copybook line -> for each stroke its points (k, 2), 0 to 1, and the indices of its corners."""
    strokes = []
    for stroke in way.split("/"):
        words = stroke.split()
        points = np.array([[float(part) for part in word.rstrip("!").split(",")] for word in words]) / 100
        strokes.append((points, tuple(i for i, word in enumerate(words) if word.endswith("!"))))
    return tuple(strokes)


def curve(points: np.ndarray, corners: Sequence[int]) -> np.ndarray:
    """(k, 2) points -> (many, 2): a Catmull-Rom spline through them, broken at the corners."""
    cuts = [0, *corners, len(points) - 1]
    pieces = []
    for first, last in itertools.pairwise(cuts):
        part = points[first : last + 1]
        padded = np.concatenate([2 * part[:1] - part[1:2], part, 2 * part[-1:] - part[-2:-1]])
        around = np.stack([padded[i : len(part) - 1 + i] for i in range(4)], axis=1)  # (stretches, 4, 2)
        pieces.append((_SPLINE @ around).reshape(-1, 2))
    return np.concatenate([*pieces, points[-1:]])


def _spline() -> NDArray[np.float64]:
    """(POINTS, 4): how the points around a stretch weigh in along it (Catmull & Rom 1974)."""
    t = np.linspace(0, 1, POINTS, endpoint=False)[:, None]
    powers = np.concatenate([np.ones_like(t), t, t**2, t**3], axis=1)
    basis = np.array([[0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]], np.float64)
    return powers @ basis / 2


_SPLINE = _spline()


def _ends(curve: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A stroke that begins and ends early or late, or with a hook where the pen came or left."""
    for _ in range(2):  # the end, then, turned round, the beginning
        kind = rng.random()
        if kind < 0.3:  # too short: loops stay open, bars do not reach
            curve = curve[: len(curve) - int(rng.uniform(0, 0.1) * len(curve))]
        elif kind < 0.6:  # too long
            way = curve[-1] - curve[-min(5, len(curve))]
            curve = np.concatenate(
                [curve, [curve[-1] + way * (rng.uniform(0.02, 0.14) / (np.hypot(*way) + 1e-3))]]
            )
        elif kind < 0.68:  # a hook
            curve = np.concatenate([curve, [curve[-1] + rng.normal(0, 0.06, 2)]])
        curve = curve[::-1]
    return curve


def _lifts(curves: Strokes, rng: np.random.Generator) -> Strokes:
    """Strokes that slipped against each other, a pen not lifted between two, or lifted within one."""
    loose = abs(rng.normal(0, 0.035))
    curves = [curve + (rng.normal(0, loose, 2) if i else 0) for i, curve in enumerate(curves)]
    if len(curves) > 1 and rng.random() < 0.06:
        return [np.concatenate(curves)]
    longest = max(range(len(curves)), key=lambda i: len(curves[i]))
    if rng.random() < 0.05:
        whole = curves[longest]
        cut, gap = int(rng.uniform(0.2, 0.8) * len(whole)), max(1, int(rng.uniform(0, 0.05) * len(whole)))
        curves[longest : longest + 1] = [whole[:cut], whole[cut + gap :]]
    return curves


def _shape(curves: Strokes, width: float, rng: np.random.Generator) -> Strokes:
    """The hand's proportions, curvature, slant and turn, the same for all strokes of a digit."""
    points = np.concatenate(curves)
    x, y = points.T
    upper, side = np.exp(rng.normal(0, 0.18)), np.exp(rng.normal(0, 0.12))
    y = np.sign(y) * np.abs(y) ** upper  # a small head and a large belly, or the other way round
    x = np.sign(x) * np.abs(x) ** side
    x = x + rng.normal(0, 0.05) * np.sin(np.pi * y) + rng.normal(0, 0.03) * np.sin(2 * np.pi * y)
    y = y + rng.normal(0, 0.04) * np.sin(np.pi * x)
    x = (x - 0.5) * width * np.exp(rng.normal(0, 0.24))
    x, y = x - (y - 0.5) * rng.normal(0.12, 0.24), y - 0.5 + x * rng.normal(0, 0.08)
    turn = rng.normal(0, 0.09)  # radians
    points = np.stack([x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)], axis=1)
    return np.split(points, np.cumsum([len(curve) for curve in curves])[:-1])


def _thin(curve: np.ndarray, step: int) -> np.ndarray:
    return np.concatenate([curve[:-1:step], curve[-1:]])


def _tremble(curve: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """A path with a smooth tremor of up to about one percent of the height."""
    noise = rng.normal(0, rng.uniform(0, 0.012), (len(curve) + 4, 2))
    tremor: NDArray[np.float64] = noise[:-4] + noise[1:-3] + noise[2:-2] + noise[3:-1] + noise[4:]
    return curve + tremor / math.sqrt(5)


# Non-digits


def _turned(rng: np.random.Generator) -> Strokes:
    """A sign turned to any angle, of those that do not become a digit that way."""
    strokes = written_by_hand(pick(SIGNS[rng.choice(list("AFHKRX+#%&@$"))], rng), rng.uniform(0.6, 1.0), rng)
    return rotated(strokes, rng.uniform(0, 2 * np.pi))


def _beside(strokes: Strokes, other: Strokes, rng: np.random.Generator) -> Strokes:
    """A digit as cut from a number: with a bit of the neighbour on one side, or slightly cut off itself."""
    side = rng.choice([-1, 1])
    edge = max(float((stroke[:, 0] * side).max()) for stroke in strokes)
    near = min(float((stroke[:, 0] * side).min()) for stroke in other)
    shift = np.array([side * (edge - near - rng.uniform(0, 0.1)), rng.normal(0, 0.05)])
    cut = edge + rng.normal(0, 0.04)
    both = [*strokes, *(stroke + shift for stroke in other)]
    kept = [stroke[stroke[:, 0] * side <= cut] for stroke in both]
    return [stroke for stroke in kept if len(stroke) > 1] or strokes


def _mirrored(rng: np.random.Generator) -> Strokes:
    """A mirrored digit, of those that do not look like a digit in the mirror."""
    return [stroke * (-1, 1) for stroke in drawing(int(rng.choice([3, 4, 6, 7])), rng)]


def _row(rng: np.random.Generator) -> Strokes:
    """Two or three digits, or two letters, side by side, apart or touching; the last may be cut off."""
    if rng.random() < 0.8:
        signs = [
            drawing(int(digit), rng) for digit in rng.integers(0, 10, rng.choice([2, 3], p=[0.85, 0.15]))
        ]
    else:
        signs = [sign(rng) for _ in range(2)]
    strokes, right, cut = [], 0.0, np.inf
    touching = rng.random() < 0.7
    for one in signs:
        points = np.concatenate(one)
        width = float(np.ptp(points[:, 0]))
        cut = right + width * rng.uniform(0.4, 0.8) if width > 0.3 else np.inf
        place = np.array([right - points[:, 0].min(), rng.normal(0, 0.05)])
        strokes += [stroke + place for stroke in one]
        right += width + (-rng.uniform(0, 0.45) * min(width, 0.5) if touching else rng.uniform(0, 0.3))
    if rng.random() < 0.25:
        strokes = [stroke[stroke[:, 0] < cut] for stroke in strokes]
    return [stroke for stroke in strokes if len(stroke)]


def _overlaid(rng: np.random.Generator) -> Strokes:
    """Two digits, or a digit and a sign, written over each other."""
    other = sign(rng) if rng.random() < 0.5 else drawing(int(rng.integers(2, 10)), rng)
    return drawing(int(rng.integers(2, 10)), rng) + [stroke + rng.normal(0, 0.2, 2) for stroke in other]


_KINDS = (sign, _turned, _mirrored, _row, _overlaid)
_KIND_SHARES = (0.34, 0.1, 0.06, 0.42, 0.08)


def _no_digit(rng: np.random.Generator) -> Strokes:
    return _KINDS[rng.choice(len(_KINDS), p=_KIND_SHARES)](rng)
