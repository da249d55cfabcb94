"""What people really drew: pen strokes from files that are not part of the project.

$DRAWN_STROKES names a folder with dev-digits.json.gz and dev-letters.json.gz: {"items": [{"label": "7",
"strokes": [[[x, y], ...], ...]}, ...]}, the longer side of each drawing 0 to 1000. Never train on them.
"""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import numpy as np
import pytest
from pictures import Strokes, draw, ink, number_lines, photograph
from PIL import Image
from roc import area_under_curve

from mnist_core import Classifier, Prediction

FOLDER = os.environ.get("DRAWN_STROKES")
pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(not FOLDER, reason="set DRAWN_STROKES to a folder of people's pen strokes"),
]


def drawings(name: str) -> list[tuple[str, Strokes]]:
    """Labels and strokes."""
    with gzip.open(Path(FOLDER or "") / name, "rt") as file:
        items = json.load(file)["items"]
    return [(item["label"], [np.array(stroke, float) for stroke in item["strokes"]]) for item in items]


@pytest.fixture(scope="module")
def digits() -> list[tuple[str, Strokes]]:
    return drawings("dev-digits.json.gz")


@pytest.fixture(scope="module")
def shipped() -> Classifier:
    return Classifier.load()


def varied(strokes: Strokes, rng: np.random.Generator) -> Image.Image:
    """On pads of several sizes, large and small, thin and thick."""
    pen, canvas = rng.choice([0.022, 0.035, 0.05, 0.07]), int(rng.choice([200, 280, 400, 560]))
    return draw(strokes, size=rng.uniform(0.3, 0.85), pen=pen, canvas=canvas)


def calibration_error(confidence: np.ndarray, right: np.ndarray, bins: int = 15) -> float:
    """The expected difference between what is said and what comes true (Guo et al. 2017)."""
    of = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [(of == i).mean() * abs(confidence[of == i].mean() - right[of == i].mean()) for i in set(of)]
    return float(sum(gaps))


def test_drawn_digits_are_read_and_the_probabilities_mean_what_they_say(shipped, digits) -> None:
    rng = np.random.default_rng(0)
    answers = [(label, shipped.predict(varied(strokes, rng))) for label, strokes in digits]
    right = np.array([str(answer.guess) == label for label, answer in answers])
    refused = np.mean([answer.digit is None for _, answer in answers])
    error = calibration_error(np.array([max(answer.probabilities) for _, answer in answers]), right)
    print(f"right {right.mean():.2%}, refused {refused:.2%}, calibration error {error:.2%}, n={len(right)}")
    assert right.mean() >= 0.985 and refused <= 0.02 and error <= 0.02


def test_drawn_letters_are_refused(shipped) -> None:
    rng = np.random.default_rng(0)
    letters = drawings("dev-letters.json.gz")
    refused = np.mean([shipped.predict(varied(strokes, rng)).digit is None for _, strokes in letters])
    print(f"letters refused {refused:.2%}, n={len(letters)}")
    assert refused >= 0.8


def spelt(found: list[Prediction]) -> str:
    return "".join("?" if each.digit is None else str(each.digit) for each in found if not each.mark)


@pytest.fixture(scope="module")
def read_digits(shipped, digits) -> list[list[Prediction]]:
    rng = np.random.default_rng(0)
    return [shipped.read(varied(strokes, rng)) for _, strokes in digits]


def likeliest(found: list[Prediction]) -> float:
    return max(max(each.probabilities) for each in found)


def test_of_few_letters_anything_is_called_a_digit(shipped, read_digits) -> None:
    rng = np.random.default_rng(0)
    letters = drawings("dev-letters.json.gz")
    found = [shipped.read(varied(strokes, rng)) for _, strokes in letters]
    refused = np.mean([set(spelt(one)) == {"?"} for one in found])
    of_digits, of_letters = (np.array([likeliest(one) for one in some]) for some in (read_digits, found))
    area = area_under_curve(of_digits, of_letters)
    print(f"letters refused as the page reads {refused:.2%}, n={len(found)}; area under the curve {area:.4f}")
    assert refused >= 0.89 and area >= 0.97


def test_single_digits_are_read_as_one_and_their_probabilities_mean_what_they_say(
    digits, read_digits
) -> None:
    right = np.array([spelt(one) == label for one, (label, _) in zip(read_digits, digits, strict=True)])
    sure = np.array([np.prod([max(each.probabilities) for each in one]) for one in read_digits])
    refused = np.mean([set(spelt(one)) == {"?"} for one in read_digits])
    error = calibration_error(sure, right)
    print(
        f"as the page reads: right {right.mean():.2%}, refused {refused:.2%}, calibration error {error:.2%}"
    )
    assert right.mean() >= 0.98 and refused <= 0.015 and error <= 0.02


@pytest.mark.parametrize(
    ("lengths", "touching", "least", "least_with_lines"),
    [((2, 3), False, 0.94, 0.94), ((2,), True, 0.9, 0.95), ((3,), True, 0.84, 0.9)],
)
def test_numbers_composed_of_drawn_digits_are_read(
    shipped, digits, lengths: tuple[int, ...], touching: bool, least: float, least_with_lines: float
) -> None:
    rng = np.random.default_rng(0)
    alone, with_lines = [], []
    for i in range(600):
        length = lengths[i % len(lengths)]
        chosen = [digits[int(j)] for j in rng.integers(len(digits), size=length)]
        pen = rng.uniform(4, 9)
        how = {"touching": touching, "height": rng.uniform(50, 140), "pen": pen}
        paths, size = number_lines([strokes for _, strokes in chosen], rng, **how)
        image, label = ink(paths, size, pen), "".join(label for label, _ in chosen)
        alone.append(spelt(shipped.read(image)) == label)
        with_lines.append(spelt(shipped.read(image, [path.tolist() for path in paths])) == label)
    print(f"numbers of {lengths} digits right, {touching=}: {np.mean(alone):.2%}", end=", ")
    print(f"with the pen's lines {np.mean(with_lines):.2%}, n={len(alone)}")
    assert np.mean(alone) >= least and np.mean(with_lines) >= least_with_lines


def test_photographs_of_drawn_digits_are_read(shipped, digits) -> None:
    rng = np.random.default_rng(0)
    rights = []
    for i in rng.permutation(len(digits))[:1000]:
        label, strokes = digits[int(i)]
        rights.append(spelt(shipped.read(photograph(varied(strokes, rng), rng))) == label)
    print(f"photographs right {np.mean(rights):.2%}, n={len(rights)}")
    assert np.mean(rights) >= 0.95
