"""The smallest edit of a drawing that changes what the network reads in it.

An edit is made as a hand would make it: whole dabs of the pen, drawn or erased, as wide as the drawing's
own pen. Every edited drawing is preprocessed again before it is read, so an edit that moves or rescales the
digit is judged by what the network would then see.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from mnist_core.model import CLASSES, IMAGE_SIZE, ConvNet
from mnist_core.preprocess import normalise, place

BUDGET = 0.20  # of the drawing's ink
_DABS = 8  # at most; more no longer look like an edit
_TRIED = 24  # dabs looked at closely in each unfinished edit, those that the gradient holds to be the best
_KEPT = 4  # unfinished edits that are followed further


@dataclass(frozen=True)
class Dab:
    """One touch of the pen (or of the eraser, if `drawn` is False): its centre's row and column in pixels."""

    row: int
    column: int
    drawn: bool


@dataclass(frozen=True)
class Edit:
    """An edit that changes the answer.

    Attributes:
        picture: (28, 28) uint8, the edited drawing, not preprocessed again.
        dabs: what was drawn and erased.
        pen: the dabs' diameter in pixels.
        change: ink drawn plus ink erased, as a share of the ink there was.
        digit: what is read now.
        probability: of that digit.
    """

    picture: np.ndarray
    dabs: tuple[Dab, ...]
    pen: float
    change: float
    digit: int
    probability: float


@dataclass(frozen=True)
class _Draft:
    """An unfinished edit.

    Attributes:
        ink: (28, 28) float32, 0 to 1.
        lead: log-probability of the strongest other digit, less the target's; negative once the answer flips.
    """

    ink: np.ndarray
    dabs: tuple[Dab, ...] = ()
    change: float = 0.0
    lead: float = math.inf


def smallest_edit(
    model: ConvNet, picture: np.ndarray, target: int | None = None, budget: float = BUDGET
) -> Edit | None:
    """The smallest edit found that makes the network read `target`; None if none was found within the budget.

    A beam search over whole dabs. In every unfinished edit the gradient ranks all dabs by how much they
    promise for their ink; the most promising are made, preprocessed and read. It ends with the first edit
    that flips the answer and then takes back whatever dab was not needed.

    Args:
        model: the network, in evaluation mode.
        picture: (28, 28) uint8, as `preprocess` returns it, with ink in it.
        target: the digit it is to become; None for the easier of the two likeliest others, or, where neither
            can be had, the first of the rest that can.
        budget: the most that may be drawn and erased, as a share of the picture's ink.

    Raises:
        ValueError: a blank picture, or a target that is no digit or is what is read already.
    """
    if not picture.any():
        raise ValueError("Expected a picture with ink in it; got a blank one. Draw a digit first.")
    order = _read(model, picture[None])[0].argsort()[::-1]
    if target is None:
        for others in (order[1:3], order[3:4], order[4:5]):
            found = [_search(model, picture, int(other), budget) for other in others]
            if any(found):
                return min(filter(None, found), key=lambda edit: edit.change)
        return None
    if target not in range(CLASSES) or target == order[0]:
        raise ValueError(
            f"Expected a digit from 0 to 9 other than {order[0]}, which is read now; got {target!r}."
        )
    return _search(model, picture, target, budget)


def pen_width(picture: np.ndarray) -> float:
    """The width in pixels of the pen that drew (28, 28): its ink over half the length of its edge."""
    ink = picture.astype(np.float32) / 255
    rows, columns = np.gradient(np.pad(ink, 1))
    return float(np.clip(2 * ink.sum() / np.hypot(rows, columns).sum(), 1.5, 5.0))


def _search(model: ConvNet, picture: np.ndarray, target: int, budget: float) -> Edit | None:
    pen = pen_width(picture)
    discs = _discs(pen)  # (784, 28, 28)
    start = picture.astype(np.float32) / 255
    drafts = [_Draft(start)]
    for _ in range(_DABS):
        tried = [new for draft in drafts for new in _one_dab_more(model, draft, start, target, discs, budget)]
        tried = _judged(model, _distinct(tried), target)
        done = [draft for draft in tried if draft.lead < 0]
        if done:
            best = _without_needless_dabs(
                model, min(done, key=lambda draft: draft.change), start, target, discs
            )
            return _finished(model, best, pen)
        drafts = sorted(tried, key=lambda draft: draft.lead)[:_KEPT]
        if not drafts:
            return None
    return None


def _one_dab_more(
    model: ConvNet, draft: _Draft, start: np.ndarray, target: int, discs: np.ndarray, budget: float
) -> list[_Draft]:
    """The drafts with one more dab that promise most, each within the budget."""
    drawn = np.maximum(draft.ink, discs)  # (784, 28, 28)
    erased = np.minimum(draft.ink, 1 - discs)
    edited = np.concatenate([drawn, erased])
    moved = edited - draft.ink
    change = np.abs(edited - start).sum(axis=(1, 2)) / start.sum()
    size = np.abs(moved).sum(axis=(1, 2))
    promise = np.tensordot(moved, _slope(model, draft.ink, target), axes=2)
    promise[(change > budget) | (size < 0.5)] = -np.inf
    ranked = [int(at) for at in np.argsort(-promise)[:_TRIED] if promise[at] > -np.inf]
    return [_Draft(edited[at], (*draft.dabs, _dab(at)), change[at]) for at in ranked]


def _dab(at: int) -> Dab:
    """The dab at an index into all dabs drawn, then all dabs erased, row by row."""
    erased, place = divmod(at, IMAGE_SIZE**2)
    return Dab(*divmod(place, IMAGE_SIZE), drawn=not erased)


def _slope(model: ConvNet, ink: np.ndarray, target: int) -> np.ndarray:
    """How fast the target's lead over the strongest other digit grows with each pixel's ink: (28, 28)."""
    with torch.enable_grad():
        pixels = torch.from_numpy(ink).requires_grad_()
        scores = model(normalise(pixels * 255))[0]
        others = scores.clone()
        others[target] = -torch.inf
        (slope,) = torch.autograd.grad(scores[target] - others.max(), pixels)
    return slope.numpy()


def _judged(model: ConvNet, drafts: list[_Draft], target: int) -> list[_Draft]:
    """The drafts with their `lead`, read as the classifier would read them."""
    if not drafts:
        return []
    scores = _read(model, np.stack([_bytes(draft.ink) for draft in drafts]))
    leads = np.delete(scores, target, axis=1).max(axis=1) - scores[:, target]
    return [
        _Draft(draft.ink, draft.dabs, draft.change, float(lead))
        for draft, lead in zip(drafts, leads, strict=True)
    ]


def _without_needless_dabs(
    model: ConvNet, draft: _Draft, start: np.ndarray, target: int, discs: np.ndarray
) -> _Draft:
    for dab in draft.dabs:
        dabs = tuple(other for other in draft.dabs if other != dab)
        ink = start
        for other in dabs:
            disc = discs[other.row * IMAGE_SIZE + other.column]
            ink = np.maximum(ink, disc) if other.drawn else np.minimum(ink, 1 - disc)
        change = float(np.abs(ink - start).sum() / start.sum())
        (less,) = _judged(model, [_Draft(ink, dabs, change)], target)
        if less.lead < 0 and less.change < draft.change:
            draft = less
    return draft


def _finished(model: ConvNet, draft: _Draft, pen: float) -> Edit:
    picture = _bytes(draft.ink)
    scores = _read(model, picture[None])[0]
    digit = int(scores.argmax())
    return Edit(picture, draft.dabs, pen, float(draft.change), digit, float(np.exp(scores[digit])))


def _read(model: ConvNet, pictures: np.ndarray) -> np.ndarray:
    """Pictures (N, 28, 28) uint8, preprocessed again -> log-probabilities (N, 10)."""
    with torch.no_grad():
        return model(normalise(np.stack([place(picture) for picture in pictures]))).numpy()


def _discs(pen: float) -> np.ndarray:
    """A round dab of diameter `pen` pixels around each pixel, with a soft edge: (784, 28, 28), 0 to 1."""
    rows, columns = np.mgrid[:IMAGE_SIZE, :IMAGE_SIZE]
    centres = np.stack([rows.ravel(), columns.ravel()])[:, :, None, None]
    away = np.hypot(rows - centres[0], columns - centres[1])
    return np.clip(pen / 2 + 0.5 - away, 0, 1).astype(np.float32)


def _distinct(drafts: list[_Draft]) -> list[_Draft]:
    return list({frozenset(draft.dabs): draft for draft in drafts}.values())


def _bytes(ink: np.ndarray) -> np.ndarray:
    return (ink * 255).round().astype(np.uint8)
