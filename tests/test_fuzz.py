"""Odd calls by the thousand: each gives a valid answer, or an error of ours that says what was wrong.

A case is drawn from a generator that its subject and its number seed, so that a failure can be repeated.
"""

from __future__ import annotations

import io
import itertools
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, Subset, TensorDataset

from mnist_core import Classifier, Digits, Prediction, TrainConfig, checkpoint, fit, initial_model
from mnist_core.config import knobs
from mnist_core.datasets.synthetic import drawing, render
from mnist_core.engine.events import Evaluation, Event, Step
from mnist_core.engine.history import Watch
from mnist_core.explain.activations import feature_maps, ink_that_mattered
from mnist_core.explain.counterfactual import pen_width
from mnist_core.imaging.preprocess import upright_size

FEW, ALL = 100, 5000  # cases of each of the four subjects
each_count = pytest.mark.parametrize("count", [FEW, pytest.param(ALL, marks=pytest.mark.full)])
NUMBERS = (0, 1, -1, 7, 0.5, -0.5, 1e-9, 1e9, 10**30, math.nan, math.inf, -math.inf, True)
THINGS = (None, "", "hot", "0.5", b"7", [], [1.0], (), {}, {"a": 1}, np.float64(0.5), np.int64(3), np.True_)
ODD = (*NUMBERS, *THINGS)

Rng = np.random.Generator


def answered(call: Callable[..., Any], *arguments: Any) -> Any:
    """What a call gives; None if it raises an error of ours, with a sentence in it."""
    try:
        return call(*arguments)
    except ValueError as error:
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        where = trace.tb_frame.f_globals["__name__"] if trace is not None else ""
        assert where.startswith("mnist_core."), f"a ValueError from {where}: {error}"
        assert len(str(error)) > 20 and str(error).endswith(".")
        return None


def try_all(count: int, subject: int, try_one: Callable[[Rng], None]) -> None:
    """Try so many cases of a subject; one that fails is named."""
    for case in range(count):
        try:
            try_one(np.random.default_rng((subject, case)))
        except BaseException as error:
            error.add_note(f"case {case} of subject {subject}")
            raise


def one_of(rng: Rng, choices: Any) -> Any:
    return choices[int(rng.integers(len(choices)))]


# Pictures


@pytest.fixture(scope="module")
def shipped() -> Classifier:
    return Classifier.load()


def digit(rng: Rng) -> Image.Image:
    return render(drawing(int(rng.integers(10)), rng), rng)


def levels(rng: Rng, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers of one kind or another."""
    kind = rng.integers(6)
    if kind == 0:
        return rng.normal(one_of(rng, (0, 100)), one_of(rng, (1e-3, 1, 100, 1e20)), shape)
    if kind == 1:
        return np.full(shape, one_of(rng, NUMBERS), np.float64)
    if kind == 2:
        return (rng.random(shape) < 0.3) * float(one_of(rng, (1, 255, -255, 0.1)))
    if kind == 3:
        return np.linspace(0, 255, math.prod(shape)).reshape(shape)
    if kind == 4:
        values = rng.random(shape)
        values[tuple(int(rng.integers(side)) for side in shape)] = one_of(rng, NUMBERS)
        return values
    grey = np.asarray(digit(rng).resize(shape[1::-1]), np.float64)
    return grey.reshape(*shape[:2], *[1] * (len(shape) - 2)) + np.zeros(shape)


def sides(rng: Rng) -> tuple[int, int]:
    width, height = rng.integers(1, one_of(rng, (3, 30, 90)), 2).tolist()
    return width, height


def array(rng: Rng) -> np.ndarray:
    shape = one_of(rng, (sides(rng), (*sides(rng), int(rng.integers(1, 6)))))
    kind = one_of(rng, (np.uint8, np.uint8, np.uint8, np.float32, np.int32, np.bool_))
    with np.errstate(all="ignore"):
        return levels(rng, shape).astype(kind)


MODES = "1 L P RGB RGBA LA PA CMYK YCbCr HSV LAB I I F F I;16"


def pil(rng: Rng) -> Image.Image:
    mode, size = one_of(rng, MODES.split()), sides(rng)
    kind = {"F": np.float32, "I": np.int32, "I;16": np.uint16}.get(mode)
    with np.errstate(all="ignore"):
        if kind is not None:
            return Image.fromarray(levels(rng, size).astype(kind))
        image = Image.new(mode, size)
        image.frombytes(levels(rng, (1, len(image.tobytes()))).astype(np.uint8).tobytes())
    return image


def damaged(rng: Rng) -> Image.Image | None:
    """A picture as opened from a file with some bytes gone or changed; None if it cannot even be opened."""
    whole = io.BytesIO()
    digit(rng).save(whole, one_of(rng, ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP")))
    content = bytearray(whole.getvalue())
    for _ in range(int(rng.integers(3))):
        content[int(rng.integers(len(content)))] = int(rng.integers(256))
    try:
        return Image.open(io.BytesIO(content[: int(len(content) * rng.uniform(0.3, 1.2))]))
    except Exception:  # PIL's matter: nothing was given to us yet
        return None


def thing(rng: Rng) -> Any:
    return one_of(rng, ODD)


def check(prediction: Prediction) -> None:
    assert prediction.digit in (None, *range(10)) and prediction.guess in (None, *range(10))
    assert len(prediction.probabilities) == 10
    assert math.isclose(sum(prediction.probabilities), 1, abs_tol=1e-9)
    assert all(0 <= probability <= 1 for probability in prediction.probabilities)
    assert prediction.model_input.shape == (28, 28) and prediction.model_input.dtype == np.uint8
    assert (prediction.digit is None) == (prediction.reason is not None)


@pytest.mark.filterwarnings("ignore")  # PIL's, about what it finds in damaged files
@each_count
def test_any_picture_is_read_or_refused(count: int, shipped: Classifier) -> None:
    def try_one(rng: Rng) -> None:
        picture = one_of(rng, (array, array, pil, pil, damaged, thing))(rng)
        prediction = answered(shipped.predict, picture)
        if prediction is not None:
            check(prediction)
            width, height = upright_size(picture)
            for found in shipped.read(picture):
                check(found)
                left, top, right, bottom = found.box
                assert 0 <= left < right <= width and 0 <= top < bottom <= height
            ink = answered(ink_that_mattered, shipped.model, prediction.model_input, thing(rng), thing(rng))
            assert ink is None or np.isfinite(ink).all()
        for look in (lambda: feature_maps(shipped.model, picture), lambda: pen_width(picture)):
            assert answered(look) is None or picture.shape == (28, 28)

    try_all(count, 1, try_one)


# Weights and their metadata


def metadata(rng: Rng) -> Any:
    if rng.random() < 0.05:
        return thing(rng)
    fields: dict[Any, Any] = {}
    if rng.random() < 0.7:
        names = ("temperature", "threshold", "temperature", "threshold", "other")
        fields["calibration"] = {one_of(rng, names): one_of(rng, (0.5, 0.7, *ODD)) for _ in range(3)}
    if rng.random() < 0.3:
        names = ("activation", "negative_slope", "dropout1", "seed", "layers")
        fields["network"] = {one_of(rng, names): one_of(rng, ("tanh", 0.1, *ODD))}
    for name in ("accuracy", "n", "step", "network", "calibration", "name", 3):
        if rng.random() < 0.15:
            fields[name] = thing(rng)
    return fields


def file_of_weights(rng: Rng, weights: dict[str, torch.Tensor], known: Any) -> bytes:
    """As anyone may write one; some have bytes changed, or end too early."""
    buffer = io.BytesIO()
    old = bool(rng.random() < 0.2)
    torch.save({"model": weights, "metadata": known}, buffer, _use_new_zipfile_serialization=not old)
    content = bytearray(buffer.getvalue())
    if rng.random() < 0.5:
        for _ in range(int(rng.integers(1, 4))):
            near = one_of(rng, (2000, len(content)))  # the beginning or the end, where its parts are named
            content[one_of(rng, (1, -1)) * int(rng.integers(1, near))] = int(rng.integers(256))
    return bytes(content[: int(rng.integers(len(content))) if rng.random() < 0.05 else None])


@each_count
def test_any_file_of_weights_is_loaded_or_refused(count: int, shipped: Classifier, tmp_path: Path) -> None:
    seven = render(drawing(7, np.random.default_rng(0)), np.random.default_rng(0))
    path, saved = tmp_path / "weights.pt", tmp_path / "saved.pt"

    def try_one(rng: Rng) -> None:
        weights = {name: tensor.clone() for name, tensor in shipped.model.state_dict().items()}
        if rng.random() < 0.3:
            chosen = weights[one_of(rng, list(weights))]
            chosen.view(-1)[int(rng.integers(chosen.numel()))] = one_of(rng, (math.nan, math.inf, 1e38, 0.0))
        known, model = metadata(rng), initial_model(TrainConfig())
        model.load_state_dict(weights)
        if answered(lambda: checkpoint.save(saved, model, known) or True):
            json.dumps(checkpoint.load(saved)[1], allow_nan=False)  # what could be saved is loaded
        path.write_bytes(file_of_weights(rng, weights, known))
        classifier = answered(Classifier.load, path)
        prediction = answered(classifier.predict, seven) if classifier is not None else None
        if prediction is not None:
            check(prediction)

    try_all(count, 2, try_one)


# Recipes


def recipe(rng: Rng) -> dict[str, Any]:
    """Some fields with values that are right, at the limits, or wrong."""
    fields: dict[str, Any] = {}
    for name, knob in knobs().items():
        if rng.random() < 0.2 and name not in ("threads", "precision"):  # which some machines are slow with
            right = knob.choices or (knob.low, knob.high, float(knob.high), np.float32(knob.low))
            fields[name] = thing(rng) if rng.random() < 0.05 else one_of(rng, right)
    if rng.random() < 0.03:
        fields["layers"] = 9
    return fields


def noise(n: int, rng: Rng) -> Digits:
    images = torch.from_numpy(rng.integers(0, 256, (n, 28, 28), dtype=np.uint8))
    return Digits(images, torch.from_numpy(rng.integers(0, 10, n)))


def first_events(config: TrainConfig, rng: Rng) -> list[Event]:
    events = fit(initial_model(config), noise(40, rng), noise(10, rng), config)
    return list(itertools.islice(events, 4))


@each_count
def test_any_recipe_is_trained_by_or_refused(count: int) -> None:
    def try_one(rng: Rng) -> None:
        config = answered(TrainConfig.from_dict, recipe(rng))
        if config is None:
            return
        assert TrainConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
        watch, diverged = Watch(config), False
        for event in first_events(config, rng):
            if isinstance(event, Step):  # a rate that is too high is known by its loss
                trouble = watch.look(event, event.loss)
                diverged = diverged or (trouble is not None and trouble.fatal)
                assert diverged or math.isfinite(event.loss)

    try_all(count, 3, try_one)


# Data sets


def some_images(rng: Rng, n: int) -> torch.Tensor:
    right, kinds = (n, 1, 28, 28), (torch.float32, torch.float64, torch.uint8, torch.float16, torch.int64)
    shape = right if rng.random() < 0.8 else one_of(rng, ((n, 28, 28), (n, 28), (n,), (n, 3, 28, 28)))
    images = torch.from_numpy(rng.normal(0, 1, shape))
    if rng.random() < 0.3:
        images = one_of(rng, (images.abs(), images * math.nan, images * 255, images.clamp(0, 1), images / 0))
    kind = torch.float32 if rng.random() < 0.6 else one_of(rng, kinds)
    return images.to(kind) if kind.is_floating_point else images.nan_to_num().clamp(0, 255).to(kind)


def some_labels(rng: Rng, n: int) -> torch.Tensor:
    labels = torch.from_numpy(rng.integers(0, 10, n + int(rng.random() < 0.1)))
    others = (labels - 1, labels - 100, labels + 77, labels.float(), labels[:, None], labels.byte())
    return labels if rng.random() < 0.7 else one_of(rng, others)


def data_set(rng: Rng) -> Any:
    n = int(rng.integers(9))
    images, labels = some_images(rng, n), some_labels(rng, n)
    pairs = list(zip(images, labels.tolist(), strict=False))
    held = TensorDataset(images, labels) if len(images) == len(labels) else pairs
    part = range(int(rng.integers(len(held) + 1)))
    odd = (None, tuple, len)
    return one_of(
        rng,
        (
            lambda: held,
            lambda: pairs,
            lambda: Digits(images, labels),
            lambda: Digits(torch.zeros(n, 28, 28, dtype=torch.uint8), labels),
            lambda: Subset(held, part),
            lambda: DataLoader(held, one_of(rng, (1, 3, None)), sampler=part),
            lambda: DataLoader(held, 2, drop_last=bool(rng.integers(2)), collate_fn=one_of(rng, odd)),
            lambda: one_of(rng, ((images, labels), images, {"images": images}, thing(rng))),
        ),
    )()


@each_count
def test_any_data_set_is_learnt_from_or_refused(count: int) -> None:
    config = TrainConfig(batch_size=4, epochs=1, threads=1)
    right = noise(6, np.random.default_rng(0))

    def try_one(rng: Rng) -> None:
        data = answered(data_set, rng)
        learn, test = (data, right) if rng.random() < 0.7 else (right, data)
        for event in answered(lambda: list(fit(initial_model(config), learn, test, config))) or ():
            if isinstance(event, Step | Evaluation):
                assert math.isfinite(event.loss)

    try_all(count, 4, try_one)
