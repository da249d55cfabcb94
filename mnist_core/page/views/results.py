"""The results of a visit's runs: the table, the confusion matrix, the worst mistakes, kernels, files."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import torch

from mnist_core.config import PRESETS, TrainConfig
from mnist_core.page.components.recipe import CHOICES, NAMES, preset_texts
from mnist_core.page.templates import render
from mnist_core.page.views.percent import share
from mnist_core.runs import Visit
from mnist_core.runs.archive import weights_file
from mnist_core.runs.examine import Examination
from mnist_core.runs.recipes import as_python, changed
from mnist_core.runs.run import Run, images_per_second

PANELS = {
    "runs": "Runs",
    "confusion": "Confusion",
    "mistakes": "Mistakes",
    "kernels": "Kernels",
    "export": "Export",
}
CONTROLS = ("Show", "Compare", "Name", "Recipe")  # the first columns of the table
NUMBERS = ("Seed", "Test accuracy", "Seconds", "Images/s", "To 98 %", "To 99 %")  # the others


def results(visit: Visit, run: Run | None, examination: Examination | None, choice: str) -> str:
    """The row of result panels and the one that is open; empty until there is a run."""
    if run is None or run.weights is None:
        return ""
    values: dict[str, Callable[[], dict[str, Any]]] = {
        "runs": lambda: _runs(visit, run, choice),
        "confusion": lambda: _confusion(run, examination),
        "mistakes": lambda: {"examination": examination},
        "kernels": lambda: {"grids": _kernels(run)},
        "export": lambda: _export(run),
    }
    shared = {"panels": PANELS, "panel": visit.panel, "id": run.id, "name": run.name}
    return render(f"results/{visit.panel}.html", **shared, **values[visit.panel]())


def recipe_words(run: Run) -> str:
    """The preset that was run, or how the recipe differs from the book's, in a few words."""
    if run.kind == "uploaded":
        return "uploaded weights"
    if run.kind == "fine-tuned":
        count = run.result.get("drawings", 0)
        return "fine-tuned on your drawing" if count == 1 else f"fine-tuned on your {count} drawings"
    differs = _shown(run.config)
    for name, config in PRESETS.items():
        if _shown(config) == differs:
            return preset_texts()[name][0]
    return ", ".join(f"{_label(name)} {_value(value)}" for name, value in differs.items())


def _shown(config: TrainConfig) -> dict[str, object]:
    hidden = {"threads", "precision", "seed", "test_batch_size"}
    return {name: value for name, value in changed(config).items() if name not in hidden}


def _label(name: str) -> str:
    label = NAMES.get(name, name.replace("_", " "))
    return label[0].lower() + label[1:]


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return f"{value:,}" if isinstance(value, int) else CHOICES.get(str(value), str(value))


def _runs(visit: Visit, shown: Run, choice: str) -> dict[str, Any]:
    return {
        "columns": (*CONTROLS, *NUMBERS),
        "rows": [_row(run, visit, shown, choice) for run in reversed(list(visit.runs.values()))],
        "used": shown.id == choice,
        "calibrated": shown.calibration is not None,
    }


def _row(run: Run, visit: Visit, shown: Run, choice: str) -> dict[str, Any]:
    test, reached = run.evaluation, run.history.reached
    # The table isn't rendered at every step: while the run trains, the line under its buttons counts.
    last, rate = (None, None) if run.active else (run.history.last, images_per_second(run))
    numbers = (
        str(run.config.seed),
        f"{share(test.accuracy, 2)} of {test.n:,}" if test else run.state,
        f"{last.seconds:,.1f}" if last else "",
        f"{rate:,.0f}" if rate else "",
        *(f"{reached[goal]:,.0f} s" if goal in reached else "" for goal in (0.98, 0.99)),
    )
    return {
        "id": run.id,
        "name": run.name,
        "shown": run is shown,
        "compared": run.id in visit.compared,
        "used": run.id == choice,
        "recipe": recipe_words(run),
        "numbers": dict(zip(NUMBERS, numbers, strict=True)),
    }


def _confusion(run: Run, examination: Examination | None) -> dict[str, Any]:
    counts = examination.confusion if examination is not None else None
    if counts is None and run.evaluation is not None:
        counts = run.evaluation.confusion
    if counts is None:
        return {"rows": []}
    most = max(1, int((counts - torch.diag(counts.diag())).max()))
    rows = [_confused(truth, row, most) for truth, row in enumerate(counts.tolist())]
    return {"rows": rows, "right": int(counts.trace()), "n": int(counts.sum())}


def _confused(truth: int, counts: list[int], most: int) -> dict[str, Any]:
    """How often each digit was read where `truth` stands; a cell's weight is its share of `most`."""
    weights = [1.0 if said == truth else min(1.0, count / most) for said, count in enumerate(counts)]
    share = counts[truth] / max(1, sum(counts))
    return {"truth": truth, "cells": list(zip(counts, weights, strict=True)), "share": share}


def _kernels(run: Run) -> list[dict[str, Any]]:
    """The kernels at the start and now, on one scale."""
    frames = run.kernels.rows()
    first, newest = frames[0], frames[-1]
    most = max(1e-6, *(abs(value) for value in (*first[1:], *newest[1:])))
    return [{"step": frame[0], "squares": _squares(frame[1:], most)} for frame in (first, newest)]


def _squares(values: Sequence[float], most: float) -> list[tuple[int, int, float]]:
    """Each weight of sixteen 3x3 kernels in two rows: left, top, and its value as a share of `most`."""
    squares = []
    for number, value in enumerate(values):
        kernel, cell = divmod(number, 9)
        left, top = kernel % 8 * 34, kernel // 8 * 34
        squares.append((left + cell % 3 * 10, top + cell // 3 * 10, value / most))
    return squares


def _export(run: Run) -> dict[str, Any]:
    return {
        "step": run.weights_step,
        "weights": weights_file(run),
        "recipe": json.dumps(run.config.to_dict(), indent=2).encode(),
        "history": run.history.to_csv().encode(),
        "script": _script(run),
        "uploaded": run.kind == "uploaded",  # nobody here knows how they were trained
    }


def _script(run: Run) -> str:
    """What repeats the run; nothing does for weights that began elsewhere."""
    if run.kind != "trained":
        return ""
    changes = "; ".join(f"{said} after step {step}" for step, said in run.history.changes)
    warning = f"# This keeps the values that the run began with. Changed on the way: {changes}.\n\n"
    return (warning if changes else "") + as_python(run.config)
