"""Speed, compared with the book's pipeline: `python -m mnist_core benchmark`.

Every trial runs in a process of its own (see `trials.py`), and the two sides of a comparison take turns, so
that a busy moment of the machine affects both. The results are a table on screen and, on request, JSON.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import mean, median
from typing import Any

import torch

from mnist_core.benchmark.client import ROOT, UPDATE_SECONDS, Visitor, served_page
from mnist_core.benchmark.leash import leash, leashed
from mnist_core.benchmark.trials import drawing
from mnist_core.config import PRESETS, TrainConfig
from mnist_core.data import load_mnist
from mnist_core.datasets.download import FOLDER_VARIABLE, find_folder

GOAL = 0.99  # test accuracy
AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2"}  # what many hosts have
BOOK, FAST = PRESETS["book"], PRESETS["fast"]


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How often each thing is timed."""

    rounds: int = 5  # of images per second
    batches: int = 200  # in each of them
    book_seeds: int = 3
    book_epochs: int = 7
    fast_seeds: int = 10
    avx2_book_seeds: int = 1
    avx2_fast_seeds: int = 3
    repeats: int = 300  # of a prediction; a tenth as many of a matrix product
    starts: int = 5
    drawing_seconds: float = 4  # in each round beside a training run
    part_steps: int = 200  # of training, taken apart


FULL = Counts()
QUICK = Counts(
    rounds=1,
    batches=60,
    book_seeds=0,
    fast_seeds=1,
    avx2_book_seeds=0,
    avx2_fast_seeds=0,
    repeats=100,
    starts=1,
    drawing_seconds=0,
    part_steps=0,
)


@dataclass(frozen=True)
class Row:
    """One comparison.

    Attributes:
        name: what was compared.
        unit: of both sides.
        reference: one number per timing of the book's side, or of the bare operation.
        ours: the same for this package.
        ratio: how many times better ours is, or, for an overhead, how many times the bare operation it takes.
        note: further context.
    """

    name: str
    unit: str
    reference: list[float]
    ours: list[float]
    ratio: float
    note: str = ""


def run(
    folder: str | Path | None = None, *, quick: bool = False, counts: Counts | None = None
) -> dict[str, Any]:
    """Time everything; prints each result as it comes, and the table at the end.

    Args:
        folder: MNIST's, see `data.find_folder`.
        quick: under a minute, with fewer rounds, and without the book's training to 99 %.
        counts: how often, to override both forms.

    Returns:
        The machine, the counts and the rows, as plain values for JSON.

    Raises:
        DataError: MNIST is missing and could not be downloaded.
    """
    counts = counts or (QUICK if quick else FULL)
    folder = str(find_folder(folder).resolve())
    for train in (True, False):
        load_mnist(folder, train=train)  # so that no download is timed
    machine = describe_machine()
    print(json.dumps(machine, indent=2), flush=True)
    began, rows = time.perf_counter(), []
    for part in (_paces, _races, _efficiency, _prediction, _start, pad_beside_training):
        for row in part(folder, counts):
            rows.append(row)
            print(f"[{time.perf_counter() - began:4.0f} s] {' | '.join(cells(row))}", flush=True)
    parts = _parts(folder, counts)
    print(f"\n{table(rows)}")
    if parts:
        print(f"\n{parts_table(parts)}")
    return {
        "machine": machine,
        "counts": asdict(counts),
        "rows": [asdict(row) for row in rows],
        "milliseconds_of_a_step": parts,
    }


def trial(name: str, environment: dict[str, str] | None = None, **arguments: Any) -> Any:
    """What the trial called `name` measures, in a process of its own. Raises `RuntimeError` if that fails."""
    command = leashed("mnist_core.benchmark.trials", name, json.dumps(arguments))
    with leash() as stdin:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=os.environ | (environment or {}),
            stdin=stdin,
            capture_output=True,
            text=True,
        )
    if done.returncode:
        raise RuntimeError(f"The trial {name} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def _paces(folder: str, counts: Counts) -> Iterator[Row]:
    book, same, own, precision = [], [], [], ""
    for _ in range(counts.rounds):
        same.append(_fit_pace(folder, BOOK, counts.batches)["images_per_second"])
        result = _fit_pace(folder, FAST)
        own.append(result["images_per_second"])
        precision = result["precision"]
        book.append(trial("book_pace", folder=folder, batches=counts.batches)["images_per_second"])
    faster = median(same) / median(book)
    yield Row("training, same batch and precision", "images/s", book, same, faster, "batch 32, float32")
    note = f"batch {FAST.batch_size}, {precision}"
    yield Row("training, each its own recipe", "images/s", book, own, median(own) / median(book), note)


def _fit_pace(folder: str, recipe: TrainConfig, batches: int | None = None) -> Any:
    return trial("fit_pace", folder=folder, recipe=recipe.to_dict(), batches=batches)


def _races(folder: str, counts: Counts) -> Iterator[Row]:
    if counts.fast_seeds:
        yield _race(folder, counts, counts.book_seeds, counts.fast_seeds, None)
    if counts.avx2_fast_seeds:
        yield _race(folder, counts, counts.avx2_book_seeds, counts.avx2_fast_seeds, AVX2)
    if torch.cuda.is_available() and counts.fast_seeds:
        fast = [_fit_race(folder, seed, None, "cuda") for seed in range(counts.fast_seeds)]
        seconds = [race["seconds"] for race in fast]
        yield Row("to 99 % on CUDA", "s", [], seconds, float("nan"), _accuracy_note("fast", fast))


def _race(folder: str, counts: Counts, books: int, fasts: int, environment: dict[str, str] | None) -> Row:
    """Both recipes to 99 % test accuracy, the book's seeds spread among the fast one's."""
    book: list[dict[str, Any]] = []
    fast: list[dict[str, Any]] = []
    for seed in range(fasts):
        fast.append(_fit_race(folder, seed, environment))
        if len(book) < books * (seed + 1) / fasts:
            arguments = {"folder": folder, "seed": len(book), "epochs": counts.book_epochs}
            book.append(trial("book_race", environment, **arguments))
    seconds, note = shortest_schedule(book)
    if not books:
        seconds, note = [], "book not run"
    ours = [race["seconds"] for race in fast]
    ratio = mean(seconds) / mean(ours) if seconds else float("nan")
    name = "to 99 % test accuracy" + (", held to AVX2" if environment else "")
    return Row(name, "s", seconds, ours, ratio, f"{note}; {_accuracy_note('fast', fast)}")


def _fit_race(folder: str, seed: int, environment: dict[str, str] | None, device: str = "cpu") -> Any:
    return trial("fit_race", environment, folder=folder, seed=seed, recipe=FAST.to_dict(), device=device)


def shortest_schedule(book: list[Any]) -> tuple[list[float], str]:
    """Seconds until the epoch at which the book's mean accuracy reaches 99 %, or of all if it never does."""
    accuracies = list(zip(*(race["accuracies"] for race in book), strict=True))  # by epoch
    epochs = next((i + 1 for i, epoch in enumerate(accuracies) if mean(epoch) >= GOAL), len(accuracies))
    if not book:
        return [], ""
    note = f"book {epochs} epochs: {100 * mean(accuracies[epochs - 1]):.2f} %"
    return [race["seconds"][epochs - 1] for race in book], note


def _accuracy_note(name: str, races: list[Any]) -> str:
    accuracies = [100 * race["accuracy"] for race in races]
    precision = ", ".join(sorted({race["precision"] for race in races}))
    return (
        f"{name} {FAST.epochs:g} epochs in {precision}: {mean(accuracies):.2f} % "
        f"({min(accuracies):.2f} to {max(accuracies):.2f})"
    )


def _efficiency(folder: str, counts: Counts) -> Iterator[Row]:
    """The fast recipe's FLOP/s against those of a large matrix product in the same precision."""
    peaks, achieved = [], []
    flops = trial("step_flops", recipe=FAST.to_dict())["flops_per_image"]
    for _ in range(counts.rounds):
        pace = _fit_pace(folder, FAST)
        achieved.append(pace["images_per_second"] * flops / 1e9)
        peak = trial("matrix_peak", precision=pace["precision"], repeats=counts.repeats // 10)
        peaks.append(peak["flops_per_second"] / 1e9)
    note = f"{pace['precision']}, {flops / 1e6:.1f} MFLOP an image"
    yield Row(
        "training against matrix products", "GFLOP/s", peaks, achieved, median(achieved) / median(peaks), note
    )


def _prediction(folder: str, counts: Counts) -> Iterator[Row]:
    times = trial("one_prediction", repeats=counts.repeats)
    bare, whole = times["forward"], times["predict"]
    note = f"{median(whole) - 1.5 * median(bare):+.2f} ms beyond 1.5 times the network alone"
    yield Row(
        "one prediction, 280 pixels, against the network alone", "ms", bare, whole, _ratio(whole, bare), note
    )


def _parts(folder: str, counts: Counts) -> dict[str, dict[str, float]]:
    """Milliseconds of a step by part: the book's loop, `fit` with its recipe, `fit` with the fast one."""
    steps = counts.part_steps
    if not steps:
        return {}
    return {
        "book's loop, batch 32": trial("book_parts", folder=folder, digits=steps * BOOK.batch_size),
        "fit, the book's recipe": trial("fit_parts", folder=folder, recipe=BOOK.to_dict(), steps=steps),
        f"fit, fast, batch {FAST.batch_size}": trial("fit_parts", folder=folder, recipe=FAST.to_dict()),
    }


def parts_table(parts: dict[str, dict[str, float]]) -> str:
    """What `_parts` measured as a Markdown table."""
    names = list(next(iter(parts.values())))
    head = ["ms of a training step", *names, "together"]
    lines = [head, ["---"] * len(head)]
    for loop, spent in parts.items():
        lines.append([loop, *(f"{spent[name]:.2f}" for name in names), f"{sum(spent.values()):.2f}"])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _start(folder: str, counts: Counts) -> Iterator[Row]:
    """From process start to the first answer on the page, against importing torch and gradio alone."""
    if not counts.starts:
        return
    bare, ours = [], []
    for _ in range(counts.starts):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import torch, gradio"], check=True)
        bare.append(time.perf_counter() - began)
        began = time.perf_counter()
        with served_page() as address:
            Visitor(address).draw(drawing())
            ours.append(time.perf_counter() - began)
    yield Row("start to first answer, against the imports alone", "s", bare, ours, _ratio(ours, bare))


def pad_beside_training(folder: str, counts: Counts) -> Iterator[Row]:
    """A visitor who draws, without and during a training run on the same page; and the cost to the run."""
    if not counts.drawing_seconds:
        return
    beside, undisturbed, disturbed = [], [], []
    with served_page({FOLDER_VARIABLE: folder, "MNIST_LIMIT_UNWATCHED_SECONDS": "3600"}) as address:
        visitor, picture = Visitor(address), drawing()
        visitor.draw_steadily(picture, 1)
        alone = visitor.draw_steadily(picture, counts.drawing_seconds)
        visitor.train(BOOK.to_dict() | {"epochs": 20.0})
        while visitor.steps() < 100:
            time.sleep(0.2)
        for _ in range(counts.rounds):
            undisturbed.append(_pace_while(visitor, lambda: time.sleep(counts.drawing_seconds)))
            disturbed.append(
                _pace_while(
                    visitor, lambda: beside.extend(visitor.draw_steadily(picture, counts.drawing_seconds))
                )
            )
    alone, beside = [1000 * s for s in alone], [1000 * s for s in beside]
    note = f"95th percentile {percentile(alone, 95):.1f} ms, beside training {percentile(beside, 95):.1f} ms"
    name = f"pad, an update every {1000 * UPDATE_SECONDS:.0f} ms, beside a training run"
    yield Row(name, "ms", alone, beside, _ratio(beside, alone), note)
    yield Row(
        "training beside a drawing visitor", "steps/s", undisturbed, disturbed, _ratio(disturbed, undisturbed)
    )


def _pace_while(visitor: Visitor, act: Callable[[], Any]) -> float:
    """Steps per second of the visitor's run during `act`."""
    before, began = visitor.steps(), time.perf_counter()
    act()
    return (visitor.steps() - before) / (time.perf_counter() - began)


def percentile(values: list[float], percent: int) -> float:
    return sorted(values)[min(len(values) - 1, len(values) * percent // 100)]


def _ratio(ours: list[float], reference: list[float]) -> float:
    return median(ours) / median(reference)


def describe_machine() -> dict[str, Any]:
    """Processor, cores, system and versions, and how busy the machine was."""
    model = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        names = [line for line in information.read_text().splitlines() if line.startswith("model name")]
        model = names[0].split(":", 1)[1].strip() if names else model
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "system": platform.platform(),
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "torchvision", "gradio", "numpy")},
        "load_before": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "time": time.strftime("%Y-%m-%d %H:%M:%S %Z"),
    }


def table(rows: list[Row]) -> str:
    """The rows as a Markdown table: medians, with minimum, maximum and number of timings."""
    head = ["what", "reference", "ours", "ratio", "note"]
    lines = [head, ["---"] * len(head)] + [cells(row) for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cells(row: Row) -> list[str]:
    sides = (_spread(row.reference, row.unit), _spread(row.ours, row.unit))
    return [row.name, *sides, "" if row.ratio != row.ratio else f"{row.ratio:.2f}", row.note]


def _spread(values: list[float], unit: str) -> str:
    if not values:
        return "not run"
    digits = 0 if median(values) >= 1000 else 2
    middle, least, most = (f"{value:,.{digits}f}" for value in (median(values), min(values), max(values)))
    return f"{middle} {unit} ({least} to {most}, n = {len(values)})"
