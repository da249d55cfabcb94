"""Any picture of a digit becomes the picture MNIST would have stored."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from pictures import draw, photograph
from PIL import Image, ImageDraw

from mnist_core.data import load_mnist
from mnist_core.datasets.synthetic import drawing
from mnist_core.imaging.preprocess import (
    CENTRE,
    INK_SIZE,
    LONGEST_SIDE,
    MEAN,
    STD,
    denormalise,
    find_ink,
    ink_box,
    normalise,
    place,
    preprocess,
    upright_size,
)


def digit(which: int, seed: int = 0, **where: float) -> Image.Image:
    """One synthetic digit, black on white, 280 pixels each way."""
    return draw(drawing(which, np.random.default_rng((which, seed))), **where)


def ink_length(picture: np.ndarray) -> int:
    """The longer side of the ink's box, in pixels."""
    return max(int(np.ptp(np.flatnonzero(picture.max(axis=axis)))) + 1 for axis in (0, 1))


def centre(picture: np.ndarray) -> tuple[float, float]:
    """The ink's centre of mass: row and column, pixel indices from 0."""
    weights = picture / picture.sum()
    return float(weights.sum(axis=1) @ np.arange(28)), float(weights.sum(axis=0) @ np.arange(28))


def alike(one: np.ndarray, other: np.ndarray) -> float:
    """1 where two pictures' ink agrees pixel for pixel, 0 where it shares none."""
    one, other = one.astype(float), other.astype(float)
    return float(np.minimum(one, other).sum() / np.maximum(one, other).sum())


@pytest.mark.mnist
def test_mnists_own_pictures_come_through_pixel_for_pixel_dark_on_light_too(data_folder) -> None:
    images = load_mnist(data_folder, train=False).images.numpy()
    assert len(images) == 10_000
    assert sum(np.array_equal(preprocess(image), image) for image in images) >= 9_990
    assert all(np.array_equal(preprocess(255 - image), preprocess(image)) for image in images[:500])


@pytest.mark.parametrize("which", range(10))
def test_the_longer_side_is_20_pixels_and_the_centre_of_mass_lies_on_14(which: int) -> None:
    for seed, size, pen in ((0, 0.8, 0.07), (1, 0.3, 0.02), (2, 0.5, 0.05)):
        picture = preprocess(digit(which, seed, size=size, pen=pen))
        assert picture.shape == (28, 28) and picture.dtype == np.uint8
        assert ink_length(picture) == INK_SIZE and picture.max() >= 250
        assert all(abs(axis - CENTRE) <= 0.5 + 1e-6 for axis in centre(picture))


def test_where_and_how_large_the_digit_is_drawn_hardly_matters() -> None:
    image = digit(3, size=0.6)
    moved = Image.new("L", (500, 420), 255)
    moved.paste(image.crop((40, 40, 240, 240)), (290, 10))
    assert np.array_equal(preprocess(moved), preprocess(image))
    assert alike(preprocess(image.resize((900, 900))), preprocess(image)) > 0.9


@pytest.mark.parametrize(
    "colours", [("black", "white"), ("white", "black"), ("navy", "ivory"), ("gold", "teal")]
)
def test_ink_is_what_differs_from_the_paper_whatever_their_colours(colours: tuple[str, str]) -> None:
    drawn = digit(5)
    coloured = Image.composite(*(Image.new("RGB", drawn.size, name) for name in reversed(colours)), drawn)
    assert alike(preprocess(coloured), preprocess(drawn)) > 0.99


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "I;16", "I", "F"])
def test_every_mode_of_picture_is_read(mode: str) -> None:
    drawn = digit(2)
    if mode == "I;16":
        given = Image.fromarray(np.asarray(drawn).astype(np.uint16) * 257)
    else:
        given = drawn.convert(mode)
    assert alike(preprocess(given), preprocess(drawn)) > 0.9


@pytest.mark.parametrize("ink", [(0, 0, 0), (255, 255, 255), (200, 30, 30)])
def test_ink_on_nothing_is_read_whether_dark_or_light(ink: tuple[int, int, int]) -> None:
    drawn = digit(6)
    sticker = Image.new("RGBA", drawn.size, (*ink, 0))
    sticker.putalpha(drawn.point(lambda level: 255 - level))
    assert alike(preprocess(sticker), preprocess(drawn)) > 0.97
    assert alike(preprocess(np.asarray(sticker)), preprocess(drawn)) > 0.97


@pytest.mark.parametrize(
    "image",
    [
        Image.new("L", (280, 280), 255),
        Image.new("RGB", (31, 57), (12, 80, 90)),
        Image.new("RGBA", (64, 64), (0, 0, 0, 0)),
        Image.new("1", (1, 1)),
        np.zeros((28, 28), np.uint8),
        np.full((3, 2000, 3), 90, np.uint8),
        Image.effect_noise((90, 90), 3),
        Image.linear_gradient("L").point(lambda level: 100 + level // 2),
    ],
)
def test_blank_is_blank(image: Image.Image | np.ndarray) -> None:
    assert not preprocess(image).any()


def test_pale_ink_is_ink_and_paler_still_is_paper() -> None:
    drawn = np.asarray(digit(8)).astype(float)
    pale = (255 - (255 - drawn) * 0.2).astype(np.uint8)
    assert alike(preprocess(pale), preprocess(drawn.astype(np.uint8))) > 0.9
    assert not preprocess((255 - (255 - drawn) * 0.05).astype(np.uint8)).any()


@pytest.mark.parametrize("size", [(4, 3), (5, 3), (3, 40), (7, 7)])
def test_tiny_pictures_with_ink_are_not_blank(size: tuple[int, int]) -> None:
    image = Image.new("L", size, 255)
    image.putpixel((0, 0), 0)
    assert preprocess(image).any()


def test_huge_pictures_are_read_as_small_ones_are() -> None:
    drawn = digit(4)
    assert alike(preprocess(drawn.resize((3000, 3000))), preprocess(drawn)) > 0.9


@pytest.mark.parametrize("side", [1024, 1025, 1500, 3000])
def test_ink_is_looked_for_in_at_most_1024_pixels(side: int) -> None:
    image = Image.new("L", (side, side // 2), 255)
    image.paste(0, (side // 4, side // 8, side // 2, side // 4))
    assert LONGEST_SIDE / 2 <= max(find_ink(image).shape) <= LONGEST_SIDE


def test_small_ink_is_enlarged_smoothly() -> None:
    enlarged = place(np.eye(10, dtype=np.uint8) * 255)
    assert ((enlarged > 30) & (enlarged < 225)).sum() > 20


def test_a_picture_that_a_phone_stored_lying_is_read_standing() -> None:
    drawn = digit(7)
    exif = Image.Exif()
    exif[0x0112] = 6  # turn a quarter clockwise to show
    file = io.BytesIO()
    drawn.rotate(90, expand=True).resize((300, 280)).save(file, "PNG", exif=exif)
    lying = Image.open(file)
    assert upright_size(lying) == (280, 300)
    assert alike(preprocess(lying), preprocess(drawn.resize((280, 300)))) > 0.95


def test_ink_stays_inside_however_lopsided() -> None:
    image = Image.new("L", (280, 280), 255)
    pencil = ImageDraw.Draw(image)
    pencil.rectangle((40, 40, 240, 80), fill=0)
    pencil.line((140, 40, 140, 240), fill=0, width=4)
    for turn in (0, 90, 180, 270):
        assert ink_length(preprocess(image.rotate(turn, fillcolor=255))) == INK_SIZE


def test_normalising_is_the_books_and_adds_the_channel() -> None:
    pictures = np.arange(2 * 784, dtype=np.int64).reshape(2, 28, 28).astype(np.uint8)
    wanted = (torch.from_numpy(pictures).float()[:, None] / 255 - MEAN) / STD
    torch.testing.assert_close(normalise(pictures), wanted)
    torch.testing.assert_close(normalise(torch.from_numpy(pictures)), wanted)
    assert normalise(pictures[0]).shape == (1, 1, 28, 28)
    assert denormalise(normalise(pictures)).tolist() == pictures.tolist()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            "five.png",
            "Expected a picture: a PIL image or a uint8 array; got str. "
            "Open a file with PIL.Image.open first.",
        ),
        (
            np.zeros((28, 28)),
            "Expected a uint8 array of shape (H, W), (H, W, 3) or (H, W, 4); got float64 of shape (28, 28). "
            "Scale to 0..255 and use .astype(numpy.uint8).",
        ),
        (
            np.zeros((3, 28, 28), np.uint8),
            "Expected a uint8 array of shape (H, W), (H, W, 3) or (H, W, 4); got uint8 of shape (3, 28, 28). "
            "Scale to 0..255 and use .astype(numpy.uint8).",
        ),
        (np.zeros((0, 5), np.uint8), "Expected a picture with pixels; got an array of shape (0, 5)."),
        (Image.new("L", (0, 4)), "Expected a picture with pixels; got 0x4. Give one at least 1x1."),
    ],
)
def test_what_is_no_picture_is_refused_with_what_was_expected(given: object, message: str) -> None:
    with pytest.raises(ValueError) as error:
        preprocess(given)  # type: ignore[arg-type]
    assert str(error.value) == message


def file_of(image: Image.Image, kind: str = "PNG", share: float = 1.0) -> Image.Image:
    """A picture as it is opened from a file of which only a share is there."""
    whole = io.BytesIO()
    image.save(whole, kind)
    return Image.open(io.BytesIO(whole.getvalue()[: int(len(whole.getvalue()) * share)]))


def closed() -> Image.Image:
    image = file_of(digit(3))
    image.close()
    return image


@pytest.mark.parametrize(
    "image",
    [file_of(digit(3), "PNG", 0.6), file_of(digit(3), "JPEG", 0.6), file_of(digit(3), "TIFF", 0.6), closed()],
)
def test_a_file_that_is_cut_short_is_no_blank_picture(image: Image.Image) -> None:
    with pytest.raises(ValueError, match="Expected a picture that can be read; got one that is damaged or"):
        preprocess(image)


def test_a_mode_that_cannot_be_converted_is_named() -> None:
    with pytest.raises(ValueError, match="got one of mode La, which PIL does not convert to RGBA"):
        preprocess(Image.new("La", (28, 28)))


def fractions(values: np.ndarray) -> Image.Image:
    return Image.fromarray(values.astype(np.float32))


INK = 1 - np.asarray(digit(2)) / 255  # 0 for paper, 1 for ink


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_a_picture_of_fractions_with_one_that_is_no_number_is_refused(number: float) -> None:
    values = INK.copy()
    values[3, 5] = number
    with pytest.raises(ValueError, match=f"Expected a picture of finite numbers; got some from .*{number:g}"):
        preprocess(fractions(values))


@pytest.mark.parametrize(
    "values",
    [INK - 1, -INK, -255 * INK, INK * 0.05 - 1, (INK - MEAN) / STD, 3000 * INK - 400, INK * 0.5, 1e30 * INK],
)
def test_fractions_are_read_whatever_their_range(values: np.ndarray) -> None:
    if np.ptp(values) >= 0.1:
        assert alike(preprocess(fractions(values)), preprocess(digit(2))) > 0.9
    else:
        assert not preprocess(fractions(values)).any()


@pytest.mark.parametrize("values", [1000 * INK - 1000, -1000 * INK, 60_000 * INK - 500])
def test_large_and_negative_whole_numbers_are_read_whatever_their_range(values: np.ndarray) -> None:
    assert alike(preprocess(Image.fromarray(values.astype(np.int32))), preprocess(digit(2))) > 0.9


@pytest.mark.parametrize("value", [-3.0, 0.0, 7.0])
def test_fractions_that_are_all_alike_are_blank(value: float) -> None:
    assert not preprocess(fractions(np.full((40, 40), value))).any()


def test_a_mask_of_zeros_and_ones_is_refused_and_not_taken_for_blank_paper() -> None:
    mask = (INK > 0.5).astype(np.uint8)
    for given in (mask, np.dstack([mask] * 3), Image.fromarray(mask)):
        with pytest.raises(ValueError, match=r"got one of 0 and 1 alone, .* Multiply a mask by 255\."):
            preprocess(given)
    assert np.array_equal(preprocess(mask * 255), preprocess(Image.fromarray(mask.astype(np.int32))))
    assert not preprocess(np.full((28, 28), 1, np.uint8)).any()


@pytest.mark.parametrize(("ink", "hidden"), [(255, 0), (0, 255), (255, 255), (0, 0)])
def test_what_is_hidden_under_full_transparency_does_not_count(ink: int, hidden: int) -> None:
    inked = np.asarray(digit(6)) < 128
    sticker = np.full((280, 280, 4), hidden, np.uint8)
    sticker[inked] = ink
    sticker[..., 3] = inked * 255
    assert alike(preprocess(sticker), preprocess(digit(6))) > 0.9


@pytest.mark.parametrize("turned", [False, True])
def test_paper_is_what_most_of_all_four_sides_show(turned: bool) -> None:
    """The ends of a long sheet are all ink, and its sides are paper."""
    sheet = np.full((300, 100), 255, np.uint8)
    sheet[:20] = sheet[-20:] = sheet[100:200, 40:60] = 0
    ink = find_ink(sheet.T if turned else sheet)
    ink = ink.T if turned else ink
    assert ink[150, 50] == ink[5, 50] == 255
    assert ink[150, 5] == ink[60, 50] == 0


def test_a_photograph_in_which_one_colour_alone_varies_is_a_photograph() -> None:
    """On yellowish paper under uneven light the blue may vary alone: there is no ink in it."""
    blue = np.random.default_rng(0).normal(np.linspace(40, 160, 200), 6, (200, 200)).clip(0, 255)
    photo = np.full((200, 200, 3), 210, np.uint8)
    photo[..., 2] = blue
    assert not preprocess(photo).any()


def photographed(height: int, width: int, *boxes: tuple[int, int, int, int], ink: int = 30) -> np.ndarray:
    """A photograph of grey paper in uneven light with dark boxes (left, top, right, bottom) on it."""
    rng = np.random.default_rng(0)
    light = np.linspace(1.0, 0.6, width)[None, :] * np.linspace(1.0, 0.9, height)[:, None]
    grey = np.full((height, width), 200.0)
    for left, top, right, bottom in boxes:
        grey[top:bottom, left:right] = ink
    return (grey * light + rng.normal(0, 5, (height, width))).clip(0, 255).astype(np.uint8)


DIGIT = (100, 60, 112, 140)  # a stem: left, top, right, bottom


def ink_found(photo: np.ndarray) -> tuple[int, int, int, int]:
    return ink_box(find_ink(photo))


@pytest.mark.parametrize(("height", "width"), [(200, 300), (300, 200), (200, 200)])
@pytest.mark.parametrize("side", ["left", "top", "right", "bottom"])
def test_a_table_at_any_edge_of_a_photograph_is_no_ink(height: int, width: int, side: str) -> None:
    table = {
        "left": (0, 20, 15, height - 20),
        "right": (width - 15, 20, width, height - 20),
        "top": (20, 0, width - 20, 15),
        "bottom": (20, height - 15, width - 20, height),
    }[side]
    assert ink_found(photographed(height, width, DIGIT, table)) == pytest.approx(DIGIT, abs=2)


def test_dirt_on_a_photograph_is_no_ink() -> None:
    dirt = [(30, 30, 34, 34), (170, 40, 174, 43), (40, 150, 43, 154)]
    assert ink_found(photographed(200, 200, DIGIT, *dirt)) == pytest.approx(DIGIT, abs=2)
    large = (150, 60, 170, 80)
    assert ink_found(photographed(200, 200, DIGIT, large))[2] == pytest.approx(170, abs=2)


def test_a_smudge_paler_than_the_ink_is_none() -> None:
    photo = photographed(200, 200, DIGIT)
    photo[60:100, 150:170] = photo[60:100, 150:170] * 0.62
    assert ink_found(photo) == pytest.approx(DIGIT, abs=2)


def test_ink_that_reaches_the_edge_of_a_photograph_is_ink_where_there_is_no_other() -> None:
    stem = (100, 60, 112, 200)
    assert ink_found(photographed(200, 200, stem)) == pytest.approx(stem, abs=2)


@pytest.mark.parametrize("height", [124, 140])
def test_ink_near_the_border_of_a_photograph_is_found_whole(height: int) -> None:
    """At 124 rows the light is estimated from cells of 20, of which the lowest hold 4 of the picture's."""
    low = (90, 50, 104, 121)
    assert ink_found(photographed(height, 200, low, ink=130)) == pytest.approx(low, abs=1)


def test_photographs_show_the_ink_that_was_drawn() -> None:
    rng = np.random.default_rng(0)
    likeness = [
        alike(preprocess(photograph(drawn, rng, turn=0)), preprocess(drawn))
        for drawn in (digit(which, 1, size=0.6, pen=0.05) for which in range(10))
    ]
    assert np.median(likeness) > 0.8  # a whole pixel's shift costs half of it


def test_a_photographed_sheet_without_a_digit_is_blank() -> None:
    rng = np.random.default_rng(0)
    empty = Image.new("L", (280, 280), 255)
    assert sum(preprocess(photograph(empty, rng)).any() for _ in range(10)) == 0


@pytest.mark.parametrize("side", [400, 1000, 3000])
def test_a_hairline_is_ink_at_any_size(side: int) -> None:
    image = Image.new("L", (side, side), 255)
    seven = [(0.1 * side, 0.1 * side), (0.8 * side, 0.1 * side), (0.3 * side, 0.9 * side)]
    ImageDraw.Draw(image).line(seven, fill=0, width=1)
    assert preprocess(image).max() == 255
