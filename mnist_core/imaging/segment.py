"""A picture of a number -> its digits, row by row and from left to right.

Each connected component of ink is an atom, or, where the pen's lines are known, each line. Every run of
neighbouring atoms may be a digit, a string of digits that touch, or no digit; how probable each of these is
comes from outside, and the most probable reading of a row is chosen (`best_reading`). A string is then cut
into its digits (`cuts`, `part`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from mnist_core.imaging.connected_components import Components, components
from mnist_core.imaging.pen import draw_line
from mnist_core.imaging.preprocess import FAINTEST

MOST_ATOMS = 14  # more parts than this are hatching or dirt: only the largest are read
MOST_TOGETHER = 6  # atoms in one digit or sign: a face has five
SPECK = 0.13  # of the largest atom's longer side: anything smaller is dirt, or a slip of the pen
DUST = 0.04  # of the same: anything smaller is no point or comma either
WIDEST = 3.2  # width over height of three digits that touch
FARTHEST = 0.4  # of the height: atoms further apart are no parts of one sign
MARK = 0.65  # of the highest digit: what is none and no higher is a sign beside the digits
MARK_ASPECT = 1.6  # times that: how wide such a sign may be
PEN_MARGIN = 1.1  # times the estimated width of the pen, so that a line is taken with its edges
ROW_GAP, ROW_HEIGHT = 0.12, 0.4  # of a row's height between two rows; a row's least height, of the highest's
CUT_ROWS = 64  # rows in which halves are read before a cut is chosen
CUT_STEP = 0.05  # of the height: how far apart cuts are tried
MOST_PLACES = 40  # at which cuts are tried
LEANS = (-0.3, 0.0, 0.3)
EDGE = 0.1  # of the width, at either side, where no cut is tried
SHARED = 0.04  # of the height: ink this close to a cut belongs to both halves, since strokes overlap there
MOST_SEVERED = 0.6  # of a cut may run through ink
MOST_UNEVEN = 0.7  # natural logarithm: one half is at most twice as high as the other
MOST_INK = 0.97  # of all ink in one half
# What follows is in log-probability, chosen on synthetic numbers, letters and scribbles.
UNEVEN_COST = 1.5  # of halves whose heights differ by a factor of e
NONE_COST = 0.7  # of every piece that is taken for no digit
SMALL_NONE_COST, LOW = 0.1, 0.35  # of one no higher than this share of the row: beside digits, it is a mark
ASIDE_COST, ASIDE = 4.0, 0.04  # of a digit with an atom that low, further aside than this share of its height
SMALL_COST, SMALL = 6.0, 0.65  # of a digit lower than this share of the row, times what it lacks of it
BORDER_COST = 0.15  # of every border between two neighbours
CLOSE_COST, CLOSE = 1.5, 0.15  # more where they touch, falling to 0 at this share of the height apart
OVERLAP_COST = 2.5  # more where the narrower one's columns are all the other's too
JOIN_COST = 6.0  # of gaps between the atoms of one sign or string, in all as wide as the highest is high
APART_COST, APART = 1.0, 0.04  # of a string of more digits than atoms, two of them this far apart or further
LINE_COST = 1.0  # of a border where the atoms are the pen's lines, wherever these lie
JOINED_COST = 1.5  # of every digit after the first in a string, where the pen's lines may part it


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


@dataclass(frozen=True, eq=False)
class Group:
    """A piece and what was decided about it.

    Attributes:
        piece: the ink.
        length: how many digits it is, 0 for none.
    """

    piece: Piece
    length: int


# The log-probabilities (n, 4) that each of n pieces is no digit, one, two or three that touch.
Judge = Callable[[list[Piece]], NDArray[np.float64]]


def atoms(ink: np.ndarray) -> tuple[list[Piece], list[Piece]]:
    """The connected components of ink (H, W), left to right by their middles: possible signs, and specks."""
    inked = _crop(ink)
    if inked is None:
        return [], []
    parts = components(inked.ink > FAINTEST)
    sizes = np.maximum(parts.boxes[:, 2] - parts.boxes[:, 0], parts.boxes[:, 3] - parts.boxes[:, 1])
    large = sizes >= SPECK * sizes.max()
    chosen = []
    for some in (large, ~large & (sizes >= DUST * sizes.max())):
        found = np.flatnonzero(some)
        largest = found[np.argsort(-parts.areas[found], kind="stable")][:MOST_ATOMS]
        pieces = [_component(inked, parts, part) for part in largest.tolist()]
        chosen.append(sorted(pieces, key=lambda piece: piece.box[0] + piece.box[2]))
    return chosen[0], chosen[1]


def _component(inked: Piece, parts: Components, part: int) -> Piece:
    left, top, right, bottom = parts.boxes[part].tolist()
    window = (slice(top, bottom), slice(left, right))
    x, y = inked.box[:2]
    return Piece(
        np.where(parts.labels[window] == part, inked.ink[window], np.uint8(0)),
        (x + left, y + top, x + right, y + bottom),
    )


def marks(groups: list[Group], specks: list[Piece]) -> tuple[list[Group], list[Piece]]:
    """A row without the small signs beside its digits (a minus, a plus, a point, a comma), and these.

    Args:
        groups: the row, left to right.
        specks: ink too small to be a digit. One on the line between two digits is a point or a comma.
    """
    digits = [group.piece for group in groups if group.length]
    if not digits:
        return groups, []
    tallest = max(piece.height for piece in digits)
    small = {
        group.piece
        for group in groups
        if not group.length and max(group.piece.height, group.piece.width / MARK_ASPECT) <= MARK * tallest
    }
    found = [group.piece for group in groups if group.piece in small]
    for left, right in itertools.pairwise(digits):
        low = (left.box[1] + left.box[3] + right.box[1] + right.box[3]) / 4
        found += [
            speck
            for speck in specks
            if left.box[2] <= speck.box[0] and speck.box[2] <= right.box[0] and speck.box[1] >= low
        ]
    return [group for group in groups if group.piece not in small], found


def pen_lines(paths: list[NDArray[np.float64]], ink: np.ndarray) -> list[Piece]:
    """The ink (H, W) of each of the pen's lines, in the order drawn, without those that left none.

    Args:
        paths: the pen's lines, each (k, 2), x and y in pixels of `ink`.
    """
    length = sum(float(np.hypot(*np.diff(path, axis=0).T).sum()) for path in paths)
    inked = np.count_nonzero(ink > FAINTEST)
    # n lines of width w and length l in all cover w * l and n discs of w across, less where they cross.
    ends = math.pi * len(paths)
    width = max(2.0, PEN_MARGIN * 2 * (math.sqrt(length**2 + ends * inked) - length) / ends)
    pieces = []
    for path in paths:
        mask = Image.new("L", ink.shape[::-1])
        draw_line(ImageDraw.Draw(mask), path, width, 255)
        if (piece := _crop(np.minimum(np.asarray(mask), ink))) is not None:
            pieces.append(piece)
    return pieces


def rows(pieces: list[Piece]) -> list[list[Piece]]:
    """Pieces, sorted by rows of writing from top to bottom; within each as they were."""
    found: list[list[Piece]] = []
    bottom = 0
    for piece in sorted(pieces, key=lambda piece: piece.box[1]):
        if found and piece.box[1] < bottom:
            found[-1].append(piece)
            bottom = max(bottom, piece.box[3])
        else:
            found.append([piece])
            bottom = piece.box[3]
    if len(found) < 2:
        return [pieces] if pieces else []
    heights = [max(p.box[3] for p in row) - min(p.box[1] for p in row) for row in found]
    gaps = [min(p.box[1] for p in b) - max(p.box[3] for p in a) for a, b in itertools.pairwise(found)]
    high = min(heights) >= ROW_HEIGHT * max(heights) and all(gap > ROW_GAP * max(heights) for gap in gaps)
    if not high:
        return [pieces]
    return [sorted(row, key=pieces.index) for row in found]


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
        severed: the share of it that runs through ink.
    """

    middle: float
    lean: float
    uneven: float
    severed: float = 0.0

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
    found = np.stack([middles, leans, uneven, severed], axis=1)[kept]
    return [Cut(*each) for each in found.tolist()]


def part(piece: Piece, cut: Cut) -> tuple[Piece, Piece] | None:
    """A piece's two halves; None if there is ink on one side only."""
    left, right = (_crop(half, piece.box[:2]) for half in cut.halves(piece.ink))
    return None if left is None or right is None else (left, right)


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


def best_reading(pieces: list[Piece], judge: Judge, *, as_drawn: bool = False) -> tuple[list[Group], float]:
    """The most probable division of neighbouring pieces into digits, strings and what is none, and its score.

    A border between digits costs more the closer they are, and a gap within a sign more the wider it is.

    Args:
        pieces: left to right.
        as_drawn: they are the pen's lines, in the order drawn: a border costs the same wherever it is.
    """
    costs = np.array([NONE_COST, 0, 0, 0])
    if as_drawn:
        costs[2:] = JOINED_COST, 2 * JOINED_COST
    highest = max(piece.height for piece in pieces)
    spans = list(_spans(pieces))
    joined = {span: join(pieces[slice(*span)]) for span in spans}
    scores = dict(zip(spans, judge([joined[span] for span in spans]), strict=True))
    best: list[tuple[float, list[Group]]] = [(0.0, [])]
    for end in range(1, len(pieces) + 1):
        choices = []
        for start in range(max(0, end - MOST_TOGETHER), end):
            if (start, end) not in scores:
                continue
            total, before = best[start]
            members, piece = pieces[start:end], joined[start, end]
            each = scores[start, end] - costs
            share = piece.height / highest
            if share <= LOW:  # a comma looks like a small 1
                each[0] = np.logaddexp(*scores[start, end][:2]) - SMALL_NONE_COST
            each[1:] -= SMALL_COST * max(0.0, SMALL - share) + _aside_cost(members, piece.height)
            if not as_drawn:
                each[len(members) + 1 :] -= _apart_cost(members, piece.height)
            length = int(each.argmax())
            total += float(each[length]) - _gap_cost(members)
            if before:
                total -= LINE_COST if as_drawn else _border_cost(before[-1].piece, piece)
            choices.append((total, [*before, Group(piece, length)]))
        best.append(max(choices, key=lambda choice: choice[0]))
    score, groups = best[-1]
    return groups, score


def _spans(pieces: list[Piece]) -> Iterator[tuple[int, int]]:
    """The runs of neighbouring pieces, (start, end), that may be one sign or string."""
    for start in range(len(pieces)):
        yield start, start + 1
        left, top, right, bottom = pieces[start].box
        for end in range(start + 2, min(start + MOST_TOGETHER, len(pieces)) + 1):
            box = pieces[end - 1].box
            apart = max(left, box[0]) - min(right, box[2])
            left, top = min(left, box[0]), min(top, box[1])
            right, bottom = max(right, box[2]), max(bottom, box[3])
            height = bottom - top
            if apart > FARTHEST * height:
                break
            if right - left <= WIDEST * height:
                yield start, end


def _gap_cost(members: list[Piece]) -> float:
    """The cost of joining these atoms, for the gaps between them."""
    gaps = sum(max(0, _gap(*pair)) for pair in itertools.pairwise(members))
    return JOIN_COST * gaps / max(piece.height for piece in members)


def _aside_cost(members: list[Piece], height: int) -> float:
    """The cost of taking these atoms for a digit, if one is a mark beside the others."""
    high = [piece for piece in members if piece.height > LOW * height]
    low = [piece for piece in members if piece.height <= LOW * height]
    aside = (min(_gap(piece, other) for other in high) > ASIDE * height for piece in low if high)
    return ASIDE_COST if any(aside) else 0.0


def _apart_cost(members: list[Piece], height: int) -> float:
    """The cost of taking these atoms for more digits than there are atoms, if not all of them are close.

    One atom would be several digits that touch, and another, which stands apart, no digit of its own.
    """
    apart = any(_gap(*pair) > APART * height for pair in itertools.pairwise(members))
    return APART_COST if apart else 0.0


def _gap(one: Piece, other: Piece) -> int:
    """The columns between two pieces; below 0, those that they share."""
    return max(one.box[0], other.box[0]) - min(one.box[2], other.box[2])


def _border_cost(left: Piece, right: Piece) -> float:
    """The cost of taking two neighbours for two signs."""
    gap = _gap(left, right)
    overlap = max(0.0, -gap / min(left.width, right.width))
    close = max(0.0, 1 - max(gap, 0) / (CLOSE * max(left.height, right.height)))
    return BORDER_COST + CLOSE_COST * close + OVERLAP_COST * min(1.0, overlap)


def _crop(ink: np.ndarray, corner: tuple[int, int] = (0, 0)) -> Piece | None:
    """Ink (h, w) within its box; None if there is none.

    Args:
        corner: the column and row of the whole ink picture at which `ink` begins.
    """
    rows = np.flatnonzero(ink.max(axis=1, initial=0) > FAINTEST)
    if not len(rows):
        return None
    columns = np.flatnonzero(ink.max(axis=0) > FAINTEST)
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    x, y = corner
    return Piece(ink[top:bottom, left:right], (x + left, y + top, x + right, y + bottom))
