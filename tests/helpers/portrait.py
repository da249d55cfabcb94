"""Take the README's picture of the page: a digit drawn, and read.

PYTHONPATH=.:tests/e2e python tests/helpers/portrait.py http://127.0.0.1:7860 assets/images/page.png
"""

from __future__ import annotations

import sys

import numpy as np
from conftest import CHROMIUM_ARGUMENTS, find_chromium
from hand import at_rest, draw
from playwright.sync_api import sync_playwright

from mnist_core.datasets.synthetic import drawing

SEED = 4  # a five in a pleasant hand


def five() -> list[list[tuple[float, float]]]:
    """A synthetic five, in parts of the pad."""
    strokes = drawing(5, np.random.default_rng(SEED))
    points = np.concatenate(strokes)
    low, high = points.min(axis=0), points.max(axis=0)
    placed = [(stroke - (low + high) / 2) / (high - low).max() * 0.6 + 0.5 for stroke in strokes]
    return [[(float(x), float(y)) for x, y in stroke] for stroke in placed]


def main(address: str, path: str) -> None:
    """Draw on the page at `address` and save a screenshot of it at `path`."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=find_chromium(), args=list(CHROMIUM_ARGUMENTS))
        page = browser.new_page(viewport={"width": 1080, "height": 750}, color_scheme="light")
        page.goto(address)
        page.locator("#digit-pad canvas").wait_for()
        draw(page, five(), seconds=0.4)
        at_rest(page)
        page.mouse.move(0, 0)
        page.wait_for_timeout(500)  # the bars come to rest
        page.screenshot(path=path)
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
