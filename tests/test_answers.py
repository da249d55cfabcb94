"""What was read, as plain values and in sentences."""

from __future__ import annotations

import numpy as np
import pytest

from mnist_core import Prediction
from mnist_core.answers import as_values, left_out, sureness, with_article

PICTURE = np.zeros((28, 28), np.uint8)


def reading(guess: int, sure: float = 0.9, reason: str | None = None) -> Prediction:
    """A digit whose other nine share the rest; not sure of it if there is a reason."""
    probabilities = [(1 - sure) / 9] * 10
    probabilities[guess] = sure
    digit = None if reason else guess
    return Prediction(digit, probabilities, PICTURE, guess, reason, (guess, 0, guess + 1, 9))


def mark(reason: str) -> Prediction:
    return Prediction(None, [0.1] * 10, PICTURE, None, reason, (0, 0, 1, 1), mark=True)


def test_one_digit_has_its_own_values() -> None:
    values = as_values([reading(7)])
    assert (values["number"], values["digit"], values["guess"], values["reason"]) == ("7", 7, 7, None)
    assert values["probabilities"] == reading(7).probabilities and values["left_out"] is None
    (digit,) = values["digits"]
    assert (digit["digit"], digit["box"], set(digit)) == (
        7,
        (7, 0, 8, 9),
        {"digit", "probabilities", "guess", "reason", "box"},
    )


def test_a_number_has_no_single_digit() -> None:
    values = as_values([reading(3), reading(5)])
    assert (values["number"], values["digit"], values["guess"]) == ("35", None, None)
    assert values["reason"] == "2 digits: 35." and values["probabilities"] == [0.1] * 10
    assert [each["digit"] for each in values["digits"]] == [3, 5]


def test_there_is_no_number_unless_each_of_its_digits_is_sure() -> None:
    values = as_values([reading(3), reading(5, reason="Not sure.")])
    assert (values["number"], values["digit"], values["reason"]) == (None, None, "Not sure of 1 of 2 digits.")
    assert [each["guess"] for each in values["digits"]] == [3, 5]
    alone = as_values([reading(5, reason="Not sure.")])
    assert (alone["number"], alone["guess"], alone["reason"]) == (None, 5, "Not sure.")


def test_a_blank_picture_has_the_same_values() -> None:
    values = as_values([])
    assert values["reason"] == "Nothing is drawn here." and values["probabilities"] == [0.1] * 10
    assert values["number"] is values["digit"] is values["guess"] is None and values["digits"] == []
    assert set(values) == set(as_values([reading(1)]))


def test_marks_are_no_digits_and_are_told() -> None:
    one = [reading(7), mark("the mark before the 7")]
    assert as_values(one)["number"] == "7" and as_values(one)["left_out"] == "the mark before the 7"
    assert left_out([*one, mark("another")]) == "I read digits only: 2 marks beside them were left out."
    assert left_out([reading(7)]) is None


def test_the_article_is_that_of_the_spoken_number() -> None:
    numbers = (0, 1, 7, "8", 8, "80", "81", "11", "18", "118", "110", "08")
    articles = [with_article(number).split()[0] for number in numbers]
    assert articles == ["a"] * 3 + ["an"] * 6 + ["a"] * 3


@pytest.mark.parametrize(
    ("readings", "sure"), [([reading(8, 0.9)], 0.9), ([reading(8, 0.9), reading(8, 0.6)], 0.6), ([], 0.1)]
)
def test_several_digits_are_as_sure_as_the_least_sure_one(readings: list[Prediction], sure: float) -> None:
    assert sureness(as_values(readings)) == sure
