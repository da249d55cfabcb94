"""Visitors draw at once while a network is trained: all are answered, soon, for their own drawing."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import os
import statistics
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from pictures import draw
from PIL import Image
from visitors import Visitor, run

from mnist_core.classifier import Classifier
from mnist_core.datasets.synthetic import drawing

VISITORS, FEWER_VISITORS = 40, 12
UPDATES_PER_SECOND = 3.0  # of each visitor
SLOWEST_SECONDS = 0.075  # at the 95th percentile
KEPT_SPEED = 0.6  # of training's speed without visitors
IDLE_SHARE = 0.03  # of one processor
EPOCHS = 20  # far more than the test waits for


@dataclass
class Tally:
    """What came of all updates."""

    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    strangers: int = 0  # answers that were for another drawing

    def percentile(self, share: float) -> float:
        return statistics.quantiles(self.seconds, n=100)[round(share * 100) - 1]


def _sheets() -> list[tuple[Image.Image, str]]:
    """Drawings, and the digits that the built-in model reads in each."""
    rng = np.random.default_rng(1)
    reader = Classifier.load()
    images = [draw(drawing(digit, rng), size=0.5) for digit in range(10) for _ in range(4)]
    return [(image, _told(reader.read(image))) for image in images]


def _told(predictions: list[Any]) -> str:
    return " ".join(str(each.closest) for each in predictions)


async def _visit(visitor: Visitor, sheets: list[Any], until: float, tally: Tally) -> None:
    """Draw at a visitor's pace until then (monotonic seconds), one update after the other."""
    number = 0
    rng = np.random.default_rng(int(visitor.session, 16))
    await asyncio.sleep(rng.random() / UPDATES_PER_SECOND)
    while (began := time.monotonic()) < until:
        number += 1
        image, expected = sheets[rng.integers(len(sheets))]
        try:
            answer = await visitor.draw(number, image)
        except (OSError, http.client.HTTPException, KeyError, ValueError) as error:
            tally.errors.append(repr(error))
            continue
        tally.seconds.append(time.monotonic() - began)
        told = " ".join(str(each["guess"]) for each in answer["digits"])
        tally.strangers += answer["number"] != number or told != expected
        await asyncio.sleep(max(0.0, began + 1 / UPDATES_PER_SECOND - time.monotonic()))


@contextlib.asynccontextmanager
async def _training(url: str) -> AsyncIterator[Visitor]:
    """A visitor whose run goes on for as long as this is open, followed as the page does."""

    async def follow(trainer: Visitor) -> None:
        async for _ in trainer.train(epochs=EPOCHS):
            pass

    async with Visitor(url) as trainer:
        following = asyncio.create_task(follow(trainer))
        while await trainer.steps() < 100 and not following.done():
            await asyncio.sleep(0.5)
        yield trainer
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following


async def _speed(trainer: Visitor, seconds: float) -> float:
    """Steps a second of the run over so long a time."""
    began, before = time.monotonic(), await trainer.steps()
    await asyncio.sleep(seconds)
    return (await trainer.steps() - before) / (time.monotonic() - began)


async def _load(url: str, count: int, seconds: float) -> tuple[Tally, float, float]:
    """All visitors for so long: what came of it, and training's speed without and with them."""
    tally, sheets = Tally(), _sheets()
    async with _training(url) as trainer, contextlib.AsyncExitStack() as door:
        alone = await _speed(trainer, seconds)
        visitors = await asyncio.gather(*(door.enter_async_context(Visitor(url)) for _ in range(count)))
        until = time.monotonic() + seconds
        drawing_ = asyncio.gather(*(_visit(visitor, sheets, until, tally) for visitor in visitors))
        together = await _speed(trainer, seconds)
        await drawing_
    return tally, alone, together


def _processor_seconds(pid: int) -> float:
    """Processor time that a process has had, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # user and system, proc(5)


def _check(start_server: Callable[..., Any], data_folder: Any, count: int, seconds: float) -> Tally:
    server = start_server(MNIST_DATA_DIR=str(data_folder))
    tally, alone, together = run(_load(server.url, count, seconds))
    print(
        f"\n{count} visitors, {UPDATES_PER_SECOND:g} updates/s each, {seconds:g} s, one run in training: "
        f"{len(tally.seconds)} answers, {len(tally.errors)} errors, {tally.strangers} for another drawing; "
        f"p50 {tally.percentile(0.5) * 1000:.0f} ms, p95 {tally.percentile(0.95) * 1000:.0f} ms; "
        f"training {together:.0f} steps/s, {together / alone:.0%} of {alone:.0f} alone"
    )
    assert tally.errors == []
    assert tally.strangers == 0
    assert len(tally.seconds) >= 0.8 * count * UPDATES_PER_SECOND * seconds
    assert httpx.get(f"{server.url}/health").json()["faults"] == 0, server.output()[-4_000:]
    assert together >= KEPT_SPEED * alone
    return tally


def test_a_page_that_nobody_uses_leaves_the_processor_alone(start_server: Callable[..., Any]) -> None:
    server = start_server()
    time.sleep(6.0)  # what starts in the background has started
    began, before = time.monotonic(), _processor_seconds(server.process.pid)
    time.sleep(5.0)
    share = (_processor_seconds(server.process.pid) - before) / (time.monotonic() - began)
    print(f"\nidle: {share:.1%} of a processor")
    assert share < IDLE_SHARE


@pytest.mark.mnist
def test_drawing_visitors_are_answered_while_a_run_trains(
    start_server: Callable[..., Any], data_folder: Any
) -> None:
    _check(start_server, data_folder, FEWER_VISITORS, 10.0)


@pytest.mark.full
@pytest.mark.mnist
def test_forty_drawing_visitors_are_answered_soon_for_a_whole_minute(
    start_server: Callable[..., Any], data_folder: Any
) -> None:
    tally = _check(start_server, data_folder, VISITORS, 60.0)
    assert tally.percentile(0.95) <= SLOWEST_SECONDS
