"""What a run leaves: weights that read, fine-tuning, examinations, kept and uploaded files."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from bars import ANNE, BEN, LONG, TINY, WATCHED, bars, done_some, losses, until
from PIL import Image
from torch.utils.data import TensorDataset

from mnist_core import ConvNet, TrainConfig, checkpoint
from mnist_core.classifier import Prediction
from mnist_core.engine.events import Step
from mnist_core.engine.setup import initial_model
from mnist_core.inference import predict
from mnist_core.runs import Runs
from mnist_core.runs.examine import examine
from mnist_core.runs.run import Run


def test_the_drawing_on_the_pad_is_read_as_the_run_learns_and_at_its_end_as_everywhere(
    make_runs: Callable[..., Runs],
) -> None:
    runs, drawing = make_runs(), Image.fromarray(bars(4).images[3].numpy())
    runs.visit(ANNE).pad.hold(drawing, None, 0)
    run = runs.start(ANNE, replace(LONG, epochs=20))
    until(lambda: run.state == "finished")
    rows = run.trace.rows()
    assert len(rows) >= 2
    assert all(sum(row[1:]) == pytest.approx(1, abs=1e-4) for row in rows)
    assert run.calibration is not None
    (read,) = runs.classifier_for(ANNE, run.id).read(drawing)
    assert rows[-1][1:] == pytest.approx(read.probabilities, abs=1e-6)


def test_a_classifier_reads_a_snapshot_and_not_the_model_in_training(make_runs: Callable[..., Runs]) -> None:
    runs = make_runs()
    run = runs.start(ANNE, LONG)
    until(done_some(run))
    reader = runs.classifier_for(ANNE, run.id)
    before = reader.model.fc2.weight.clone()
    at = run.history.last.step
    until(done_some(run, at + 10))
    assert torch.equal(reader.model.fc2.weight, before)


def test_finished_weights_know_when_they_are_not_sure_and_stopped_ones_do_not(
    make_runs: Callable[..., Runs],
) -> None:
    runs = make_runs()
    finished = runs.start(ANNE, TINY)
    until(lambda: finished.state == "finished")
    stopped = runs.start(ANNE, LONG)
    until(done_some(stopped))
    runs.stop(ANNE, stopped.id)
    assert finished.calibration is not None
    assert stopped.calibration is None


def test_fine_tuning_learns_the_drawings_and_leaves_the_parent_alone(make_runs: Callable[..., Runs]) -> None:
    runs = make_runs()
    parent = runs.start(ANNE, replace(TINY, epochs=10))
    until(lambda: parent.state == "finished")
    before = {name: tensor.clone() for name, tensor in parent.weights.items()}
    crossed = np.zeros((28, 28), np.uint8)
    crossed[range(4, 24), range(4, 24)] = crossed[range(4, 24), range(23, 3, -1)] = 255
    tuned = runs.fine_tune(ANNE, parent.id, [(crossed, 7)])
    until(lambda: tuned.state == "finished")
    assert tuned.result == {"parent": parent.id, "drawings": 1, "right_before": 0, "right_after": 1}
    assert [evaluation.step for evaluation in tuned.history.evaluations] == [0, 60]
    assert all(torch.equal(parent.weights[name], tensor) for name, tensor in before.items())


def test_an_examination_counts_every_test_digit_and_shows_the_surest_mistakes_first(
    make_runs: Callable[..., Runs],
) -> None:
    runs = make_runs()
    run = runs.start(ANNE, replace(TINY, epochs=0.1))
    until(lambda: run.state == "finished")
    found = runs.examine(ANNE, run.id)
    assert found.n == 50
    assert found.mistakes == 50 - int(found.confusion.trace())
    sure = [mistake.confidence for mistake in found.worst]
    assert sure == sorted(sure, reverse=True)
    assert torch.equal(found.confusion, run.evaluation.confusion)
    first = found.worst[0]
    assert np.array_equal(first.picture, bars(50).images[first.index].numpy())


def test_mistakes_are_shown_as_the_page_reads_them_the_surest_first() -> None:
    model, images = initial_model(TINY), torch.zeros(4, 1, 28, 28)
    said = int(predict(model, images)[0].argmax())
    truth = (said + 1) % 10

    def reading(digit: int, sure: float) -> Prediction:
        spread = [sure if each == digit else (1 - sure) / 9 for each in range(10)]
        return Prediction(digit, spread, np.zeros((28, 28), np.uint8), digit)

    two = [reading(truth, 0.7), reading(1, 0.6)]
    read = iter([[reading(said, 0.5)], two, [reading(truth, 0.9)], [reading(said, 0.8)]])
    page = SimpleNamespace(model=model, read=lambda picture: next(read))
    found = examine(page, TensorDataset(images, torch.full((4,), truth)), 0, None)
    assert found.mistakes == 4
    shown = [(mistake.said, mistake.confidence) for mistake in found.worst]
    assert shown == [(str(said), 0.8), (f"{truth}1", 0.6), (str(said), 0.5)]


def test_an_examination_is_of_the_newest_weights(make_runs: Callable[..., Runs]) -> None:
    runs = make_runs()
    run = runs.start(ANNE, replace(LONG, learning_rate=0.05))
    until(done_some(run))
    runs.pause(ANNE, run.id)
    first = runs.examine(ANNE, run.id)
    assert runs.examine(ANNE, run.id) is first
    runs.resume(ANNE, run.id)
    until(done_some(run, 60))
    runs.pause(ANNE, run.id)
    second = runs.examine(ANNE, run.id)
    assert second.step == run.weights_step > first.step
    said = predict(run.model(), bars(50).images).argmax(dim=1)
    assert second.mistakes == int((said != bars(50).labels).sum()) < first.mistakes
    assert not torch.equal(second.confusion, first.confusion)


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[ConvNet]:
    """The networks that runs train, which they show to nobody."""
    networks: list[ConvNet] = []

    def made(config: TrainConfig) -> ConvNet:
        networks.append(initial_model(config))
        return networks[-1]

    monkeypatch.setattr("mnist_core.runs.control.initial_model", made)
    return networks


def test_weights_that_are_no_numbers_are_never_shown(
    make_runs: Callable[..., Runs], trained: list[ConvNet]
) -> None:
    runs = make_runs()
    runs.visit(ANNE).pad.hold(Image.fromarray(bars(4).images[3].numpy()), None, 0)
    run = runs.start(ANNE, LONG)
    until(done_some(run))
    runs.pause(ANNE, run.id)
    trained[0].fc2.bias.data[0] = math.nan
    runs.resume(ANNE, run.id)
    until(lambda: run.state == "diverged")
    assert all(bool(tensor.isfinite().all()) for tensor in run.weights.values())
    assert np.isfinite(run.trace.rows()).all()
    assert runs.classifier_for(ANNE, run.id).predict(bars(4).images[3].numpy()).guess is not None


def test_a_last_step_that_spoils_the_weights_ends_in_divergence(
    make_runs: Callable[..., Runs], trained: list[ConvNet], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = make_runs()
    advance = Run.advance

    def spoiling(run: Run) -> object:
        event = advance(run)
        if isinstance(event, Step) and event.step == event.steps:
            trained[0].fc2.bias.data[0] = math.nan
        return event

    monkeypatch.setattr(Run, "advance", spoiling)
    run = runs.start(ANNE, TINY)
    until(lambda: run.state == "diverged")
    assert run.note.startswith("The loss is no longer a number. A learning rate of 0.5 is too high")
    assert all(bool(tensor.isfinite().all()) for tensor in run.weights.values())
    after = runs.start(ANNE, TINY)
    until(lambda: after.state == "finished")


def test_a_file_with_a_spoilt_calibration_is_refused_when_it_is_uploaded(
    make_runs: Callable[..., Runs], tmp_path: Path
) -> None:
    metadata = {"calibration": {"temperature": "hot", "threshold": 0.5}}
    weights = initial_model(TINY).state_dict()
    torch.save({"model": weights, "metadata": metadata}, tmp_path / "hot.pt")
    runs = make_runs()
    with pytest.raises(checkpoint.CheckpointError, match=r"temperature must be a number .*; got 'hot'"):
        runs.upload(ANNE, tmp_path / "hot.pt")
    assert runs.visit(ANNE).runs == {}


def test_kept_runs_are_there_again_after_a_restart(make_runs: Callable[..., Runs], tmp_path: Path) -> None:
    before = make_runs(folder=tmp_path / "runs")
    run = before.start(ANNE, TINY)
    until(lambda: run.state == "finished")
    before.rename(ANNE, run.id, "Mine")
    after = make_runs(folder=tmp_path / "runs")
    again = after.visit(ANNE).runs[run.id]
    assert (again.name, again.state, again.config) == ("Mine", "finished", run.config)
    assert losses(again) == losses(run) and again.history.smoothed == run.history.smoothed
    assert again.evaluation.accuracy == run.evaluation.accuracy
    assert again.calibration == run.calibration
    assert all(torch.equal(again.weights[name], tensor) for name, tensor in run.weights.items())
    after.delete(ANNE, run.id)
    assert not (tmp_path / "runs" / run.id).exists()


def test_a_run_that_is_kept_appears_in_a_visit_that_begins_later(
    make_runs: Callable[..., Runs], tmp_path: Path
) -> None:
    runs = make_runs(folder=tmp_path / "runs")
    runs.visit(BEN)
    run = runs.start(ANNE, TINY)
    until(lambda: run.state == "finished")
    runs.forget(ANNE)  # as after a lost connection
    assert list(runs.visit(ANNE).runs) == [run.id]
    runs.delete(ANNE, run.id)
    assert not runs.visit("c" * 64).runs


def test_only_so_many_runs_are_kept_and_a_broken_one_hides_no_other(
    make_runs: Callable[..., Runs], tmp_path: Path
) -> None:
    runs, made = make_runs(replace(WATCHED, kept_runs=2), folder=tmp_path), []
    for _ in range(3):
        run = runs.start(ANNE, replace(TINY, epochs=0.1))
        until(lambda run=run: run.state == "finished")
        made.append(run.id)
    kept = sorted(path.parent.name for path in tmp_path.glob("*/run.json"))
    assert kept == sorted(made[1:])  # the oldest went
    (tmp_path / kept[0] / "run.json").write_text("{", encoding="utf-8")
    assert list(make_runs(folder=tmp_path).visit(ANNE).runs) == kept[1:]


def test_a_folder_that_cannot_be_written_costs_the_run_nothing(make_runs: Callable[..., Runs]) -> None:
    run = make_runs(folder=Path("/proc/nowhere")).start(ANNE, TINY)
    until(lambda: run.state == "finished")
    assert run.note == "It could not be stored in /proc/nowhere: download what you need."


def test_weights_can_be_uploaded_and_wrong_files_are_explained(
    make_runs: Callable[..., Runs], tmp_path: Path
) -> None:
    runs = make_runs()
    model = initial_model(replace(TINY, activation="tanh"))
    checkpoint.save(tmp_path / "mine.pt", model, {"step": 5})
    run = runs.upload(ANNE, tmp_path / "mine.pt")
    picture = torch.rand(2, 1, 28, 28)
    with torch.no_grad():
        assert torch.equal(runs.classifier_for(ANNE, run.id).model(picture), model.eval()(picture))
    (tmp_path / "large.pt").write_bytes(bytes(9 * 2**20))
    with pytest.raises(checkpoint.CheckpointError, match="larger than 8 MB"):
        runs.upload(ANNE, tmp_path / "large.pt")
    (tmp_path / "text.pt").write_text("no weights", encoding="utf-8")
    with pytest.raises(checkpoint.CheckpointError, match="not a weights file"):
        runs.upload(ANNE, tmp_path / "text.pt")
