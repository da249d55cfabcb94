"""Training of the network that reads digit strings."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F

from mnist_core.checkpoint import atomic_write
from mnist_core.datasets.strings import NOTHING, Strings
from mnist_core.strings import LENGTHS, PLACES, StringNet, normalise, outputs, warped

BATCH_SIZE = 128
LEARNING_RATE = 3e-3
WEIGHT_DECAY = 0.02
# Standard deviations of the turn (radians), the slant (columns per row) and the shifts (of half the picture).
_VARIED = (0.06, 0.12, 0.02, 0.03)
_SMALLER = 0.12  # natural logarithm of the factor by which pieces shrink, at most
_TEMPERATURES = tuple(0.5 * 1.04**step for step in range(40))  # 0.5 to 2.3


@dataclass(frozen=True)
class StringStep:
    """After a step: how many of all are done, and the mean loss of the last hundred."""

    step: int
    steps: int
    loss: float


def train_strings(model: StringNet, pieces: Strings, epochs: float, seed: int) -> Iterator[StringStep]:
    """AdamW under a one-cycle schedule (Smith & Topin 2018); an event every hundred steps.

    Args:
        epochs: passes over the pieces, rounded down to whole steps; one step at least.
        seed: for torch's global generator, from which dropout and variations are drawn, and for the order.
    """
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    per_epoch = len(pieces) // BATCH_SIZE
    steps = max(1, int(epochs * per_epoch))
    optimizer = torch.optim.AdamW(model.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, LEARNING_RATE, total_steps=steps, pct_start=0.15
    )
    model.train()
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks it
    total = 0.0
    order = torch.empty(0, dtype=torch.int64)
    for step in range(1, steps + 1):
        if len(order) < BATCH_SIZE:
            order = torch.randperm(len(pieces), generator=generator)
        chosen, order = order[:BATCH_SIZE], order[BATCH_SIZE:]
        inputs = varied(normalise(pieces.pictures[chosen])).to(memory_format=torch.channels_last)
        loss = string_loss(model(inputs), pieces.lengths[chosen], pieces.digits[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        total += loss.item()
        if step % 100 == 0 or step == steps:
            yield StringStep(step, steps, total / (step % 100 or 100))
            total = 0.0


def varied(inputs: torch.Tensor) -> torch.Tensor:
    """Normalised pieces, (N, 1, 32, 64), each turned, slanted, made smaller and moved a little, at random.

    So fewer pieces have to be drawn: none is seen twice as it was.
    """
    turn, slant, move_x, move_y = torch.randn(4, len(inputs)) * torch.tensor(_VARIED)[:, None]
    width, height = torch.exp(torch.rand(2, len(inputs)) * _SMALLER)  # how far apart the places looked at
    rows = torch.stack([width, slant / 2 - turn / 2, move_x, 2 * turn, height, move_y], dim=1)
    paper = float(inputs.min())
    return warped(inputs - paper, rows.reshape(-1, 2, 3)) + paper


def string_loss(output: torch.Tensor, lengths: torch.Tensor, digits: torch.Tensor) -> torch.Tensor:
    """The loss of N pieces: cross-entropy of the length, and `digit_loss`."""
    return F.cross_entropy(output[:, :LENGTHS], lengths) + digit_loss(output, lengths, digits)


def digit_loss(output: torch.Tensor, lengths: torch.Tensor, digits: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of every digit at its place among as many: summed over the places, mean over the pieces.

    Args:
        output: (N, 64), as `StringNet` gives it.
        lengths: (N,).
        digits: (N, 3), `NOTHING` where there is none.
    """
    loss = output.new_zeros(())
    for head, (length, place) in enumerate(PLACES):
        target = torch.where(lengths == length, digits[:, place], NOTHING)
        logits = output[:, LENGTHS + 10 * head :][:, :10]
        loss = loss + F.cross_entropy(logits, target, ignore_index=NOTHING, reduction="sum") / len(lengths)
    return loss


def calibrate_strings(model: StringNet, pieces: Strings) -> tuple[float, float]:
    """The temperatures of lengths and of digits at which held-out pieces are likeliest (Guo et al. 2017)."""
    output = outputs(model.eval(), pieces.pictures)
    of_length = [float(F.cross_entropy(output[:, :LENGTHS] / t, pieces.lengths)) for t in _TEMPERATURES]
    of_digit = [float(digit_loss(output / t, pieces.lengths, pieces.digits)) for t in _TEMPERATURES]
    return _TEMPERATURES[of_length.index(min(of_length))], _TEMPERATURES[of_digit.index(min(of_digit))]


def save_strings(path: Path, model: StringNet, temperatures: tuple[float, float]) -> None:
    """Write what `StringReader.load` reads. Raises `OSError`."""
    held = io.BytesIO()
    weights = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    torch.save({"model": weights, "temperatures": list(temperatures)}, held)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, held.getvalue())
