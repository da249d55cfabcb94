"""Training runs and the slot that they take turns in, on tiny digits and real torch."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from bars import ANNE, BEN, LONG, TINY, WATCHED, alone, bars, done_some, losses, until

from mnist_core.datasets.download import DataError
from mnist_core.engine.history import CHANCE_LOSS
from mnist_core.runs import RunError, Runs, store
from mnist_core.runs.limits import CAREFUL
from mnist_core.runs.store import DigitStore


def test_a_run_gives_the_losses_of_fit_bit_for_bit(make_runs: Callable[..., Runs]) -> None:
    run = make_runs().start(ANNE, TINY)
    until(lambda: run.state == "finished")
    assert losses(run) == alone(TINY)
    assert [evaluation.step for evaluation in run.history.evaluations] == [10, 20, 30]


def test_pausing_and_resuming_changes_no_loss_though_another_run_trains_in_between(
    make_runs: Callable[..., Runs],
) -> None:
    runs = make_runs()
    annes = runs.start(ANNE, replace(LONG, epochs=10))
    until(done_some(annes))
    runs.pause(ANNE, annes.id)
    assert annes.state == "paused"
    paused_at = annes.history.last.step
    bens = runs.start(BEN, replace(TINY, seed=7, dropout2=0.5))
    until(lambda: bens.state == "finished")
    assert annes.history.last.step == paused_at
    runs.resume(ANNE, annes.id)
    until(lambda: annes.state == "finished")
    assert losses(annes) == alone(annes.config)
    assert losses(bens) == alone(bens.config)


def test_one_step_takes_one_step(make_runs: Callable[..., Runs]) -> None:
    runs = make_runs()
    run = runs.start(ANNE, LONG)
    until(done_some(run))
    runs.pause(ANNE, run.id)
    before = run.history.last.step
    runs.resume(ANNE, run.id, single_step=True)
    until(lambda: run.state == "paused")
    assert run.history.last.step == before + 1


def test_a_stopped_run_keeps_its_curve_and_weights_and_frees_the_slot(make_runs: Callable[..., Runs]) -> None:
    runs = make_runs()
    run = runs.start(ANNE, LONG)
    until(done_some(run))
    runs.stop(ANNE, run.id)
    assert run.state == "stopped"
    assert run.weights_step == run.history.last.step > 0
    assert runs.classifier_for(ANNE, run.id).predict(bars(4).images[3].numpy()).guess is not None
    after = runs.start(ANNE, TINY)
    until(lambda: after.state == "finished")


def test_an_evaluation_can_be_stopped_half_way(make_runs: Callable[..., Runs]) -> None:
    runs = make_runs()
    run = runs.start(ANNE, replace(LONG, test_batch_size=1, evaluations_per_epoch=10))
    until(lambda: run.testing is not None)
    runs.stop(ANNE, run.id)
    assert run.state == "stopped"


def test_the_learning_rate_changes_from_the_next_step_on_and_the_plot_is_marked(
    make_runs: Callable[..., Runs],
) -> None:
    runs = make_runs()
    run = runs.start(ANNE, LONG)
    until(done_some(run))
    runs.change(ANNE, run.id, learning_rate=0.25)
    until(lambda: run.history.last.learning_rate == 0.25)
    runs.change(ANNE, run.id, learning_rate=0.75)  # and it may rise
    until(lambda: run.history.last.learning_rate == 0.75)
    assert [said for _, said in run.history.changes] == ["rate 0.25", "rate 0.75"]
    assert run.learning_rate == 0.75
    with pytest.raises(RunError, match=r"Only SGD with momentum has a momentum, not Adadelta\."):
        runs.change(ANNE, run.id, momentum=0.5)


def test_momentum_changes_while_sgd_with_momentum_runs(make_runs: Callable[..., Runs]) -> None:
    runs = make_runs()
    run = runs.start(ANNE, replace(LONG, optimizer="momentum", learning_rate=0.01))
    until(done_some(run))
    runs.follow_recipe(ANNE, run.id, replace(run.config, momentum=0.5))
    assert run.history.changes[0][1] == "momentum 0.5"
    at = run.history.last.step
    until(done_some(run, at + 3))
    assert run.state == "running"


def test_a_paused_run_takes_the_last_of_many_changes_at_its_next_step(make_runs: Callable[..., Runs]) -> None:
    """A slider sends many on its way."""
    runs = make_runs()
    run = runs.start(ANNE, replace(LONG, optimizer="momentum", learning_rate=0.01))
    until(done_some(run))
    runs.pause(ANNE, run.id)
    under_way, step = runs.visit(ANNE).under_way, run.history.last.step
    assert under_way is run
    for recipe in ({"momentum": 0.5}, {"learning_rate": 0.02}, {"learning_rate": 0.03}):
        runs.follow_recipe(ANNE, run.id, replace(run.config, **{"momentum": run.momentum, **recipe}))
    assert run.history.changes == [(step, "momentum 0.5"), (step, "rate 0.03")]
    runs.resume(ANNE, run.id, single_step=True)
    until(lambda: run.state == "paused" and run.history.last.step == step + 1)
    assert run.history.last.learning_rate == 0.03
    runs.stop(ANNE, run.id)
    assert runs.visit(ANNE).under_way is None


def test_one_run_trains_at_a_time_and_the_next_knows_its_place(make_runs: Callable[..., Runs]) -> None:
    runs = make_runs()
    first, second = runs.start(ANNE, LONG), runs.start(BEN, TINY)
    until(done_some(first))
    assert (first.state, second.state, runs.slot.place(second)) == ("running", "waiting", 1)
    runs.pause(ANNE, first.id)
    until(lambda: second.state == "finished")
    runs.resume(ANNE, first.id)
    until(done_some(first, first.history.last.step + 3))


def test_a_long_run_lets_the_others_have_their_turns(make_runs: Callable[..., Runs]) -> None:
    runs = make_runs(replace(WATCHED, turn_seconds=0.1))
    first, second = runs.start(ANNE, replace(LONG, epochs=15)), runs.start(BEN, replace(LONG, epochs=8))
    until(lambda: second.state == "finished" and first.state == "finished", 60)
    assert losses(first) == alone(first.config)
    assert losses(second) == alone(second.config)


def test_a_full_queue_says_no(make_runs: Callable[..., Runs]) -> None:
    runs = make_runs(replace(WATCHED, queue=1))
    running = runs.start(ANNE, LONG)
    until(lambda: running.state == "running")
    runs.start(BEN, LONG)
    with pytest.raises(RunError, match=r"The queue is full \(1 waiting\)\. Try again in a minute or two\."):
        runs.start("c" * 64, LONG)
    assert runs.visit("c" * 64).runs == {}


def test_a_visit_has_one_active_run_and_a_bounded_number_of_others(make_runs: Callable[..., Runs]) -> None:
    runs = make_runs(replace(WATCHED, runs=2))
    first = runs.start(ANNE, LONG)
    until(done_some(first))
    with pytest.raises(RunError, match="is still running"):
        runs.start(ANNE, TINY)
    runs.stop(ANNE, first.id)
    second = runs.start(ANNE, TINY)
    until(lambda: second.state == "finished")
    with pytest.raises(RunError, match="The limit of runs per visit is 2"):
        runs.start(ANNE, TINY)
    runs.delete(ANNE, first.id)
    runs.start(ANNE, TINY)


def test_a_loss_that_explodes_stops_the_run_and_offers_a_rate_that_learns(
    make_runs: Callable[..., Runs],
) -> None:
    runs = make_runs()
    run = runs.start(ANNE, replace(LONG, optimizer="sgd", learning_rate=100.0))
    until(lambda: run.state == "diverged")
    assert "A learning rate of 100 is too high for plain SGD; try 0.05." in run.note
    assert all(bool(tensor.isfinite().all()) for tensor in run.weights.values())
    gentle = runs.start(ANNE, replace(run.config, learning_rate=run.trouble.learning_rate, epochs=20))
    until(lambda: gentle.state == "finished")
    assert gentle.history.smoothed < CHANCE_LOSS / 2


def test_a_step_that_raises_fails_the_run_with_a_sentence_and_frees_the_slot(
    make_runs: Callable[..., Runs], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = make_runs()
    run = runs.start(ANNE, LONG)
    until(done_some(run))
    runs.pause(ANNE, run.id)

    def burst() -> None:
        raise MemoryError("no room for 3 GB")

    monkeypatch.setattr(run, "advance", burst)
    runs.resume(ANNE, run.id)
    until(lambda: run.state == "failed")
    assert run.note == "Training failed (no room for 3 GB). The weights so far are kept; start it again."
    assert runs.slot.faults == 1
    after = runs.start(ANNE, TINY)
    until(lambda: after.state == "finished")


def test_missing_digits_fail_the_run_with_their_own_sentence(make_runs: Callable[..., Runs]) -> None:
    runs = make_runs()
    runs.digits.broken = DataError("MNIST is missing: let it be downloaded.")
    run = runs.start(ANNE, TINY)
    until(lambda: run.state == "failed")
    assert run.note == "MNIST is missing: let it be downloaded."


def test_a_failed_download_holds_no_slot_and_offers_the_built_in_digits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold = threading.Event()

    def no_network(*_: object, **__: object) -> None:
        hold.wait(10)
        raise DataError("MNIST could not be downloaded: check the network.")

    monkeypatch.setattr("mnist_core.runs.store.load_mnist", no_network)
    runs = Runs(WATCHED, digits=DigitStore(tmp_path), device="cpu")
    try:
        run = runs.start(ANNE, TINY)
        assert run.state == "fetching"
        assert runs.slot.place(run) == 0
        with pytest.raises(RunError, match=r"^Run 1 is still fetching\. Stop it first\.$"):
            runs.start(ANNE, TINY)
        hold.set()
        until(lambda: run.state == "failed")
        assert run.note == (
            "MNIST could not be downloaded: check the network. Or train on synthetic digits, which need "
            "no download."
        )
    finally:
        runs.close()


def test_a_run_longer_than_the_limit_stops_with_its_weights(make_runs: Callable[..., Runs]) -> None:
    runs = make_runs(replace(WATCHED, run_seconds=0.2, epochs=100))
    run = runs.start(ANNE, LONG)
    until(lambda: run.state == "stopped")
    assert run.note == "Stopped: the limit is 0.2 seconds of training per run."
    assert run.weights_step > 0


def test_a_recipe_with_too_many_epochs_is_refused(make_runs: Callable[..., Runs]) -> None:
    with pytest.raises(RunError, match=r"100 epochs are too many here: at most 20\."):
        make_runs(CAREFUL).start(ANNE, LONG)


def test_a_run_knows_which_of_its_files_are_not_mnists(
    make_runs: Callable[..., Runs], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = make_runs()
    monkeypatch.setattr(store, "foreign_files", lambda folder: ["train-images-idx3-ubyte"])
    run = runs.start(ANNE, TINY)
    until(lambda: run.state == "finished")
    assert run.foreign == ["train-images-idx3-ubyte"]
    synthetic = runs.start(ANNE, replace(TINY, data="synthetic"))
    until(lambda: synthetic.state == "finished")
    assert synthetic.foreign == []
