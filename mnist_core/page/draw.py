"""The Draw tab: the pad, and what is read on it."""

from __future__ import annotations

import gradio as gr

from mnist_core.page.pad import DigitPad, Drawing
from mnist_core.page.reading import Answer, Reading, reader


async def read(drawing: Drawing) -> Answer:
    """What the chosen weights read in a drawing."""
    return await reader.read(drawing)


def draw_tab() -> None:
    """Place the tab's parts; call it inside its `gr.Tab`."""
    with gr.Row(elem_id="desk"):
        pad = DigitPad()
        reading = Reading()
    pad.input(
        read,
        pad,
        reading,
        queue=False,
        trigger_mode="always_last",
        show_progress="hidden",
        api_visibility="private",
    )
