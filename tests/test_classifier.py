"""A picture in, a digit out, or an honest "not sure"."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from modes import MODES
from pictures import draw, number, photograph, plain_photograph, scribble, sketch
from PIL import Image
from torch import nn

from mnist_core import CheckpointError, Classifier, ConvNet
from mnist_core.classifier import CONVNET_WEIGHT, Calibration
from mnist_core.data import load_mnist
from mnist_core.datasets.digits import Digits
from mnist_core.datasets.synthetic import digits, drawing, non_digits
from mnist_core.engine.calibrate import calibrate
from mnist_core.imaging.preprocess import normalise, preprocess
from mnist_core.strings import StringReader


@pytest.fixture(scope="module")
def shipped() -> Classifier:
    return Classifier.load()


class Certain(nn.Module):
    """Stands in for the network: always the same log-probabilities, of an eight at `confidence`."""

    def __init__(self, confidence: float) -> None:
        super().__init__()
        odds = torch.full((10,), (1 - confidence) / 9)
        odds[8] = confidence
        self.answer = nn.Parameter(odds.log())

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.answer.expand(len(images), 10)


def some_digit(which: int = 5, seed: int = 0) -> Image.Image:
    return draw(drawing(which, np.random.default_rng((which, seed))))


def test_a_prediction_says_the_digit_its_probabilities_and_what_the_network_saw(shipped: Classifier) -> None:
    image = some_digit(3)
    prediction = shipped.predict(image)
    assert prediction.digit == prediction.guess == 3
    assert prediction.reason is None and prediction.box is None
    assert len(prediction.probabilities) == 10 and sum(prediction.probabilities) == pytest.approx(1)
    assert all(isinstance(probability, float) for probability in prediction.probabilities)
    assert np.argmax(prediction.probabilities) == 3
    assert np.array_equal(prediction.model_input, preprocess(image))


def test_blank_is_never_a_digit(shipped: Classifier) -> None:
    for image in (Image.new("L", (280, 280), 255), np.zeros((28, 28), np.uint8), Image.new("RGBA", (9, 9))):
        prediction = shipped.predict(image)
        assert prediction.digit is None and prediction.guess is None
        assert prediction.reason == "Nothing is drawn here."
        assert prediction.probabilities == [0.1] * 10 and not prediction.model_input.any()
        assert shipped.read(image) == []


def test_below_the_threshold_the_guess_stays_and_the_digit_goes() -> None:
    sure = Classifier(Certain(0.7), Calibration(threshold=0.69)).predict(some_digit())
    unsure = Classifier(Certain(0.7), Calibration(threshold=0.71)).predict(some_digit())
    assert sure.digit == 8 and sure.reason is None
    assert unsure.digit is None and unsure.guess == 8
    assert unsure.reason == "Not sure this is a digit."
    assert unsure.probabilities == pytest.approx(sure.probabilities)


def test_a_digit_is_named_however_low_its_threshold() -> None:
    found = Classifier(Certain(0.3), Calibration(threshold=0.2)).predict(some_digit())
    assert found.digit == 8 and found.closest == 8
    unsure = Classifier(Certain(0.3), Calibration(threshold=0.4)).predict(some_digit())
    assert unsure.guess == 8 and unsure.closest is None


def test_the_temperature_softens_the_probabilities() -> None:
    cold, warm = (
        Classifier(Certain(0.9), Calibration(temperature=t)).predict(some_digit()).probabilities[8]
        for t in (1.0, 2.0)
    )
    assert cold == pytest.approx(0.9) and warm == pytest.approx(0.5, abs=0.01)  # 9 to 1, then 3 to 1 each


def test_several_threads_may_ask_at_once(shipped: Classifier) -> None:
    images = [some_digit(which) for which in range(10)]
    alone = [shipped.predict(image).probabilities for image in images]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda image: shipped.predict(image).probabilities, images * 8))
    assert together == alone * 8


def test_a_network_in_training_mode_is_read_without_dropout() -> None:
    model = ConvNet().train()
    classifier = Classifier(model)
    assert classifier.predict(some_digit()).probabilities == classifier.predict(some_digit()).probabilities


def test_weights_that_are_not_there_are_missed_in_one_sentence(tmp_path) -> None:
    with pytest.raises(CheckpointError, match=r"nowhere\.pt"):
        Classifier.load(tmp_path / "nowhere.pt")


def test_a_weight_that_is_no_number_is_refused_at_the_door() -> None:
    model = ConvNet()
    model.cn2.weight.data[3, 2, 1, 0] = math.nan
    with pytest.raises(CheckpointError, match=r"This network: cn2\.weight is not all finite numbers"):
        Classifier(model)


@pytest.mark.parametrize("ask", ["predict", "read"])
def test_weights_that_diverge_later_give_no_answer_rather_than_a_wrong_one(ask: str) -> None:
    classifier = Classifier(ConvNet())
    classifier.model.fc1.bias.data[5] = math.nan
    with pytest.raises(ValueError, match="answers are no finite numbers"):
        getattr(classifier, ask)(some_digit())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("weights.pt",), "A Classifier reads with a network; got str. Classifier.load takes a file"),
        ((ConvNet(), {"temperature": 1.0}), "A calibration is a Calibration; got dict."),
    ],
)
def test_what_is_no_network_or_no_calibration_is_refused(arguments: tuple[object, ...], says: str) -> None:
    with pytest.raises(ValueError) as refused:
        Classifier(*arguments)
    assert str(refused.value).startswith(says)


@pytest.mark.parametrize("path", [5, 0, ["weights.pt"]])
def test_what_is_no_path_is_refused(path: object) -> None:
    with pytest.raises(CheckpointError, match="Weights are loaded from a path, or from a file opened for"):
        Classifier.load(path)


@pytest.mark.parametrize("mode", MODES)
def test_whatever_mode_the_caller_is_in_a_picture_is_read_alike(mode: str, shipped: Classifier) -> None:
    expected, (read,) = shipped.predict(some_digit()), shipped.read(some_digit())
    with MODES[mode]():
        assert Classifier.load().predict(some_digit()).probabilities == expected.probabilities
        assert [found.probabilities for found in shipped.read(some_digit())] == [read.probabilities]


def test_a_network_is_calibrated_without_dropout_and_left_in_its_mode() -> None:
    model, known = ConvNet(dropout1=0.5, dropout2=0.5), Digits(*digits(100, 1))
    assert calibrate(model.train(), known) == calibrate(model, known) == calibrate(model.eval(), known)
    calibrate(model.train(), known)
    assert model.training


class Lengths(StringReader):
    """Stands in for the network that says how many digits ink is: always the same."""

    def __init__(self, *shares: float) -> None:
        self.scores = np.log(shares)

    def lengths(self, inks: list[np.ndarray]) -> np.ndarray:
        return np.stack([self.scores] * len(inks))


@pytest.mark.parametrize(("none", "sure"), [(0.001, 0.9), (0.3, 0.9), (0.3, 0.5)])
def test_a_digits_probability_counts_that_it_may_be_none(none: float, sure: float) -> None:
    classifier = Classifier(Certain(sure), strings=Lengths(none, 1 - none - 2e-9, 1e-9, 1e-9))
    (found,) = classifier.read(some_digit())
    odds = np.array([none * (1 - sure) ** CONVNET_WEIGHT, (1 - none) * sure**CONVNET_WEIGHT])
    one = odds[1] / odds.sum()
    assert found.probabilities[8] == pytest.approx(one * sure + (1 - one) / 10, rel=1e-3)
    assert sum(found.probabilities) == pytest.approx(1)


def test_what_is_surely_no_digit_is_none_however_sure_the_other_network_is() -> None:
    (found,) = Classifier(Certain(0.999), strings=Lengths(0.998, 0.001, 0.0005, 0.0005)).read(some_digit())
    assert found.digit is None and found.closest is None and found.guess == 8
    assert max(found.probabilities) < 0.2


class Eights(Lengths):
    """As `Lengths`, and every digit is an eight with probability 0.6."""

    def digits(self, ink: np.ndarray, length: int) -> np.ndarray:
        places = np.full((length, 10), np.log(0.4 / 9))
        places[:, 8] = np.log(0.6)
        return places


def test_a_strings_digits_are_what_both_networks_say_each_at_its_own_temperature() -> None:
    strings = Eights(1e-9, 1e-9, 1 - 3e-9, 1e-9)
    found = Classifier(Certain(0.9), Calibration(temperature=2.0), strings).read(some_digit())
    alone = 0.5**CONVNET_WEIGHT, (0.5 / 9) ** CONVNET_WEIGHT  # 0.9 at a temperature of 2
    both = alone[0] * 0.6 / (alone[0] * 0.6 + 9 * alone[1] * 0.4 / 9)
    assert [each.probabilities[8] for each in found] == pytest.approx([both, both], rel=1e-3)


def test_a_string_of_which_one_digit_is_not_sure_is_refused_as_one_piece() -> None:
    class SureOfTheFirst(Eights):
        def digits(self, ink: np.ndarray, length: int) -> np.ndarray:
            places = super().digits(ink, length)
            places[1:, 3] = places[1:, 8]
            return places - np.log(np.exp(places).sum(axis=1, keepdims=True))

    image = some_digit()
    for threshold, shown in ((0.4, [8, 8]), (0.6, [None])):
        calibration = Calibration(threshold=threshold)
        found = Classifier(Certain(0.2), calibration, SureOfTheFirst(1e-9, 1e-9, 1 - 3e-9, 1e-9)).read(image)
        assert [each.digit for each in found] == shown
    (whole,) = found
    left, _, right, _ = whole.box
    columns = np.flatnonzero((np.asarray(image.convert("L")) < 128).any(axis=0))
    assert left <= columns[0] and right > columns[-1]
    assert max(whole.probabilities) < 0.2 and whole.closest is None


def test_a_network_that_leaves_no_doubt_is_not_believed_entirely() -> None:
    classifier = Classifier(Certain(1 - 1e-9), strings=Lengths(0.5, 0.5 - 2e-9, 1e-9, 1e-9))
    (found,) = classifier.read(some_digit())
    assert 0.95 < max(found.probabilities) < 0.98  # one in thirty-odd is sqrt(0.001 / 0.999)


def test_calibrating_finds_the_temperature_and_refuses_the_share_asked_for() -> None:
    n = 1000
    labels = torch.where(torch.arange(n) < 600, 8, 3)  # right 600 times of 1000, whatever it claims
    images = torch.from_numpy(np.repeat(preprocess(some_digit())[None], n, axis=0))
    calibration = calibrate(Certain(0.95), Digits(images, labels))
    said = Classifier(Certain(0.95), calibration).predict(some_digit()).probabilities[8]
    assert said == pytest.approx(0.6, abs=0.08)
    pictures, truth = digits(400, 1)
    model = Classifier.load().model
    threshold = calibrate(model, Digits(pictures, truth), refused=0.05)
    with torch.inference_mode():
        surest = (model(normalise(pictures)) / threshold.temperature).softmax(1).amax(1)
    assert (surest < threshold.threshold).float().mean() == pytest.approx(0.05, abs=0.005)


def test_synthetic_digits_are_read(shipped: Classifier) -> None:
    pictures, truth = digits(1000, 2**31 + 7)  # a seed that no training used
    predictions = [shipped.predict(picture) for picture in pictures.numpy()]
    right = np.mean([prediction.guess == label for prediction, label in zip(predictions, truth, strict=True)])
    assert right >= 0.975
    assert np.mean([prediction.digit is None for prediction in predictions]) <= 0.03


@pytest.mark.mnist
def test_the_built_in_model_reads_mnists_test_digits(shipped: Classifier, data_folder) -> None:
    test = load_mnist(data_folder, train=False)
    with torch.inference_mode():
        right = sum(
            int((shipped.model(normalise(images)).argmax(1) == labels).sum())
            for images, labels in zip(test.images.split(500), test.labels.split(500), strict=True)
        )
    assert len(test) == 10_000 and right >= 9_930


def test_scribbles_are_refused(shipped: Classifier) -> None:
    rng = np.random.default_rng(0)
    refused = [shipped.predict(scribble(rng)).digit is None for _ in range(200)]
    print(f"scribbles refused: {np.mean(refused):.1%} of {len(refused)}")
    assert np.mean(refused) >= 0.9


def test_faces_houses_stars_and_arrows_are_refused(shipped: Classifier) -> None:
    rng = np.random.default_rng(0)
    found = [shipped.read(sketch(rng)) for _ in range(100)]
    refused = [all(each.digit is None for each in one) for one in found]
    print(f"sketches of which nothing is called a digit: {np.mean(refused):.1%} of {len(refused)}")
    assert np.mean(refused) >= 0.9


def test_synthetic_letters_and_signs_are_refused(shipped: Classifier) -> None:
    pictures = non_digits(300, 2**31 + 7).numpy()
    assert np.mean([shipped.predict(picture).digit is None for picture in pictures]) >= 0.85


def test_photographs_of_digits_are_read(shipped: Classifier) -> None:
    rng = np.random.default_rng(0)
    right = []
    for which in np.arange(150) % 10:
        drawn = draw(drawing(int(which), rng), size=rng.uniform(0.4, 0.8), pen=rng.uniform(0.03, 0.06))
        right.append(shipped.predict(photograph(drawn, rng)).guess == which)
    print(f"photographs right: {np.mean(right):.1%} of {len(right)}")
    assert np.mean(right) >= 0.93


SHEETS = {  # grey levels of the sheet and of what is drawn on it
    "bright paper, pencil": (235, 117), "bright paper, ink": (235, 60), "whiteboard": (250, 125),
    "paper, pencil": (215, 140), "paper, ink": (215, 70), "grey paper": (190, 95), "dim paper": (150, 75),
    "dimmer paper": (100, 50), "dusk": (60, 20), "blackboard": (40, 200), "grey board": (60, 170),
    "dark board, faint chalk": (25, 120),
}  # fmt: skip


def test_photographs_of_bright_and_dim_paper_and_of_boards_are_read(shipped: Classifier) -> None:
    rights = {}
    for name, (paper, ink) in SHEETS.items():
        right = 0
        for which in range(10):
            rng = np.random.default_rng((paper, ink, which))
            drawn = draw(
                drawing(which, rng), size=rng.uniform(0.4, 0.8), pen=rng.choice([0.03, 0.06]), canvas=480
            )
            read = shipped.read(plain_photograph(drawn, rng, paper=paper, ink=ink))
            right += [prediction.digit for prediction in read] == [which]
        rights[name] = right
    print(f"photographs right, of 10 each: {rights}")
    assert sum(rights.values()) >= 0.93 * 10 * len(SHEETS) and min(rights.values()) >= 8


def test_a_narrow_strip_of_a_photographed_number_is_read(shipped: Classifier) -> None:
    right = 0
    for seed in range(15):
        rng = np.random.default_rng(seed)
        digits = rng.integers(0, 10, 4).tolist()
        drawn = np.asarray(number([drawing(digit, rng) for digit in digits], rng, pen=8))
        written = np.flatnonzero((drawn < 128).any(axis=1))
        strip = drawn[written[0] - 12 : written[-1] + 13] / 255
        light = np.linspace(220, 110, strip.shape[1])
        photo = (0.35 + 0.65 * strip) * light + rng.normal(0, 5, strip.shape)
        found = shipped.read(Image.fromarray(photo.astype(np.uint8)))
        right += [each.digit for each in found] == digits
    print(f"strips of four digits right: {right} of 15")
    assert right >= 12
