"""A run's curve stays small, and tells when something is wrong."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest
import torch
from bars import TINY

from mnist_core.engine.events import Evaluation, Step
from mnist_core.engine.history import History, Rows, Watch
from mnist_core.runs.run import Run, images_per_second, seconds_left


def test_rows_stay_bounded_evenly_spread_and_keep_first_and_newest() -> None:
    rows = Rows(2, limit=100)
    for number in range(100_000):
        rows.add(number, -number)
        assert len(rows) <= 101
    kept = rows.rows()
    assert kept[0] == (0, 0)
    assert kept[-1] == (99_999, -99_999)
    gaps = {after[0] - before[0] for before, after in itertools.pairwise(kept[:-1])}
    assert gaps == {rows.every}
    assert len(rows.rows(10)) <= 11


def test_evaluations_stay_bounded_and_keep_first_and_newest() -> None:
    history = History()
    for number in range(1, 10_001):
        history.add_evaluation(Evaluation(number, 1, 1.0, 0.5, 5, 10, torch.zeros(10, 10), 0.1))
    assert len(history.evaluations) <= 300
    assert (history.evaluations[0].step, history.evaluations[-1].step) == (1, 10_000)
    assert history.tested == 10_000


def test_a_short_run_is_kept_whole_in_its_csv() -> None:
    history = History()
    for number in range(1, 31):
        history.add_step(Step(number, 30, 1, number * 10, 10, 1 / number, 0.5, number / 10))
    lines = history.to_csv().splitlines()
    assert lines[0] == "step,samples_seen,loss,smoothed_loss,learning_rate,test_loss,test_accuracy"
    assert [float(line.split(",")[2]) for line in lines[1:]] == [1 / number for number in range(1, 31)]


def test_progress_says_how_fast_and_how_long() -> None:
    run = Run("Run 1", TINY)
    assert images_per_second(run) is None
    assert seconds_left(run) is None
    run.history.add_step(Step(10, 30, 1, 100, 10, 2.0, 0.5, 2.0))
    assert images_per_second(run) == 50
    assert seconds_left(run) == pytest.approx(4.0)


@pytest.mark.parametrize("loss", [math.nan, math.inf, 5000.0])
def test_a_loss_that_is_no_number_or_huge_is_fatal_at_once(loss: float) -> None:
    trouble = Watch(TINY).look(Step(1, 30, 1, 10, 10, loss, 0.5, 0.1), loss)
    assert trouble is not None
    assert trouble.fatal
    assert trouble.learning_rate == 0.05


def test_a_loss_flat_at_ln_10_is_explained_and_goes_on() -> None:
    watch = Watch(replace(TINY, optimizer="sgd", learning_rate=0.01, activation="sigmoid"))
    said = [watch.look(Step(n, 500, 1, n, 1, 2.31, 0.01, n / 100), 2.31) for n in range(1, 200)]
    assert said[50] is None
    assert not said[-1].fatal
    assert said[-1].says == (
        "The loss stands at 2.303, as if guessing (ln 10): it isn't learning yet. Perhaps a learning rate of "
        "0.01 is too low and sigmoid shrinks the gradients on their way back."
    )
