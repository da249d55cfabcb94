"""Muon's steps are the nearest matrices with equal singular values, whatever the layout."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from mnist_core.engine.optimizers import Muon


def _change(shape: tuple[int, ...], gradient: torch.Tensor, **options: float) -> torch.Tensor:
    """What one step of length 1 subtracts from a parameter of ones."""
    parameter = torch.nn.Parameter(torch.ones(shape))
    parameter.grad = gradient.clone()
    Muon([parameter], lr=1.0, **options).step()
    return 1 - parameter.detach()


def test_a_step_goes_where_the_polar_factor_of_the_gradient_points() -> None:
    gradient = torch.randn(16, 300, generator=torch.Generator().manual_seed(0))
    u, _, v = torch.linalg.svd(gradient, full_matrices=False)
    change = _change((16, 300), gradient)
    assert torch.nn.functional.cosine_similarity(change.flatten(), (u @ v).flatten(), dim=0) > 0.98
    values = torch.linalg.svdvals(change)
    assert values.min() > 0.6
    assert values.max() < 1.3


def test_a_step_of_a_tall_matrix_is_longer_by_the_root_of_its_height_over_its_width() -> None:
    gradient = torch.randn(320, 20, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(_change((320, 20), gradient))
    assert values.min() > 4 * 0.6 and values.max() < 4 * 1.3


def test_the_size_of_the_gradient_does_not_count() -> None:
    gradient = torch.randn(8, 20, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(_change((8, 20), gradient), _change((8, 20), 1000 * gradient))


def test_a_bias_moves_by_one_length_against_its_gradient() -> None:
    torch.testing.assert_close(_change((2,), torch.tensor([3.0, 4.0])), torch.tensor([0.6, 0.8]))


@pytest.mark.parametrize("weights", ("plain", "channels last"))
@pytest.mark.parametrize("gradient", ("plain", "channels last"))
def test_the_layout_in_memory_changes_nothing(weights: str, gradient: str) -> None:
    layout = {"plain": torch.contiguous_format, "channels last": torch.channels_last}
    ones = torch.ones(6, 4, 3, 3)
    slope = torch.randn(6, 4, 3, 3, generator=torch.Generator().manual_seed(2))
    parameter = torch.nn.Parameter(ones.contiguous(memory_format=layout[weights]))
    parameter.grad = slope.contiguous(memory_format=layout[gradient])
    Muon([parameter], lr=1.0).step()
    torch.testing.assert_close(1 - parameter.detach(), _change((6, 4, 3, 3), slope))


def test_no_gradient_and_a_gradient_of_zeros_move_nothing() -> None:
    untouched = torch.nn.Parameter(torch.ones(3, 3))
    Muon([untouched], lr=1.0).step()
    assert torch.equal(untouched.detach(), torch.ones(3, 3))
    assert torch.equal(_change((3, 3), torch.zeros(3, 3)), torch.zeros(3, 3))


def test_weight_decay_shrinks_the_weights_first() -> None:
    change = _change((4, 4), torch.zeros(4, 4), weight_decay=0.1)
    torch.testing.assert_close(change, torch.full((4, 4), 0.1))


def test_it_does_without_torchs_compiler() -> None:
    code = (
        "import sys, torch; from mnist_core.engine.optimizers import Muon\n"
        "weight = torch.nn.Parameter(torch.ones(2, 2)); weight.sum().backward()\n"
        "muon = Muon([weight], lr=0.1); muon.step(); muon.zero_grad()\n"
        "assert 'torch._dynamo' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
