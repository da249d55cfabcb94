"""Runs that outlast the process, in a folder: weights beside a JSON file with the recipe and the history."""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from mnist_core import checkpoint
from mnist_core.config import TrainConfig
from mnist_core.engine.events import Evaluation, Step
from mnist_core.engine.history import History
from mnist_core.runs.run import OVER, Run

_WEIGHTS, _RECORD = "weights.pt", "run.json"
_KIND_ALIASES = {"lesson": "fine-tuned"}  # in archives that exist already
_log = logging.getLogger(__name__)


class Archive:
    """A folder of runs, one folder each, named by the run's id.

    Args:
        folder: made when the first run is kept.
        limit: runs to keep; the oldest go first.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder, self.limit = folder, limit
        self._runs: dict[str, Run] | None = None

    def runs(self) -> dict[str, Run]:
        """All of them, oldest first; those of earlier processes loaded once, unreadable ones left alone."""
        if self._runs is None:
            self._runs = {}
            for record in sorted(self.folder.glob(f"*/{_RECORD}"), key=lambda path: path.stat().st_mtime):
                try:
                    run = _restored(record)
                except (OSError, ValueError, KeyError, TypeError) as error:
                    _log.warning("A kept run in %s cannot be read: %s", record.parent, error)
                    continue
                self._runs[run.id] = run
        return dict(self._runs)

    def keep(self, run: Run, state: str | None = None) -> None:
        """Store a run, in `state` or in its own; if that fails, the run's note says so."""
        place = self.folder / run.id
        try:
            place.mkdir(parents=True, exist_ok=True)
            checkpoint.save(place / _WEIGHTS, run.model(), metadata(run))
            checkpoint.atomic_write(place / _RECORD, json.dumps(_record(run, state or run.state)).encode())
            if self._runs is not None:
                self._runs[run.id] = run
            self._make_room()
        except (OSError, checkpoint.CheckpointError) as error:
            _log.warning("A run could not be kept: %s", error)
            if not (place / _RECORD).exists():  # half a run would only take room
                shutil.rmtree(place, ignore_errors=True)
            run.note = f"It could not be stored in {self.folder}: download what you need."

    def remove(self, run: Run) -> None:
        """Remove a run from the archive, if it is there."""
        if self._runs is not None:
            self._runs.pop(run.id, None)
        shutil.rmtree(self.folder / run.id, ignore_errors=True)

    def _make_room(self) -> None:
        records = sorted(self.folder.glob(f"*/{_RECORD}"), key=lambda path: path.stat().st_mtime)
        for record in records[: max(0, len(records) - self.limit)]:
            (self._runs or {}).pop(record.parent.name, None)
            shutil.rmtree(record.parent, ignore_errors=True)


def metadata(run: Run) -> dict[str, Any]:
    """The metadata stored with a run's weights: plain values."""
    tested = run.evaluation
    more: dict[str, Any] = {"name": run.name, "step": run.weights_step}
    if run.calibration is not None:
        more["calibration"] = asdict(run.calibration)
    accuracy, n = (tested.accuracy, tested.n) if tested is not None else (None, 0)
    return checkpoint.describe(run.config, accuracy=accuracy, n=n, **more)


def weights_file(run: Run) -> bytes:
    """A run's newest weights with their metadata, as `checkpoint.save` writes them."""
    with tempfile.TemporaryDirectory() as folder:
        checkpoint.save(Path(folder) / _WEIGHTS, run.model(), metadata(run))
        return (Path(folder) / _WEIGHTS).read_bytes()


def _record(run: Run, state: str) -> dict[str, Any]:
    history = run.history
    return {
        "id": run.id,
        "name": run.name,
        "kind": run.kind,
        "state": state,
        "note": run.note,
        "recipe": run.config.to_dict(),
        "result": run.result,
        "last": asdict(history.last) if history.last else None,
        "losses": history.losses.rows(),
        "evaluations": [
            asdict(evaluation) | {"confusion": evaluation.confusion.tolist()}
            for evaluation in history.evaluations
        ],
        "changes": history.changes,
        "reached": list(history.reached.items()),
    }


def _restored(record: Path) -> Run:
    values = json.loads(record.read_text(encoding="utf-8"))
    if values["state"] not in OVER or values["id"] != record.parent.name:
        raise ValueError("it is not a run that was stored here")
    model, known = checkpoint.load(record.parent / _WEIGHTS)
    kind = _KIND_ALIASES.get(values["kind"], values["kind"])
    run = Run(values["name"], TrainConfig.from_dict(values["recipe"]), kind=kind)
    run.id, run.state, run.note, run.result = values["id"], values["state"], values["note"], values["result"]
    run.hold(model, known)
    history = run.history = History()
    history.last = Step(**values["last"]) if values["last"] else None
    for row in values["losses"]:
        history.losses.add(*row)
        history.smoothed = row[3]
    for evaluation in values["evaluations"]:
        confusion = torch.tensor(evaluation["confusion"])
        history.evaluations.append(Evaluation(**evaluation | {"confusion": confusion}))
    history.changes = [(step, said) for step, said in values["changes"]]
    history.reached = dict(values["reached"])
    return run
