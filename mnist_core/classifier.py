"""A picture in, its digits out, or "not sure"."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from mnist_core import checkpoint
from mnist_core.imaging.preprocess import find_ink, place, preprocess, upright_size
from mnist_core.imaging.segment import (
    MOST_ATOMS,
    UNEVEN_COST,
    Cut,
    Group,
    Piece,
    atoms,
    best_reading,
    cuts,
    join,
    marks,
    part,
    pen_lines,
    rows,
    shrink,
)
from mnist_core.inference import Calibration, device_named, predict, tempered
from mnist_core.model import CLASSES, ConvNet
from mnist_core.strings import StringReader, shipped_strings

SHIPPED_WEIGHTS = Path(__file__).resolve().parent.parent / "assets" / "weights" / "weights.pt"
SCORING_TEMPERATURE = 1.2  # for comparing ways to cut a string, chosen on synthetic ones
MOST_TRIED = 12  # cuts: those through little ink, near where digits of equal width would meet
WIDTH_COST = 4.0  # log-probability, times the distance, in widths, of the first of two cuts from a third
CONVNET_WEIGHT = 0.5  # of the ConvNet's log-probabilities where they are added to the StringNet's
LEAST_DOUBT = 0.001  # the ConvNet's guess is taken to be wrong with at least this probability
LEAST_GUESS = 0.35  # probability below which no digit is named as the closest
DOT_INK = 0.7  # share of a dot's box that is ink, at least; a disc's is pi / 4
DOT_ASPECT = 1.35  # of a dot's box, the longer side over the shorter, at most
DOT_COST = 6.0  # log-probability that a dot loses as a digit
FARTHEST_POINT = 1_000_000  # pixels: coordinates of strokes are smaller
NOTHING_DRAWN = "Nothing is drawn here."

PenStrokes = Sequence[Sequence[tuple[float, float]] | np.ndarray] | np.ndarray


@dataclass(frozen=True, eq=False)
class Prediction:
    """The network's answer for one picture.

    Attributes:
        digit: 0 to 9; None when the picture is blank or the network is not sure that it shows a digit.
        probabilities: ten floats that sum to 1, calibrated; all 0.1 when the picture is blank.
        model_input: (28, 28) uint8, what the network saw.
        guess: the most probable digit, sure or not; None when the picture is blank.
        reason: why there is no digit, in a short sentence; None when there is one.
        box: (left, top, right, bottom) in pixels of the picture given to `Classifier.read`; None from
            `predict`.
        mark: whether it is a small sign beside digits, such as a minus or a point; `read` names these last.
    """

    digit: int | None
    probabilities: list[float]
    model_input: np.ndarray
    guess: int | None = None
    reason: str | None = None
    box: tuple[int, int, int, int] | None = None
    mark: bool = False

    @property
    def closest(self) -> int | None:
        """The guess, if it is sure or probable enough to be worth naming."""
        worth = self.digit is not None or max(self.probabilities) >= LEAST_GUESS
        return self.guess if worth else None


class Classifier:
    """A network that reads pictures. Safe to call from several threads at once.

    Args:
        model: the network; it is put into evaluation mode.
        calibration: None for the network's own probabilities and a threshold of one half.
        strings: the network that says how many digits a piece of ink is; None for the shipped one.

    Raises:
        ValueError: not a network, or not a calibration.
        CheckpointError: its weights are not all finite numbers.
    """

    def __init__(
        self, model: ConvNet, calibration: Calibration | None = None, strings: StringReader | None = None
    ) -> None:
        if not isinstance(model, nn.Module):
            raise ValueError(
                f"A Classifier reads with a network; got {type(model).__name__}. Classifier.load takes a "
                "file of weights."
            )
        if not isinstance(calibration, Calibration | None):
            raise ValueError(
                f"A calibration is a Calibration; got {type(calibration).__name__}. Calibration.from_dict "
                "makes one of a checkpoint's."
            )
        checkpoint.check_finite(dict(model.named_parameters()), "This network")
        self.model = model.eval()
        self.calibration = calibration or Calibration()
        self._strings = strings

    @property
    def strings(self) -> StringReader:
        """The network that says how many digits a piece of ink is; `predict` needs none."""
        return self._strings or shipped_strings()

    @classmethod
    def load(cls, path: str | Path | None = None, device: str | torch.device = "cpu") -> Classifier:
        """The classifier with the weights at `path`; without one, the built-in model.

        Raises:
            CheckpointError: there is no file of weights there.
            ValueError: there is no such device.
        """
        device = device_named(device)
        model, metadata = checkpoint.load(SHIPPED_WEIGHTS if path is None else path)
        calibration = metadata.get("calibration")
        return cls(model.to(device), Calibration.from_dict(calibration) if calibration else None)

    def predict(self, image: Image.Image | np.ndarray) -> Prediction:
        """The one digit in a picture: a PIL image or uint8 array, any size, dark on light or light on dark.

        Raises:
            ValueError: not a picture.
        """
        model_input = preprocess(image)
        if not model_input.any():
            return Prediction(None, [1 / CLASSES] * CLASSES, model_input, None, NOTHING_DRAWN)
        return self._answer(model_input, predict(self.model, model_input[None])[0].numpy(), 1.0)

    def read(self, image: Image.Image | np.ndarray, strokes: PenStrokes | None = None) -> list[Prediction]:
        """The digits in a picture, row by row and left to right, each with its box; empty when it is blank.

        A second network (`strings`) decides how many digits a piece of ink is, if any. Ink that is none is
        answered as one piece, without a digit.

        Args:
            strokes: where known, the pen's lines in the order drawn, each a sequence or an array of (x, y) in
                the image's pixels; digits that touch are told apart by them.

        Raises:
            ValueError: not a picture, or strokes that are no points of finite coordinates.
        """
        ink = find_ink(image)
        across, down = (
            given / found for given, found in zip(upright_size(image), ink.shape[::-1], strict=True)
        )
        looks = _Looks(self)
        parts, specks = atoms(ink)
        paths = [path / (across, down) for path in _paths(() if strokes is None else strokes)]
        digits: list[Prediction] = []
        omitted: list[Prediction] = []
        found = [marks(self._groups(row, paths, ink, looks), specks) for row in rows(parts)]
        if parts and not any(group.length for groups, _ in found for group in groups):
            found = [([Group(join(parts), 0)], [])]
        for groups, small in found:
            read = [answer for group in _together(groups) for answer in self._digits(group, looks)]
            omitted += [_left_out(piece, read) for piece in small]
            digits += read
        return [_scaled(each, across, down) for each in digits + omitted]

    def _groups(
        self, row: list[Piece], paths: list[NDArray[np.float64]], ink: np.ndarray, looks: _Looks
    ) -> list[Group]:
        """What a row's pieces are, by the pen's lines where these tell more than the connected components."""
        groups, score = best_reading(row, looks.judge)
        if len(paths) < 2 or all(group.length == 1 for group in groups):
            return groups
        top, bottom = min(piece.box[1] for piece in row), max(piece.box[3] for piece in row)
        lines = [line for line in pen_lines(paths, ink) if top <= (line.box[1] + line.box[3]) / 2 < bottom]
        if not 2 <= len(lines) <= MOST_ATOMS:
            return groups
        apart, as_drawn = best_reading(lines, looks.judge, as_drawn=True)
        if as_drawn < score and _count(apart) != _count(groups):
            return groups
        return sorted(apart, key=lambda group: group.piece.box[0] + group.piece.box[2])

    def _digits(self, group: Group, looks: _Looks) -> list[Prediction]:
        """The answers for a piece: several for a string of which each digit is sure, otherwise one."""
        look = looks[group.piece]
        if group.length > 1:
            string = self._string(group, math.exp(look.scores[group.length]))
            if all(answer.digit is not None for answer in string):
                return string
        answer = self._answer(look.model_input, look.log_probabilities, math.exp(look.scores[1]))
        return [replace(answer if group.length == 1 else _refused(answer), box=group.piece.box)]

    def _string(self, group: Group, probability: float) -> list[Prediction]:
        """The answers for a string's digits.

        Args:
            probability: that it is a string of as many digits.
        """
        whole = self.strings.digits(group.piece.ink, group.length)
        pieces = self._cut(group.piece, whole)
        inputs = np.stack([place(piece.ink) for piece in pieces])
        alone = tempered(predict(self.model, inputs).numpy(), self.calibration.temperature)
        both = CONVNET_WEIGHT * alone + whole  # (length, 10) log-probabilities, not normalised
        return [
            replace(self._answer(model_input, log_probabilities, probability, 1.0), box=piece.box)
            for piece, model_input, log_probabilities in zip(pieces, inputs, both, strict=True)
        ]

    def _cut(self, piece: Piece, log_probabilities: NDArray[np.float64]) -> list[Piece]:
        """A string's digits, cut where the ConvNet reads in each what the StringNet read in the whole.

        Args:
            log_probabilities: (length, 10), the StringNet's.
        """
        length = len(log_probabilities)
        if length == 1:
            return [piece]
        small = shrink(piece.ink)
        where = 1 / length
        tried = sorted(cuts(small), key=lambda cut: cut.severed + abs(cut.middle - where))[:MOST_TRIED]
        tried = tried or [Cut(where, 0.0, 0.0)]
        halves = np.stack([place(half) for cut in tried for half in cut.halves(small)])
        read = tempered(predict(self.model, halves).numpy(), SCORING_TEMPERATURE).reshape(-1, 2, CLASSES)
        first, last = log_probabilities[0].argmax(), log_probabilities[-1].argmax()
        scores = read[:, 0, first] - UNEVEN_COST * np.array([cut.uneven for cut in tried])
        if length == 2:
            scores += read[:, 1, last]
        else:
            scores -= WIDTH_COST * abs(np.array([cut.middle for cut in tried]) - where)
        parted = (part(piece, tried[best]) for best in (-scores).argsort())
        left, right = next(filter(None, parted), (piece, piece))  # ink too small to be cut is in both
        return [left, *self._cut(right, log_probabilities[1:])]

    def _answer(
        self,
        model_input: np.ndarray,
        log_probabilities: np.ndarray,
        probability: float,
        temperature: float | None = None,
    ) -> Prediction:
        """The prediction for one image (28, 28) with log-probabilities (10,) of its digit.

        Args:
            probability: that it is a digit at all; if it is none, each answer is as good as another.
            temperature: None for the calibration's.
        """
        temperature = self.calibration.temperature if temperature is None else temperature
        digit_probabilities = np.exp(tempered(log_probabilities, temperature))
        probabilities = (probability * digit_probabilities + (1 - probability) / CLASSES).tolist()
        guess = max(range(CLASSES), key=probabilities.__getitem__)
        prediction = Prediction(guess, probabilities, model_input, guess)
        return prediction if probabilities[guess] >= self.calibration.threshold else _refused(prediction)


def _paths(strokes: PenStrokes) -> list[NDArray[np.float64]]:
    """The pen's lines as arrays (k, 2), without empty ones. Raises `ValueError` for anything else."""
    try:
        paths = [np.array(stroke, np.float64).reshape(len(stroke), 2) for stroke in strokes if len(stroke)]
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(
            f"Expected strokes as sequences of points (x, y); got {strokes!r:.80}. Leave them out where they "
            "are not known."
        ) from error
    for path in paths:
        wrong = path[~(np.abs(path) < FARTHEST_POINT)]
        if len(wrong):
            raise ValueError(
                f"Expected strokes in the picture's pixels, coordinates below {FARTHEST_POINT:,} in size; "
                f"got {wrong[0]:g}. Leave them out where they are not known."
            )
    return paths


def _refused(prediction: Prediction) -> Prediction:
    return replace(prediction, digit=None, reason="Not sure this is a digit.")


def _left_out(mark: Piece, digits: list[Prediction]) -> Prediction:
    """The answer for a small sign beside digits."""
    before = [each for each in digits if each.box is not None and each.box[0] < mark.box[0]]
    where = f"after the {before[-1].guess}" if before else f"before the {digits[0].guess}"
    reason = f"I read digits only: the mark {where} was left out."
    return Prediction(None, [1 / CLASSES] * CLASSES, place(mark.ink), None, reason, mark.box, mark=True)


def _scaled(prediction: Prediction, across: float, down: float) -> Prediction:
    """The same with its box in the pixels of the picture that was given."""
    left, top, right, bottom = prediction.box or (0, 0, 0, 0)
    return replace(
        prediction,
        box=(round(left * across), round(top * down), round(right * across), round(bottom * down)),
    )


def _count(groups: list[Group]) -> int:
    return sum(group.length for group in groups)


def _together(groups: list[Group]) -> list[Group]:
    """The same groups, neighbours that are no digits joined into one."""
    merged = []
    for none, members in itertools.groupby(groups, lambda group: not group.length):
        if none:
            merged.append(Group(join([group.piece for group in members]), 0))
        else:
            merged += members
    return merged


@dataclass(frozen=True)
class _Look:
    """What the networks say of a piece.

    Attributes:
        model_input: (28, 28) uint8.
        log_probabilities: (10,), of the digits if it is one.
        scores: (4,), log-probabilities of no digit, one, two and three, by both.
    """

    model_input: np.ndarray
    log_probabilities: np.ndarray
    scores: NDArray[np.float64]


class _Looks(dict[Piece, _Look]):
    """Each piece's look, taken once."""

    def __init__(self, classifier: Classifier) -> None:
        self.classifier = classifier

    def __missing__(self, piece: Piece) -> _Look:
        self.judge([piece])
        return self[piece]

    def judge(self, pieces: list[Piece]) -> NDArray[np.float64]:
        """(n, 4): the log-probabilities of no digit, one, two and three.

        The surer the ConvNet is of its digit, the more probably a piece is one digit, and nothing else.
        """
        inputs = np.stack([place(piece.ink) for piece in pieces])
        outputs = predict(self.classifier.model, inputs).numpy()
        highest = np.exp(tempered(outputs, self.classifier.calibration.temperature).max(axis=1))
        highest = np.minimum(highest, 1 - LEAST_DOUBT)
        lengths = self.classifier.strings.lengths([piece.ink for piece in pieces])
        for piece, model_input, output, probability, length in zip(
            pieces, inputs, outputs, highest, lengths, strict=True
        ):
            doubt = math.log(1 - probability)
            scores = length + CONVNET_WEIGHT * np.array([doubt, math.log(probability), doubt, doubt])
            if _is_dot(piece.ink):
                scores[1:] -= DOT_COST
            scores -= np.logaddexp.reduce(scores)
            self[piece] = _Look(model_input, output, scores)
        return np.stack([self[piece].scores for piece in pieces])


def _is_dot(ink: np.ndarray) -> bool:
    """Whether ink is one touch of the pen."""
    height, width = ink.shape
    return max(height, width) <= DOT_ASPECT * min(height, width) and float(ink.mean()) > 255 * DOT_INK
