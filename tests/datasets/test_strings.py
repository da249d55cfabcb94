"""Pieces of ink for the network that reads digit strings."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from mnist_core.datasets import strings, traced
from mnist_core.datasets.digits import Digits
from mnist_core.datasets.strings import MOST_DIGITS, NOTHING, Strings, draw_strings
from mnist_core.datasets.synthetic import digits


@pytest.fixture(scope="module")
def some_digits() -> Digits:
    return Digits(*digits(60, 3))


STEPS = 480  # of the pen in an angle, so many that no other stroke has them
PEN = 0.2


@pytest.fixture(scope="module")
def of_angles() -> list[tuple[list[np.ndarray], list[int]]]:
    """Pieces for which all digits are one angle: a stem, and a foot to the right."""
    share = np.linspace(0, 1, STEPS)
    angle = np.where(share[:, None] < 0.6, (0, 1) * share[:, None] / 0.6, [0, 1])
    angle = angle + (0.6, 0) * (share[:, None] - 0.6).clip(0) / 0.4
    rng = np.random.default_rng(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(traced, "_MNIST_SHARE", 1.0)
        return [strings.piece(rng, [[[angle]]] * 10, PEN) for _ in range(4000)]


def is_angle(stroke: np.ndarray) -> bool:
    """Whether a stroke is the angle as some hand writes it, with every point or some of them left out."""
    return len(stroke) in {len(range(0, STEPS - 1, step)) + 1 for step in (1, 2, 3, 5)}


def test_what_is_no_digit_is_neither_a_whole_digit_as_it_stands_nor_three_side_by_side(
    of_angles: list[tuple[list[np.ndarray], list[int]]],
) -> None:
    none = [strokes for strokes, said in of_angles if not said and all(map(is_angle, strokes))]
    single = [strokes[0][-1] - strokes[0][0] for strokes in none if len(strokes) == 1]
    upright = [bool(x > 0 and y > 0) for x, y in single]
    assert len(upright) > 20 and sum(upright) <= 0.05 * len(upright)
    counts = [len(strokes) for strokes in none]
    assert 4 in counts and 3 not in counts


def test_neighbours_in_a_string_touch_or_stand_apart_more_often_than_they_cross(
    of_angles: list[tuple[list[np.ndarray], list[int]]],
) -> None:
    gaps = [
        right[0, 0] - left[-1, 0]  # from the end of a foot to the next stem
        for strokes, said in of_angles
        if len(said) > 1 and all(map(is_angle, strokes))
        for left, right in itertools.pairwise(strokes)
    ]
    assert len(gaps) > 200 and np.mean(np.array(gaps) > 0) > 0.7


def test_pieces_are_the_same_for_a_seed_however_many_processes_draw_them(
    some_digits: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strings, "BLOCK", 100)
    one, two = (draw_strings(350, 5, some_digits, processes=n) for n in (1, 2))
    assert len(one) == 350 and not torch.equal(one.pictures[:100], one.pictures[100:200])
    assert torch.equal(one.pictures, two.pictures) and torch.equal(one.digits, two.digits)


def test_pieces_have_all_lengths_and_digits_in_the_first_places(some_digits: Digits) -> None:
    seen: list[int] = []
    drawn = draw_strings(600, 1, some_digits, drawn=seen.append)
    assert seen == [600] == [len(drawn)]
    assert drawn.pictures.shape == (600, 32, 64) and drawn.pictures.dtype == torch.uint8
    assert torch.bincount(drawn.lengths, minlength=MOST_DIGITS + 1).min() > 60
    assert set(drawn.digits.flatten().tolist()) == {NOTHING, *range(10)}
    for length, said in zip(drawn.lengths.tolist(), drawn.digits.tolist(), strict=True):
        assert said[length:] == [NOTHING] * (MOST_DIGITS - length)
        assert all(0 <= digit <= 9 for digit in said[:length])
    assert (drawn.pictures.amax(dim=(1, 2)) > 200).all()


@pytest.fixture(scope="module")
def some_strings(some_digits: Digits) -> Strings:
    return draw_strings(400, 2, some_digits)


def test_pens_are_from_thin_to_thick(some_strings: Strings) -> None:
    ink = some_strings.pictures[some_strings.lengths == 1].numpy() / 255
    rows, columns = np.gradient(np.pad(ink, ((0, 0), (1, 1), (1, 1))), axis=(1, 2))
    widths = 2 * ink.sum(axis=(1, 2)) / np.hypot(rows, columns).sum(axis=(1, 2))  # ink over half its edge
    assert np.quantile(widths, 0.9) > 2 * np.quantile(widths, 0.1)


def test_strings_are_broader_than_digits(some_strings: Strings) -> None:
    inked = (some_strings.pictures.amax(dim=1) > 0).sum(dim=1).float()
    narrow, broad = inked[some_strings.lengths == 1].mean(), inked[some_strings.lengths == 3].mean()
    assert broad > 1.5 * narrow


def test_progress_counts_all_pieces_so_far(some_digits: Digits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strings, "BLOCK", 20)
    seen: list[int] = []
    draw_strings(50, 5, some_digits, drawn=seen.append)
    assert seen == [20, 40, 50]
