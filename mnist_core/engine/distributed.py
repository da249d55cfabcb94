"""Data-parallel training on several processes under `torchrun`: each takes its share of every batch."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
import torch.distributed as dist
import torch.distributed.nn  # before there is a group: the default arguments in it keep one alive for good
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from mnist_core.config import TrainConfig
from mnist_core.engine.batches import batches_of
from mnist_core.engine.events import Change, Event
from mnist_core.engine.loop import follow
from mnist_core.engine.setup import resolve
from mnist_core.engine.train_step import train_step
from mnist_core.engine.trainer import Tally, Trainer
from mnist_core.inference import device_named

Result = TypeVar("Result")


def is_launched() -> bool:
    """Whether `torchrun` started this process as one of several."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def is_writer() -> bool:
    """Whether this process is the one that prints and writes files; the only one, if nothing was launched."""
    return int(os.environ.get("RANK", "0")) == 0


@contextmanager
def together(device: torch.device) -> Iterator[torch.device]:
    """Join the process group, over NCCL on CUDA and gloo elsewhere; leave it at the end.

    Yields:
        This process's device: of several GPUs, its own.
    """
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield device
    finally:
        dist.destroy_process_group()
        gc.collect()  # cycles that hold the group: a thread of it that outlives Python aborts the process


def writer_first(work: Callable[[], Result]) -> Result:
    """`work()`'s result: first on the writer, which may download, then on the others."""
    if not is_writer():
        dist.barrier()
    result = work()
    if is_writer():
        dist.barrier()
    return result


def fit(
    model: nn.Module,
    train_data: Any,
    test_data: Any,
    config: TrainConfig,
    device: str | torch.device = "cpu",
) -> Generator[Event, Change | None, None]:
    """`training.fit`, shared by all processes of a launch; each yields the same events, but for the seconds.

    The batches are those of a single process, in the same order; every process takes a part of each batch
    and of the test digits. Parts may differ by one digit and are weighted by size, so that losses and weights
    equal a single process's to within rounding; not with dropout or augment="pen", for which every process
    has random generators of its own.
    """
    device = device_named(device)
    trainer = _SharedTrainer(model, resolve(config, device), device, train_data)
    return follow(trainer, batches_of(test_data, config.test_batch_size, device), progress=False)


class _SharedTrainer(Trainer):
    """Takes its part of each batch; torch's `DistributedDataParallel` averages the gradients."""

    def __init__(self, model: nn.Module, config: TrainConfig, device: torch.device, data: Any) -> None:
        super().__init__(model, config, device, data)
        self.parallel = DistributedDataParallel(self.network)
        self.rank, self.world = dist.get_rank(), dist.get_world_size()
        self.reseed(self.rank)

    def train_step(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """One step on this process's part of the batch.

        The average over the P processes weights each equally, so a part of n of N digits is weighted by
        n P / N. A process without any digits takes one with weight 0.
        """
        mine, my_labels = self._part(images), self._part(labels)
        weight = len(my_labels) * self.world / len(labels)
        if not len(my_labels):
            mine, my_labels = images[:1], labels[:1]
        options = self.step_options()
        loss = train_step(self.parallel, self.optimizer, mine, my_labels, weight=weight, **options)
        return loss / self.world

    def freeze(self) -> None:
        """Have the processes no longer wait for gradients of the frozen layers."""
        self.parallel = DistributedDataParallel(self.network)

    def tally(self, tally: Tally, images: torch.Tensor, labels: torch.Tensor) -> None:
        """Count this process's part of a batch of test digits."""
        tally.add(self.model, self._part(images), self._part(labels))

    def gather(self, tensor: torch.Tensor) -> torch.Tensor:
        """The sum over all processes."""
        dist.all_reduce(tensor)
        return tensor

    def _part(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor.tensor_split(self.world)[self.rank]
