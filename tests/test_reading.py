"""A whole drawing: what is a digit, how many there are, and how sure each is."""

from __future__ import annotations

import math

import numpy as np
import pytest
from pictures import Strokes, ink, number_lines, scribble
from PIL import Image, ImageDraw, ImageOps
from signs import KINDS, shaky_sign

from mnist_core import Classifier
from mnist_core.answers import as_values, left_out
from mnist_core.classifier import Prediction
from mnist_core.datasets.synthetic import drawing, sign

SEVEN: Strokes = [np.array([(0, 0), (60, 0), (25, 100)], float)]
THREE: Strokes = [
    np.array([(5, 12), (30, 0), (55, 14), (50, 36), (25, 46), (58, 60), (56, 88), (28, 100), (2, 86)], float)
]
FIVE: Strokes = [
    np.array([(14, 2), (10, 42), (40, 36), (58, 56), (52, 86), (26, 100), (2, 90)], float),
    np.array([(14, 2), (58, 0)], float),
]
ONE: Strokes = [np.array([(0, 0), (0, 100)], float)]
TWO: Strokes = [np.array([(4, 22), (28, 0), (54, 14), (48, 44), (2, 100), (60, 98)], float)]
EACH = 10  # signs of a kind
FOUR: Strokes = [np.array([(24, 0), (2, 62), (62, 58)], float), np.array([(44, 30), (42, 100)], float)]


@pytest.fixture(scope="module")
def shipped() -> Classifier:
    return Classifier.load()


def page(*placed: tuple[Strokes, float, float], size: tuple[int, int] = (400, 400)) -> Image.Image:
    """Strokes at their places on a sheet, with a pen of 10 pixels."""
    return ink([stroke + np.array((x, y)) for strokes, x, y in placed for stroke in strokes], size, 10)


def spelt(found: list[Prediction]) -> str:
    return "".join("?" if each.digit is None else str(each.digit) for each in found if not each.mark)


def marks(found: list[Prediction]) -> list[str | None]:
    return [each.reason for each in found if each.mark]


def row(strokes: list[Strokes], gap: float, rng: np.random.Generator, pen: float) -> Strokes:
    """Digits 100 pixels high side by side, `gap` pixels between their boxes."""
    right, placed = 60.0, []
    for each in strokes:
        points = np.concatenate(each)
        low, high = points.min(axis=0), points.max(axis=0)
        scale = 100 / max(float((high - low).max()), 1e-6)
        placed += [(stroke - low) * scale + (right, 120 + rng.normal(0, 3)) for stroke in each]
        right += float(high[0] - low[0]) * scale + pen + gap
    return placed


def test_a_minus_is_named_and_left_out(shipped: Classifier) -> None:
    minus: Strokes = [np.array([(0, 0), (45, 0)], float)]
    found = shipped.read(page((minus, 60, 150), (SEVEN, 150, 100)))
    assert spelt(found) == "7"
    assert marks(found) == ["I read digits only: the mark before the 7 was left out."]
    assert found[-1].mark and found[-1].box is not None and found[-1].box[2] < 130


def test_a_minus_is_named_too_where_the_pen_is_thick_and_the_digit_near(shipped: Classifier) -> None:
    minus, seven = (
        np.array([(67, 280), (168, 280)], float),
        np.array([(252, 168), (420, 168), (325, 420)], float),
    )
    lines = [[(float(x), float(y)) for x, y in stroke] for stroke in (minus, seven)]
    for found in (shipped.read(sheet := ink([minus, seven], (560, 560), 29)), shipped.read(sheet, lines)):
        assert spelt(found) == "7"
        assert marks(found) == ["I read digits only: the mark before the 7 was left out."]


def test_a_decimal_point_is_named_and_left_out(shipped: Classifier) -> None:
    point: Strokes = [np.array([(0, 0)], float)]
    found = shipped.read(page((THREE, 60, 100), (point, 160, 195), (FIVE, 210, 100)))
    assert spelt(found) == "35"
    assert marks(found) == ["I read digits only: the mark after the 3 was left out."]


def test_a_plus_between_digits_is_left_out(shipped: Classifier) -> None:
    plus: Strokes = [np.array([(25, 0), (25, 50)], float), np.array([(0, 25), (50, 25)], float)]
    found = shipped.read(page((THREE, 40, 100), (plus, 145, 130), (FIVE, 250, 100)))
    assert spelt(found) == "35" and len(marks(found)) == 1


DASH: Strokes = [np.array([(0, 0), (31, 0)], float)]
COMMA: Strokes = [np.array([(6, 0), (4, 13), (0, 23)], float)]
EQUALS: Strokes = [DASH[0], DASH[0] + (0, 18)]


@pytest.mark.parametrize(
    ("placed", "number", "where"),
    [
        (((DASH, 60, 150), (SEVEN, 118, 100)), "7", "before the 7"),
        (((DASH, 60, 150), (SEVEN, 108, 100)), "7", "before the 7"),
        (((DASH, 40, 150), (FOUR, 90, 100), (TWO, 180, 100)), "42", "before the 4"),
        (((THREE, 60, 100), (COMMA, 136, 186), (FIVE, 180, 100)), "35", "after the 3"),
        (((TWO, 40, 100), (EQUALS, 130, 140), (THREE, 185, 100)), "23", "after the 2"),
    ],
)
def test_a_mark_near_a_digit_is_no_part_of_it(
    shipped: Classifier, placed: tuple[tuple[Strokes, float, float], ...], number: str, where: str
) -> None:
    rng = np.random.default_rng(0)
    for _ in range(3):
        shaken = [([stroke + rng.normal(0, 1, stroke.shape) for stroke in s], x, y) for s, x, y in placed]
        lines = [(stroke + np.array((x, y))).tolist() for s, x, y in shaken for stroke in s]
        sheet = page(*shaken)
        for found in (shipped.read(sheet), shipped.read(sheet, lines)):
            assert spelt(found) == number
            assert marks(found) == [f"I read digits only: the mark {where} was left out."]


def test_a_sign_of_two_bars_is_refused_as_one_thing(shipped: Classifier) -> None:
    bars: Strokes = [np.array([(0, 0), (150, 0)], float), np.array([(0, 60), (150, 60)], float)]
    (found,) = shipped.read(page((bars, 120, 150)))
    assert found.digit is None and found.box is not None and found.box[3] - found.box[1] > 60


def test_no_mark_is_dropped_in_silence_where_there_are_several(shipped: Classifier) -> None:
    minus: Strokes = [np.array([(0, 0), (40, 0)], float)]
    point: Strokes = [np.array([(0, 0)], float)]
    found = shipped.read(page((minus, 20, 150), (THREE, 90, 100), (point, 190, 195), (FIVE, 240, 100)))
    assert spelt(found) == "35" and len(marks(found)) == 2
    values = as_values(found)
    assert (values["number"], values["left_out"]) == (
        "35",
        "I read digits only: 2 marks beside them were left out.",
    )
    assert left_out(found[:3]) == marks(found)[0] and left_out(found[:2]) is None


@pytest.mark.parametrize(
    ("placed", "number"),
    [
        (((SEVEN, 150, 40), (THREE, 150, 220)), "73"),
        (((ONE, 120, 40), (TWO, 190, 40), (THREE, 100, 220), (FOUR, 200, 220)), "1234"),
    ],
)
def test_two_lines_are_read_one_after_the_other(
    shipped: Classifier, placed: tuple[tuple[Strokes, float, float], ...], number: str
) -> None:
    found = shipped.read(page(*placed))
    assert spelt(found) == number
    tops = [each.box[1] for each in found if each.box is not None]
    assert tops == sorted(tops)


@pytest.mark.parametrize("radius", [4, 9, 25])
def test_a_tap_of_the_pen_is_a_dot_and_no_digit(shipped: Classifier, radius: int) -> None:
    image = Image.new("L", (280, 280), 255)
    ImageDraw.Draw(image).ellipse((140 - radius, 140 - radius, 140 + radius, 140 + radius), fill=0)
    found = shipped.read(image)
    assert spelt(found) == "?" and len(found) == 1


def test_signs_in_a_shaky_hand_are_refused(shipped: Classifier) -> None:
    refused = {
        kind: sum(
            set(spelt(shipped.read(shaky_sign(kind, np.random.default_rng((i, number)))))) == {"?"}
            for i in range(EACH)
        )
        for number, kind in enumerate(KINDS)
    }
    share = sum(refused.values()) / (EACH * len(KINDS))
    print(f"signs refused: {share:.1%} of {EACH * len(KINDS)}; of {EACH} each: {refused}")
    assert share >= 0.9


def test_letters_and_scribbles_are_refused_as_one_thing(shipped: Classifier) -> None:
    rng = np.random.default_rng(3)
    letters = [
        shipped.read(ink([stroke * 150 + 140 for stroke in sign(rng)], (420, 420), 10)) for _ in range(100)
    ]
    scribbles = [shipped.read(scribble(rng)) for _ in range(100)]
    for name, found, least in (("letters", letters, 0.88), ("scribbles", scribbles, 0.95)):
        share = np.mean([spelt(each) == "?" for each in found])
        print(f"{name} refused, in one piece: {share:.1%} of {len(found)}")
        assert share >= least


def test_what_is_no_digit_has_no_sure_probability(shipped: Classifier) -> None:
    for kind in ("square", "heart", "star", "hash"):
        (found,) = shipped.read(shaky_sign(kind, np.random.default_rng(1)))
        assert found.digit is None and max(found.probabilities) < 0.5
        assert sum(found.probabilities) == pytest.approx(1)
        assert found.reason == "Not sure this is a digit."


def test_the_pens_lines_tell_touching_digits_apart(shipped: Classifier) -> None:
    rng, right = np.random.default_rng(0), {"picture": 0, "lines": 0}
    n = 60
    for _ in range(n):
        digits = rng.integers(0, 10, 3).tolist()
        strokes = row([drawing(digit, rng) for digit in digits], -12, rng, 8)
        lines = [[(float(x), float(y)) for x, y in stroke] for stroke in strokes]
        image = ink(strokes, (560, 340), 8)
        number = "".join(map(str, digits))
        right["picture"] += spelt(shipped.read(image)) == number
        right["lines"] += spelt(shipped.read(image, lines)) == number
    print(f"three digits that touch, entirely right, of {n}: {right}")
    assert right["lines"] >= 0.8 * n and right["lines"] >= right["picture"]


@pytest.mark.parametrize("drawn", ["last digit first", "four times as large", "above another row"])
def test_the_pens_lines_tell_touching_digits_apart_however_they_were_drawn(
    shipped: Classifier, drawn: str
) -> None:
    rng, right, n = np.random.default_rng(0), {"picture": 0, "lines": 0}, 12
    times = 4 if drawn == "four times as large" else 1
    for _ in range(n):
        digits = rng.integers(0, 10, 3).tolist()
        strokes = row([drawing(digit, rng) for digit in digits], -32, rng, 8)
        number = "".join(map(str, digits))
        if drawn == "last digit first":
            middles = [float(stroke[:, 0].mean()) for stroke in strokes]
            strokes = [strokes[i] for i in np.argsort(middles)[::-1]]
        if drawn == "above another row":
            strokes += [stroke + np.array((100, 300)) for stroke in SEVEN]
            number += "7"
        lines = [[(float(x) * times, float(y) * times) for x, y in stroke] for stroke in strokes]
        image = ink(strokes, (560, 440), 8).resize((560 * times, 440 * times))
        right["picture"] += spelt(shipped.read(image)) == number
        right["lines"] += spelt(shipped.read(image, lines)) == number
    print(f"three digits pushed into each other, {drawn}, entirely right, of {n}: {right}")
    assert right["lines"] > right["picture"]


def test_lines_tell_nothing_new_of_a_single_digit(shipped: Classifier) -> None:
    strokes = [stroke + np.array((100, 100)) for stroke in FOUR]
    lines = [[(float(x), float(y)) for x, y in stroke] for stroke in strokes]
    image = ink(strokes, (300, 300), 10)
    without, with_lines = shipped.read(image), shipped.read(image, lines)
    assert [each.probabilities for each in without] == [each.probabilities for each in with_lines]
    assert spelt(without) == "4"


def test_the_pens_lines_may_be_arrays(shipped: Classifier) -> None:
    strokes = [np.linspace((60 + i, 40), (60 + i, 260), 8) for i in (0, 40, 90)]
    image = ink(strokes, (300, 300), 10)
    expected = shipped.read(image, [[(float(x), float(y)) for x, y in stroke] for stroke in strokes])
    for lines in (strokes, np.stack(strokes), np.stack(strokes).astype(np.float32)):
        found = shipped.read(image, lines)
        assert [each.box for each in found] == [each.box for each in expected]
        assert [each.probabilities for each in found] == [each.probabilities for each in expected]
    for none in (None, [], np.empty((0, 3, 2))):
        assert spelt(shipped.read(image, none)) == spelt(shipped.read(image))


def test_digits_that_touch_are_boxed_where_they_were_drawn(shipped: Classifier) -> None:
    found, halved = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        digits = rng.integers(0, 10, 2).tolist()
        hands = [drawing(digit, rng) for digit in digits]
        paths, size = number_lines(hands, rng, touching=True, height=80, pen=7)
        lines = paths[: len(hands[0])], paths[len(hands[0]) :]
        truth = [np.asarray(ImageOps.invert(ink(line, size, 7)).getbbox()) for line in lines]
        answers = shipped.read(ink(paths, size, 7))
        if [answer.digit for answer in answers] == digits:
            left, right = boxes = np.array([answer.box for answer in answers])
            found.append(min(map(overlap, boxes, truth)))
            middle = (left[0] + right[2]) // 2
            halves = [*left[:2], middle, left[3]], [middle, *right[1:]]
            halved.append(min(map(overlap, np.array(halves), truth)))
    assert len(found) >= 50
    assert np.mean(found) >= max(0.75, np.mean(halved) + 0.02)


def overlap(box: np.ndarray, other: np.ndarray) -> float:
    """The area that two boxes share over the area that they cover."""
    shared = np.prod(np.maximum(np.minimum(box, other)[2:] - np.maximum(box, other)[:2], 0))
    return float(shared / (np.prod(box[2:] - box[:2]) + np.prod(other[2:] - other[:2]) - shared))


def test_more_digits_than_three_that_touch_are_hardly_ever_read_wrongly_with_certainty(
    shipped: Classifier,
) -> None:
    rng, wrong, n = np.random.default_rng(0), 0, 300
    for _ in range(n):
        digits = rng.integers(0, 10, rng.integers(4, 9)).tolist()
        strokes = row([drawing(digit, rng) for digit in digits], -12, rng, 8)
        found = shipped.read(ink(strokes, (1100, 340), 8))
        sure = all(max(each.probabilities) > 0.95 for each in found)
        wrong += sure and spelt(found) != "".join(map(str, digits))
    print(f"four to eight that touch, wrong and over 95 % sure of each digit: {wrong} of {n}")
    assert wrong <= 0.02 * n


def test_plain_values_hold_one_digit_a_number_or_why_there_is_none(shipped: Classifier) -> None:
    one = as_values(shipped.read(page((SEVEN, 150, 100))))
    assert (one["number"], one["digit"], one["guess"], one["reason"]) == ("7", 7, 7, None)
    assert max(one["probabilities"]) == one["probabilities"][7] and len(one["digits"]) == 1
    two = as_values(shipped.read(page((THREE, 80, 100), (FIVE, 220, 100))))
    assert (two["number"], two["digit"], two["reason"]) == ("35", None, "2 digits: 35.")
    assert two["probabilities"] == [0.1] * 10 and [each["digit"] for each in two["digits"]] == [3, 5]
    assert as_values([])["reason"] == "Nothing is drawn here."


@pytest.mark.parametrize("strokes", [[1, 2], [[1, 2, 3]], [["a", "b"]], 7, [[(1, float("nan")), (2, 3)]]])
def test_strokes_that_are_no_points_are_refused(shipped: Classifier, strokes: object) -> None:
    with pytest.raises(ValueError, match="Expected strokes"):
        shipped.read(page((SEVEN, 150, 100)), strokes)


@pytest.mark.parametrize(
    "far", [math.nan, math.inf, 1e200, -1e6, pytest.param(10**400, id="more than a float holds")]
)
def test_strokes_off_any_picture_are_refused(shipped: Classifier, far: float) -> None:
    image = page((SEVEN, 50, 100), (FOUR, 100, 100))
    lines = [[(50, 100), (60, 100)], [(100, far), (110, 120)]]
    with pytest.raises(ValueError, match=r"Expected strokes .*; got .*\. Leave them out where they are not"):
        shipped.read(image, lines)
    lines[1][0] = (100, -999_999.0)
    assert shipped.read(image, lines)


def test_a_mark_is_placed_by_the_digits_of_its_own_line(shipped: Classifier) -> None:
    minus: Strokes = [np.array([(0, 0), (45, 0)], float)]
    found = shipped.read(page((TWO, 60, 30), (minus, 150, 270), (SEVEN, 240, 220)))
    assert spelt(found) == "27"
    assert marks(found) == ["I read digits only: the mark before the 7 was left out."]


def test_noise_dust_and_bars_are_read_without_an_error(shipped: Classifier) -> None:
    rng = np.random.default_rng(0)
    for _ in range(150):
        height, width = rng.integers(1, 120, 2)
        sheet = np.full((height, width), 255, np.uint8)
        sheet[rng.random((height, width)) < rng.random() * 0.1] = rng.integers(0, 200)
        for _ in range(rng.integers(0, 12)):
            top, left = rng.integers(height), rng.integers(width)
            sheet[top : top + rng.integers(1, 40), left : left + rng.integers(1, 40)] = rng.integers(0, 200)
        lines = [rng.uniform(-50, 200, (rng.integers(0, 6), 2)).tolist() for _ in range(rng.integers(0, 20))]
        for found in (shipped.read(sheet), shipped.read(sheet, lines)):
            assert all(sum(each.probabilities) == pytest.approx(1) for each in found)
