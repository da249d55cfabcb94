"""The Train tab in a real browser, on real MNIST: run control, what goes wrong, what a run leaves."""

from __future__ import annotations

import json
import pickle
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from mirror import serving
from train_tab import (
    LONG,
    run_alone,
    save,
    saved_losses,
    state_of,
    step_of,
    until,
    until_state,
)

from mnist_core.classifier import SHIPPED_WEIGHTS
from mnist_core.config import TrainConfig
from mnist_core.engine.setup import initial_model

pytestmark = [pytest.mark.browser, pytest.mark.mnist]

SHORT = TrainConfig(train_size=1500, epochs=2.0)  # 94 steps and two tests: some seconds


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
    until(page, lambda: step_of(page) >= 3)
    page.locator("#train-pause").click()
    until_state(page, "paused")
    paused_at = step_of(page)

    other = open_train(train_size=300, epochs=1, dropout2=0.5, seed=3)  # draws from the same generator
    other.locator("#train-start").click()
    until_state(other, "finished")
    assert step_of(page) == paused_at

    page.locator("#train-step").click()
    until(page, lambda: state_of(page) == "paused" and step_of(page) == paused_at + 1)
    page.locator("#train-resume").click()
    until_state(page, "finished")

    page.get_by_role("button", name="Export").click()
    config = TrainConfig.from_dict(json.loads(save(page, "Recipe", tmp_path).read_text(encoding="utf-8")))
    assert replace(config, threads=0) == SHORT
    assert saved_losses(page, tmp_path) == run_alone(config, data_folder)[0]
    assert page.faults == other.faults == []


def test_a_rate_chosen_while_the_run_is_paused_holds_from_the_next_step_on(
    open_train: Callable[..., Any], tmp_path: Path
) -> None:
    page = open_train(train_size=SHORT.train_size, epochs=SHORT.epochs)
    page.locator("#train-start").click()
    until(page, lambda: step_of(page) >= 3)
    page.locator("#train-pause").click()
    until_state(page, "paused")
    paused_at = step_of(page)
    page.locator("#course").get_by_text("Change the recipe").click()
    with page.expect_response(lambda response: "/run/" in response.url or "/queue/" in response.url):
        page.get_by_label("Learning rate", exact=True).first.fill("0.05")
        page.keyboard.press("Enter")
    page.locator("#train-step").click()
    until(page, lambda: state_of(page) == "paused" and step_of(page) == paused_at + 1)
    page.get_by_role("button", name="Export").click()
    history = save(page, "History (.csv)", tmp_path).read_text(encoding="utf-8")
    assert history.splitlines()[-1].split(",")[4] == "0.05"
    assert page.faults == []


def test_the_plot_moves_twice_a_second_stop_answers_at_once_and_the_weights_read_the_pad(
    open_train: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    page = open_train(**LONG)
    _draw_a_seven(page)
    page.locator("#train-start").click()
    until(page, lambda: step_of(page) >= 3)
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
    until_state(page, "stopped")
    stopped = time.monotonic() - began
    with capsys.disabled():
        print(f"\nThe plot moved {moved / 4:.1f} times a second; Stop answered after {stopped:.2f} s.")
    assert moved >= 4
    assert stopped < 1
    assert page.locator(".small-answer").inner_text().startswith("Run 1")
    page.get_by_role("tab", name="Draw").click()
    page.locator("#read-by input").wait_for()
    assert page.locator("#read-by input").input_value() == "Run 1"
    until(page, lambda: page.locator("#prediction").get_attribute("data-digit") is not None)
    assert page.faults == []


def test_a_learning_rate_of_10_is_explained_and_one_click_starts_one_that_learns(
    open_train: Callable[..., Any],
) -> None:
    page = open_train(optimizer="sgd", learning_rate=10, train_size=3000, epochs=1)
    page.locator("#train-start").click()
    until_state(page, "diverged")
    said = page.locator("#train-status .advice").inner_text()
    assert "A learning rate of 10 is too high for plain SGD; try 0.05." in said
    page.get_by_role("button", name="Train with 0.05").click()
    until(page, lambda: "Run 2" in page.locator("#train-status").inner_text())
    until_state(page, "finished")
    accuracy = float(page.locator("#train-status .numbers b").inner_text().rstrip("%"))
    assert accuracy > 60
    assert "learning_rate=0.05" in page.url
    assert page.faults == []


def test_the_kernels_move_while_the_first_run_trains(open_train: Callable[..., Any]) -> None:
    page = open_train(**LONG)
    page.locator("#train-start").click()
    page.get_by_role("button", name="Kernels").click()
    newest = page.locator(".kernels figure").nth(1)
    before = newest.inner_html()
    until(page, lambda: newest.inner_html() != before)
    assert state_of(page) == "running"
    page.locator("#train-stop").click()
    until_state(page, "stopped")


def test_weights_come_in_from_a_file_and_a_file_that_holds_none_is_explained(
    open_train: Callable[..., Any], tmp_path: Path
) -> None:
    page = open_train()
    touched = tmp_path / "touched"
    files = {
        "notes.txt": (b"no weights", "not a weights file"),
        "pickle.pt": (pickle.dumps(_Touch(touched)), "not a weights file"),
        "large.pt": (bytes(8 * 2**20 + 1), "larger than 8 MB"),
        "huge.pt": (bytes(9_000_001), "exceed the maximum allowed size"),
    }
    for name, (content, sentence) in files.items():
        (tmp_path / name).write_bytes(content)
        page.locator("#watcher input[type=file]").set_input_files(tmp_path / name)
        said = page.locator("#notice, .toast-wrap").filter(has_text=sentence)
        said.first.wait_for()
        assert said.first.is_visible()
    assert not touched.exists()
    page.locator("#watcher input[type=file]").set_input_files(SHIPPED_WEIGHTS)
    until(page, lambda: "is ready to use" in page.locator("#train-status").inner_text())
    assert not page.locator("#notice").is_visible()
    _upload_another_loops_checkpoint(page, tmp_path)
    page.get_by_role("tab", name="Draw").click()
    page.locator("#read-by input").wait_for()
    assert page.locator("#read-by input").input_value() == "Uploaded model"
    assert [each for each in page.faults if "Failed to load resource" not in each] == []  # files refused


def _upload_another_loops_checkpoint(page: Any, folder: Path) -> None:
    """What a training loop with Adam, float64 and DataParallel saves halfway."""
    model = torch.nn.DataParallel(initial_model(TrainConfig()).double())
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.zeros(2, 1, 28, 28, dtype=torch.float64)).sum().backward()
    optimizer.step()
    halfway = {"epoch": 3, "model_state_dict": model.state_dict(), "optimizer": optimizer.state_dict()}
    torch.save(halfway, folder / "halfway.pth")
    assert (folder / "halfway.pth").stat().st_size > 7_000_000
    page.locator("#watcher input[type=file]").set_input_files(folder / "halfway.pth")
    until(page, lambda: page.locator("#results tbody tr").count() == 2)
    assert not page.locator("#notice").is_visible()


class _Touch:
    """Unpickled, it writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_the_ticks_of_the_table_move_with_its_rows(open_train: Callable[..., Any], tmp_path: Path) -> None:
    page = open_train()
    shown, compared = (page.locator(f"#results input[type={kind}]") for kind in ("radio", "checkbox"))
    for runs in (1, 2, 3):
        file = shutil.copy(SHIPPED_WEIGHTS, tmp_path / f"{runs}.pt")
        page.locator("#watcher input[type=file]").set_input_files(file)
        until(page, lambda runs=runs: shown.count() == runs)
        if runs == 2:
            shown.nth(1).check()
            page.locator("#results tr.shown:nth-child(2)").wait_for()
            compared.nth(0).check()
            page.locator("#results input[type=checkbox][checked]").wait_for()
    for boxes in (shown, compared):
        ticks = boxes.evaluate_all("(all) => all.map((box) => [box.checked, box.defaultChecked])")
        assert [box for box, _ in ticks] == [told for _, told in ticks]
        assert sum(box for box, _ in ticks) == 1
    assert page.faults == []


def test_stop_is_obeyed_at_once_while_synthetic_digits_are_drawn(open_train: Callable[..., Any]) -> None:
    page = open_train(data="synthetic", train_size=60_000)
    page.locator("#train-start").click()
    until(page, lambda: "is drawing its synthetic digits" in page.locator("#train-status").inner_text())
    page.locator("#train-stop").click()
    until_state(page, "stopped")
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

        until(page, progress)
        _draw_a_seven(page)  # the page reads meanwhile
        until(page, lambda: page.locator(".small-answer b").inner_text() == "7")
        page.locator("#train-stop").click()
        until_state(page, "stopped")
        assert mirror.left.wait(10)
        assert page.faults == []


def test_results_appear_with_a_run_and_a_mistake_goes_to_the_pad(open_train: Callable[..., Any]) -> None:
    page = open_train(train_size=600, epochs=1)
    assert page.locator("#results .results").count() == 0
    assert not page.locator("#train-pause").is_visible()
    assert not page.locator("#train-stop").is_visible()
    page.locator("#train-start").click()
    until_state(page, "finished")
    assert not page.locator("#train-pause").is_visible()
    page.get_by_role("button", name="Mistakes").click()
    page.locator(".mistakes button").first.click()
    caption = page.locator("#watcher .caption")
    until(page, lambda: "MNIST test image" in caption.inner_text())
    assert caption.is_visible()
    page.get_by_role("button", name="Confusion").click()
    until(page, lambda: page.locator("table.confusion tbody tr").count() == 10)
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
    while state_of(page) != "finished":
        assert page.locator("#loss-plot").bounding_box()["y"] == top
    for name in ("Runs", "Confusion", "Mistakes", "Kernels", "Export"):
        page.get_by_role("button", name=name, exact=True).click()
        page.locator(f"#results [aria-pressed=true]:text-is('{name}')").wait_for()
        page.wait_for_timeout(300)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        wide = page.locator("#results .wide")
        assert wide.count() == 0 or wide.evaluate("(box) => box.scrollWidth <= box.clientWidth")
