"""What a run learns from and is tested on, whatever form its digits are given in."""

from __future__ import annotations

import pytest
import torch
from noise import LEARN, TEST, TINY, losses, run
from PIL import Image
from torch.utils.data import DataLoader, Dataset, Subset, TensorDataset
from torchvision import transforms
from torchvision.datasets import VisionDataset

from mnist_core.config import TrainConfig
from mnist_core.engine.events import Step, Testing
from mnist_core.engine.setup import initial_model
from mnist_core.imaging.preprocess import MEAN, STD, normalise
from mnist_core.model import ConvNet
from mnist_core.training import fit


class Recorded(ConvNet):
    """Remembers the batches that it was trained on."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[torch.Tensor] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.seen.append(x.detach().clone())
        return super().forward(x)


def test_digits_in_memory_are_shuffled_anew_in_each_epoch() -> None:
    model = Recorded()
    list(fit(model, LEARN, TEST, TrainConfig(batch_size=200, epochs=2)))
    first, second = model.seen
    images = LEARN.normalised()
    for epoch in (first, second):
        assert sorted(map(tuple, epoch.flatten(1).tolist())) == sorted(map(tuple, images.flatten(1).tolist()))
    assert not torch.equal(first, images) and not torch.equal(second, images)
    assert not torch.equal(first, second)


def test_a_loader_is_used_as_given_with_its_sampler_transform_and_batch_size() -> None:
    class Doubled(torch.utils.data.Dataset[tuple[torch.Tensor, int]]):
        def __len__(self) -> int:
            return 200

        def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
            return 2 * LEARN.normalised()[index], int(LEARN.labels[index])

    model = Recorded()
    chosen = [5, 3, 150, 7, 9]
    given = DataLoader(Doubled(), batch_size=2, sampler=chosen)
    events = list(fit(model, given, TEST, TrainConfig(batch_size=100, epochs=2)))
    assert [len(batch) for batch in model.seen] == [2, 2, 1, 2, 2, 1]
    assert torch.equal(torch.cat(model.seen[:3]), 2 * LEARN.normalised()[chosen])
    steps = [event for event in events if isinstance(event, Step)]
    assert [step.epoch for step in steps] == [1, 1, 1, 2, 2, 2]
    assert [step.seen for step in steps] == [2, 4, 5, 7, 9, 10]


def test_a_shuffling_loader_gives_the_same_run_for_the_same_seed_and_leaves_the_callers_generator() -> None:
    given = DataLoader(TensorDataset(LEARN.normalised(), LEARN.labels), batch_size=20, shuffle=True)
    before = torch.get_rng_state()
    first, second = (losses(list(fit(initial_model(TINY), given, TEST, TINY))) for _ in range(2))
    assert first == second
    other = TrainConfig(**{**TINY.to_dict(), "seed": 4})
    assert losses(list(fit(initial_model(TINY), given, TEST, other))) != first
    assert torch.equal(before, torch.get_rng_state())


def test_a_test_loader_is_tested_on_what_its_sampler_gives() -> None:
    data = TensorDataset(TEST.normalised(), TEST.labels)
    given = DataLoader(data, batch_size=8, sampler=range(20))
    end = list(fit(initial_model(TINY), LEARN, given, TINY, progress=True))
    assert end[-1].evaluation.n == 20
    assert [(e.done, e.n) for e in end if isinstance(e, Testing)] == [(8, 20), (16, 20), (20, 20)]


def test_a_test_loader_that_drops_its_last_batch_has_as_many_digits_as_it_gives() -> None:
    given = DataLoader(TensorDataset(TEST.normalised(), TEST.labels), batch_size=32, drop_last=True)
    end = list(fit(initial_model(TINY), LEARN, given, TINY, progress=True))
    assert [(e.done, e.n) for e in end if isinstance(e, Testing)] == [(32, 64), (64, 64)]
    assert end[-1].evaluation.n == 64


@pytest.mark.parametrize(
    ("loader", "says"),
    [
        (DataLoader(TensorDataset(LEARN.images, LEARN.labels), 8), r"torch.uint8 \(8, 28, 28\)"),
        (DataLoader(TensorDataset(LEARN.normalised(), LEARN.labels + 70), 8), "Labels must be 0 to 9"),
        (DataLoader(TensorDataset(LEARN.normalised()), 8), "must be pairs"),
        (DataLoader(TensorDataset(LEARN.normalised(), LEARN.labels), None), "needs a batch_size"),
        (DataLoader(TensorDataset(LEARN.normalised(), LEARN.labels), 8, sampler=[]), "got none"),
        (DataLoader(TensorDataset(LEARN.normalised(), LEARN.labels - 100), 8), "Labels must be 0 to 9"),
        (DataLoader(TensorDataset(LEARN.normalised(), LEARN.labels - 1), 8), "Labels must be 0 to 9"),
        (DataLoader(TensorDataset(LEARN.images[:, None] / 255, LEARN.labels), 8), "must be normalised"),
        (DataLoader(LEARN, 8, collate_fn=lambda _: LEARN.labels), "must be pairs"),
        (DataLoader(LEARN, 8, collate_fn=lambda _: (LEARN.normalised()[:0], LEARN.labels[:0])), "got none"),
    ],
)
def test_a_loader_that_gives_no_digits_is_refused_with_what_it_gave(loader: DataLoader, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        list(fit(initial_model(TINY), loader, TEST, TINY))


class Flipped(Dataset[tuple[torch.Tensor, int]]):
    """The digits of `LEARN`, each flipped or not, anew whenever it is asked for."""

    def __len__(self) -> int:
        return 200

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        image, label = LEARN[index]
        return (image.flip(2) if torch.rand(()) < 0.5 else image), label


def test_a_data_set_gives_its_items_anew_in_every_epoch() -> None:
    model = Recorded()
    before = torch.get_rng_state()
    run(TrainConfig(batch_size=200, epochs=2), model, Flipped())
    assert torch.equal(torch.get_rng_state(), before)
    first, second = ({tuple(image.flatten().tolist()) for image in epoch} for epoch in model.seen)
    both = {
        tuple(image.flatten().tolist())
        for image in torch.cat([LEARN.normalised(), LEARN.normalised().flip(3)])
    }
    assert first | second <= both and 50 < len(first - second) < 150
    assert losses(run(learn=Flipped())) == losses(run(learn=Flipped()))


@pytest.mark.parametrize(
    "same", [LEARN, Subset(LEARN, range(200)), TensorDataset(LEARN.normalised(), LEARN.labels), list(LEARN)]
)
def test_the_same_digits_in_another_form_give_the_same_run(same: object) -> None:
    assert losses(run(learn=same)) == losses(run())


def test_a_torchvision_data_set_is_trained_on_as_its_transforms_make_it() -> None:
    normalised = transforms.Compose([transforms.ToTensor(), transforms.Normalize((MEAN,), (STD,))])
    assert losses(run(learn=AsTorchvision(normalised, None))) == losses(run())
    inverted = transforms.Compose([transforms.RandomInvert(1.0), normalised])
    model = Recorded()
    run(TrainConfig(batch_size=200, epochs=1), model, AsTorchvision(inverted, lambda label: 9 - label))
    expected = normalise(255 - LEARN.images).flatten(1).tolist()
    assert sorted(model.seen[0].flatten(1).tolist()) == sorted(expected)
    with pytest.raises(ValueError, match=r"must be normalised, paper at -0\.42; got values from 0 to 1\."):
        run(learn=Subset(AsTorchvision(transforms.ToTensor(), None), range(100)))


class AsTorchvision(VisionDataset):
    """`LEARN`, held and given as torchvision's MNIST does."""

    def __init__(self, transform: object, target_transform: object) -> None:
        super().__init__(".", transform=transform, target_transform=target_transform)
        self.data, self.targets = LEARN.images, LEARN.labels

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[object, object]:
        image, label = Image.fromarray(self.data[index].numpy()), int(self.targets[index])
        image = self.transform(image) if self.transform else image
        return image, self.target_transform(label) if self.target_transform else label
