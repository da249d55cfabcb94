"""The toys: their numbers against torch and against the formulas, and every control of every one of them."""

from __future__ import annotations

import itertools
import math
import re
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, RandomSampler
from toys import scene_of

from mnist_core.playground import TOYS, Toy
from mnist_core.playground.graphs import BACKPROPAGATION_STEPS
from mnist_core.playground.optimizers import RULES
from mnist_core.playground.scene import (
    Cells,
    Choice,
    Code,
    Diagram,
    Grid,
    Scene,
    Slider,
    Steps,
    Table,
    exact,
    short,
)


def part(scene: Scene, kind: type, number: int = 0) -> Any:
    return [each for each in scene.parts if isinstance(each, kind)][number]


def states(control: Any) -> list[Any]:
    """Values that a control can take: its ends, its options, its clicks."""
    if isinstance(control, Slider):
        return [control.low, control.high]
    if isinstance(control, Choice):
        return list(control.options)
    if isinstance(control, Steps):
        return sorted({0, 1, control.last // 2, control.last})
    if isinstance(control, Cells):
        return [[each] * len(control.value) for each in control.among]
    return [[0, 0], [5, 5], [99, 99]]


@pytest.mark.parametrize("toy", TOYS.values(), ids=list(TOYS))
def test_a_toy_shows_something_for_every_state_of_each_control(toy: Toy) -> None:
    for control in toy.controls:
        others = {
            other.name: states(other)[-1] for other in toy.controls if isinstance(other, Choice | Steps)
        }
        seen = []
        for rest in ({}, others):
            scenes = [scene_of(toy.name, **{**rest, control.name: value}) for value in states(control)]
            assert all(scene.said for scene in scenes)
            seen.append(len({repr(scene) for scene in scenes}))
        assert max(seen) > 1, f"{control.name} changes nothing"


@pytest.mark.parametrize("toy", TOYS.values(), ids=list(TOYS))
def test_a_toy_takes_nothing_that_its_controls_cannot_give(toy: Toy) -> None:
    for control in toy.controls:
        for value in (None, "nonsense", math.nan, 1e9, [1], [[0]], {}, True, [10**9, 0]):
            with pytest.raises(ValueError, match=control.label):
                toy.values({control.name: value})


def test_no_toy_touches_torchs_generator_or_repeats_itself_differently() -> None:
    before = torch.get_rng_state()
    for toy in TOYS.values():
        assert scene_of(toy.name) == scene_of(toy.name)
    assert torch.equal(before, torch.get_rng_state())


def test_a_fully_connected_unit_is_its_weighted_sum() -> None:
    scene = scene_of("fully_connected", inputs=(2.0, -1.0, 1.0), unit="y2")
    (w1, w2, w3), bias = (row[1] for row in part(scene, Grid, 1).values), part(scene, Grid, 2).values[0][1]
    assert part(scene, Diagram).nodes[-1].text == f"{2 * w1 - w2 + w3 + bias:g}".replace("-", "−")


@pytest.mark.parametrize(
    ("size", "stride", "padding"), list(itertools.product((1, 2, 3, 5), (1, 2, 3), (0, 1, 2)))
)
def test_a_convolution_gathers_each_patch(size: int, stride: int, padding: int) -> None:
    scene = scene_of("convolution", kind="vertical edges", size=size, stride=stride, padding=padding)
    padded, kernel, output = (np.array(part(scene, Grid, number).values) for number in range(3))
    count = (6 + 2 * padding - size) // stride + 1
    expected = [
        [
            (padded[r * stride : r * stride + size, c * stride : c * stride + size] * kernel).sum()
            for c in range(count)
        ]
        for r in range(count)
    ]
    np.testing.assert_allclose(output, expected, atol=1e-6)


@pytest.mark.parametrize(("how", "by_numpy"), [("max", np.max), ("mean", np.mean), ("min", np.min)])
def test_pooling_keeps_what_it_says(how: str, by_numpy: Any) -> None:
    scene = scene_of("pooling", how=how, size=3)
    before, after = (np.array(part(scene, Grid, number).values) for number in range(2))
    np.testing.assert_allclose(after, by_numpy(before.reshape(2, 3, 2, 3), axis=(1, 3)), atol=1e-6)


@pytest.mark.parametrize(("size", "stride"), list(itertools.product((1, 2, 3, 4), (1, 2, 3))))
def test_a_transposed_convolution_lays_down_copies_of_its_kernel(size: int, stride: int) -> None:
    scene = scene_of("transposed_convolution", size=size, stride=stride)
    inputs, kernel, output = (np.array(part(scene, Grid, number).values) for number in range(3))
    expected = np.zeros([2 * stride + size] * 2)
    for r, c in itertools.product(range(3), repeat=2):
        expected[r * stride : r * stride + size, c * stride : c * stride + size] += inputs[r, c] * kernel
    np.testing.assert_allclose(output, expected)


def test_dropout_scales_what_stays_and_nothing_in_use() -> None:
    training = part(scene_of("dropout", rate=0.5, draw=3), Diagram).nodes[:-1]
    testing = part(scene_of("dropout", rate=0.5, draw=3, when="testing"), Diagram).nodes[:-1]
    for before, after in zip(testing, training, strict=True):
        assert float(after.text) == (0 if after.state == "off" else pytest.approx(2 * float(before.text)))
    assert 0 < sum(node.state == "off" for node in training) < 10
    edges = part(scene_of("dropout", rate=0.5, draw=3), Diagram).edges
    assert [edge.state for edge in edges] == [node.state for node in training]


def test_numbers_are_short_and_nought_has_no_sign() -> None:
    values = (-0.001, 0.0, 1.5, -0.25, 3.0, 100.0)
    assert [short(value) for value in values] == ["0", "0", "1.5", "−0.25", "3", "100"]
    assert [exact(value, 2) for value in values] == ["0.00", "0.00", "1.50", "−0.25", "3.00", "100.00"]


@pytest.mark.parametrize("toy", TOYS.values(), ids=list(TOYS))
def test_a_number_has_a_real_minus_outside_of_code(toy: Toy) -> None:
    for control in toy.controls:
        for value in states(control):
            scene = scene_of(toy.name, **{control.name: value})
            # Data types are shown as Python writes them.
            tables = [each for each in scene.parts if isinstance(each, Table) and toy.name != "data_types"]
            cells = [cell for table in tables for row in table.rows for cell in row]
            assert not re.search(r"(?<!\w)-\d", " ".join(cells))


def test_the_recurrent_state_follows_its_formula() -> None:
    inputs = (1.0, 0.0, -1.0, 0.0, 0.0, 1.0, 1.0, 0.0)
    states_shown = scene_of("recurrence", inputs=inputs, memory=0.7).curves.lines[0][1]
    state = 0.0
    for x, (_, shown) in zip(inputs, states_shown, strict=True):
        state = math.tanh(x + 0.7 * state)
        assert shown == pytest.approx(state, abs=1e-6)


@pytest.mark.parametrize(
    ("kind", "function"),
    [
        ("sigmoid", torch.sigmoid),
        ("tanh", torch.tanh),
        ("ReLU", F.relu),
        ("leaky ReLU", lambda x: F.leaky_relu(x, 0.3)),
    ],
)
def test_an_activations_slope_is_the_slope_of_its_curve(kind: str, function: Any) -> None:
    curve, slope = (line for _, line in scene_of("activation", kind=kind, slope=0.3).curves.lines)
    for (x, y), (_, steep) in list(zip(curve, slope, strict=True))[3::17]:
        left, right = function(torch.tensor([x - 1e-3, x + 1e-3], dtype=torch.float64)).tolist()
        assert y == pytest.approx(function(torch.tensor(x, dtype=torch.float64)).item(), abs=1e-6)
        assert steep == pytest.approx((right - left) / 2e-3, abs=1e-3)


def heights(scene: Scene) -> list[np.ndarray]:
    """Of each curve, at the same places."""
    return [np.array(line)[:, 1] for _, line in scene.curves.lines]


@pytest.mark.parametrize("depth", range(1, 7))
def test_a_stack_without_activations_is_one_linear_layer(depth: int) -> None:
    stack, single = heights(scene_of("linear_stack", depth=depth))
    np.testing.assert_allclose(stack, single, atol=1e-4)


@pytest.mark.parametrize("between", ["ReLU", "tanh"])
@pytest.mark.parametrize("depth", range(2, 7))
def test_a_stack_with_activations_is_seen_to_bend_whatever_its_weights(depth: int, between: str) -> None:
    for seed in range(21):
        scene = scene_of("linear_stack", depth=depth, between=between, seed=seed)
        stack, single = heights(scene)
        places = np.array(scene.curves.lines[0][1])[:, 0]
        closest = np.polyval(np.polyfit(places, stack, 1), places)
        np.testing.assert_allclose(single, closest, atol=1e-4)
        shown = max(stack.max(), single.max()) - min(stack.min(), single.min())
        assert abs(stack - single).max() > 0.05 * shown, f"seed {seed}"


@pytest.mark.parametrize("between", ["ReLU", "tanh"])
def test_a_single_layer_is_a_line_since_activations_are_between_layers(between: str) -> None:
    for seed in range(5):
        assert "They are the same line" in scene_of("linear_stack", depth=1, between=between, seed=seed).said


@pytest.mark.parametrize("name", list(RULES))
def test_each_optimizer_steps_as_torch_optim_does(name: str) -> None:
    rule, rate = RULES[name]
    mine = torch.tensor([1.5, -2.0], dtype=torch.float64)
    theirs = mine.clone().requires_grad_()
    optimizer = {
        "SGD": lambda: torch.optim.SGD([theirs], lr=rate),
        "momentum": lambda: torch.optim.SGD([theirs], lr=rate, momentum=0.9),
        "Adadelta": lambda: torch.optim.Adadelta([theirs], lr=rate),
        "Adam": lambda: torch.optim.Adam([theirs], lr=rate),
    }[name]()
    memory: dict[str, torch.Tensor] = {}
    for _ in range(30):
        optimizer.zero_grad()
        (theirs**2 * torch.tensor([0.1, 1.0])).sum().backward()
        optimizer.step()
        mine = mine + rule(2 * mine * torch.tensor([0.1, 1.0]), memory, rate)
    torch.testing.assert_close(mine, theirs.detach(), rtol=1e-6, atol=1e-8)


def test_all_optimizers_go_down_and_too_large_a_rate_does_not() -> None:
    calm = scene_of("optimizers", surface="long valley", rate=1.0).curves.lines
    assert all(line[-1][1] < 0.1 * line[0][1] for _, line in calm)
    wild = dict(scene_of("optimizers", surface="long valley", rate=12.0).curves.lines)["SGD"]
    assert wild[-1][1] > wild[0][1]


def test_every_batch_size_reads_as_many_examples_and_steps_less_often_the_larger_it_is() -> None:
    lines = {
        size: scene_of("batches", size=size).curves.lines[0][1] for size in ("1: stochastic", "64: batch")
    }
    assert lines["1: stochastic"][-1][0] == lines["64: batch"][-1][0] == 6 * 64
    assert len(lines["1: stochastic"]) == 6 * 64 + 1
    assert len(lines["64: batch"]) == 6 + 1


def test_backpropagation_ends_with_the_slope_of_the_loss() -> None:
    def loss(w: float) -> float:
        return (math.tanh(w * 1.5 - 0.5) - 0.8) ** 2

    scene = scene_of("backpropagation", step=BACKPROPAGATION_STEPS, w=0.4)
    under = {node.name: node.under for node in part(scene, Diagram).nodes}
    slope = (loss(0.4 + 1e-6) - loss(0.4 - 1e-6)) / 2e-6
    assert under["L"].startswith(f"{loss(0.4):.3f}")
    assert under["w"].endswith(f"grad {slope:.3f}".replace("-", "−"))
    assert "grad" not in under["x"]


def test_a_node_is_done_once_it_has_its_gradient() -> None:
    for step in range(BACKPROPAGATION_STEPS + 1):
        nodes = part(scene_of("backpropagation", step=step, w=0.4), Diagram).nodes
        assert all((node.state == "done") <= ("grad" in node.under) for node in nodes)
        assert sum(node.state == "now" for node in nodes) == min(step, 1)


def test_deferred_execution_computes_nothing_before_it_runs_and_then_the_same() -> None:
    written, ran = (part(scene_of("eager_and_deferred", step=step, x=1.0), Table, 1) for step in (3, 6))
    assert [row[1] for row in written.rows] == ["", "", ""]
    eager = part(scene_of("eager_and_deferred", step=6, x=1.0), Table, 0)
    assert [row[1] for row in ran.rows] == [row[1] for row in eager.rows] == ["3.00", "5.00", "5.00"]


@pytest.mark.parametrize("view", next(c for c in TOYS["views"].controls if c.name == "view").options)
def test_a_views_place_in_memory_is_where_torch_keeps_it(view: str) -> None:
    v = eval(view, {"t": torch.arange(10.0, 22.0).reshape(3, 4)})
    rows = v if v.dim() == 2 else v[None]
    for row, column in itertools.product(*map(range, rows.shape)):
        scene = scene_of("views", view=view, at=(row, column))
        table, storage = part(scene, Table).rows[0], part(scene, Grid, 1)
        assert table[:3] == [str(tuple(v.size())), str(v.storage_offset()), str(tuple(v.stride()))]
        assert table[3] == ("no" if view == "t.T.reshape(2, 6)" else "yes")
        ((_, place),) = storage.marked
        assert storage.values[0][place] == rows[row, column].item()
        shown = {value for at, value in enumerate(storage.values[0]) if (0, at) not in storage.aside}
        assert shown == set(v.flatten().tolist())


def test_the_data_types_hold_what_numpy_says_they_hold() -> None:
    rows = {row[0].split()[0]: row for row in part(scene_of("data_types", value="300"), Table).rows}
    for name in ("float32", "float64", "float16", "int8", "uint8", "int16", "int32", "int64"):
        assert int(rows[name][1]) == np.dtype(name).itemsize
        assert float(rows[name][4]) == np.array(300).astype(name)
    sixteen = {row[0].split()[0]: row[4] for row in part(scene_of("data_types", value="70000"), Table).rows}
    assert sixteen["float16"] == "inf"
    assert sixteen["int16"] == str(np.array(70000).astype("int16"))


def test_the_layer_by_hand_and_torchs_give_the_same_numbers() -> None:
    for rows in (1, 64):
        table = part(scene_of("layer_by_hand", rows=rows, seed=4), Table)
        assert table.rows[0][1:] == table.rows[1][1:]


@pytest.mark.parametrize(("size", "order"), list(itertools.product((1, 5, 12), ("in order", "shuffled"))))
def test_batches_by_hand_and_by_dataloader_are_the_same(size: int, order: str) -> None:
    table = part(scene_of("batches_by_hand", size=size, order=order, seed=2), Table)
    assert len(table.rows) == math.ceil(12 / size)
    assert all(mine == theirs for _, mine, theirs in table.rows)
    assert sorted(int(each) for row in table.rows for each in row[1].split()) == list(range(12))


def test_the_code_of_the_layer_toy_gives_the_numbers_that_it_shows() -> None:
    by_hand, by_torch = (each.text for each in scene_of("layer_by_hand").parts[:2])
    torch.manual_seed(1)
    names: dict[str, Any] = {"torch": torch, "math": math, "nn": torch.nn, "x": torch.randn(8, 256)}
    exec(by_hand, names)
    mine = names["y"]
    exec(by_torch, names)
    assert mine.shape == (8, 4)
    torch.testing.assert_close(names["y"], mine)


@pytest.mark.parametrize("order", ["in order", "shuffled"])
@pytest.mark.parametrize(("size", "seed"), [(1, 0), (5, 7), (12, 7)])
def test_the_code_of_the_batches_toy_gives_the_batches_that_it_shows(
    order: str, size: int, seed: int
) -> None:
    scene = scene_of("batches_by_hand", size=size, order=order, seed=seed)
    for place, code in enumerate(each.text for each in scene.parts[:2]):
        taken: list[list[int]] = []
        names = {"torch": torch, "DataLoader": DataLoader, "RandomSampler": RandomSampler}
        body = code.removesuffix("    ...").rstrip("\n")
        exec(
            f"{body}\n    taken.append(batch.tolist())",
            names | {"data": torch.arange(12), "taken": taken},
        )
        assert taken == [list(map(int, row[1 + place].split())) for row in part(scene, Table).rows]


def test_the_code_of_the_data_type_toy_gives_what_its_table_says() -> None:
    for value in next(c for c in TOYS["data_types"].controls if c.name == "value").options:
        scene = scene_of("data_types", value=value)
        row = next(row for row in part(scene, Table).rows if row[0].startswith("float16"))
        assert f"{eval(part(scene, Code).text, {'torch': torch}):.9g}" == row[4]


def test_a_derivative_that_jumps_is_drawn_upright() -> None:
    places = [x for x, _ in scene_of("activation", kind="ReLU").curves.lines[1][1]]
    heights = [y for _, y in scene_of("activation", kind="ReLU").curves.lines[1][1]]
    jump = heights.index(1.0)
    assert heights[jump - 1] == 0.0
    assert places[jump] - places[jump - 1] < 1e-3


def test_the_code_of_the_eager_toy_gives_the_values_that_it_shows() -> None:
    scene = scene_of("eager_and_deferred", step=6, x=-1.5)
    names: dict[str, Any] = {"torch": torch}
    exec(part(scene, Code).text, names)
    values = [f"{names[name].item():.2f}".replace("-", "−") for name in "abc"]
    assert [row[1] for row in part(scene, Table).rows] == values


def test_every_piece_of_code_that_a_toy_shows_is_run_above() -> None:
    showing = {
        name for name, toy in TOYS.items() if any(isinstance(each, Code) for each in scene_of(toy.name).parts)
    }
    assert showing == {"layer_by_hand", "batches_by_hand", "data_types", "eager_and_deferred"}
