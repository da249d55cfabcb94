"""The folder of one run: looked at before the training, filled after it, never shared by two runs."""

from __future__ import annotations

import io
import json
import tempfile
from dataclasses import asdict
from itertools import count
from pathlib import Path

from mnist_core import checkpoint
from mnist_core.config import TrainConfig
from mnist_core.engine.history import History
from mnist_core.engine.plots import confusion_figure, loss_figure
from mnist_core.inference import Calibration
from mnist_core.model import ConvNet

FILES = ("weights.pt", "weights.json", "history.csv", "loss.png", "confusion.png")
PROBE_BYTES = 2 * 2**20  # the weights take 1.2 MB, the rest of a short run little


def check(folder: Path) -> None:
    """Raise `ValueError` if another run lies in the folder, or if nothing can be written there."""
    check_room(folder)
    taken = _taken(folder)
    if taken:
        raise ValueError(
            f"{folder} holds another run ({', '.join(taken)}), which stays as it is: name a new folder with "
            "--out."
        )


def check_room(folder: Path) -> None:
    """Raise `ValueError` if nothing can be written in a folder that exists or is to be made."""
    try:
        place = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        with tempfile.TemporaryFile(dir=place) as probe:
            probe.write(bytes(PROBE_BYTES))
    except OSError as error:
        raise ValueError(
            f"{folder} cannot be written ({error.strerror}): make room, or name another folder with --out."
        ) from error


def free(folder: Path) -> Path:
    """`folder`, or if a run has come to lie there since `check`, the next of folder-2, folder-3, ..."""
    if not _taken(folder):
        return folder
    folder = folder.absolute()
    others = (folder.with_name(f"{folder.name}-{number}") for number in count(2))
    return next(other for other in others if not _taken(other))


def _taken(folder: Path) -> list[str]:
    return [name for name in FILES if (folder / name).exists()]


def save(
    folder: Path,
    model: ConvNet,
    config: TrainConfig,
    history: History,
    calibration: Calibration | None = None,
) -> None:
    """Write weights, metadata and history, each atomically; the folder is made if needed."""
    tested = history.evaluations[-1] if history.evaluations else None
    accuracy, n = (tested.accuracy, tested.n) if tested else (None, 0)
    seconds = history.last.seconds if history.last else 0.0
    more = {"calibration": asdict(calibration)} if calibration else {}
    metadata = checkpoint.describe(config, accuracy=accuracy, n=n, seconds=seconds, **more)
    checkpoint.save(folder / "weights.pt", model, metadata)
    checkpoint.atomic_write(folder / "weights.json", (json.dumps(metadata, indent=2) + "\n").encode())
    checkpoint.atomic_write(folder / "history.csv", history.to_csv().encode())


def draw(folder: Path, history: History) -> None:
    """Add the plots of the losses and, if there was a test, of the confusion matrix."""
    figures = {"loss.png": loss_figure(history)}
    if history.evaluations:
        figures["confusion.png"] = confusion_figure(history.evaluations[-1].confusion)
    for name, figure in figures.items():
        picture = io.BytesIO()
        figure.savefig(picture)
        checkpoint.atomic_write(folder / name, picture.getvalue())
