"""A GPU for the time of one run, on the ZeroGPU Spaces of Hugging Face; elsewhere there is none to ask for.

The `spaces` package forks a process that has the GPU and lets CUDA seem to be there in this one, where it
must not be touched. It has to be imported, and a function handed to it, before the page is launched.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
from typing import Any

import gradio as gr
import torch

from mnist_core.engine.setup import on_zerogpu
from mnist_core.runs import gpu
from mnist_core.runs.run import NoGPU

# What `spaces` adds for visitors of another kind of page.
_NOT_OURS = "Try re-running outside of examples if it happened after clicking one"


@functools.cache
def worker() -> gpu.Worker | None:
    """Trains on a GPU as `gpu.train` does, called in the context of a visitor's request; None where there is
    no ZeroGPU, or no `spaces` package.

    What it yields raises `NoGPU` when no GPU comes, or it goes before the end.
    """
    if not on_zerogpu() or importlib.util.find_spec("spaces") is None:
        return None
    spaces = importlib.import_module("spaces")  # changes torch and Gradio: for nobody who has no use for it
    # Wherever CUDA seems to be, torch's optimizers ask it at each step whether that is being recorded for a
    # replay. Nothing here ever is, and asking would reach for the real thing.
    torch.cuda.is_current_stream_capturing = lambda: False
    gpu.fork_between_steps()
    lent = spaces.GPU(duration=gpu.seconds)(gpu.train)

    def train(recipe: dict[str, Any], train_data: gpu.Arrays, test_data: gpu.Arrays) -> gpu.Parcels:
        try:
            yield from lent(recipe, train_data, test_data)
        except Exception as error:  # of Gradio's when `spaces` has a sentence, else whatever broke on the way
            raise NoGPU(_sentence(error)) from error

    return train


def _sentence(error: Exception) -> str:
    """What went wrong, without a full stop."""
    said = f"{error.title}: {error.message!s}" if isinstance(error, gr.Error) else str(error)
    return said.replace(_NOT_OURS, "").strip().rstrip(".")[:300] or type(error).__name__
