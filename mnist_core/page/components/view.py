"""A part of the page that a module below `assets/js` draws."""

from __future__ import annotations

from typing import Any

import gradio as gr

from mnist_core.page.theme import mount


class View(gr.HTML):
    """Markup, and the module that draws in it. It is looked at: what a client sends as its value is dropped.

    Args:
        module: a path below `assets/js`, without its ending.
        markup: in which Gradio puts the value in the place of `${value}`; without that it is never rendered
            again.
        events: what the module triggers besides Gradio's own events.
    """

    def __init__(self, module: str, markup: str, *, events: tuple[str, ...] = (), **options: Any) -> None:
        options = {"value": None, "apply_default_css": False} | options
        super().__init__(html_template=markup, js_on_load=mount(module, *events), **options)

    def preprocess(self, payload: Any) -> Any:
        return None

    def postprocess(self, value: Any) -> Any:
        """What the module gets as `services.value`: plain JSON."""
        return value

    def get_block_name(self) -> str:
        return "html"

    def api_info(self) -> dict[str, Any]:
        return {}  # any JSON, and for no program
