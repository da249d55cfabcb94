"""Threads that read drawings leave training its processors."""

from __future__ import annotations

import threading

import torch

from mnist_core.page.threads import own_thread


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
