"""A run's curve stays small, and tells when something is wrong."""

from __future__ import annotations

import itertools
import math
import threading
from dataclasses import replace

import pytest
import torch
from bars import TINY

from mnist_core.engine.events import Evaluation, Step
from mnist_core.engine.history import Curve, History, Rows, Trouble, Watch
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


def long_history(losses: list[float]) -> History:
    """A run of ten digits a step with these losses."""
    history = History()
    for number, loss in enumerate(losses, 1):
        history.add_step(Step(number, len(losses), 1, number * 10, 10, loss, 0.5, number / 10))
    return history


def evaluated(step: int, loss: float = 1.0) -> Evaluation:
    """An evaluation after a step."""
    return Evaluation(step, 1, loss, 0.5, 5, 10, torch.zeros(10, 10), 0.1)


def test_a_curve_that_is_left_out_in_part_keeps_every_peak_and_both_ends() -> None:
    losses = [2.0 + (number % 7) / 100 for number in range(5625)]
    losses[3210], losses[4321] = 9.0, 0.1
    history = long_history(losses)
    shown = history.losses.rows(300)
    assert 150 < len(shown) <= 302
    assert {(3211, 9.0), (4322, 0.1)} <= {(row[0], row[2]) for row in shown}
    assert (shown[0][0], shown[-1][0]) == (1, 5625)
    assert [row[0] for row in shown] == sorted({row[0] for row in shown})
    assert history.batches_shown(300) == "lowest and highest of every 38 batches"


def test_a_curve_that_fits_is_shown_whole_and_says_so() -> None:
    history = long_history([2.0] * 300)
    assert [row[0] for row in history.losses.rows(300)] == list(range(1, 301))
    assert history.batches_shown(300) == "each batch"


def test_a_loss_that_is_no_number_hides_no_peak() -> None:
    losses = [1.0] * 100
    losses[50], losses[51] = math.nan, 7.0
    shown = [row[2] for row in long_history(losses).losses.rows(10)]
    assert 7.0 in shown


def test_a_curve_can_be_read_while_it_grows() -> None:
    curve = Curve(2, shown=1)
    growing = threading.Thread(target=lambda: [curve.add(number, number) for number in range(50_000)])
    growing.start()
    while growing.is_alive():
        assert all(first == second for first, second in curve.rows(10))
    growing.join()
    assert len(curve) == 50_000


def test_evaluations_stay_bounded_and_keep_first_newest_and_the_peaks_of_the_loss() -> None:
    history = History()
    for number in range(1, 10_001):
        history.add_evaluation(
            evaluated(number, loss={4001: 9.0, 7002: 0.1}.get(number, 1 + number % 3 / 10))
        )
    kept = {evaluation.step: evaluation.loss for evaluation in history.evaluations}
    assert len(kept) <= 300
    assert kept[4001] == 9.0 and kept[7002] == 0.1
    assert (min(kept), max(kept)) == (1, 10_000)
    assert history.tested == 10_000


def test_the_csv_has_every_step_and_every_evaluation_however_long_the_run() -> None:
    losses = [1 / number for number in range(1, 4201)]
    history = long_history(losses)
    for number in range(10, 4201, 10):
        history.add_evaluation(evaluated(number, loss=number))
    header, *lines = history.to_csv().splitlines()
    assert header == "step,samples_seen,loss,smoothed_loss,learning_rate,test_loss,test_accuracy"
    rows = [line.split(",") for line in lines]
    assert [int(row[0]) for row in rows] == list(range(1, 4201))
    assert [float(row[2]) for row in rows] == losses
    tests = {int(row[0]): (float(row[5]), float(row[6])) for row in rows if row[5]}
    assert tests == {number: (number, 0.5) for number in range(10, 4201, 10)}


def test_progress_says_how_fast_and_how_long() -> None:
    run = Run("Run 1", TINY)
    assert images_per_second(run) is None
    assert seconds_left(run) is None
    run.history.add_step(Step(10, 30, 1, 100, 10, 2.0, 0.5, 2.0))
    assert images_per_second(run) == 50
    assert seconds_left(run) == pytest.approx(4.0)
    run.history.add_evaluation(evaluation_of(10, 0.9, seconds=1.5))
    assert seconds_left(run) == pytest.approx(4.0 + 2 * 1.5)  # two more epochs end in an evaluation
    run.history.add_step(Step(30, 30, 3, 300, 10, 2.0, 0.5, 6.0))
    run.history.add_evaluation(evaluation_of(20, 0.9, seconds=1.0))
    assert seconds_left(run) == pytest.approx(1.0)
    run.history.add_evaluation(evaluation_of(30, 0.9, seconds=1.0))
    assert seconds_left(run) == 0


def evaluation_of(step: int, accuracy: float, *, loss: float = 1.0, seconds: float = 0.1) -> Evaluation:
    """An evaluation after a step."""
    right = round(10_000 * accuracy)
    return Evaluation(step, 1, loss, accuracy, right, 10_000, torch.zeros(10, 10), seconds)


def stepped(history: History, *losses: float, steps: int = 1000) -> History:
    """The history after steps with these losses, a second each."""
    for loss in losses:
        number = history.last.step + 1 if history.last else 1
        history.add_step(Step(number, steps, 1, number * 10, 10, loss, 0.5, float(number)))
    return history


def test_the_smoothed_loss_is_not_drawn_towards_nought_at_first() -> None:
    assert stepped(History(), 2.3).smoothed == pytest.approx(2.3)
    assert stepped(History(), *[0.7] * 25).smoothed == pytest.approx(0.7)
    # A run of 1,000 steps is smoothed over 10: each loss weighs 0.9 of the next one.
    assert stepped(History(), 2.0, 1.0).smoothed == pytest.approx((0.9 * 2.0 + 1.0) / 1.9)


def test_however_long_or_short_a_run_its_loss_is_smoothed_over_5_to_50_steps() -> None:
    assert stepped(History(), 2.0, 1.0, steps=90_000).smoothed == pytest.approx((0.98 * 2.0 + 1.0) / 1.98)
    assert stepped(History(), 2.0, 1.0, steps=10).smoothed == pytest.approx((0.8 * 2.0 + 1.0) / 1.8)


def test_an_accuracy_is_reached_when_it_is_measured_for_the_first_time() -> None:
    history = History()
    for accuracy in (0.97, 0.985, 0.991, 0.982, 0.995):
        stepped(history, 1.0)
        history.add_evaluation(evaluation_of(history.last.step, accuracy))
    assert history.reached == {0.98: 2.0, 0.99: 3.0}


def test_a_smoothed_loss_three_times_that_of_guessing_has_diverged_from_the_fifth_step_on() -> None:
    def look(step: int, smoothed: float) -> Trouble | None:
        return Watch(TINY).look(Step(step, 30, 1, 10 * step, 10, 20.0, 0.5, 0.1), smoothed)

    assert look(5, 7.0).fatal and look(30, 900.0).fatal
    assert look(5, 7.0).says.startswith("The loss shot up to 20. A learning rate of 0.5 is too high for ")
    assert look(4, 7.0) is None and look(5, 6.8) is None


def test_a_loss_that_shot_up_and_fell_flat_means_dead_units() -> None:
    watch, losses = Watch(TINY), [6.0] + [2.31] * 120
    said = [watch.look(Step(n, 500, 1, n, 1, loss, 0.5, n / 100), 2.31) for n, loss in enumerate(losses, 1)]
    assert said[98] is None and said[99].fatal
    assert said[99].says.startswith("The loss shot up and has stood at 2.303 since: the units are dead")


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_weights_that_the_last_step_spoilt_are_noticed_at_the_evaluation(loss: float) -> None:
    watch, last = Watch(TINY), Step(30, 30, 3, 300, 10, 2.0, 0.5, 6.0)
    assert watch.look_at_test(evaluation_of(30, 0.1, loss=loss), last).fatal
    assert watch.look_at_test(evaluation_of(30, 0.1), last) is None


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


def test_a_rate_far_too_high_or_much_dropout_is_named_where_a_loss_stays_flat() -> None:
    watch = Watch(replace(TINY, optimizer="sgd", learning_rate=1.0, dropout1=0.8))
    said = [watch.look(Step(n, 500, 1, n, 1, 2.31, 1.0, n / 100), 2.31) for n in range(1, 200)]
    assert said[-1].says.endswith(
        "Perhaps a learning rate of 1 is too high and dropout switches off most of the network."
    )
