"""Pictures of writing -> the pen's path: skeletons one pixel wide, traced into strokes.

A scanned digit shows its ink, not the path of the pen. The path can be written again with any pen, by another
hand, and beside other digits. The same is done with the letters of a typeface.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mnist_core.datasets.synthetic import Strokes

_AROUND = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))  # clockwise from above
_SMOOTHING = 4  # passes over the staircase of pixels


def thin(pictures: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Ink (N, H, W) -> its skeletons, one pixel wide (Zhang & Suen 1984, "A fast parallel algorithm").

    Args:
        pictures: True where there is ink, and nowhere at the border.
    """
    ink = pictures.copy(order="C")
    pixels = ink.reshape(-1)  # the same memory
    offsets = [dy * ink.shape[2] + dx for dy, dx in _AROUND]
    inked = np.flatnonzero(pixels)
    before = -1
    while len(inked) != before:
        before = len(inked)
        for removable in _REMOVABLE:
            around = np.zeros(len(inked), np.uint8)
            for bit, offset in enumerate(offsets):
                around |= pixels[inked + offset].astype(np.uint8) << bit
            removed = removable[around]
            pixels[inked[removed]] = False
            inked = inked[~removed]
    return ink


def _removable(side: tuple[tuple[int, int, int], ...]) -> NDArray[np.bool_]:
    """(256,): which of all surroundings of a pixel, a bit for each neighbour, allow it to be removed.

    Args:
        side: triples of neighbours of which one at least must be paper.
    """
    inked = (np.arange(256)[:, None] >> np.arange(8)) & 1 == 1
    count, rises = inked.sum(axis=1), (~inked & np.roll(inked, -1, axis=1)).sum(axis=1)
    at_side = np.all([~inked[:, triple].all(axis=1) for triple in side], axis=0)
    removable: NDArray[np.bool_] = (count >= 2) & (count <= 6) & (rises == 1) & at_side
    return removable


_REMOVABLE = (_removable(((0, 2, 4), (2, 4, 6))), _removable(((0, 2, 6), (0, 4, 6))))


def trace(skeleton: NDArray[np.bool_]) -> Strokes:
    """A skeleton (H, W) -> strokes from one end or crossing to the next, smoothed, the height about 1."""
    rows, columns = np.nonzero(skeleton)
    if not len(rows):
        return []
    links = _links(set(zip(rows.tolist(), columns.tolist(), strict=True)))
    height = max(float(np.ptp(rows)), 0.4 * float(np.ptp(columns)), 1.0)
    origin = np.array([columns.min(), rows.min()])
    return [(_smooth(np.array(path, float)[:, ::-1]) - origin) / height for path in _paths(links)]


Pixel = tuple[int, int]


def _links(pixels: set[Pixel]) -> dict[Pixel, list[Pixel]]:
    """Each pixel's neighbours; diagonal ones only where no straight step leads there."""
    links: dict[Pixel, list[Pixel]] = {}
    for row, column in pixels:
        links[row, column] = [
            (row + dy, column + dx)
            for dy, dx in _AROUND
            if (row + dy, column + dx) in pixels
            and not (dy and dx and ((row + dy, column) in pixels or (row, column + dx) in pixels))
        ]
    return links


def _paths(links: dict[Pixel, list[Pixel]]) -> Iterator[list[Pixel]]:
    """Every link once, as paths that end where there is one neighbour or more than two; then the loops."""
    unused = {(pixel, near) for pixel, all_near in links.items() for near in all_near}
    ends = [pixel for pixel, near in links.items() if len(near) != 2]
    for start in [*ends, *links]:
        for near in links[start]:
            if (start, near) not in unused:
                continue
            path = [start]
            while (path[-1], near) in unused:
                unused -= {(path[-1], near), (near, path[-1])}
                path.append(near)
                ahead = [pixel for pixel in links[near] if (near, pixel) in unused]
                if len(links[near]) != 2 or not ahead:
                    break
                near = ahead[0]
            yield path
    yield from ([pixel] for pixel, near in links.items() if not near)


def _smooth(path: NDArray[np.float64]) -> NDArray[np.float64]:
    """A path (k, 2) without its staircase; ends stay where they are."""
    path = path.copy()
    for _ in range(_SMOOTHING):
        path[1:-1] = (path[:-2] + 2 * path[1:-1] + path[2:]) / 4
    return path
