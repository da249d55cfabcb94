"""Batches of digits varied as pens vary them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mnist_core.datasets import augment
from mnist_core.datasets.augment import SHARE, repen, vary
from mnist_core.datasets.synthetic import digits
from mnist_core.imaging.preprocess import CENTRE, INK_SIZE, MEAN, STD, normalise


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def pictures() -> torch.Tensor:
    """(300, 1, 28, 28), normalised."""
    return normalise(digits(300, 0)[0])


def ink(pictures: torch.Tensor) -> torch.Tensor:
    """Normalised pictures -> 0 for paper, 1 for ink."""
    return pictures * STD + MEAN


def test_the_same_chance_varies_alike_and_the_global_generator_is_left_alone(pictures: torch.Tensor) -> None:
    before = torch.get_rng_state()
    assert torch.equal(vary(pictures, seeded(1)), vary(pictures, seeded(1)))
    assert not torch.equal(vary(pictures, seeded(1)), vary(pictures, seeded(2)))
    assert torch.equal(torch.get_rng_state(), before)


def test_shape_range_and_the_given_batch_stay(pictures: torch.Tensor) -> None:
    given = pictures.clone()
    varied = vary(pictures, seeded())
    assert torch.equal(pictures, given)
    assert varied.shape == pictures.shape and varied.dtype == torch.float32
    assert ink(varied).min() >= -1e-5 and ink(varied).max() <= 1 + 1e-5


def test_the_longer_side_stays_20_pixels_and_the_centre_of_mass_on_14(pictures: torch.Tensor) -> None:
    varied = ink(vary(pictures, seeded()))[:, 0].numpy()
    spans, centres = [], []
    for picture in varied:
        box = [np.flatnonzero(picture.max(axis=axis) > 0.2) for axis in (0, 1)]
        spans.append(max(np.ptp(side) + 1 for side in box))
        weights = picture / picture.sum()
        centres.append((weights.sum(0) @ np.arange(28), weights.sum(1) @ np.arange(28)))
    assert INK_SIZE - 1 < np.mean(spans) < INK_SIZE + 0.5 and np.std(spans) < 1.5
    assert np.abs(np.mean(centres, axis=0) - CENTRE).max() < 0.1
    assert np.abs(np.array(centres) - CENTRE).mean() < 0.5


def test_a_share_of_the_pictures_stays_as_it_is(pictures: torch.Tensor) -> None:
    many = pictures.repeat(4, 1, 1, 1)
    same = (vary(many, seeded()) - many).abs().amax((1, 2, 3)) < 1e-5
    assert same.float().mean() == pytest.approx(1 - SHARE, abs=0.05)


def test_pens_get_thicker_and_thinner_and_strokes_stay(pictures: torch.Tensor) -> None:
    before = ink(pictures)
    after = repen(before, seeded())
    ratio = after.sum((1, 2, 3)) / before.sum((1, 2, 3))
    assert ratio.min() < 0.7 and ratio.max() > 1.4
    assert (after >= before * 0.25 - 1e-6).all()


def test_a_turn_keeps_right_angles(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ink of a cross is spread alike in all directions, and stays so however it is turned."""
    for name in ("SLANT", "STRETCH", "SHRINK", "WOBBLE", "PEN"):
        monkeypatch.setattr(augment, name, 0.0)
    monkeypatch.setattr(augment, "TURN", 0.7)
    cross = torch.zeros(200, 28, 28, dtype=torch.uint8)
    cross[:, 13:15, 4:24] = cross[:, 4:24, 13:15] = 255
    turned = ink(vary(normalise(cross), seeded(), share=1.0))[:, 0].numpy()
    ratios, leans = [], []
    for picture in turned:
        rows, columns = np.nonzero(picture > 0.02)
        spread = np.linalg.eigvalsh(np.cov(rows, columns, aweights=picture[rows, columns]))
        ratios.append(spread[1] / spread[0])
        leans.append(picture[:8].sum(axis=0) @ np.arange(28) / picture[:8].sum())  # of the upper arm, columns
    assert np.mean(ratios) < 1.1
    assert np.ptp(leans) > 6  # they are turned, both ways
    assert min(leans) < 12 and max(leans) > 15


@pytest.mark.parametrize("turned", [False, True])
def test_straight_lines_wobble_whichever_way_they_run(turned: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SLANT", "TURN", "STRETCH", "SHRINK", "PEN"):
        monkeypatch.setattr(augment, name, 0.0)
    line = torch.zeros(100, 28, 28, dtype=torch.uint8)
    line[:, 13:16, 4:24] = 255
    varied = ink(vary(normalise(line.mT if turned else line), seeded(), share=1.0))[:, 0]
    along = (varied.mT if turned else varied)[:, :, 6:22]
    middles = (along * torch.arange(28.0)[:, None]).sum(dim=1) / along.sum(dim=1)
    assert middles.std(dim=1).median() > 0.1  # pixels


def test_varied_strokes_are_as_strong_as_those_given() -> None:
    pictures = normalise(digits(1000, 0)[0])
    varied = ink(vary(pictures, seeded(), share=1.0))
    torch.testing.assert_close(varied.amax((1, 2, 3)), torch.ones(len(varied)))
    full, before = ((each > 0.95).float().sum() for each in (varied, ink(pictures)))
    assert 0.85 < full / before < 1.1


def test_a_blank_picture_stays_blank() -> None:
    blank = normalise(torch.zeros(8, 28, 28, dtype=torch.uint8))
    torch.testing.assert_close(vary(blank, seeded()), blank)
