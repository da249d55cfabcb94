"""A picture of a number becomes its digits, left to right."""

from __future__ import annotations

import numpy as np
import pytest
from pictures import draw, number
from PIL import Image, ImageDraw

from mnist_core import Classifier
from mnist_core.datasets.synthetic import drawing
from mnist_core.imaging.pen import draw_line
from mnist_core.imaging.segment import (
    MOST_UNEVEN,
    Cut,
    Group,
    Judge,
    Piece,
    atoms,
    best_reading,
    cuts,
    join,
    marks,
    part,
    pen_lines,
    rows,
    shrink,
)


@pytest.fixture(scope="module")
def shipped() -> Classifier:
    return Classifier.load()


def box(left: int, top: int, right: int, bottom: int) -> Piece:
    """A piece that is nothing but ink."""
    return Piece(np.full((bottom - top, right - left), 255, np.uint8), (left, top, right, bottom))


def likes(**lengths: list[tuple[int, int, int, int]]) -> Judge:
    """A judge who knows the boxes of some pieces, by what they are, and takes all others for no digit."""
    known = {box: int(name[-1]) for name, boxes in lengths.items() for box in boxes}

    def judge(pieces: list[Piece]) -> np.ndarray:
        scores = np.full((len(pieces), 4), -4.0)
        for score, piece in zip(scores, pieces, strict=True):
            score[known.get(piece.box, 0)] = -0.05
        return scores

    return judge


def found(pieces: list[Piece], judge: Judge, **how: bool) -> list[tuple[tuple[int, int, int, int], int]]:
    return [(group.piece.box, group.length) for group in best_reading(pieces, judge, **how)[0]]


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


def test_ink_that_hangs_together_is_an_atom_and_what_is_small_a_speck() -> None:
    ink = np.zeros((100, 200), np.uint8)
    ink[20:80, 120:150] = ink[10:90, 20:60] = 255
    ink[50:55, 100:105] = ink[5:7, 5:7] = 255  # a speck, and dust
    atoms_, specks = atoms(ink)
    assert [piece.box for piece in atoms_] == [(20, 10, 60, 90), (120, 20, 150, 80)]
    assert [piece.ink.shape for piece in atoms_] == [(80, 40), (60, 30)]
    assert [piece.box for piece in specks] == [(100, 50, 105, 55)]
    assert atoms(np.zeros((50, 50), np.uint8)) == ([], [])


def test_atoms_come_by_their_middles_not_by_their_left_edges() -> None:
    ink = np.zeros((100, 200), np.uint8)
    ink[80:90, 0:150] = ink[10:60, 20:40] = 255  # a long bar that begins further left, below a stem
    assert [piece.box for piece in atoms(ink)[0]] == [(20, 10, 40, 60), (0, 80, 150, 90)]


def test_joined_pieces_keep_their_places() -> None:
    joined = join([box(10, 0, 20, 40), box(30, 20, 50, 40)])
    assert joined.box == (10, 0, 50, 40) and joined.ink.shape == (40, 40)
    assert joined.ink[:, :10].all() and joined.ink[20:, 20:].all()
    assert not joined.ink[:, 10:20].any() and not joined.ink[:20, 20:].any()


def test_the_judge_decides_what_belongs_together() -> None:
    body, bar, next_digit = box(0, 0, 40, 80), box(50, 20, 70, 80), box(90, 0, 120, 80)
    pieces = [body, bar, next_digit]
    five = (0, 0, 70, 80)
    assert found(pieces, likes(of_1=[five, next_digit.box])) == [(five, 1), (next_digit.box, 1)]
    each = [piece.box for piece in pieces]
    assert found(pieces, likes(of_1=each)) == [(one, 1) for one in each]
    whole = (0, 0, 120, 80)
    assert found(pieces, likes(of_3=[whole])) == [(whole, 3)]


def test_a_sign_made_of_parts_that_look_like_digits_stays_one_sign() -> None:
    stem, other = box(0, 0, 12, 80), box(18, 0, 60, 80)  # a K, whose stem alone would be a one
    assert found([stem, other], likes(of_1=[stem.box])) == [((0, 0, 60, 80), 0)]


def test_two_tall_parts_that_stand_clear_are_two_digits_even_if_together_they_look_like_one() -> None:
    one, other = box(0, 0, 20, 80), box(48, 0, 68, 80)
    judge = likes(of_1=[one.box, other.box, (0, 0, 68, 80)])
    assert found([one, other], judge) == [(one.box, 1), (other.box, 1)]


def test_what_stands_far_apart_is_never_one_sign() -> None:
    one, other = box(0, 0, 20, 80), box(60, 0, 80, 80)
    assert found([one, other], likes(of_1=[(0, 0, 80, 80)])) == [(one.box, 0), (other.box, 0)]


def test_a_sign_may_have_six_parts() -> None:
    parts = [box(30 * i, 0, 30 * i + 25, 80) for i in range(6)]
    whole = (0, 0, 175, 80)
    assert found(parts, likes(of_1=[whole])) == [(whole, 1)]


def test_what_is_broader_than_three_digits_that_touch_is_no_string() -> None:
    parts = [box(60 * i, 0, 60 * i + 60, 80) for i in range(5)]
    assert found(parts, likes(of_3=[(0, 0, 300, 80)])) != [((0, 0, 300, 80), 3)]


def test_of_two_signs_that_may_be_digits_or_not_the_low_one_is_none() -> None:
    tall, low = box(0, 0, 40, 80), box(60, 60, 80, 80)

    def judge(pieces: list[Piece]) -> np.ndarray:
        return np.array([[np.log(0.25) if piece in (tall, low) else -9.0] * 4 for piece in pieces])

    assert found([tall, low], judge) == [(tall.box, 1), (low.box, 0)]


def test_two_digits_hardly_ever_share_their_columns() -> None:
    one, other = box(0, 0, 40, 80), box(8, 5, 45, 80)
    scores = {one.box: -0.05, other.box: -0.05, (0, 0, 45, 80): -3.0}  # that it is one digit

    def judge(pieces: list[Piece]) -> np.ndarray:
        return np.array([[-4, scores[piece.box], -4, -4] for piece in pieces])

    assert found([one, other], judge) == [((0, 0, 45, 80), 1)]


@pytest.mark.parametrize(
    ("gap", "length", "lengths"),
    [(8, 3, [1, 1]), (8, 2, [2]), (4, 3, [3])],
    ids=["more digits than atoms", "as many", "more, and close"],
)
def test_atoms_that_stand_apart_are_more_probably_digits_of_their_own(
    gap: int, length: int, lengths: list[int]
) -> None:
    def judge(pieces: list[Piece]) -> np.ndarray:
        scores = np.full((len(pieces), 4), -9.0)
        for score, piece in zip(scores, pieces, strict=True):
            alone = piece.width == 60
            score[1 if alone else length] = -0.001 if alone else -0.05
        return scores

    atoms_ = [box(0, 0, 60, 100), box(60 + gap, 0, 120 + gap, 100)]
    assert [length for _, length in found(atoms_, judge)] == lengths


def test_the_pens_lines_are_joined_in_the_order_drawn_wherever_they_lie() -> None:
    seven, bar, four = box(0, 0, 50, 80), box(10, 38, 45, 44), box(40, 0, 90, 80)
    lines = [seven, bar, four]
    # The seven's box is the same with its bar.
    judge = likes(of_1=[seven.box, four.box], of_2=[(0, 0, 90, 80)])
    assert found(lines, judge, as_drawn=True) == [((0, 0, 50, 80), 1), (four.box, 1)]


def drawn_lines(width: int) -> tuple[list[np.ndarray], np.ndarray]:
    lines = [[(30, 40), (90, 40), (50, 150)], [(45, 100), (95, 100)]]
    image = Image.new("L", (140, 180))
    for line in lines:
        ImageDraw.Draw(image).line(line, fill=255, width=width)
    return [np.array(line, float) for line in lines], np.asarray(image)


@pytest.mark.parametrize("width", [4, 9, 16])
def test_each_line_of_the_pen_gets_its_ink_at_the_width_it_was_drawn(width: int) -> None:
    lines, ink = drawn_lines(width)
    first, second = pen_lines(lines, ink)
    assert second.height == pytest.approx(width, abs=width / 3) and second.width == pytest.approx(
        50, abs=width
    )
    assert first.box[0] <= 32 and first.box[3] >= 148
    both = join([first, second])
    assert np.count_nonzero(both.ink) == pytest.approx(np.count_nonzero(ink), rel=0.1)


def test_many_short_lines_side_by_side_keep_their_own_ink() -> None:
    dashes = [np.array([(20, y), (32, y)], float) for y in range(20, 160, 14)]
    image = Image.new("L", (60, 180))
    for dash in dashes:
        draw_line(ImageDraw.Draw(image), dash, 10, 255)
    assert all(piece.height <= 13 for piece in pen_lines(dashes, np.asarray(image)))


def test_a_line_that_was_erased_is_left_out() -> None:
    lines, ink = drawn_lines(8)
    assert len(pen_lines([*lines, np.array([(5, 5), (5, 20)], float)], ink)) == 2


def test_pieces_one_above_the_other_are_rows_but_a_roof_over_its_digit_is_none() -> None:
    upper, lower = [box(0, 0, 40, 80), box(60, 5, 90, 78)], [box(5, 120, 45, 200)]
    assert rows([*upper, *lower]) == [upper, lower]
    roof, body = box(0, 0, 50, 8), box(0, 20, 50, 100)
    assert rows([roof, body]) == [[roof, body]]
    assert rows([]) == []


def test_within_a_row_pieces_stay_in_their_order_whichever_is_higher() -> None:
    upper, lower = [box(0, 5, 40, 80), box(60, 0, 90, 78)], [box(5, 125, 45, 200), box(60, 120, 90, 198)]
    assert rows([*upper, *lower]) == [upper, lower]


def test_a_row_reaches_as_far_down_as_its_lowest_piece() -> None:
    upper, lower = [box(0, 0, 40, 80), box(50, 5, 80, 30), box(90, 50, 120, 80)], [box(5, 120, 45, 200)]
    assert rows([*upper, *lower]) == [upper, lower]


def test_rows_stand_clear_of_each_other_everywhere_or_there_is_one() -> None:
    pieces = [box(0, 0, 40, 80), box(0, 84, 40, 164), box(0, 200, 40, 280)]
    assert rows(pieces) == [pieces]


def test_small_signs_beside_digits_are_marks_and_a_letter_is_none() -> None:
    minus, seven, letter = (
        Group(box(0, 38, 40, 46), 0),
        Group(box(60, 0, 110, 80), 1),
        Group(box(120, 0, 170, 80), 0),
    )
    assert marks([minus, seven, letter], []) == ([seven, letter], [minus.piece])
    assert marks([minus], []) == ([minus], [])


def test_a_low_sign_as_broad_as_a_word_is_no_mark() -> None:
    seven, word = Group(box(0, 0, 50, 80), 1), Group(box(60, 30, 200, 70), 0)
    assert marks([seven, word], []) == ([seven, word], [])


def test_a_speck_is_a_point_only_on_the_line_between_two_digits() -> None:
    three, five = Group(box(0, 0, 40, 80), 1), Group(box(70, 0, 110, 80), 1)
    point, above, beside = box(52, 72, 58, 78), box(52, 10, 58, 16), box(130, 72, 136, 78)
    assert marks([three, five], [point, above, beside])[1] == [point]
    assert marks([three], [point])[1] == []


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
    low_tail = np.zeros((100, 120), np.uint8)
    low_tail[:, :20] = low_tail[90:, 20:] = 255
    assert [cut for cut in cuts(low_tail) if cut.middle > 0.4] == []


def test_no_cut_leaves_hardly_any_ink_on_one_side() -> None:
    ink = np.zeros((100, 120), np.uint8)
    ink[:, 2] = ink[:, 60:118] = 255  # a hairline beside a block
    assert [cut for cut in cuts(ink) if cut.middle < 0.3] == []


def test_high_ink_is_scaled_down_with_its_proportions_and_other_ink_stays() -> None:
    assert shrink(np.zeros((640, 320), np.uint8)).shape == (64, 32)
    assert shrink(np.zeros((50, 320), np.uint8)).shape == (50, 320)


def test_a_parted_pieces_boxes_stay_where_its_ink_was() -> None:
    halves = part(Piece(two_rings(), (300, 50, 500, 150)), Cut(0.5, 0.0, 0.0))
    assert halves is not None
    left, right = halves
    assert left.box[0] == 305 and right.box[2] == 496
    assert 390 <= right.box[0] < left.box[2] <= 410
    assert left.ink.shape == (left.height, left.width)


def test_a_cut_with_ink_on_one_side_only_parts_nothing() -> None:
    assert part(box(0, 0, 1, 9), Cut(0.5, 0.0, 0.0)) is None


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
