"""Batches of digits varied as hands and pens vary them, and set down again as MNIST would.

Every picture is slanted, turned, stretched, wobbled, and drawn with another pen; then, as in `preprocess`,
the longer side of its ink is made 20 pixels again and its centre of mass put at pixel index 14, so that the
network is trained on the geometry it will be shown.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from mnist_core.preprocess import CENTRE, INK_SIZE, SIZE

SLANT = 0.35  # of horizontal shift per unit of height, either way
TURN = 0.22  # radians either way, 12.6 degrees
STRETCH = 0.18  # of the ratio of width to height, either way (natural logarithm)
SHRINK = 0.08  # of the ink's size, downwards: dust or a stray end made the box larger than the digit
WOBBLE = 1.1  # pixels, standard deviation of the elastic displacement at its coarse grid's points
WOBBLE_GRID = 5  # points each way over the picture
PEN = 1.0  # 1: from the darkest to the lightest of each pixel's neighbourhood
SHARE = 0.9  # of the pictures are varied; the rest stay as they are
_INK = 0.2  # of full ink: where the box around a picture's ink is drawn


def vary(images: torch.Tensor, generator: torch.Generator | None = None) -> torch.Tensor:
    """(N, 1, 28, 28) float pictures, 0 for paper and 1 for ink -> the same varied, in shape and range alike.

    Args:
        generator: where chance comes from; None for torch's global one.
    """
    inked = repen(images, generator)
    grid = _grid(inked, generator)  # (N, 28, 28, 2)
    moved = F.grid_sample(inked, grid, mode="bilinear", padding_mode="zeros", align_corners=True)
    kept = torch.rand(len(images), 1, 1, 1, generator=generator) > SHARE
    return torch.where(kept, images, _full_ink(moved))


def repen(images: torch.Tensor, generator: torch.Generator | None = None) -> torch.Tensor:
    """(N, 1, 28, 28) from 0 to 1 -> the same with thicker or thinner strokes, by up to two pixels."""
    change = torch.rand(len(images), 1, 1, 1, generator=generator) * 2 * PEN - PEN  # below 0: thinner
    thicker = F.max_pool2d(images, 3, stride=1, padding=1)
    thinner = 1 - F.max_pool2d(1 - images, 3, stride=1, padding=1)
    thinner = torch.maximum(thinner, images * 0.25)  # a thin stroke fades, but does not break
    other = torch.where(change > 0, thicker, thinner)
    return images + change.abs() * (other - images)


def _full_ink(images: torch.Tensor) -> torch.Tensor:
    """Each picture's strongest pixels made full ink, as `preprocess` does, and some of the blur taken back."""
    return (images / images.amax(dim=(2, 3), keepdim=True).clamp_min(0.05) * 1.15).clamp_max(1)


def _grid(images: torch.Tensor, generator: torch.Generator | None) -> torch.Tensor:
    """Where in each picture (N, 1, 28, 28) every pixel of its variant comes from: (N, 28, 28, 2), -1 to 1."""
    n = len(images)
    forward = _linear(n, generator)  # (N, 2, 2): where a point goes
    ink = images[:, 0] / images.sum(dim=(1, 2, 3)).clamp_min(1e-6)[:, None, None]
    steps = torch.arange(SIZE, dtype=torch.float32)
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    mean = torch.stack([(ink * x).sum((1, 2)), (ink * y).sum((1, 2))], dim=1)  # (N, 2)
    points = torch.stack([x, y], dim=-1).reshape(1, -1, 2) - mean[:, None]  # (N, 784, 2)
    reached = points @ forward.transpose(1, 2)
    inside = (images[:, 0] > _INK).reshape(n, -1, 1)
    far = torch.tensor(1e3)
    extent = torch.where(inside, reached, -far).amax(1) - torch.where(inside, reached, far).amin(1) + 1
    scale = INK_SIZE / extent.amax(1).clamp_min(1)  # (N,)
    scale = scale * (1 - SHRINK * torch.rand(n, generator=generator))
    back = torch.linalg.inv(forward * scale[:, None, None])
    jitter = torch.rand(n, 1, 2, generator=generator) - 0.5  # the centre is put at a whole pixel
    target = torch.stack([x, y], dim=-1).reshape(1, -1, 2) - CENTRE - jitter + _wobble(n, generator)
    source = target @ back.transpose(1, 2) + mean[:, None]
    return (source * (2 / (SIZE - 1)) - 1).reshape(n, SIZE, SIZE, 2)


def _linear(n: int, generator: torch.Generator | None) -> torch.Tensor:
    """(N, 2, 2): stretched, slanted, turned."""
    slant, turn, stretch = (
        (torch.rand(n, generator=generator) * 2 - 1) * most for most in (SLANT, TURN, STRETCH)
    )
    cos, sin, zero = turn.cos(), turn.sin(), torch.zeros(n)
    rotation = torch.stack([cos, -sin, sin, cos], dim=1).reshape(n, 2, 2)
    shape = torch.stack([stretch.exp(), -slant, zero, (-stretch).exp()], dim=1).reshape(n, 2, 2)
    return rotation @ shape


def _wobble(n: int, generator: torch.Generator | None) -> torch.Tensor:
    """(N, 784, 2) pixels: a smooth random displacement."""
    strength = torch.rand(n, 1, 1, 1, generator=generator) * WOBBLE
    coarse = torch.randn(n, 2, WOBBLE_GRID, WOBBLE_GRID, generator=generator) * strength
    fine = F.interpolate(coarse, size=(SIZE, SIZE), mode="bicubic", align_corners=True)
    return fine.reshape(n, 2, -1).transpose(1, 2)
