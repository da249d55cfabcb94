"""What a toy shows and what can be changed in it: plain values, which a page renders and a test reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

Spot = tuple[int, int]  # (row, column), from 0


# The controls. Each has a `name`, which is the toy's argument, and `check`s what a page sends for it.


@dataclass(frozen=True, kw_only=True)
class Slider:
    """A number from `low` to `high`, in steps; whole if `step` is."""

    name: str
    label: str
    low: float
    high: float
    step: float
    value: float

    def check(self, value: Any) -> float:
        """The value as the toy takes it. Raises `ValueError`."""
        plain = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not plain or not self.low <= value <= self.high:
            raise ValueError(f"{self.label} goes from {self.low:g} to {self.high:g}; got {value!r:.80}.")
        return round(value) if isinstance(self.step, int) else float(value)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One of a few options."""

    name: str
    label: str
    options: tuple[str, ...]
    value: str

    def check(self, value: Any) -> str:
        """The value as the toy takes it. Raises `ValueError`."""
        if not isinstance(value, str) or value not in self.options:
            raise ValueError(f"{self.label} is one of {', '.join(self.options)}; got {value!r:.80}.")
        return value


@dataclass(frozen=True, kw_only=True)
class Steps:
    """A whole number from 0 to `last`, one step at a time."""

    name: str
    label: str
    last: int
    value: int = 0

    def check(self, value: Any) -> int:
        """The value as the toy takes it. Raises `ValueError`."""
        if type(value) is not int or not 0 <= value <= self.last:
            raise ValueError(f"{self.label} goes from 0 to {self.last}; got {value!r:.80}.")
        return value


@dataclass(frozen=True, kw_only=True)
class Cells:
    """Numbers to click through, `columns` in a row; a `Grid` with `edits` shows them."""

    name: str
    label: str
    columns: int
    among: tuple[float, ...]
    value: tuple[float, ...]

    def check(self, value: Any) -> tuple[float, ...]:
        """The value as the toy takes it. Raises `ValueError`."""
        listed = isinstance(value, (list, tuple)) and len(value) == len(self.value)
        if not listed or any(isinstance(each, bool) or each not in self.among for each in value):
            raise ValueError(
                f"{self.label} is {len(self.value)} numbers out of {self.among}; got {value!r:.80}."
            )
        # JSON has one kind of number, toys have two: the number meant is the one in `among`.
        return tuple(self.among[self.among.index(each)] for each in value)


@dataclass(frozen=True, kw_only=True)
class Pick:
    """A place in a grid; a `Grid` with `picks` shows it. A toy moves it to the nearest place that exists."""

    name: str
    label: str
    value: Spot = (0, 0)

    def check(self, value: Any) -> Spot:
        """The value as the toy takes it. Raises `ValueError`."""
        listed = isinstance(value, (list, tuple)) and len(value) == 2
        if not listed or any(type(each) is not int or not 0 <= each < 100 for each in value):
            raise ValueError(f"{self.label} is a row and a column; got {value!r:.80}.")
        return tuple(value)


Control = Slider | Choice | Steps | Cells | Pick


# What is shown.


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Numbers in rows.

    Attributes:
        marked: highlighted places.
        aside: faded places.
        edits: the `Cells` that it shows, whose numbers change at a click.
        picks: the `Pick` that a click moves.
        border: rows and columns of padding on each side, which are not part of the `Cells`.
        heads: a name for each column.
    """

    title: str
    values: list[list[float]]
    marked: frozenset[Spot] = frozenset()
    aside: frozenset[Spot] = frozenset()
    edits: str | None = None
    picks: str | None = None
    border: int = 0
    heads: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Node:
    """A circle of a `Diagram`: its place from 0 to 1, the text in it and the text beneath it."""

    name: str
    x: float
    y: float
    text: str
    under: str = ""
    state: str = ""  # "", "now", "done" or "off"


@dataclass(frozen=True, kw_only=True)
class Edge:
    """A line of a `Diagram` from node to node; `weight` sets its width, dashed when it is negative."""

    start: str
    end: str
    weight: float = 1.0
    text: str = ""
    state: str = ""


@dataclass(frozen=True, kw_only=True)
class Diagram:
    """Circles and the lines between them, `height` as a share of the width."""

    title: str
    nodes: list[Node]
    edges: list[Edge]
    height: float = 0.5


@dataclass(frozen=True, kw_only=True)
class Surface:
    """A surface from above: heights (rows are y, ascending), and the paths across it, by name."""

    title: str
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    heights: list[list[float]]
    walks: list[tuple[str, list[tuple[float, float]]]]
    x_name: str = ""
    y_name: str = ""


@dataclass(frozen=True, kw_only=True)
class Code:
    """Lines of Python; those `marked` (from 0) are highlighted."""

    title: str
    text: str
    marked: frozenset[int] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table with a head; the row `marked` is highlighted."""

    title: str
    head: Sequence[str]
    rows: list[list[str]]
    marked: int | None = None


@dataclass(frozen=True, kw_only=True)
class Curves:
    """Lines over a common x."""

    x_name: str
    y_name: str
    lines: list[tuple[str, list[tuple[float, float]]]]
    log: bool = False


Part = Grid | Diagram | Surface | Code | Table


@dataclass(frozen=True, kw_only=True)
class Scene:
    """All that a toy shows: its parts in reading order, curves beneath them, and the same in words."""

    parts: list[Part]
    said: str
    curves: Curves | None = None


@dataclass(frozen=True, kw_only=True)
class Toy:
    """One idea of the chapter, hands on: a function and its controls."""

    title: str
    group: str
    show: Callable[..., Scene]
    controls: tuple[Control, ...]

    @property
    def name(self) -> str:
        """The function's name, which names the toy in addresses and tests."""
        return self.show.__name__

    def values(self, given: dict[str, Any] | None = None) -> dict[str, Any]:
        """Every control's value: the given one where there is one. Raises `ValueError` if it is invalid."""
        given = given or {}
        return {
            control.name: control.check(given[control.name]) if control.name in given else control.value
            for control in self.controls
        }


def numbers(values: torch.Tensor) -> list[list[float]]:
    """A tensor of one or two dimensions as rows of plain numbers."""
    rows = values.detach().double()
    listed: list[list[float]] = (rows if rows.dim() == 2 else rows.reshape(1, -1)).tolist()
    return listed


def clamp(spot: Spot, rows: int, columns: int) -> Spot:
    """The nearest place inside a grid of that size."""
    return min(spot[0], rows - 1), min(spot[1], columns - 1)


def exact(value: float, places: int = 4) -> str:
    """A number to so many decimal places, with a real minus, and none before zero."""
    return f"{value:z.{places}f}".replace("-", "−")


def short(value: float) -> str:
    """A number to at most two decimal places, without trailing zeros."""
    return exact(value, 2).rstrip("0").rstrip(".")
