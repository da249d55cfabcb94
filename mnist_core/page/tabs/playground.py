"""The chapter's toys on the page: a list to choose from, and one renderer for whatever they show.

A toy returns a `Scene` of plain values (`mnist_core.playground`), which `views.scene` turns into HTML;
`assets/js/toys.js` puts it on the page and sends back what the visitor changed.
"""

from __future__ import annotations

import json
import re
from functools import cache
from itertools import groupby
from typing import Any, NamedTuple

import gradio as gr

from mnist_core.page.components.chart import Chart
from mnist_core.page.tabs.draw import FOLLOW_THE_PEN
from mnist_core.page.templates import render
from mnist_core.page.theme import asset, mount
from mnist_core.page.views.scene import plot, render_controls, render_parts
from mnist_core.playground import TOYS, Toy
from mnist_core.playground.scene import Cells, Scene

_LONGEST_REQUEST = 2000  # characters
_FORMULAS = [{"left": sign, "right": sign, "display": sign == "$$"} for sign in ("$$", "$")]
_UNKNOWN = "That is not a toy that this page has. Reload the page."


class Played(NamedTuple):
    """A toy, its controls' values, and what it shows for them."""

    toy: Toy
    values: dict[str, Any]
    scene: Scene


class ToyList(gr.HTML):
    """All toys by group. Handlers receive the chosen one."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            value=None,
            html_template=render("toy/list.html", groups=_groups()),
            js_on_load=mount("toy_list"),
            apply_default_css=False,
            elem_id="toy-list",
            **options,
        )

    def preprocess(self, payload: Any) -> Toy | None:
        """The chosen toy; None for none. Raises `gr.Error` for one that the page does not have."""
        if payload in (None, ""):
            return None
        if not isinstance(payload, str) or payload not in TOYS:
            raise gr.Error(_UNKNOWN, print_exception=False)
        return TOYS[payload]

    def postprocess(self, value: None) -> str:
        return ""

    def api_info(self) -> dict[str, Any]:
        return {"type": "string", "description": "a toy's name"}


class ToyBench(gr.HTML):
    """Shows one toy and takes what is changed in it. Handlers receive and return a `Played`, or None."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            value=None,
            html_template=render("toy/bench.html"),
            js_on_load=mount("toys"),
            apply_default_css=False,
            elem_id="toy-bench",
            **options,
        )

    def preprocess(self, payload: Any) -> Played | None:
        """The toy as the visitor has it now. Raises `gr.Error` for anything that a page would not send."""
        try:
            return read_request(payload)
        except ValueError as error:
            raise gr.Error(str(error), print_exception=False) from None

    def postprocess(self, value: Played | None) -> str:
        if value is None:
            return ""
        shown = {
            "toy": value.toy.name,
            "values": value.values,
            "controls": render_controls(value.toy.controls, value.values),
            "among": {each.name: each.among for each in value.toy.controls if isinstance(each, Cells)},
            "parts": render_parts(value.scene.parts),
            "said": value.scene.said,
        }
        return json.dumps(shown, separators=(",", ":"))

    def api_info(self) -> dict[str, Any]:
        return {"type": "string", "description": "a toy's name and values, as JSON"}


def toys_part() -> None:
    """The chapter's part of the tab: the list, then the chosen toy's text, the toy, and its curves."""
    toy_list = ToyList()
    text = gr.Markdown(latex_delimiters=_FORMULAS, elem_id="toy-text")
    bench = ToyBench()
    chart = Chart(height="260px", elem_id="toy-chart", visible="hidden")
    toy_list.input(take, toy_list, [text, bench, chart], **FOLLOW_THE_PEN)
    bench.input(play, bench, [bench, chart], **FOLLOW_THE_PEN)


def take(toy: Toy | None) -> tuple[Any, Any, Any]:
    """A toy at its defaults: its text, itself, its curves."""
    if toy is None:
        return gr.skip(), gr.skip(), gr.skip()
    return f"### {toy.title}\n\n{texts()[toy.title]}", *play(Played(toy, toy.values(), toy.scene()))


def play(played: Played | None) -> tuple[Any, Any]:
    """A toy at its controls' values: itself, and its curves if it has any."""
    if played is None:
        return gr.skip(), gr.skip()
    curves = played.scene.curves
    return played, gr.update(value=plot(curves), visible=True) if curves else gr.update(visible="hidden")


def read_request(text: Any) -> Played | None:
    """The toy and values in a page's line of JSON; None where there is none. Raises `ValueError`."""
    if text in (None, ""):
        return None
    if not isinstance(text, str) or len(text) > _LONGEST_REQUEST:
        raise ValueError(_UNKNOWN)
    try:
        asked = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError(_UNKNOWN) from None
    named = isinstance(asked, dict) and isinstance(asked.get("toy"), str) and asked["toy"] in TOYS
    if not named or not isinstance(asked.get("values", {}), dict):
        raise ValueError(_UNKNOWN)
    toy = TOYS[asked["toy"]]
    values = toy.values(asked.get("values"))
    return Played(toy, values, toy.show(**values))


@cache
def texts() -> dict[str, str]:
    """Each toy's own text, by its title: the sections of `assets/text/chapter.md`."""
    sections = re.split(r"^## (.+)$", asset("text/chapter.md"), flags=re.MULTILINE)
    return {title.strip(): text.strip() for title, text in zip(sections[1::2], sections[2::2], strict=True)}


def _groups() -> list[tuple[str, list[Toy]]]:
    """The groups of toys, each with its name, in the chapter's order."""
    return [(group, list(toys)) for group, toys in groupby(TOYS.values(), key=lambda toy: toy.group)]
