"""How well two kinds of things are told apart by a score."""

from __future__ import annotations

import numpy as np


def area_under_curve(of_these: np.ndarray, of_others: np.ndarray) -> float:
    """The area under the ROC curve: how often one of these has a higher score than one of the others."""
    over = of_these[:, None] - of_others
    return float(np.mean((over > 0) + (over == 0) / 2))
