"""The Train tab's pad, which a run reads as it trains."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import numpy as np
import pytest
from bars import ANNE, TINY, until
from PIL import Image
from visitors import sent

from mnist_core import page
from mnist_core.page.http.errors import CarefulBlocks
from mnist_core.page.tabs import train
from mnist_core.runs import Runs
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
