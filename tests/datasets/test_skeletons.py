"""Skeletons, and the strokes traced from them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from mnist_core.datasets import traced
from mnist_core.datasets.digits import Digits
from mnist_core.datasets.skeletons import thin, trace
from mnist_core.datasets.synthetic import digits
from mnist_core.datasets.traced import traced_digits
from mnist_core.imaging.connected_components import components


def thick(*lines: list[tuple[int, int]], width: int = 7) -> np.ndarray:
    image = Image.new("1", (60, 80))
    for line in lines:
        ImageDraw.Draw(image).line(line, fill=1, width=width)
    return np.asarray(image)


def test_a_skeleton_is_one_pixel_wide_and_lies_in_the_middle_of_the_stroke() -> None:
    skeleton = thin(thick([(10, 10), (10, 70)])[None])[0]
    rows, columns = np.nonzero(skeleton)
    assert set(columns) <= {9, 10, 11} and np.ptp(rows) >= 50
    assert skeleton.sum(axis=1).max() == 1


def test_thinning_keeps_what_hangs_together_and_the_holes() -> None:
    ring = np.zeros((1, 60, 60), bool)
    y, x = np.mgrid[:60, :60] - 30
    ring[0] = (np.hypot(x, y) < 24) & (np.hypot(x, y) > 14)
    skeleton = thin(ring)[0]
    assert len(components(skeleton)) == 1
    all_round = (np.degrees(np.arctan2(y, x)[skeleton]) // 10).astype(int)
    assert len(set(all_round)) >= 36
    assert np.hypot(x, y)[skeleton].mean() == pytest.approx(19, abs=1)


def test_a_traced_skeleton_follows_its_strokes_and_has_the_height_of_one() -> None:
    strokes = trace(thin(thick([(10, 10), (50, 10), (20, 70)])[None])[0])
    points = np.concatenate(strokes)
    assert np.ptp(points[:, 1]) == pytest.approx(1, abs=0.05)
    assert len(strokes) <= 3
    assert points.min(axis=0) == pytest.approx((0, 0), abs=0.05)
    assert trace(np.zeros((9, 9), bool)) == []


def test_a_traced_stroke_has_no_staircase_and_a_dot_is_a_stroke_too() -> None:
    slanting = np.eye(40, dtype=bool).repeat(2, axis=0)  # two rows down for each column
    (stroke,) = trace(thin(np.pad(slanting, 1)[None])[0])
    inside = stroke[5:-5]
    assert np.abs(inside[:, 1] - 2 * inside[:, 0] - (inside[0, 1] - 2 * inside[0, 0])).max() < 0.005
    dot = np.zeros((9, 9), bool)
    dot[4, 4] = True
    assert [len(stroke) for stroke in trace(dot)] == [1]


def test_a_cross_is_traced_as_four_arms_and_a_ring_as_one_loop() -> None:
    cross = np.zeros((41, 41), bool)
    cross[20, 2:39] = cross[2:39, 20] = True
    assert [len(stroke) for stroke in trace(cross)] == [19] * 4
    ring = thin(thick([(15, 15), (45, 15), (45, 60), (15, 60), (15, 15)], width=5)[None])[0]
    loop = max(trace(ring), key=len)
    assert np.abs(loop[0] - loop[-1]).max() < 0.1


def test_traced_digits_keep_their_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traced, "_AT_ONCE", 25)
    some = Digits(*digits(60, 3))
    assert [len(ways) for ways in traced_digits(some)] == torch.bincount(some.labels).tolist()
