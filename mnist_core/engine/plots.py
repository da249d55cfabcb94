"""Results as plots: a run's losses, and its confusion matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from mnist_core.engine.history import POINTS, History

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLUE, ORANGE = "#0072B2", "#D55E00"  # told apart by the colour-blind (Okabe & Ito 2008)


def loss_figure(history: History) -> Figure:
    """Training and test loss over the samples seen, on a log scale, labelled with the test accuracy."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), dpi=120, layout="constrained")
    axes = figure.subplots()
    rows = history.losses.rows(POINTS)  # step, samples seen, loss, smoothed loss, learning rate
    seen, batches = [row[1] for row in rows], [row[2] for row in rows]
    shown = f"training, {history.batches_shown(POINTS)}"
    axes.plot(seen, batches, color=BLUE, alpha=0.25, linewidth=0.8, label=shown)
    axes.plot(seen, [row[3] for row in rows], color=BLUE, linewidth=1.6, label="training, smoothed")
    per_step = (
        history.last.seen / history.last.step if history.last else 0
    )  # samples; the last batch may be small
    tested = [evaluation.step * per_step for evaluation in history.evaluations]
    losses = [evaluation.loss for evaluation in history.evaluations]
    axes.plot(tested, losses, color=ORANGE, linestyle="--", marker="o", label="test")
    for x, evaluation in zip(tested, history.evaluations, strict=True):
        where = (x, evaluation.loss)
        says = f"{evaluation.accuracy:.2%}"
        axes.annotate(says, where, (0, 7), textcoords="offset points", ha="right", color=ORANGE)
    if any(row[2] > 0 for row in rows):
        axes.set_yscale("log")
    axes.set(xlabel="samples seen", ylabel="loss")
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def confusion_figure(confusion: torch.Tensor) -> Figure:
    """The confusion matrix (10, 10): the row's digit read as the column's. Mistakes are shaded."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 6), dpi=120, layout="constrained")
    axes = figure.subplots()
    mistakes = confusion.clone().fill_diagonal_(0).numpy()
    axes.imshow(mistakes, cmap="Oranges", vmin=0, vmax=max(1, int(mistakes.max())))
    for row in range(10):
        for column in range(10):
            count = int(confusion[row, column])
            weight = "bold" if row == column else "normal"
            axes.text(column, row, str(count or ""), ha="center", va="center", fontsize=8, fontweight=weight)
    axes.set(xticks=range(10), yticks=range(10), xlabel="read as", ylabel="true digit")
    axes.set_title(f"{int(confusion.trace()):,} of {int(confusion.sum()):,} recognised")
    return figure
