"""A run's status: its state, its numbers, what to do next; and the panel for fine-tuning."""

from __future__ import annotations

from typing import Any, NamedTuple

from mnist_core.data import synthetic_count
from mnist_core.model import CLASSES
from mnist_core.page.templates import render
from mnist_core.page.views.percent import share
from mnist_core.runs import Visit
from mnist_core.runs.run import OVER, Run, images_per_second, seconds_left

_STATES = {
    "fetching": "is waiting for MNIST",
    "waiting": "is waiting for its turn",
    "running": "is training",
    "paused": "is paused",
    "finished": "has finished",
    "stopped": "was stopped",
    "failed": "failed",
    "diverged": "diverged",
}


def span(seconds: float) -> str:
    """A duration in words."""
    if seconds < 1:
        return "under 1 s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def announcement(run: Run | None) -> str:
    """The sentence that a screen reader announces when the state changes; empty until there is a run."""
    said = f"{run.name} {_STATES[run.state]}." if run is not None else ""
    return render("announcement.html", said=said)


class Advice(NamedTuple):
    """What to know or do next: a sentence, and the arguments of the button that does it, if there is one."""

    says: str
    button: dict[str, Any] | None = None


def status(run: Run | None, place: int, fetched: tuple[int, int] | None, lost: str = "") -> str:
    """A run's status: a sentence, a progress bar, and its numbers.

    Args:
        place: in the queue, from 1; 0 for a run that is not in it.
        fetched: bytes of MNIST so far and in all, during a download.
        lost: what the visit has lost, in a sentence.
    """
    if run is None:
        return render("status.html", state="idle", lost=lost)
    return render(
        "status.html",
        state=run.state,
        name=run.name,
        stands=_stands(run, place, fetched),
        percent=None if run.kind == "uploaded" else _percent(run),
        numbers=_numbers(run),
        test=run.evaluation,
        advice=_advice(run, lost),
        foreign=run.foreign,
    )


def _percent(run: Run) -> str:
    last = run.history.last
    return f"{100 * last.step / last.steps:.1f}" if last is not None else "0"


def _stands(run: Run, place: int, fetched: tuple[int, int] | None) -> str:
    if run.state == "waiting" and place:
        return f"is waiting for its turn: number {place} in the queue."
    if run.state == "fetching" and fetched is not None:
        return f"is waiting for MNIST: {fetched[0] / 1e6:.1f} of {fetched[1] / 1e6:.1f} MB."
    if run.state == "running" and run.testing is not None:
        return f"is being tested: {run.testing[0]:,} of {run.testing[1]:,} digits."
    if run.state == "running" and run.history.last is None:
        if run.gpu is not None and run.weights is not None:
            return "is waiting for a GPU."
        total = synthetic_count(run.config)
        return (
            f"is drawing its synthetic digits: {run.drawn:,} of {total:,}."
            if total and run.drawn
            else "is loading its digits."
        )
    return "is ready to use." if run.kind == "uploaded" else f"{_STATES[run.state]}."


def _numbers(run: Run) -> list[str]:
    """How far it is and how fast."""
    last = run.history.last
    if last is None:
        return []
    step = f"step {last.step:,} of {last.steps:,}"
    rate, left = images_per_second(run), seconds_left(run)
    if run.state == "running" and rate is not None and left is not None:
        return [step, f"{rate:,.0f} images/s", f"{span(left)} left"]
    return [step, f"{span(last.seconds)} of training"] if run.state in OVER else [step]


def _advice(run: Run, lost: str) -> Advice | None:
    if run.state == "diverged" and run.trouble is not None:
        return Advice(run.trouble.says, _gentler(run))
    if run.state == "failed":
        return Advice(run.note, _synthetic(run)) if run.note else None
    if run.active and run.trouble is not None:
        return Advice(run.trouble.says)
    if run.kind == "fine-tuned" and run.state == "finished" and len(run.history.evaluations) > 1:
        return Advice(f"{_learned(run)} {run.note}".strip(), {"text": "Undo", "act": "undo", "run": run.id})
    said = [run.note or run.fallback or lost]
    if run.trouble is not None:
        said.append(run.trouble.afterwards if run.state in OVER else run.trouble.says)
    return Advice(" ".join(filter(None, said))) if any(said) else None


def _gentler(run: Run) -> dict[str, Any] | None:
    """The button that trains with the learning rate that is recommended instead, if one is."""
    rate = run.trouble.learning_rate if run.trouble is not None else None
    if rate is None:
        return None
    return {
        "text": f"Train with {rate:g}",
        "act": "gentler",
        "kind": "primary",
        "run": run.id,
        "rate": f"{rate:g}",
    }


def _synthetic(run: Run) -> dict[str, Any] | None:
    """The button that trains on digits that need no download, where it was MNIST that was missing."""
    if run.config.data == "synthetic" or run.history.last is not None:
        return None
    return {"text": "Train on synthetic digits", "act": "synthetic", "kind": "primary", "run": run.id}


def _learned(run: Run) -> str:
    before, after = run.history.evaluations[0], run.history.evaluations[-1]
    n = run.result["drawings"]
    yours = "your drawing" if n == 1 else f"your {n} drawings"
    tests = "synthetic test digits" if run.config.data == "synthetic" else "MNIST's test digits"
    return (
        f"Right on {yours}: {run.result['right_before']} before, {run.result['right_after']} now. "
        f"Accuracy on {tests}: {share(before.accuracy, 2)} before, {share(after.accuracy, 2)} now."
    )


def fine_tuning(visit: Visit, *, unfolded: bool) -> str:
    """Fine-tuning on one's own handwriting: ten buttons to label the drawing, and the labelled drawings.

    Whoever has used one of its buttons has unfolded it, and finds it so afterwards.
    """
    return render("fine_tuning.html", classes=CLASSES, drawings=visit.drawings, unfolded=unfolded)
