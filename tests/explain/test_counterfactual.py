"""The smallest edit that flips an answer: made of whole dabs, small, and true when it is read again."""

from __future__ import annotations

import statistics
import time

import numpy as np
import pytest

from mnist_core import Classifier
from mnist_core.datasets.synthetic import digits
from mnist_core.explain.counterfactual import BUDGET, Edit, pen_width, smallest_edit

FEW, ALL = 20, 200  # drawings


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier.load()


def drawings_read_correctly(classifier: Classifier, count: int) -> list[tuple[np.ndarray, int]]:
    images, labels = digits(2 * count, seed=6)
    right = [
        (image, label)
        for image, label in zip(images.numpy(), labels.tolist(), strict=True)
        if classifier.predict(image).guess == label
    ]
    assert len(right) >= count
    return right[:count]


def redrawn(picture: np.ndarray, edit: Edit) -> np.ndarray:
    """The drawing with the edit's dabs made one after the other, as floats from 0 to 1."""
    rows, columns = np.mgrid[:28, :28]
    ink = picture / 255
    for dab in edit.dabs:
        disc = np.clip(edit.pen / 2 + 0.5 - np.hypot(rows - dab.row, columns - dab.column), 0, 1)
        ink = np.maximum(ink, disc) if dab.drawn else np.minimum(ink, 1 - disc)
    return ink


def check_edits(classifier: Classifier, count: int) -> None:
    changes, seconds = [], []
    for picture, label in drawings_read_correctly(classifier, count):
        start = time.perf_counter()
        edit = smallest_edit(classifier.model, picture)
        seconds.append(time.perf_counter() - start)
        if edit is None:
            continue
        assert edit.digit != label
        assert classifier.predict(edit.picture).guess == edit.digit
        np.testing.assert_allclose(edit.picture / 255, redrawn(picture, edit), atol=1 / 255)
        change = np.abs(edit.picture / 255 - picture / 255).sum() / (picture / 255).sum()
        assert edit.change == pytest.approx(change, abs=0.01)
        assert change <= BUDGET + 0.005
        changes.append(change)
    print(
        f"\n{len(changes)} of {count} correctly read drawings flip; the median change is "
        f"{statistics.median(changes):.1%} of the ink, found in {statistics.median(seconds):.2f} s (median)"
    )
    assert len(changes) >= 0.7 * count


def test_a_few_dabs_flip_most_answers_and_are_read_again(classifier: Classifier) -> None:
    check_edits(classifier, FEW)


@pytest.mark.full
def test_a_few_dabs_flip_most_of_two_hundred_answers(classifier: Classifier) -> None:
    check_edits(classifier, ALL)


def test_an_edit_towards_a_wished_digit_gives_that_digit(classifier: Classifier) -> None:
    pictures = drawings_read_correctly(classifier, 6)
    found = [
        (edit, target)
        for picture, label in pictures
        for target in {7, 9, 3} - {label}
        if (edit := smallest_edit(classifier.model, picture, target))
    ]
    assert found
    assert all(edit.digit == target for edit, target in found)


def test_a_smaller_budget_is_kept(classifier: Classifier) -> None:
    for picture, _ in drawings_read_correctly(classifier, 5):
        edit = smallest_edit(classifier.model, picture, budget=0.08)
        assert edit is None or edit.change <= 0.08


def test_what_cannot_be_edited_is_refused(classifier: Classifier) -> None:
    (picture, label), *_ = drawings_read_correctly(classifier, 1)
    with pytest.raises(ValueError, match="Expected a picture with ink in it; got a blank one"):
        smallest_edit(classifier.model, np.zeros((28, 28), np.uint8))
    with pytest.raises(ValueError, match=f"other than {label}, which is read now; got {label}"):
        smallest_edit(classifier.model, picture, label)


@pytest.mark.parametrize("width", [2, 3, 4])
def test_the_pen_is_as_wide_as_a_bar_it_drew(width: int) -> None:
    picture = np.zeros((28, 28), np.uint8)
    picture[4:24, 10 : 10 + width] = 255
    assert pen_width(picture) == pytest.approx(width, rel=0.2)
