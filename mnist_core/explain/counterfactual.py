"""Counterfactuals: the smallest edit of a drawing that changes what the network reads in it.

An edit is one that a hand could make: whole dabs of the pen, drawn or erased, as wide as the drawing's own
pen. Every edited drawing is preprocessed again before it is read, so an edit that moves or rescales the
digit is judged by what the network would then see.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from mnist_core.config import check_number
from mnist_core.imaging.preprocess import normalise, place
from mnist_core.inference import check_picture, evaluating, predict, undisturbed
from mnist_core.model import CLASSES, ConvNet

BUDGET = 0.20  # of the drawing's ink
_DABS = 8  # at most; more no longer look like an edit
_TRIED = 24  # dabs tried in each unfinished edit, the gradient's best
_LEAST = 0.5  # fully inked pixels; a dab that changes less is no edit
_KEPT = 4  # beam width: unfinished edits that are kept


@dataclass(frozen=True)
class Dab:
    """One touch of the pen (or of the eraser, if `drawn` is False): its centre's row and column in pixels."""

    row: int
    column: int
    drawn: bool


@dataclass(frozen=True)
class Edit:
    """An edit that flips the answer.

    Attributes:
        picture: (28, 28) uint8, the edited drawing, not preprocessed again.
        dabs: what was drawn and erased.
        pen: the dabs' diameter in pixels.
        change: ink drawn plus ink erased, as a share of the original ink.
        digit: what is read then.
    """

    picture: np.ndarray
    dabs: tuple[Dab, ...]
    pen: float
    change: float
    digit: int


@dataclass(frozen=True)
class _Draft:
    """An unfinished edit.

    Attributes:
        ink: (28, 28) float32, 0 to 1.
        lead: log-probability of the likeliest other digit, less the target's; negative once the answer flips.
    """

    ink: np.ndarray
    dabs: tuple[Dab, ...] = ()
    change: float = 0.0
    lead: float = math.inf


@undisturbed()
def smallest_edit(
    model: ConvNet, picture: np.ndarray | torch.Tensor, target: int | None = None, budget: float = BUDGET
) -> Edit | None:
    """The smallest edit found that makes the network read `target`; None if none was found within the budget.

    A beam search over whole dabs. In every unfinished edit the gradient ranks all dabs by their expected
    effect; the most promising are made, preprocessed and read. It ends with the first edit that flips the
    answer, from which unneeded dabs are then removed.

    Args:
        model: the network, which is read without dropout.
        picture: (28, 28) uint8, an array or a tensor, as `preprocess` returns it, with ink in it.
        target: the digit it is to become; None for the easier of the two likeliest others, or, if neither
            is within reach, the next likeliest that is.
        budget: the most that may be drawn and erased, as a share of the picture's ink.

    Raises:
        ValueError: not a picture, a blank one, a target that is no digit or is read already, a budget that is
            no number, or a network whose answers are no numbers.
    """
    check_picture(picture)
    picture = np.asarray(picture)
    budget = check_number("budget", budget, 0, 100)
    if not picture.any():
        raise ValueError("Expected a picture with ink in it; got a blank one. Draw a digit first.")
    with evaluating(model):
        return _smallest_edit(model, picture, target, budget)


def _smallest_edit(model: ConvNet, picture: np.ndarray, target: int | None, budget: float) -> Edit | None:
    order = _read(model, picture[None])[0].argsort()[::-1]
    if target is None:
        for others in (order[1:3], order[3:4], order[4:5]):
            found = [_Search(model, picture, int(other), budget).run() for other in others]
            if any(found):
                return min(filter(None, found), key=lambda edit: edit.change)
        return None
    if isinstance(target, bool) or target not in range(CLASSES) or target == order[0]:
        raise ValueError(
            f"Expected a digit from 0 to 9 other than {order[0]}, which is read now; got {target!r}."
        )
    return _Search(model, picture, int(target), budget).run()


def pen_width(picture: np.ndarray | torch.Tensor) -> float:
    """The width in pixels of the pen that drew (28, 28): its ink over half the length of its edge."""
    check_picture(picture)
    ink = np.asarray(picture, np.float32) / 255
    rows, columns = np.gradient(np.pad(ink, 1))
    return float(np.clip(2 * ink.sum() / np.hypot(rows, columns).sum(), 1.5, 5.0))


class _Search:
    """The search for one edit: towards `target`, from `picture`, with a pen as wide as the picture's own."""

    def __init__(self, model: ConvNet, picture: np.ndarray, target: int, budget: float) -> None:
        self.model, self.target, self.budget = model, target, budget
        self.start = picture.astype(np.float32) / 255
        self.pen = pen_width(picture)
        self.disc = _disc(self.pen)

    def run(self) -> Edit | None:
        """The first edit that flips the answer, without unneeded dabs; None if there is none."""
        drafts = [_Draft(self.start)]
        for _ in range(_DABS):
            tried = {frozenset(new.dabs): new for draft in drafts for new in self._one_dab_more(draft)}
            judged = self._judged(list(tried.values()))
            done = [draft for draft in judged if draft.lead < 0]
            if done:
                return self._finished(self._trimmed(min(done, key=lambda draft: draft.change)))
            drafts = sorted(judged, key=lambda draft: draft.lead)[:_KEPT]
        return None

    def _one_dab_more(self, draft: _Draft) -> list[_Draft]:
        """The most promising drafts with one more dab, each within the budget."""
        now, before, slope = (
            _windows(each, len(self.disc))
            for each in (draft.ink, self.start, _slope(self.model, draft.ink, self.target))
        )  # (28, 28, k, k) each: what lies under a dab around each pixel
        edited = np.stack([np.maximum(now, self.disc), np.minimum(now, 1 - self.disc)])  # drawn, erased
        moved = edited - now  # (2, 28, 28, k, k)
        change = np.abs(edited - before) - np.abs(now - before)
        change = draft.change + change.sum(axis=(3, 4)) / self.start.sum()  # (2, 28, 28)
        promise = (moved * slope).sum(axis=(3, 4))
        promise[(change > self.budget) | (np.abs(moved).sum(axis=(3, 4)) < _LEAST)] = -np.inf
        places = np.argsort(-promise, axis=None)[:_TRIED]
        best = zip(*np.unravel_index(places, promise.shape), strict=True)
        return [
            self._made((*draft.dabs, Dab(int(row), int(column), drawn=not erased)))
            for erased, row, column in best
            if promise[erased, row, column] > -np.inf
        ]

    def _made(self, dabs: tuple[Dab, ...]) -> _Draft:
        """The drawing with these dabs applied in order."""
        size = len(self.disc)
        canvas = np.pad(self.start, size // 2)
        for dab in dabs:
            under = canvas[dab.row : dab.row + size, dab.column : dab.column + size]
            under[:] = np.maximum(under, self.disc) if dab.drawn else np.minimum(under, 1 - self.disc)
        ink = canvas[size // 2 : -(size // 2), size // 2 : -(size // 2)]
        return _Draft(ink, dabs, float(np.abs(ink - self.start).sum() / self.start.sum()))

    def _judged(self, drafts: list[_Draft]) -> list[_Draft]:
        """The drafts with their `lead`, as the classifier would read them."""
        if not drafts:
            return []
        scores = _read(self.model, np.stack([_bytes(draft.ink) for draft in drafts]))
        leads = np.delete(scores, self.target, axis=1).max(axis=1) - scores[:, self.target]
        return [replace(draft, lead=float(lead)) for draft, lead in zip(drafts, leads, strict=True)]

    def _trimmed(self, draft: _Draft) -> _Draft:
        """The draft without the dabs that it does not need."""
        for dab in draft.dabs:
            (less,) = self._judged([self._made(tuple(other for other in draft.dabs if other != dab))])
            if less.lead < 0 and less.change < draft.change:
                draft = less
        return draft

    def _finished(self, draft: _Draft) -> Edit:
        picture = _bytes(draft.ink)
        digit = int(_read(self.model, picture[None])[0].argmax())
        return Edit(picture, draft.dabs, self.pen, draft.change, digit)


def _slope(model: ConvNet, ink: np.ndarray, target: int) -> np.ndarray:
    """The gradient, by pixel, of the target's lead over the likeliest other digit: (28, 28)."""
    with torch.enable_grad():
        pixels = torch.from_numpy(ink).requires_grad_()
        scores = model(normalise(pixels * 255).to(model.cn1.weight.device))[0]
        others = scores.clone()
        others[target] = -torch.inf
        (slope,) = torch.autograd.grad(scores[target] - others.max(), pixels)
    return slope.numpy()


def _read(model: ConvNet, pictures: np.ndarray) -> np.ndarray:
    """Images (N, 28, 28) uint8, preprocessed again -> log-probabilities (N, 10)."""
    return predict(model, np.stack([place(picture) for picture in pictures])).numpy()


def _disc(pen: float) -> NDArray[np.float32]:
    """A round dab of diameter `pen` pixels with a soft edge: (k, k), k odd, 0 to 1."""
    reach = math.ceil(pen / 2 - 0.5) + 1
    rows, columns = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    dab: NDArray[np.float64] = np.clip(pen / 2 + 0.5 - np.hypot(rows, columns), 0, 1)
    return dab.astype(np.float32)


def _windows(values: np.ndarray, size: int) -> np.ndarray:
    """The `size` x `size` window around each of (28, 28) values: (28, 28, size, size)."""
    return sliding_window_view(np.pad(values, size // 2), (size, size))


def _bytes(ink: np.ndarray) -> np.ndarray:
    return (ink * 255).round().astype(np.uint8)
