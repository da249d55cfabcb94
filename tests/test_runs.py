"""Runs, visits and the training slot, on tiny digits and real torch."""

from __future__ import annotations

import gc
import itertools
import math
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import TensorDataset

from mnist_core import checkpoint
from mnist_core.config import TrainConfig
from mnist_core.data import DataError, Digits
from mnist_core.events import Evaluation, Step
from mnist_core.history import CHANCE_LOSS, History, Rows, Watch
from mnist_core.preprocess import normalise
from mnist_core.runs import SHIPPED, Refused, Runs
from mnist_core.runs.limits import CAREFUL, GENEROUS, Limits, limits_from
from mnist_core.runs.recipes import Pace, as_python
from mnist_core.runs.run import Run, images_per_second, seconds_left
from mnist_core.runs.store import DigitStore
from mnist_core.synthetic import Drawn
from mnist_core.training import fit, initial_model

ANNE, BEN = "a" * 64, "b" * 64
TINY = TrainConfig(train_size=100, batch_size=10, epochs=3, threads=1)  # 30 steps, 3 evaluations
LONG = replace(TINY, epochs=100)
WATCHED = Limits(unwatched_seconds=math.inf)


def _bars(n: int) -> Digits:
    """Digits that are easy to tell apart: a bar whose height is the label."""
    labels = torch.arange(n) % 10
    images = torch.zeros(n, 28, 28, dtype=torch.uint8)
    for image, label in zip(images, labels, strict=True):
        image[4 + 2 * label : 7 + 2 * label, 5:23] = 255
    return Digits(images, labels)


class Bars(DigitStore):
    """A store with 100 bars to learn from and 50 to test on; `broken` is raised instead, if there is one."""

    broken: Exception | None = None

    def here(self) -> bool:
        return True

    def get(self, config: TrainConfig, drawn: Drawn | None = None) -> tuple[TensorDataset, TensorDataset]:
        if self.broken is not None:
            raise self.broken
        return tuple(TensorDataset(normalise(d.images), d.labels) for d in (_bars(100), _bars(50)))

    def test(self, config: TrainConfig) -> TensorDataset:
        return self.get(config)[1]

    def unseen(self, config: TrainConfig) -> Digits:
        return _bars(50)


@pytest.fixture
def make() -> Iterator[Callable[..., Runs]]:
    """`make(limits, folder=...)`: a registry on bars, closed afterwards."""
    made: list[Runs] = []

    def build(limits: Limits = WATCHED, **options: object) -> Runs:
        made.append(Runs(limits, digits=Bars(), device="cpu", **options))
        return made[-1]

    yield build
    for runs in made:
        runs.close()


def _until(condition: Callable[[], object], seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)


def _losses(run: Run) -> list[float]:
    return [row[2] for row in run.history.losses.rows()]


def _alone(config: TrainConfig) -> list[float]:
    """The losses of an uninterrupted run, without any registry."""
    train, test = Bars().get(config)
    return [e.loss for e in fit(initial_model(config), train, test, config) if isinstance(e, Step)]


def _done_some(run: Run, steps: int = 3) -> Callable[[], bool]:
    return lambda: run.history.last is not None and run.history.last.step >= steps


# Run control


def test_a_run_gives_the_losses_of_fit_bit_for_bit(make: Callable[..., Runs]) -> None:
    run = make().start(ANNE, TINY)
    _until(lambda: run.state == "finished")
    assert _losses(run) == _alone(TINY)
    assert [evaluation.step for evaluation in run.history.evaluations] == [10, 20, 30]


def test_pausing_and_resuming_changes_no_loss_though_another_run_trains_in_between(
    make: Callable[..., Runs],
) -> None:
    runs = make()
    annes = runs.start(ANNE, replace(LONG, epochs=10))
    _until(_done_some(annes))
    runs.pause(ANNE, annes.id)
    assert annes.state == "paused"
    paused_at = annes.history.last.step
    bens = runs.start(BEN, replace(TINY, seed=7, dropout2=0.5))
    _until(lambda: bens.state == "finished")
    assert annes.history.last.step == paused_at
    runs.resume(ANNE, annes.id)
    _until(lambda: annes.state == "finished")
    assert _losses(annes) == _alone(annes.config)
    assert _losses(bens) == _alone(bens.config)


def test_one_step_takes_one_step(make: Callable[..., Runs]) -> None:
    runs = make()
    run = runs.start(ANNE, LONG)
    _until(_done_some(run))
    runs.pause(ANNE, run.id)
    before = run.history.last.step
    runs.resume(ANNE, run.id, single_step=True)
    _until(lambda: run.state == "paused")
    assert run.history.last.step == before + 1


def test_a_stopped_run_keeps_its_curve_and_weights_and_frees_the_slot(make: Callable[..., Runs]) -> None:
    runs = make()
    run = runs.start(ANNE, LONG)
    _until(_done_some(run))
    runs.stop(ANNE, run.id)
    assert run.state == "stopped"
    assert run.weights_step == run.history.last.step > 0
    assert runs.classifier_for(ANNE, run.id).predict(_bars(4).images[3].numpy()).guess is not None
    after = runs.start(ANNE, TINY)
    _until(lambda: after.state == "finished")


def test_an_evaluation_can_be_stopped_half_way(make: Callable[..., Runs]) -> None:
    runs = make()
    run = runs.start(ANNE, replace(LONG, test_batch_size=1, evaluations_per_epoch=10))
    _until(lambda: run.testing is not None)
    runs.stop(ANNE, run.id)
    assert run.state == "stopped"


def test_the_learning_rate_changes_from_the_next_step_on_and_the_plot_is_marked(
    make: Callable[..., Runs],
) -> None:
    runs = make()
    run = runs.start(ANNE, LONG)
    _until(_done_some(run))
    runs.change(ANNE, run.id, learning_rate=0.25)
    _until(lambda: run.history.last.learning_rate == 0.25)
    assert [said for _, said in run.history.changes] == ["rate 0.25"]
    with pytest.raises(Refused, match=r"Only SGD with momentum has a momentum, not Adadelta\."):
        runs.change(ANNE, run.id, momentum=0.5)


def test_momentum_changes_while_sgd_with_momentum_runs(make: Callable[..., Runs]) -> None:
    runs = make()
    run = runs.start(ANNE, replace(LONG, optimizer="momentum", learning_rate=0.01))
    _until(_done_some(run))
    runs.follow_recipe(ANNE, run.id, replace(run.config, momentum=0.5))
    assert run.history.changes[0][1] == "momentum 0.5"
    at = run.history.last.step
    _until(_done_some(run, at + 3))
    assert run.state == "running"


# The queue


def test_one_run_trains_at_a_time_and_the_next_knows_its_place(make: Callable[..., Runs]) -> None:
    runs = make()
    first, second = runs.start(ANNE, LONG), runs.start(BEN, TINY)
    _until(_done_some(first))
    assert (first.state, second.state, runs.slot.place(second)) == ("running", "waiting", 1)
    runs.pause(ANNE, first.id)
    _until(lambda: second.state == "finished")
    runs.resume(ANNE, first.id)
    _until(_done_some(first, first.history.last.step + 3))


def test_a_long_run_lets_the_others_have_their_turns(make: Callable[..., Runs]) -> None:
    runs = make(replace(WATCHED, turn_seconds=0.1))
    first, second = runs.start(ANNE, replace(LONG, epochs=15)), runs.start(BEN, replace(LONG, epochs=8))
    _until(lambda: second.state == "finished" and first.state == "finished", 60)
    assert _losses(first) == _alone(first.config)
    assert _losses(second) == _alone(second.config)


def test_a_full_queue_says_no(make: Callable[..., Runs]) -> None:
    runs = make(replace(WATCHED, queue=1))
    running = runs.start(ANNE, LONG)
    _until(lambda: running.state == "running")
    runs.start(BEN, LONG)
    with pytest.raises(Refused, match=r"1 runs are waiting already\. Try again in a minute or two\."):
        runs.start("c" * 64, LONG)
    assert runs.visit("c" * 64).runs == {}


def test_a_visit_has_one_active_run_and_a_bounded_number_of_others(make: Callable[..., Runs]) -> None:
    runs = make(replace(WATCHED, runs=2))
    first = runs.start(ANNE, LONG)
    _until(_done_some(first))
    with pytest.raises(Refused, match="is still running"):
        runs.start(ANNE, TINY)
    runs.stop(ANNE, first.id)
    second = runs.start(ANNE, TINY)
    _until(lambda: second.state == "finished")
    with pytest.raises(Refused, match="This visit has 2 runs, as many as fit"):
        runs.start(ANNE, TINY)
    runs.delete(ANNE, first.id)
    runs.start(ANNE, TINY)


# Visits


def test_a_visit_never_reaches_another_visits_run(make: Callable[..., Runs]) -> None:
    runs = make()
    annes = runs.start(ANNE, TINY)
    _until(lambda: annes.state == "finished")
    runs.visit(BEN)
    for reach in (runs.run, runs.pause, runs.resume, runs.stop, runs.delete, runs.examine):
        with pytest.raises(Refused, match="This visit has no such run any more"):
            reach(BEN, annes.id)
    shipped = runs.classifier_for(BEN, SHIPPED)
    assert runs.classifier_for(BEN, annes.id) is shipped
    assert runs.classifier_for(ANNE, annes.id) is not shipped
    assert annes.id in runs.visit(ANNE).runs


def test_a_run_that_nobody_watches_is_paused_and_frees_the_slot(make: Callable[..., Runs]) -> None:
    runs = make(Limits(unwatched_seconds=0.2))
    first, second = runs.start(ANNE, LONG), runs.start(BEN, TINY)
    second.watched = math.inf
    _until(lambda: first.state == "paused" and second.state == "finished", 10)
    assert first.note == "The page that watched it had gone."


def test_a_visit_whose_pages_have_closed_is_forgotten_and_lets_go_of_its_memory(
    make: Callable[..., Runs],
) -> None:
    runs = make(replace(WATCHED, gone_seconds=0.2))
    runs.visit(ANNE, "one")
    runs.visit(ANNE, "two")
    run = runs.start(ANNE, LONG)
    _until(_done_some(run))
    runs.leave("one")
    time.sleep(0.4)
    runs.sweep()
    assert run.state == "running"  # the other page is open, if hidden
    runs.leave("two")
    _until(lambda: run.state == "stopped", 5)
    with pytest.raises(Refused):
        runs.run(ANNE, run.id)
    _until(lambda: run._model is None, 5)


def test_what_a_forgotten_visit_trained_leaves_memory(make: Callable[..., Runs]) -> None:
    runs = make()
    run = weakref.ref(runs.start(ANNE, LONG))
    _until(lambda: _done_some(run())())
    runs.forget(ANNE)

    def gone() -> bool:
        gc.collect()
        return run() is None

    _until(gone, 10)


def test_a_closed_page_is_waited_for_half_as_long_as_a_silent_one(make: Callable[..., Runs]) -> None:
    runs = make(Limits(unwatched_seconds=8))
    runs.visit(ANNE, "one")
    closed, silent = runs.start(ANNE, LONG), runs.start(BEN, LONG)
    runs.leave("one")
    closed.watched = silent.watched = time.monotonic() - 5
    runs.sweep()
    _until(lambda: closed.state == "paused")
    assert silent.active


def test_a_visit_that_comes_back_in_time_is_still_known(make: Callable[..., Runs]) -> None:
    runs = make(replace(WATCHED, gone_seconds=0.3))
    visit = runs.visit(ANNE, "one")
    runs.leave("one")
    assert runs.visit(ANNE, "reloaded") is visit
    time.sleep(0.5)
    runs.sweep()
    assert runs.visit(ANNE) is visit


def test_an_idle_visit_is_forgotten_and_there_are_only_so_many(make: Callable[..., Runs]) -> None:
    runs = make(replace(WATCHED, visits=1, idle_seconds=0.2))
    runs.visit(ANNE)
    with pytest.raises(Refused, match="1 visitors are here already"):
        runs.visit(BEN)
    time.sleep(0.3)
    runs.sweep()
    runs.visit(BEN)


# When it goes wrong


def test_a_loss_that_explodes_stops_the_run_and_offers_a_rate_that_learns(make: Callable[..., Runs]) -> None:
    runs = make()
    run = runs.start(ANNE, replace(LONG, optimizer="sgd", learning_rate=100.0))
    _until(lambda: run.state == "diverged")
    assert "A learning rate of 100 is too high for plain SGD; try 0.05." in run.note
    assert all(bool(tensor.isfinite().all()) for tensor in run.weights.values())
    gentle = runs.start(ANNE, replace(run.config, learning_rate=run.trouble.learning_rate, epochs=20))
    _until(lambda: gentle.state == "finished")
    assert gentle.history.smoothed < CHANCE_LOSS / 2


@pytest.mark.parametrize("loss", [math.nan, math.inf, 5000.0])
def test_a_loss_that_is_no_number_or_huge_is_fatal_at_once(loss: float) -> None:
    trouble = Watch(TINY).look(Step(1, 30, 1, 10, 10, loss, 0.5, 0.1), loss)
    assert trouble is not None
    assert trouble.fatal
    assert trouble.learning_rate < 0.5 or trouble.learning_rate == 0.05


def test_a_loss_flat_at_ln_10_is_explained_and_goes_on() -> None:
    watch = Watch(replace(TINY, optimizer="sgd", learning_rate=0.01, activation="sigmoid"))
    said = [watch.look(Step(n, 500, 1, n, 1, 2.31, 0.01, n / 100), 2.31) for n in range(1, 200)]
    assert said[50] is None
    assert not said[-1].fatal
    assert said[-1].says == (
        "The loss stands at 2.303, as if guessing (ln 10): it isn't learning yet. Likely a learning rate of "
        "0.01 may be too low and sigmoid flattens the gradients on their way back."
    )


def test_a_step_that_raises_fails_the_run_with_a_sentence_and_frees_the_slot(
    make: Callable[..., Runs], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = make()
    run = runs.start(ANNE, LONG)
    _until(_done_some(run))
    runs.pause(ANNE, run.id)

    def burst() -> None:
        raise MemoryError("no room for 3 GB")

    monkeypatch.setattr(run, "advance", burst)
    runs.resume(ANNE, run.id)
    _until(lambda: run.state == "failed")
    assert run.note == "Training failed (no room for 3 GB). The weights so far are kept; start it again."
    after = runs.start(ANNE, TINY)
    _until(lambda: after.state == "finished")


def test_missing_digits_fail_the_run_with_their_own_sentence(make: Callable[..., Runs]) -> None:
    runs = make()
    runs.digits.broken = DataError("MNIST is missing: let it be downloaded.")
    run = runs.start(ANNE, TINY)
    _until(lambda: run.state == "failed")
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
        hold.set()
        _until(lambda: run.state == "failed")
        assert run.note == (
            "MNIST could not be downloaded: check the network. Or train on the built-in digits, which need "
            "no download."
        )
    finally:
        runs.close()


def test_a_run_longer_than_the_limit_stops_with_its_weights(make: Callable[..., Runs]) -> None:
    runs = make(replace(WATCHED, run_seconds=0.2, epochs=100))
    run = runs.start(ANNE, LONG)
    _until(lambda: run.state == "stopped")
    assert run.note == "Stopped: 0.2 seconds are the most a run gets here."
    assert run.weights_step > 0


def test_a_recipe_with_too_many_epochs_is_refused(make: Callable[..., Runs]) -> None:
    with pytest.raises(Refused, match=r"100 epochs are too many here: at most 20\."):
        make(CAREFUL).start(ANNE, LONG)


# What a run leaves


def test_the_drawing_on_the_pad_is_read_as_the_run_learns(make: Callable[..., Runs]) -> None:
    runs = make()
    runs.visit(ANNE).ink = _bars(4).images[3].numpy()
    run = runs.start(ANNE, replace(LONG, epochs=20))
    _until(lambda: run.state == "finished")
    rows = run.trace.rows()
    assert len(rows) >= 2
    assert all(sum(row[1:]) == pytest.approx(1, abs=1e-4) for row in rows)
    assert max(range(10), key=lambda digit: rows[-1][1 + digit]) == 3


def test_a_classifier_reads_a_snapshot_and_not_the_model_in_training(make: Callable[..., Runs]) -> None:
    runs = make()
    run = runs.start(ANNE, LONG)
    _until(_done_some(run))
    reader = runs.classifier_for(ANNE, run.id)
    before = reader.model.fc2.weight.clone()
    at = run.history.last.step
    _until(_done_some(run, at + 10))
    assert torch.equal(reader.model.fc2.weight, before)


def test_finished_weights_know_when_they_are_not_sure_and_stopped_ones_do_not(
    make: Callable[..., Runs],
) -> None:
    runs = make()
    finished = runs.start(ANNE, TINY)
    _until(lambda: finished.state == "finished")
    stopped = runs.start(ANNE, LONG)
    _until(_done_some(stopped))
    runs.stop(ANNE, stopped.id)
    assert finished.calibration is not None
    assert stopped.calibration is None


def test_a_lesson_learns_the_drawings_and_leaves_the_parent_alone(make: Callable[..., Runs]) -> None:
    runs = make()
    parent = runs.start(ANNE, replace(TINY, epochs=10))
    _until(lambda: parent.state == "finished")
    before = {name: tensor.clone() for name, tensor in parent.weights.items()}
    crossed = np.zeros((28, 28), np.uint8)
    crossed[range(4, 24), range(4, 24)] = crossed[range(4, 24), range(23, 3, -1)] = 255
    lesson = runs.teach(ANNE, parent.id, [(crossed, 7)])
    _until(lambda: lesson.state == "finished")
    assert lesson.result == {"parent": parent.id, "drawings": 1, "right_before": 0, "right_after": 1}
    assert [evaluation.step for evaluation in lesson.history.evaluations] == [0, 60]
    assert all(torch.equal(parent.weights[name], tensor) for name, tensor in before.items())


def test_an_examination_counts_every_test_digit_and_shows_the_surest_mistakes_first(
    make: Callable[..., Runs],
) -> None:
    runs = make()
    run = runs.start(ANNE, replace(TINY, epochs=0.1))
    _until(lambda: run.state == "finished")
    found = runs.examine(ANNE, run.id)
    assert found.n == 50
    assert found.mistakes == 50 - int(found.confusion.trace())
    sure = [mistake.confidence for mistake in found.worst]
    assert sure == sorted(sure, reverse=True)
    assert torch.equal(found.confusion, run.evaluation.confusion)
    first = found.worst[0]
    assert np.array_equal(first.picture, _bars(50).images[first.index].numpy())


def test_kept_runs_are_there_again_after_a_restart(make: Callable[..., Runs], tmp_path: Path) -> None:
    before = make(folder=tmp_path / "runs")
    run = before.start(ANNE, TINY)
    _until(lambda: run.state == "finished")
    before.rename(ANNE, run.id, "Mine")
    after = make(folder=tmp_path / "runs")
    again = after.visit(ANNE).runs[run.id]
    assert (again.name, again.state, again.config) == ("Mine", "finished", run.config)
    assert _losses(again) == _losses(run)
    assert again.evaluation.accuracy == run.evaluation.accuracy
    assert again.calibration == run.calibration
    assert all(torch.equal(again.weights[name], tensor) for name, tensor in run.weights.items())
    after.delete(ANNE, run.id)
    assert not (tmp_path / "runs" / run.id).exists()


def test_only_so_many_runs_are_kept_and_a_broken_one_hides_no_other(
    make: Callable[..., Runs], tmp_path: Path
) -> None:
    runs = make(replace(WATCHED, kept_runs=2), folder=tmp_path)
    for _ in range(3):
        run = runs.start(ANNE, replace(TINY, epochs=0.1))
        _until(lambda run=run: run.state == "finished")
    kept = sorted(path.parent.name for path in tmp_path.glob("*/run.json"))
    assert len(kept) == 2
    (tmp_path / kept[0] / "run.json").write_text("{", encoding="utf-8")
    assert list(make(folder=tmp_path).visit(ANNE).runs) == kept[1:]


def test_a_folder_that_cannot_be_written_costs_the_run_nothing(make: Callable[..., Runs]) -> None:
    run = make(folder=Path("/proc/nowhere")).start(ANNE, TINY)
    _until(lambda: run.state == "finished")
    assert run.note == "It could not be kept in /proc/nowhere: download what you need."


def test_weights_can_be_uploaded_and_wrong_files_are_explained(
    make: Callable[..., Runs], tmp_path: Path
) -> None:
    runs = make()
    model = initial_model(replace(TINY, activation="tanh"))
    checkpoint.save(tmp_path / "mine.pt", model, {"step": 5})
    run = runs.upload(ANNE, tmp_path / "mine.pt")
    picture = torch.rand(2, 1, 28, 28)
    with torch.no_grad():
        assert torch.equal(runs.classifier_for(ANNE, run.id).model(picture), model.eval()(picture))
    (tmp_path / "large.pt").write_bytes(bytes(3 * 2**20))
    with pytest.raises(checkpoint.CheckpointError, match="larger than 2 MB"):
        runs.upload(ANNE, tmp_path / "large.pt")
    (tmp_path / "text.pt").write_text("no weights", encoding="utf-8")
    with pytest.raises(checkpoint.CheckpointError, match="not a file of weights"):
        runs.upload(ANNE, tmp_path / "text.pt")


# History, limits, recipes


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
    assert lines[0] == "step,digits_read,loss,smoothed_loss,learning_rate,test_loss,test_accuracy"
    assert [float(line.split(",")[2]) for line in lines[1:]] == [1 / number for number in range(1, 31)]


def test_progress_says_how_fast_and_how_long() -> None:
    run = Run("Run 1", TINY)
    assert images_per_second(run) is None
    assert seconds_left(run) is None
    run.history.add_step(Step(10, 30, 1, 100, 10, 2.0, 0.5, 2.0))
    assert images_per_second(run) == 50
    assert seconds_left(run) == pytest.approx(4.0)


def test_the_estimate_learns_from_the_machine() -> None:
    pace = Pace()
    before = pace.seconds(TrainConfig())
    steps, digits = 1000, 32_000
    half = (digits * 2.2e-4 + steps * 2e-3) / 2
    pace.note(Step(steps, 3750, 1, digits, 32, 0.1, 0.5, half))
    assert pace.seconds(TrainConfig()) == pytest.approx(before / 2)


def test_limits_are_careful_on_a_space_and_follow_the_environment() -> None:
    assert limits_from({}) == GENEROUS
    assert limits_from({"SPACE_ID": "someone/digits"}) == CAREFUL
    assert limits_from({"SPACE_ID": "x", "MNIST_LIMIT_QUEUE": "3"}) == replace(CAREFUL, queue=3)
    with pytest.raises(ValueError, match=r"MNIST_LIMIT_QUEUE must be a whole number; got 'many'\."):
        limits_from({"MNIST_LIMIT_QUEUE": "many"})
    assert limits_from({"MNIST_LIMIT_EPOCHS": "0.1"}).epochs == 0.1


def test_the_python_script_of_a_recipe_rebuilds_that_recipe() -> None:
    config = TrainConfig(optimizer="sgd", learning_rate=0.05, epochs=1.0, activation="tanh")
    script = as_python(config)
    names: dict[str, object] = {}
    exec(compile(script[: script.index("train_data")], "script", "exec"), names)
    assert names["config"] == config
    compile(script, "script", "exec")
