"""What a run starts from: its device, its recipe made concrete, its network."""

from __future__ import annotations

import functools
import os
import threading
from dataclasses import replace

import torch
from torch import nn

from mnist_core.config import TrainConfig, check_recipe
from mnist_core.engine.network import TRACING
from mnist_core.engine.precision import best_precision
from mnist_core.inference import device_named, undisturbed
from mnist_core.model import ConvNet

TURN = threading.RLock()  # one run at a time has torch's global generator
_forked = False  # whether this process is not the one that imported this


@functools.cache
def fork_between_steps() -> None:
    """From now on, have this process fork so that the new one can compute.

    That is only while no run takes a step, so that the new process finds what a step holds free: torch's
    global generator, above all, which it would wait for forever. And it gets a single thread, since it has
    none of those that torch computes with here, and would wait for them too.
    """
    os.register_at_fork(after_in_child=_compute_alone)
    for lock in (TRACING, TURN):  # the last is taken first: whoever holds it may fork and want the other
        os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)


def _compute_alone() -> None:
    global _forked
    _forked = True
    torch.set_num_threads(1)


def threads_here(wanted: int) -> int:
    """Processor threads to compute with where so many are wanted: 1 in a process that was forked."""
    return 1 if _forked else wanted


def on_zerogpu() -> bool:
    """Whether this is a ZeroGPU Space: a GPU comes and goes there, and this process never has it itself."""
    return os.environ.get("SPACES_ZERO_GPU") == "true"


def pick_device(name: str | None = None) -> torch.device:
    """The device called `name`; without one, or with "auto", CUDA if there is any, else MPS, else the CPU.

    On a ZeroGPU Space that is the CPU: CUDA is only imitated there, whatever torch says.

    Raises:
        ValueError: torch knows no such device, or this machine has none.
    """
    if name is None or name in ("", "auto"):
        if on_zerogpu():
            return torch.device("cpu")
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    return device_named(name)


def resolve(config: TrainConfig, device: str | torch.device = "cpu") -> TrainConfig:
    """The same recipe with what depends on the machine made concrete: "auto" precision, and 0 threads.

    A run stored with its resolved recipe is repeated bit for bit on the same machine.

    Raises:
        ValueError: not a recipe.
    """
    check_recipe(config)
    precision = best_precision(device_named(device)) if config.precision == "auto" else config.precision
    return replace(config, precision=precision, threads=config.threads or torch.get_num_threads())


@undisturbed()
def initial_model(config: TrainConfig) -> ConvNet:
    """The recipe's network with the weights that its seed gives; torch's global generator stays as it was.

    Raises:
        ValueError: not a recipe.
    """
    check_recipe(config)
    fork_between_steps()
    with TURN, torch.random.fork_rng(devices=[]):  # torch imports more at its first use; no fork meanwhile
        with torch.device("meta"):
            model = ConvNet.from_config(config)
        # Drawn in 32 bits, whatever torch's default is: each layer once, in the order in which they are made.
        model.float().to_empty(device="cpu")
        torch.default_generator.manual_seed(config.seed)
        for layer in model.children():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                layer.reset_parameters()
    return model
