"""Ways down a loss: four optimizers on one surface, and one optimizer with three batch sizes."""

from __future__ import annotations

from collections.abc import Callable

import torch

from mnist_core.playground.scene import Choice, Curves, Scene, Slider, Surface, Table, Toy, exact, short

GROUP = "Loss and optimizers"
_STEPS = 80
_CELLS = 48  # of the landscape, along each side
_EXAMPLES = 64
_EPOCHS = 6
_TRUE_SLOPE, _TRUE_INTERCEPT = 1.5, -0.5

Rule = Callable[[torch.Tensor, dict[str, torch.Tensor], float], torch.Tensor]
"""A gradient, what the rule remembers (changed in place, empty at first) and a learning rate -> the step."""


def sgd(gradient: torch.Tensor, memory: dict[str, torch.Tensor], rate: float) -> torch.Tensor:
    """Straight down the gradient."""
    return -rate * gradient


def momentum(gradient: torch.Tensor, memory: dict[str, torch.Tensor], rate: float) -> torch.Tensor:
    """Down a running sum of gradients: a rolling ball."""
    memory["pace"] = 0.9 * memory.get("pace", 0) + gradient
    return -rate * memory["pace"]


def adadelta(gradient: torch.Tensor, memory: dict[str, torch.Tensor], rate: float) -> torch.Tensor:
    """Zeiler 2012, "ADADELTA: an adaptive learning rate method", algorithm 1, with torch's constants."""
    decay, epsilon = 0.9, 1e-6
    nothing = torch.zeros_like(gradient)
    memory["size"] = decay * memory.get("size", nothing) + (1 - decay) * gradient**2
    step = ((memory.get("moved", nothing) + epsilon) / (memory["size"] + epsilon)).sqrt() * gradient
    memory["moved"] = decay * memory.get("moved", nothing) + (1 - decay) * step**2
    return -rate * step


def adam(gradient: torch.Tensor, memory: dict[str, torch.Tensor], rate: float) -> torch.Tensor:
    """Kingma and Ba 2015, "Adam: a method for stochastic optimization", algorithm 1."""
    nothing = torch.zeros_like(gradient)
    memory["count"] = memory.get("count", torch.zeros((), dtype=torch.float64)) + 1
    memory["mean"] = 0.9 * memory.get("mean", nothing) + 0.1 * gradient
    memory["size"] = 0.999 * memory.get("size", nothing) + 0.001 * gradient**2
    mean = memory["mean"] / (1 - 0.9 ** memory["count"])
    size = memory["size"] / (1 - 0.999 ** memory["count"])
    return -rate * mean / (size.sqrt() + 1e-8)


# Each rule with its learning rate at "1": what suits surfaces of this size. Rules differ widely in the step
# they make of one gradient, so a rate for one means nothing for another. They are written out, as torch.optim
# has them, because torch.optim takes seconds to load its compiler on first use.
RULES: dict[str, tuple[Rule, float]] = {
    "SGD": (sgd, 0.05),
    "momentum": (momentum, 0.02),
    "Adadelta": (adadelta, 20.0),
    "Adam": (adam, 0.15),
}
_SURFACES: dict[str, tuple[Callable[[torch.Tensor, torch.Tensor], torch.Tensor], tuple[float, float]]] = {
    "bowl": (lambda x, y: (x**2 + y**2) / 2, (-2.5, 2.0)),
    "long valley": (lambda x, y: x**2 / 20 + 2 * y**2, (-2.7, 1.2)),
    "saddle": (lambda x, y: x**2 / 2 - y**2 / 2 + y**4 / 12, (-2.5, 0.05)),
    "two minima": (
        lambda x, y: (
            2 - 2 * torch.exp(-((x - 1.5) ** 2) - y**2) - torch.exp(-((x + 1.2) ** 2) - y**2) + y**2 / 8
        ),
        (-2.4, 1.4),
    ),
}


def optimizers(surface: str, rate: float, noise: float) -> Scene:
    """SGD, momentum, Adadelta and Adam descend the same surface from the same point."""
    height, start = _SURFACES[surface]
    walks = {name: _walk(rule, height, start, rate * own, noise) for name, (rule, own) in RULES.items()}
    losses = {name: [height(*torch.tensor(spot)).item() for spot in walk] for name, walk in walks.items()}
    rates = ", ".join(f"{name} {rate * own:.3g}" for name, (_, own) in RULES.items())
    ends = ", ".join(f"{name} {short(values[-1])}" for name, values in losses.items())
    return Scene(
        parts=[
            Surface(
                title=f"The surface from above, and {_STEPS} steps of each",
                x_range=(-3, 3),
                y_range=(-3, 3),
                heights=_landscape(height, (-3, 3), (-3, 3)),
                walks=list(walks.items()),
            )
        ],
        curves=Curves(
            x_name="step",
            y_name="loss",
            lines=[(name, list(enumerate(values))) for name, values in losses.items()],
        ),
        said=f"Learning rates: {rates}. "
        f"From a loss of {short(losses['SGD'][0])}, after {_STEPS} steps: {ends}.",
    )


def batches(size: str, rate: float) -> Scene:
    """A line fitted to 64 points by SGD: a step after each example, after a few, or after all."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(_EXAMPLES, generator=generator)
    y = _TRUE_SLOPE * x + _TRUE_INTERCEPT + 0.6 * torch.randn(_EXAMPLES, generator=generator)
    batch = {"1: stochastic": 1, "8: mini-batch": 8, "64: batch": _EXAMPLES}[size]
    line = torch.tensor([-1.0, 2.0], requires_grad=True)  # slope and intercept
    walk = [tuple(line.tolist())]
    losses: list[tuple[float, float]] = []
    seen = 0
    for _ in range(_EPOCHS):
        for part in torch.randperm(_EXAMPLES, generator=generator).split(batch):
            losses.append((seen, _misfit(line, x, y).item()))
            (gradient,) = torch.autograd.grad(_misfit(line, x[part], y[part]), line)
            with torch.no_grad():
                line += sgd(gradient, {}, rate)
            seen += len(part)
            walk.append(tuple(line.tolist()))
    losses.append((seen, _misfit(line, x, y).item()))
    steps = len(walk) - 1
    return Scene(
        parts=[
            Surface(
                title="The loss over slope and intercept, and the path down it",
                x_range=(-2, 4),
                y_range=(-3, 3),
                heights=_landscape(lambda a, b: _misfit(torch.stack([a, b]), x, y), (-2, 4), (-3, 3)),
                walks=[("SGD", walk)],
                x_name="slope",
                y_name="intercept",
            ),
            Table(
                title="The line",
                head=("", "slope", "intercept"),
                rows=[
                    ["found", *(exact(value, 3) for value in walk[-1])],
                    ["true", exact(_TRUE_SLOPE, 3), exact(_TRUE_INTERCEPT, 3)],
                ],
            ),
        ],
        curves=Curves(x_name="samples seen", y_name="loss", lines=[("loss", losses)]),
        said=f"{_EPOCHS} epochs over {_EXAMPLES} examples, {batch} at a time, make {steps} steps. The loss "
        f"over all examples goes from {short(losses[0][1])} to {exact(losses[-1][1], 3)}. "
        + ("Single examples disagree, so the path zigzags." if batch == 1 else
           "Each step follows the exact gradient, but there are few steps." if batch == _EXAMPLES else
           "A few examples at a time: fairly exact steps, and many of them."),
    )  # fmt: skip


def _walk(
    rule: Rule,
    height: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    start: tuple[float, float],
    rate: float,
    noise: float,
) -> list[tuple[float, float]]:
    """An optimizer's path from `start`, its gradients as noisy as those of small batches."""
    generator = torch.Generator().manual_seed(1)
    spot = torch.tensor(start, requires_grad=True)
    memory: dict[str, torch.Tensor] = {}
    walk = [start]
    for _ in range(_STEPS):
        (gradient,) = torch.autograd.grad(height(*spot), spot)
        gradient = gradient + noise * torch.randn(2, generator=generator)
        with torch.no_grad():
            spot += rule(gradient, memory, rate)
            spot.clamp_(-10, 10)  # so that a diverging path does not overflow
        walk.append(tuple(spot.tolist()))
    return walk


def _misfit(line: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Mean squared error of y = line[0] x + line[1], for lines of any shape (2, ...)."""
    slope, intercept = line[0][..., None], line[1][..., None]
    return (slope * x + intercept - y).square().mean(dim=-1)


def _landscape(
    height: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    x_range: tuple[float, float],
    y_range: tuple[float, float],
) -> list[list[float]]:
    """Heights at the middle of each cell, rows by ascending y."""
    middles = (torch.arange(_CELLS) + 0.5) / _CELLS
    x, y = (low + (high - low) * middles for low, high in (x_range, y_range))
    return height(*torch.meshgrid(x, y, indexing="xy")).tolist()


TOYS = (
    Toy(
        title="Four optimizers",
        group=GROUP,
        show=optimizers,
        controls=(
            Choice(name="surface", label="Surface", options=tuple(_SURFACES), value="long valley"),
            Slider(
                name="rate",
                label="Learning rate factor",
                low=0.1,
                high=12.0,
                step=0.1,
                value=1.0,
            ),
            Slider(name="noise", label="Gradient noise", low=0.0, high=2.0, step=0.1, value=0.0),
        ),
    ),
    Toy(
        title="Stochastic, mini-batch, batch",
        group=GROUP,
        show=batches,
        controls=(
            Choice(
                name="size",
                label="Examples per step",
                options=("1: stochastic", "8: mini-batch", "64: batch"),
                value="8: mini-batch",
            ),
            Slider(name="rate", label="Learning rate", low=0.01, high=0.5, step=0.01, value=0.1),
        ),
    ),
)
