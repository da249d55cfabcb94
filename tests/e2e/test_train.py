"""The Train tab in a real browser, on real MNIST: run control, what goes wrong, two visitors, closed tabs."""

from __future__ import annotations

import csv
import json
import math
import pickle
import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from mirror import serving

from mnist_core import checkpoint
from mnist_core.classifier import SHIPPED_WEIGHTS
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
    rows = csv.DictReader(_save(page, "History", folder).read_text(encoding="utf-8").splitlines())
    return [(int(row["step"]), float(row["loss"])) for row in rows if row["loss"]]


def _save(page: Any, link: str, folder: Path) -> Path:
    """What a link of "Take along" saves, once it is shown."""
    with page.expect_download() as download:
        page.get_by_role("link", name=link).click()
    download.value.save_as(folder / link)
    return folder / link


def _curve(page: Any) -> list[tuple[float, float]]:
    """The points of the curve of single batches, in pixels of the plot."""
    path = page.locator("#loss-plot .chart-faint path").get_attribute("d")
    return [tuple(map(float, point.split())) for point in path[1:].split("L")]


def _is_drawn(losses: list[float], curve: list[tuple[float, float]]) -> bool:
    """Whether the curve has these losses at even steps: two of them place all others."""
    low, high = losses.index(min(losses)), losses.index(max(losses))
    pixels = (curve[low][1] - curve[high][1]) / (losses[low] - losses[high])
    return len(losses) == len(curve) and all(
        abs(curve[low][1] + pixels * (loss - losses[low]) - y) < 0.5
        for loss, (_, y) in zip(losses, curve, strict=True)
    )


def _alone(config: TrainConfig, folder: Path) -> tuple[list[tuple[int, float]], dict[str, Any]]:
    """Steps with their losses, and the weights, of the same run in this process with nobody beside it."""
    train_data, test_data = load_data(config, folder)
    model = initial_model(config)
    events = fit(model, train_data, test_data, config)
    losses = [(event.step, event.loss) for event in events if isinstance(event, Step)]
    return losses, model.state_dict()


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
    config = TrainConfig.from_dict(json.loads(_save(page, "Recipe", tmp_path).read_text(encoding="utf-8")))
    assert replace(config, threads=0) == SHORT
    assert _losses(page, tmp_path) == _alone(config, data_folder)[0]
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


def _sees_only_its_own(page: Any, recipe: TrainConfig, runs: int) -> None:
    """Whether all that a page shows is of its own visit, whose runs follow this recipe."""
    for knob in ("optimizer", "learning_rate", "batch_size", "train_size"):
        assert page.locator(f"[data-knob={knob}]").input_value() == str(getattr(recipe, knob))
    numbers = page.locator("#train-status .numbers").inner_text()
    steps = math.ceil(recipe.train_size / recipe.batch_size)
    if numbers.startswith("step"):
        assert f"of {steps}" in numbers or f"of {20 * steps:,}" in numbers
    rows = page.locator("table.runs tbody tr")
    assert rows.count() in ((runs,) if page.locator("#loss-plot .chart-faint").count() else (0, runs))
    for row in rows.all():
        assert f"training digits {recipe.train_size:,}" in row.inner_text()


def _take_along(page: Any, folder: Path) -> tuple[TrainConfig, list[tuple[int, float]], dict[str, Any]]:
    """The recipe, the losses and the weights of the run that a page shows."""
    folder.mkdir()
    page.get_by_role("button", name="Take along").click()
    page.get_by_role("link", name="Recipe").wait_for()
    config = TrainConfig.from_dict(json.loads(_save(page, "Recipe", folder).read_text(encoding="utf-8")))
    model, _ = checkpoint.load(_save(page, "Weights", folder))
    return config, _losses(page, folder), model.state_dict()


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

        _until(second, met)

    def queued(page: Any) -> bool:
        return "number 1 in the queue" in page.locator("#train-status").inner_text()

    first.locator("#train-start").click()
    _until(first, lambda: _step(first) >= 2)
    second.locator("#train-start").click()
    wait_for(lambda: queued(second))
    first.locator("#train-pause").click()  # frees the slot
    wait_for(lambda: _state(second) == "finished")
    assert _state(first) == "paused"
    mine = _take_along(second, tmp_path / "second")
    drawn = _curve(second)
    second.get_by_role("button", name="Runs", exact=True).click()
    second.locator("table.runs").wait_for()

    second.get_by_text("Change the recipe").click()
    second.locator("[data-knob=epochs]").fill("20")
    second.locator("[data-knob=epochs]").press("Enter")
    at = _step(first)
    second.locator("#train-start").click()
    _until(second, lambda: "Run 2" in second.locator("#train-status").inner_text() and _step(second) >= 2)
    runs[second] = 2
    first.locator("#train-resume").click()  # has to queue again
    wait_for(lambda: queued(first))
    assert _step(first) == at
    second.locator("#train-stop").click()
    wait_for(lambda: _state(first) == "finished")

    taken = ((one, _take_along(first, tmp_path / "first"), _curve(first)), (other, mine, drawn))
    for recipe, (config, losses, weights), curve in taken:
        assert replace(config, threads=0) == recipe
        alone, learned = _alone(config, data_folder)
        assert losses == alone
        assert all(torch.equal(weights[name], tensor) for name, tensor in learned.items())
        assert _is_drawn([loss for _, loss in losses], curve)
    assert first.faults == second.faults == []


def test_a_closed_tab_frees_the_slot_and_the_visit_and_a_hidden_one_neither(
    start_server: Callable[..., Any], open_page: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    url = start_server(
        MNIST_LIMIT_VISITS="2", MNIST_RUNS_DIR=""
    ).url  # a third visit waits for one to be over

    def opened(**recipe: Any) -> Any:
        page = open_page(_address(url, **recipe))
        page.get_by_role("tab", name="Train").click()
        page.locator("#train-start").wait_for()
        return page

    closing = opened(**LONG)
    closing.locator("#train-start").click()
    _until(closing, lambda: _step(closing) >= 2)
    hidden = closing.context.new_page()  # in front of it
    hidden.goto("about:blank")
    at = _step(closing)
    closing.wait_for_timeout(8000)
    assert _step(closing) > at
    waiting = opened(train_size=200, epochs=1)
    waiting.locator("#train-start").click()
    _until(waiting, lambda: "number 1 in the queue" in waiting.locator("#train-status").inner_text())
    third = opened()
    notice = third.locator("#notice")
    _until(third, lambda: "2 visitors are here already" in notice.inner_text())

    began = time.monotonic()
    closing.close()
    _until(waiting, lambda: _state(waiting) in ("running", "finished"), 12)
    slot = time.monotonic() - began
    _wait_for(waiting, "finished")

    def let_in() -> bool:
        third.get_by_role("tab", name="Draw").click()
        third.get_by_role("tab", name="Train").click()
        third.wait_for_timeout(500)
        return not notice.is_visible()

    _until(third, let_in, 65)
    visit = time.monotonic() - began
    with capsys.disabled():
        print(f"\nA closed tab's slot was free after {slot:.1f} s, its visit forgotten after {visit:.1f} s.")
    assert slot < 10
    assert visit < 60
    assert _state(waiting) == "finished"


def test_the_kernels_move_while_the_first_run_trains(open_train: Callable[..., Any]) -> None:
    page = open_train(**LONG)
    page.locator("#train-start").click()
    page.get_by_role("button", name="Kernels").click()
    newest = page.locator(".kernels figure").nth(1)
    before = newest.inner_html()
    _until(page, lambda: newest.inner_html() != before)
    assert _state(page) == "running"
    page.locator("#train-stop").click()
    _wait_for(page, "stopped")


def test_weights_come_in_from_a_file_and_a_file_that_holds_none_is_explained(
    open_train: Callable[..., Any], tmp_path: Path
) -> None:
    page = open_train()
    touched = tmp_path / "touched"
    files = {
        "notes.txt": (b"no weights", "not a file of weights"),
        "pickle.pt": (pickle.dumps(_Touch(touched)), "not a file of weights"),
        "large.pt": (bytes(3 * 2**20), "larger than 2 MB"),
        "huge.pt": (bytes(6 * 2**20), "exceed the maximum allowed size"),
    }
    for name, (content, sentence) in files.items():
        (tmp_path / name).write_bytes(content)
        page.locator("#watcher input[type=file]").set_input_files(tmp_path / name)
        said = page.locator("#notice, .toast-wrap").filter(has_text=sentence)
        said.first.wait_for()
        assert said.first.is_visible()
    assert not touched.exists()
    page.locator("#watcher input[type=file]").set_input_files(SHIPPED_WEIGHTS)
    _until(page, lambda: "are ready to read" in page.locator("#train-status").inner_text())
    assert not page.locator("#notice").is_visible()
    page.get_by_role("tab", name="Draw").click()
    page.locator("#read-by input").wait_for()
    assert page.locator("#read-by input").input_value() == "Uploaded weights"
    assert [each for each in page.faults if "Failed to load resource" not in each] == []  # files refused


class _Touch:
    """Unpickled, it writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_stop_is_obeyed_at_once_while_digits_are_drawn_by_rule(open_train: Callable[..., Any]) -> None:
    page = open_train(data="synthetic", train_size=60_000)
    page.locator("#train-start").click()
    _until(page, lambda: "draws its digits" in page.locator("#train-status").inner_text())
    began = time.monotonic()
    page.locator("#train-stop").click()
    _wait_for(page, "stopped")
    assert time.monotonic() - began < 2
    assert page.locator("#train-start").is_visible()


def test_a_slow_download_shows_its_progress_and_stops_when_told(
    start_server: Callable[..., Any], open_page: Callable[..., Any], tmp_path: Path
) -> None:
    with serving("slow") as mirror:
        folder = str(tmp_path / "nothing")
        server = start_server(MNIST_DATA_DIR=folder, MNIST_MIRROR=mirror.url, MNIST_RUNS_DIR="")
        page = open_page(server.url)
        page.get_by_role("tab", name="Train").click()
        page.locator("#train-start").click()
        seen: set[str] = set()

        def progress() -> bool:
            seen.update(re.findall(r"[\d.]+(?= of 11\.6 MB)", page.locator("#train-status").inner_text()))
            return len(seen) >= 2

        _until(page, progress)
        _draw_a_seven(page)  # the page reads meanwhile
        _until(page, lambda: page.locator(".small-answer b").inner_text() == "7")
        began = time.monotonic()
        page.locator("#train-stop").click()
        _wait_for(page, "stopped")
        assert time.monotonic() - began < 2
        assert mirror.left.wait(10)
        assert page.faults == []


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
        for part in ("#recipe", "#train-start", "#train-status", "#loss-plot", "#watcher canvas", "#lesson"):
            box = page.locator(part).bounding_box()
            assert box["y"] + box["height"] <= height, part
        if width == 390:
            assert page.evaluate("document.documentElement.scrollHeight") <= height
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_no_result_scrolls_sideways_on_a_phone_or_moves_the_plot(open_train: Callable[..., Any]) -> None:
    page = open_train(width=390, train_size=600, epochs=1)
    top = page.locator("#loss-plot").bounding_box()["y"]
    page.locator("#train-start").click()
    while _state(page) != "finished":
        assert page.locator("#loss-plot").bounding_box()["y"] == top
    for name in ("Runs", "Confusion", "Mistakes", "Kernels", "Take along"):
        page.get_by_role("button", name=name, exact=True).click()
        page.locator(f"#results [aria-pressed=true]:text-is('{name}')").wait_for()
        page.wait_for_timeout(300)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        wide = page.locator("#results .wide")
        assert wide.count() == 0 or wide.evaluate("(box) => box.scrollWidth <= box.clientWidth")
