"""A toy's scene, rendered: each kind of part by its template in `toy/`, each kind of control as an input."""

from __future__ import annotations

import functools
from bisect import bisect_right
from collections.abc import Callable, Iterable
from itertools import groupby
from typing import Any, NamedTuple

from mnist_core.page.components.chart import Plot, Series
from mnist_core.page.templates import render
from mnist_core.playground.scene import (
    Code,
    Control,
    Curves,
    Diagram,
    Edge,
    Grid,
    Node,
    Part,
    Surface,
    Table,
    exact,
    short,
)

_WIDTH = 640  # units across a diagram
_SIDE = 400  # units along each side of a surface
_DASHES = ("", "7 4", "2 3", "9 3 2 3")


def plot(curves: Curves) -> Plot:
    """Curves as the page's chart takes them."""
    series = [
        Series(name=name, points=points, colour=place + 1, dash=_DASHES[place])
        for place, (name, points) in enumerate(curves.lines)
    ]
    said = "; ".join(
        f"{name} from {short(points[0][1])} to {short(points[-1][1])}" for name, points in curves.lines
    )
    low, high = (of(x for _, points in curves.lines for x, _ in points) for of in (min, max))
    return Plot(
        series=series,
        x_name=curves.x_name,
        y_name=curves.y_name,
        x_low=low,
        x_high=high,
        can_log=curves.log,
        summary=said,
    )


def render_controls(controls: Iterable[Control], values: dict[str, Any]) -> str:
    """A toy's controls at these values, by name; those that a grid shows are left out."""
    each = [(_kind(control), control, values[control.name]) for control in controls]
    return render("toy/controls.html", controls=each)


def render_parts(parts: Iterable[Part]) -> str:
    """The parts of a scene, in reading order."""
    each = [{"kind": _kind(part), "title": part.title, **_VALUES[type(part)](part)} for part in parts]
    return render("toy/parts.html", parts=each)


def _kind(shown: Control | Part) -> str:
    """Names a template in `toy/`, and a branch in that of the controls."""
    return type(shown).__name__.lower()


class _Cell(NamedTuple):
    """A number in a grid.

    Attributes:
        kinds: its classes.
        share: of the grid's largest value, from "0.00" to "1.00".
        place: among the `Cells` that the grid edits; None where it edits none.
    """

    kinds: str
    share: str
    text: str
    row: int
    column: int
    marked: bool
    place: int | None


def _grid(grid: Grid) -> dict[str, Any]:
    high = max((abs(value) for row in grid.values for value in row), default=0) or 1
    rows = [
        [_cell(grid, r, c, value, high) for c, value in enumerate(row)] for r, row in enumerate(grid.values)
    ]
    many = len(grid.values[0]) > 8
    return {"heads": grid.heads, "many": many, "edits": grid.edits, "picks": grid.picks, "rows": rows}


def _cell(grid: Grid, row: int, column: int, value: float, high: float) -> _Cell:
    at = (row, column)
    index = _index(grid, row, column) if grid.edits else None
    kinds = (
        ("below", value < 0),
        ("marked", at in grid.marked),
        ("aside", at in grid.aside),
        ("padding", grid.edits and index is None and not grid.picks),
    )
    return _Cell(
        " ".join(name for name, on in kinds if on),
        f"{min(1, abs(value) / high):.2f}",
        short(value),
        row,
        column,
        at in grid.marked,
        index,
    )


def _index(grid: Grid, row: int, column: int) -> int | None:
    """A place's number among the grid's `Cells`, row by row; None on its border."""
    r, c = row - grid.border, column - grid.border
    height, width = len(grid.values) - 2 * grid.border, len(grid.values[0]) - 2 * grid.border
    return r * width + c if 0 <= r < height and 0 <= c < width else None


def _diagram(diagram: Diagram) -> dict[str, Any]:
    height = diagram.height * _WIDTH
    place = {node.name: (node.x * _WIDTH, node.y * height) for node in diagram.nodes}
    return {
        "width": _WIDTH,
        "height": height,
        "edges": [_edge(edge, place[edge.start], place[edge.end]) for edge in diagram.edges],
        "nodes": [_node(node, *place[node.name]) for node in diagram.nodes],
        "said": "; ".join(f"{node.name} {node.text} {node.under}".strip() for node in diagram.nodes),
    }


def _edge(edge: Edge, start: tuple[float, float], end: tuple[float, float]) -> dict[str, Any]:
    (x1, y1), (x2, y2) = start, end
    return {
        "x1": x1,
        "y1": y1,
        "x2": x2,
        "y2": y2,
        "state": edge.state,
        "below": edge.weight < 0,
        "thickness": 1 + 2.5 * min(1.5, abs(edge.weight)),
        "text": edge.text,
        "text_x": x1 + 0.36 * (x2 - x1),
        "text_y": y1 + 0.36 * (y2 - y1) - 8,
    }


def _node(node: Node, x: float, y: float) -> dict[str, Any]:
    under = node.under.split("\n") if node.under else []
    return {"x": x, "y": y, "state": node.state, "text": node.text, "under": under}


def _surface(surface: Surface) -> dict[str, Any]:
    (x_low, x_high), (y_low, y_high) = surface.x_range, surface.y_range

    def spot(x: float, y: float) -> tuple[float, float]:
        return _SIDE * (x - x_low) / (x_high - x_low), _SIDE * (1 - (y - y_low) / (y_high - y_low))

    walks = [
        _walk(name, _DASHES[place], [spot(*each) for each in walk])
        for place, (name, walk) in enumerate(surface.walks)
    ]
    return {
        "side": _SIDE,
        "bands": _bands(surface.heights),
        "walks": walks,
        "said": "; ".join(
            f"{name} ends at {exact(walk[-1][0], 2)}, {exact(walk[-1][1], 2)}" for name, walk in surface.walks
        ),
        "x_name": surface.x_name,
        "y_name": surface.y_name,
    }


def _bands(heights: list[list[float]]) -> list[tuple[float, float, float, float, int]]:
    """The surface in ten bands, each with the same share of its cells, from the lowest: left, top, width,
    height and band of each rectangle. Rectangles overlap a little, or seams would show."""
    ordered = sorted(value for row in heights for value in row)
    steps = [ordered[len(ordered) * band // 10] for band in range(1, 10)]
    cell = _SIDE / len(heights)
    rectangles = []
    for number, row in enumerate(reversed(heights)):
        column = 0
        for band, run in groupby(row, key=functools.partial(bisect_right, steps)):
            width = len(list(run))
            rectangles.append((column * cell, number * cell, width * cell + 0.5, cell + 0.5, band))
            column += width
    return rectangles


def _walk(name: str, dash: str, spots: list[tuple[float, float]]) -> dict[str, Any]:
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
    return {"name": name, "dash": dash, "points": points, "start": spots[0], "end": spots[-1]}


def _code(code: Code) -> dict[str, Any]:
    return {"lines": code.text.split("\n"), "marked": code.marked}


def _table(table: Table) -> dict[str, Any]:
    return {"head": table.head, "rows": table.rows, "marked": table.marked}


_VALUES: dict[type, Callable[[Any], dict[str, Any]]] = {
    Grid: _grid,
    Diagram: _diagram,
    Surface: _surface,
    Code: _code,
    Table: _table,
}
