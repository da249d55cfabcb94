"""What the toys say, word for word, with every number in it computed apart, in plain Python and numpy."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from toys import scene_of

from mnist_core.page.tabs.playground import texts
from mnist_core.playground.scene import Grid, Table


def grids(scene: Any) -> list[np.ndarray]:
    return [np.array(part.values) for part in scene.parts if isinstance(part, Grid)]


def rows(scene: Any) -> list[Any]:
    return next(part for part in scene.parts if isinstance(part, Table)).rows


def rounded(value: float, places: int = 2) -> str:
    """To so many places and no trailing zeros, with a real minus."""
    text = np.format_float_positional(round(float(value), places) + 0.0, trim="-")
    return text.replace("-", "−")


def fixed(value: float, places: int = 4) -> str:
    return f"{value:.{places}f}".replace("-", "−")


@pytest.mark.parametrize("unit", [1, 2])
def test_a_fully_connected_units_sum(unit: int) -> None:
    scene = scene_of("fully_connected", inputs=(2.0, -1.0, 1.0), unit=f"y{unit}")
    inputs, weights, biases = grids(scene)
    column, bias = weights[:, unit - 1], biases[0, unit - 1]
    products = " + ".join(f"{rounded(x)} × {rounded(w)}" for x, w in zip(inputs[0], column, strict=True))
    total = rounded(inputs[0] @ column + bias)
    assert scene.said == (
        f"y{unit} = {products} + {rounded(bias)} = {total}. Two units with three inputs each have 2 × 3 "
        f"weights and 2 biases: {weights.size + biases.size} parameters."
    )


@pytest.mark.parametrize(("size", "stride", "padding"), [(3, 1, 0), (5, 2, 2), (2, 3, 1), (1, 1, 0)])
def test_a_convolutions_size_and_sum(size: int, stride: int, padding: int) -> None:
    kind = "horizontal edges"
    scene = scene_of("convolution", kind=kind, size=size, stride=stride, padding=padding, at=(1, 1))
    image, kernel, output, _ = grids(scene)
    side = math.floor((len(image) - size) / stride) + 1
    row = min(1, side - 1)
    patch = image[row * stride :, row * stride :][:size, :size]
    assert output.shape == (side, side)
    assert scene.said == (
        f"Output size: ⌊(6 + 2 × {padding} − {size}) / {stride}⌋ + 1 = {side}. The output at row {row}, "
        f"column {row} is the sum of the products of the marked patch and the kernel: "
        f"{rounded((patch * kernel).sum())}."
    )


@pytest.mark.parametrize("how", ["max", "mean", "min"])
@pytest.mark.parametrize(
    ("size", "left"),
    [
        (1, ""), (2, ""), (3, ""), (6, ""),
        (4, " At the edge 2 rows and 2 columns are left over, and dropped."),
        (5, " At the edge 1 row and 1 column are left over, and dropped."),
    ],
)  # fmt: skip
def test_a_pools_block_and_what_is_left_over(how: str, size: int, left: str) -> None:
    scene = scene_of("pooling", how=how, size=size)
    image, _ = grids(scene)
    block = image[:size, :size].flatten()
    pooled = {"max": np.max, "mean": np.mean, "min": np.min}[how](block)
    side = len(image) // size
    assert scene.said == (
        f"The {how} of {', '.join(map(rounded, block))} is {rounded(pooled)}. 6 × 6 numbers become {side} × "
        f"{side}, without any parameters.{left}"
    )


@pytest.mark.parametrize(("size", "stride"), [(3, 2), (2, 1), (1, 3)])
def test_a_transposed_convolutions_sum(size: int, stride: int) -> None:
    scene = scene_of("transposed_convolution", size=size, stride=stride, at=(2, 2))
    image, kernel, output = grids(scene)
    side = (3 - 1) * stride + size
    terms = [
        (image[r, c], kernel[2 - r * stride, 2 - c * stride])
        for r, c in itertools.product(range(3), repeat=2)
        if 0 <= 2 - r * stride < size and 0 <= 2 - c * stride < size
    ]
    assert output.shape == (side, side)
    sums = " + ".join(f"{rounded(x)} × {rounded(w)}" for x, w in terms)
    end = (
        f"{sums} = {rounded(sum(x * w for x, w in terms))}"
        if terms
        else "0: no copy of the kernel reaches it"
    )
    assert scene.said == f"Output size: (3 − 1) × {stride} + {size} = {side}. Row 2, column 2 is {end}."


@pytest.mark.parametrize(("when", "factor"), [("training", 4 / 3), ("testing", 1.0)])
def test_what_dropout_passes_on(when: str, factor: float) -> None:
    units = np.array([0.9, 0.4, 0.7, 0.2, 0.8, 0.5, 0.3, 0.6, 1.0, 0.1])
    on = np.array([1, 1, 0, 1, 1, 1, 0, 1, 1, 1])
    scene = scene_of("dropout", units=tuple(map(float, on)), rate=0.25, draw=0, when=when)
    said, _, mean = scene.said.rstrip(".").rpartition(" ")
    assert said == (
        f"2 of 10 units are off. The others are multiplied by {rounded(factor)}, and the next unit receives "
        f"{rounded((units * on).sum() * factor)}. With all units on and no scaling it would be "
        f"{rounded(units.sum())}; the mean over 1,000 draws is"
    )
    # A draw's standard deviation is the root of p / (1 - p) times the sum of squares, here 1.1: five errors.
    assert abs(float(mean) - units.sum()) < 5 * 1.1 / math.sqrt(1000)


@pytest.mark.parametrize("u", [0.0, 0.7])
def test_a_recurrent_units_states(u: float) -> None:
    state, states = 0.0, []
    for x in (1.0, 0.0, -1.0, 1.0, 0.0, 0.0, 0.0, 0.0):
        state = math.tanh(x + u * state)
        states.append(rounded(state))
    end = (
        "Each state holds a trace of all inputs before it."
        if u
        else "Nothing is remembered: each state depends on its own input alone."
    )
    said = scene_of("recurrence", inputs=(1.0, 0.0, -1.0, 1.0, 0.0, 0.0, 0.0, 0.0), memory=u).said
    assert said == f"With u = {rounded(u)} the states are {', '.join(states)}. {end}"


_FUNCTIONS = {
    "sigmoid": (lambda x: 1 / (1 + math.exp(-x)), "0.006693", "0.9933", "0.25"),
    "tanh": (math.tanh, "−0.9999", "0.9999", "1"),
    "ReLU": (lambda x: max(0.0, x), "0", "5", "1"),
    "leaky ReLU": (lambda x: max(0.3 * x, x), "−1.5", "5", "1"),
}


@pytest.mark.parametrize("kind", list(_FUNCTIONS))
@pytest.mark.parametrize("x", [-2.0, 1.3])
def test_an_activations_value_derivative_and_range(kind: str, x: float) -> None:
    function, low, high, steepest = _FUNCTIONS[kind]
    slope = (function(x + 1e-6) - function(x - 1e-6)) / 2e-6
    assert scene_of("activation", kind=kind, at=x, slope=0.3).said == (
        f"At x = {rounded(x)}, {kind} gives {fixed(function(x))} and its derivative is {fixed(slope)}. "
        f"Between −5 and 5 its values range from {low} to {high}, and its derivative is at most {steepest}."
    )
    assert float(low.replace("−", "-")) == pytest.approx(function(-5), abs=5e-5)
    assert float(high) == pytest.approx(function(5), abs=5e-5)


def test_a_zero_has_no_minus_where_leaky_relu_has_no_slope() -> None:
    said = scene_of("activation", kind="leaky ReLU", at=-5.0, slope=0.0).said
    assert "gives 0.0000 and its derivative is 0.0000. " in said and "range from 0 to 5" in said


@pytest.mark.parametrize("between", ["none", "ReLU"])
def test_a_single_layer_has_nothing_in_between(between: str) -> None:
    said = scene_of("linear_stack", depth=1, between=between).said
    assert said.startswith("1 linear layer, with nothing in between, against y = ax + b")


@pytest.mark.parametrize("surface", ["bowl", "long valley"])
def test_the_optimizers_rates_and_what_plain_sgd_reaches(surface: str) -> None:
    curves = {"bowl": (1.0, 1.0), "long valley": (0.1, 4.0)}[surface]
    (x, y), rate = {"bowl": (-2.5, 2.0), "long valley": (-2.7, 1.2)}[surface], 0.05 * 0.5

    def loss(x: float, y: float) -> float:
        return (curves[0] * x**2 + curves[1] * y**2) / 2

    first = loss(x, y)
    for _ in range(80):
        x, y = x - rate * curves[0] * x, y - rate * curves[1] * y
    said = scene_of("optimizers", surface=surface, rate=0.5).said
    assert said.startswith(
        f"Learning rates: SGD {rate}, momentum 0.01, Adadelta 10, Adam 0.075. From a loss of "
        f"{rounded(first)}, after 80 steps: SGD {rounded(loss(x, y))}, momentum "
    )


@pytest.mark.parametrize(
    ("size", "batch", "steps", "how"),
    [
        ("1: stochastic", 1, 384, "Single examples disagree, so the path zigzags."),
        ("8: mini-batch", 8, 48, "A few examples at a time: fairly exact steps, and many of them."),
        ("64: batch", 64, 6, "Each step follows the exact gradient, but there are few steps."),
    ],
)
def test_the_steps_of_a_batch_size_and_how_exact_they_are(
    size: str, batch: int, steps: int, how: str
) -> None:
    scene = scene_of("batches", size=size, rate=0.5)
    losses = [loss for _, loss in scene.curves.lines[0][1]]
    assert scene.said == (
        f"6 epochs over 64 examples, {batch} at a time, make {steps} steps. The loss over all examples goes "
        f"from {rounded(losses[0])} to {fixed(losses[-1], 3)}. {how}"
    )
    assert len(losses) == steps + 1
    assert (losses[-1] > losses[0]) == (batch == 1)  # it diverges, and nothing says that it falls


def test_backpropagations_steps() -> None:
    w, x, b, y = -0.7, 1.5, -0.5, 0.8
    p = w * x
    z = p + b
    a = math.tanh(z)
    e = a - y
    forward = {"p": p, "z": z, "a": a, "e": e, "L": e**2}
    formulas = ("w · x", "p + b", "tanh(z)", "a − y", "e²")
    says = ["w = −0.7, x = 1.5, b = −0.5, and the target is y = 0.8. Go forward step by step."]
    says += [
        f"Forward: {name} = {formula} = {fixed(value)}."
        for (name, value), formula in zip(forward.items(), formulas, strict=True)
    ]
    says.append("Backward begins: dL/dL = 1, the derivative of L with respect to itself.")
    gradients = {"L": 1.0}
    for name, after, local, value in (
        ("e", "L", "2e", 2 * e), ("a", "e", "1", 1.0), ("z", "a", "1 − a²", 1 - a * a),
        ("p", "z", "1", 1.0), ("b", "z", "1", 1.0), ("w", "p", "x", x),
    ):  # fmt: skip
        gradients[name] = gradients[after] * value
        says.append(
            f"Backward: dL/d{name} = dL/d{after} · d{after}/d{name} = {fixed(gradients[after])} · "
            f"({local}) = {fixed(gradients[name])}."
        )
    says[-1] += f" A step of SGD changes w by minus the learning rate times {fixed(gradients['w'])}."
    assert [scene_of("backpropagation", step=step, w=w).said for step in range(len(says))] == says


def test_eager_and_deferred_execution_step_by_step() -> None:
    values = [fixed(value, 2) for value in (-1.5 * 3, -1.5 * 3 + 2, 0.0)]
    says = ["Nothing has been executed yet."]
    says += [
        f"Line {line} is executed. Eager: its value is there, {value}. Deferred: only a node is recorded."
        for line, value in enumerate(values, 1)
    ]
    says += [
        f"The graph runs: node {node} of 3 gives {value}, as eager execution did."
        for node, value in enumerate(values, 1)
    ]
    shown = [scene_of("eager_and_deferred", step=step, x=-1.5).said for step in range(7)]
    assert shown == says


@pytest.mark.parametrize(
    ("view", "at", "says"),
    [
        ("t", (2, 1), "v has size (3, 4), offset 0 and stride (4, 1); it uses the same memory as t. "
         "v[2, 1] lies at 0 + 2 × 4 + 1 × 1 = 9 and is 19."),
        ("t.T", (3, 1), "v has size (4, 3), offset 0 and stride (1, 4); it uses the same memory as t. "
         "v[3, 1] lies at 0 + 3 × 1 + 1 × 4 = 7 and is 17."),
        ("t[:, 2]", (0, 1), "v has size (3,), offset 2 and stride (4,); it uses the same memory as t. v[1] "
         "lies at 2 + 1 × 4 = 6 and is 16."),
        ("t.T.reshape(2, 6)", (1, 0), "v has size (2, 6), offset 0 and stride (6, 1); it uses memory of its "
         "own: no strides over t's can give this order. v[1, 0] lies at 0 + 1 × 6 + 0 × 1 = 6 and is 12."),
    ],
)  # fmt: skip
def test_where_a_view_lies(view: str, at: tuple[int, int], says: str) -> None:
    """Worked by hand: t holds 10 to 21 in three rows of four, and t.T begins 10 14 18 11 15 19 12."""
    scene = scene_of("views", view=view, at=at)
    assert scene.said == says


@pytest.mark.parametrize(
    ("value", "kept", "lost"),
    [
        ("0.1", "float64", "float32, float16, bfloat16, int8, uint8, int16, int32, int64"),
        ("3.75", "float32, float64, float16, bfloat16", "int8, uint8, int16, int32, int64"),
        ("-1", "float32, float64, float16, bfloat16, int8, int16, int32, int64", "uint8"),
        ("300", "float32, float64, float16, bfloat16, int16, int32, int64", "int8, uint8"),
        ("70000", "float32, float64, int32, int64", "float16, bfloat16, int8, uint8, int16"),
        ("16777217", "float64, int32, int64", "float32, float16, bfloat16, int8, uint8, int16"),
    ],
)
def test_which_types_keep_a_number(value: str, kept: str, lost: str) -> None:
    """To nine digits: no binary fraction is 0.1."""
    scene = scene_of("data_types", value=value)
    assert scene.said == f"To nine digits, {value} is kept by {kept}; it changes in {lost}."
    for name, shown in ((row[0].split()[0], row[4]) for row in rows(scene)):
        if name != "bfloat16":
            with np.errstate(over="ignore"):
                held = np.array([float(value)]).astype("int64" if "int" in name else "float64").astype(name)
            assert shown == (f"{held[0]:.9g}" if "float" in name else str(held[0]))


def test_what_integers_and_floats_do_with_numbers_that_they_cannot_hold() -> None:
    assert texts()["Data types"].startswith(
        "More bytes can represent more distinct numbers. Integer types drop fractions, and wrap around where "
        "a number does not fit; floating-point types round to the nearest number that they have, and give "
        "infinity beyond the largest."
    )
    assert (300 % 256, int(3.75)) == (44, 3)
    with np.errstate(over="ignore"):
        assert np.isinf(np.float64(70000).astype(np.float16))


@pytest.mark.parametrize(("order", "seed"), [("in order", 0), ("shuffled", 3)])
def test_the_batches_by_hand(order: str, seed: int) -> None:
    said = scene_of("batches_by_hand", size=5, order=order, seed=seed).said
    assert said == (
        "12 examples in batches of 5: 3 batches, the last of 2. From the same permutation, both ways give "
        "the same batches."
    )


@pytest.mark.parametrize(("rows_", "word"), [(1, "row"), (64, "rows")])
def test_the_layer_by_hand(rows_: int, word: str) -> None:
    said = scene_of("layer_by_hand", rows=rows_, seed=2).said
    start = f"Given the same weights, over {rows_} {word} of 256 inputs the outputs differ by at most "
    assert said.startswith(start)
    apart = said.removeprefix(start).partition(", and the gradients of the weights by at most ")
    assert float(apart[0]) < 1e-5
    assert float(apart[2].partition(": ")[0]) < 1e-5
    assert said.endswith(f": rounding error. Both have 256 × 4 + 4 = {256 * 4 + 4} parameters.")


def test_the_formulas_name_their_quantities_alike() -> None:
    formulas = {title: text for title, text in texts().items() if "$$" in text}
    assert not any(r"\theta" in text for text in formulas.values())  # the parameters are beta
    for title in ("Fully connected", "A layer"):
        assert "y = xW + b" in formulas[title]
    # Inputs are rows, so the matrices of two layers are multiplied in the order of the layers.
    generator = np.random.default_rng(0)
    x, w1, b1, w2, b2 = (generator.normal(size=size) for size in ((5, 3), (3, 4), 4, (4, 2), 2))
    np.testing.assert_allclose((x @ w1 + b1) @ w2 + b2, x @ (w1 @ w2) + (b1 @ w2 + b2))
    assert r"$$(x W_1 + b_1)\,W_2 + b_2 = x\,(W_1 W_2) + (b_1 W_2 + b_2)$$" in formulas["Why non-linearity"]
    assert (
        "Average (mean) pooling takes the block's mean instead, min pooling its smallest number."
        in formulas["Pooling"]
    )
