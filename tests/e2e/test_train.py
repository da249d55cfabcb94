"""The Train tab in a real browser, on real MNIST: run control, what goes wrong, two visitors, closed tabs."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mnist_core.config import TrainConfig
from mnist_core.data import load_data
from mnist_core.events import Step
from mnist_core.training import fit, initial_model

pytestmark = [pytest.mark.browser, pytest.mark.mnist]

SHORT = TrainConfig(train_size=1500, epochs=2.0)  # 94 steps and two tests: some seconds
# Long enough never to end by itself while a test looks at it.
LONG = {"train_size": 6000, "epochs": 20}


def _address(url: str, **recipe: Any) -> str:
    return f"{url}/?" + "&".join(f"{name}={value}" for name, value in recipe.items())


@pytest.fixture
def open_train(server: Any, data_folder: Path, open_page: Callable[..., Any]) -> Callable[..., Any]:
    """`open_train(epochs=1, ...)`: a visit at the Train tab whose address holds this recipe."""

    def open_(width: int = 1280, **recipe: Any) -> Any:
        page = open_page(_address(server.url, **recipe), width=width)
        page.get_by_role("tab", name="Train").click()
        page.locator("#train-start").wait_for()
        page.locator("#loss-plot svg text").first.wait_for()
        return page

    return open_


def _state(page: Any) -> str:
    return page.locator("#train-status .status").get_attribute("data-state")


def _until(page: Any, condition: Callable[[], Any], seconds: float = 180.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not in time; {page.locator('#train-status').inner_text()}"
        page.wait_for_timeout(50)


def _step(page: Any) -> int:
    said = page.locator("#train-status .numbers").inner_text()
    return int(said.split()[1].replace(",", "")) if said.startswith("step") else 0


def _wait_for(page: Any, *states: str) -> None:
    _until(page, lambda: _state(page) in states)


def _losses(page: Any, folder: Path) -> list[tuple[int, float]]:
    """Step and loss of each row of the history that the page offers to take along."""
    rows = csv.DictReader(_saved(page, "History", folder).splitlines())
    return [(int(row["step"]), float(row["loss"])) for row in rows if row["loss"]]


def _saved(page: Any, link: str, folder: Path) -> str:
    """What a link of "Take along" saves."""
    with page.expect_download() as download:
        page.get_by_role("link", name=link).click()
    download.value.save_as(folder / link)
    return (folder / link).read_text(encoding="utf-8")


def _draw_a_seven(page: Any) -> None:
    sheet = page.locator("#watcher canvas").bounding_box()
    corners = [(0.25, 0.2), (0.75, 0.2), (0.45, 0.85)]
    points = [(sheet["x"] + sheet["width"] * x, sheet["y"] + sheet["height"] * y) for x, y in corners]
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=6)
    page.mouse.up()


def test_a_run_paused_stepped_and_resumed_on_the_page_has_the_losses_of_an_uninterrupted_one(
    open_train: Callable[..., Any], data_folder: Path, tmp_path: Path
) -> None:
    page = open_train(train_size=SHORT.train_size, epochs=SHORT.epochs)
    page.locator("#train-start").click()
    _until(page, lambda: _step(page) >= 3)
    page.locator("#train-pause").click()
    _wait_for(page, "paused")
    paused_at = _step(page)

    other = open_train(train_size=300, epochs=1, dropout2=0.5, seed=3)  # draws from the same generator
    other.locator("#train-start").click()
    _wait_for(other, "finished")
    assert _step(page) == paused_at

    page.locator("#train-step").click()
    _until(page, lambda: _state(page) == "paused" and _step(page) == paused_at + 1)
    page.locator("#train-resume").click()
    _wait_for(page, "finished")

    page.get_by_role("button", name="Take along").click()
    config = TrainConfig.from_dict(json.loads(_saved(page, "Recipe", tmp_path)))
    assert replace(config, threads=0) == SHORT
    train_data, test_data = load_data(config, data_folder)
    events = fit(initial_model(config), train_data, test_data, config)
    alone = [(event.step, event.loss) for event in events if isinstance(event, Step)]
    assert _losses(page, tmp_path) == alone
    assert page.faults == other.faults == []


def test_the_plot_moves_twice_a_second_stop_answers_at_once_and_the_weights_read_the_pad(
    open_train: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    page = open_train(**LONG)
    _draw_a_seven(page)
    page.locator("#train-start").click()
    _until(page, lambda: _step(page) >= 3)
    moved = page.evaluate(
        """() => new Promise((resolve) => {
            let moved = 0, before = "";
            const path = () => document.querySelector("#loss-plot .chart-line path")?.getAttribute("d");
            new MutationObserver(() => { if (path() !== before) { moved += 1; before = path(); } })
                .observe(document.querySelector("#loss-plot svg"), { childList: true, subtree: true });
            setTimeout(() => resolve(moved), 4000);
        })"""
    )
    began = time.monotonic()
    page.locator("#train-stop").click()
    _wait_for(page, "stopped")
    stopped = time.monotonic() - began
    with capsys.disabled():
        print(f"\nThe plot moved {moved / 4:.1f} times a second; Stop answered after {stopped:.2f} s.")
    assert moved / 4 >= 2
    assert stopped < 1
    assert page.locator(".small-answer").inner_text().startswith("Run 1")
    page.get_by_role("tab", name="Draw").click()
    page.locator("#read-by input").wait_for()
    assert page.locator("#read-by input").input_value() == "Run 1"
    _until(page, lambda: page.locator("#prediction").get_attribute("data-digit") is not None)
    assert page.faults == []


def test_a_learning_rate_of_10_is_explained_and_one_click_starts_one_that_learns(
    open_train: Callable[..., Any],
) -> None:
    page = open_train(optimizer="sgd", learning_rate=10, train_size=3000, epochs=1)
    page.locator("#train-start").click()
    _wait_for(page, "diverged")
    said = page.locator("#train-status .advice").inner_text()
    assert "A learning rate of 10 is too high for plain SGD; try 0.05." in said
    page.get_by_role("button", name="Train with 0.05").click()
    _until(page, lambda: "Run 2" in page.locator("#train-status").inner_text())
    _wait_for(page, "finished")
    accuracy = float(page.locator("#train-status .numbers b").inner_text().rstrip("%"))
    assert accuracy > 60
    assert "learning_rate=0.05" in page.url
    assert page.faults == []


def test_two_visitors_train_in_turn_and_never_see_each_other(open_train: Callable[..., Any]) -> None:
    first = open_train(**LONG)
    second = open_train(width=390, train_size=200, epochs=1, optimizer="adam", learning_rate=0.001)
    first.locator("#train-start").click()
    _until(first, lambda: _step(first) >= 2)
    second.locator("#train-start").click()
    _until(second, lambda: "number 1 in the queue" in second.locator("#train-status").inner_text())
    first.locator("#train-pause").click()
    _wait_for(second, "finished")
    assert _state(first) == "paused"
    first.locator("#train-resume").click()
    at = _step(first)
    _until(first, lambda: _step(first) > at)
    first.locator("#train-stop").click()
    _wait_for(first, "stopped")
    for page, own, foreign in ((first, "train size 6000", "Adam"), (second, "Adam", "6000")):
        page.get_by_role("button", name="Runs", exact=True).click()
        table = page.locator("table.runs")
        table.wait_for()
        assert table.locator("tbody tr").count() == 1
        assert own in table.inner_text()
        assert foreign not in table.inner_text()


def test_a_closed_tab_frees_the_slot_and_a_hidden_one_does_not(open_train: Callable[..., Any]) -> None:
    closing = open_train(**LONG)
    closing.locator("#train-start").click()
    _until(closing, lambda: _step(closing) >= 2)
    hidden = closing.context.new_page()  # in front of it
    hidden.goto("about:blank")
    at = _step(closing)
    closing.wait_for_timeout(8000)
    assert _step(closing) > at
    waiting = open_train(train_size=200, epochs=1)
    waiting.locator("#train-start").click()
    _until(waiting, lambda: "number 1 in the queue" in waiting.locator("#train-status").inner_text())
    began = time.monotonic()
    closing.close()
    _until(waiting, lambda: _state(waiting) in ("running", "finished"), 12)
    assert time.monotonic() - began < 10
    _wait_for(waiting, "finished")


def test_results_appear_with_a_run_and_a_mistake_goes_to_the_pad(open_train: Callable[..., Any]) -> None:
    page = open_train(train_size=600, epochs=1)
    assert page.locator("#results .results").count() == 0
    assert not page.locator("#train-pause").is_visible()
    assert not page.locator("#train-stop").is_visible()
    page.locator("#train-start").click()
    _wait_for(page, "finished")
    assert not page.locator("#train-pause").is_visible()
    page.get_by_role("button", name="Mistakes").click()
    page.locator(".mistakes button").first.click()
    caption = page.locator("#watcher .caption")
    _until(page, lambda: "MNIST test image" in caption.inner_text())
    page.get_by_role("button", name="Confusion").click()
    _until(page, lambda: page.locator("table.confusion tbody tr").count() == 10)
    cells = page.locator("table.confusion td.right, table.confusion td.wrong").all_inner_texts()
    assert sum(int(cell) for cell in cells if cell) == 10_000
    assert page.faults == []


def test_the_tab_needs_no_scrolling_and_never_scrolls_sideways(open_train: Callable[..., Any]) -> None:
    for width, height in ((1280, 800), (390, 844)):
        page = open_train(width=width)
        page.set_viewport_size({"width": width, "height": height})
        for part in ("#recipe", "#train-start", "#train-status", "#loss-plot", "#watcher canvas"):
            box = page.locator(part).bounding_box()
            assert box["y"] + box["height"] <= height, part
        assert page.evaluate("document.documentElement.scrollWidth") <= width
