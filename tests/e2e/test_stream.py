"""What watching costs: the same run from the command line, through the page's stream, and in Chromium."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from visitors import Visitor, run

from mnist_core.runs.slot import THREADS

pytestmark = [pytest.mark.full, pytest.mark.browser, pytest.mark.mnist]

PAIRS = 5
RECIPE = {"train_size": 20_000, "epochs": 1.0}
BATCH = 32
_STEP = re.compile(r"step ([\d,]+) of")
_LINE = re.compile(r"epoch: \d+ \[(\d+) / \d+\]")


def _speed(seen: list[tuple[float, int]]) -> float:
    """Images a second between the first and the last of what was seen: (seconds, images)."""
    (began, first), (ended, last) = seen[0], seen[-1]
    return (last - first) / (ended - began)


def _command_line(folder: Path) -> float:
    recipe = {**RECIPE, "threads": THREADS}  # as many as the page trains with
    arguments = [f"--{name.replace('_', '-')}={value}" for name, value in recipe.items()]
    command = [sys.executable, "-m", "mnist_core", "train", *arguments, "--out", str(folder / "weights.pt")]
    env = {**os.environ, "PYTHONUNBUFFERED": "1"}
    seen = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as process:
        for line in process.stdout:
            if told := _LINE.search(line):
                seen.append((time.perf_counter(), int(told[1])))
    assert process.returncode == 0
    return _speed(seen)


async def _stream(url: str) -> float:
    seen: list[tuple[float, int]] = []
    async with Visitor(url) as visitor:
        async for message in visitor.train(**RECIPE):
            told = _STEP.search(str(message.get("output")))
            if told and "testing" not in str(message.get("output")):
                seen.append((time.perf_counter(), BATCH * int(told[1].replace(",", ""))))
    return _speed(_until_the_last_step(seen))


def _until_the_last_step(seen: list[tuple[float, int]]) -> list[tuple[float, int]]:
    """Without what was told after the last step, while the test digits were read."""
    last = next(index for index, (_, images) in enumerate(seen) if images == seen[-1][1])
    return seen[: last + 1]


def _chromium(page: Any) -> float:
    page.locator("#train-start").click()
    seen: list[tuple[float, int]] = []
    numbers = page.locator("#train-status .numbers")
    while page.locator("#train-status .status").get_attribute("data-state") != "finished":
        if told := _STEP.search(numbers.inner_text()):
            seen.append((time.perf_counter(), BATCH * int(told[1].replace(",", ""))))
        page.wait_for_timeout(250)
    return _speed(_until_the_last_step(seen))


def test_a_run_read_over_the_stream_keeps_nine_tenths_of_its_speed(
    start_server: Callable[..., Any],
    open_page: Callable[..., Any],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    url = start_server(MNIST_RUNS_DIR="").url
    run(_stream(url))  # the digits are in memory from here on
    ratios: dict[str, list[float]] = {"an HTTP client": [], "Chromium": []}
    for _ in range(PAIRS):
        alone = _command_line(tmp_path)
        ratios["an HTTP client"].append(run(_stream(url)) / alone)
        alone = _command_line(tmp_path)
        page = open_page(f"{url}/?" + "&".join(f"{name}={value}" for name, value in RECIPE.items()))
        page.locator("#train-start").wait_for()
        ratios["Chromium"].append(_chromium(page) / alone)
        page.context.close()
    with capsys.disabled():
        for reader, found in ratios.items():
            spread = f"{min(found):.2f} to {max(found):.2f}"
            print(
                f"\nImages per second read by {reader}, over the command line's: "
                f"median {statistics.median(found):.2f} ({spread}, {PAIRS} interleaved pairs)"
            )
    assert statistics.median(ratios["an HTTP client"]) >= 0.9
