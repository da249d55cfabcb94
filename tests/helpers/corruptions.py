"""MNIST's images, spoiled in ways like those of MNIST-C (Mu & Gilmer 2019, arXiv:1906.02337)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

Corruption = Callable[[Image.Image, np.random.Generator], Image.Image]


def _noisy(spread: Callable[[np.ndarray, np.random.Generator], np.ndarray]) -> Corruption:
    def corrupt(image: Image.Image, rng: np.random.Generator) -> Image.Image:
        shares = spread(np.asarray(image) / 255, rng)
        return Image.fromarray((shares.clip(0, 1) * 255).round().astype(np.uint8))

    return corrupt


def _mapped(draw: Callable[[np.random.Generator], np.ndarray]) -> Corruption:
    """By a linear map (2, 2) of the plane around the middle, drawn at random."""

    def corrupt(image: Image.Image, rng: np.random.Generator) -> Image.Image:
        (a, b), (c, d) = draw(rng)
        x, y = (side / 2 for side in image.size)
        how = (a, b, x - a * x - b * y, c, d, y - c * x - d * y)
        return image.transform(image.size, Image.Transform.AFFINE, how, Image.Resampling.BILINEAR)

    return corrupt


def _turn(rng: np.random.Generator) -> np.ndarray:
    angle = rng.choice([-1, 1]) * np.radians(rng.uniform(15, 30))
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _shear(rng: np.random.Generator) -> np.ndarray:
    return np.array([[1, rng.choice([-1, 1]) * rng.uniform(0.3, 0.6)], [0, 1]])


def _scale(rng: np.random.Generator) -> np.ndarray:
    return np.eye(2) * rng.uniform(1.4, 2)


def _translate(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    dx, dy = (int(side) for side in rng.choice([-1, 1], 2) * rng.integers(3, 6, 2))
    return image.transform(image.size, Image.Transform.AFFINE, (1, 0, dx, 0, 1, dy))


def _blur(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(rng.uniform(1, 1.6)))


def _smear(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """As if the hand had shaken: along a diagonal."""
    ink, way = np.asarray(image, float), rng.choice([-1, 1])
    copies = [np.roll(ink, (step, way * step), (0, 1)) for step in range(-2, 3)]
    return Image.fromarray(np.mean(copies, axis=0).astype(np.uint8))


def _stripe(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A band in which light and dark change places."""
    spoiled, left = np.array(image), int(rng.integers(6, 18))
    spoiled[:, left : left + 4] = 255 - spoiled[:, left : left + 4]
    return Image.fromarray(spoiled)


def _lines(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A line across, with corners."""
    points = np.stack([np.linspace(0, 27, 7), rng.uniform(2, 26, 7)], axis=1)
    ImageDraw.Draw(spoiled := image.copy()).line([tuple(point) for point in points.tolist()], 255, 1)
    return spoiled


def _spatter(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    pencil = ImageDraw.Draw(spoiled := image.copy())
    for x, y in rng.uniform(0, 28, (8, 2)).tolist():
        radius = rng.uniform(0.3, 1.3)
        pencil.ellipse([x - radius, y - radius, x + radius, y + radius], int(rng.integers(100, 256)))
    return spoiled


CORRUPTIONS: dict[str, Corruption] = {
    "identity": lambda image, _: image,
    "shot noise": _noisy(lambda x, rng: rng.poisson(x * 8) / 8),
    "impulse noise": _noisy(
        lambda x, rng: np.where(rng.random(x.shape) < 0.1, rng.integers(0, 2, x.shape), x)
    ),
    "gaussian blur": _blur,
    "motion blur": _smear,
    "brightness": _noisy(lambda x, rng: x + rng.uniform(0.2, 0.5)),
    "low contrast": _noisy(lambda x, rng: x * rng.uniform(0.2, 0.5)),
    "stripe": _stripe,
    "zigzag": _lines,
    "spatter": _spatter,
    "rotate": _mapped(_turn),
    "shear": _mapped(_shear),
    "scale": _mapped(_scale),
    "translate": _translate,
}
