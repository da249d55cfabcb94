"""A part of the page that the server writes as HTML, and whose buttons and fields it hears of."""

from __future__ import annotations

import base64
import io
from html import escape
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image

from mnist_core.page.theme import mount


class Panel(gr.HTML):
    """Shows the HTML that handlers return. An element with `data-act` triggers `act` when it is used.

    `panel.act(handler, inputs, outputs)`: the handler takes a `gr.EventData` whose `act`, and whatever other
    `data-` attributes the element has, say what was used; fields add their `value`. All of it comes from the
    client, so handlers check it.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(
            js_on_load=mount("panel", "act"),
            apply_default_css=False,
            **options,
        )

    def preprocess(self, payload: Any) -> None:
        """A panel is looked at, not read back: whatever a client sends as its value is dropped."""
        return None

    def api_info(self) -> dict[str, Any]:
        return {"type": "string"}


def button(text: str, act: str, *, kind: str = "", title: str = "", **data: Any) -> str:
    """A button that triggers `act` with these `data-` attributes."""
    attributes = "".join(f' data-{name}="{escape(str(value))}"' for name, value in data.items())
    hint = f' title="{escape(title)}" aria-label="{escape(title)}"' if title else ""
    return f'<button type="button" class="{kind}" data-act="{act}"{attributes}{hint}>{escape(text)}</button>'


def picture(pixels: np.ndarray, said: str) -> str:
    """A small grey picture (H, W) uint8, 0 for paper as MNIST has it, shown as dark ink on light."""
    file = io.BytesIO()
    Image.fromarray(255 - pixels).save(file, "PNG")
    data = base64.b64encode(file.getvalue()).decode()
    return f'<img class="digit" src="data:image/png;base64,{data}" alt="{escape(said)}">'


def download(content: bytes, name: str, kind: str, text: str) -> str:
    """A link that saves `content` as a file, without the server keeping one."""
    data = base64.b64encode(content).decode()
    return f'<a class="save" download="{escape(name)}" href="data:{kind};base64,{data}">{escape(text)}</a>'
