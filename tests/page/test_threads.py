"""Threads that read drawings leave training its processors, and read none that a newer one has replaced."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest
import torch

from mnist_core.page.threads import Latest, own_thread


def test_torch_computes_alone_in_it_and_as_before_everywhere_else() -> None:
    seen: list[int] = []
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with own_thread("a") as one, own_thread("b") as other:
            assert one.submit(torch.get_num_threads).result() == 1
            assert other.submit(torch.get_num_threads).result() == 1
            newcomer = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
            newcomer.start()
            newcomer.join()
        assert seen == [3]
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_of_what_a_visit_asks_for_only_the_last_is_worked_at() -> None:
    began, free = threading.Event(), threading.Event()
    done: list[str] = []

    def job(name: str) -> Callable[[], str]:
        return lambda: done.append(name) or name

    def held() -> str:
        began.set()
        free.wait(10)
        return "held"

    async def ask() -> list[str | None]:
        latest = Latest("test")
        first = asyncio.create_task(latest.run("other", held))  # keeps the thread busy while the others wait
        await asyncio.to_thread(began.wait, 10)
        waiting = [asyncio.create_task(latest.run("anne", job(f"anne {n}"))) for n in range(3)]
        waiting.append(asyncio.create_task(latest.run("ben", job("ben"))))
        await asyncio.sleep(0)
        free.set()
        return await asyncio.gather(first, *waiting)

    assert asyncio.run(ask()) == ["held", None, None, "anne 2", "ben"]
    assert done == ["anne 2", "ben"]


def test_what_a_job_raises_reaches_whoever_asked_and_the_next_is_worked_at() -> None:
    def broken() -> None:
        raise ValueError("broken")

    async def ask() -> int | None:
        latest = Latest("test")
        with pytest.raises(ValueError, match="broken"):
            await latest.run("anne", broken)
        return await latest.run("anne", lambda: 1)

    assert asyncio.run(ask()) == 1
