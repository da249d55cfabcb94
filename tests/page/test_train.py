"""The Train tab's handlers and actions without a browser."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
from bars import ANNE, TINY, until
from pictures import ink
from PIL import Image
from visitors import sent

from mnist_core import checkpoint, page
from mnist_core.page.components.layout import Layout, Updates
from mnist_core.page.http.errors import CarefulBlocks
from mnist_core.page.tabs import actions, train
from mnist_core.runs import SHIPPED, Runs, shipped_classifier
from mnist_core.runs.run import Run


@pytest.mark.parametrize("shade", [255, 250], ids=["paper alone", "ink too faint to be seen"])
def test_a_run_goes_on_beside_a_drawing_in_which_nothing_is_seen(
    make_runs: Callable[..., Runs], monkeypatch: pytest.MonkeyPatch, shade: int
) -> None:
    runs = make_runs()
    monkeypatch.setattr(train, "registry", lambda: runs)
    drawing = sent(1, Image.fromarray(np.full((40, 40), shade, np.uint8)))
    asked = train.TrainingReadRequest.model_validate_json(json.dumps({"drawing": drawing, "digit": 0}))
    asyncio.run(train.read_in_training(ANNE, asked))
    run = runs.start(ANNE, TINY)
    until(lambda: not run.active)
    assert run.state == "finished" and runs.slot.faults == 0
    assert not run.trace.rows()


def test_a_run_that_fails_for_no_reason_of_the_visitors_is_a_fault_of_the_page(
    make_runs: Callable[..., Runs], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = make_runs()
    monkeypatch.setattr(page, "registry", lambda: runs)

    async def build() -> CarefulBlocks:  # in a loop, or Gradio makes its own and leaves it open
        return page.build()

    built = asyncio.run(build())
    monkeypatch.setattr(Run, "look", lambda run: [][0])
    run = runs.start(ANNE, TINY)
    until(lambda: not run.active)
    assert run.state == "failed" and built.faults == 1


@pytest.fixture
def tab(make_runs: Callable[..., Runs], monkeypatch: pytest.MonkeyPatch) -> tuple[Runs, train.Handlers]:
    """A registry of its own, and the tab's handlers, which ask it."""
    runs = make_runs()
    for module in (train, actions):
        monkeypatch.setattr(module, "registry", lambda: runs)

    async def build() -> Layout:
        with gr.Blocks():
            return Layout(gr.Dropdown())

    return runs, train.Handlers(asyncio.run(build()))


async def _all(updates: AsyncIterator[Updates]) -> list[Updates]:
    return [each async for each in updates]


def test_the_run_that_ends_reads_the_pad_though_another_is_shown(tab: tuple[Runs, train.Handlers]) -> None:
    runs, handlers = tab
    first = runs.start(ANNE, TINY)
    until(lambda: not first.active)
    second = runs.start(ANNE, TINY)
    runs.visit(ANNE).current = first.id
    frames = asyncio.run(_all(handlers.follow(ANNE, SHIPPED, gr.Request(session_hash="page"))))
    assert frames[-1][handlers.layout.weights]["value"] == second.id
    third = runs.start(ANNE, TINY)
    runs.visit(ANNE).current = first.id
    until(lambda: third.weights_step > 0)
    assert handlers.stop(ANNE)[handlers.layout.weights]["value"] == third.id


def test_uploaded_weights_are_in_use_and_their_open_results_are_filled_in(
    tab: tuple[Runs, train.Handlers], tmp_path: Path
) -> None:
    runs, handlers = tab
    file = tmp_path / "mine.pt"
    checkpoint.save(file, shipped_classifier().model, checkpoint.describe(TINY, accuracy=None, n=0))
    updates = handlers.upload(ANNE, str(file))
    assert "In use on the pad." in updates[handlers.layout.results]
    visit = runs.visit(ANNE)
    visit.panel = "confusion"
    assert visit.shown is not None
    frames = asyncio.run(_all(handlers.follow(ANNE, visit.shown.id, gr.Request(session_hash="page"))))
    assert "<table" in frames[-1][handlers.layout.results]


def test_undoing_a_fine_tuning_of_weights_that_are_gone_leaves_the_built_in_model(
    tab: tuple[Runs, train.Handlers],
) -> None:
    runs, handlers = tab
    parent = runs.start(ANNE, TINY)
    until(lambda: not parent.active)
    child = runs.fine_tune(ANNE, parent.id, [(np.eye(28, dtype=np.uint8) * 255, 1)])
    until(lambda: not child.active)
    runs.delete(ANNE, parent.id)
    press = actions.Press(handlers.layout, runs.visit(ANNE), ANNE, child.id)
    updates = actions.carry_out(press, {"act": "undo", "run": child.id})
    assert updates[handlers.layout.weights]["value"] == SHIPPED


def test_a_run_follows_the_last_digit_rather_than_a_mark(tab: tuple[Runs, train.Handlers]) -> None:
    two, minus = [(4, 22), (28, 0), (54, 14), (48, 44), (2, 100), (60, 98)], [(130, 80), (175, 80)]
    sheet = ink([np.array(two) + 30, np.array(minus)], (300, 200), 10)
    found = shipped_classifier().read(sheet)
    assert [each.mark for each in found] == [False, True]
    asked = {"drawing": sent(1, sheet), "digit": 1}
    asyncio.run(
        train.read_in_training(ANNE, train.TrainingReadRequest.model_validate_json(json.dumps(asked)))
    )
    runs, pad = tab[0], tab[0].visit(ANNE).pad
    assert pad.place == 0 and pad.ink is not None and np.array_equal(pad.ink, found[0].model_input)
    pad.place = 1  # there was a second digit a moment ago
    run = runs.start(ANNE, TINY)
    until(lambda: not run.active)
    assert not run.trace.rows()
