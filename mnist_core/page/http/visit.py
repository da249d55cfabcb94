"""A visit's secret: the only key to a visitor's own runs, weights and stream.

The page makes 32 random bytes with `crypto.getRandomValues` before anything else runs (`assets/js/visit.js`)
and keeps them in `sessionStorage`: a reload continues the same visit, a new tab starts another, a duplicated
one too, and closing the tab forgets it. The secret travels in two places and nowhere else: in the body, as
the first input of every one of Gradio's handlers that touches a visit's own things (`VisitSecret`), and in
the `X-Visit` header. There our own routes look for it (`routes`), and by it the guard ties Gradio's
`session_hash` to the visit. Neither is part of an address, and the server never sends a secret back, logs it
or names a file by it.
"""

from __future__ import annotations

import re
from typing import Any

import gradio as gr

from mnist_core.page.theme import asset

HEADER = b"x-visit"
SCRIPT = asset("js/visit.js")
_SECRET = re.compile(r"[0-9a-f]{64}")  # 32 bytes


def is_secret(value: Any) -> bool:
    """Whether `value` has the form of a visit's secret; it need not be in use."""
    return isinstance(value, str) and _SECRET.fullmatch(value) is not None


class VisitSecret(gr.HTML):
    """An invisible component whose value is the visit's secret; place it once, outside the tabs.

    Handlers take it as their first input and receive a `str` of 64 hexadecimal digits. It is never an output.
    """

    def __init__(self) -> None:
        super().__init__(
            value="",
            html_template="",
            # Gradio fills in the first value after this script has run; the timeout comes later still.
            js_on_load="setTimeout(() => { props.value = window.visitSecret; });",
            elem_id="visit-secret",
            visible="hidden",
        )

    def preprocess(self, payload: Any) -> str:
        """The secret as the page sent it.

        Raises:
            gr.Error: it is missing or not 64 hexadecimal digits, which the page itself never sends.
        """
        if not is_secret(payload):
            raise gr.Error(
                "This visit has lost its key. Reload the page and try again.", print_exception=False
            )
        return str(payload)

    def postprocess(self, value: Any) -> str:
        """Always empty: the server sends no secret to anyone."""
        return ""

    def get_block_name(self) -> str:
        return "html"

    def api_info(self) -> dict[str, Any]:
        return {"type": "string"}
