"""The digits: where they are looked for, how they are held, and that both ways of loading give the same."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from mirror import FILES, blank
from modes import MODES
from PIL import Image
from torch.utils.data import DataLoader, Subset, TensorDataset

from mnist_core import data
from mnist_core.config import TrainConfig
from mnist_core.data import epoch_size, load_data, load_mnist, mnist_loaders
from mnist_core.datasets.digits import NO_DIGIT, Digits, as_tensors, batches, shift
from mnist_core.datasets.download import DataError, ForeignDataWarning, find_folder, mnist_is_here
from mnist_core.engine import calibrate
from mnist_core.engine.calibrate import unseen_digits
from mnist_core.imaging.preprocess import MEAN, STD, normalise


def some_digits(n: int = 10) -> Digits:
    """`n` pictures of noise, the i-th labelled i modulo 10."""
    images = torch.randint(256, (n, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(n))
    return Digits(images, torch.arange(n) % 10)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def lay(folder: Path, spoilt: str | None = None) -> None:
    """Blank files as MNIST's; the one named `spoilt` is a byte short."""
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in FILES:
        (raw / name).write_bytes(blank(name)[: -1 if name == spoilt else None])


def test_the_folder_is_the_one_named_else_the_environments_else_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MNIST_DATA_DIR", "/from/environment")
    assert find_folder("/named") == Path("/named")
    assert find_folder() == Path("/from/environment")
    monkeypatch.delenv("MNIST_DATA_DIR")
    assert find_folder() == Path("data")


def test_files_that_lie_there_are_read_without_a_download_and_called_foreign_if_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay(tmp_path)
    monkeypatch.setattr(data, "fetch", lambda *_: pytest.fail("nothing is missing"))
    assert mnist_is_here(tmp_path)
    with pytest.warns(ForeignDataWarning) as warned:
        digits = load_mnist(tmp_path, train=False)
    assert len(digits) == 10_000 and not digits.images.any()
    assert str(warned[0].message) == (
        f"These are not MNIST's files: {FILES[2]}, {FILES[3]} in {tmp_path}/MNIST/raw. "
        "Going on with what they hold."
    )
    assert warned[0].filename == __file__


def test_a_broken_file_is_one_sentence_with_the_next_step(tmp_path: Path) -> None:
    lay(tmp_path, spoilt=FILES[3])
    assert not mnist_is_here(tmp_path)
    with pytest.raises(DataError) as failed:
        load_mnist(tmp_path, train=False, download=False)
    assert str(failed.value) == (
        f"t10k-labels-idx1-ubyte in {tmp_path / 'MNIST' / 'raw'} has 10,007 bytes where MNIST's has 10,008: "
        "let it be downloaded, or name the folder that holds MNIST with --data-dir or MNIST_DATA_DIR."
    )


def test_digits_are_normalised_once_with_the_books_mean_and_deviation() -> None:
    digits = some_digits()
    expected = (digits.images.float() / 255 - MEAN) / STD
    torch.testing.assert_close(digits.normalised(), expected.unsqueeze(1))
    assert digits.normalised() is digits.normalised()


@pytest.mark.parametrize("mode", MODES)
def test_whatever_mode_the_caller_is_in_digits_are_the_same(mode: str, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(data, "SYNTHETIC_TEST_SIZE", 10)
    config = TrainConfig(data="synthetic", train_size=100, non_digits=10)
    train_data, _ = load_data(config, tmp_path)
    unseen = unseen_digits(TrainConfig(), train_data)
    with MODES[mode]():
        again, _ = load_data(config, tmp_path)
        assert again == train_data
        assert torch.equal(as_tensors(again)[0], as_tensors(train_data)[0])
        assert unseen_digits(TrainConfig(), again) == unseen


def test_a_subset_is_the_first_digits_or_the_ones_asked_for() -> None:
    digits = some_digits()
    assert digits.subset(10) is digits
    assert torch.equal(digits.subset(3).images, digits.images[:3])
    assert digits.subset(torch.tensor([7, 2])).labels.tolist() == [7, 2]
    with pytest.raises(ValueError, match="A subset has from 1 to 10 digits; 11 were asked for"):
        digits.subset(11)


@pytest.mark.parametrize(
    ("images", "labels", "says"),
    [
        (torch.zeros(2, 28, 28), torch.zeros(2, dtype=torch.int64), "images must be uint8"),
        (
            torch.zeros(2, 27, 28, dtype=torch.uint8),
            torch.zeros(2, dtype=torch.int64),
            "images must be uint8",
        ),
        (
            torch.zeros(2, 28, 28, dtype=torch.uint8),
            torch.zeros(3, dtype=torch.int64),
            "one for each picture",
        ),
        (torch.zeros(2, 28, 28, dtype=torch.uint8), torch.zeros(2), "one for each picture"),
        (np.zeros((2, 28, 28), np.uint8), torch.zeros(2), "images must be a tensor; got ndarray"),
        (torch.zeros(2, 28, 28, dtype=torch.uint8), [1, 2], "labels must be a tensor; got list"),
    ],
)
def test_digits_of_another_shape_are_refused(images: torch.Tensor, labels: torch.Tensor, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Digits(images, labels)


def test_an_epoch_reads_every_digit_once_in_an_order_that_the_seed_gives() -> None:
    digits = some_digits(101)
    images, labels = digits.normalised(), torch.arange(101)

    def epoch(generator: torch.Generator) -> list[torch.Tensor]:
        return [batch for _, batch in batches(images, labels, 32, generator)]

    generator = seeded()
    first, second = epoch(generator), epoch(generator)
    assert [len(batch) for batch in first] == [32, 32, 32, 5]
    assert sorted(torch.cat(first).tolist()) == list(range(101))
    assert not torch.equal(torch.cat(first), torch.cat(second))
    assert torch.equal(torch.cat(first), torch.cat(epoch(seeded())))
    assert not torch.equal(torch.cat(first), torch.cat(epoch(seeded(1))))


def test_without_chance_digits_come_in_their_own_order_none_left_out() -> None:
    digits = some_digits(7)
    got = list(batches(digits.normalised(), digits.labels, 3))
    assert torch.equal(torch.cat([images for images, _ in got]), digits.normalised())
    assert [labels.tolist() for _, labels in got] == [[0, 1, 2], [3, 4, 5], [6]]


def test_pictures_stay_with_their_labels_when_shuffled() -> None:
    digits = Digits(torch.arange(50, dtype=torch.uint8).view(50, 1, 1).repeat(1, 28, 28), torch.arange(50))
    for images, labels in batches(digits.normalised(), digits.labels, 8, seeded()):
        torch.testing.assert_close((images[:, 0, 0, 0] * STD + MEAN) * 255, labels.float(), rtol=0, atol=1e-3)


def test_a_shift_moves_a_batch_by_at_most_a_pixel_and_lets_paper_in() -> None:
    images = torch.randn(2, 1, 28, 28)
    padded = torch.nn.functional.pad(images, (1, 1, 1, 1), value=-MEAN / STD)
    expected = {
        (down, right): padded[..., 1 - down : 29 - down, 1 - right : 29 - right]
        for down in (-1, 0, 1)
        for right in (-1, 0, 1)
    }
    seen = set()
    generator = seeded()
    for _ in range(100):
        moved = shift(images, generator)
        seen |= {move for move, picture in expected.items() if torch.equal(picture, moved)}
        assert any(torch.equal(picture, moved) for picture in expected.values())
    assert seen == set(expected)


def test_other_data_sets_give_the_same_tensors() -> None:
    digits = some_digits()
    images, labels = digits.normalised(), digits.labels

    class AsTorchvision:
        data, targets = digits.images, digits.labels

    pairs = [(images[i], int(labels[i])) for i in range(len(labels))]
    same = TensorDataset(images, labels)
    for source in (digits, AsTorchvision(), same, pairs):
        got_images, got_labels = as_tensors(source)
        assert torch.equal(got_images, images) and torch.equal(got_labels, labels)


def test_digits_are_a_data_set_of_normalised_images_and_labels() -> None:
    digits = some_digits()
    image, label = digits[7]
    assert torch.equal(image, digits.normalised()[7]) and label == 7 and type(label) is int
    images, labels = as_tensors(Subset(digits, [3, 1]))
    assert torch.equal(images, digits.normalised()[[3, 1]]) and labels.tolist() == [3, 1]
    batch, _ = next(iter(DataLoader(digits, batch_size=4)))
    assert torch.equal(batch, digits.normalised()[:4])


def test_digits_are_equal_when_their_images_and_labels_are() -> None:
    digits = some_digits()
    assert digits == Digits(digits.images.clone(), digits.labels.clone())
    assert digits != Digits(digits.images, digits.labels.flip(0)) and digits != some_digits(11)
    assert digits != "digits"


class WithTransforms:
    """As torchvision's data sets: what they hold, and what they give of it."""

    def __init__(self, digits: Digits, transform=None, target_transform=None) -> None:
        self.data, self.targets = digits.images, digits.labels
        self.transform, self.target_transform = transform, target_transform

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[object, object]:
        image, label = self.data[index], self.targets[index]
        image = self.transform(image) if self.transform else image
        return image, self.target_transform(label) if self.target_transform else label


def test_transforms_of_images_and_of_labels_are_not_passed_over() -> None:
    digits = some_digits()
    turned = WithTransforms(digits, lambda image: normalise(image.flip(1))[0], lambda label: 9 - label)
    images, labels = as_tensors(turned)
    assert torch.equal(images, normalise(digits.images.flip(2)))
    assert torch.equal(labels, 9 - digits.labels)
    images, _ = as_tensors(WithTransforms(digits))
    assert torch.equal(images, digits.normalised())


NOISE = torch.randn(6, 1, 28, 28, generator=torch.Generator().manual_seed(0))
TEN = torch.arange(6)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (TensorDataset(NOISE.abs(), TEN), "must be normalised, paper at -0.42; got values from"),
        (TensorDataset(NOISE.clamp(0, 1), TEN), r"Put transforms\.Normalize\(\(0\.1302,\), \(0\.3069,\)\)"),
        (TensorDataset(NOISE * math.nan, TEN), "got values from nan to nan"),
        (TensorDataset(NOISE / 0, TEN), "must be normalised"),
        (
            TensorDataset((NOISE * 99).to(torch.uint8), TEN),
            r"got torch\.uint8 \(6, 1, 28, 28\) and torch\.int64",
        ),
        (
            TensorDataset(NOISE, TEN - 100),
            "Labels must be 0 to 9, or, in a recipe with non_digits, -1 for no",
        ),
        (TensorDataset(NOISE, TEN + 5), "got 5 to 10. Leave the others out"),
        (TensorDataset(NOISE, TEN + 77), "got 77 to 82. Leave the others out"),
        (TensorDataset(NOISE, TEN.float()), r"got torch\.float32 \(6, 1, 28, 28\) and torch\.float32 \(6,\)"),
        (TensorDataset(NOISE, TEN[:, None]), r"torch\.int64 \(6, 1\)"),
        (WithTransforms(some_digits(), lambda image: image.float()[None] / 255), "must be normalised"),
        (WithTransforms(some_digits(), target_transform=str), "must be pairs of normalised images"),
        ([(Image.new("L", (28, 28)), 3)], "got Image and int"),
        ([(NOISE[0], 3), (NOISE[1, :, :9], 3)], "must be pairs"),
        ({"images": NOISE}, "got dict"),
        (Digits(some_digits().images, TEN.repeat(2)[:10] + 8), "got 8 to 13"),
    ],
)
def test_digits_that_would_be_learnt_wrongly_are_refused(data: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        as_tensors(data)


def test_what_is_no_digit_is_for_recipes_with_non_digits_alone() -> None:
    digits = Digits(some_digits().images, torch.full((10,), NO_DIGIT))
    assert torch.equal(as_tensors(digits)[1], digits.labels)
    with pytest.raises(ValueError, match="got -1 to -1"):
        as_tensors(digits, non_digits=False)


def test_other_whole_numbers_and_other_precisions_become_what_is_trained_on() -> None:
    images, labels = as_tensors(TensorDataset(NOISE.double(), TEN.to(torch.uint8)))
    assert torch.equal(images, NOISE) and torch.equal(labels, TEN)
    assert (images.dtype, labels.dtype) == (torch.float32, torch.int64)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"data": "synthetic"}, "mnist_loaders can only do a recipe with data='mnist'; got 'synthetic'."),
        ({"data": "both"}, "data='mnist'; got 'both'. load_data and fit do all that a recipe says."),
        ({"non_digits": 100}, "mnist_loaders can only do a recipe with non_digits=0; got 100."),
        ({"augment": "pen"}, "mnist_loaders can only do a recipe with augment='none'; got 'pen'."),
    ],
)
def test_the_chapters_loaders_refuse_a_recipe_that_they_would_not_follow(
    fields: dict[str, object], says: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=says):
        mnist_loaders(TrainConfig(**fields), tmp_path / "nowhere")


@pytest.mark.parametrize("wrong", [None, 3, "digits", [], [(1, 2)], TensorDataset(torch.zeros(3, 28, 28))])
def test_what_holds_no_digits_is_refused_with_the_next_step(wrong: object) -> None:
    with pytest.raises(ValueError, match="load_data gives some"):
        as_tensors(wrong)


def test_drawn_digits_need_no_folder_and_are_tested_on_others(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(data, "SYNTHETIC_TEST_SIZE", 100)  # the same number: only the seed tells them apart
    train_data, test_data = load_data(TrainConfig(data="synthetic", train_size=100), tmp_path / "nowhere")
    again, _ = load_data(TrainConfig(data="synthetic", train_size=100), tmp_path / "nowhere")
    assert (len(train_data), len(test_data)) == (100, 100)
    assert torch.equal(train_data.images, again.images)
    assert not torch.equal(train_data.images, test_data.images)


@pytest.mark.filterwarnings("ignore::mnist_core.datasets.download.ForeignDataWarning")
def test_both_gives_twice_as_many_synthetic_digits_and_is_tested_on_mnist(tmp_path: Path) -> None:
    lay(tmp_path)
    config = TrainConfig(data="both", train_size=101)
    train_data, test_data = load_data(config, tmp_path)
    assert len(train_data) == epoch_size(config)
    blank_ones = (train_data.images.flatten(1).amax(dim=1) == 0).sum()
    assert (len(train_data), len(test_data), int(blank_ones)) == (303, 10_000, 101)


@pytest.mark.mnist
def test_the_books_loaders_and_the_fast_path_give_the_same_pictures(data_folder: Path) -> None:
    config = TrainConfig(train_size=500, batch_size=32)
    train_loader, test_loader = mnist_loaders(config, data_folder)
    fast = load_mnist(data_folder, train=False)
    images, labels = next(iter(test_loader))
    assert images.shape == (500, 1, 28, 28)
    torch.testing.assert_close(images, fast.normalised()[:500], rtol=0, atol=1e-6)
    assert torch.equal(labels, fast.labels[:500])
    assert len(test_loader.dataset) == 10_000

    learned = torch.cat([labels for _, labels in train_loader])
    assert len(train_loader) == 16
    expected = load_mnist(data_folder, train=True).labels[:500]
    assert torch.equal(learned.bincount(), expected.bincount()) and not torch.equal(learned, expected)


@pytest.mark.mnist
def test_the_books_mean_and_deviation_are_the_training_pixels_over_256(data_folder: Path) -> None:
    pixels = load_mnist(data_folder, train=True).images.to(torch.float64)
    assert float(pixels.mean() / 256) == pytest.approx(MEAN, abs=1e-4)
    assert float(pixels.std() / 256) == pytest.approx(STD, abs=1e-4)
    assert float(pixels.mean() / 255) == pytest.approx(0.1307, abs=1e-4)
    assert float(pixels.std() / 255) == pytest.approx(0.3081, abs=1e-4)


def test_unseen_digits_are_the_last_to_train_on_each_of_them_varied(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(calibrate, "CALIBRATION_DIGITS", 20)
    train = some_digits(30)
    train.labels[-5:] = NO_DIGIT
    unseen = unseen_digits(TrainConfig(), train)
    assert torch.equal(unseen.labels, train.labels[5:25])
    assert (unseen.images != train.images[5:25]).flatten(1).any(1).all()
    assert torch.equal(unseen.images, unseen_digits(TrainConfig(), train).images)
    monkeypatch.setattr(calibrate, "CALIBRATION_DIGITS", 100)
    assert len(unseen_digits(TrainConfig(), train)) == 25
