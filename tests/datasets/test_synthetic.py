"""Synthetic digits: as many of each, the same by the same seed, and looking as MNIST's do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mnist_core.datasets.glyphs import DIGITS, SIGNS
from mnist_core.datasets.synthetic import (
    contact_sheet,
    digits,
    drawing,
    non_digits,
    render,
    sign,
    written_by_hand,
)
from mnist_core.imaging.preprocess import INK_SIZE, preprocess


def test_the_same_seed_draws_the_same_bits_and_another_seed_others() -> None:
    (images, labels), (again, same_labels), (others, _) = digits(60, 3), digits(60, 3), digits(60, 4)
    assert torch.equal(images, again) and torch.equal(labels, same_labels)
    assert not torch.equal(images, others)
    assert torch.equal(non_digits(40, 3), non_digits(40, 3))


def test_every_digit_comes_equally_often_in_no_order() -> None:
    images, labels = digits(200, 0)
    assert images.shape == (200, 28, 28) and images.dtype == torch.uint8 and labels.dtype == torch.int64
    assert labels.bincount().tolist() == [20] * 10
    assert labels[:20].tolist() != sorted(labels[:20].tolist())


def test_a_digit_in_ten_has_a_trace_of_a_neighbour() -> None:
    beside = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        rng.permutation(1)
        strokes = drawing(0, rng)
        rng.random()  # which decides it
        beside += not np.array_equal(digits(1, seed)[0][0], preprocess(render(strokes, rng)))
    assert 1 <= beside <= 14


def test_every_picture_has_mnists_geometry() -> None:
    images = torch.cat([digits(300, 1)[0], non_digits(200, 1)]).numpy()
    for image in images:
        spans = [np.ptp(np.flatnonzero(image.max(axis=axis))) + 1 for axis in (0, 1)]
        assert max(spans) == INK_SIZE and image.max() >= 250


@pytest.mark.parametrize("signs", [DIGITS, SIGNS])
def test_every_copybook_line_can_be_written(signs: dict) -> None:
    rng = np.random.default_rng(0)
    for ways in signs.values():
        for share, way in ways:
            strokes = written_by_hand(way, 0.7, rng)
            assert share > 0 and len(strokes) >= 1
            assert all(
                stroke.ndim == 2 and len(stroke) >= 2 and np.isfinite(stroke).all() for stroke in strokes
            )
            assert np.asarray(render(strokes, rng)).min() == 0


def test_there_are_many_ways_to_write_every_digit() -> None:
    assert set(DIGITS) == set(range(10))
    assert all(len(ways) >= 10 for ways in DIGITS.values())
    two_strokes = {digit for digit, ways in DIGITS.items() if any("/" in way for _, way in ways)}
    assert two_strokes >= {0, 1, 4, 5, 7, 8, 9}  # slashed, footed, open, floating, barred, two rings, a stem


def test_no_two_drawings_of_a_digit_are_alike() -> None:
    rng = np.random.default_rng(0)
    points = [np.concatenate(drawing(7, rng))[:5].round(6).tobytes() for _ in range(50)]
    assert len(set(points)) == 50


def test_the_pen_is_as_thick_as_asked() -> None:
    rng = np.random.default_rng(0)
    strokes = sign(rng)
    thin, thick = (np.asarray(render(strokes, rng, pen=pen)) == 0 for pen in (0.03, 0.12))
    assert 2.5 < thick.sum() / thin.sum() < 5.5
    assert not (thin & ~thick).any()


def test_the_contact_sheet_in_assets_is_what_the_code_draws() -> None:
    images = Path(__file__).parents[2] / "assets" / "images"
    with Image.open(images / "synthetic.png") as stored:
        differs = np.asarray(stored.convert("L")) != np.asarray(contact_sheet())
    assert differs.mean() < 1e-4  # processors round differently: 18 pixels of a million between two of them
