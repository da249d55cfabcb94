"""Signs pushed together until their ink touches or nearly does."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mnist_core.datasets.synthetic import Strokes

_ROWS = 16  # in which two signs are compared


def side_by_side(parts: list[Strokes], rng: np.random.Generator, pen: float) -> Strokes:
    """Signs pushed together until their ink touches or nearly does, of about one size, on about one line."""
    gap = pen * rng.uniform(0.35, 1.05)  # between the middles of the strokes that come closest
    kind = rng.random()
    if kind < 0.15:
        gap = -rng.uniform(0, 0.08)
    elif kind < 0.3:
        gap = pen + rng.uniform(0, 0.13)
    together = centred(parts[0])
    for part in parts[1:]:
        part = [stroke * rng.lognormal(0, 0.09) for stroke in centred(part)]
        shift = np.array([_distance(together, part) + gap, rng.normal(0, 0.06)])
        moved = [stroke + shift for stroke in part]
        if rng.random() < 0.04:  # the pen not lifted
            moved[0] = np.concatenate([together[-1][-1:], moved[0]])
        together = [*together, *moved]
    return together


def centred(strokes: Strokes) -> Strokes:
    """The same around the origin, its height about 1."""
    points = np.concatenate(strokes)
    low, high = points.min(axis=0), points.max(axis=0)
    size = max(float(high[1] - low[1]), 0.6 * float(high[0] - low[0]), 1e-3)
    return [(stroke - (low + high) / 2) / size for stroke in strokes]


def _distance(left: Strokes, right: Strokes) -> float:
    """How far `right` has to be shifted to the right for its path to meet that of `left`."""
    reach = np.full(_ROWS, -np.inf), np.full(_ROWS, np.inf)
    for strokes, edge, extreme in ((left, reach[0], np.maximum), (right, reach[1], np.minimum)):
        points = np.concatenate([_dense(stroke) for stroke in strokes])
        at = ((points[:, 1] + 0.75) / 1.5 * _ROWS).astype(int).clip(0, _ROWS - 1)
        extreme.at(edge, at, points[:, 0])
    between = reach[0][:, None] - reach[1][None]
    near = abs(np.subtract.outer(np.arange(_ROWS), np.arange(_ROWS))) <= 1
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
