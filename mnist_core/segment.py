"""A picture of a number -> the pictures that may each be one of its digits, left to right.

Ink that hangs together is an atom; what may hold two touching digits is cut into strips. Every run of
neighbouring atoms or strips may be one digit; which are, a reader decides who scores them (`best_reading`).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from mnist_core.components import components
from mnist_core.preprocess import FAINTEST

MOST_ATOMS = 14  # a picture with more parts than this is hatching or dirt: only the largest parts are read
MOST_TOGETHER = 4  # atoms in one digit: a four in two strokes, a barred seven, and a gap in one of them
SPECK = 0.13  # of the largest atom's longer side: what is smaller is dirt, or a slip of the pen
WIDEST = 1.6  # width over height of a digit made of several atoms
MOST_CUTS = 10  # in one piece
SEAM_ROWS = 48  # rows in which cuts are looked for
SEAM_STEP = 0.09  # of the height: how far apart cuts are tried
SEAM_REACH = 0.2  # of the height: how far a cut may bend to either side
SIDEWAYS = 0.03  # of a pixel of ink: what one step aside costs a cut
# What follows is in log-probability, chosen on numbers composed of digits drawn by rule.
CUT_COST = 0.5  # of any cut through ink
INK_COST = 8.0  # of a cut as long as the piece is high
BROAD, BROAD_COST = 0.95, 2.0  # of each unit of width over height beyond the first number
GAP_COST = 0.15  # of a gap between two digits whose boxes stand apart
OVERLAP_COST = 2.5  # of all of the narrower digit's box lying within the other's
JOIN_COST, TALL = 6.0, 0.6  # of a gap as wide as they are high between two tall parts of one digit


@dataclass(frozen=True, eq=False)
class Piece:
    """Ink that may be a digit or a part of one.

    Attributes:
        ink: (h, w) uint8, 0 for paper, cropped to the box.
        box: (left, top, right, bottom) in pixels of the whole ink picture.
    """

    ink: np.ndarray
    box: tuple[int, int, int, int]

    @property
    def width(self) -> int:
        return self.box[2] - self.box[0]

    @property
    def height(self) -> int:
        return self.box[3] - self.box[1]


def atoms(ink: np.ndarray) -> list[Piece]:
    """The connected parts of ink (H, W), left to right by their middles; specks and dirt left out."""
    parts = components(ink > FAINTEST)
    if not len(parts):
        return []
    sizes = np.maximum(parts.boxes[:, 2] - parts.boxes[:, 0], parts.boxes[:, 3] - parts.boxes[:, 1])
    kept = np.flatnonzero(sizes >= SPECK * sizes.max())
    kept = kept[np.argsort(-parts.areas[kept], kind="stable")][:MOST_ATOMS]
    pieces = []
    for part in kept:
        left, top, right, bottom = (int(edge) for edge in parts.boxes[part])
        window = (slice(top, bottom), slice(left, right))
        piece = np.where(parts.labels[window] == part, ink[window], 0).astype(np.uint8)
        pieces.append(Piece(piece, (left, top, right, bottom)))
    return sorted(pieces, key=lambda piece: piece.box[0] + piece.box[2])


def join(pieces: list[Piece]) -> Piece:
    """Several pieces as one."""
    if len(pieces) == 1:
        return pieces[0]
    boxes = np.array([piece.box for piece in pieces])
    left, top = boxes[:, :2].min(axis=0).tolist()
    right, bottom = boxes[:, 2:].max(axis=0).tolist()
    ink = np.zeros((bottom - top, right - left), np.uint8)
    for piece in pieces:
        x, y = piece.box[0] - left, piece.box[1] - top
        window = ink[y : y + piece.height, x : x + piece.width]
        np.maximum(window, piece.ink, out=window)
    return Piece(ink, (left, top, right, bottom))


def strips(piece: Piece) -> tuple[list[Piece], list[float]]:
    """A piece cut from top to bottom wherever two digits may touch: strips from left to right.

    Returns:
        The strips, and what each border costs, from the first strip to the second, and so on: in
        log-probability, more the more ink it severs.
    """
    rows = min(SEAM_ROWS, piece.height)
    columns = max(2, round(piece.width * rows / piece.height))
    small = np.asarray(Image.fromarray(piece.ink).resize((columns, rows), Image.Resampling.BOX)) / 255
    seams, severed = _seams(small)
    if not len(seams):
        return [piece], []
    ends = (seams + 0.5) * piece.width / columns  # pixels of the piece, per seam and small row
    at = np.arange(piece.height) * rows // piece.height
    right_of = np.arange(piece.width)[None, None] > ends[:, at, None]  # (seams, height, width)
    number = right_of.sum(axis=0)
    masks = (number == i for i in range(len(seams) + 1))
    parts = [_crop(np.where(mask, piece.ink, 0).astype(np.uint8), piece.box) for mask in masks]
    costs = [CUT_COST + INK_COST * ink / rows for ink in severed]
    kept = [i for i, part in enumerate(parts) if part is not None]
    return [parts[i] for i in kept], [min(costs[i:j]) for i, j in itertools.pairwise(kept)]


def _seams(ink: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Paths from top to bottom that cross little ink, at most `MOST_CUTS`, from left to right.

    Each is the cheapest within a window around some column, found row by row as in seam carving (Avidan &
    Shamir 2007).

    Args:
        ink: (h, w), 0 to 1.

    Returns:
        (n, h) columns, and (n,) how much ink each crosses, in pixels.
    """
    height, width = ink.shape
    reach, step = max(2, round(SEAM_REACH * height)), max(1, round(SEAM_STEP * height))
    middles = np.arange(reach // 2, width - reach // 2, step)
    if not len(middles):
        return np.zeros((0, height), np.int64), np.zeros(0)
    columns = middles[:, None] + np.arange(-reach, reach + 1)  # (windows, 2 reach + 1)
    outside = (columns < 0) | (columns >= width)
    cost = ink[:, columns.clip(0, width - 1)] + np.where(outside, 1e3, 0)  # (h, windows, 2 reach + 1)
    total, came = cost[0], np.zeros(cost.shape, np.int64)
    edge = np.full((len(middles), 1), 1e6)
    for y in range(1, height):
        fromleft = np.concatenate([edge, total[:, :-1]], axis=1) + SIDEWAYS
        fromright = np.concatenate([total[:, 1:], edge], axis=1) + SIDEWAYS
        options = np.stack([fromleft, total, fromright])
        came[y] = options.argmin(axis=0) - 1
        total = options.min(axis=0) + cost[y]
    windows = np.arange(len(middles))
    place = total.argmin(axis=1)
    paths = np.zeros((len(middles), height), np.int64)
    for y in range(height - 1, -1, -1):
        paths[:, y] = columns[windows, place]
        place = place + came[y, windows, place]
    severed = np.take_along_axis(ink, paths.T, axis=1).sum(axis=0)
    chosen: list[int] = []
    for i in np.argsort(severed, kind="stable"):
        apart = all(np.abs(paths[i] - paths[j]).mean() > SEAM_STEP * height / 2 for j in chosen)
        if apart and len(chosen) < MOST_CUTS:
            chosen.append(int(i))
    chosen.sort(key=lambda i: paths[i].mean())
    return paths[chosen], severed[chosen]


def best_reading(
    pieces: list[Piece],
    score: Callable[[list[Piece]], np.ndarray],
    *,
    most_together: int = MOST_TOGETHER,
    costs: list[float] | None = None,
) -> tuple[list[Piece], float]:
    """The grouping of neighbouring pieces into digits that scores best, and its score.

    Args:
        pieces: left to right.
        score: for each of some pieces, the logarithm of how probably it is a digit.
        most_together: how many pieces one digit may be made of.
        costs: of a border between two digits after each piece but the last; None for such that grow with the
            digits' overlap, and with the gaps that a digit spans.
    """
    count = len(pieces)
    spans = [(i, j) for i in range(count) for j in range(i + 1, min(i + most_together, count) + 1)]
    joined = {span: join(pieces[slice(*span)]) for span in spans}
    likely = [span for span in spans if span[1] - span[0] == 1 or _is_narrow(joined[span])]
    scores = dict(zip(likely, score([joined[span] for span in likely]).tolist(), strict=True))
    best: list[tuple[float, list[Piece]]] = [(0.0, [])]
    for end in range(1, count + 1):
        choices = []
        for start in range(max(0, end - most_together), end):
            if (start, end) not in scores:
                continue
            total, before = best[start]
            digit = joined[start, end]
            total += scores[start, end] - _breadth_cost(digit)
            if costs is None:
                total -= _gap_cost(pieces[start:end])
            if before:
                total -= _border_cost(before[-1], digit) if costs is None else costs[start - 1]
            choices.append((total, [*before, digit]))
        best.append(max(choices, key=lambda choice: choice[0]))
    return best[-1][1], best[-1][0]


def _is_narrow(piece: Piece) -> bool:
    return piece.width <= WIDEST * piece.height


def _breadth_cost(piece: Piece) -> float:
    return BROAD_COST * max(0.0, piece.width / piece.height - BROAD)


def _gap_cost(members: list[Piece]) -> float:
    """What a digit made of these atoms loses for tall ones that stand clear of each other."""
    tallest = max(piece.height for piece in members)
    gaps = [
        right.box[0] - left.box[2]
        for left, right in itertools.pairwise(members)
        if min(left.height, right.height) > TALL * tallest
    ]
    return JOIN_COST * sum(max(0, gap) for gap in gaps) / tallest


def _border_cost(left: Piece, right: Piece) -> float:
    """What it costs to call two neighbours two digits."""
    overlap = min(left.box[2], right.box[2]) - max(left.box[0], right.box[0])
    return GAP_COST + OVERLAP_COST * max(0.0, overlap / min(left.width, right.width))


def _crop(ink: np.ndarray, box: tuple[int, int, int, int]) -> Piece | None:
    rows, columns = np.flatnonzero(ink.max(axis=1) > FAINTEST), np.flatnonzero(ink.max(axis=0) > FAINTEST)
    if not len(rows):
        return None
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    return Piece(
        ink[top:bottom, left:right],
        (box[0] + left, box[1] + top, box[0] + right, box[1] + bottom),
    )
