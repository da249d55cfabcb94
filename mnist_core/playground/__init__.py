"""The book's chapter, hands on: a list of toys, each a plain function that computes with torch and shows how.

A toy takes the values of its controls and returns a `Scene`: grids, diagrams, tables and curves as plain
values, and the same in words. Nothing here renders, and nothing touches torch's global random generator, so
a toy never disturbs a training run.
"""

from __future__ import annotations

from mnist_core.playground import activations, by_hand, graphs, layers, optimizers, tensors
from mnist_core.playground.scene import Scene, Toy

__all__ = ["TOYS", "Scene", "Toy"]

TOYS: dict[str, Toy] = {
    toy.name: toy for part in (layers, activations, optimizers, graphs, tensors, by_hand) for toy in part.TOYS
}
