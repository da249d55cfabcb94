"""HTML from the templates below `assets/templates/`, where every value is escaped.

What Python hands to `render` is shown as text, whoever wrote it. Only `head.html` trusts its values: they are
files of our own.
"""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image

from mnist_core.answers import with_article
from mnist_core.page.views.percent import percent, share

ASSETS = Path(__file__).resolve().parents[2] / "assets"


def render(name: str, /, **values: Any) -> str:
    """The template `name`, such as "status.html", with these values.

    Raises:
        jinja2.UndefinedError: the template uses a value that is not among them.
    """
    return _environment.get_template(name).render(values)


def png(pixels: np.ndarray) -> bytes:
    """A grey picture (H, W) uint8, 0 for paper as MNIST has it, as a file: dark ink on light."""
    file = io.BytesIO()
    Image.fromarray(255 - pixels).save(file, "PNG")
    return file.getvalue()


def data_url(content: bytes, kind: str) -> str:
    """A file of the media type `kind` as an address, so that the server need not keep it."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


_environment = Environment(
    loader=FileSystemLoader(ASSETS / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    # The files do not change while the page is served: a template is looked for once, not at every update.
    auto_reload=False,
)
_environment.filters.update(
    png=png, data_url=data_url, number=format, percent=percent, share=share, with_article=with_article
)
