"""A toy's scene, rendered: each kind of part as HTML or SVG, each kind of control as an input."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from itertools import groupby
from typing import Any

from mnist_core.page.components.chart import Plot, Series
from mnist_core.playground.scene import (
    Choice,
    Code,
    Control,
    Curves,
    Diagram,
    Edge,
    Grid,
    Node,
    Part,
    Slider,
    Steps,
    Surface,
    Table,
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
    names = {"x_name": curves.x_name, "y_name": curves.y_name}
    return Plot(series=series, x_low=low, x_high=high, can_log=curves.log, summary=said, **names)


# Controls


def render_control(control: Control, value: Any) -> str:
    """A control as HTML; empty for one that a grid shows."""
    name, label = control.name, escape(control.label)
    if isinstance(control, Slider):
        return (
            f'<label class="toy-slider"><span>{label} <output>{value:g}</output></span><input type="range" '
            f'data-control="{name}" min="{control.low:g}" max="{control.high:g}" step="{control.step:g}" '
            f'value="{value:g}"></label>'
        )
    if isinstance(control, Choice):
        options = "".join(
            f'<button type="button" data-control="{name}" data-option="{escape(option)}" '
            f'aria-pressed="{str(option == value).lower()}">{escape(option)}</button>'
            for option in control.options
        )
        return (
            f'<div class="toy-choice" role="group" aria-label="{label}"><span>{label}</span>{options}</div>'
        )
    if isinstance(control, Steps):
        return (
            f'<div class="toy-steps" role="group" aria-label="{label}" data-last="{control.last}">'
            f'<button type="button" data-control="{name}" data-by="-1" aria-label="{label}: back">◂</button>'
            f"<span>{label} <output>{value}</output></span>"
            f'<button type="button" data-control="{name}" data-by="1" aria-label="{label}: next">▸</button>'
            "</div>"
        )
    return ""


# Parts


def render(part: Part) -> str:
    """One part of a scene as HTML."""
    inner = _RENDERERS[type(part)](part)
    kind = type(part).__name__.lower()
    return f'<figure class="toy-part {kind}"><figcaption>{escape(part.title)}</figcaption>{inner}</figure>'


def _grid(grid: Grid) -> str:
    high = max((abs(value) for row in grid.values for value in row), default=0) or 1
    heads = "".join(f'<th scope="col">{escape(head)}</th>' for head in grid.heads)
    rows = "".join(
        f"<tr>{''.join(_cell(grid, r, c, value, high) for c, value in enumerate(row))}</tr>"
        for r, row in enumerate(grid.values)
    )
    size = "many" if len(grid.values[0]) > 8 else ""
    head = f"<thead><tr>{heads}</tr></thead>" if heads else ""
    return f'<table class="{size}">{head}<tbody>{rows}</tbody></table>'


def _cell(grid: Grid, row: int, column: int, value: float, high: float) -> str:
    tint = f"--s: {min(1, abs(value) / high):.2f}"
    at = (row, column)
    kinds = [
        name
        for name, on in (("below", value < 0), ("marked", at in grid.marked), ("aside", at in grid.aside))
        if on
    ]
    text = short(value)
    r, c = row - grid.border, column - grid.border
    height, width = len(grid.values) - 2 * grid.border, len(grid.values[0]) - 2 * grid.border
    inside = 0 <= r < height and 0 <= c < width
    if grid.edits and inside:
        text = f'<button type="button" data-cells="{grid.edits}" data-index="{r * width + c}">{text}</button>'
    elif grid.picks:
        pressed = str(at in grid.marked).lower()
        text = (
            f'<button type="button" data-pick="{grid.picks}" data-row="{row}" data-column="{column}" '
            f'aria-pressed="{pressed}">{text}</button>'
        )
    elif grid.edits:
        kinds.append("padding")
    return f'<td class="{" ".join(kinds)}" style="{tint}">{text}</td>'


def _diagram(diagram: Diagram) -> str:
    height = diagram.height * _WIDTH
    place = {node.name: (node.x * _WIDTH, node.y * height) for node in diagram.nodes}
    edges = "".join(_edge(edge, place) for edge in diagram.edges)
    nodes = "".join(_node(node, place[node.name]) for node in diagram.nodes)
    said = "; ".join(f"{node.name} {node.text} {node.under}".strip() for node in diagram.nodes)
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height:.0f}" role="img" aria-label="{escape(diagram.title)}: '
        f'{escape(said)}">'
        f"{edges}{nodes}</svg>"
    )


def _edge(edge: Edge, place: dict[str, tuple[float, float]]) -> str:
    (x1, y1), (x2, y2) = place[edge.start], place[edge.end]
    kinds = f"edge {edge.state} {'below' if edge.weight < 0 else ''}"
    line = (
        f'<line class="{kinds}" x1="{x1:.0f}" y1="{y1:.0f}" x2="{x2:.0f}" y2="{y2:.0f}" '
        f'stroke-width="{1 + 2.5 * min(1.5, abs(edge.weight)):.1f}"/>'
    )
    if not edge.text:
        return line
    x, y = x1 + 0.36 * (x2 - x1), y1 + 0.36 * (y2 - y1) - 8
    return f'{line}<text class="weight" x="{x:.0f}" y="{y:.0f}">{escape(edge.text)}</text>'


def _node(node: Node, spot: tuple[float, float]) -> str:
    x, y = spot
    under = "".join(
        f'<text class="under" x="{x:.0f}" y="{y + 40 + 17 * line:.0f}">{escape(text)}</text>'
        for line, text in enumerate(node.under.split("\n") if node.under else [])
    )
    return (
        f'<g class="node {node.state}"><circle cx="{x:.0f}" cy="{y:.0f}" r="24"/>'
        f'<text x="{x:.0f}" y="{y + 5:.0f}">{escape(node.text)}</text>{under}</g>'
    )


def _surface(surface: Surface) -> str:
    (x_low, x_high), (y_low, y_high) = surface.x_range, surface.y_range

    def spot(x: float, y: float) -> tuple[float, float]:
        return _SIDE * (x - x_low) / (x_high - x_low), _SIDE * (1 - (y - y_low) / (y_high - y_low))

    walks = "".join(
        _walk(place, name, [spot(*each) for each in walk]) for place, (name, walk) in enumerate(surface.walks)
    )
    names = "".join(
        f'<li><svg viewBox="0 0 30 8" aria-hidden="true"><line x1="0" x2="30" y1="4" y2="4" '
        f'style="stroke: var(--curve-{place + 1})" '
        f'stroke-dasharray="{_DASHES[place]}"/></svg>{escape(name)}</li>'
        for place, (name, _) in enumerate(surface.walks)
    )
    ends = "; ".join(f"{name} ends at {walk[-1][0]:.2f}, {walk[-1][1]:.2f}" for name, walk in surface.walks)
    axes = f'<text x="{_SIDE - 6}" y="{_SIDE - 8}" text-anchor="end">{escape(surface.x_name)}</text>'
    axes += f'<text x="8" y="18">{escape(surface.y_name)}</text>'
    return (
        f'<svg viewBox="0 0 {_SIDE} {_SIDE}" role="img" aria-label="{escape(surface.title)}: {ends}">'
        f'{_bands(surface.heights)}<g class="walks">{walks}</g>{axes}</svg><ul '
        f'class="names">{names}</ul>'
    )


def _bands(heights: list[list[float]]) -> str:
    """The surface in ten bands, each with the same share of its cells, from the lowest."""
    ordered = sorted(value for row in heights for value in row)
    steps = [ordered[len(ordered) * band // 10] for band in range(1, 10)]
    cell = _SIDE / len(heights)
    rows = []
    for number, row in enumerate(reversed(heights)):
        column = 0
        for band, run in groupby(row, key=lambda value: sum(value >= step for step in steps)):
            width = len(list(run))
            rows.append(
                f'<rect x="{column * cell:.1f}" y="{number * cell:.1f}" width="{width * cell + 0.5:.1f}" '
                f'height="{cell + 0.5:.1f}" class="band" style="--band: {band}"/>'
            )
            column += width
    return "".join(rows)


def _walk(place: int, name: str, spots: list[tuple[float, float]]) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
    (x, y), (end_x, end_y) = spots[0], spots[-1]
    colour = f"var(--curve-{place + 1})"
    return (
        f'<polyline points="{path}" style="stroke: {colour}" stroke-dasharray="{_DASHES[place]}"/>'
        f'<circle class="start" cx="{x:.1f}" cy="{y:.1f}" r="5"/>'
        f'<circle cx="{end_x:.1f}" cy="{end_y:.1f}" r="5" style="fill: '
        f'{colour}"><title>{escape(name)}</title></circle>'
    )


def _code(code: Code) -> str:
    lines = "".join(
        f'<span class="{"marked" if place in code.marked else ""}">{escape(line) or " "}</span>'
        for place, line in enumerate(code.text.split("\n"))
    )
    return f"<pre>{lines}</pre>"


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in table.head)
    rows = "".join(
        f'<tr class="{"marked" if place == table.marked else ""}">'
        f"{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>"
        for place, row in enumerate(table.rows)
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


_RENDERERS: dict[type, Callable[[Any], str]] = {
    Grid: _grid,
    Diagram: _diagram,
    Surface: _surface,
    Code: _code,
    Table: _table,
}
