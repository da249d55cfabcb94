"""What is no digit, for the network that says how many digits a piece of ink is."""

from __future__ import annotations

from typing import Any

import numpy as np

from mnist_core.datasets import synthetic
from mnist_core.datasets.glyphs import FURTHER_LETTERS, SIGNS
from mnist_core.datasets.side_by_side import centred, side_by_side
from mnist_core.datasets.synthetic import Strokes
from mnist_core.datasets.traced import Traced, by_another_hand, traced_letters, written_digit

_OUTSIDE = {"+", "#", "tick"}  # signs on which refusals are measured


def no_digit(rng: np.random.Generator, copies: Traced, pen: float) -> Strokes:
    """The strokes of a piece that is no digit.

    Args:
        copies: what the digits to be spoiled are written from.
        pen: its width over a digit's height.
    """
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
    shares = (0.25, 0.155, 0.075, 0.1, 0.07, 0.07, 0.05, 0.03, 0.04, 0.03, 0.12, 0.01)
    return kinds[rng.choice(len(kinds), p=shares)](rng, copies, pen)


def _letter(rng: np.random.Generator, *_: Any) -> Strokes:
    letters = traced_letters()
    return by_another_hand(letters[rng.integers(len(letters))], rng, 1.5)


def _written_letter(rng: np.random.Generator, *_: Any) -> Strokes:
    """A letter as somebody writes it, its strokes not quite where they belong."""
    name = rng.choice(list(FURTHER_LETTERS))
    ways = SIGNS[name] + 2 * FURTHER_LETTERS[name]
    letter = synthetic.written_by_hand(synthetic.pick(ways, rng), rng.uniform(0.55, 1.1), rng)
    return [stroke + rng.normal(0, 0.03, 2) for stroke in by_another_hand(letter, rng)]


def _copybook_sign(rng: np.random.Generator, *_: Any) -> Strokes:
    name = rng.choice([name for name in SIGNS if name not in _OUTSIDE])
    return synthetic.written_by_hand(synthetic.pick(SIGNS[name], rng), rng.uniform(0.6, 1.0), rng)


def _word(rng: np.random.Generator, copies: Traced, pen: float) -> Strokes:
    """Two or three letters side by side, or letters and a digit."""
    count = int(rng.choice([2, 3], p=[0.7, 0.3]))
    letters = _letter, _written_letter, _copybook_sign
    parts = [letters[rng.choice(3, p=(0.4, 0.4, 0.2))](rng, copies) for _ in range(count)]
    if rng.random() < 0.3:
        parts[rng.integers(count)] = written_digit(int(rng.integers(10)), rng, copies)
    return side_by_side(parts, rng, pen)


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
    return by_another_hand(strokes, rng)


def _turned(rng: np.random.Generator, copies: Traced, _: float) -> Strokes:
    """A digit on its side, of those that are no digit that way."""
    angle = rng.choice([-1, 1]) * (np.pi / 2 + rng.normal(0, 0.25))
    strokes = written_digit(int(rng.choice([2, 3, 4, 5, 6, 7, 9])), rng, copies)
    return synthetic.rotated(strokes, angle)


def _mirrored(rng: np.random.Generator, copies: Traced, _: float) -> Strokes:
    return [stroke * (-1, 1) for stroke in written_digit(int(rng.choice([3, 4, 7, 9])), rng, copies)]


def _overlaid(rng: np.random.Generator, copies: Traced, _: float) -> Strokes:
    """Two digits, or a digit and a letter, written over each other, or a digit crossed out."""
    under = centred(written_digit(int(rng.integers(2, 10)), rng, copies))
    if rng.random() < 0.6:
        over = centred(written_digit(int(rng.integers(2, 10)), rng, copies))
    elif rng.random() < 0.5:
        over = centred(_letter(rng, copies))
    else:
        over = centred(_scribble(rng, copies))
    return [*under, *(stroke + rng.normal(0, 0.12, 2) for stroke in over)]


def _part(rng: np.random.Generator, copies: Traced, _: float) -> Strokes:
    """A digit of which so much is missing that it is none any more."""
    strokes = written_digit(int(rng.choice([2, 3, 4, 5, 8])), rng, copies)
    points = np.concatenate(strokes)
    middle = np.median(points, axis=0) + rng.normal(0, 0.08, 2)
    side = rng.choice([-1, 1])
    kept = [stroke[side * (stroke[:, 1] - middle[1]) < 0] for stroke in strokes]
    return [stroke for stroke in kept if len(stroke) > 1] or strokes[:1]


def _many(rng: np.random.Generator, copies: Traced, pen: float) -> Strokes:
    """Four digits or more: more than this network reads."""
    digits = rng.integers(0, 10, rng.choice([4, 5, 6], p=(0.8, 0.15, 0.05)))
    return side_by_side([written_digit(int(digit), rng, copies) for digit in digits], rng, pen)


def _bar(rng: np.random.Generator, *_: Any) -> Strokes:
    """A flat line, a comma, or two lines."""
    length, angle = rng.uniform(0.4, 1.0), rng.normal(0, 0.15)
    flat = np.array([[0, 0], [length / 2, rng.normal(0, 0.03)], [length, 0]])
    (line,) = synthetic.rotated([flat], angle)
    if rng.random() < 0.3:
        below = np.array([rng.normal(0, 0.05), rng.uniform(0.25, 0.5)])
        return [line, line + below]
    return [line]
