"""`predict`: an answer or an error for each picture, in words or as JSON."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from mnist_core.classifier import Classifier
from mnist_core.cli.main import main
from mnist_core.datasets import synthetic


@pytest.fixture
def pictures(tmp_path: Path) -> dict[str, str]:
    """Paths of a digit, of blank paper, of half a file, of a text, of a folder, and of nothing."""
    places = {
        name: tmp_path / name for name in ("digit.png", "blank.png", "half.png", "text.png", "folder", "no")
    }
    images, _ = synthetic.digits(1, seed=3)
    Image.fromarray(255 - images[0].numpy()).save(places["digit.png"])
    Image.new("L", (50, 50), 255).save(places["blank.png"])
    Image.fromarray(np.random.default_rng(0).integers(256, size=(50, 50), dtype=np.uint8)).save(
        places["half.png"]
    )
    os.truncate(places["half.png"], 1000)
    places["text.png"].write_text("a seven")
    places["folder"].mkdir()
    return {name.split(".")[0]: str(place) for name, place in places.items()}


BAD = {
    "half": "is not a picture that can be read: save it as PNG or JPEG.",
    "text": "is not a picture that can be read: save it as PNG or JPEG.",
    "folder": "is not a picture that can be read (Is a directory): save it as PNG or JPEG.",
    "no": "does not exist: name a picture file.",
}


def test_pictures_are_read_in_words(pictures: dict[str, str], weights: Path, capsys) -> None:
    with Image.open(pictures["digit"]) as image:
        (expected,) = Classifier.load(weights).read(image)
    assert main(["predict", pictures["digit"], pictures["blank"], f"--weights={weights}"]) == 0
    digit, blank = capsys.readouterr().out.splitlines()
    assert digit.startswith(f"{pictures['digit']}: ")
    assert str(expected.digit if expected.digit is not None else expected.reason) in digit
    assert blank.startswith(f"{pictures['blank']}: no digit. ")


def test_a_mark_that_was_left_out_is_mentioned(tmp_path: Path, capsys) -> None:
    image = Image.new("L", (300, 300), 255)
    pencil = ImageDraw.Draw(image)
    pencil.line([(60, 150), (105, 150)], fill=0, width=10)
    pencil.line([(150, 100), (210, 100), (175, 200)], fill=0, width=10, joint="curve")
    image.save(tmp_path / "minus.png")
    assert main(["predict", str(tmp_path / "minus.png")]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"{tmp_path / 'minus.png'}: 7 (")
    assert said.endswith("%) I read digits only: the mark before the 7 was left out.\n")
    assert main(["predict", str(tmp_path / "minus.png"), "--json"]) == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert entry["left_out"] == "I read digits only: the mark before the 7 was left out."


def test_pictures_are_read_as_json(pictures: dict[str, str], weights: Path, capsys) -> None:
    with Image.open(pictures["digit"]) as image:
        (expected,) = Classifier.load(weights).read(image)
    assert main(["predict", pictures["digit"], pictures["blank"], "--json", f"--weights={weights}"]) == 0
    digit, blank = json.loads(capsys.readouterr().out)
    assert (digit["image"], digit["digit"], digit["guess"]) == (
        pictures["digit"],
        expected.digit,
        expected.guess,
    )
    assert digit["probabilities"] == pytest.approx(expected.probabilities)
    assert (blank["digit"], blank["guess"]) == (None, None)
    assert sum(blank["probabilities"]) == pytest.approx(1)


def test_a_bad_picture_takes_no_good_ones_answer_away(
    pictures: dict[str, str], weights: Path, capsys
) -> None:
    names = ["digit", *BAD, "blank"]
    assert main(["predict", *(pictures[name] for name in names), f"--weights={weights}"]) == 1
    said = capsys.readouterr()
    assert [line.split(": ")[0] for line in said.out.splitlines()] == [pictures["digit"], pictures["blank"]]
    assert said.err.splitlines() == [f"mnist_core: {pictures[name]} {why}" for name, why in BAD.items()]


def test_in_json_a_bad_picture_is_an_entry_at_its_place(
    pictures: dict[str, str], weights: Path, capsys
) -> None:
    names = ["no", "digit", "half"]
    assert main(["predict", *(pictures[name] for name in names), "--json", f"--weights={weights}"]) == 1
    said = capsys.readouterr()
    missing, digit, half = json.loads(said.out)
    assert missing == {"image": pictures["no"], "error": f"{pictures['no']} {BAD['no']}"}
    assert half == {"image": pictures["half"], "error": f"{pictures['half']} {BAD['half']}"}
    assert "error" not in digit and len(digit["probabilities"]) == 10
    assert said.err == ""


def test_a_minus_is_standard_input(pictures: dict[str, str], weights: Path, monkeypatch, capsys) -> None:
    content = Path(pictures["digit"]).read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert main(["predict", "-", pictures["digit"], "--json", f"--weights={weights}"]) == 0
    typed, named = json.loads(capsys.readouterr().out)
    assert typed == named | {"image": "-"}
