"""A picture of a number becomes its digits, left to right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from pictures import draw, number
from PIL import Image, ImageDraw

from mnist_core import Classifier
from mnist_core.datasets.synthetic import drawing
from mnist_core.imaging.segment import (
    MOST_UNEVEN,
    Cut,
    Piece,
    atoms,
    best_cut,
    best_reading,
    cuts,
    join,
    part,
)


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
    """A number of so many synthetic digits, and its picture."""
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


def test_atoms_come_by_their_middles_not_by_their_left_edges() -> None:
    ink = np.zeros((100, 200), np.uint8)
    ink[80:90, 0:150] = ink[10:60, 20:40] = 255  # a long bar that begins further left, below a stem
    assert [piece.box for piece in atoms(ink)] == [(20, 10, 40, 60), (0, 80, 150, 90)]


def test_joined_pieces_keep_their_places() -> None:
    joined = join([box(10, 0, 20, 40), box(30, 20, 50, 40)])
    assert joined.box == (10, 0, 50, 40) and joined.ink.shape == (40, 40)
    assert joined.ink[:, :10].all() and joined.ink[20:, 20:].all()
    assert not joined.ink[:, 10:20].any() and not joined.ink[:20, 20:].any()


def test_the_reader_decides_what_belongs_together() -> None:
    body, bar, next_digit = box(0, 0, 40, 80), box(42, 20, 70, 80), box(90, 0, 120, 80)
    pieces = [body, bar, next_digit]
    five = (0, 0, 70, 80)
    assert [piece.box for piece in best_reading(pieces, likes(five, next_digit.box))] == [
        five,
        next_digit.box,
    ]
    apart = best_reading(pieces, likes(body.box, bar.box, next_digit.box))
    assert [piece.box for piece in apart] == [body.box, bar.box, next_digit.box]


def test_two_tall_parts_that_stand_clear_are_two_digits_even_if_together_they_look_like_one() -> None:
    one, other = box(0, 0, 20, 80), box(50, 0, 70, 80)
    found = best_reading([one, other], lambda pieces: np.full(len(pieces), -0.3))
    assert [piece.box for piece in found] == [one.box, other.box]


def test_a_broad_digit_must_be_likelier_than_two_narrow_ones() -> None:
    one, other = box(0, 0, 55, 50), box(55, 0, 75, 20)  # the second is too low for its gap to count
    pair = (0, 0, 75, 50)  # one and a half as broad as high

    def reader(whole: float) -> Callable[[list[Piece]], np.ndarray]:
        return lambda pieces: np.array([whole if piece.box == pair else -0.5 for piece in pieces])

    assert [piece.box for piece in best_reading([one, other], reader(-0.7))] == [one.box, other.box]
    assert [piece.box for piece in best_reading([one, other], reader(-0.01))] == [pair]


def two_rings() -> np.ndarray:
    """Two rings of 90 pixels that touch at columns 90 to 110 of 200: ink (100, 200)."""
    image = Image.new("L", (200, 100), 0)
    pencil = ImageDraw.Draw(image)
    pencil.ellipse((5, 5, 90, 95), outline=255, width=9)
    pencil.ellipse((110, 5, 195, 95), outline=255, width=9)
    pencil.line((85, 50, 115, 50), fill=255, width=6)
    return np.asarray(image)


def test_a_cuts_halves_hold_all_the_ink_and_share_what_lies_on_the_line() -> None:
    ink = two_rings()
    for lean in (-0.3, 0.0, 0.3):
        left, right = Cut(0.5, lean, 0.0).halves(ink)
        assert np.array_equal(np.maximum(left, right), ink)
        assert not left[:, 140:].any() and not right[:, :60].any()
        assert (np.minimum(left, right) > 0).any(axis=0).nonzero()[0].size == pytest.approx(8, abs=2)


def test_cuts_are_tried_across_the_piece_but_not_along_strokes_nor_where_one_half_is_a_scrap() -> None:
    found = cuts(two_rings())
    upright = [cut.middle for cut in found if cut.lean == 0]
    assert min(upright) < 0.3 and max(upright) > 0.7 and any(abs(each - 0.5) < 0.03 for each in upright)
    assert all(cut.uneven <= MOST_UNEVEN for cut in found)
    stem = np.full((100, 12), 255, np.uint8)
    assert cuts(stem) == []
    low_tail = np.zeros((100, 120), np.uint8)
    low_tail[:, :20] = low_tail[90:, 20:] = 255
    assert [cut for cut in cuts(low_tail) if cut.middle > 0.4] == []


def halves_read(*pairs: tuple[int, float, int, float]) -> np.ndarray:
    """What a network says of some cuts: for each a digit and its probability, left and right."""
    probabilities = np.zeros((len(pairs), 2, 10))
    for at, (left, sure, right, as_sure) in enumerate(pairs):
        probabilities[at] = [[(1 - sure) / 9], [(1 - as_sure) / 9]]
        probabilities[at, 0, left], probabilities[at, 1, right] = sure, as_sure
    return probabilities


def test_a_piece_is_cut_when_its_halves_are_surer_than_the_whole() -> None:
    cut = Cut(0.5, 0.0, 0.0)
    read = halves_read((4, 0.99, 2, 0.99))
    assert best_cut([cut], read, whole=float(np.log(0.2))) is cut
    assert best_cut([cut], read, whole=float(np.log(0.9))) is None
    assert best_cut([replace(cut, uneven=0.5)], read, whole=float(np.log(0.2))) is None


def test_what_is_neither_a_digit_nor_surely_two_stays_whole() -> None:
    cut = Cut(0.5, 0.0, 0.0)
    nothing = float(np.log(0.12))
    assert best_cut([cut], halves_read((1, 0.9, 4, 0.9)), whole=nothing) is cut
    assert best_cut([cut], halves_read((1, 0.6, 4, 0.6)), whole=nothing) is None


def test_cuts_that_are_read_alike_outweigh_a_single_one_that_is_a_little_surer() -> None:
    tried = [Cut(place, 0.0, 0.0) for place in (0.3, 0.45, 0.5, 0.55)]
    read = halves_read((1, 0.99, 7, 0.99), (4, 0.95, 2, 0.95), (4, 0.96, 2, 0.96), (4, 0.95, 2, 0.95))
    assert best_cut(tried, read, whole=float(np.log(0.1))) is tried[2]


def test_a_broad_half_that_is_no_digit_may_be_several_if_the_piece_is_broad_enough() -> None:
    read, whole = halves_read((4, 0.3, 2, 0.99)), float(np.log(0.12))
    broad = Cut(0.6, 0.0, 0.0, breadths=(1.2, 0.8))
    assert best_cut([broad], read, whole) is broad
    for narrower in ((1.0, 1.0), (1.2, 0.5)):
        assert best_cut([replace(broad, breadths=narrower)], read, whole) is None


def test_a_parted_pieces_boxes_stay_where_its_ink_was() -> None:
    left, right = part(Piece(two_rings(), (300, 50, 500, 150)), Cut(0.5, 0.0, 0.0))
    assert left.box[0] == 305 and right.box[2] == 496
    assert 390 <= right.box[0] < left.box[2] <= 410
    assert left.ink.shape == (left.height, left.width)


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


@pytest.mark.parametrize(
    ("length", "touching", "seed", "count", "least"),
    [(2, False, 2, 150, 0.92), (3, False, 3, 150, 0.86), (2, True, 0, 150, 0.78), (3, True, 3, 60, 0.2)],
)
def test_synthetic_numbers_are_read_digit_for_digit_also_where_they_touch(
    shipped: Classifier, length: int, touching: bool, seed: int, count: int, least: float
) -> None:
    rng = np.random.default_rng(seed)
    numbers = [written(rng, length, touching=touching) for _ in range(count)]
    right = np.mean([read(shipped, image) == truth for truth, image in numbers])
    print(f"numbers of {length} digits, {touching=}, entirely right: {right:.1%} of {count}")
    assert right >= least
