"""A round pen on a picture."""

from __future__ import annotations

import numpy as np
from PIL import ImageDraw


def draw_line(pencil: ImageDraw.ImageDraw, path: np.ndarray, width: float, fill: int) -> None:
    """One line with round ends and joints; `path` and `width` in pixels, `fill` a grey level."""
    corners = [(float(x), float(y)) for x, y in path]
    pencil.line(corners, fill=fill, width=max(1, round(width)))
    radius = width / 2
    if radius >= 1:
        for x, y in corners:
            pencil.ellipse([x - radius, y - radius, x + radius, y + radius], fill=fill)
