"""A run's status: its state, its numbers, what to do next; and what is read on the small pad."""

from __future__ import annotations

from html import escape

from mnist_core.data import synthetic_count
from mnist_core.page.components.panel import button, picture
from mnist_core.runs import Visit
from mnist_core.runs.run import OVER, Run, images_per_second, seconds_left

_STATES = {
    "fetching": "is waiting for MNIST",
    "waiting": "waits for its turn",
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


def state(run: Run | None) -> str:
    """The sentence that a screen reader announces when the state changes."""
    return f"{run.name} {_STATES[run.state]}." if run is not None else ""


def status(run: Run | None, place: int, fetched: tuple[int, int] | None) -> str:
    """A run's status: a sentence, a progress bar, and its numbers."""
    if run is None:
        return '<div class="status" data-state="idle"><p>Choose a recipe and press Train.</p></div>'
    bar = "" if run.kind == "uploaded" else _bar(run)
    return (
        f'<div class="status" data-state="{run.state}">'
        f"<p><strong>{escape(run.name)}</strong> {_stands(run, place, fetched)}</p>{bar}"
        f'<p class="numbers">{_numbers(run)}</p>{_advice(run)}</div>'
    )


def _bar(run: Run) -> str:
    last = run.history.last
    percent = f"{100 * last.step / last.steps:.1f}" if last is not None else "0"
    return (
        '<div class="bar" role="progressbar" aria-label="Progress" aria-valuemin="0" aria-valuemax="100" '
        f'aria-valuenow="{percent}"><i style="width: {percent}%"></i></div>'
    )


def _stands(run: Run, place: int, fetched: tuple[int, int] | None) -> str:
    if run.state == "waiting" and place:
        return f"waits for its turn: number {place} in the queue."
    if run.state == "fetching" and fetched is not None:
        return f"waits for MNIST: {fetched[0] / 1e6:.1f} of {fetched[1] / 1e6:.1f} MB."
    if run.state == "running" and run.testing is not None:
        return f"is being tested: {run.testing[0]:,} of {run.testing[1]:,} digits."
    if run.state == "running" and run.history.last is None:
        if run.gpu is not None and run.weights is not None:
            return "waits for a GPU."
        total = synthetic_count(run.config)
        return (
            f"is drawing its synthetic digits: {run.drawn:,} of {total:,}."
            if total and run.drawn
            else "is loading its digits."
        )
    return "is ready to use." if run.kind == "uploaded" else f"{_STATES[run.state]}."


def _numbers(run: Run) -> str:
    last, test, parts = run.history.last, run.evaluation, []
    if last is not None:
        parts.append(f"step {last.step:,} of {last.steps:,}")
        rate, left = images_per_second(run), seconds_left(run)
        if run.state == "running" and rate is not None and left is not None:
            parts += [f"{rate:,.0f} images/s", f"{span(left)} left"]
        elif run.state in OVER:
            parts.append(f"{span(last.seconds)} of training")
    if test is not None:
        parts.append(f"<b>{test.accuracy:.2%}</b> of {test.n:,} test digits right")
    return " · ".join(parts) or "&nbsp;"


def _advice(run: Run) -> str:
    """What to know or do next: at most one sentence with at most one button."""
    said, act = "", ""
    if run.state == "diverged" and run.trouble is not None:
        said = run.trouble.says
        if run.trouble.learning_rate is not None:
            rate = f"{run.trouble.learning_rate:g}"
            act = button(f"Train with {rate}", "gentler", kind="primary", run=run.id, rate=rate)
    elif run.state == "failed":
        said = run.note
        if run.config.data != "synthetic" and run.history.last is None:
            act = button("Train on synthetic digits", "synthetic", kind="primary", run=run.id)
    elif run.active and run.trouble is not None:
        said = run.trouble.says
    elif run.kind == "fine-tuned" and run.state == "finished" and len(run.history.evaluations) > 1:
        said = _learned(run)
        act = button("Undo", "undo", run=run.id)
    elif run.note or run.fallback:
        said = run.note or run.fallback
    return f'<p class="advice"><span>{escape(said)}</span>{act}</p>' if said else ""


def _learned(run: Run) -> str:
    before, after = run.history.evaluations[0], run.history.evaluations[-1]
    n = run.result["drawings"]
    yours = "your drawing" if n == 1 else f"your {n} drawings"
    tests = "synthetic test digits" if run.config.data == "synthetic" else "MNIST's test digits"
    return (
        f"Right on {yours}: {run.result['right_before']} before, {run.result['right_after']} now. "
        f"Accuracy on {tests}: {before.accuracy:.2%} before, {after.accuracy:.2%} now."
    )


def fine_tuning(visit: Visit) -> str:
    """Fine-tuning on one's own handwriting: ten buttons to label the drawing, and the labelled drawings."""
    digits = "".join(
        button(str(digit), "label", digit=digit, title=f"Label it {digit}") for digit in range(10)
    )
    shown = "".join(
        f"<figure>{picture(pixels, f'your {digit}')}<figcaption>{digit}</figcaption></figure>"
        for pixels, digit in visit.drawings
    )
    act = ""
    if visit.drawings:
        count = len(visit.drawings)
        drawings = "this drawing" if count == 1 else f"these {count}"
        act = button(f"Fine-tune on {drawings}", "fine_tune", kind="primary")
        act += button("Clear", "unlabel")
    opened = " open" if visit.drawings else ""
    return (
        f'<details class="fold lesson"{opened}><summary>Misread? Fine-tune it on your handwriting</summary>'
        f'<p>Draw a digit, then tap its label. A few drawings are enough.</p><div class="tens">{digits}</div>'
        f'<div class="taught">{shown}</div><div class="acts">{act}</div></details>'
    )
