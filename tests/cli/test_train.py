"""`train` and `test`: what they print and write, and what they look at before the work begins."""

from __future__ import annotations

import io
import json
import math
import re
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from commands import DRAWN
from mirror import FILES, blank
from PIL import Image

from mnist_core import checkpoint
from mnist_core.classifier import Classifier
from mnist_core.cli import run_folder, train
from mnist_core.cli.main import main
from mnist_core.config import TrainConfig, knobs
from mnist_core.engine.events import Evaluation

SHORT = [*DRAWN, "--epochs=1"]  # 20 steps
FIVE = {"weights.pt", "weights.json", "history.csv", "loss.png", "confusion.png"}


class Watched(io.StringIO):
    """Somebody watches this."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def untrained(monkeypatch: pytest.MonkeyPatch) -> list[TrainConfig]:
    """Recipes whose digits were asked for; none are loaded, which ends the command."""
    asked: list[TrainConfig] = []

    def refuse(config: TrainConfig, *_: object, **__: object) -> None:
        asked.append(config)
        raise ValueError("No digits today.")

    monkeypatch.setattr(train, "load_data", refuse)
    return asked


def interrupting(monkeypatch: pytest.MonkeyPatch, module: object, name: str, after: int = 0) -> None:
    """Ctrl-C is pressed in the midst of a function, before its `after`-th event if it yields some."""
    real = getattr(module, name)

    def pressed(*arguments, **options):
        signal.raise_signal(signal.SIGINT)
        return real(*arguments, **options)

    def watched(*arguments, **options):
        for i, event in enumerate(real(*arguments, **options)):
            if i == after:
                signal.raise_signal(signal.SIGINT)
            yield event

    monkeypatch.setattr(module, name, watched if after else pressed)


def test_training_prints_the_books_lines_where_nobody_watches(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(SHORT) == 0
    lines = capsys.readouterr().out.splitlines()
    lines = lines[lines.index("Training on cpu in float32, threads: 1.") + 1 :]
    assert lines[0].startswith("epoch: 1 [0 / 320] (0%) \t training loss: 2.3")
    assert lines[1].startswith("epoch: 1 [160 / 320] (50%) \t training loss: ")
    assert lines[2] == lines[4] == ""
    assert lines[3].startswith("Test dataset: Overall Loss: ") and "/60 (" in lines[3]
    assert len(lines) == 5


def test_a_smaller_last_batch_is_counted_from_where_it_begins(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SHORT, "--train-size=1000", "--batch-size=48"]) == 0  # twenty of 48 and one of 40
    steps = [
        line.split("\t")[0] for line in capsys.readouterr().out.splitlines() if line.startswith("epoch: ")
    ]
    assert steps == [
        "epoch: 1 [0 / 1000] (0%) ",
        "epoch: 1 [480 / 1000] (48%) ",
        "epoch: 1 [960 / 1000] (95%) ",
    ]


def test_drawing_synthetic_digits_says_how_far_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SHORT, "--non-digits=20"]) == 0
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Drawing")]
    assert said[0] == "Drawing synthetic digits: 1 of 400"
    assert said[5] == "Drawing synthetic digits: 200 of 400"
    assert said[-1] == "Drawing synthetic digits: 400 of 400"
    assert len(said) == 11


def test_training_shows_a_bar_in_place_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Watched())
    assert main(SHORT) == 0
    said = sys.stdout.getvalue()
    assert "epoch: 1 [" not in said
    drawing, training = (
        next(part for part in said.split("\r") if name in part) for name in ("Draw", "epoch 1")
    )
    assert drawing.startswith("  0%|") and "| Drawing synthetic digits: 1 of 380, " in drawing
    assert training.startswith("  5%|") and "| epoch 1, loss 2.3" in training and " images/s, " in training
    assert said.count("\n") == 4
    assert "Test dataset: Overall Loss" in said


def test_out_gets_weights_metadata_history_and_plots(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "run"
    assert main([*SHORT, f"--out={out}"]) == 0
    model, metadata = checkpoint.load(out / "weights.pt")
    assert not model.training
    known = json.loads((out / "weights.json").read_text())
    assert {name: metadata[name] for name in known} == known
    assert metadata["recipe"]["train_size"] == 320 and metadata["n"] == 60
    said = capsys.readouterr().out
    assert f"{round(metadata['accuracy'] * 60)}/60" in said
    assert said.splitlines()[-3:-1] == ["Saving.", "Calibrating."]
    header, *rows = (out / "history.csv").read_text().splitlines()
    assert header.startswith("step,samples_seen,loss") and len(rows) == 20
    with Image.open(out / "loss.png") as plot:
        assert plot.size[0] > 500
    assert {path.name for path in out.iterdir()} == FIVE
    assert 0 < Classifier.load(out / "weights.pt").calibration.threshold < 1


def test_of_several_evaluations_the_last_is_stored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*SHORT, "--evaluations-per-epoch=4", f"--out={tmp_path / 'run'}"]) == 0
    right = [int(n) for n in re.findall(r"Overall Accuracy: (\d+)/60", capsys.readouterr().out)]
    assert len(right) == 4 and right[0] != right[-1]
    _, metadata = checkpoint.load(tmp_path / "run" / "weights.pt")
    assert metadata["accuracy"] == pytest.approx(right[-1] / 60)


def test_a_tilde_is_the_users_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert main([*SHORT, "--out=~/run"]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"run"}


def test_a_folder_that_holds_a_run_is_refused_before_anything_is_done(
    tmp_path: Path, untrained, refusal
) -> None:
    (tmp_path / "weights.pt").write_bytes(b"mine")
    (tmp_path / "confusion.png").write_bytes(b"mine, too")
    assert refusal(1, *SHORT, f"--out={tmp_path}") == (
        f"{tmp_path} holds another run (weights.pt, confusion.png), which stays as it is: name a new folder "
        "with --out."
    )
    assert not untrained
    assert (tmp_path / "weights.pt").read_bytes() == b"mine"


def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_done(
    tmp_path: Path, untrained, refusal
) -> None:
    (tmp_path / "file").write_text("not a folder")
    out = tmp_path / "file" / "run"
    assert refusal(1, *SHORT, f"--out={out}") == (
        f"{out} cannot be written (Not a directory): make room, or name another folder with --out."
    )
    assert not untrained


def test_a_look_at_the_folder_leaves_nothing_behind(tmp_path: Path, untrained, refusal) -> None:
    assert refusal(1, *SHORT, f"--out={tmp_path / 'a' / 'b'}") == "No digits today."
    assert untrained and not list(tmp_path.iterdir())


def test_two_runs_that_end_in_one_folder_are_not_mixed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    def meanwhile(*arguments, **options):
        out.mkdir()
        (out / "weights.pt").write_bytes(b"another run's")
        return fit(*arguments, **options)

    out, fit = tmp_path / "run", train.fit
    monkeypatch.setattr(train, "fit", meanwhile)
    assert main([*SHORT, f"--out={out}"]) == 0
    assert [path.name for path in out.iterdir()] == ["weights.pt"]
    assert {path.name for path in (tmp_path / "run-2").iterdir()} == FIVE
    assert f"to {tmp_path / 'run-2'}." in capsys.readouterr().out


def test_an_interrupted_run_leaves_what_it_learned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    interrupting(monkeypatch, train, "fit", after=5)
    assert main([*SHORT, f"--out={tmp_path}"]) == 130
    assert "Interrupted: the weights are as they were after the last step." in capsys.readouterr().out
    assert len((tmp_path / "history.csv").read_text().splitlines()) == 1 + 6
    metadata = checkpoint.load(tmp_path / "weights.pt")[1]
    assert metadata["accuracy"] is None and 0 < metadata["calibration"]["threshold"] < 1


def test_an_evaluation_is_interrupted_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupting(monkeypatch, train, "fit", after=20)  # twenty steps, then batches of test digits
    assert main([*SHORT, "--test-batch-size=1", f"--out={tmp_path}"]) == 130
    assert checkpoint.load(tmp_path / "weights.pt")[1]["accuracy"] is None


def test_a_second_interruption_while_calibrating_loses_no_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    interrupting(monkeypatch, train, "calibrate")
    assert main([*SHORT, f"--out={tmp_path}"]) == 130
    assert capsys.readouterr().err == "\nmnist_core: interrupted.\n"
    _, metadata = checkpoint.load(tmp_path / "weights.pt")
    assert metadata["n"] == 60 and "calibration" not in metadata
    assert {path.name for path in tmp_path.iterdir()} == {"weights.pt", "weights.json", "history.csv"}


def test_an_interruption_while_saving_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupting(monkeypatch, run_folder.checkpoint, "save")
    assert main([*SHORT, f"--out={tmp_path}"]) == 130
    assert {path.name for path in tmp_path.iterdir()} == FIVE


def test_the_signals_are_as_they_were_afterwards() -> None:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    main(["predict", "/nowhere.png"])
    assert [signal.getsignal(number) for number in numbers] == before


def test_a_run_that_diverges_says_why_and_writes_nothing(tmp_path: Path, refusal) -> None:
    said = refusal(1, *SHORT, "--optimizer=sgd", "--learning-rate=100", f"--out={tmp_path}")
    assert "A learning rate of 100 is too high for plain SGD" in said
    assert not list(tmp_path.iterdir())


def test_a_run_that_its_last_step_spoils_says_why_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal
) -> None:
    def spoilt(*arguments, **options):
        for event in fit(*arguments, **options):
            yield replace(event, loss=math.nan) if isinstance(event, Evaluation) else event

    fit = train.fit
    monkeypatch.setattr(train, "fit", spoilt)
    assert refusal(1, *SHORT, f"--out={tmp_path}") == (
        "The loss is no longer a number. A learning rate of 0.5 is too high for Adadelta; try 0.05."
    )
    assert not list(tmp_path.iterdir())


def test_every_field_of_the_recipe_is_a_flag_over_any_preset(
    untrained: list[TrainConfig], refusal, capsys
) -> None:
    refusal(1, "train", "--preset=by_heart", "--seed=5", "--threads=1")
    assert (untrained[0].train_size, untrained[0].dropout1, untrained[0].seed) == (300, 0.0, 5)
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    said = capsys.readouterr().out
    assert all(f"--{name.replace('_', '-')} " in said for name in knobs())


def test_other_digits_in_mnists_place_are_named_and_used(tmp_path: Path, capsys) -> None:
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in FILES:
        (raw / name).write_bytes(blank(name))
    assert main(["test", f"--data-dir={tmp_path}"]) == 0
    said = capsys.readouterr()
    assert said.err == (
        f"mnist_core: These are not MNIST's files: {', '.join(FILES)} in {raw}. "
        "Going on with what they hold.\n"
    )
    assert "/10000 (" in said.out


@pytest.mark.mnist
def test_test_reads_all_test_digits_with_the_shipped_weights(data_folder: Path, capsys) -> None:
    assert main(["test", f"--data-dir={data_folder}"]) == 0
    said = capsys.readouterr()
    correct = int(said.out.split("Accuracy: ")[1].split("/")[0])
    assert "/10000 (" in said.out and correct > 9_800
    assert said.err == ""
    assert torch.is_grad_enabled()
