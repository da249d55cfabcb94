"""Augmentation: batches of digits varied as handwriting varies, then placed again as MNIST would.

Every image is sheared, rotated, stretched, elastically distorted, and drawn with another pen; then, as in
`preprocess`, the longer side of its ink is scaled to 20 pixels again and its centre of mass put at pixel
index 14, so that the network is trained on the geometry it will see.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F

from mnist_core.imaging.preprocess import CENTRE, INK_SIZE, MEAN, SIZE, STD

SLANT = 0.3  # horizontal shift per unit of height, either way
TURN = 0.2  # radians either way, 11 degrees
STRETCH = 0.15  # natural logarithm of the width's factor, either way; the height's is its inverse
SHRINK = 0.08  # of the ink's size, downwards: as if dust or a stray end made the box larger than the digit
WOBBLE = 0.9  # pixels, standard deviation of the elastic displacement at its coarse grid's points
WOBBLE_GRID = 5  # points each way over the picture
PEN = 1.0  # 1: from the darkest to the lightest of each pixel's neighbourhood
SHARE = 0.8  # of the pictures are varied; the rest stay as they are
_INK = 0.2  # of full ink: where the box around a picture's ink is drawn


def vary(
    images: torch.Tensor, generator: torch.Generator | None = None, *, share: float = SHARE
) -> torch.Tensor:
    """(N, 1, 28, 28) normalised images -> the same images varied, of the same shape and range.

    Args:
        generator: the random generator, on the images' device; None for torch's global one.
        share: of the images that are varied.
    """
    pictures = (images * STD + MEAN).clamp(0, 1)  # 0 for paper, 1 for ink
    inked = repen(pictures, generator)
    moved = F.grid_sample(inked, _grid(inked, generator), mode="bilinear", align_corners=True)
    kept = _rand(images, generator, 1, 1, 1) > share
    varied = torch.where(kept, pictures, _full_ink(moved))
    return varied.sub_(MEAN).div_(STD)


def repen(images: torch.Tensor, generator: torch.Generator | None = None) -> torch.Tensor:
    """(N, 1, 28, 28) from 0 to 1 -> the same with thicker or thinner strokes, by up to two pixels."""
    change = _rand(images, generator, 1, 1, 1) * 2 * PEN - PEN  # below 0: thinner
    thinner = torch.maximum(_spread(images, torch.minimum), images * 0.25)  # a thin stroke fades, unbroken
    other = torch.where(change > 0, _spread(images, torch.maximum), thinner)
    return images + change.abs() * (other - images)


def _spread(images: torch.Tensor, extreme: Callable[..., torch.Tensor]) -> torch.Tensor:
    """The extreme of each pixel and its eight neighbours, paper around the picture: (N, 1, 28, 28)."""
    padded = F.pad(images, (1, 1, 1, 1))
    rows = extreme(extreme(padded[:, :, :-2], padded[:, :, 1:-1]), padded[:, :, 2:])
    return extreme(extreme(rows[..., :-2], rows[..., 1:-1]), rows[..., 2:])


def _full_ink(images: torch.Tensor) -> torch.Tensor:
    """Each image's strongest pixels scaled to full ink, as `preprocess` does, undoing some of the blur."""
    return (images / images.amax(dim=(2, 3), keepdim=True).clamp_min(0.05) * 1.15).clamp_max(1)


def _grid(images: torch.Tensor, generator: torch.Generator | None) -> torch.Tensor:
    """Where in each image (N, 1, 28, 28) every pixel of its variant comes from: (N, 28, 28, 2), -1 to 1."""
    steps = torch.arange(SIZE, dtype=torch.float32, device=images.device)
    profiles = images.sum(dim=2)[:, 0], images.sum(dim=3)[:, 0]  # over columns, over rows: (N, 28) each
    mean_x, mean_y = ((p @ steps / p.sum(1).clamp_min(1e-6))[:, None, None] for p in profiles)
    x, y = steps[None, None, :] - mean_x, steps[None, :, None] - mean_y  # (N, 1, 28), (N, 28, 1)
    linear = _linear(images, generator)  # (N, 2, 2): where a point goes
    (a, b), (c, d) = (row.unbind(1) for row in linear[..., None, None].unbind(1))  # (N, 1, 1) each
    # Pixels without ink are put far behind those with some.
    nowhere = (images[:, 0] <= _INK).to(images.dtype) * 1e3
    extents = [
        (reached - nowhere).amax((1, 2)) - (reached + nowhere).amin((1, 2)) + 1
        for reached in (a * x + b * y, c * x + d * y)
    ]
    scale = INK_SIZE / torch.stack(extents).amax(0).clamp_min(1)  # (N,)
    scale = scale * (1 - SHRINK * _rand(images, generator))
    (a, b), (c, d) = (
        row.unbind(1) for row in torch.linalg.inv(linear * scale[:, None, None])[..., None, None].unbind(1)
    )
    # MNIST's digits are moved by whole pixels, so that their centres of mass are up to half a pixel off.
    offset = CENTRE + _rand(images, generator, 2, 1, 1) - 0.5
    wobble = _wobble(images, generator)
    x = steps[None, None, :] - offset[:, 0] + wobble[:, 0]
    y = steps[None, :, None] - offset[:, 1] + wobble[:, 1]
    source = torch.stack([a * x + b * y + mean_x, c * x + d * y + mean_y], dim=-1)  # pixels
    return source * (2 / (SIZE - 1)) - 1


def _linear(images: torch.Tensor, generator: torch.Generator | None) -> torch.Tensor:
    """(N, 2, 2): stretch, shear and rotation."""
    slant, turn, stretch = ((_rand(images, generator) * 2 - 1) * most for most in (SLANT, TURN, STRETCH))
    cos, sin, zero = turn.cos(), turn.sin(), torch.zeros_like(turn)
    rotation = torch.stack([cos, -sin, sin, cos], dim=1).reshape(-1, 2, 2)
    shape = torch.stack([stretch.exp(), -slant, zero, (-stretch).exp()], dim=1).reshape(-1, 2, 2)
    return rotation @ shape


def _wobble(images: torch.Tensor, generator: torch.Generator | None) -> torch.Tensor:
    """(N, 2, 28, 28) pixels: a smooth random displacement, to the right and downwards."""
    strength = _rand(images, generator, 1, 1, 1) * WOBBLE
    shape = (len(images), 2, WOBBLE_GRID, WOBBLE_GRID)
    coarse = torch.randn(shape, generator=generator, device=images.device, dtype=images.dtype) * strength
    finer = _FINER.to(images.device)
    return finer @ coarse @ finer.T


def _finer() -> torch.Tensor:
    """(28, WOBBLE_GRID): how much each coarse grid point weighs at each pixel, by cubic interpolation."""
    points = torch.eye(WOBBLE_GRID, dtype=torch.float32, device="cpu")[None, None]
    return F.interpolate(points, size=(SIZE, WOBBLE_GRID), mode="bicubic", align_corners=True)[0, 0]


_FINER = _finer()


def _rand(images: torch.Tensor, generator: torch.Generator | None, *shape: int) -> torch.Tensor:
    """(N, *shape) uniform from 0 to 1, N being the number of images."""
    size = (len(images), *shape)
    return torch.rand(size, generator=generator, device=images.device, dtype=images.dtype)
