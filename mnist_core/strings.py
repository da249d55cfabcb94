"""How many digits a piece of ink is, and which: a second network, for digits that touch and for what is none.

A network that knows ten digits has to name one of them whatever it sees. This one was shown everything else
too, so it says first whether a piece is a digit at all; two or three digits that touch it reads as a whole.
Asking for the length first follows Hochuli et al. 2018, "Handwritten digit segmentation: is it still
necessary?".
"""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from numpy.typing import NDArray

from mnist_core.imaging.preprocess import place_string
from mnist_core.inference import BATCH_SIZE, undisturbed
from mnist_core.model import CLASSES

LENGTHS = 4  # no digit, one, two, three
LENGTH_SHARES = (0.37, 0.27, 0.19, 0.17)  # of these among the pieces that the network is trained on
ASSUMED_SHARES = (0.25, 0.55, 0.12, 0.08)  # among what people draw and write; an assumption
PLACES = ((1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2))  # (length, place): each has ten outputs
HIDDEN_UNITS = 256
COLUMNS = 8  # each an eighth of the picture's width
COLUMN_UNITS = 128
SHIPPED_STRING_WEIGHTS = Path(__file__).resolve().parent.parent / "assets" / "weights" / "strings.pt"
SURE = 0.9  # probability of a length: below it, several views of the piece are read
_VIEWS = ((0.0, 1.0), (0.15, 1.0), (-0.15, 1.0), (0.0, 1.08))  # slant, in columns per row; shrunk by
_PRIOR_SHIFT = np.log(np.divide(ASSUMED_SHARES, LENGTH_SHARES))
_MEAN, _STD = 0.17, 0.34  # of synthetic pieces' pixels, from 0 to 1


class StringNet(nn.Module):
    """Four convolutions, then the length, and a digit for each place: 632,574 parameters.

    Each place looks at a weighted mean of the columns, the weights chosen for it from the whole picture; one
    layer reads the digits at all places, so that what is learned about a seven at one is known at the others.
    """

    def __init__(self) -> None:
        super().__init__()
        self.cn1 = nn.Conv2d(1, 16, 5, stride=2, padding=2)
        self.cn2 = nn.Conv2d(16, 32, 3, padding=1)
        self.cn3 = nn.Conv2d(32, 64, 3, padding=1)
        self.cn4 = nn.Conv2d(64, 64, 3, padding=1)
        self.dp = nn.Dropout(0.2)
        self.fc1 = nn.Linear(64 * 4 * COLUMNS, HIDDEN_UNITS)
        self.fc2 = nn.Linear(HIDDEN_UNITS, LENGTHS + len(PLACES) * COLUMNS)
        self.column = nn.Linear(64 * 4, COLUMN_UNITS)
        self.digit = nn.Linear(COLUMN_UNITS, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, 1, 32, 64) normalised pieces -> (N, 64): logits of the length, then of each place's digit."""
        x = F.relu(self.cn1(x))  # (N, 16, 16, 32)
        x = F.relu(F.max_pool2d(self.cn2(x), 2))  # (N, 32, 8, 16)
        x = F.relu(F.max_pool2d(self.cn3(x), 2))  # (N, 64, 4, 8)
        x = F.relu(self.cn4(x))
        h = F.relu(self.fc1(torch.flatten(x, 1)))  # (N, 256)
        length, weights = self.fc2(self.dp(h)).split([LENGTHS, len(PLACES) * COLUMNS], dim=1)
        weights = weights.unflatten(1, (len(PLACES), COLUMNS)).softmax(2)  # (N, 6, 8)
        columns = F.relu(self.column(x.permute(0, 3, 1, 2).flatten(2)))  # (N, 8, 128)
        digits = self.digit(self.dp(weights @ columns))  # (N, 6, 10)
        return torch.cat([length, torch.flatten(digits, 1)], dim=1)


def normalise(pieces: torch.Tensor) -> torch.Tensor:
    """uint8 (N, 32, 64) -> float32 (N, 1, 32, 64), as this network was trained on them.

    Not the ConvNet's `normalise`, which has the book's mean and standard deviation.
    """
    return pieces[:, None].to(torch.float32).div_(255).sub_(_MEAN).div_(_STD)


@undisturbed()
def outputs(model: StringNet, pieces: torch.Tensor) -> torch.Tensor:
    """What `forward` gives for pieces, uint8 (N, 32, 64), in evaluation mode: float64 (N, 64)."""
    with torch.no_grad():
        batches = normalise(pieces).split(BATCH_SIZE)
        return torch.cat([model(batch) for batch in batches]).double()


class StringReader:
    """The network with its weights.

    Args:
        model: put into evaluation mode.
        temperatures: of the length and of the digits (Guo et al. 2017).
    """

    def __init__(self, model: StringNet, temperatures: tuple[float, float] = (1.0, 1.0)) -> None:
        self.model = model.eval()
        self.temperatures = temperatures

    @classmethod
    @undisturbed()
    def load(cls, path: str | Path = SHIPPED_STRING_WEIGHTS) -> StringReader:
        """The reader with the weights that `engine.string_training` wrote to `path`.

        It draws nothing from torch's global generator, so it may be loaded while another thread trains.
        """
        held = torch.load(path, map_location="cpu", weights_only=True)
        with torch.device("meta"):
            model = StringNet()
        model.load_state_dict(held["model"], assign=True)
        return cls(model, tuple(held["temperatures"]))

    def lengths(self, inks: list[np.ndarray]) -> NDArray[np.float64]:
        """(n, 4): the log-probabilities that pieces of ink are no digit, one, two and three.

        The network's own hold for its training data, where strings are more common than single digits; they
        are corrected by Bayes' rule for the shares that are assumed here (Saerens et al. 2002).

        Args:
            inks: (h, w) uint8 each, 0 for paper.
        """
        pieces = torch.from_numpy(np.stack([place_string(ink) for ink in inks]))
        logits = outputs(self.model, pieces)  # (n, 64)
        unsure = (logits[:, :LENGTHS] / self.temperatures[0]).softmax(1).amax(1) < SURE
        if unsure.any():
            logits[unsure] = self._mean_over_views(pieces[unsure])
        shifted = (logits[:, :LENGTHS] / self.temperatures[0]).numpy() + _PRIOR_SHIFT
        lengths: NDArray[np.float64] = shifted - np.logaddexp.reduce(shifted, axis=1, keepdims=True)
        return lengths

    def digits(self, ink: np.ndarray, length: int) -> NDArray[np.float64]:
        """(length, 10): log-probabilities of the digits, left to right, if there are so many in the ink."""
        logits = self._mean_over_views(torch.from_numpy(place_string(ink))[None])[0, LENGTHS:]
        places = [place for place, (of, _) in enumerate(PLACES) if of == length]
        at_places = logits.unflatten(0, (len(PLACES), CLASSES))[places]
        digits: NDArray[np.float64] = (at_places / self.temperatures[1]).log_softmax(1).numpy()
        return digits

    def _mean_over_views(self, pieces: torch.Tensor) -> torch.Tensor:
        """The logits, averaged over several views of each piece: (N, 32, 64) -> (N, 64).

        Where the network misreads a piece, it may not misread the same piece slanted or a little smaller.
        """
        logits = outputs(self.model, _views(pieces).flatten(0, 1))
        mean: torch.Tensor = logits.unflatten(0, (len(pieces), len(_VIEWS))).mean(1)
        return mean


@undisturbed()
def _views(pieces: torch.Tensor) -> torch.Tensor:
    """Pieces as they are, slanted either way, and a little smaller: uint8 (N, 32, 64) -> (N, 4, 32, 64)."""
    ink = pieces.to(torch.float32)[:, None]
    views = []
    for slant, size in _VIEWS:
        view = torch.tensor([[size, slant / 2, 0.0], [0.0, size, 0.0]], dtype=torch.float32)
        views.append(warped(ink, view.expand(len(ink), 2, 3)).round().to(torch.uint8))
    return torch.cat(views, dim=1)


def warped(ink: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
    """(N, 1, h, w) ink, 0 for paper, sampled where affine maps (N, 2, 3) of the picture lead."""
    grid = F.affine_grid(maps, list(ink.shape), align_corners=False)
    return F.grid_sample(ink, grid, align_corners=False)


@functools.cache
def shipped_strings() -> StringReader:
    """The reader with the shipped weights, loaded once."""
    return StringReader.load()
