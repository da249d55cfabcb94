"""A picture of a number becomes its digits, left to right."""

from __future__ import annotations

import numpy as np
import pytest
from pictures import draw, number
from PIL import Image, ImageDraw

from mnist_core import Classifier
from mnist_core.segment import Piece, atoms, best_reading, join, strips
from mnist_core.synthetic import drawing


@pytest.fixture(scope="module")
def shipped() -> Classifier:
    return Classifier.load()


def box(left: int, top: int, right: int, bottom: int) -> Piece:
    """A piece that is nothing but ink."""
    return Piece(np.full((bottom - top, right - left), 255, np.uint8), (left, top, right, bottom))


def likes(*wanted: tuple[int, int, int, int]):
    """A reader who knows the digits' boxes and takes nothing else for a digit."""
    return lambda pieces: np.array([-0.01 if piece.box in wanted else -3.0 for piece in pieces])


def written(rng: np.random.Generator, length: int, **how: object) -> tuple[str, Image.Image]:
    """A number of so many digits drawn by rule, and its picture."""
    digits = [int(digit) for digit in rng.integers(0, 10, length)]
    image = number(
        [drawing(digit, rng) for digit in digits],
        rng,
        height=rng.uniform(50, 140),
        pen=rng.uniform(4, 9),
        **how,
    )
    return "".join(map(str, digits)), image


def read(classifier: Classifier, image: Image.Image) -> str:
    return "".join(str(prediction.guess) for prediction in classifier.read(image))


def test_ink_that_hangs_together_is_an_atom_and_specks_are_none() -> None:
    ink = np.zeros((100, 200), np.uint8)
    ink[20:80, 120:150] = ink[10:90, 20:60] = 255
    ink[50:53, 100:103] = 255
    found = atoms(ink)
    assert [piece.box for piece in found] == [(20, 10, 60, 90), (120, 20, 150, 80)]
    assert [piece.ink.shape for piece in found] == [(80, 40), (60, 30)]
    assert atoms(np.zeros((50, 50), np.uint8)) == []


def test_joined_pieces_keep_their_places() -> None:
    joined = join([box(10, 0, 20, 40), box(30, 20, 50, 40)])
    assert joined.box == (10, 0, 50, 40) and joined.ink.shape == (40, 40)
    assert joined.ink[:, :10].all() and joined.ink[20:, 20:].all()
    assert not joined.ink[:, 10:20].any() and not joined.ink[:20, 20:].any()


def test_the_reader_decides_what_belongs_together() -> None:
    body, bar, next_digit = box(0, 0, 40, 80), box(42, 20, 70, 80), box(90, 0, 120, 80)
    pieces = [body, bar, next_digit]
    five = (0, 0, 70, 80)
    assert [piece.box for piece in best_reading(pieces, likes(five, next_digit.box))[0]] == [
        five,
        next_digit.box,
    ]
    apart = best_reading(pieces, likes(body.box, bar.box, next_digit.box))[0]
    assert [piece.box for piece in apart] == [body.box, bar.box, next_digit.box]


def test_two_tall_parts_that_stand_clear_are_two_digits_even_if_together_they_look_like_one() -> None:
    one, other = box(0, 0, 20, 80), box(50, 0, 70, 80)
    found, _ = best_reading([one, other], lambda pieces: np.full(len(pieces), -0.3))
    assert [piece.box for piece in found] == [one.box, other.box]


def test_strips_hold_all_the_ink_and_are_cut_where_little_is_severed() -> None:
    image = Image.new("L", (200, 100), 0)
    pencil = ImageDraw.Draw(image)
    pencil.ellipse((5, 5, 90, 95), outline=255, width=9)
    pencil.ellipse((110, 5, 195, 95), outline=255, width=9)
    pencil.line((85, 50, 115, 50), fill=255, width=6)
    parts, costs = strips(Piece(np.asarray(image), (0, 0, 200, 100)))
    assert len(parts) >= 2 and len(costs) == len(parts) - 1
    assert np.array_equal(join(parts).ink, np.asarray(image)[5:96, 5:196])
    middles = [part.box[2] for part in parts[:-1]]
    assert any(90 <= middle <= 112 for middle in middles)
    assert 85 <= middles[int(np.argmin(costs))] <= 116


def test_boxes_are_in_the_given_pictures_pixels(shipped: Classifier) -> None:
    image = Image.new("L", (3000, 1500), 255)
    rng = np.random.default_rng(1)
    for left, digit in ((300, 4), (1800, 8)):
        image.paste(draw(drawing(digit, rng), size=0.9, canvas=900), (left, 300))
    found = shipped.read(image)
    assert [prediction.guess for prediction in found] == [4, 8]
    first, second = (prediction.box for prediction in found)
    assert 300 <= first[0] < first[2] <= 1200 and 1800 <= second[0] < second[2] <= 2700
    for left, top, right, bottom in (first, second):
        assert 300 <= top < bottom <= 1200 and max(right - left, bottom - top) == pytest.approx(
            0.94 * 900, abs=25
        )


def test_read_and_predict_agree_on_single_digits(shipped: Classifier) -> None:
    rng = np.random.default_rng(0)
    same = 0
    for which in np.arange(300) % 10:
        image = draw(
            drawing(int(which), rng), size=rng.uniform(0.3, 0.85), pen=rng.choice([0.022, 0.035, 0.05])
        )
        found = shipped.read(image)
        same += len(found) == 1 and found[0].guess == shipped.predict(image).guess
    print(f"single digits read as one, and the same: {same} of 300")
    assert same >= 288


@pytest.mark.parametrize(("length", "least"), [(2, 0.92), (3, 0.86)])
def test_numbers_drawn_by_rule_are_read_digit_for_digit(
    shipped: Classifier, length: int, least: float
) -> None:
    rng = np.random.default_rng(length)
    right = np.mean(
        [read(shipped, image) == truth for truth, image in (written(rng, length) for _ in range(150))]
    )
    print(f"numbers of {length} digits entirely right: {right:.1%} of 150")
    assert right >= least


def test_touching_digits_are_parted(shipped: Classifier) -> None:
    rng = np.random.default_rng(0)
    numbers = [written(rng, 2, touching=True) for _ in range(150)]
    right = np.mean([read(shipped, image) == truth for truth, image in numbers])
    print(f"two touching digits entirely right: {right:.1%} of 150")
    assert right >= 0.65
