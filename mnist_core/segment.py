"""A picture of a number -> the pictures that may each be one of its digits, left to right.

Ink that hangs together is an atom; what may hold two touching digits is cut into strips. Every run of
neighbouring atoms or strips may be one digit; which runs are, a reader decides by scoring them (`best_reading`).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mnist_core.components import components
from mnist_core.preprocess import FAINTEST

MOST_ATOMS = 14  # a picture with more parts than this is hatching or dirt: only the largest parts are read
MOST_TOGETHER = 4  # atoms in one digit: a four in two strokes, a barred seven, and a gap in one of them
SPECK = 0.13  # of the tallest atom: what is smaller both ways is dirt, or a slip of the pen
WIDEST = 1.6  # width over height of a digit
BROAD = 0.9  # width over height beyond which a digit gets less likely
BROAD_COST = 4.0  # in log-probability, for each unit of that
LEANS = (-0.35, 0.0, 0.35)  # of horizontal shift per unit of height: how cuts may lean
MOST_CUTS = 6  # in one atom
CUT_COST = 1.2  # in log-probability: a cut through ink must be worth it
GAP_COST = 0.15  # a gap between two digits, if their boxes stand apart
OVERLAP_COST = 2.5  # more, by how much of the narrower box lies within the other
JOIN_COST = 6.0  # for each unit of height that stands clear between two tall atoms of one digit
TALL = 0.6  # of the joined height


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


def cuttings(piece: Piece) -> list[list[Piece]]:
    """The ways to cut a piece into strips, left to right, two at least: one way for each lean of the cuts."""
    ways = []
    for lean in LEANS:
        across = _positions(piece.ink.shape, lean)  # (h, w): where along the cut direction each pixel lies
        places = _thin_places(piece.ink, across)
        bounds = [-np.inf, *places, np.inf]
        strips = [
            _crop(np.where((across > low) & (across <= high), piece.ink, 0).astype(np.uint8), piece.box)
            for low, high in itertools.pairwise(bounds)
        ]
        strips = [strip for strip in strips if strip is not None]
        if len(strips) > 1:
            ways.append(strips)
    return ways


def best_reading(
    pieces: list[Piece],
    score: Callable[[list[Piece]], np.ndarray],
    *,
    most_together: int = MOST_TOGETHER,
    cost: float | None = None,
) -> tuple[list[Piece], float]:
    """The grouping of neighbouring pieces into digits that scores best, and its score.

    Args:
        pieces: left to right.
        score: for each of some pieces, the logarithm of how probably it is a digit.
        most_together: how many pieces one digit may be made of.
        cost: of each border between two digits; None for one that grows with their overlap.
    """
    count = len(pieces)
    spans = [(i, j) for i in range(count) for j in range(i + 1, min(i + most_together, count) + 1)]
    joined = {span: join(pieces[slice(*span)]) for span in spans}
    narrow = [span for span in spans if span[1] - span[0] == 1 or _is_narrow(joined[span])]
    scores = dict(zip(narrow, score([joined[span] for span in narrow]).tolist(), strict=True))
    for start, end in narrow:
        scores[start, end] -= _unlikely(joined[start, end], pieces[start:end])
    best: list[tuple[float, list[Piece]]] = [(0.0, [])]
    for end in range(1, count + 1):
        choices = []
        for start in range(max(0, end - most_together), end):
            if (start, end) in scores:
                total, before = best[start]
                digit = joined[start, end]
                border = (_border(before[-1], digit) if cost is None else cost) if before else 0.0
                choices.append((total + scores[start, end] - border, [*before, digit]))
        best.append(max(choices, key=lambda choice: choice[0]))
    return best[-1][1], best[-1][0]


def _is_narrow(piece: Piece) -> bool:
    return piece.width <= WIDEST * piece.height


def _unlikely(piece: Piece, members: list[Piece]) -> float:
    """What a digit of this shape, made of these atoms, loses of its score: for breadth and for gaps inside."""
    gaps = [
        right.box[0] - left.box[2]
        for left, right in itertools.pairwise(members)
        if min(left.height, right.height) > TALL * piece.height
    ]
    gap = sum(max(0, gap) for gap in gaps) / piece.height
    return BROAD_COST * max(0.0, piece.width / piece.height - BROAD) + JOIN_COST * gap


def _border(left: Piece, right: Piece) -> float:
    """What it costs to call two neighbours two digits."""
    overlap = min(left.box[2], right.box[2]) - max(left.box[0], right.box[0])
    return GAP_COST + OVERLAP_COST * max(0.0, overlap / min(left.width, right.width))


def _positions(shape: tuple[int, ...], lean: float) -> np.ndarray:
    y, x = np.mgrid[: shape[0], : shape[1]]
    return x + lean * (y - shape[0] / 2)


def _thin_places(ink: np.ndarray, across: np.ndarray) -> list[float]:
    """Where along `across` a cut would sever little ink: at most `MOST_CUTS` positions, in order."""
    height = len(ink)
    bins = np.floor(across - across.min()).astype(np.int64)
    profile = np.bincount(bins.ravel(), weights=ink.ravel() / 255)
    reach = max(2, round(0.06 * height))  # pixels: cuts closer than this are one
    smooth = np.convolve(profile, np.ones(3) / 3, "same")
    inked = np.flatnonzero(profile > 0.5)
    low, high = inked[0] + 0.12 * height, inked[-1] - 0.12 * height
    places: list[int] = []
    for place in np.argsort(smooth, kind="stable"):
        if low <= place <= high and all(abs(place - other) > reach for other in places):
            places.append(int(place))
        if len(places) == MOST_CUTS:
            break
    return [place + float(across.min()) + 0.5 for place in sorted(places)]


def _crop(ink: np.ndarray, box: tuple[int, int, int, int]) -> Piece | None:
    rows, columns = np.flatnonzero(ink.max(axis=1) > FAINTEST), np.flatnonzero(ink.max(axis=0) > FAINTEST)
    if not len(rows):
        return None
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    return Piece(
        ink[top:bottom, left:right],
        (box[0] + left, box[1] + top, box[0] + right, box[1] + bottom),
    )
