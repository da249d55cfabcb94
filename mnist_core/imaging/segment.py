"""A picture of a number -> images of its digits, left to right.

Each connected component of ink is an atom. Every run of neighbouring atoms may be one digit; the network's
scores decide which are (`best_reading`). What may be two touching digits is cut in two along many lines, and
the same scores decide along which, if any (`cuts`, `best_cut`).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mnist_core.imaging.connected_components import components
from mnist_core.imaging.preprocess import FAINTEST

MOST_ATOMS = 14  # more parts than this are hatching or dirt: only the largest are read
MOST_TOGETHER = 4  # atoms in one digit: a four in two strokes, a barred seven, and a gap in one of them
SPECK = 0.13  # of the largest atom's longer side: anything smaller is dirt, or a slip of the pen
WIDEST = 1.6  # width over height of a digit made of several atoms
CUT_ROWS = 64  # rows in which halves are read before a cut is chosen
CUT_STEP = 0.05  # of the height: how far apart cuts are tried
MOST_PLACES = 40  # at which cuts are tried
LEANS = (-0.3, 0.0, 0.3)
EDGE = 0.1  # of the width, at either side, where no cut is tried
SHARED = 0.04  # of the height: ink this close to a cut belongs to both halves, since strokes overlap there
MOST_SEVERED = 0.6  # of a cut may run through ink
MOST_UNEVEN = 0.5  # natural logarithm: one half is at most 1.65 times as high as the other
MOST_INK = 0.95  # of all ink in one half, so that cutting ends
NARROWEST = 0.3  # width over height: anything narrower is one digit or none
# What follows is in log-probability. The first four were fitted to 1,367 touching pairs and 1,012 single
# digits of which the network is unsure, all synthetic: by maximum likelihood of the correct readings, in a
# softmax over all cuts and the whole, a single digit counting three times.
HALVES_WEIGHT = 3.2  # of what the network reads in the halves
WHOLE_WEIGHT = 4.2  # of what it reads in the whole
UNEVEN_COST = 2.9  # of halves whose heights differ by a factor of e
CUT_COST = 5.3  # of any cut
# With less support than this a piece is neither one digit nor two: it stays whole, and the network is not
# sure of it. Then 42 % of people's letters are cut instead of 53 %, at a cost of one touching pair in fifty.
LEAST_SUPPORT = -8.0
# In a broad piece, a half that is broad too and reads as no digit may be several: this is its assumed score.
# It raises three touching digits from 14 to 35 % right, and costs pairs half a point.
SEVERAL_WHOLE, SEVERAL_BREADTH, SEVERAL_LIKELY = 1.8, 1.05, -0.8
# The rest was chosen on numbers composed of synthetic digits.
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
    """The connected components of ink (H, W), left to right by their middles, without specks and dirt."""
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
    """Several pieces joined into one."""
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


@dataclass(frozen=True)
class Cut:
    """A straight line through a piece, from top to bottom, that may separate two touching digits.

    Attributes:
        middle: where it crosses the middle row, as a share of the width.
        lean: columns to the right for each row upwards.
        uneven: the logarithm of the ratio of the halves' heights, the higher over the lower.
        breadths: width over height of either half.
    """

    middle: float
    lean: float
    uneven: float
    breadths: tuple[float, float] = (0.0, 0.0)

    def halves(self, ink: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Ink (h, w) left and right of the line, (h, w) each; what lies close to it is in both."""
        height, width = ink.shape
        line = _lines(ink.shape, np.array([self.middle]), np.array([self.lean]))[0, :, None]
        columns, shared = np.arange(width), SHARED * height
        return np.where(columns <= line + shared, ink, 0), np.where(columns >= line - shared, ink, 0)


def shrink(ink: np.ndarray) -> np.ndarray:
    """Ink (h, w) scaled down to `CUT_ROWS` rows at most, still more than the network sees."""
    height, width = ink.shape
    if height <= CUT_ROWS:
        return ink
    size = (max(1, round(width * CUT_ROWS / height)), CUT_ROWS)
    return np.asarray(Image.fromarray(ink).resize(size, Image.Resampling.BOX))


def cuts(ink: np.ndarray) -> list[Cut]:
    """The cuts through ink (h, w) that sever little of it and leave halves of about equal height."""
    height, width = ink.shape
    if width < NARROWEST * height:
        return []
    middles = np.arange(EDGE, 1 - EDGE, max(CUT_STEP * height / width, 1 / MOST_PLACES))
    middles, leans = (each.ravel() for each in np.meshgrid(middles, LEANS))
    lines = _lines(ink.shape, middles, leans)  # (n, h)
    crossed = lines.round().astype(int).clip(0, width - 1)
    severed = ink[np.arange(height), crossed].sum(axis=1) / (255 * height)
    inked = ink > FAINTEST
    written = inked.any(axis=1)
    first = np.where(written, inked.argmax(axis=1), 2 * width)  # in each row; far outside if it has none
    last = np.where(written, width - 1 - inked[:, ::-1].argmax(axis=1), -width)
    shared = SHARED * height
    heights = _extent(first <= lines + shared), _extent(last >= lines - shared)
    uneven = np.abs(np.log(heights[0] / heights[1]))
    lefts, rights = (_ink_up_to(ink, lines + shared), _ink_up_to(ink[:, ::-1], width - 1 - lines + shared))
    kept = (severed <= MOST_SEVERED) & (uneven <= MOST_UNEVEN) & (np.maximum(lefts, rights) <= MOST_INK)
    breadths = np.stack([middles * width / heights[0], (1 - middles) * width / heights[1]], axis=1)
    found = zip(middles[kept], leans[kept], uneven[kept], map(tuple, breadths[kept]), strict=True)
    return [Cut(*each) for each in found]


def part(piece: Piece, cut: Cut) -> tuple[Piece, Piece]:
    """A piece's two halves."""
    left, right = (_crop(half, piece.box) for half in cut.halves(piece.ink))
    return left, right


def best_cut(cuts: list[Cut], probabilities: np.ndarray, whole: float) -> Cut | None:
    """The cut by which a piece is two digits rather than one; None if it is one digit, or none.

    Cuts that lead to the same reading support each other: the reading with the largest sum of scores wins.

    Args:
        cuts: n of them.
        probabilities: (n, 2, 10), the network's for their halves.
        whole: logarithm of the likeliest digit's probability when the piece is read as one.
    """
    likely, digits = np.log(probabilities.max(axis=2)), probabilities.argmax(axis=2)  # (n, 2)
    breadths = np.array([cut.breadths for cut in cuts])
    several = (breadths > SEVERAL_BREADTH) & (breadths.sum(axis=1, keepdims=True) > SEVERAL_WHOLE)
    several &= likely < SEVERAL_LIKELY
    likely, digits = np.where(several, SEVERAL_LIKELY, likely), np.where(several, 10, digits)
    uneven = np.array([cut.uneven for cut in cuts])
    scores = HALVES_WEIGHT * likely.sum(axis=1) - UNEVEN_COST * uneven - CUT_COST
    readings = digits @ (11, 1)
    support = np.bincount(readings, np.exp(scores))
    if np.log(support.max()) <= max(WHOLE_WEIGHT * whole, LEAST_SUPPORT):
        return None
    return cuts[int(np.where(readings == support.argmax(), scores, -np.inf).argmax())]


def _lines(
    shape: tuple[int, int], middles: NDArray[np.float64], leans: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The columns where n lines cross the rows of a picture of this shape: (n, h)."""
    height, width = shape
    return middles[:, None] * width + leans[:, None] * ((height - 1) / 2 - np.arange(height))


def _ink_up_to(ink: NDArray[np.uint8], lines: NDArray[np.float64]) -> NDArray[np.float64]:
    """The share of ink (h, w) on or to the left of each of the lines (n, h): (n,)."""
    height, width = ink.shape
    sums = np.cumsum(ink, axis=1, dtype=np.float64)[np.arange(height), lines.astype(int).clip(0, width - 1)]
    shares: NDArray[np.float64] = np.where(lines < 0, 0, sums).sum(axis=1) / ink.sum()
    return shares


def _extent(rows: np.ndarray) -> np.ndarray:
    """From the first to the last of the rows (n, h) that are True, both counted: (n,); 1 if none is."""
    between = rows.shape[1] - rows.argmax(axis=1) - rows[:, ::-1].argmax(axis=1)
    return np.where(rows.any(axis=1), between, 1)


def best_reading(
    pieces: list[Piece],
    score: Callable[[list[Piece]], np.ndarray],
) -> list[Piece]:
    """The grouping of neighbouring pieces into digits that scores best.

    A border between digits costs more the more they overlap, and a gap within a digit more the wider it is.

    Args:
        pieces: left to right.
        score: gives the log-probability of each piece being a digit.
    """
    count = len(pieces)
    spans = [(i, j) for i in range(count) for j in range(i + 1, min(i + MOST_TOGETHER, count) + 1)]
    joined = {span: join(pieces[slice(*span)]) for span in spans}
    likely = [span for span in spans if span[1] - span[0] == 1 or _is_narrow(joined[span])]
    scores = dict(zip(likely, score([joined[span] for span in likely]).tolist(), strict=True))
    best: list[tuple[float, list[Piece]]] = [(0.0, [])]
    for end in range(1, count + 1):
        choices = []
        for start in range(max(0, end - MOST_TOGETHER), end):
            if (start, end) not in scores:
                continue
            total, before = best[start]
            digit = joined[start, end]
            total += scores[start, end] - _breadth_cost(digit) - _gap_cost(pieces[start:end])
            if before:
                total -= _border_cost(before[-1], digit)
            choices.append((total, [*before, digit]))
        best.append(max(choices, key=lambda choice: choice[0]))
    return best[-1][1]


def _is_narrow(piece: Piece) -> bool:
    return piece.width <= WIDEST * piece.height


def _breadth_cost(piece: Piece) -> float:
    return BROAD_COST * max(0.0, piece.width / piece.height - BROAD)


def _gap_cost(members: list[Piece]) -> float:
    """The cost of joining these atoms into a digit, for gaps between tall ones."""
    tallest = max(piece.height for piece in members)
    gaps = [
        right.box[0] - left.box[2]
        for left, right in itertools.pairwise(members)
        if min(left.height, right.height) > TALL * tallest
    ]
    return JOIN_COST * sum(max(0, gap) for gap in gaps) / tallest


def _border_cost(left: Piece, right: Piece) -> float:
    """The cost of taking two neighbours for two digits."""
    overlap = min(left.box[2], right.box[2]) - max(left.box[0], right.box[0])
    return GAP_COST + OVERLAP_COST * max(0.0, overlap / min(left.width, right.width))


def _crop(ink: np.ndarray, box: tuple[int, int, int, int]) -> Piece:
    rows, columns = np.flatnonzero(ink.max(axis=1) > FAINTEST), np.flatnonzero(ink.max(axis=0) > FAINTEST)
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    return Piece(
        ink[top:bottom, left:right],
        (box[0] + left, box[1] + top, box[0] + right, box[1] + bottom),
    )
