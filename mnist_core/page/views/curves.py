"""A run's curves as plots: its losses, several runs' losses, and its probabilities for the drawing."""

from __future__ import annotations

from mnist_core.model import CLASSES
from mnist_core.page.components.chart import Plot, Series
from mnist_core.page.views.percent import percent, share
from mnist_core.runs.run import Run

POINTS = 300  # of a curve on the page
_COLOURS = 6  # page.css has as many for curves
_DASHES = ("", "7 4", "2 3", "10 4 2 4", "4 2", "1 4")
_SHOWN_DIGITS = 3  # the most probable ones, shown in colour


def loss_plot(run: Run | None, compared: list[Run]) -> Plot:
    """The losses of `run`; where several runs are compared, theirs over the samples seen."""
    if len(compared) > 1:
        return _comparison(compared)
    if run is None:
        return Plot(x_name="step", y_name="loss", y_high=2.5, x_high=100, hint="The loss will appear here.")
    rows, history = run.history.losses.rows(POINTS), run.history
    tests = history.evaluations
    series = [
        Series(
            name=history.batches_shown(POINTS), points=[(r[0], r[2]) for r in rows], faint=True, label=False
        ),
        Series(name="training", points=[(r[0], r[3]) for r in rows]),
        Series(
            name="test" + (f" {share(tests[-1].accuracy, 1)}" if tests else ""),
            points=[(test.step, test.loss) for test in tests],
            colour=2,
            dash="6 4",
            dots=True,
            notes=[f"{share(test.accuracy, 2)} right" for test in tests],
        ),
    ]
    return Plot(
        series=series,
        marks=[{"x": step, "name": said} for step, said in history.changes],
        x_name="step",
        y_name="loss",
        x_high=history.last.steps if history.last else 100,
        x_grows=True,
        can_log=True,
        log=_explodes(run),
        hint="No training history" if run.kind == "uploaded" else "Waiting for the first step",
        summary=_said(run),
    )


def _comparison(runs: list[Run]) -> Plot:
    series = []
    for number, run in enumerate(runs):
        points = [(row[1], row[3]) for row in run.history.losses.rows(POINTS)]
        turn, colour = divmod(number, _COLOURS)
        dash = _DASHES[(colour + turn) % len(_DASHES)]  # another for each colour every time round
        series.append(Series(name=run.name[:14], points=points, colour=colour + 1, dash=dash))
    return Plot(
        series=series,
        x_name="samples seen",
        y_name="training loss, smoothed",
        can_log=True,
        log=any(map(_explodes, runs)),
        summary="Compared: " + " ".join(map(_said, runs)),
    )


def _explodes(run: Run) -> bool:
    """Whether its losses need a log scale."""
    return run.trouble is not None and run.trouble.fatal


def _said(run: Run) -> str:
    last, test = run.history.last, run.evaluation
    if last is None:
        return f"{run.name}: no step yet."
    said = f"{run.name}: training loss {run.history.smoothed:.3f} after {last.step:,} of {last.steps:,} steps"
    return said + (f", {share(test.accuracy, 2)} of {test.n:,} test digits right." if test else ".")


def trace_plot(run: Run | None) -> Plot:
    """The ten probabilities that a run gave the drawing on the pad, over its steps."""
    rows = run.trace.rows(POINTS // 2) if run is not None else []
    order = sorted(range(CLASSES), key=lambda digit: -rows[-1][1 + digit]) if rows else list(range(CLASSES))
    series = []
    for rank, digit in reversed(list(enumerate(order))):
        seen = rank < _SHOWN_DIGITS
        series.append(
            Series(
                name=str(digit),
                points=[(row[0], row[1 + digit]) for row in rows],
                colour=rank + 1 if seen else 0,
                dash=_DASHES[rank] if seen else "",
                faint=not seen,
                label=seen,
            )
        )
    last = run.history.last if run is not None else None
    return Plot(
        series=series if rows else [],
        x_name="step",
        y_name="probability of each digit",
        x_high=last.steps if last else 100,
        x_grows=True,
        y_low=0,
        y_high=1,
        hint="Your digit during training",
        summary=f"The drawing is read as {order[0]}, probability {percent(rows[-1][1 + order[0]])}."
        if rows
        else "",
    )
