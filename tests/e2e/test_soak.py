"""A day of visitors: each opens the page, draws, trains for a second, and closes the tab. Nothing stays."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from pictures import draw
from visitors import FEW_DIGITS, OFFLINE, Visitor, run

from mnist_core.datasets.synthetic import drawing

ROUNDS, MOST_ROUNDS = 4, 12  # of visits, after the first ones
IDLE = 0.1  # seconds of processor time within `LOOK`; less than this, and nothing is being trained
LOOK = 2.0  # seconds
RESTS_WITHIN = 120.0  # seconds; by then the page has noticed that everyone left, and forgotten their runs
SOON = {
    "MNIST_LIMIT_GONE_SECONDS": "1",
    "MNIST_LIMIT_UNWATCHED_SECONDS": "2",
    "MNIST_RUNS_DIR": "",  # an archive holds the weights of what was trained, as it should
}  # so that the test need not wait long
FREE_WITHIN = 15.0  # seconds
QUICK = {"data": "synthetic", "train_size": 2_000, "epochs": 20.0}


def _processor_seconds(process: Any) -> float:
    """Processor time that a process has taken so far."""
    # The second field is the name in parentheses; utime and stime are the 14th and 15th.
    user, system = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _memory_at_rest(process: Any) -> int:
    """Bytes that a process has allocated when nobody is there any more, and nothing is trained for them.

    Pages of files, its libraries' above all, are left out: the system drops and reads them again as it likes.
    """
    end, before = time.monotonic() + RESTS_WITHIN, -math.inf
    while (now := _processor_seconds(process)) - before > IDLE:
        assert time.monotonic() < end, "the page is still busy though everyone has left"
        before = now
        time.sleep(LOOK)
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"RssAnon:\s+(\d+) kB", status)[1]) * 1024


async def _visit(url: str, number: int, slot: asyncio.Semaphore) -> None:
    """One visit, from opening the page to closing the tab in the middle of a run."""

    async def follow(visitor: Visitor) -> None:
        async for _ in visitor.train(**QUICK):
            pass

    rng = np.random.default_rng(number)
    async with Visitor(url) as visitor:
        for update in range(1, 4):
            answer = await visitor.draw(update, draw(drawing(number % 10, rng), size=0.5))
            assert answer["number"] == update
        async with slot:
            following = asyncio.create_task(follow(visitor))
            while not await visitor.steps():
                assert not following.done(), await visitor.status()
                await asyncio.sleep(0.1)
            await asyncio.sleep(1.0)
            following.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await following


async def _visits(url: str, numbers: range) -> None:
    """These visits, two at a time; one of them trains."""
    slot, left = asyncio.Semaphore(1), iter(numbers)

    async def keep_coming() -> None:
        for number in left:
            await _visit(url, number, slot)

    await asyncio.gather(keep_coming(), keep_coming())


async def _seconds_until_free(url: str) -> float:
    """How long a newcomer waits until their run is in training."""

    async def follow() -> None:
        async for _ in newcomer.train(**QUICK):
            pass

    async with Visitor(url) as newcomer:
        began = time.monotonic()
        following = asyncio.create_task(follow())
        while not await newcomer.steps() and time.monotonic() - began < FREE_WITHIN:
            await asyncio.sleep(0.1)
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following
        return time.monotonic() - began


def _check(server: Any, first: int, each: int, growth: float) -> None:
    """After the `first` visits, `ROUNDS` of `each` more; a visit may leave up to `growth` bytes.

    A gap in the heap that could not be given back makes one reading high, and is filled later; what visits
    leave makes all later readings higher. So the lowest ones are compared, of the first and the second half,
    and where they differ as many rounds again are waited for: what is left grows on, and a heap settles.
    """
    run(_visits(server.url, range(first)))
    held: list[int] = []
    half, left, visits = ROUNDS // 2, math.inf, first
    while left >= growth and len(held) < MOST_ROUNDS:
        for _ in range(ROUNDS):
            run(_visits(server.url, range(visits, visits + each)))
            visits += each
            held.append(_memory_at_rest(server.process))
        left = (min(held[-half:]) - min(held[-ROUNDS:-half])) / (half * each)
    waited = run(_seconds_until_free(server.url))
    print(
        f"\n{visits} visits: {', '.join(f'{bytes_ / 1e6:.0f}' for bytes_ in held)} MB, "
        f"{left / 1e6:+.2f} MB for each; the next one trains after {waited:.1f} s; "
        f"{httpx.get(f'{server.url}/health').json()}"
    )
    assert left < growth
    assert waited < FREE_WITHIN
    assert httpx.get(f"{server.url}/health").json()["faults"] == 0, server.output()[-4_000:]


def test_abandoned_visits_leave_no_memory_and_no_slot_behind(start_server: Callable[..., Any]) -> None:
    # A run in training takes about 6 MB: its network, gradients, and Adadelta's averages.
    _check(start_server(FEW_DIGITS, **SOON, **OFFLINE), 5, 3, growth=3e6)


@pytest.mark.full
def test_three_hundred_abandoned_visits_leave_nothing_behind(start_server: Callable[..., Any]) -> None:
    _check(start_server(FEW_DIGITS, **SOON, **OFFLINE), 30, 68, growth=0.2e6)


@pytest.mark.full
@pytest.mark.browser
def test_ten_abandoned_tabs_leave_no_slot_behind(
    start_server: Callable[..., Any], open_page: Callable[..., Any]
) -> None:
    server = start_server(FEW_DIGITS, **SOON, **OFFLINE)
    for _ in range(10):
        page = open_page(server.url)
        box = page.locator("#digit-pad canvas").bounding_box()
        page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.2)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.8, steps=8)
        page.mouse.up()
        page.get_by_role("tab", name="Train").click()
        page.locator("#train-start").click()
        page.locator("#train-stop").wait_for()
        page.wait_for_timeout(1_000)  # milliseconds
        assert page.faults == []
        page.context.close()
    waited = run(_seconds_until_free(server.url))
    print(f"\n10 tabs closed while training; the next visit trains after {waited:.1f} s")
    assert waited < FREE_WITHIN
