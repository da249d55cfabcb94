"""What a run starts from: its device, its recipe made concrete, its network."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import replace

import torch

from mnist_core.config import TrainConfig
from mnist_core.engine.precision import best_precision
from mnist_core.model import ConvNet

TURN = threading.RLock()  # one run at a time has torch's global generator


def on_zerogpu(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether this is a ZeroGPU Space: a GPU comes and goes there, and this process never has it itself."""
    return environment.get("SPACES_ZERO_GPU") == "true"


def pick_device(name: str | None = None) -> torch.device:
    """The device called `name`; without one, or with "auto", CUDA if there is any, else MPS, else the CPU.

    On a ZeroGPU Space that is the CPU: CUDA is only imitated there, whatever torch says.

    Raises:
        ValueError: torch knows no such device, or this machine has none.
    """
    if name in (None, "", "auto"):
        if on_zerogpu():
            return torch.device("cpu")
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(f"There is no device {name!r} here; use cpu, cuda, mps or auto.") from error
    return device


def resolve(config: TrainConfig, device: str | torch.device = "cpu") -> TrainConfig:
    """The same recipe with what depends on the machine made concrete: "auto" precision, and 0 threads.

    A run stored with its resolved recipe is repeated bit for bit on the same machine.
    """
    precision = best_precision(torch.device(device)) if config.precision == "auto" else config.precision
    return replace(config, precision=precision, threads=config.threads or torch.get_num_threads())


def initial_model(config: TrainConfig) -> ConvNet:
    """The recipe's network with the weights that its seed gives; torch's global generator stays as it was."""
    with TURN, torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(config.seed)
        return ConvNet.from_config(config)
