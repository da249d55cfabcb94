"""The Train tab: a recipe, one button, and the loss as it falls."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, Literal, TypedDict

import gradio as gr
from pydantic import BaseModel

from mnist_core.answers import digits_in
from mnist_core.config import TrainConfig, knobs
from mnist_core.page import zerogpu
from mnist_core.page.components.layout import Layout, Updates
from mnist_core.page.components.pad import DrawingUpdate, Place, decode
from mnist_core.page.components.reading import Answer, answer, read_drawing, reading_thread
from mnist_core.page.http.routes import FROM_PAGES, json_route
from mnist_core.page.tabs import actions
from mnist_core.page.tabs.draw import AT_ONCE
from mnist_core.page.views import status
from mnist_core.runs import SHIPPED, RunError, Visit, registry, shipped_classifier
from mnist_core.runs.run import Run

FRAME_SECONDS = 0.3  # between two updates of the page while a run is active
KERNELS_EVERY = 4  # frames
# A link that holds a recipe opens this tab, once the page has set the visit's secret, which the tab needs:
# that is a moment after it has loaded.
OPEN_IF_LINKED = f"""() => {{
  const query = new URLSearchParams(location.search);
  if (!{list(knobs())}.some((name) => query.has(name))) return;
  const tab = [...document.querySelectorAll("[role=tab]")].find((tab) => tab.textContent.trim() === "Train");
  setTimeout(() => tab?.click(), 200);
}}"""


class _Streaming(TypedDict):
    concurrency_limit: int | None
    show_progress: Literal["full", "minimal", "hidden"]
    api_visibility: Literal["public", "private", "undocumented"]


_STREAM: _Streaming = {"concurrency_limit": None, "show_progress": "hidden", "api_visibility": "private"}


def train_tab(secret: gr.Component, weights: gr.Dropdown, tab: gr.Tab, page: gr.Blocks) -> None:
    """Place the tab's parts and wire them; call it inside `tab`.

    Args:
        secret: the visit's.
        weights: the weights that read the pads, "shipped" (the built-in model) or a run's id.
    """
    layout = Layout(weights, gpu=zerogpu.worker() is not None)
    handlers = Handlers(layout)
    for button, handler, inputs in (
        (layout.start, handlers.start, [secret, layout.recipe]),
        (layout.pause, handlers.pause, [secret]),
        (layout.resume, handlers.resume, [secret]),
        (layout.step, handlers.step, [secret]),
        (layout.stop, handlers.stop, [secret]),
    ):
        _follow(button.click(handler, inputs, layout.all, **AT_ONCE), handlers, secret)
    if layout.gpu is not None:
        layout.gpu.click(handlers.start_on_gpu, [secret, layout.recipe], layout.all, **AT_ONCE).then(
            handlers.follow_on_gpu, [secret, weights], [*layout.shown, weights], **_STREAM
        )
    # A panel has many buttons, and none may be deaf while another is answered. "always_last" would forget
    # which one it was.
    for panel in (layout.status, layout.results, layout.fine_tuning):
        press = panel.act(
            handlers.act,
            [secret, weights, layout.recipe],
            layout.all,
            trigger_mode="multiple",
            **AT_ONCE,
        )
        _follow(press, handlers, secret)
    chosen = layout.upload.upload(handlers.upload, [secret, layout.upload], layout.all, **AT_ONCE)
    _follow(chosen, handlers, secret)
    layout.recipe.input(
        handlers.choose, [secret, layout.recipe], [layout.start], trigger_mode="always_last", **AT_ONCE
    )
    tab.select(handlers.open, [secret, weights], [*layout.shown, weights], **AT_ONCE).then(
        handlers.follow, [secret, weights], [*layout.shown, weights], **_STREAM
    )
    page.load(None, js=OPEN_IF_LINKED)
    page.unload(leave)


def _follow(press: Any, handlers: Handlers, secret: gr.Component) -> None:
    """Follow the visit's run after a press; after a refused one too, as by a page that has missed its start
    and lacks its buttons."""
    layout = handlers.layout
    for after in (press.success, press.failure):
        after(handlers.follow, [secret, layout.weights], [*layout.shown, layout.weights], **_STREAM)


class Handlers:
    """The tab's handlers. Each takes the visit's secret first."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout

    def start(self, secret: str, recipe: TrainConfig, request: gr.Request) -> Updates:
        """Train by the recipe on the form."""
        visit = registry().visit(secret, request.session_hash)
        return self._started(visit, registry().start(secret, recipe))

    def start_on_gpu(self, secret: str, recipe: TrainConfig, request: gr.Request) -> Updates:
        """Have the recipe on the form trained on a GPU, by `follow_on_gpu`."""
        visit = registry().visit(secret, request.session_hash)
        return self._started(visit, registry().start(secret, recipe, zerogpu.worker()))

    def pause(self, secret: str) -> Updates:
        visit = registry().visit(secret)
        if visit.active is not None:
            registry().pause(secret, visit.active.id)
        return self._now(visit)

    def resume(self, secret: str, request: gr.Request) -> Updates:
        return self._go_on(registry().visit(secret, request.session_hash), secret, single_step=False)

    def step(self, secret: str, request: gr.Request) -> Updates:
        return self._go_on(registry().visit(secret, request.session_hash), secret, single_step=True)

    def stop(self, secret: str) -> Updates:
        """Stop the run; its weights so far read the pad."""
        visit = registry().visit(secret)
        run = visit.active or visit.shown
        if run is not None:
            registry().stop(secret, run.id)
        return self._now(visit) | (self._reads(visit, run) if run is not None else {})

    async def follow(self, secret: str, choice: str, request: gr.Request) -> AsyncGenerator[Updates, None]:
        """Follow the visit's run until it neither trains nor waits; then its weights read the pad."""
        runs = registry()
        visit = runs.visit(secret, request.session_hash)
        run, number, known = visit.active, 0, _milestones(visit.active)
        examining = asyncio.create_task(asyncio.to_thread(examine_if_asked, secret))
        while run is not None and run.active:
            run.watched = time.monotonic()
            kernels = visit.panel == "kernels" and number % KERNELS_EVERY == 0
            frame = self.layout.frame(visit, runs, choice, panel=False)
            reached = _milestones(run)  # after the frame, or a curve in it may come without its run's results
            if kernels or number == 0 or known != reached:
                frame[self.layout.results] = self.layout.results_of(visit, choice)
            yield frame
            number, known = number + 1, reached
            await asyncio.sleep(FRAME_SECONDS)
        ended = self._reads(visit, run) if run is not None and run.state in ("finished", "stopped") else {}
        yield self._now(visit, choice) | ended
        await examining
        if await asyncio.to_thread(examine_if_asked, secret):
            reads = run.id if run is not None and ended else choice
            yield {self.layout.results: self.layout.results_of(visit, reads)}

    async def follow_on_gpu(
        self, secret: str, choice: str, request: gr.Request
    ) -> AsyncGenerator[Updates, None]:
        """As `follow`, while the visit's run is trained on a GPU in this call's context; both end together.

        The context says whose request it is, and so whose quota the GPU is taken from.
        """
        slot, run = registry().slot, registry().visit(secret, request.session_hash).active
        if run is not None and run.gpu is not None:
            context = contextvars.copy_context()
            threading.Thread(target=context.run, args=(slot.train_outside, run), daemon=True).start()
        try:
            async with contextlib.aclosing(self.follow(secret, choice, request)) as following:
                async for updates in following:
                    yield updates
        finally:
            if run is not None and run.gpu is not None:
                slot.end(run, "")

    def act(
        self, secret: str, choice: str, recipe: TrainConfig, event: gr.EventData, request: gr.Request
    ) -> Updates:
        """Carry out the action of a button or a field in one of the panels."""
        visit = registry().visit(secret, request.session_hash)
        return actions.carry_out(actions.Press(self.layout, visit, secret, choice), event._data)

    def upload(self, secret: str, path: str | None) -> Updates:
        """Take a file of weights as a run that needs no training."""
        if not path:
            raise RunError("Choose a file of weights, such as one that a run here lets you download.")
        visit = registry().visit(secret)
        try:
            run = registry().upload(secret, Path(path))
        finally:
            Path(path).unlink(missing_ok=True)
        return self._now(visit, run.id) | {self.layout.weights: self.layout.choices(visit, run.id)}

    def choose(self, secret: str, recipe: TrainConfig) -> gr.Button:
        """Estimate the recipe's time; change the rate of a run under way."""
        run = registry().visit(secret).under_way
        if run is not None and run.kind == "trained":
            registry().follow_recipe(secret, run.id, recipe)
        return gr.Button(f"Train · about {status.span(max(1, registry().pace.seconds(recipe)))}")

    def open(self, secret: str, choice: str, request: gr.Request) -> Updates:
        """Show the visit as it stands, after a reload too."""
        visit = registry().visit(secret, request.session_hash)
        registry().warm_up()
        return self._now(visit) | {self.layout.weights: self.layout.choices(visit, choice)}

    # Shared by the handlers

    def _started(self, visit: Visit, run: Run) -> Updates:
        visit.current = run.id
        return self._now(visit)

    def _go_on(self, visit: Visit, secret: str, *, single_step: bool) -> Updates:
        if visit.shown is None:
            raise RunError("There is no run to resume. Press Train.")
        registry().resume(secret, visit.shown.id, single_step=single_step)
        return self._now(visit)

    def _now(self, visit: Visit, choice: str = SHIPPED) -> Updates:
        return self.layout.frame(visit, registry(), choice)

    def _reads(self, visit: Visit, run: Run) -> Updates:
        """Let a run that has just ended read the pad, if it took any steps."""
        if run.weights_step == 0:
            return {}
        return {
            self.layout.weights: self.layout.choices(visit, run.id),
            self.layout.results: self.layout.results_of(visit, run.id),
        }


def _milestones(run: Run | None) -> tuple[Any, ...]:
    """What the results show of a run besides its kernels: they are rendered again only when it changes, so
    that nobody typing in them is interrupted."""
    if run is None:
        return ()
    return run.state, run.weights is not None, run.history.tested, run.examination


def examine_if_asked(secret: str) -> bool:
    """Evaluate the shown run on all test digits, if its open panel needs that; returns whether it did."""
    visit = registry().visit(secret)
    run = visit.shown
    if visit.panel not in ("confusion", "mistakes") or run is None or run.weights is None:
        return False
    registry().examine(secret, run.id)
    return True


class TrainingReadRequest(BaseModel):
    """What is on the Train tab's pad, and which of several digits a run follows, from the left."""

    model_config = FROM_PAGES

    drawing: DrawingUpdate
    digit: Place = 0


async def read_in_training(secret: str, asked: TrainingReadRequest) -> Answer | None:
    """What the shown run's weights so far read; the digit looked at is kept, for the run to follow."""

    def read() -> Answer:
        visit, drawing = registry().visit(secret), decode(asked.drawing)
        run = visit.shown if visit.shown is not None and visit.shown.weights is not None else None
        classifier = run.classifier() if run is not None else shipped_classifier()
        readings = read_drawing(classifier, drawing)
        digits = digits_in(readings)
        place = max(0, min(asked.digit, len(digits) - 1))
        ink = digits[place].model_input if digits else None
        visit.pad.hold(drawing.image, drawing.lines, place, ink)
        return answer(drawing, readings, run.name if run is not None else "The built-in model")

    return await reading_thread.run((secret, "train"), read)


ROUTES = [json_route("read-in-training", TrainingReadRequest, read_in_training)]


def leave(request: gr.Request) -> None:
    """A page of a visit has closed."""
    registry().leave(request.session_hash or "")
