"""The plots: drawn without pyplot, and showing what they were given."""

from __future__ import annotations

import torch
from commands import answer_of

from mnist_core.engine.events import Evaluation, Step
from mnist_core.engine.history import History
from mnist_core.engine.plots import confusion_figure, loss_figure


def history() -> History:
    """Three steps and one evaluation."""
    kept = History()
    for step, loss in enumerate([2.0, 1.0, 0.5], 1):
        kept.add_step(Step(step, 3, 1, step * 32, 32, loss, 0.5, step * 0.1))
    kept.add_evaluation(Evaluation(3, 1, 0.75, 0.8, 8, 10, torch.eye(10, dtype=torch.int64), 0.2))
    return kept


def test_the_loss_figure_shows_each_loss_over_the_samples_seen() -> None:
    (axes,) = loss_figure(history()).axes
    batches, smoothed, tests = axes.get_lines()
    assert list(batches.get_xdata()) == [32, 64, 96] and list(batches.get_ydata()) == [2.0, 1.0, 0.5]
    assert len(smoothed.get_ydata()) == 3
    assert list(tests.get_xdata()) == [96] and list(tests.get_ydata()) == [0.75]
    assert axes.get_yscale() == "log"
    assert [text.get_text() for text in axes.texts] == ["80.00%"]


def test_a_figure_that_leaves_batches_out_says_so_and_shows_every_peak() -> None:
    kept = History()
    for step in range(1, 5001):
        kept.add_step(Step(step, 5000, 1, step * 32, 32, 9.0 if step == 3211 else 0.5, 0.5, step * 0.1))
    (axes,) = loss_figure(kept).axes
    batches = axes.get_lines()[0]
    assert batches.get_label() == "training, lowest and highest of every 3 batches"
    assert max(batches.get_ydata()) == 9.0
    assert loss_figure(history()).axes[0].get_lines()[0].get_label() == "training, each batch"


def test_a_run_without_a_step_gives_an_empty_figure() -> None:
    (axes,) = loss_figure(History()).axes
    assert all(len(line.get_xdata()) == 0 for line in axes.get_lines())


def test_the_confusion_figure_counts_and_shades_mistakes_only() -> None:
    confusion = torch.eye(10, dtype=torch.int64) * 5
    confusion[4, 9] = 2
    (axes,) = confusion_figure(confusion).axes
    assert axes.get_title() == "50 of 52 recognised"
    shades = axes.images[0].get_array()
    assert shades[4, 9] == 2 and shades.sum() == 2
    assert sorted(text.get_text() for text in axes.texts if text.get_text()) == ["2"] + ["5"] * 10
    (mistakes,) = (text.get_position() for text in axes.texts if text.get_text() == "2")
    assert mistakes == (9, 4)  # to the right what it was read as, downwards what it is
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("read as", "true digit")


def test_pyplot_and_its_state_stay_out_of_it() -> None:
    program = (
        "import sys; from mnist_core.engine.history import History; "
        "from mnist_core.engine.plots import loss_figure; "
        "loss_figure(History()); print('matplotlib.pyplot' in sys.modules)"
    )
    assert answer_of(program) == "False\n"
