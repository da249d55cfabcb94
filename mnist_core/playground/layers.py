"""The chapter's layers, each on an example small enough to follow by hand."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from mnist_core.playground.scene import (
    Cells,
    Choice,
    Curves,
    Diagram,
    Edge,
    Grid,
    Node,
    Pick,
    Scene,
    Slider,
    Spot,
    Steps,
    Toy,
    clamp,
    numbers,
    short,
)

GROUP = "Layers"
_SIDE = 6  # cells of a small picture
_RING = (  # a small picture to begin with: a ring
    (0, 0, 0, 0, 0, 0), (0, 1, 1, 1, 1, 0), (0, 1, 0, 0, 1, 0),
    (0, 1, 0, 0, 1, 0), (0, 1, 1, 1, 1, 0), (0, 0, 0, 0, 0, 0),
)  # fmt: skip
_WEIGHTS = torch.tensor([[1.0, -1.0], [-0.5, 1.5], [0.5, 0.25]])  # three inputs, two units
_BIAS = torch.tensor([0.5, -1.0])
_UNITS = torch.tensor([0.9, 0.4, 0.7, 0.2, 0.8, 0.5, 0.3, 0.6, 1.0, 0.1])
_DRAWS = 1000


def fully_connected(inputs: tuple[float, ...], unit: str) -> Scene:
    """Three inputs, two units, a weight on every line between them: y = xW + b."""
    x = torch.tensor(inputs)
    y = x @ _WEIGHTS + _BIAS  # (2,)
    chosen = int(unit[-1]) - 1
    nodes = [Node(name=f"x{i}", x=0.12, y=(i + 0.5) / 3, text=short(v)) for i, v in enumerate(inputs)]
    nodes += [
        Node(name=f"y{i}", x=0.88, y=(i + 1) / 3, text=short(v), state="now" if i == chosen else "")
        for i, v in enumerate(y.tolist())
    ]
    edges = [
        Edge(
            start=f"x{i}",
            end=f"y{j}",
            weight=w,
            text=short(w) if j == chosen else "",
            state=_lit(j == chosen),
        )
        for i, row in enumerate(_WEIGHTS.tolist())
        for j, w in enumerate(row)
    ]
    products = " + ".join(
        f"{short(v)} × {short(w)}" for v, w in zip(inputs, _WEIGHTS[:, chosen].tolist(), strict=True)
    )
    return Scene(
        parts=[
            Grid(title="inputs x: click to change", values=[list(inputs)], edits="inputs"),
            Diagram(title="Every input reaches every unit", nodes=nodes, edges=edges),
            Grid(
                title="weights W", values=numbers(_WEIGHTS), marked=frozenset((i, chosen) for i in range(3))
            ),
            Grid(title="biases b", values=numbers(_BIAS), marked=frozenset({(0, chosen)})),
        ],
        said=f"y{chosen + 1} = {products} + {short(_BIAS[chosen].item())} = {short(y[chosen].item())}. "
        "Two units with three inputs each have 2 × 3 weights and 2 biases: 8 parameters.",
    )


def convolution(cells: tuple[float, ...], kind: str, size: int, stride: int, padding: int, at: Spot) -> Scene:
    """A kernel slides over a small image: at each position, products and their sum."""
    x = F.pad(torch.tensor(cells).reshape(1, 1, _SIDE, _SIDE).float(), (padding,) * 4)
    kernel = _kernel(kind, size)
    y = F.conv2d(x, kernel[None, None], stride=stride)[0, 0]  # (out, out)
    row, column = clamp(at, *y.shape)
    top, left = row * stride, column * stride
    patch = x[0, 0, top : top + size, left : left + size]
    return Scene(
        parts=[
            Grid(
                title="input: click to change",
                values=numbers(x[0, 0]),
                edits="cells",
                border=padding,
                marked=_block(top, left, size),
            ),
            Grid(title="kernel", values=numbers(kernel)),
            Grid(
                title="output: click a number to see its sum",
                values=numbers(y),
                picks="at",
                marked=frozenset({(row, column)}),
            ),
            Grid(title="products under the kernel", values=numbers(patch * kernel)),
        ],
        said=f"Output size: ⌊({_SIDE} + 2 × {padding} − {size}) / {stride}⌋ + 1 = {len(y)}. "
        f"The output at row {row}, column {column} is the sum of the products of the marked patch "
        f"and the kernel: {short((patch * kernel).sum().item())}.",
    )


def pooling(cells: tuple[float, ...], how: str, size: int, at: Spot) -> Scene:
    """Each block of an image becomes one number: its largest, its mean, or its smallest."""
    x = torch.tensor(cells).reshape(1, 1, _SIDE, _SIDE).float()
    pools: dict[str, Callable[[torch.Tensor, int], torch.Tensor]] = {
        "max": F.max_pool2d,
        "mean": F.avg_pool2d,
        "min": lambda x, size: -F.max_pool2d(-x, size),
    }
    y = pools[how](x, size)[0, 0]
    row, column = clamp(at, *y.shape)
    block = _block(row * size, column * size, size)
    inside = [short(x[0, 0, r, c].item()) for r, c in sorted(block)]
    left = _SIDE % size
    rest = "1 row and 1 column" if left == 1 else f"{left} rows and {left} columns"
    dropped = f" At the edge {rest} are left over, and dropped." if left else ""
    return Scene(
        parts=[
            Grid(title="input: click to change", values=numbers(x[0, 0]), edits="cells", marked=block),
            Grid(
                title="output: click to see its block",
                values=numbers(y),
                picks="at",
                marked=frozenset({(row, column)}),
            ),
        ],
        said=f"The {how} of {', '.join(inside)} is {short(y[row, column].item())}. {_SIDE} × {_SIDE} "
        f"numbers become {len(y)} × {len(y)}, without any parameters.{dropped}",
    )


def transposed_convolution(cells: tuple[float, ...], size: int, stride: int, at: Spot) -> Scene:
    """Each input number adds a scaled copy of the kernel to the output; where copies overlap, they add up."""
    x = torch.tensor(cells).reshape(1, 1, 3, 3).float()
    ramp = torch.tensor([min(i + 1, size - i) for i in range(size)], dtype=torch.float32)
    kernel = torch.outer(ramp, ramp)
    y = F.conv_transpose2d(x, kernel[None, None], stride=stride)[0, 0]
    row, column = clamp(at, *y.shape)
    givers = [
        (r, c)
        for r in range(3)
        for c in range(3)
        if 0 <= row - r * stride < size and 0 <= column - c * stride < size
    ]
    terms = [
        f"{short(x[0, 0, r, c].item())} × {short(kernel[row - r * stride, column - c * stride].item())}"
        for r, c in givers
    ]
    sum_ = (
        f"{' + '.join(terms)} = {short(y[row, column].item())}"
        if terms
        else "0: no copy of the kernel reaches it"
    )
    return Scene(
        parts=[
            Grid(
                title="input: click to change",
                values=numbers(x[0, 0]),
                edits="cells",
                marked=frozenset(givers),
            ),
            Grid(title="kernel", values=numbers(kernel)),
            Grid(
                title="output: click to see where it comes from",
                values=numbers(y),
                picks="at",
                marked=frozenset({(row, column)}),
            ),
        ],
        said=f"Output size: (3 − 1) × {stride} + {size} = {len(y)}. Row {row}, column {column} is {sum_}.",
    )


def dropout(units: tuple[float, ...], rate: float, draw: int, when: str) -> Scene:
    """Units dropped at random during training, and none at inference."""
    on = torch.tensor(units).bool()
    if when == "training" and draw:
        drawn = torch.rand(len(units), generator=torch.Generator().manual_seed(draw))
        on = on & (drawn >= rate)
    scale = 1 / (1 - rate) if when == "training" else 1.0
    passed = _UNITS * on * scale  # (10,)
    many = torch.rand(_DRAWS, len(units), generator=torch.Generator().manual_seed(0)) >= rate
    mean = (_UNITS * many / (1 - rate)).sum(dim=1).mean().item()
    return Scene(
        parts=[
            Grid(title="switches: click a unit off or on", values=[list(units)], edits="units"),
            _dropout_diagram(on, passed),
        ],
        said=f"{int((~on).sum())} of {len(units)} units are off. The others are multiplied by "
        f"{short(scale)}, and the next unit receives {short(passed.sum().item())}. With all units on and no "
        f"scaling it would be {short(_UNITS.sum().item())}; the mean over {_DRAWS:,} draws is {short(mean)}.",
    )


def recurrence(inputs: tuple[float, ...], memory: float) -> Scene:
    """One unit reads a sequence and keeps a state: h = tanh(x + u · the h before)."""
    cell = nn.utils.skip_init(nn.RNNCell, 1, 1)
    with torch.no_grad():
        for name, value in (("weight_ih", 1.0), ("weight_hh", memory), ("bias_ih", 0.0), ("bias_hh", 0.0)):
            getattr(cell, name).fill_(value)
        states = [torch.zeros(1, 1)]
        for x in inputs:
            states.append(cell(torch.tensor([[float(x)]]), states[-1]))
    h = [state.item() for state in states[1:]]
    count = len(inputs)
    nodes, edges = [], []
    for t, (x, state) in enumerate(zip(inputs, h, strict=True)):
        place = (t + 0.5) / count
        nodes += [
            Node(name=f"h{t}", x=place, y=0.28, text=short(state)),
            Node(name=f"x{t}", x=place, y=0.8, text=short(x), under=f"t = {t + 1}"),
        ]
        edges.append(Edge(start=f"x{t}", end=f"h{t}"))
        if t:
            edges.append(Edge(start=f"h{t - 1}", end=f"h{t}", weight=memory, state="now"))
    return Scene(
        parts=[
            Grid(title="inputs x: click to change", values=[list(inputs)], edits="inputs"),
            Diagram(title="The unit, unrolled over time", nodes=nodes, edges=edges, height=0.36),
        ],
        curves=Curves(
            x_name="time",
            y_name="",
            lines=[
                ("state h", [(t + 1, state) for t, state in enumerate(h)]),
                ("input x", [(t + 1, float(x)) for t, x in enumerate(inputs)]),
            ],
        ),
        said=f"With u = {short(memory)} the states are {', '.join(map(short, h))}. "
        + ("Nothing is remembered: each state depends on its own input alone." if memory == 0 else
           "Each state holds a trace of all inputs before it."),
    )  # fmt: skip


def _kernel(kind: str, size: int) -> torch.Tensor:
    """(size, size): what the kernel looks for."""
    across = torch.linspace(-1, 1, size).expand(size, size) if size > 1 else torch.ones(1, 1)
    middle = torch.zeros(size, size)
    middle[size // 2, size // 2] = 1
    return {
        "vertical edges": across,
        "horizontal edges": across.T,
        "blur": torch.full((size, size), 1 / size**2),
        "identity": middle,
    }[kind]


def _dropout_diagram(on: torch.Tensor, passed: torch.Tensor) -> Diagram:
    count = len(on)
    nodes = [
        Node(name=f"h{i}", x=(i + 0.5) / count, y=0.22, text=short(v), state="" if on[i] else "off")
        for i, v in enumerate(passed.tolist())
    ]
    nodes.append(Node(name="y", x=0.5, y=0.82, text=short(passed.sum().item()), state="now"))
    edges = [Edge(start=f"h{i}", end="y", state="" if on[i] else "off") for i in range(count)]
    return Diagram(title="What the units pass on", nodes=nodes, edges=edges, height=0.36)


def _block(top: int, left: int, size: int) -> frozenset[Spot]:
    return frozenset((top + r, left + c) for r in range(size) for c in range(size))


def _lit(chosen: bool) -> str:
    return "now" if chosen else ""


_PICTURE = tuple(float(v) for row in _RING for v in row)
_HILLS = tuple(float((3 * i + 5 * (i // _SIDE) + i * i) % 10) for i in range(_SIDE * _SIDE))

TOYS = (
    Toy(
        title="Fully connected",
        group=GROUP,
        show=fully_connected,
        controls=(
            Cells(
                name="inputs", label="Inputs", columns=3, among=(-1.0, 0.0, 1.0, 2.0), value=(1.0, 2.0, -1.0)
            ),
            Choice(name="unit", label="Compute", options=("y1", "y2"), value="y1"),
        ),
    ),
    Toy(
        title="Convolution",
        group=GROUP,
        show=convolution,
        controls=(
            Cells(name="cells", label="Input", columns=_SIDE, among=(0.0, 1.0), value=_PICTURE),
            Choice(
                name="kind",
                label="Kernel",
                options=("vertical edges", "horizontal edges", "blur", "identity"),
                value="vertical edges",
            ),
            Slider(name="size", label="Kernel size", low=1, high=5, step=1, value=3),
            Slider(name="stride", label="Stride", low=1, high=3, step=1, value=1),
            Slider(name="padding", label="Padding", low=0, high=2, step=1, value=0),
            Pick(name="at", label="Output"),
        ),
    ),
    Toy(
        title="Pooling",
        group=GROUP,
        show=pooling,
        controls=(
            Cells(
                name="cells", label="Input", columns=_SIDE, among=tuple(map(float, range(10))), value=_HILLS
            ),
            Choice(name="how", label="Pool by", options=("max", "mean", "min"), value="max"),
            Slider(name="size", label="Block size", low=1, high=6, step=1, value=2),
            Pick(name="at", label="Output"),
        ),
    ),
    Toy(
        title="Transposed convolution",
        group=GROUP,
        show=transposed_convolution,
        controls=(
            Cells(
                name="cells",
                label="Input",
                columns=3,
                among=(0.0, 1.0, 2.0),
                value=(1.0, 0.0, 2.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0),
            ),
            Slider(name="size", label="Kernel size", low=1, high=4, step=1, value=3),
            Slider(name="stride", label="Stride", low=1, high=3, step=1, value=2),
            Pick(name="at", label="Output", value=(2, 2)),
        ),
    ),
    Toy(
        title="Dropout",
        group=GROUP,
        show=dropout,
        controls=(
            Cells(name="units", label="Switches", columns=10, among=(1.0, 0.0), value=(1.0,) * 10),
            Slider(name="rate", label="Dropout rate", low=0.0, high=0.9, step=0.05, value=0.25),
            Choice(name="when", label="Mode", options=("training", "testing"), value="training"),
            Steps(name="draw", label="Random draw", last=50, value=1),
        ),
    ),
    Toy(
        title="Recurrence",
        group=GROUP,
        show=recurrence,
        controls=(
            Cells(
                name="inputs",
                label="Inputs",
                columns=8,
                among=(0.0, 1.0, -1.0),
                value=(1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0),
            ),
            Slider(name="memory", label="Recurrent weight u", low=0.0, high=1.5, step=0.05, value=0.8),
        ),
    ),
)
