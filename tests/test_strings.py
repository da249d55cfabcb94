"""The network that says how many digits a piece of ink is, and which."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from modes import MODES

from mnist_core import strings
from mnist_core.datasets.digits import Digits
from mnist_core.datasets.strings import Strings, draw_strings
from mnist_core.datasets.synthetic import digits
from mnist_core.engine.string_training import (
    calibrate_strings,
    save_strings,
    string_loss,
    train_strings,
    varied,
)
from mnist_core.imaging.preprocess import STRING_INK, STRING_SIZE, place_string
from mnist_core.strings import LENGTHS, PLACES, StringNet, StringReader, normalise, shipped_strings


@pytest.fixture(scope="module")
def pieces() -> Strings:
    return draw_strings(300, 11, Digits(*digits(60, 3)))


def test_the_network_has_an_output_for_each_length_and_for_each_digit_at_each_place() -> None:
    model = StringNet()
    assert sum(p.numel() for p in model.parameters()) == 632_574
    assert model(torch.zeros(2, 1, *STRING_SIZE)).shape == (2, LENGTHS + 10 * len(PLACES))


def test_ink_is_fitted_with_its_aspect_kept_in_the_middle() -> None:
    for shape, expected in (((100, 50), (28, 14)), ((50, 400), (8, 60)), ((7, 7), (28, 28))):
        placed = place_string(np.full(shape, 255, np.uint8))
        rows, columns = np.nonzero(placed)
        assert placed.shape == STRING_SIZE
        assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == expected
        assert abs(rows.mean() - 15.5) <= 0.5 and abs(columns.mean() - 31.5) <= 0.5
        assert expected[0] <= STRING_INK[0] and expected[1] <= STRING_INK[1]
    assert not place_string(np.zeros((9, 9), np.uint8)).any()


def test_the_loss_is_that_of_the_length_and_of_the_digits_that_are_there() -> None:
    output = torch.zeros(3, LENGTHS + 10 * len(PLACES))
    lengths, said = torch.tensor([0, 1, 2]), torch.tensor([[-1, -1, -1], [7, -1, -1], [4, 2, -1]])
    even = np.log(4) + (0 + 1 + 2) * np.log(10) / 3
    assert float(string_loss(output, lengths, said)) == pytest.approx(even, rel=1e-5)
    output[1, LENGTHS + 7] = output[2, LENGTHS + 10 + 4] = output[2, LENGTHS + 20 + 2] = 50
    assert float(string_loss(output, lengths, said)) == pytest.approx(np.log(4), rel=1e-5)
    output[2, LENGTHS + 20 + 3] = 100
    assert float(string_loss(output, lengths, said)) > np.log(4) + 10


def test_pieces_are_varied_a_little_each_by_itself_and_stay_on_the_paper() -> None:
    block = torch.zeros(200, *STRING_SIZE, dtype=torch.uint8)
    block[:, 4:28, 12:52] = 255
    paper, ink = normalise(block).aminmax()
    torch.manual_seed(2)
    pieces = (varied(normalise(block)) - paper) / (ink - paper)
    torch.manual_seed(2)
    assert torch.equal((varied(normalise(block)) - paper) / (ink - paper), pieces)
    assert pieces.min() >= -1e-5 and pieces.max() <= 1 + 1e-5
    assert pieces[:, :, [0, -1]].max() == 0  # no ink in the corners
    sizes = pieces.sum(dim=(1, 2, 3)) / (24 * 40)
    assert 0.75 < sizes.min() < 0.85 and 0.97 < sizes.max() < 1.02  # smaller by up to 12 % each way
    rows, columns = torch.arange(32.0), torch.arange(64.0)
    down = (pieces[:, 0].sum(2) @ rows / pieces.sum(dim=(1, 2, 3))) - 15.5
    right = (pieces[:, 0].sum(1) @ columns / pieces.sum(dim=(1, 2, 3))) - 31.5
    for moved in (down, right):
        assert abs(moved.mean()) < 0.2 and 0.3 < moved.std() < 0.9  # pixels
    upper, lower = (pieces[:, 0, at] @ columns / pieces[:, 0, at].sum(1) for at in (8, 23))
    assert abs((upper - lower).mean()) < 0.6 and 1 < (upper - lower).std() < 3  # slanted and turned


def test_training_learns_and_is_the_same_for_the_same_seed(pieces: Strings) -> None:
    losses = []
    for _ in range(2):
        torch.manual_seed(4)
        losses.append([event.loss for event in train_strings(StringNet(), pieces, 30, seed=4)])
    assert losses[0] == losses[1]
    untrained = np.log(4) + pieces.lengths.float().mean() * np.log(10)
    assert losses[0][-1] < 0.9 * float(untrained)


def test_the_first_loss_is_that_of_guessing_over_a_mixed_batch(pieces: Strings) -> None:
    by_length = pieces.lengths.argsort()
    ordered = Strings(*(each[by_length] for each in (pieces.pictures, pieces.lengths, pieces.digits)))
    torch.manual_seed(4)
    (event,) = train_strings(StringNet(), ordered, 0.5, seed=4)
    assert (event.step, event.steps) == (1, 1)
    guessing = np.log(4) + float(pieces.lengths.float().mean()) * np.log(10)
    assert event.loss == pytest.approx(guessing, rel=0.15)


def test_training_takes_the_steps_of_adamw_under_a_one_cycle_schedule(pieces: Strings) -> None:
    model = StringNet()
    other = copy.deepcopy(model).to(memory_format=torch.channels_last)
    list(train_strings(model, pieces, 2, seed=4))
    optimizer = torch.optim.AdamW(other.parameters(), weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=4, pct_start=0.15)
    shuffles = torch.Generator().manual_seed(4)
    torch.manual_seed(4)  # dropout and variation
    for chosen in [
        batch for _ in range(2) for batch in torch.randperm(300, generator=shuffles).split(128)[:2]
    ]:
        optimizer.zero_grad()
        inputs = varied(normalise(pieces.pictures[chosen])).to(memory_format=torch.channels_last)
        string_loss(other(inputs), pieces.lengths[chosen], pieces.digits[chosen]).backward()
        optimizer.step()
        schedule.step()
    for name, trained in model.state_dict().items():
        assert torch.allclose(trained, other.state_dict()[name], atol=1e-6), name


def test_however_short_the_training_one_step_is_taken(pieces: Strings) -> None:
    (event,) = train_strings(StringNet(), pieces, 0.01, seed=4)
    assert (event.step, event.steps) == (1, 1)


def test_a_network_is_trained_with_dropout_whatever_mode_it_was_in(pieces: Strings) -> None:
    losses = []
    for mode in (True, False):
        torch.manual_seed(4)
        losses += [event.loss for event in train_strings(StringNet().train(mode), pieces, 1.5, seed=4)]
    assert losses[0] == losses[1]
    model, inputs = StringNet(), normalise(pieces.pictures[:9])
    assert not torch.equal(model(inputs), model(inputs))
    assert torch.equal(model.eval()(inputs), model(inputs))


def test_what_was_saved_is_loaded_again_with_its_temperatures(
    tmp_path: Path, pieces: Strings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strings, "SURE", 0)
    model = StringNet()
    save_strings(tmp_path / "new" / "strings.pt", model, (1.3, 0.8))
    reader = StringReader.load(tmp_path / "new" / "strings.pt")
    assert reader.temperatures == (1.3, 0.8)
    inks = [piece.numpy() for piece in pieces.pictures[:20]]
    with torch.no_grad():
        output = model.eval()(normalise(torch.from_numpy(np.stack([place_string(ink) for ink in inks]))))
    assert np.allclose(reader.lengths(inks), as_assumed(output[:, :LENGTHS] / 1.3), atol=1e-5)


def as_assumed(logits: torch.Tensor) -> torch.Tensor:
    """Log-probabilities (..., 4) by Bayes' rule, where lengths are as common as is assumed."""
    likelihood = logits.double().softmax(-1) / torch.tensor([0.37, 0.27, 0.19, 0.17])
    joint = likelihood * torch.tensor([0.25, 0.55, 0.12, 0.08])
    return (joint / joint.sum(-1, keepdim=True)).log()


def said_of_views(ink: np.ndarray) -> torch.Tensor:
    """What the shipped network says of a piece: as it is, slanted either way, and smaller; (4, 64)."""
    piece = normalise(torch.from_numpy(place_string(ink))[None])
    maps = [
        [[1, 0, 0], [0, 1, 0]],
        [[1, 0.075, 0], [0, 1, 0]],
        [[1, -0.075, 0], [0, 1, 0]],
        [[1.08, 0, 0], [0, 1.08, 0]],
    ]
    grid = torch.nn.functional.affine_grid(
        torch.tensor(maps).float(), [4, 1, *STRING_SIZE], align_corners=False
    )
    paper = float(piece.min())
    views = torch.nn.functional.grid_sample((piece - paper).expand(4, -1, -1, -1), grid, align_corners=False)
    with torch.no_grad():
        return shipped_strings().model(views + paper)


@pytest.mark.parametrize(("length", "heads"), [(1, [0]), (2, [1, 2]), (3, [3, 4, 5])])
def test_digits_are_the_mean_over_views_at_the_places_of_their_length(
    length: int, heads: list[int], pieces: Strings
) -> None:
    ink = pieces.pictures[5].numpy()
    places = said_of_views(ink)[:, LENGTHS:].reshape(4, 6, 10)[:, heads] / 0.8
    expected = places.log_softmax(2).mean(0).log_softmax(1)
    found = StringReader(shipped_strings().model, (1.3, 0.8)).digits(ink, length)
    assert found.shape == (length, 10)
    assert np.allclose(found, expected, atol=0.05)  # the views' pixels are rounded
    assert np.allclose(np.exp(found).sum(axis=1), 1)
    assert not np.allclose(found, places[0].log_softmax(1), atol=0.2)


def test_a_length_of_which_the_network_is_not_sure_is_the_mean_over_views(pieces: Strings) -> None:
    inks = [piece.numpy() for piece in pieces.pictures]
    found = StringReader(shipped_strings().model, (1.3, 0.8)).lengths(inks)
    logits = torch.stack([said_of_views(ink)[:, :LENGTHS] for ink in inks]) / 1.3  # (n, views, lengths)
    at_once = as_assumed(logits[:, 0])
    sure = logits[:, 0].softmax(1).amax(1).numpy() >= 0.9
    assert np.allclose(found[sure], at_once[sure], atol=1e-3)
    assert np.allclose(found[~sure], as_assumed(logits[~sure].mean(1)), atol=0.05)
    assert 10 < (~sure).sum() < 150
    assert np.abs(found[~sure] - at_once[~sure].numpy()).mean() > 0.1


@pytest.mark.parametrize("mode", MODES)
def test_whatever_mode_the_caller_is_in_when_it_is_loaded_pieces_are_read_alike(
    mode: str, pieces: Strings
) -> None:
    """The shipped network is loaded once, at the first reading: what is wrong then stays wrong."""
    inks = [piece.numpy() for piece in pieces.pictures[:5]]
    expected = shipped_strings().lengths(inks), shipped_strings().digits(inks[0], 3)
    with MODES[mode]():
        reader = StringReader.load()
        found = reader.lengths(inks), reader.digits(inks[0], 3)
    for lengths, digits_said in (found, (reader.lengths(inks), reader.digits(inks[0], 3))):
        assert (lengths == expected[0]).all() and (digits_said == expected[1]).all()


def test_loading_draws_nothing_from_everyones_chance() -> None:
    before = torch.get_rng_state()
    StringReader.load()
    assert torch.equal(torch.get_rng_state(), before)


def test_temperatures_undo_what_makes_a_network_too_sure(pieces: Strings) -> None:
    torch.manual_seed(0)
    model = StringNet()
    list(train_strings(model, pieces, 10, seed=0))
    found = []
    for factor in (
        2,
        1.5,
    ):  # by 2 first: the temperatures of a network this young lie below all that are tried
        with torch.no_grad():
            for layer in (model.fc2, model.digit):
                layer.weight *= factor
                layer.bias *= factor
        found.append(calibrate_strings(model, pieces))
    assert min(found[0]) > 0.5
    for before, after in zip(*found, strict=True):
        assert after == pytest.approx(min(1.5 * before, 0.5 * 1.04**39), rel=0.05)


def test_the_shipped_network_tells_digits_from_strings_and_from_what_is_none() -> None:
    unseen = draw_strings(3600, 2**31 + 7, Digits(*digits(300, 2**31 + 9)))
    said = shipped_strings().lengths([piece.numpy() for piece in unseen.pictures]).argmax(axis=1)
    truth = unseen.lengths.numpy()
    for length, least in ((0, 0.91), (1, 0.94), (2, 0.9), (3, 0.87)):
        assert (said == truth)[truth == length].mean() >= least
    for length, least in ((1, 0.85), (2, 0.8), (3, 0.65)):
        some = np.flatnonzero(truth == length)[:60]
        read = [shipped_strings().digits(unseen.pictures[i].numpy(), length).argmax(axis=1) for i in some]
        right = [
            (each == unseen.digits[i, :length].numpy()).all() for each, i in zip(read, some, strict=True)
        ]
        assert np.mean(right) >= least
