"""A picture in, a digit out, or an honest "not sure"."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from mnist_core import checkpoint
from mnist_core.imaging.preprocess import find_ink, place, preprocess, upright_size
from mnist_core.imaging.segment import Piece, atoms, best_cut, best_reading, cuts, part, shrink
from mnist_core.inference import Calibration, device_named, predict, tempered
from mnist_core.model import CLASSES, ConvNet

SHIPPED_WEIGHTS = Path(__file__).resolve().parent.parent / "assets" / "weights" / "weights.pt"
SURE = 0.9  # probability from which a piece is not tried as two touching digits
SCORING_TEMPERATURE = 1.2  # for comparing ways to segment a number, chosen on synthetic ones
DOUBT_COST = 0.2  # see `_Look.score`


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
    """

    digit: int | None
    probabilities: list[float]
    model_input: np.ndarray
    guess: int | None = None
    reason: str | None = None
    box: tuple[int, int, int, int] | None = None


class Classifier:
    """A network that reads pictures. Safe to call from several threads at once.

    Args:
        model: the network; it is put into evaluation mode.
        calibration: None for the network's own probabilities, sure from one half on.

    Raises:
        ValueError: not a network, or not a calibration.
        CheckpointError: its weights are not all finite numbers.
    """

    def __init__(self, model: ConvNet, calibration: Calibration | None = None) -> None:
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
            return Prediction(None, [1 / CLASSES] * CLASSES, model_input, None, "Nothing is drawn here.")
        return self._answer(model_input, predict(self.model, model_input[None])[0].numpy())

    def read(self, image: Image.Image | np.ndarray) -> list[Prediction]:
        """The digits in a picture, left to right, each with its box; an empty list when it is blank.

        The network itself decides which parts of the ink belong together and where to cut touching digits.

        Raises:
            ValueError: not a picture.
        """
        ink = find_ink(image)
        pieces = atoms(ink)
        if not pieces:
            return []
        looks: dict[Piece, _Look] = {}

        def score(pieces: list[Piece]) -> np.ndarray:
            looks.update(self._look(pieces))
            return np.array([looks[piece].score for piece in pieces])

        digits = [end for digit in best_reading(pieces, score) for end in self._parted(digit, looks)]
        across, down = (
            given / found for given, found in zip(upright_size(image), ink.shape[::-1], strict=True)
        )
        predictions = []
        for digit in digits:
            left, top, right, bottom = digit.box
            box = (round(left * across), round(top * down), round(right * across), round(bottom * down))
            look = looks[digit]
            predictions.append(replace(self._answer(look.model_input, look.log_probabilities), box=box))
        return predictions

    def _parted(self, piece: Piece, looks: dict[Piece, _Look]) -> list[Piece]:
        """A piece that is surely one digit, unchanged; any other, cut into digits where that is likelier.

        Args:
            piece: a key of `looks`, to which the digits that it is cut into are added.
        """
        whole = looks[piece].likeliest
        if whole >= math.log(SURE):
            return [piece]
        small = shrink(piece.ink)
        tried = cuts(small)
        if not tried:
            return [piece]
        halves = np.stack([place(half) for cut in tried for half in cut.halves(small)])
        probabilities = np.exp(tempered(predict(self.model, halves).numpy(), SCORING_TEMPERATURE))
        cut = best_cut(tried, probabilities.reshape(-1, 2, CLASSES), whole)
        if cut is None:
            return [piece]
        parts = part(piece, cut)
        looks.update(self._look(parts))
        return [digit for half in parts for digit in self._parted(half, looks)]

    def _look(self, pieces: Sequence[Piece]) -> dict[Piece, _Look]:
        """The network's output for each piece."""
        inputs = np.stack([place(piece.ink) for piece in pieces])
        looks = map(_Look, inputs, predict(self.model, inputs).numpy())
        return dict(zip(pieces, looks, strict=True))

    def _answer(self, model_input: np.ndarray, log_probabilities: np.ndarray) -> Prediction:
        """The prediction for one image (28, 28) with the network's log-probabilities (10,)."""
        probabilities = np.exp(tempered(log_probabilities, self.calibration.temperature)).tolist()
        guess = max(range(CLASSES), key=probabilities.__getitem__)
        if probabilities[guess] < self.calibration.threshold:
            return Prediction(None, probabilities, model_input, guess, "Not sure this is a digit.")
        return Prediction(guess, probabilities, model_input, guess)


@dataclass(frozen=True)
class _Look:
    """The network's output for a piece: its input (28, 28) uint8, and log-probabilities (10,)."""

    model_input: np.ndarray
    log_probabilities: np.ndarray

    @property
    def likeliest(self) -> float:
        """The log-probability of the likeliest digit, at the temperature for comparison."""
        return float(tempered(self.log_probabilities, SCORING_TEMPERATURE).max())

    @property
    def score(self) -> float:
        """The same, less a penalty for what is hardly a digit.

        A non-digit scores ln 0.1 at worst, and two halves that are digits after all often score less:
        without the penalty an unsure whole would win against them.
        """
        return self.likeliest - DOUBT_COST * self.likeliest**2
