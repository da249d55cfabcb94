"""The digits that runs learn from: what recipes get, what calibrates them, drawings called off."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import TensorDataset

from mnist_core.config import TrainConfig
from mnist_core.data import load_data, synthetic_count
from mnist_core.datasets import synthetic
from mnist_core.datasets.digits import Digits
from mnist_core.engine import calibrate
from mnist_core.engine.events import Change, Step
from mnist_core.engine.setup import resolve
from mnist_core.imaging.preprocess import MEAN, STD, normalise
from mnist_core.model import ConvNet
from mnist_core.runs import RunError, Runs, fine_tuning
from mnist_core.runs.limits import Limits
from mnist_core.runs.run import Run
from mnist_core.runs.store import DigitStore

ANNE = "a" * 64
DRAWN = TrainConfig(data="synthetic", train_size=100, non_digits=20)


def _equal(kept: TensorDataset, digits: Digits) -> bool:
    return torch.equal(kept.tensors[0], digits.normalised()) and torch.equal(kept.tensors[1], digits.labels)


def _some(n: int) -> Digits:
    return Digits(*synthetic.digits(n, seed=5))


@pytest.fixture
def few_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten synthetic test digits rather than 10,000."""
    monkeypatch.setattr("mnist_core.data.SYNTHETIC_TEST_SIZE", 10)


def test_a_recipe_with_non_digits_gets_the_digits_that_the_command_line_gives_it(
    few_tests: None, tmp_path: Path
) -> None:
    store = DigitStore(tmp_path)
    for config in (DRAWN, replace(DRAWN, non_digits=0), replace(DRAWN, seed=1)):
        for kept, given in zip(store.get(config), load_data(config, tmp_path), strict=True):
            assert _equal(kept, given)


@pytest.mark.mnist
def test_non_digits_are_mixed_into_mnist_too(data_folder: Path) -> None:
    config = TrainConfig(train_size=200, non_digits=30)
    kept, _ = DigitStore(data_folder).get(config)
    assert _equal(kept, load_data(config, data_folder)[0])


def test_a_recipe_gets_no_more_of_mnist_than_it_asks_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digits = _some(150)
    monkeypatch.setattr("mnist_core.runs.store.load_mnist", lambda *_, **__: digits)
    store = DigitStore(tmp_path)
    for size in (100, 120):
        kept, tested = store.get(TrainConfig(train_size=size))
        assert _equal(kept, digits.subset(size)) and _equal(tested, digits)


def test_digits_that_were_asked_for_lately_are_not_drawn_again(few_tests: None, tmp_path: Path) -> None:
    store = DigitStore(tmp_path)
    first, *_, last = [store.get(replace(DRAWN, seed=seed)) for seed in range(3)]
    assert store.get(replace(DRAWN, seed=2)) is last
    assert store.get(replace(DRAWN, seed=0)) is not first  # the oldest were let go


def test_every_drawing_is_counted(few_tests: None, tmp_path: Path) -> None:
    counted: list[None] = []
    load_data(DRAWN, tmp_path, drawn=lambda: counted.append(None))
    assert len(counted) == synthetic_count(DRAWN) == 130


@pytest.mark.parametrize("data", ["mnist", "synthetic"])
def test_weights_are_calibrated_on_digits_that_are_not_the_test_digits(
    data: str, few_tests: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibrate, "CALIBRATION_DIGITS", 1000)
    train, test = _some(1200), Digits(*synthetic.digits(1000, seed=6))
    monkeypatch.setattr("mnist_core.runs.store.load_mnist", lambda *_, train, **__: train_or_test[train])
    train_or_test = {True: train, False: test}
    store = DigitStore(tmp_path)
    unseen = store.unseen(replace(DRAWN, data=data))
    assert len(unseen) == 1000
    others = {picture.numpy().tobytes() for picture in unseen.images}
    known = {picture.numpy().tobytes() for picture in train.images}
    tested = test if data == "mnist" else Digits(*synthetic.digits(1000, seed=2**31))
    assert not others & known
    assert not others & {picture.numpy().tobytes() for picture in tested.images}
    if data == "mnist":
        assert torch.equal(unseen.labels, train.labels[-1000:])
        assert int(unseen.images.flatten(1).min(1).values.max()) == 0  # the paper stays paper


@pytest.mark.parametrize("order", ["stop", "pause"])
def test_a_run_whose_digits_are_being_drawn_obeys_at_once(order: str, tmp_path: Path) -> None:
    runs = Runs(Limits(unwatched_seconds=600), digits=DigitStore(tmp_path), device="cpu")
    try:
        run = runs.start(ANNE, TrainConfig(data="synthetic", train_size=60_000))
        _until(lambda: run.drawn > 20)
        begun = run.drawn
        getattr(runs, order)(ANNE, run.id)
        _until(lambda: run.state == {"stop": "stopped", "pause": "paused"}[order])
        assert run.drawn - begun < 1000
    finally:
        runs.close()


def test_others_get_their_digits_while_a_run_has_its_own_drawn(few_tests: None, tmp_path: Path) -> None:
    store, drawing, go_on = DigitStore(tmp_path), threading.Event(), threading.Event()

    def wait() -> None:
        drawing.set()
        assert go_on.wait(60)

    slow = threading.Thread(target=store.get, args=(DRAWN, wait))
    slow.start()
    assert drawing.wait(60)
    store.get(replace(DRAWN, train_size=101))
    assert slow.is_alive()
    go_on.set()
    slow.join(60)


def test_a_recipe_that_draws_too_much_is_refused(tmp_path: Path) -> None:
    runs = Runs(Limits(synthetic=1000), digits=DigitStore(tmp_path), device="cpu")
    for config in (
        replace(DRAWN, data="both", train_size=491),
        replace(DRAWN, data="mnist", non_digits=1001),
    ):
        with pytest.raises(RunError, match=r"asks for too many synthetic digits: at most 1,000 here\."):
            runs.start(ANNE, config)


def test_fine_tuning_varies_drawings_on_white_paper() -> None:
    """Its pictures have MNIST's range: paper at the value that paper has there, ink never beyond full ink."""
    drawings = _some(3)
    known = TensorDataset(normalise(_some(50).images), _some(50).labels)
    batches = fine_tuning.MixedBatches(
        drawings.images, drawings.labels, known, torch.device("cpu"), torch.Generator().manual_seed(0)
    )
    images, labels = next(iter(batches))
    theirs = images[: fine_tuning.DRAWN]
    assert len(images) == len(labels) == fine_tuning.DRAWN + fine_tuning.REHEARSED
    paper = torch.full((fine_tuning.DRAWN,), -MEAN / STD)
    torch.testing.assert_close(theirs.amin(dim=(1, 2, 3)), paper, atol=1e-5, rtol=0)
    assert bool((theirs.amax(dim=(1, 2, 3)) > (0.8 - MEAN) / STD).all())
    assert float(theirs.max()) <= (1 - MEAN) / STD + 1e-5


def test_fine_tuning_never_sees_a_drawing_twice_alike() -> None:
    drawing = _some(1)
    known = TensorDataset(normalise(_some(50).images), _some(50).labels)
    batches = fine_tuning.MixedBatches(
        drawing.images, drawing.labels, known, torch.device("cpu"), torch.Generator().manual_seed(0)
    )
    seen = torch.cat([images[: fine_tuning.DRAWN] for images, _ in list(batches)[:5]])
    assert len({image.numpy().tobytes() for image in seen.sub(MEAN).mul(8).round()}) > 0.7 * len(seen)


@pytest.mark.parametrize(
    ("drawing", "label", "says"),
    [
        (np.zeros((28, 28), np.uint8), 77, "Labels must be 0 to 9"),
        (np.zeros((28, 28), np.uint8), -1, "Labels must be 0 to 9"),
        (np.zeros((28, 28)), 3, "images must be uint8"),
    ],
)
def test_drawings_that_are_none_are_refused_before_the_first_step(drawing, label: int, says: str) -> None:
    digits, device = _some(20), torch.device("cpu")
    known = TensorDataset(digits.normalised(), digits.labels)
    run = Run("fine-tuning", resolve(fine_tuning.recipe(None, mnist_is_here=False), device))
    with pytest.raises(ValueError, match=says):
        fine_tuning.begin(run, ConvNet(), [(drawing, label)], (known, known), device)


def test_fine_tuning_takes_a_new_learning_rate_while_it_is_under_way() -> None:
    digits, device = _some(20), torch.device("cpu")
    known = TensorDataset(digits.normalised(), digits.labels)
    run = Run("fine-tuning", resolve(fine_tuning.recipe(None, mnist_is_here=False), device))
    drawings = [(digits.images[0].numpy(), int(digits.labels[0]))]
    _, events = fine_tuning.begin(run, ConvNet(), drawings, (known, known), device)
    first = next(event for event in events if isinstance(event, Step))
    second = events.send(Change(learning_rate=0.125))
    events.close()
    assert isinstance(second, Step)
    assert (first.learning_rate, second.learning_rate) == (3e-4, 0.125)


def _until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)
