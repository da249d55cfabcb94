"""The command line: what it prints and writes, and one sentence for each mistake."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from mnist_core import __main__ as command_line
from mnist_core import checkpoint, data
from mnist_core.classifier import Classifier
from mnist_core.config import TrainConfig, knobs
from mnist_core.datasets import synthetic
from mnist_core.engine import calibrate

CUT_SHORT = "cut-short.png"
DRAWN = ["train", "--data=synthetic", "--train-size=320", "--epochs=1", "--batch-size=16", "--threads=1"]


@pytest.fixture(autouse=True)
def few_test_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Synthetic digits take their time."""
    monkeypatch.setattr(data, "SYNTHETIC_TEST_SIZE", 60)
    monkeypatch.setattr(calibrate, "CALIBRATION_DIGITS", 60)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Untrained weights in a file."""
    from mnist_core.engine.setup import initial_model

    checkpoint.save(tmp_path / "w.pt", initial_model(TrainConfig()), {})
    return tmp_path / "w.pt"


class Terminal(io.StringIO):
    """Somebody watches this."""

    def isatty(self) -> bool:
        return True


def mistake(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line on standard error with which a command refuses."""
    assert command_line.main(list(arguments)) == 2
    out, err = capsys.readouterr()
    assert err.startswith("mnist_core: ") and err.endswith(".\n") and err.count("\n") == 1
    assert "Traceback" not in out + err
    return err


def test_training_prints_the_books_lines_where_nobody_watches(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(DRAWN) == 0
    first, *lines = capsys.readouterr().out.splitlines()
    assert first == "Training on cpu in float32, threads: 1."
    assert lines[0].startswith("epoch: 1 [0 / 320] (0%) \t training loss: 2.3")
    assert lines[1].startswith("epoch: 1 [160 / 320] (50%) \t training loss: ")
    assert lines[2] == lines[4] == ""
    assert lines[3].startswith("Test dataset: Overall Loss: ") and "/60 (" in lines[3]
    assert len(lines) == 5


def test_training_shows_a_bar_in_place_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert command_line.main(DRAWN) == 0
    said = sys.stdout.getvalue()
    assert "epoch: 1 [" not in said
    bars = [part for part in said.split("\r") if "images/s" in part]
    assert len(bars) == 20
    assert bars[9].startswith("█" * 15 + "░" * 15 + "  50%  epoch 1  loss ") and "s left" in bars[9]
    assert "Test dataset: Overall Loss" in said


def test_out_gets_weights_metadata_history_and_plot(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command_line.main([*DRAWN, f"--out={tmp_path / 'new' / 'run'}"]) == 0
    out = tmp_path / "new" / "run"
    model, metadata = checkpoint.load(out / "weights.pt")
    assert not model.training
    known = json.loads((out / "weights.json").read_text())
    assert {name: metadata[name] for name in known} == known
    assert metadata["recipe"]["train_size"] == 320 and metadata["n"] == 60
    assert f"{round(metadata['accuracy'] * 60)}/60" in capsys.readouterr().out
    header, *rows = (out / "history.csv").read_text().splitlines()
    assert header.startswith("step,samples_seen,loss") and len(rows) == 20
    with Image.open(out / "loss.png") as plot:
        assert plot.size[0] > 500
    left = {path.name for path in out.iterdir()}
    assert left == {"weights.pt", "weights.json", "history.csv", "loss.png", "confusion.png"}
    assert 0 < Classifier.load(out / "weights.pt").calibration.threshold < 1


def test_an_interrupted_run_leaves_what_it_learned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    def impatient(*arguments):
        for i, event in enumerate(training_fit(*arguments)):
            if i == 5:
                raise KeyboardInterrupt
            yield event

    training_fit = command_line.fit
    monkeypatch.setattr(command_line, "fit", impatient)
    assert command_line.main([*DRAWN, f"--out={tmp_path}"]) == 130
    assert "Interrupted: the weights are as they were after the last step." in capsys.readouterr().out
    assert len((tmp_path / "history.csv").read_text().splitlines()) == 1 + 5
    assert checkpoint.load(tmp_path / "weights.pt")[1]["accuracy"] is None


def test_a_run_that_diverges_says_why_and_writes_nothing(tmp_path: Path, capsys) -> None:
    said = mistake(capsys, *DRAWN, "--optimizer=sgd", "--learning-rate=100", f"--out={tmp_path}")
    assert "A learning rate of 100 is too high for plain SGD" in said
    assert not list(tmp_path.iterdir())


def test_every_field_of_the_recipe_is_a_flag_over_any_preset(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    seen: list[TrainConfig] = []

    def stop(config: TrainConfig, *_: object, **__: object) -> None:
        seen.append(config)
        raise ValueError("enough.")

    monkeypatch.setattr(command_line, "load_data", stop)
    mistake(capsys, "train", "--preset=by_heart", "--seed=5", "--threads=1")
    assert (seen[0].train_size, seen[0].dropout1, seen[0].seed) == (300, 0.0, 5)
    with pytest.raises(SystemExit):
        command_line.main(["train", "--help"])
    said = capsys.readouterr().out
    assert all(f"--{name.replace('_', '-')} " in said for name in knobs())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["train", "--epochs=0"], "epochs must be a number from 0.01 to 100; got 0.0."),
        (["train", "--device=abacus"], "There is no device 'abacus' here; use cpu, cuda, mps or auto."),
        (["test", "--weights=/nowhere.pt"], "/nowhere.pt does not exist: train first, or name another file."),
        (["predict", "/nowhere.png"], "/nowhere.png does not exist: name a picture file."),
        (["predict", CUT_SHORT], f"{CUT_SHORT} is not a picture that can be read: save it as PNG or JPEG."),
        (["predict", __file__], f"{__file__} is not a picture that can be read: save it as PNG or JPEG."),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_status_2(
    arguments, says: str, tmp_path, monkeypatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    noise = torch.randint(256, (50, 50), dtype=torch.uint8).numpy()
    Image.fromarray(noise).save(CUT_SHORT)
    os.truncate(CUT_SHORT, 1000)
    assert mistake(capsys, *arguments) == f"mnist_core: {says}\n"


@pytest.mark.parametrize("arguments", [[], ["train", "--optimizer=lion"], ["predict"]])
def test_a_wrong_command_says_how_it_is_used(arguments: list[str], capsys) -> None:
    with pytest.raises(SystemExit) as left:
        command_line.main(arguments)
    assert left.value.code == 2
    assert "usage: python -m mnist_core" in capsys.readouterr().err


def test_predict_reads_pictures_in_words_and_as_json(tmp_path: Path, weights: Path, capsys) -> None:
    images, _ = synthetic.digits(1, seed=3)
    names = [str(tmp_path / "digit.png"), str(tmp_path / "blank.png")]
    Image.fromarray(255 - images[0].numpy()).save(names[0])
    Image.new("L", (50, 50), 255).save(names[1])
    with Image.open(names[0]) as image:
        expected = Classifier.load(weights).predict(image)

    assert command_line.main(["predict", *names, f"--weights={weights}"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{names[0]}: ") and f"{expected.guess} (" in lines[0]
    assert lines[1].startswith(f"{names[1]}: no digit. ")

    assert command_line.main(["predict", *names, "--json", f"--weights={weights}"]) == 0
    digit, blank = json.loads(capsys.readouterr().out)
    assert digit["image"] == names[0] and digit["guess"] == expected.guess
    assert digit["probabilities"] == pytest.approx(expected.probabilities)
    assert (
        blank["digit"] is None and blank["guess"] is None and sum(blank["probabilities"]) == pytest.approx(1)
    )


@pytest.mark.mnist
def test_test_reads_all_test_digits_with_the_shipped_weights(data_folder: Path, capsys) -> None:
    assert command_line.main(["test", f"--data-dir={data_folder}"]) == 0
    said = capsys.readouterr().out
    correct = int(said.split("Accuracy: ")[1].split("/")[0])
    assert "/10000 (" in said and correct > 9_800
    assert torch.is_grad_enabled()
