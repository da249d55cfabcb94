"""MNIST's digits and the letters of typefaces as pen strokes, written again by another hand."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from mnist_core.datasets.digits import Digits
from mnist_core.datasets.skeletons import thin, trace
from mnist_core.datasets.synthetic import Strokes, drawing

Traced = list[list[Strokes]]  # for each digit, many ways to write it
_MNIST_SHARE = 0.6  # of digits
_AT_ONCE = 4000  # pictures
_SCALE = 2  # MNIST's pictures are enlarged by this before they are thinned

# Letters and marks that somebody would read as a digit are left out: B D G I L O Q S T U Y Z and others.
_LATIN = "ACEFHKMNPRVWXadefhkmnptuvwxÄÅÆÑÜÝæèêëîñöûüĄČĖĘĦŁŃŇŘŒœ"
_GREEK = "ΓΔΞΠΣΦΨΩηκλμνπφχψω"
_CYRILLIC = "ДЖИЙКЛМНПФХЦШЩЯджийклмнпфхцшщя"
_OTHERS = "ԱԲԷԸԹԺԻԽԾՃՆՇՈՊՌՐՒՓՔֆდემლჟღყშჩცძჭხჯאחמעץשתبتجسصعفكلمي"
_MARKS = "&@$%€£¥¶?*∞∇√≈≠∑∏∈∀∨⊂⊕⇒↔♫☼♀♂♠♣☺"  # noqa: RUF001
_LETTERS = _LATIN * 3 + _GREEK + _CYRILLIC + _OTHERS + _MARKS
_TYPEFACES = (
    "DejaVuSans", "DejaVuSans-Oblique", "DejaVuSansMono", "DejaVuSerif-Italic", "DejaVuSerif",
    "STIXGeneral", "STIXGeneralItalic", "cmss10", "cmti10",
)  # fmt: skip


def traced_digits(mnist: Digits) -> Traced:
    """MNIST's digits as strokes, sorted by label."""
    copies: Traced = [[] for _ in range(10)]
    for start in range(0, len(mnist), _AT_ONCE):
        images = mnist.images[start : start + _AT_ONCE, None].float()
        large = torch.nn.functional.interpolate(images, scale_factor=_SCALE, mode="bicubic")[:, 0]
        ink = np.pad(large.numpy() > 110, ((0, 0), (1, 1), (1, 1)))
        for skeleton, label in zip(thin(ink), mnist.labels[start : start + _AT_ONCE].tolist(), strict=True):
            copies[label].append(trace(skeleton))
    return copies


@functools.cache
def traced_letters() -> list[Strokes]:
    """The letters of some typefaces, traced."""
    import matplotlib

    folder = Path(matplotlib.get_data_path(), "fonts", "ttf")
    pictures = []
    for typeface in _TYPEFACES:
        font = ImageFont.truetype(str(folder / f"{typeface}.ttf"), 44)
        missing = font.getmask("\U0010fffe")
        for letter in _LETTERS:
            if bytes(font.getmask(letter)) == bytes(missing) or not font.getbbox(letter)[2]:
                continue
            picture = Image.new("L", (96, 96))
            ImageDraw.Draw(picture).text((48, 48), letter, fill=255, font=font, anchor="mm")
            pictures.append(np.asarray(picture) > 127)
    return [strokes for skeleton in thin(np.stack(pictures)) if (strokes := trace(skeleton))]


def written_digit(digit: int, rng: np.random.Generator, copies: Traced) -> Strokes:
    """`digit` in some handwriting: one of `copies` written again, or the copybook's."""
    if rng.random() < _MNIST_SHARE:
        ways = copies[digit]
        return by_another_hand(ways[rng.integers(len(ways))], rng)
    return drawing(digit, rng)


def by_another_hand(strokes: Strokes, rng: np.random.Generator, strength: float = 1.0) -> Strokes:
    """A traced drawing as another hand would write it: slant, turn, proportions, and a slow wobble."""
    points = np.concatenate(strokes)
    low, high = points.min(axis=0), points.max(axis=0)
    x, y = ((points - (low + high) / 2) / max(float(high[1] - low[1]), 0.4)).T
    x = x * rng.lognormal(0, 0.14 * strength)
    phases, sizes = rng.uniform(0, 2 * np.pi, 4), rng.normal(0, 0.03 * strength, 4)
    dx = sizes[0] * np.sin(4 * y + phases[0]) + sizes[1] * np.sin(7 * y + phases[1])
    dy = sizes[2] * np.sin(4 * x + phases[2]) + sizes[3] * np.sin(5 * y + phases[3])
    x, y = x + dx - y * rng.normal(0.03, 0.15 * strength), y + dy
    turn = rng.normal(0, 0.08 * strength)
    moved = np.stack([x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)], axis=1)
    step = int(rng.choice([1, 2, 3, 5]))
    written = np.split(moved, np.cumsum([len(stroke) for stroke in strokes])[:-1])
    return [np.concatenate([stroke[:-1:step], stroke[-1:]]) for stroke in written]
