"""A line chart drawn in the browser and updated in place: no flicker, at any number of frames a second."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from typing import Any

from mnist_core.page.components.view import View
from mnist_core.page.templates import render
from mnist_core.page.theme import asset


@dataclass(frozen=True, kw_only=True)
class Series:
    """One curve. A dash and the name tell it from the others without its colour."""

    name: str
    points: list[tuple[float, float]]  # (x, y), x ascending; whatever is not finite is left out
    colour: int = 1  # 1 to 6, page.css's curves; 0 is grey
    dash: str = ""  # SVG's stroke-dasharray, such as "6 4"
    faint: bool = False
    dots: bool = False
    label: bool = True  # the name stands at the curve's end
    notes: list[str] | None = None  # one for each point, shown beside the crosshair's reading


@dataclass(frozen=True, kw_only=True)
class Plot:
    """What a `Chart` shows. `x_grows` lets the axis grow in nice steps up to `x_high`."""

    series: list[Series] = field(default_factory=list)
    marks: list[dict[str, Any]] = field(default_factory=list)  # {"x": where, "name": what happened there}
    x_name: str = ""
    y_name: str = ""
    x_low: float | None = None  # 0 where nothing else is said
    x_high: float | None = None
    x_grows: bool = False
    y_low: float | None = None
    y_high: float | None = None
    can_log: bool = False
    log: bool = False
    hint: str = ""  # shown while there is nothing to draw
    summary: str = ""  # what a screen reader says of the chart

    def to_plain(self) -> dict[str, Any]:
        """`Plot` in `assets/js/types.js`: without None and without numbers that JSON cannot hold."""
        plot = {name: value for name, value in asdict(self).items() if value is not None}
        for series in plot["series"]:
            kept = [index for index, point in enumerate(series["points"]) if all(map(math.isfinite, point))]
            if series["notes"] is not None:
                series["notes"] = [series["notes"][index] for index in kept]
            series["points"] = [
                [round(x, 6), float(f"{y:.5g}")] for x, y in (series["points"][i] for i in kept)
            ]
        return plot


class Chart(View):
    """Shows a `Plot`. Its value travels as text, which Gradio neither compares nor wraps number by number."""

    def __init__(self, value: Plot | None = None, *, height: str = "300px", **options: Any) -> None:
        markup, style = render("chart.html", height=height), asset("css/chart.css")
        super().__init__("chart/chart", markup, value=value, css_template=style, **options)

    def postprocess(self, value: Any) -> str:
        """A `Plot`, or None for an empty one, as JSON text."""
        return json.dumps((value or Plot()).to_plain(), separators=(",", ":"), allow_nan=False)
