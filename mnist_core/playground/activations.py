"""Activation functions, their derivatives, and what a network is without them."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import torch
import torch.nn.functional as F

from mnist_core.playground.scene import Choice, Curves, Scene, Slider, Steps, Table, Toy, exact, short

GROUP = "Activations"
# Units in each layer of the small stack, and the scale of their biases. With these the curve leaves the
# closest line by 7.6% of its range or more at every depth and seed, with ReLU and with tanh.
_WIDTH, _BIAS = 6, 0.75
_DEEPEST = 6


def activation(kind: str, slope: float, at: float) -> Scene:
    """An activation function and its derivative, which the gradients are multiplied by."""
    functions: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
        "sigmoid": torch.sigmoid,
        "tanh": torch.tanh,
        "ReLU": F.relu,
        "leaky ReLU": lambda x: F.leaky_relu(x, slope) + 0.0,  # no slope would leave a zero with a minus
    }
    left, right = torch.linspace(-5, 0, 101), torch.linspace(0.05, 5, 100)
    # The derivatives of ReLU and of its leaky form jump at 0: a place right beside it keeps the line upright.
    x = torch.cat([left, torch.tensor([1e-6]), right, torch.tensor([at])]).requires_grad_()
    y = functions[kind](x)
    (slopes,) = torch.autograd.grad(y.sum(), x)
    places, heights, gradients = (each.detach().tolist() for each in (x, y, slopes))
    return Scene(
        parts=[
            Table(
                title=f"{kind} at one point",
                head=("x", "f(x)", "f′(x)"),
                rows=[[short(at), exact(heights[-1]), exact(gradients[-1])]],
            )
        ],
        curves=Curves(
            x_name="x",
            y_name="",
            lines=[
                ("f(x)", list(zip(places[:-1], heights[:-1], strict=True))),
                ("f′(x)", list(zip(places[:-1], gradients[:-1], strict=True))),
            ],
        ),
        said=f"At x = {short(at)}, {kind} gives {exact(heights[-1])} and its derivative is "
        f"{exact(gradients[-1])}. "
        f"Between −5 and 5 its values range from {_digits(min(heights))} to {_digits(max(heights))}, and its "
        f"derivative is at most {_digits(max(gradients))}.",
    )


def _digits(value: float) -> str:
    """To four digits: to two places, sigmoid would seem to begin at 0.01 and tanh to reach 1."""
    return f"{value:.4g}".replace("-", "−")


def linear_stack(depth: int, between: str, seed: int) -> Scene:
    """A stack of linear layers against a single one: the product of their matrices, or the closest there is.

    With activations in between it is the closest by least squares: next to the product, which is then many
    times as steep, the curve would look straight.
    """
    generator = torch.Generator().manual_seed(seed)
    sizes = [1, *[_WIDTH] * (depth - 1), 1]
    stack = [
        (
            torch.randn(wide, narrow, generator=generator) / narrow**0.5,
            torch.randn(wide, generator=generator) * _BIAS,
        )
        for narrow, wide in itertools.pairwise(sizes)
    ]
    functions = {"none": lambda x: x, "ReLU": F.relu, "tanh": torch.tanh}
    x = torch.linspace(-3, 3, 121)[:, None]
    y, matrix, shift = x, torch.eye(1), torch.zeros(1)
    for place, (weight, bias) in enumerate(stack):
        y = F.linear(y, weight, bias)
        matrix, shift = weight @ matrix, weight @ shift + bias
        if place < depth - 1:
            y = functions[between](y)
    if between != "none":
        matrix, shift = torch.linalg.lstsq(torch.cat([x, torch.ones_like(x)], 1), y).solution
    single = x * matrix + shift  # (121, 1)
    apart = (y - single).abs().max().item()
    verdict = (
        "They are the same line: depth alone adds nothing."
        if apart < 1e-4
        else "The non-linearities make it a curve that no single linear layer can fit."
    )
    stacked = (
        f"{depth} linear layers with {'no activation' if between == 'none' else between} in between"
        if depth > 1
        else "1 linear layer, with nothing in between"
    )
    lines = [("the stack", y), ("one linear layer", single)]
    return Scene(
        parts=[
            Table(
                title="The product of all matrices" if between == "none" else "The closest linear layer",
                head=("a", "b", "parameters in the stack", "largest difference"),
                rows=[
                    [
                        exact(matrix.item()),
                        exact(shift.item()),
                        str(sum(w.numel() + b.numel() for w, b in stack)),
                        f"{apart:.1e}" if apart < 1e-4 else f"{apart:.4f}",
                    ]
                ],
            )
        ],
        curves=Curves(
            x_name="x",
            y_name="",
            lines=[
                (name, list(zip(x[:, 0].tolist(), values[:, 0].tolist(), strict=True)))
                for name, values in lines
            ],
        ),
        said=f"{stacked}, against y = ax + b with a = {exact(matrix.item())} and b = {exact(shift.item())}: "
        f"they differ by at most {apart:.2g}. {verdict}",
    )


TOYS = (
    Toy(
        title="Activation functions",
        group=GROUP,
        show=activation,
        controls=(
            Choice(
                name="kind",
                label="Function",
                options=("sigmoid", "tanh", "ReLU", "leaky ReLU"),
                value="sigmoid",
            ),
            Slider(name="at", label="x", low=-5.0, high=5.0, step=0.1, value=1.0),
            Slider(name="slope", label="Slope k of leaky ReLU", low=0.0, high=0.5, step=0.01, value=0.01),
        ),
    ),
    Toy(
        title="Why non-linearity",
        group=GROUP,
        show=linear_stack,
        controls=(
            Slider(name="depth", label="Layers", low=1, high=_DEEPEST, step=1, value=3),
            Choice(
                name="between", label="Activation in between", options=("none", "ReLU", "tanh"), value="none"
            ),
            Steps(name="seed", label="Seed", last=20, value=3),
        ),
    ),
)
