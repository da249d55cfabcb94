"""The digits that runs train on, in memory once for all of them, and MNIST's download if it is missing."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from torch.utils.data import TensorDataset

from mnist_core.config import TrainConfig
from mnist_core.data import load_data, load_mnist
from mnist_core.datasets.digits import Digits
from mnist_core.datasets.download import DataError, DownloadCancelled, foreign_files, mnist_is_here
from mnist_core.datasets.synthetic import Drawn
from mnist_core.engine.calibrate import unseen_digits

_OTHERS = 2  # sets of digits kept besides MNIST: synthetic, so they can be made again

Pair = tuple[TensorDataset, TensorDataset]


class DigitStore:
    """Provides training and test digits, normalised. Thread-safe.

    Args:
        folder: where MNIST lies or will, see `data.find_folder`.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self.progress: tuple[int, int] | None = None  # bytes so far and in all, during a download
        self._mnist: Pair | None = None
        self._others: OrderedDict[tuple[str, int, int, int], Pair] = OrderedDict()
        self._unseen: dict[str, Digits] = {}
        self._lock = threading.RLock()  # of the digits; never held while any are drawn, which takes long
        self._line = threading.Lock()  # of those who wait for a download
        self._waiting: list[Callable[[str | None], None]] = []
        self._cancelled = False

    def here(self) -> bool:
        """Whether MNIST can be had without a download."""
        return self._mnist is not None or mnist_is_here(self.folder)

    def get(self, config: TrainConfig, drawn: Drawn | None = None) -> Pair:
        """The training and test digits of a recipe; MNIST's are views of a single copy.

        Args:
            drawn: called after each synthetic digit or sign; what it raises ends the drawing of more.

        Raises:
            DataError: MNIST is missing or broken.
        """
        if config.data == "mnist" and not config.non_digits:
            train, test = self._all_of_mnist()
            return TensorDataset(*(tensor[: config.train_size] for tensor in train.tensors)), test
        key = (config.data, config.train_size, config.non_digits, config.seed)
        with self._lock:
            pair = self._others.pop(key, None)
        if pair is None:
            train_data, test_data = load_data(config, self.folder, drawn=drawn)
            pair = _normalised(train_data), _normalised(test_data)
        with self._lock:
            self._others[key] = pair
            while len(self._others) > _OTHERS:
                self._others.popitem(last=False)
        return pair

    def foreign(self, config: TrainConfig) -> list[str]:
        """Which of the files that a recipe's digits come from are not MNIST's, though in its place."""
        return foreign_files(self.folder) if config.data != "synthetic" else []

    def test(self, config: TrainConfig) -> TensorDataset:
        """The test digits of a recipe: MNIST's, or synthetic ones if MNIST is neither here nor asked for."""
        if config.data != "synthetic" or self.here():
            return self._all_of_mnist()[1]
        return self.get(config)[1]

    def unseen(self, config: TrainConfig) -> Digits:
        """Digits to calibrate a recipe's weights with, see `engine.calibrate.unseen_digits`; the same for
        all recipes that learn from MNIST alone, and for all others."""
        kind = "mnist" if config.data == "mnist" else "synthetic"
        if kind not in self._unseen:
            train = self._all_of_mnist()[0] if kind == "mnist" else None
            self._unseen[kind] = unseen_digits(config, train)
        return self._unseen[kind]

    def warm_up(self) -> None:
        """Load MNIST into memory, if it is here, so that no run waits for it."""
        if self.here():
            self._all_of_mnist()

    def fetch(self, arrived: Callable[[str | None], None], wanted: Callable[[], bool]) -> None:
        """Download MNIST in a thread of its own, or join the download under way.

        Args:
            arrived: called at the end, with None or with a sentence that says what went wrong.
            wanted: asked often; the download ends once it returns False.
        """
        with self._line:
            self._waiting.append(arrived)
            if len(self._waiting) == 1:
                self._cancelled = False
                threading.Thread(target=self._download, args=(wanted,), name="download", daemon=True).start()

    def cancel(self) -> None:
        """End a download under way."""
        self._cancelled = True

    def _download(self, wanted: Callable[[], bool]) -> None:
        def note(came: int, total: int) -> None:
            self.progress = (came, total)

        error: str | None = None
        try:
            load_mnist(
                self.folder, train=True, progress=note, cancelled=lambda: self._cancelled or not wanted()
            )
        except DownloadCancelled as called_off:
            error = str(called_off)
        except DataError as missing:
            error = f"{missing} Or train on synthetic digits, which need no download."
        with self._line:
            waiting, self._waiting, self.progress = self._waiting, [], None
        for arrived in waiting:
            arrived(error)

    def _all_of_mnist(self) -> Pair:
        with self._lock:
            if self._mnist is None:
                train, test = (
                    load_mnist(self.folder, train=train, download=False) for train in (True, False)
                )
                self._mnist = _normalised(train), _normalised(test)
            return self._mnist


def _normalised(digits: Digits) -> TensorDataset:
    return TensorDataset(digits.normalised(), digits.labels)
