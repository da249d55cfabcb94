"""A part of the page that the server writes as HTML, and whose buttons and fields it hears of."""

from __future__ import annotations

from typing import Any

import gradio as gr

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
