"""The Train tab's parts, and what they show of a visit."""

from __future__ import annotations

from typing import Any

import gradio as gr

from mnist_core.page.components.chart import Chart
from mnist_core.page.components.pad import DigitPad
from mnist_core.page.components.panel import Panel
from mnist_core.page.components.recipe import RecipeForm
from mnist_core.page.components.view import View
from mnist_core.page.templates import render
from mnist_core.page.views import results, status
from mnist_core.page.views.curves import loss_plot, trace_plot
from mnist_core.runs import SHIPPED, Runs, Visit
from mnist_core.runs.run import Run

Updates = dict[gr.Component, Any]

ON_GPU = "Train on a GPU · no pause, fixed rate"


class Layout:
    """The tab's parts, and what they should show.

    Args:
        weights: which weights read the pads.
        gpu: whether a visitor may ask for a run on a GPU.
    """

    def __init__(self, weights: gr.Dropdown, *, gpu: bool = False) -> None:
        self.weights = weights
        with gr.Row(elem_id="bench", equal_height=False):
            with gr.Column(scale=5, min_width=300, elem_id="course"):
                self.recipe = RecipeForm()
                with gr.Row(elem_id="train-buttons"):
                    # A translated label would no longer follow the recipe.
                    self.start = gr.Button(
                        "Train", variant="primary", elem_id="train-start", elem_classes=["notranslate"]
                    )
                    self.gpu = gr.Button(ON_GPU, elem_id="train-gpu") if gpu else None
                    self.pause = gr.Button("Pause", elem_id="train-pause", visible="hidden")
                    self.resume = gr.Button(
                        "Resume", variant="primary", elem_id="train-resume", visible="hidden"
                    )
                    self.step = gr.Button("Step", elem_id="train-step", visible="hidden")
                    self.stop = gr.Button("Stop", elem_id="train-stop", visible="hidden")
                self.status = Panel(value=status.status(None, 0, None), elem_id="train-status")
                self.plot = Chart(loss_plot(None, []), height="var(--plot-height)", elem_id="loss-plot")
            with gr.Column(scale=3, min_width=240, elem_id="watcher"):
                self.pad = DigitPad(small=True)
                self.reading = View("small_reading", render("small_answer.html"), elem_id="small-reading")
                self.trace = Chart(trace_plot(None), height="var(--trace-height)", elem_id="digit-trace")
                self.fine_tuning = Panel(value=status.fine_tuning(Visit(), unfolded=False), elem_id="lesson")
                self.upload = gr.UploadButton("Upload weights", size="sm", elem_id="upload-weights")
        self.results = Panel(value="", elem_id="results")
        self.said = gr.HTML(status.announcement(None), elem_id="train-said")

    @property
    def shown(self) -> list[gr.Component]:
        """What changes during a run."""
        buttons = [self.start, self.pause, self.resume, self.step, self.stop]
        buttons += [self.gpu] if self.gpu is not None else []
        return [
            self.status,
            self.plot,
            self.trace,
            self.reading,
            self.said,
            self.results,
            *buttons,
        ]

    @property
    def all(self) -> list[gr.Component]:
        """What a click may change."""
        return [*self.shown, self.recipe, self.pad, self.weights, self.fine_tuning]

    def frame(self, visit: Visit, runs: Runs, choice: str, *, panel: bool = True) -> Updates:
        """What the tab should show of a visit now; `panel` says whether to render the results again."""
        run, active = visit.shown, visit.active
        compared = [each for each in list(visit.runs.values()) if each.id in visit.compared]
        updates: Updates = {
            self.status: status.status(
                run, runs.slot.place(run) if run else 0, runs.digits.progress, visit.lost
            ),
            self.plot: loss_plot(run, compared),
            self.trace: trace_plot(run),
            self.reading: what_reads(run) if run else None,
            self.said: status.announcement(run),
        }
        if panel:
            updates[self.results] = self.results_of(visit, choice)
        paused = run is not None and run.state == "paused" and active is None
        for button, visible in (
            (self.start, active is None and not paused),
            (self.gpu, active is None and not paused),
            (self.pause, active is not None and active.pausable),
            (self.resume, paused),
            (self.step, paused),
            (self.stop, active is not None or paused),
        ):
            if button is not None:
                updates[button] = gr.update(visible=visible or "hidden")
        return updates

    def results_of(self, visit: Visit, choice: str) -> str:
        """The open panel of the shown run's results."""
        run = visit.shown
        return results.results(visit, run, run.examination if run is not None else None, choice)

    def choices(self, visit: Visit, choice: str) -> dict[str, Any]:
        """The weights that may read the pads, with `choice` selected."""
        learned = [run for run in visit.runs.values() if run.weights_step or run.kind == "uploaded"]
        trained = [(run.name, run.id) for run in learned]
        names = [("the built-in model", SHIPPED), *trained]
        return gr.update(choices=names, value=choice, visible=bool(trained))


def what_reads(run: Run) -> list[Any]:
    """What the answer beside a run depends on; until it has weights the built-in model reads."""
    step = run.weights_step if run.weights is not None else None
    return [run.id, run.name, step, run.calibration is not None]
