"""What was read in a picture, as plain values for other programs and in sentences."""

from __future__ import annotations

from typing import Any

from mnist_core.classifier import NOTHING_DRAWN, Prediction
from mnist_core.model import CLASSES


def as_values(readings: list[Prediction]) -> dict[str, Any]:
    """What `Classifier.read` found in one picture, as plain values for other programs.

    Returns:
        number: the digits, row by row and left to right, as text; None unless all are sure.
        digit: 0 to 9 if there is just one digit and it is sure, else None.
        probabilities: ten numbers that sum to 1, for 0 to 9; all 0.1 unless there is just one piece of ink.
        guess: the most probable digit of that piece, sure or not.
        reason: why there is no digit, in a sentence; None when there is one.
        left_out: which small signs beside the digits were not read, in a sentence; None if there are none.
        digits: for each digit its digit, probabilities, guess, reason and box.
    """
    digits = digits_in(readings)
    unsure = sum(each.digit is None for each in digits)
    number = "".join(str(each.digit) for each in digits) if digits and not unsure else None
    values: dict[str, Any] = {
        "number": number,
        "digit": None,
        "probabilities": [1 / CLASSES] * CLASSES,
        "guess": None,
        "reason": NOTHING_DRAWN,
        "left_out": left_out(readings),
        "digits": [_values(each) | {"box": each.box} for each in digits],
    }
    if len(digits) == 1:
        values |= _values(digits[0])
    elif digits:
        values["reason"] = (
            f"Not sure of {unsure} of {len(digits)} digits." if unsure else f"{len(digits)} digits: {number}."
        )
    return values


def digits_in(readings: list[Prediction]) -> list[Prediction]:
    """The readings without the small signs that were left out."""
    return [each for each in readings if not each.mark]


def left_out(readings: list[Prediction]) -> str | None:
    """Which small signs beside the digits were not read, in a sentence; None if there are none."""
    signs = [each for each in readings if each.mark]
    if len(signs) > 1:
        return f"I read digits only: {len(signs)} marks beside them were left out."
    return signs[0].reason if signs else None


def with_article(number: int | str) -> str:
    """A digit, or a number of at least one, after its article: "a 7", "an 8", "an 18"."""
    written = str(number)
    vowel = written.startswith("8") or written in ("11", "18")
    return f"{'an' if vowel else 'a'} {written}"


def sureness(values: dict[str, Any]) -> float:
    """How probable the likeliest digit of `as_values` is; of several read, the least sure one's."""
    return min((max(each["probabilities"]) for each in values["digits"]), default=1 / CLASSES)


def _values(prediction: Prediction) -> dict[str, Any]:
    names = ("digit", "probabilities", "guess", "reason")
    return {name: getattr(prediction, name) for name in names}
