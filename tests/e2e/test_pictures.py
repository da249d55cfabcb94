"""Pictures on the pad: samples, test images, and files by button, drop and paste."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hand import ONE, at_rest, digit, draw
from PIL import Image, ImageDraw

pytestmark = pytest.mark.browser

OpenPage = Callable[..., Any]


def test_a_sample_draws_itself(server: Any, open_page: OpenPage) -> None:
    page = open_page(server.url)
    page.get_by_role("button", name="Draw a sample: 5").click()
    page.wait_for_function("document.querySelector('#prediction').dataset.digit === '5'")
    assert page.locator("#model-input").evaluate(
        "(c) => c.getContext('2d').getImageData(0, 0, 28, 28).data.some((v, i) => i % 4 < 3 && v > 200)"
    )


@pytest.mark.mnist
def test_a_random_test_image_comes_with_its_ground_truth(server: Any, open_page: OpenPage) -> None:
    page = open_page(server.url)
    page.get_by_role("button", name="A random test image").click()
    caption = page.locator("#digit-pad .caption")
    page.wait_for_function(
        "document.querySelector('#digit-pad .caption').textContent.includes('ground truth')"
    )
    truth = caption.inner_text()[-1]
    at_rest(page)
    shares = page.locator("#probabilities li").evaluate_all(
        "(rows) => rows.map((r) => Number(r.dataset.probability))"
    )
    assert truth.isdigit()
    assert sum(shares) == pytest.approx(1, abs=0.01)
    draw(page, ONE)
    assert caption.inner_text() == ""


def seven_on_grey_paper() -> bytes:
    """A small JPEG of a seven, as a camera might see it."""
    grey = np.full((300, 400, 3), 190, np.uint8)
    grey[60:80, 120:280] = grey[60:240, 260:280] = 60
    file = io.BytesIO()
    Image.fromarray(grey).save(file, "JPEG", quality=80)
    return file.getvalue()


GIVE = """([how, base64, type]) => {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const data = new DataTransfer();
  data.items.add(new File([bytes], 'given', { type }));
  const options = { bubbles: true, cancelable: true };
  const event = how === 'paste'
    ? new ClipboardEvent('paste', { ...options, clipboardData: data })
    : new DragEvent('drop', { ...options, dataTransfer: data });
  (how === 'paste' ? document : document.querySelector('#digit-pad canvas')).dispatchEvent(event);
}"""


@pytest.mark.parametrize("how", ["file", "drop", "paste"])
def test_a_picture_is_read_and_a_file_that_is_none_is_explained(
    how: str, server: Any, open_page: OpenPage
) -> None:
    page = open_page(server.url)

    def give(content: bytes, kind: str) -> None:
        if how == "file":
            chooser = page.locator("#digit-pad input[type=file]")
            chooser.set_input_files({"name": "given", "mimeType": kind, "buffer": content})
        else:
            page.evaluate(GIVE, [how, base64.b64encode(content).decode(), kind])

    for kind in ("image/jpeg", ""):  # a file whose name has no extension has no type
        give(seven_on_grey_paper(), kind)
        page.wait_for_function("document.querySelector('#prediction').dataset.digit === '7'")
        page.locator("#pad-clear").click()
    give(seven_on_grey_paper(), "image/jpeg")
    page.wait_for_function("document.querySelector('#prediction').dataset.digit === '7'")
    give(b"no picture", "image/png")
    page.wait_for_function("document.querySelector('#digit-pad .caption').textContent.includes('Try a PNG')")
    give(b"\0\0\0\x18ftypheic", "")  # a phone's picture, of which the browser knows neither type nor format
    page.wait_for_function("document.querySelector('#digit-pad .caption').textContent.includes('HEIC')")
    give(b"words", "text/plain")
    page.wait_for_function("document.querySelector('#digit-pad .caption').textContent.includes('image file')")
    assert digit(page) == "7"


def test_a_picture_dragged_from_another_page_is_told_what_to_do(server: Any, open_page: OpenPage) -> None:
    page = open_page(server.url)
    page.evaluate(
        """() => {
          const dataTransfer = new DataTransfer();
          dataTransfer.setData('text/uri-list', 'https://other.example/seven.png');
          const drop = new DragEvent('drop', { bubbles: true, cancelable: true, dataTransfer });
          document.querySelector('#digit-pad canvas').dispatchEvent(drop);
        }"""
    )
    caption = page.locator("#digit-pad .caption")
    assert caption.inner_text() == "Save that picture first, then drop its image file."


def test_white_ink_on_nothing_is_laid_on_dark(server: Any, open_page: OpenPage) -> None:
    image = Image.new("RGBA", (200, 200))
    ImageDraw.Draw(image).line([(60, 50), (140, 50), (90, 150)], fill=(255, 255, 255, 255), width=14)
    file = io.BytesIO()
    image.save(file, "PNG")
    page = open_page(server.url)
    chooser = page.locator("#digit-pad input[type=file]")
    chooser.set_input_files({"name": "seven.png", "mimeType": "image/png", "buffer": file.getvalue()})
    page.wait_for_function("document.querySelector('#prediction').dataset.digit === '7'")
