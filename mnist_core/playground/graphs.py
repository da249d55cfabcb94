"""What is behind `backward()`: gradients by the chain rule, and eager and deferred execution."""

from __future__ import annotations

import torch
import torch.fx

from mnist_core.playground.scene import (
    Code,
    Diagram,
    Edge,
    Node,
    Scene,
    Slider,
    Steps,
    Table,
    Toy,
    exact,
    short,
)

GROUP = "Backpropagation"
_X, _BIAS, _WANTED = 1.5, -0.5, 0.8
_FORWARD = ("p", "z", "a", "e", "L")  # in the order in which they are computed
_FORMULAS = {"p": "w · x", "z": "p + b", "a": "tanh(z)", "e": "a − y", "L": "e²"}
_PLACES = {
    "w": (0.08, 0.2), "x": (0.08, 0.62), "b": (0.26, 0.86), "y": (0.62, 0.86),
    "p": (0.26, 0.4), "z": (0.44, 0.4), "a": (0.62, 0.4), "e": (0.79, 0.4), "L": (0.94, 0.4),
}  # fmt: skip
_LINES = (("w", "p"), ("x", "p"), ("p", "z"), ("b", "z"), ("z", "a"), ("a", "e"), ("y", "e"), ("e", "L"))
# Backward, one gradient at a time: whose, through which node, and the local derivative.
_BACKWARD = (
    ("L", None, "1, the derivative of L with respect to itself"),
    ("e", "L", "2e"),
    ("a", "e", "1"),
    ("z", "a", "1 − a²"),
    ("p", "z", "1"),
    ("b", "z", "1"),
    ("w", "p", "x"),
)
BACKPROPAGATION_STEPS = len(_FORWARD) + len(_BACKWARD)
_EAGER_LINES = ("a = x * 3", "b = a + 2", "c = b.relu()")


def backpropagation(step: int, w: float) -> Scene:
    """L = (tanh(w x + b) - y)²: values forward, then gradients backward, one step at a time."""
    value, gradient = _graph(w)
    forward = _FORWARD[: min(step, len(_FORWARD))]
    backward = _BACKWARD[: max(0, step - len(_FORWARD))]
    known = {*("w", "x", "b", "y"), *forward}
    reached = {name for name, _, _ in backward}
    now = backward[-1][0] if backward else (forward[-1] if forward else "")
    nodes = [
        Node(
            name=name,
            x=x,
            y=y,
            text=name,
            under=(f"{exact(value[name], 3)}" if name in known else "?")
            + (f"\ngrad {exact(gradient[name], 3)}" if name in reached else ""),
            state="now" if name == now else "done" if name in reached else "",
        )
        for name, (x, y) in _PLACES.items()
    ]
    edges = [
        Edge(
            start=a, end=b, state="now" if (a == now and b in reached) or (b == now and not backward) else ""
        )
        for a, b in _LINES
    ]
    return Scene(
        parts=[Diagram(title="The graph of the loss", nodes=nodes, edges=edges, height=0.5)],
        said=_told(step, w, value, gradient),
    )


def _graph(w: float) -> tuple[dict[str, float], dict[str, float]]:
    """Every node's value and gradient, by autograd."""
    leaves = {"w": w, "x": _X, "b": _BIAS, "y": _WANTED}
    nodes = {
        name: torch.tensor(value, dtype=torch.float64, requires_grad=True) for name, value in leaves.items()
    }
    nodes["p"] = nodes["w"] * nodes["x"]
    nodes["z"] = nodes["p"] + nodes["b"]
    nodes["a"] = torch.tanh(nodes["z"])
    nodes["e"] = nodes["a"] - nodes["y"]
    nodes["L"] = nodes["e"] ** 2
    gradients = torch.autograd.grad(nodes["L"], list(nodes.values()), retain_graph=True)
    return (
        {name: node.item() for name, node in nodes.items()},
        {name: each.item() for name, each in zip(nodes, gradients, strict=True)},
    )


def _told(step: int, w: float, value: dict[str, float], gradient: dict[str, float]) -> str:
    """The latest step, in words."""
    if step == 0:
        return (
            f"w = {short(w)}, x = {_X}, b = {short(_BIAS)}, and the target is y = {_WANTED}. Go forward "
            "step by step."
        )
    if step <= len(_FORWARD):
        name = _FORWARD[step - 1]
        return f"Forward: {name} = {_FORMULAS[name]} = {exact(value[name])}."
    name, after, local = _BACKWARD[step - len(_FORWARD) - 1]
    if after is None:
        return f"Backward begins: dL/dL = {local}."
    end = (
        f" A step of SGD changes w by minus the learning rate times {exact(gradient['w'])}."
        if name == "w"
        else ""
    )
    return (
        f"Backward: dL/d{name} = dL/d{after} · d{after}/d{name} = {exact(gradient[after])} · ({local}) = "
        f"{exact(gradient[name])}.{end}"
    )


def eager_and_deferred(step: int, x: float) -> Scene:
    """The same three lines, executed one by one, and recorded as a graph that runs afterwards."""
    given = torch.tensor(x)
    eager, result = {}, given
    for name, rule in (("a", lambda v: v * 3), ("b", lambda v: v + 2), ("c", torch.relu)):
        result = rule(result)
        eager[name] = exact(result.item(), 2)
    traced = torch.fx.symbolic_trace(_three_lines)
    ran = _Recorder(traced)
    ran.run(given)
    lines = min(step, 3)
    run = max(0, step - 3)
    written = [node for node in traced.graph.nodes if node.op in ("call_function", "call_method")]
    eager_rows = [
        [line, eager[name] if place < lines else ""]
        for place, (line, name) in enumerate(zip(_EAGER_LINES, eager, strict=True))
    ]
    graph_rows = [
        [
            f"{node.name} = {_operation(node)}" if place < lines else "",
            exact(ran.values[node.name], 2) if place < run else "",
        ]
        for place, node in enumerate(written)
    ]
    said = (
        "Nothing has been executed yet."
        if step == 0
        else f"Line {step} is executed. Eager: its value is there, {list(eager.values())[step - 1]}. "
        "Deferred: only a node is recorded."
        if step <= 3
        else f"The graph runs: node {run} of 3 gives {exact(ran.values[written[run - 1].name], 2)}, as eager "
        "execution did."
    )
    return Scene(
        parts=[
            Code(
                title="The code",
                text="\n".join((f"x = torch.tensor({x})", *_EAGER_LINES)),
                marked=frozenset({step} if 1 <= step <= 3 else ()),
            ),
            Table(
                title="Eager: computed at once",
                head=("line", "value"),
                rows=eager_rows,
                marked=step - 1 if 1 <= step <= 3 else None,
            ),
            Table(
                title="Deferred: a graph (torch.fx), run afterwards",
                head=("node", "value"),
                rows=graph_rows,
                marked=(run or lines) - 1 if step else None,
            ),
        ],
        said=said,
    )


def _three_lines(x: torch.Tensor) -> torch.Tensor:
    a = x * 3
    b = a + 2
    return b.relu()


class _Recorder(torch.fx.Interpreter):
    """Runs a graph and keeps every node's value."""

    def __init__(self, module: torch.fx.GraphModule) -> None:
        super().__init__(module)
        self.values: dict[str, float] = {}

    def run_node(self, n: torch.fx.Node) -> torch.Tensor:
        result: torch.Tensor = super().run_node(n)
        self.values[n.name] = float(result)
        return result


def _operation(node: torch.fx.Node) -> str:
    name = node.target if isinstance(node.target, str) else node.target.__name__
    return f"{name}({', '.join(map(str, node.args))})"


TOYS = (
    Toy(
        title="Backpropagation",
        group=GROUP,
        show=backpropagation,
        controls=(
            Steps(name="step", label="Step", last=BACKPROPAGATION_STEPS),
            Slider(name="w", label="w", low=-2.0, high=2.0, step=0.1, value=0.4),
        ),
    ),
    Toy(
        title="Eager and deferred",
        group=GROUP,
        show=eager_and_deferred,
        controls=(
            Steps(name="step", label="Step", last=6),
            Slider(name="x", label="x", low=-2.0, high=2.0, step=0.5, value=1.0),
        ),
    ),
)
