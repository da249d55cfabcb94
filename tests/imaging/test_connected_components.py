"""Connected components, against a flood fill."""

from __future__ import annotations

import numpy as np

from mnist_core.imaging.connected_components import components


def flood(mask: np.ndarray) -> np.ndarray:
    """The parts of a mask numbered as their first pixels come, -1 elsewhere, one pixel at a time."""
    labels, count = np.full(mask.shape, -1), 0
    for start in zip(*np.nonzero(mask), strict=True):
        if labels[start] >= 0:
            continue
        waiting = [start]
        while waiting:
            y, x = waiting.pop()
            if 0 <= y < mask.shape[0] and 0 <= x < mask.shape[1] and mask[y, x] and labels[y, x] < 0:
                labels[y, x] = count
                waiting += [(y + down, x + right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
        count += 1
    return labels


def test_parts_their_boxes_and_areas_are_those_of_a_flood_fill() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        mask = rng.random(rng.integers(1, 20, 2)) < rng.uniform(0.05, 0.7)
        found, wanted = components(mask), flood(mask)
        assert np.array_equal(found.labels, wanted)
        assert len(found) == wanted.max(initial=-1) + 1
        for part, (box, area) in enumerate(zip(found.boxes, found.areas, strict=True)):
            rows, columns = np.nonzero(wanted == part)
            assert tuple(box) == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            assert area == len(rows)


def test_ink_on_opposite_edges_is_not_joined_around_the_picture() -> None:
    mask = np.zeros((4, 6), bool)
    mask[1, 5] = mask[2, 0] = True
    assert len(components(mask)) == 2
