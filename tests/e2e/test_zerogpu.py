"""The page on a ZeroGPU Space: the real `spaces` package, a stand-in for the service that lends GPUs."""

from __future__ import annotations

import asyncio
import importlib.util
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pictures import draw
from visitors import OFFLINE, Page, Visitor, run
from zerogpu_api import NONE_FREE, SPENT, DeviceAPI

from mnist_core.config import TrainConfig
from mnist_core.datasets.synthetic import drawing
from mnist_core.runs import gpu

pytestmark = [
    pytest.mark.mnist,
    pytest.mark.skipif(importlib.util.find_spec("spaces") is None, reason="spaces is not installed"),
]

TESTS = Path(__file__).resolve().parents[1]
PAGE, APP = TESTS / "helpers" / "zerogpu_page.py", TESTS.parent / "app.py"
SHORT = {"train_size": 1500, "epochs": 1.0}  # 47 steps
LONG = {"train_size": 6000, "epochs": 20.0}  # longer than anyone looks at it
TOKEN = "header.e30.signature"  # says whose visit it is, from the Hub; "e30" is "{}" in base64
WITHIN = 60.0  # seconds
NO_GPU = "On the CPU, because no GPU came (ZeroGPU {}"


@pytest.fixture
def device_api() -> Iterator[DeviceAPI]:
    with DeviceAPI.serving() as api:
        yield api


@pytest.fixture
def space(start_server: Callable[..., Any], device_api: DeviceAPI) -> Callable[..., Any]:
    """`space(script)`: the page on a ZeroGPU Space, by default with a worker that leaves its GPU alone."""

    def start(*script: Path) -> Any:
        return start_server(
            *(script or (PAGE,)),
            SYSTEM="spaces",
            SPACE_ID="someone/digits",
            SPACES_ZERO_GPU="true",
            SPACES_ZERO_DEVICE_API_URL=device_api.url,
            **OFFLINE,
        )

    return start


class HubVisitor(Visitor):
    """A visitor whose requests bear what the Hub adds to them."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.http.headers["x-ip-token"] = TOKEN


async def _until(condition: Callable[[], Any]) -> None:
    end = time.monotonic() + WITHIN
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        await asyncio.sleep(0.05)


async def _short_run(url: str) -> str:
    """The status that a visitor reads at the end of a short run that was to have a GPU."""
    async with HubVisitor(url) as visitor:
        await _train(visitor, "train-gpu", **SHORT)
        return await visitor.status()


async def _train(visitor: Visitor, button: str, **recipe: Any) -> list[str]:
    """What the page was told of the run until it ended."""
    return [str(message.get("output")) async for message in visitor.train(button, **recipe)]


def test_a_zerogpu_space_starts_reads_and_trains_on_the_cpu_without_asking_for_a_gpu(
    space: Callable[..., Any], device_api: DeviceAPI
) -> None:
    async def visit(url: str) -> tuple[dict[str, Any], list[str], str]:
        async with HubVisitor(url) as visitor:
            read = await visitor.draw(1, draw(drawing(7, np.random.default_rng(0)), size=0.5))
            return read, await _train(visitor, "train-start", **SHORT), await visitor.status()

    server = space()
    assert [path for path, _ in device_api.asked] == ["/startup-report"]
    read, told, status = run(visit(server.url))
    assert [each["guess"] for each in read["digits"]] == [7]
    assert any("step " in each for each in told)
    assert 'data-state="finished"' in status
    assert [path for path, _ in device_api.asked] == ["/startup-report"]


def test_a_run_asked_for_on_a_gpu_streams_its_steps_from_a_process_that_had_one_and_ends(
    space: Callable[..., Any], device_api: DeviceAPI
) -> None:
    async def visit(url: str) -> tuple[list[str], str]:
        async with HubVisitor(url) as other, HubVisitor(url) as visitor:
            training = asyncio.create_task(_train(other, "train-start", **LONG))  # a fork waits for its steps
            async with asyncio.timeout(WITHIN):
                while not await other.steps():
                    await asyncio.sleep(0.05)
            told = await _train(visitor, "train-gpu", train_size=6000, epochs=1.0)
            training.cancel()
            return told, await visitor.status()

    server = space()
    told, status = run(visit(server.url))
    steps = {int(step.replace(",", "")) for each in told for step in re.findall(r"step ([\d,]+) of", each)}
    assert len(steps) > 2, told
    assert 'data-state="finished"' in status
    assert "step 188 of 188" in status
    assert "of 10,000 test digits right" in status
    assert "On the CPU" not in status
    asked = device_api.of("/schedule")
    assert [each["token"] for each in asked] == [TOKEN]
    labels = np.zeros(6000), np.zeros(10_000)
    recipe = TrainConfig(train_size=6000, epochs=1.0).to_dict()
    assert int(asked[0]["durationSeconds"]) == gpu.seconds(recipe, *((each, each) for each in labels))
    assert int(device_api.of("/allow")[0]["pid"]) != server.process.pid
    assert [each["fail"] for each in device_api.of("/release")] == ["false"]


def test_a_run_is_trained_on_the_cpu_and_says_why_when_a_gpu_is_refused(
    space: Callable[..., Any], device_api: DeviceAPI
) -> None:
    server = space()
    for answer, said in (
        (SPENT, "quota exceeded: You have exceeded your "),
        (NONE_FREE, "client error: No GPU"),
    ):
        device_api.answer = answer
        status = run(_short_run(server.url))
        assert 'data-state="finished"' in status
        assert "step 47 of 47" in status
        assert NO_GPU.format(said) in status
    assert device_api.of("/allow") == []


def test_a_visitor_who_leaves_ends_their_run_and_leaves_the_gpu_to_the_next(
    space: Callable[..., Any], device_api: DeviceAPI
) -> None:
    async def visit(url: str) -> str:
        async with HubVisitor(url) as visitor:
            async for message in visitor.train("train-gpu", **LONG):
                if "step " in str(message.get("output")):
                    break
        assert device_api.of("/release") == []
        await _until(lambda: device_api.of("/release"))
        return await _short_run(url)

    status = run(visit(space().url))
    assert 'data-state="finished"' in status
    assert "On the CPU" not in status
    assert len(device_api.of("/schedule")) == 2
    assert len(device_api.of("/allow")) == 1  # the same process
    assert [each["fail"] for each in device_api.of("/release")] == ["false", "false"]


def test_the_page_as_it_is_falls_back_when_the_gpu_it_was_given_does_not_work(
    space: Callable[..., Any], device_api: DeviceAPI
) -> None:
    status = run(_short_run(space(APP).url))
    assert 'data-state="finished"' in status
    assert NO_GPU.format("worker error: ") in status
    assert [each["fail"] for each in device_api.of("/release")] == ["true"]


def test_there_is_no_such_button_anywhere_else(server: Any) -> None:
    async def visit(url: str) -> Page:
        async with Visitor(url) as visitor:
            return visitor.page

    components = run(visit(server.url)).components.values()
    assert "train-gpu" not in [each["props"].get("elem_id") for each in components]
