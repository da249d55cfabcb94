"""The page, assembled from its tabs. The only part of `mnist_core` that imports Gradio."""

from __future__ import annotations

import gradio as gr

from mnist_core.page import launch
from mnist_core.page.components.reading import reader
from mnist_core.page.http.api import predict_endpoint
from mnist_core.page.http.errors import CarefulBlocks
from mnist_core.page.http.visit import VisitSecret
from mnist_core.page.tabs.draw import draw_tab
from mnist_core.page.tabs.inside import inside_tab
from mnist_core.page.tabs.train import train_tab
from mnist_core.page.templates import render
from mnist_core.page.theme import look
from mnist_core.runs import registry

__all__ = ["build", "serve", "warm_up"]

TITLE = "Digits, read as you draw"


def build() -> CarefulBlocks:
    """The whole page, not yet launched."""
    with CarefulBlocks(title=TITLE) as demo:
        gr.HTML(render("masthead.html", title=TITLE), elem_id="masthead")
        predict_endpoint()  # first: Gradio's client takes the page's first function for `/predict`
        secret = VisitSecret()
        with gr.Tabs(elem_id="tabs"):
            with gr.Tab("Draw", id="draw") as draw:
                weights = draw_tab(secret, draw, demo)
            with gr.Tab("Train", id="train") as train:
                train_tab(secret, weights, train, demo)
            with gr.Tab("Look inside", id="inside"):
                inside_tab(secret, weights)
    return demo


def serve(demo: CarefulBlocks) -> None:
    """Serve the page until interrupted: `launch` says how, `theme` how it looks.

    Raises:
        ValueError: a limit in the environment is no number.
    """
    registry()  # reads the limits: whoever set a wrong one hears of it now, instead of the first visitor
    launch.serve(demo, **look())


def warm_up() -> None:
    """Load the built-in model in the background, so that the first drawing is read at once."""
    reader.warm_up()
