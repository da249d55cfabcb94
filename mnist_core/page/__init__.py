"""The page, assembled from its tabs. The only part of `mnist_core` that imports Gradio."""

from __future__ import annotations

import gradio as gr

from mnist_core.page.theme import look

__all__ = ["build", "look"]


def build() -> gr.Blocks:
    """The whole page, not yet launched."""
    with gr.Blocks(title="Handwritten digits, read as you draw") as demo:
        gr.HTML("<h1>Handwritten digits</h1>", elem_id="masthead")
        with gr.Tabs(elem_id="rooms"):
            with gr.Tab("Draw", id="draw"):
                pass
            with gr.Tab("Train", id="train"):
                pass
            with gr.Tab("Look inside", id="inside"):
                pass
    return demo
