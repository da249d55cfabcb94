"""A part of the page that the server writes as HTML, and whose buttons and fields it hears of."""

from __future__ import annotations

from typing import Any

from mnist_core.page.components.view import View


class Panel(View):
    """Shows the HTML that handlers return. An element with `data-act` triggers `act` when it is used.

    `panel.act(handler, inputs, outputs)`: the handler takes a `gr.EventData` whose `act`, and whatever other
    `data-` attributes the element has, say what was used; fields add their `value`. All of it comes from the
    client, so handlers check it.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__("panel", "${value}", events=("act",), **options)
