"""Fourteen kinds of sign that are no digits, drawn in a shaky hand. None of these drawings was trained on."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
from pictures import Strokes, draw
from PIL import Image


def _line(*points: tuple[float, float]) -> np.ndarray:
    return np.array(points, float)


def _arc(x: float, y: float, r: float, start: float = 0, end: float = 1) -> np.ndarray:
    """Part of a circle; in turns, clockwise from the right."""
    angle = np.linspace(start, end, 40) * 2 * np.pi
    return np.stack([x + r * np.cos(angle), y + r * np.sin(angle)], axis=1)


def _heart() -> Strokes:
    t = np.linspace(0, 2 * np.pi, 60)
    x, y = np.sin(t) ** 3, -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)) / 16
    return [np.stack([x, y], axis=1)]


def _star() -> Strokes:
    angle = (np.arange(6) * 2 / 5 - 0.25) * 2 * np.pi
    return [np.stack([np.cos(angle), np.sin(angle)], axis=1)]


def _spiral() -> Strokes:
    t = np.linspace(0, 1, 120)
    return [np.stack([t * np.cos(t * 19), t * np.sin(t * 19)], axis=1)]


def _wave() -> Strokes:
    x = np.linspace(0, 1, 60)
    return [np.stack([x * 2, 0.25 * np.sin(x * 6 * np.pi)], axis=1)]


KINDS: dict[str, Callable[[], Strokes]] = {
    "heart": _heart,
    "star": _star,
    "triangle": lambda: [_line((0, 1), (0.55, 0), (1.1, 1), (0, 1))],
    "square": lambda: [_line((0, 0), (1, 0), (1, 1), (0, 1), (0, 0))],
    "tick": lambda: [_line((0, 0.6), (0.3, 1), (1, 0))],
    "cross": lambda: [_line((0, 0), (1, 1)), _line((1, 0), (0, 1))],
    "plus": lambda: [_line((0.5, 0), (0.5, 1)), _line((0, 0.5), (1, 0.5))],
    "face": lambda: [
        _arc(0, 0, 1),
        _arc(-0.35, -0.3, 0.06),
        _arc(0.35, -0.3, 0.06),
        _arc(0, 0.1, 0.5, 0.05, 0.45),
    ],
    "house": lambda: [
        _line((0, 0), (0, 1), (1.1, 1), (1.1, 0), (0, 0)),
        _line((-0.1, 0), (0.55, -0.7), (1.2, 0)),
    ],
    "arrow": lambda: [_line((0, 0), (1, 0)), _line((0.7, -0.25), (1, 0), (0.7, 0.25))],
    "wave": _wave,
    "spiral": _spiral,
    "hash": lambda: [
        _line((0.3, 0), (0.25, 1)),
        _line((0.7, 0), (0.65, 1)),
        _line((0, 0.33), (1, 0.3)),
        _line((0, 0.7), (1, 0.67)),
    ],
    "zigzag": lambda: [_line((0, 0), (0.35, 0.7), (0.7, 0), (1.05, 0.7), (1.4, 0), (1.75, 0.7))],
}


def shaky_sign(kind: str, rng: np.random.Generator) -> Image.Image:
    """A sign as somebody draws it: turned and stretched a little, its lines not straight."""
    turn, stretch = rng.normal(0, 0.08), rng.lognormal(0, 0.12)
    cos, sin = np.cos(turn), np.sin(turn)
    strokes = []
    for stroke in KINDS[kind]():
        dense = _dense(stroke * (stretch, 1))
        wobble = rng.normal(0, 0.02, (len(dense) + 6, 2))
        smooth = sum(wobble[i : i + len(dense)] for i in range(7)) / 2.6
        strokes.append((dense + smooth) @ np.array([[cos, sin], [-sin, cos]]))
    return draw(strokes, size=rng.uniform(0.35, 0.85), pen=rng.choice([0.022, 0.035, 0.05]))


def _dense(path: np.ndarray) -> np.ndarray:
    """A path with points at most 0.06 apart."""
    parts = []
    for start, end in itertools.pairwise(path):
        steps = max(1, int(np.ceil(np.hypot(*(end - start)) / 0.06)))
        parts.append(start + (end - start) * (np.arange(steps) / steps)[:, None])
    return np.concatenate([*parts, path[-1:]])
