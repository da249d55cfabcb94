"""The page, assembled from its tabs. The only part of `mnist_core` that imports Gradio."""

from __future__ import annotations

import gradio as gr
from starlette.routing import Route

from mnist_core.page import launch
from mnist_core.page.components.reading import warm_up
from mnist_core.page.http.api import endpoints
from mnist_core.page.http.errors import CarefulBlocks
from mnist_core.page.http.scripts import scripts_route
from mnist_core.page.http.visit import VisitSecret
from mnist_core.page.tabs import draw, inside, playground, train
from mnist_core.page.templates import render
from mnist_core.page.theme import look
from mnist_core.runs import registry

__all__ = ["build", "serve", "warm_up"]

TITLE = "Digits, read as you draw"


def build() -> CarefulBlocks:
    """The whole page, not yet launched."""
    demo = CarefulBlocks(title=TITLE, elsewhere=lambda: registry().slot.faults)
    with demo:
        gr.HTML(render("masthead.html", title=TITLE), elem_id="masthead")
        endpoints()
        secret = VisitSecret()
        with gr.Tabs(elem_id="tabs"):
            with gr.Tab("Draw", id="draw") as tab:
                weights = draw.draw_tab(tab, demo)
            with gr.Tab("Train", id="train") as tab:
                train.train_tab(secret, weights, tab, demo)
            with gr.Tab("Look inside", id="inside"):
                inside.inside_tab(weights)
                playground.toys_part()
    return demo


def serve(demo: CarefulBlocks) -> None:
    """Serve the page until interrupted: `launch` says how, `theme` how it looks.

    Raises:
        ValueError: a limit in the environment is no number.
    """
    registry()  # reads the limits: whoever set a wrong one hears of it now, instead of the first visitor
    launch.serve(demo, routes(), **look())


def routes() -> list[Route]:
    """What the page's scripts ask for beside Gradio."""
    return [*draw.ROUTES, *train.ROUTES, *inside.ROUTES, *playground.ROUTES, scripts_route()]
