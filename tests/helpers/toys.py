"""What a toy shows."""

from __future__ import annotations

from typing import Any

from mnist_core.playground import TOYS, Scene


def scene_of(name: str, **given: Any) -> Scene:
    """The toy's scene for these values of its controls, and the defaults of the others."""
    toy = TOYS[name]
    return toy.show(**toy.values(given))
