"""What the layers see and which ink mattered, against numbers computed another way."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import torch
from modes import MODES
from numpy.lib.stride_tricks import sliding_window_view

from mnist_core import Classifier, ConvNet
from mnist_core.data import load_mnist
from mnist_core.datasets.digits import Digits
from mnist_core.datasets.synthetic import digits
from mnist_core.explain.activations import (
    feature_maps,
    hidden,
    ink_that_mattered,
    kernels,
    layers,
    nearest_in,
    worked_pixel,
)
from mnist_core.imaging.preprocess import MEAN, STD, normalise

FEW, ALL = 20, 200  # drawings, where a share is measured


@pytest.fixture(scope="module")
def model() -> ConvNet:
    return Classifier.load().model


def read_correctly(model: ConvNet, count: int, seed: int = 5) -> list[tuple[np.ndarray, int]]:
    """`count` drawings that the model reads as what they are."""
    images, labels = digits(2 * count, seed)
    right = [
        (image, label)
        for image, label in zip(images.numpy(), labels.tolist(), strict=True)
        if feature_maps(model, image)["log_probabilities"].argmax() == label
    ]
    assert len(right) >= count
    return right[:count]


def by_numpy(model: ConvNet, picture: np.ndarray) -> dict[str, np.ndarray]:
    """The network written out in numpy, in double precision: an oracle that shares no code with torch."""
    weights = {name: value.double().numpy() for name, value in model.state_dict().items()}

    def convolve(x: np.ndarray, name: str) -> np.ndarray:
        patches = sliding_window_view(x, (3, 3), axis=(1, 2))  # (inputs, rows, columns, 3, 3)
        summed = np.einsum("irckl,oikl->orc", patches, weights[f"{name}.weight"])
        return np.maximum(summed + weights[f"{name}.bias"][:, None, None], 0)

    x = {"picture": (picture[None] / 255 - MEAN) / STD}
    x["cn1"] = convolve(x["picture"], "cn1")
    x["cn2"] = convolve(x["cn1"], "cn2")
    x["pool"] = x["cn2"].reshape(32, 12, 2, 12, 2).max(axis=(2, 4))
    x["flat"] = x["pool"].ravel()
    x["fc1"] = np.maximum(weights["fc1.weight"] @ x["flat"] + weights["fc1.bias"], 0)
    x["fc2"] = weights["fc2.weight"] @ x["fc1"] + weights["fc2.bias"]
    shares = np.exp(x["fc2"] - x["fc2"].max())
    x["log_probabilities"] = np.log(shares / shares.sum())
    return x


def test_the_layers_have_the_chapters_shapes_and_all_its_parameters(model: ConvNet) -> None:
    found = layers(model)
    shapes = [(1, 28, 28), (16, 26, 26), (32, 24, 24), (32, 12, 12), (4608,), (64,), (10,), (10,)]
    assert [layer.shape for layer in found] == shapes
    assert sum(layer.parameters for layer in found) == 300_426


def test_the_code_of_the_layers_is_every_line_of_forward_in_order() -> None:
    source = inspect.getsource(ConvNet.forward)
    lines = [line.split("#")[0].strip() for line in source.split('"""')[2].splitlines()]
    shown = [line for layer in layers(ConvNet())[1:] for line in layer.code.splitlines()]
    assert shown == [line for line in lines if line]
    assert "x = self.dp1(x)" in shown and "x = self.dp2(x)" in shown


def test_the_code_of_the_picture_is_that_of_normalise() -> None:
    picture = layers(ConvNet())[0]
    assert picture.name == "picture"
    lines = picture.code.splitlines()
    assert lines and all(line in inspect.getsource(normalise) for line in lines)


def test_each_layer_has_its_shape_its_parameters_and_its_own_lines() -> None:
    found = {layer.name: layer for layer in layers(ConvNet())}
    assert {name: layer.parameters for name, layer in found.items() if layer.parameters} == {
        "cn1": 160,
        "cn2": 4640,
        "fc1": 294_976,
        "fc2": 650,
    }
    assert found["pool"].shape == (32, 12, 12)
    assert found["pool"].code == "x = F.max_pool2d(x, POOL_SIZE)\nx = self.dp1(x)"
    assert found["log_probabilities"].code == "op = F.log_softmax(x, dim=1)\nreturn op"


def test_every_feature_map_is_what_numpy_computes(model: ConvNet) -> None:
    for picture, _ in read_correctly(model, 5):
        expected = by_numpy(model, picture)
        found = feature_maps(model, picture)
        assert list(found) == list(expected)
        for name, values in found.items():
            assert values.dtype == np.float32
            np.testing.assert_allclose(values, expected[name], rtol=2e-4, atol=2e-4, err_msg=name)


@pytest.mark.parametrize(("layer", "index", "channels"), [("cn1", 7, 1), ("cn2", 31, 16)])
def test_a_worked_pixel_adds_up_to_the_number_in_the_map(
    model: ConvNet, layer: str, index: int, channels: int
) -> None:
    picture, _ = read_correctly(model, 1)[0]
    maps = by_numpy(model, picture)
    for row, column in ((0, 0), (11, 13), (23, 23)):
        pixel = worked_pixel(model, picture, layer, index, row, column)
        assert pixel.patch.shape == pixel.weights.shape == pixel.products.shape == (channels, 3, 3)
        np.testing.assert_array_equal(pixel.weights, kernels(model, layer)[index])
        assert pixel.total == pytest.approx(
            float((pixel.patch.astype(float) * pixel.weights).sum()), abs=1e-5
        )
        assert pixel.before == pytest.approx(pixel.total + pixel.bias, abs=1e-6)
        assert pixel.after == pytest.approx(max(0, pixel.before), abs=1e-4)
        assert pixel.after == pytest.approx(maps[layer][index, row, column], abs=1e-4)


def test_a_pooled_pixel_is_the_largest_of_its_four(model: ConvNet) -> None:
    picture, _ = read_correctly(model, 1)[0]
    pixel = worked_pixel(model, picture, "pool", 4, 5, 6)
    np.testing.assert_array_equal(pixel.patch, feature_maps(model, picture)["cn2"][4:5, 10:12, 12:14])
    assert pixel.weights is None
    assert pixel.after == pixel.patch.max()


def test_pixels_and_kernels_that_do_not_exist_are_refused(model: ConvNet) -> None:
    blank = np.zeros((28, 28), np.uint8)
    with pytest.raises(ValueError, match="in cn1, cn2 and pool; got 'fc1'"):
        worked_pixel(model, blank, "fc1", 0, 0, 0)
    with pytest.raises(ValueError, match="cn1 is 16x26x26; it has no map 16, row 0, column 0"):
        worked_pixel(model, blank, "cn1", 16, 0, 0)
    with pytest.raises(ValueError, match="Only cn1 and cn2 have kernels; got 'pool'"):
        kernels(model, "pool")
    with pytest.raises(ValueError, match="a whole number from 0 to 9; got 10"):
        ink_that_mattered(model, blank, 10)


NO_PICTURES = [
    np.zeros((28, 28)),
    np.zeros((28, 28), np.float32),
    np.zeros((280, 280), np.uint8),
    np.zeros((1, 28, 28), np.uint8),
    [[0] * 28] * 28,
    None,
]


@pytest.mark.parametrize("picture", NO_PICTURES)
def test_what_is_no_picture_is_refused_wherever_one_is_looked_at(picture: object, model: ConvNet) -> None:
    looks = (
        lambda: feature_maps(model, picture),
        lambda: worked_pixel(model, picture, "cn1", 0, 0, 0),
        lambda: ink_that_mattered(model, picture, 3),
    )
    for look in looks:
        with pytest.raises(ValueError, match=r"Expected a picture, uint8 \(28, 28\); got .* makes such "):
            look()


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda m, p: ink_that_mattered(m, p, 3, steps=0), "steps must be a whole number from 1 to 1000; "),
        (lambda m, p: ink_that_mattered(m, p, 3, steps=1.5), "steps must be a whole number .*; got 1.5"),
        (lambda m, p: ink_that_mattered(m, p, True), "A digit must be a whole number from 0 to 9; got True"),
        (lambda m, p: ink_that_mattered(m, p, 3.0), "A digit must be a whole number from 0 to 9; got 3.0"),
        (
            lambda m, p: nearest_in(hidden(m, p[None]), hidden(m, p[None])[0], count=-1),
            "count must be a whole",
        ),
        (lambda m, p: worked_pixel(m, p, "cn1", 0.5, 0, 0), "it has no map 0.5, row 0, column 0"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(call, says: str, model: ConvNet) -> None:
    with pytest.raises(ValueError, match=says):
        call(model, digits(1, 0)[0][0].numpy())


def test_weights_that_diverged_explain_nothing() -> None:
    model = ConvNet()
    model.fc1.weight.data[0, 0] = np.nan
    picture = digits(1, 0)[0][0].numpy()
    for look in (feature_maps, lambda m, p: ink_that_mattered(m, p, 3)):
        with pytest.raises(ValueError, match="answers are no finite numbers"):
            look(model, picture)


@pytest.mark.parametrize("mode", MODES)
def test_whatever_mode_the_caller_is_in_the_same_is_seen(mode: str, model: ConvNet) -> None:
    picture, label = read_correctly(model, 1)[0]
    expected, points = ink_that_mattered(model, picture, label), hidden(model, picture[None])
    with MODES[mode]():
        np.testing.assert_array_equal(ink_that_mattered(model, picture, label), expected)
        np.testing.assert_array_equal(hidden(model, picture[None]), points)


def test_the_gradient_is_taken_in_the_middle_of_every_step(model: ConvNet) -> None:
    picture, label = read_correctly(model, 1)[0]
    paper, inked = normalise(np.zeros_like(picture)), normalise(picture)
    half = ((paper + inked) / 2).requires_grad_()
    (slope,) = torch.autograd.grad(model(half)[0, label], half)
    expected = (slope * (inked - paper))[0, 0].numpy()
    np.testing.assert_allclose(ink_that_mattered(model, picture, label, steps=1), expected, atol=1e-6)


def test_looking_leaves_the_model_its_gradients_and_chance_as_they_were() -> None:
    model = ConvNet(dropout1=0.9, dropout2=0.9).train()
    picture = digits(1, 0)[0][0].numpy()
    chance = torch.get_rng_state()
    first, second = (feature_maps(model, picture)["fc2"] for _ in range(2))
    ink_that_mattered(model, picture, 3)
    np.testing.assert_array_equal(first, second)
    assert model.training
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.equal(chance, torch.get_rng_state())


def test_the_ink_adds_up_to_what_the_drawing_changed(model: ConvNet) -> None:
    blank = np.zeros((28, 28), np.uint8)
    for picture, label in read_correctly(model, 5):
        ink = ink_that_mattered(model, picture, label, steps=300)
        gained = np.diff([feature_maps(model, p)["log_probabilities"][label] for p in (blank, picture)])
        assert ink.sum() == pytest.approx(gained[0], rel=0.03, abs=0.03)
        assert not ink[picture == 0].any()


def rank_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Spearman's, between two lists without ties."""
    return float(np.corrcoef([values.argsort().argsort() for values in (first, second)])[0, 1])


def check_against_random_weights(model: ConvNet, count: int) -> None:
    """Adebayo et al. 2018, "Sanity checks for saliency maps": the map must depend on what was learnt."""
    torch_state = torch.get_rng_state()
    torch.manual_seed(0)
    untrained = [ConvNet() for _ in range(5)]
    torch.set_rng_state(torch_state)
    alike, alike_in_size = [], []
    for number, (picture, label) in enumerate(read_correctly(model, count)):
        inked = picture > 0
        maps = [ink_that_mattered(m, picture, label)[inked] for m in (model, untrained[number % 5])]
        alike.append(rank_correlation(*maps))
        alike_in_size.append(rank_correlation(*map(np.abs, maps)))
    print(
        f"\nrank correlation with random weights over the inked pixels of {count} drawings: mean "
        f"{np.mean(alike):.3f}, mean of sizes without signs {np.mean(alike_in_size):.3f}, "
        f"mean of its own size {np.mean(np.abs(alike)):.3f}"
    )
    assert abs(np.mean(alike)) < 0.3
    assert np.mean(np.abs(alike)) < 0.3


def check_deletion(model: ConvNet, count: int) -> None:
    """Petsiuk, Das and Saenko 2018, "RISE", section 4.2: without the ink that mattered, the answer goes."""
    chance = np.random.default_rng(0)
    ranked, at_random = [], []
    for picture, label in read_correctly(model, count):
        places = np.flatnonzero(picture)
        best_first = places[np.argsort(-ink_that_mattered(model, picture, label).ravel()[places])]
        ranked.append(deletion(model, picture, label, best_first))
        at_random.append(deletion(model, picture, label, chance.permutation(places)))
    areas = np.mean(ranked), np.mean(at_random)
    print(
        f"\nprobability of the right digit while ink is deleted, averaged over {count} drawings: "
        f"{areas[0]:.3f} in the order found, {areas[1]:.3f} at random; with a fifth of the ink gone "
        f"{np.mean(ranked, axis=0)[4]:.3f} and {np.mean(at_random, axis=0)[4]:.3f}"
    )
    assert areas[0] < areas[1] - 0.1
    faster = np.mean(np.mean(ranked, axis=1) < np.mean(at_random, axis=1))
    assert faster > 0.8


def deletion(model: ConvNet, picture: np.ndarray, label: int, order: np.ndarray) -> list[float]:
    """The label's probability after each twentieth of the inked pixels, in `order`, has become paper."""
    probabilities = []
    for twentieth in range(21):
        left = picture.copy().ravel()
        left[order[: round(len(order) * twentieth / 20)]] = 0
        log_probabilities = feature_maps(model, left.reshape(28, 28))["log_probabilities"]
        probabilities.append(float(np.exp(log_probabilities[label])))
    return probabilities


def test_the_ink_that_mattered_depends_on_what_was_learnt(model: ConvNet) -> None:
    check_against_random_weights(model, FEW)


def test_deleting_the_ink_that_mattered_loses_the_answer_sooner_than_chance(model: ConvNet) -> None:
    check_deletion(model, FEW)


@pytest.mark.full
def test_both_hold_over_two_hundred_drawings(model: ConvNet) -> None:
    check_against_random_weights(model, ALL)
    check_deletion(model, ALL)


def test_a_picture_is_its_own_nearest_neighbour(model: ConvNet) -> None:
    known = Digits(*digits(50, 1))
    points = hidden(model, known.images)
    indices, away = nearest_in(points, hidden(model, known.images[17:18])[0], count=4)
    assert indices[0] == 17
    assert away[0] == pytest.approx(0, abs=1e-4)
    assert (np.diff(away) >= 0).all()
    assert points.shape == (50, 64)
    assert away[1] == pytest.approx(float(np.linalg.norm(points[indices[1]] - points[17])), rel=1e-5)


@pytest.mark.mnist
def test_the_nearest_training_images_mostly_show_the_same_digit(model: ConvNet, data_folder: object) -> None:
    known = load_mnist(data_folder, train=True, download=False).subset(2000)
    test = load_mnist(data_folder, train=False, download=False).subset(50)
    points = hidden(model, known.images)
    same = [
        int(known.labels[nearest_in(points, point, count=1)[0][0]]) == label
        for point, label in zip(hidden(model, test.images), test.labels.tolist(), strict=True)
    ]
    assert np.mean(same) >= 0.9
