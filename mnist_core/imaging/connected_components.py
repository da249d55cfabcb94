"""Connected components of a picture, by runs of pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Components:
    """The connected components of a mask, numbered from 0 in row order of their first pixels.

    Attributes:
        labels: (H, W) int32, the component's number at its pixels and -1 elsewhere.
        boxes: (n, 4) int64, each component's left, top, right, bottom in pixels, right and bottom exclusive.
        areas: (n,) int64, pixels.
    """

    labels: np.ndarray
    boxes: np.ndarray
    areas: np.ndarray

    def __len__(self) -> int:
        return len(self.areas)


def components(mask: np.ndarray) -> Components:
    """The components of `mask` (H, W) bool; pixels that touch only at corners are connected."""
    height, width = mask.shape
    stride = width + 2  # a gap on each side, so that runs of neighbouring rows never touch around the edge
    padded = np.zeros((height, stride), np.int8)
    padded[:, 1:-1] = mask
    steps = np.diff(padded.ravel(), prepend=0)
    starts, ends = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)  # of runs; ends exclusive
    roots = _join(len(starts), *_touching(starts, ends, stride))
    _, numbers = np.unique(roots, return_inverse=True)
    labels = np.full(mask.shape, -1, np.int32)
    labels[mask] = np.repeat(numbers, ends - starts)
    count = int(numbers.max(initial=-1)) + 1
    boxes = np.zeros((count, 4), np.int64)
    boxes[:, :2] = max(height, width)
    rows, left, right = starts // stride, starts % stride - 1, (ends - 1) % stride
    np.minimum.at(boxes[:, 0], numbers, left)
    np.minimum.at(boxes[:, 1], numbers, rows)
    np.maximum.at(boxes[:, 2], numbers, right)
    np.maximum.at(boxes[:, 3], numbers, rows + 1)
    areas = np.bincount(numbers, weights=ends - starts, minlength=count).astype(np.int64)
    return Components(labels, boxes, areas)


def _touching(starts: np.ndarray, ends: np.ndarray, stride: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of runs, one in each of two neighbouring rows, that touch: their indices, above and below."""
    first = np.searchsorted(ends, starts + stride, side="left")  # the first run below that ends late enough
    last = np.searchsorted(starts, ends + stride, side="right")  # past the last that starts early enough
    counts = np.maximum(last - first, 0)
    above = np.repeat(np.arange(len(starts)), counts)
    offsets = np.arange(len(above)) - np.repeat(np.cumsum(counts) - counts, counts)
    return above, np.repeat(first, counts) + offsets


def _join(count: int, above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """The smallest run index that each of `count` runs is connected to."""
    roots = np.arange(count)
    while (apart := roots[above] != roots[below]).any():
        one, other = roots[above[apart]], roots[below[apart]]
        np.minimum.at(roots, np.maximum(one, other), np.minimum(one, other))
        while (roots != (further := roots[roots])).any():
            roots = further
    return roots
