"""Pictures for tests: scribbles and sketches, photographs of drawings, numbers of several digits.

Nothing here is trained on.
"""

from __future__ import annotations

import io
import itertools

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

Strokes = list[np.ndarray]  # each (points, 2), x to the right and y downwards
CANVAS = 280  # pixels


def draw(strokes: Strokes, *, size: float = 0.6, pen: float = 0.04, canvas: int = CANVAS) -> Image.Image:
    """Strokes in black ink in the middle of a white square, "L"; `size` and `pen` are shares of its side."""
    points = np.concatenate(strokes)
    low, high = points.min(axis=0), points.max(axis=0)
    scale = canvas * size / max(float((high - low).max()), 1e-9)
    return ink(
        [(stroke - (low + high) / 2) * scale + canvas / 2 for stroke in strokes],
        (canvas, canvas),
        canvas * pen,
    )


def ink(paths: Strokes, size: tuple[int, int], pen: float) -> Image.Image:
    """Paths in pixels as black ink on white, with smooth edges and round ends."""
    image = Image.new("L", (size[0] * 2, size[1] * 2), 255)
    pencil, radius = ImageDraw.Draw(image), pen
    for path in paths:
        points = [(float(x) * 2, float(y) * 2) for x, y in path]
        if len(points) > 1:
            pencil.line(points, fill=0, width=round(pen * 2), joint="curve")
        for x, y in points:
            pencil.ellipse([x - radius, y - radius, x + radius, y + radius], fill=0)
    return image.resize(size, Image.Resampling.BOX)


# No digits


def scribble(rng: np.random.Generator) -> Image.Image:
    """Aimless pen work: a tangle, a zigzag, a spiral, or hatching."""
    kind = rng.integers(4)
    t = np.linspace(0, 1, 120)
    if kind == 0:
        corners = rng.uniform(0, 1, (rng.integers(8, 16), 2))
        strokes = [_smooth(corners)]
    elif kind == 1:
        teeth = rng.integers(5, 10)
        strokes = [
            np.stack([np.linspace(0, 1, teeth * 2), np.tile([0, 1], teeth) * rng.uniform(0.5, 1)], axis=1)
        ]
        strokes[0] = strokes[0] + rng.normal(0, 0.05, strokes[0].shape)
    elif kind == 2:
        angle = t * 2 * np.pi * rng.uniform(3, 5)
        strokes = [np.stack([t * np.cos(angle), t * np.sin(angle) * rng.uniform(0.6, 1)], axis=1)]
    else:
        lines = rng.integers(5, 9)
        slopes = [np.array([(0, i / lines), (1, i / lines + 0.2)]) for i in range(lines)]
        strokes = [slope + rng.normal(0, 0.04, (2, 2)) for slope in slopes]
    return draw([_turned(stroke, rng.uniform(-0.6, 0.6)) for stroke in strokes], **_pad(rng))


def sketch(rng: np.random.Generator) -> Image.Image:
    """A face, a house, a star or an arrow, as a child draws them."""
    strokes = (_face, _house, _star, _arrow)[rng.integers(4)](rng)
    strokes = [stroke + rng.normal(0, 0.012, stroke.shape) for stroke in strokes]
    return draw([_turned(stroke, rng.normal(0, 0.1)) for stroke in strokes], **_pad(rng))


def _pad(rng: np.random.Generator) -> dict[str, float]:
    return {"size": rng.uniform(0.4, 0.85), "pen": rng.choice([0.022, 0.035, 0.05])}


def _arc(
    x: float, y: float, rx: float, ry: float, start: float = 0, end: float = 1, n: int = 40
) -> np.ndarray:
    """Part of an ellipse; `start` and `end` in turns, clockwise from the right."""
    angle = np.linspace(start, end, n) * 2 * np.pi
    return np.stack([x + rx * np.cos(angle), y + ry * np.sin(angle)], axis=1)


def _face(rng: np.random.Generator) -> Strokes:
    eye, height = rng.uniform(0.02, 0.08), rng.uniform(0.8, 1.2)
    mouth = (
        _arc(0, 0.2, 0.45, 0.35, 0.05, 0.45) if rng.random() < 0.7 else _arc(0, 0.65, 0.4, 0.3, 0.55, 0.95)
    )
    strokes = [_arc(0, 0, 1, height), _arc(-0.4, -0.3, eye, eye), _arc(0.4, -0.3, eye, eye), mouth]
    if rng.random() < 0.5:
        strokes.append(np.array([(0, -0.15), (-0.08, 0.15), (0.08, 0.15)]))
    return strokes


def _house(rng: np.random.Generator) -> Strokes:
    wide, roof = rng.uniform(0.8, 1.4), rng.uniform(0.5, 0.9)
    walls = np.array([(0, 0), (0, 1), (wide, 1), (wide, 0), (0, 0)])
    strokes = [walls, np.array([(-0.1, 0), (wide / 2, -roof), (wide + 0.1, 0)])]
    if rng.random() < 0.8:
        strokes.append(np.array([(wide * 0.4, 1), (wide * 0.4, 0.5), (wide * 0.65, 0.5), (wide * 0.65, 1)]))
    return strokes


def _star(rng: np.random.Generator) -> Strokes:
    if rng.random() < 0.5:  # in one line through the middle
        angle = (np.arange(6) * 2 / 5 - 0.25) * 2 * np.pi
        return [np.stack([np.cos(angle), np.sin(angle)], axis=1)]
    angle = (np.arange(11) / 10 - 0.25) * 2 * np.pi
    radius = np.where(np.arange(11) % 2, rng.uniform(0.35, 0.5), 1)
    return [np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)]


def _arrow(rng: np.random.Generator) -> Strokes:
    barb, way = rng.uniform(0.15, 0.35), rng.uniform(-1, 1)
    shaft, head = np.array([(0, 0), (1, 0)]), np.array([(1 - barb, -barb), (1, 0), (1 - barb, barb)])
    strokes = [shaft, head] if rng.random() < 0.7 else [shaft, head, head * (-1, 1) + (1, 0)]
    return [_turned(stroke, way * np.pi) for stroke in strokes]


def _turned(stroke: np.ndarray, angle: float) -> np.ndarray:
    cos, sin = np.cos(angle), np.sin(angle)
    return stroke @ np.array([[cos, sin], [-sin, cos]])


def _smooth(corners: np.ndarray, per_corner: int = 12) -> np.ndarray:
    """A curve near the corners: their polyline, thrice averaged."""
    steps = np.linspace(0, len(corners) - 1, len(corners) * per_corner)
    path = np.stack([np.interp(steps, np.arange(len(corners)), axis) for axis in corners.T], axis=1)
    for _ in range(3):
        path[1:-1] = np.stack([np.convolve(axis, np.ones(3) / 3, "valid") for axis in path.T], axis=1)
    return path


# Numbers of several digits


def number(
    digits: list[Strokes],
    rng: np.random.Generator,
    *,
    touching: bool = False,
    height: float = 80,
    pen: float = 7,
) -> Image.Image:
    """Digits side by side as one writes a number (`number_lines`): black on white, "L"."""
    paths, size = number_lines(digits, rng, touching=touching, height=height, pen=pen)
    return ink(paths, size, pen)


def number_lines(
    digits: list[Strokes], rng: np.random.Generator, *, touching: bool, height: float, pen: float
) -> tuple[Strokes, tuple[int, int]]:
    """The pen's paths for a number and the size of its sheet, all in pixels, as are `height` and `pen`.

    Each digit's height varies by 8 %, its foot by 4 %. Between the ink of neighbours lie 8 to 30 % of the
    height; or, `touching`, they are pushed together until their ink meets, by up to half a pen's width more.
    """
    paths: Strokes = []
    right = np.full(round(height * 3), -np.inf)  # pixels: how far the ink reaches in each row so far
    for strokes in digits:
        points = np.concatenate(strokes)
        low, high = points.min(axis=0), points.max(axis=0)
        tall = max(float((high - low)[1]), 0.6 * float((high - low)[0]))
        scale = height * rng.uniform(0.92, 1.08) / tall
        foot = height * (1.9 + rng.uniform(-0.04, 0.04))
        origin = np.array([low[0], high[1]])
        placed = [(stroke - origin) * scale + np.array([0, foot]) for stroke in strokes]
        rows, xs = _dense(placed)
        if not paths:
            shift = 0.0
        elif touching:
            shift = -_room(right, rows, xs, round(pen)) + pen - rng.uniform(0, 0.5) * pen
        else:
            shift = float(right.max()) + pen + rng.uniform(0.08, 0.3) * height
        paths += [stroke + np.array([shift, 0]) for stroke in placed]
        np.maximum.at(right, rows, xs + shift)
    points = np.concatenate(paths)
    low, high = points.min(axis=0), points.max(axis=0)
    margin = np.array([rng.uniform(0.3, 1), rng.uniform(0.3, 1)]) * height
    across, down = (int(side) for side in high - low + 2 * margin)
    return [path - low + margin for path in paths], (across, down)


def _dense(paths: Strokes) -> tuple[np.ndarray, np.ndarray]:
    """The rows and x positions of the paths, in pixels, at least one point a row."""
    points = np.concatenate(
        [
            a + np.linspace(0, 1, 40)[:, None] * (b - a)
            for path in paths
            for a, b in itertools.pairwise([*path, path[-1]])
        ]
    )
    return points[:, 1].astype(int), points[:, 0]


def _room(right: np.ndarray, rows: np.ndarray, xs: np.ndarray, reach: int) -> float:
    """How far the new digit may move left before its path meets another's, `reach` rows off at most."""
    near = np.max([np.roll(right, step) for step in range(-reach // 2, reach // 2 + 1)], axis=0)
    return float((xs - near[rows]).min())


# Photographs


def plain_photograph(drawing: Image.Image, rng: np.random.Generator, *, paper: int, ink: int) -> Image.Image:
    """A drawing (black on white, "L") photographed on a plain sheet or board, of these grey levels.

    The light falls off by 15 % across the picture, the grain has a standard deviation of 3 grey levels, and
    JPEG's quality is 75.
    """
    size = drawing.width
    share = 1 - np.asarray(drawing, np.float64) / 255
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    along = (x * np.cos(angle) + y * np.sin(angle)) / (abs(np.cos(angle)) + abs(np.sin(angle)))  # -1 to 1
    light = 1 - (along + 1) / 2 * 0.15
    grey = (paper + (ink - paper) * share) * light + rng.normal(0, 3, (size, size))
    file = io.BytesIO()
    photo = Image.fromarray(grey.clip(0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(0.8))
    photo.save(file, "JPEG", quality=75)
    return Image.open(file)


def photograph(drawing: Image.Image, rng: np.random.Generator, *, turn: float = 10) -> Image.Image:
    """A drawing (black on white, "L") as a phone takes it: grey ruled paper, turned, lit from one side.

    The light falls off by 2:1 to 3:1 across the picture, the grain has a standard deviation of 8 to 12 grey
    levels, the sheet is turned by up to `turn` degrees, and JPEG's quality is 60.
    """
    size = drawing.width
    ink_share = 1 - np.asarray(drawing, np.float64) / 255
    rules = np.zeros((size, size))
    gap = rng.uniform(0.09, 0.16) * size
    for y in np.arange(rng.uniform(0, gap), size, gap):
        rules[int(y) : int(y) + max(1, size // 200)] = rng.uniform(0.2, 0.4)
    sheet = Image.fromarray(np.maximum(ink_share * rng.uniform(0.65, 0.9), rules).astype(np.float32))
    sheet = sheet.rotate(rng.uniform(-turn, turn), Image.Resampling.BILINEAR)
    reflected = rng.uniform(0.7, 0.9) * (1 - np.asarray(sheet, np.float64))  # of the light
    angle, ratio = rng.uniform(0, 2 * np.pi), rng.uniform(2, 3)
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    along = (x * np.cos(angle) + y * np.sin(angle)) / (abs(np.cos(angle)) + abs(np.sin(angle)))  # -1 to 1
    light = 1 - (along + 1) / 2 * (1 - 1 / ratio)
    grey = 255 * reflected * light + rng.normal(0, rng.uniform(8, 12), (size, size))
    file = io.BytesIO()
    photo = Image.fromarray(grey.clip(0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(0.6))
    photo.save(file, "JPEG", quality=60)
    return Image.open(file)
