"""Files of weights as tests write them, and how they are refused."""

from __future__ import annotations

import io

import pytest
import torch

from mnist_core.checkpoint import CheckpointError, load


def written(value: object) -> io.BytesIO:
    """What torch.save makes of a value."""
    buffer = io.BytesIO()
    torch.save(value, buffer)
    buffer.seek(0)
    return buffer


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    pairs = zip(one.state_dict().items(), other.state_dict().items(), strict=True)
    return all(name == other_name and torch.equal(a, b) for (name, a), (other_name, b) in pairs)


def refused(source: object, **limits: int) -> str:
    """The sentence with which a file is refused."""
    with pytest.raises(CheckpointError) as failed:
        load(source, **limits)
    said = str(failed.value)
    assert "\n" not in said and said.endswith(".")
    return said
