"""Visitors who share the training slot in real browsers, and pages that close."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from train_tab import (
    LONG,
    curve_of,
    is_drawn,
    run_alone,
    save,
    saved_losses,
    state_of,
    step_of,
    train_address,
    until,
    until_state,
)

from mnist_core import checkpoint
from mnist_core.config import TrainConfig

pytestmark = [pytest.mark.browser, pytest.mark.mnist]


def _sees_only_its_own(page: Any, recipe: TrainConfig, runs: int) -> None:
    """Whether all that a page shows is of its own visit, whose runs follow this recipe."""
    for knob in ("optimizer", "learning_rate", "batch_size", "train_size"):
        assert page.locator(f"[data-knob={knob}]").input_value() == str(getattr(recipe, knob))
    numbers = page.locator("#train-status .numbers").inner_text()
    steps = math.ceil(recipe.train_size / recipe.batch_size)
    if numbers.startswith("step"):
        assert f"of {steps}" in numbers or f"of {20 * steps:,}" in numbers
    # Asked first: the page goes on while it is asked, and the curve never comes before the rows.
    drawn = page.locator("#loss-plot .chart-faint").count()
    rows = page.locator("table.runs tbody tr")
    assert rows.count() in ((runs,) if drawn else (0, runs))
    for row in rows.all():
        assert f"training digits {recipe.train_size:,}" in row.inner_text()


def _export(page: Any, folder: Path) -> tuple[TrainConfig, list[tuple[int, float]], dict[str, Any]]:
    """The recipe, the losses and the weights of the run that a page shows."""
    folder.mkdir()
    page.get_by_role("button", name="Export").click()
    page.get_by_role("link", name="Recipe").wait_for()
    config = TrainConfig.from_dict(json.loads(save(page, "Recipe", folder).read_text(encoding="utf-8")))
    model, _ = checkpoint.load(save(page, "Weights", folder))
    return config, saved_losses(page, folder), model.state_dict()


def test_two_visitors_train_in_turn_and_never_see_each_other(
    open_train: Callable[..., Any], data_folder: Path, tmp_path: Path
) -> None:
    one = TrainConfig(train_size=9000, epochs=1.0)  # 282 steps
    other = TrainConfig(train_size=800, batch_size=16, epochs=1.0, optimizer="adam", learning_rate=0.001)
    first = open_train(train_size=9000, epochs=1)
    second = open_train(
        width=390, train_size=800, batch_size=16, epochs=1, optimizer="adam", learning_rate=0.001
    )
    runs = {first: 1, second: 1}

    def wait_for(condition: Callable[[], Any]) -> None:
        def met() -> Any:
            _sees_only_its_own(first, one, runs[first])
            _sees_only_its_own(second, other, runs[second])
            return condition()

        until(second, met)

    def queued(page: Any) -> bool:
        return "number 1 in the queue" in page.locator("#train-status").inner_text()

    first.locator("#train-start").click()
    until(first, lambda: step_of(first) >= 2)
    second.locator("#train-start").click()
    wait_for(lambda: queued(second))
    first.locator("#train-pause").click()  # frees the slot
    wait_for(lambda: state_of(second) == "finished")
    assert state_of(first) == "paused"
    mine = _export(second, tmp_path / "second")
    drawn = curve_of(second)
    second.get_by_role("button", name="Runs", exact=True).click()
    second.locator("table.runs").wait_for()

    second.get_by_text("Change the recipe").click()
    second.locator("[data-knob=epochs]").fill("20")
    second.locator("[data-knob=epochs]").press("Enter")
    at = step_of(first)
    second.locator("#train-start").click()
    until(second, lambda: "Run 2" in second.locator("#train-status").inner_text() and step_of(second) >= 2)
    runs[second] = 2
    first.locator("#train-resume").click()  # has to queue again
    wait_for(lambda: queued(first))
    assert step_of(first) == at
    second.locator("#train-stop").click()
    wait_for(lambda: state_of(first) == "finished")

    taken = ((one, _export(first, tmp_path / "first"), curve_of(first)), (other, mine, drawn))
    for recipe, (config, losses, weights), curve in taken:
        assert replace(config, threads=0) == recipe
        alone, learned = run_alone(config, data_folder)
        assert losses == alone
        assert all(torch.equal(weights[name], tensor) for name, tensor in learned.items())
        assert is_drawn([loss for _, loss in losses], curve)
    assert first.faults == second.faults == []


def test_a_closed_tab_frees_the_slot_and_the_visit_and_a_hidden_one_neither(
    start_server: Callable[..., Any], open_page: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    # A third visit waits for one to be over.
    url = start_server(MNIST_LIMIT_VISITS="2", MNIST_LIMIT_GONE_SECONDS="6", MNIST_RUNS_DIR="").url

    def opened(**recipe: Any) -> Any:
        page = open_page(train_address(url, **recipe))
        page.get_by_role("tab", name="Train").click()
        page.locator("#train-start").wait_for()
        return page

    closing = opened(**LONG)
    closing.locator("#train-start").click()
    until(closing, lambda: step_of(closing) >= 2)
    hidden = closing.context.new_page()  # in front of it
    hidden.goto("about:blank")
    at = step_of(closing)
    closing.wait_for_timeout(8000)
    assert step_of(closing) > at
    waiting = opened(train_size=200, epochs=1)
    waiting.locator("#train-start").click()
    until(waiting, lambda: "number 1 in the queue" in waiting.locator("#train-status").inner_text())
    third = opened()
    notice = third.locator("#notice")
    until(third, lambda: "the limit of visitors is 2" in notice.inner_text())

    began = time.monotonic()
    closing.close()
    until(waiting, lambda: state_of(waiting) in ("running", "finished"), 12)
    slot = time.monotonic() - began
    until_state(waiting, "finished")

    def let_in() -> bool:
        third.get_by_role("tab", name="Draw").click()
        third.get_by_role("tab", name="Train").click()
        third.wait_for_timeout(500)
        return not notice.is_visible()

    until(third, let_in, 65)
    visit = time.monotonic() - began
    with capsys.disabled():
        print(f"\nA closed tab's slot was free after {slot:.1f} s, its visit forgotten after {visit:.1f} s.")
    assert state_of(waiting) == "finished"
