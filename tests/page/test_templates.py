"""What the templates get from Python: values that are there, pictures, files, numbers."""

from __future__ import annotations

import base64
import io
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from bars import TINY
from jinja2 import UndefinedError
from PIL import Image

from mnist_core.page.templates import data_url, png, render
from mnist_core.page.views import status
from mnist_core.page.views.results import results
from mnist_core.runs import SHIPPED, Visit
from mnist_core.runs.examine import Examination, Mistake
from mnist_core.runs.run import Run


class _Pictures(HTMLParser):
    """Collects where a page's pictures are."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.sources.append(dict(attrs)["src"] or "")


def test_a_value_that_a_template_does_not_get_is_an_error_and_not_an_empty_text() -> None:
    with pytest.raises(UndefinedError, match="title"):
        render("masthead.html")


def test_a_labelled_drawing_is_shown_as_dark_ink_on_light() -> None:
    visit = Visit()
    drawing = np.random.default_rng(0).integers(0, 256, (28, 28), np.uint8)
    visit.drawings.append((drawing, 7))
    (source,) = _Pictures(status.fine_tuning(visit, unfolded=True)).sources
    kind, data = source.split(",")
    assert kind == "data:image/png;base64"
    assert (np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))) == 255 - drawing).all()


def test_a_digit_has_the_article_that_it_is_spoken_with() -> None:
    shown = render("inside.html", classes=10)
    assert '<option value="7">a 7</option>' in shown and '<option value="8">an 8</option>' in shown
    visit, run = Visit(), Run("Run 1", TINY)
    visit.panel, run.weights = "mistakes", {}
    worst = [Mistake(3, np.zeros((28, 28), np.uint8), 8, "3", 0.9)]
    found = Examination(1, None, torch.zeros(10, 10, dtype=torch.int64), 1, worst)
    assert 'aria-label="An 8 read as 3: put it on the pad"' in results(visit, run, found, SHIPPED)


def test_a_file_comes_back_from_its_address() -> None:
    content = png(np.zeros((3, 5), np.uint8))
    assert Image.open(io.BytesIO(content)).size == (5, 3)
    kind, data = data_url(content, "image/png").split(",")
    assert (kind, base64.b64decode(data)) == ("data:image/png;base64", content)
