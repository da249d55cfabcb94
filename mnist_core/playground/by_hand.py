"""The same thing twice: by hand, and with torch's own classes."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.utils.data import DataLoader, RandomSampler

from mnist_core.playground.scene import Choice, Code, Scene, Slider, Steps, Table, Toy, exact

GROUP = "By hand and with torch"
_INPUTS, _OUTPUTS = 256, 4
_DIGITS = 12

_LAYER_BY_HAND = """weights = torch.randn(256, 4) / math.sqrt(256)
weights.requires_grad_()
bias = torch.zeros(4, requires_grad=True)

y = x @ weights + bias"""
_LAYER_BY_TORCH = """layer = nn.Linear(256, 4)  # initialised differently
with torch.no_grad():
    layer.weight.copy_(weights.T)
    layer.bias.copy_(bias)
y = layer(x)"""
_SHUFFLED = """generator = torch.Generator().manual_seed({seed})
order = torch.randperm(len(data), generator=generator)"""
_IN_ORDER = "order = torch.arange(len(data))"
_BATCHES_BY_HAND = """
for start in range(0, len(data), {size}):
    batch = data[order[start : start + {size}]]"""
_LOADER_SHUFFLED = """generator = torch.Generator().manual_seed({seed})
sampler = RandomSampler(data, generator=generator)
for batch in DataLoader(data, {size}, sampler=sampler):
    ..."""
_LOADER_IN_ORDER = """for batch in DataLoader(data, {size}):
    ..."""


def layer_by_hand(rows: int, seed: int) -> Scene:
    """A linear layer of 256 inputs and 4 outputs, by hand and as `nn.Linear`, with the same parameters."""
    generator = torch.Generator().manual_seed(seed)
    weights = (torch.randn(_INPUTS, _OUTPUTS, generator=generator) / math.sqrt(_INPUTS)).requires_grad_()
    bias = torch.zeros(_OUTPUTS, requires_grad=True)
    x = torch.randn(rows, _INPUTS, generator=generator)
    layer = nn.utils.skip_init(nn.Linear, _INPUTS, _OUTPUTS)  # its own initialisation would not be ours
    with torch.no_grad():
        layer.weight.copy_(weights.T)
        layer.bias.copy_(bias)
    by_hand, by_torch = x @ weights + bias, layer(x)
    by_hand.square().mean().backward()
    by_torch.square().mean().backward()
    apart = (by_hand - by_torch).abs().max().item()
    assert weights.grad is not None
    slopes_apart = (weights.grad.T - layer.weight.grad).abs().max().item()
    return Scene(
        parts=[
            Code(title="By hand", text=_LAYER_BY_HAND, marked=frozenset({4})),
            Code(title="With torch.nn", text=_LAYER_BY_TORCH, marked=frozenset({4})),
            Table(
                title="The first row's four outputs",
                head=("", "y1", "y2", "y3", "y4"),
                rows=[
                    ["by hand", *map(exact, by_hand[0].tolist())],
                    ["torch.nn", *map(exact, by_torch[0].tolist())],
                ],
            ),
        ],
        said=f"Given the same weights, over {rows} {'row' if rows == 1 else 'rows'} of {_INPUTS} inputs the "
        f"outputs differ by at most {apart:.1e}, and the gradients of the weights by at most "
        f"{slopes_apart:.1e}: rounding error. Both have {_INPUTS} × {_OUTPUTS} + {_OUTPUTS} = "
        f"{_INPUTS * _OUTPUTS + _OUTPUTS} parameters.",
    )


def batches_by_hand(size: int, order: str, seed: int) -> Scene:
    """Twelve examples in batches, cut from a permutation and taken from a `DataLoader`."""
    data = torch.arange(_DIGITS)
    shuffle = order == "shuffled"
    place = torch.randperm(_DIGITS, generator=torch.Generator().manual_seed(seed)) if shuffle else data
    by_hand = [data[place[start : start + size]] for start in range(0, _DIGITS, size)]
    generator = torch.Generator().manual_seed(seed)
    sampler = RandomSampler(data, generator=generator) if shuffle else None
    # Without a generator of its own the loader would draw from torch's global one, though it needs none.
    # A tensor has a length and items, which is all that a loader wants of a dataset.
    by_torch = list(DataLoader(data, size, sampler=sampler, generator=torch.Generator()))  # type: ignore[arg-type]
    same = len(by_hand) == len(by_torch) and all(map(torch.equal, by_hand, by_torch))
    codes = (
        (_SHUFFLED + _BATCHES_BY_HAND, _LOADER_SHUFFLED)
        if shuffle
        else (_IN_ORDER + _BATCHES_BY_HAND, _LOADER_IN_ORDER)
    )
    mine, theirs = (code.format(size=size, seed=seed) for code in codes)
    return Scene(
        parts=[
            Code(title="By hand", text=mine),
            Code(title="With DataLoader", text=theirs),
            Table(
                title="The batches",
                head=("", "by hand", "DataLoader"),
                rows=[
                    [f"{number + 1}", _listed(one), _listed(other)]
                    for number, (one, other) in enumerate(zip(by_hand, by_torch, strict=True))
                ],
            ),
        ],
        said=f"{_DIGITS} examples in batches of {size}: {len(by_hand)} batches, the last of "
        f"{len(by_hand[-1])}. "
        + ("From the same permutation, both ways give the same batches." if same else "The two ways differ."),
    )


def _listed(batch: torch.Tensor) -> str:
    return " ".join(map(str, batch.tolist()))


TOYS = (
    Toy(
        title="A layer",
        group=GROUP,
        show=layer_by_hand,
        controls=(
            Slider(name="rows", label="Rows in the batch", low=1, high=64, step=1, value=8),
            Steps(name="seed", label="Seed", last=20),
        ),
    ),
    Toy(
        title="Batches",
        group=GROUP,
        show=batches_by_hand,
        controls=(
            Slider(name="size", label="Batch size", low=1, high=_DIGITS, step=1, value=5),
            Choice(name="order", label="Order", options=("in order", "shuffled"), value="shuffled"),
            Steps(name="seed", label="Seed", last=20),
        ),
    ),
)
