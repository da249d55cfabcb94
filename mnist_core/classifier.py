"""A picture in, a digit out, or an honest "not sure"."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from mnist_core.model import CLASSES, ConvNet
from mnist_core.preprocess import normalise, preprocess

SHIPPED_WEIGHTS = Path(__file__).resolve().parent.parent / "assets" / "weights.pt"


@dataclass(frozen=True, eq=False)
class Prediction:
    """What the network makes of one picture.

    Attributes:
        digit: 0 to 9; None when the picture is blank or the network is not sure that it shows a digit.
        probabilities: ten floats that sum to 1, calibrated; all 0.1 when the picture is blank.
        model_input: (28, 28) uint8, what the network saw.
        guess: the most probable digit, sure or not; None when the picture is blank.
        reason: why there is no digit, in a short sentence; None when there is one.
        box: (left, top, right, bottom) in pixels of the picture given to `Classifier.read`; None from
        predict.
    """

    digit: int | None
    probabilities: list[float]
    model_input: np.ndarray
    guess: int | None = None
    reason: str | None = None
    box: tuple[int, int, int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """How log-probabilities become a sure answer or none.

    Attributes:
        temperature: the logits are divided by it before the softmax (Guo et al. 2017, "On calibration of
            modern neural networks").
        threshold: the least probability, after the temperature, at which a guess becomes an answer.
    """

    temperature: float = 1.0
    threshold: float = 0.5


class Classifier:
    """A network that reads pictures. Safe to call from several threads at once.

    Args:
        model: the network; it is put into evaluation mode.
        calibration: None for probabilities as the network gives them.
    """

    def __init__(self, model: ConvNet, calibration: Calibration | None = None) -> None:
        self.model = model.eval()
        self.calibration = calibration or Calibration()
        self._device = next(model.parameters()).device

    @classmethod
    def load(cls, path: str | Path | None = None, device: str | torch.device = "cpu") -> Classifier:
        """The classifier whose weights lie at `path`; without one, the shipped weights."""
        stored = torch.load(path or SHIPPED_WEIGHTS, map_location=device, weights_only=True)
        model = ConvNet().to(device)
        model.load_state_dict(stored["model"])
        return cls(model, Calibration(**stored["metadata"].get("calibration", {})))

    def predict(self, image: Image.Image | np.ndarray) -> Prediction:
        """The one digit in a picture: a PIL image or uint8 array, any size, dark on light or light on dark.

        Raises:
            ValueError: not a picture.
        """
        return self._answer(preprocess(image))

    def read(self, image: Image.Image | np.ndarray) -> list[Prediction]:
        """The digits in a picture, left to right, each with its box; an empty list when it is blank."""
        prediction = self.predict(image)
        return [] if prediction.guess is None else [prediction]

    def _answer(self, model_input: np.ndarray) -> Prediction:
        if not model_input.any():
            return Prediction(None, [1 / CLASSES] * CLASSES, model_input, None, "Nothing is drawn here.")
        with torch.inference_mode():
            log_probabilities = self.model(normalise(model_input).to(self._device))[0]  # (10,)
            probabilities = (log_probabilities / self.calibration.temperature).softmax(0).tolist()
        guess = max(range(CLASSES), key=probabilities.__getitem__)
        if probabilities[guess] < self.calibration.threshold:
            return Prediction(None, probabilities, model_input, guess, "Not sure this is a digit.")
        return Prediction(guess, probabilities, model_input, guess)
