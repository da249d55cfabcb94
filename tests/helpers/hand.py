"""A hand for the browser tests: strokes by mouse, finger or pen, as real pointer events."""

from __future__ import annotations

import itertools
import time
from typing import Any

PAD = "#digit-pad canvas"
Path = list[tuple[float, float]]  # points in parts of the pad, from 0 to 1

SEVEN: list[Path] = [[(0.3, 0.25), (0.7, 0.25), (0.45, 0.8)]]
ONE: list[Path] = [[(0.5, 0.2), (0.5, 0.8)]]
FOUR_TWO: list[Path] = [
    [(0.25, 0.3), (0.12, 0.55), (0.4, 0.55)],
    [(0.33, 0.4), (0.31, 0.72)],
    [(0.56, 0.38), (0.64, 0.3), (0.74, 0.36), (0.72, 0.46), (0.56, 0.7), (0.8, 0.7)],
]
SCRIBBLE: list[Path] = [
    [(0.2, 0.2), (0.8, 0.8), (0.2, 0.75), (0.8, 0.2), (0.25, 0.5), (0.75, 0.55), (0.5, 0.15), (0.45, 0.85)]
]


# The page's own module, which a predicate of `wait_for_function` cannot import: it may not be asynchronous.
_AT_REST = """
async () => {
  const { shared: { sheet } } = await import(new URL("app/services.js", document.baseURI));
  const answered = () => Number(document.querySelector('#prediction')?.dataset.update);
  const end = performance.now() + 30_000;
  while (sheet.drawing() || answered() !== sheet.begun()) {
    if (performance.now() > end) throw new Error(`update ${sheet.begun()}, answered up to ${answered()}`);
    await new Promise((done) => setTimeout(done, 20));
  }
}
"""


def on_screen(page: Any, path: Path, steps: int = 8, pad: str = PAD) -> list[tuple[float, float]]:
    """The path in CSS pixels, `steps` points to each of its lines."""
    page.locator(".pad[data-ready]").first.wait_for(state="attached")
    box = page.locator(pad).bounding_box()
    points = [path[0]]
    for (x0, y0), (x1, y1) in itertools.pairwise(path):
        points += [(x0 + (x1 - x0) * i / steps, y0 + (y1 - y0) * i / steps) for i in range(1, steps + 1)]
    return [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]


def draw(page: Any, paths: list[Path], *, seconds: float = 0.0, lift: bool = True, pad: str = PAD) -> None:
    """Draw with the mouse, each path in about `seconds`; without `lift` the button stays down at the end."""
    for path in paths:
        points = on_screen(page, path, pad=pad)
        page.mouse.move(*points[0])
        page.mouse.down()
        start = time.perf_counter()
        for i, point in enumerate(points[1:], 1):
            page.mouse.move(*point)
            time.sleep(max(0.0, start + seconds * i / (len(points) - 1) - time.perf_counter()))
        if lift:
            page.mouse.up()


def touch(page: Any, paths: list[Path]) -> None:
    """Draw with a finger."""
    protocol = page.context.new_cdp_session(page)
    for path in paths:
        points = on_screen(page, path)
        for kind, (x, y) in zip(["touchStart"] + ["touchMove"] * (len(points) - 1), points, strict=True):
            protocol.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
        protocol.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    protocol.detach()


def ink(page: Any, selector: str = PAD) -> int:
    """How many pixels of a pad's canvas are darker than mid-grey, once what has changed is painted."""
    return page.locator(selector).evaluate(
        """async (canvas) => {
          await new Promise((painted) => requestAnimationFrame(() => requestAnimationFrame(painted)));
          const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
          let dark = 0;
          for (let i = 0; i < data.length; i += 4) dark += data[i] < 128;
          return dark;
        }"""
    )


def at_rest(page: Any) -> None:
    """Wait until what is on screen answers the latest update of the pad."""
    page.evaluate(_AT_REST)


def digit(page: Any) -> str:
    """What is read on the pad at rest: "0" to "9", or "" when blank, unsure or several digits."""
    at_rest(page)
    return page.locator("#prediction").get_attribute("data-digit")
