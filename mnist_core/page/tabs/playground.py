"""The chapter's toys on the page: a list to choose from, and one renderer for whatever they show.

A toy returns a `Scene` of plain values (`mnist_core.playground`), which `views.scene` turns into HTML;
`assets/js/toys.js` puts it on the page and asks again for what the visitor changed.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import groupby
from typing import Annotated, Any, TypedDict

import gradio as gr
from pydantic import BaseModel, Field

from mnist_core.page.components.view import View
from mnist_core.page.http.routes import FROM_PAGES, json_route
from mnist_core.page.tabs.draw import AT_ONCE
from mnist_core.page.templates import render
from mnist_core.page.theme import asset
from mnist_core.page.threads import Latest
from mnist_core.page.views.scene import plot, render_controls, render_parts
from mnist_core.playground import TOYS, Toy
from mnist_core.playground.scene import Cells

_FORMULAS = [{"left": sign, "right": sign, "display": sign == "$$"} for sign in ("$$", "$")]


class ToyRequest(BaseModel):
    """A toy's name, and the values of its controls that are not its defaults."""

    model_config = FROM_PAGES

    toy: Annotated[str, Field(max_length=40)]
    values: Annotated[dict[str, Any], Field(max_length=20)] = {}


class ToyShown(TypedDict):
    """A toy as the page shows it; `ToyShown` in `assets/js/types.js`."""

    toy: str
    values: dict[str, Any]  # of every control
    controls: str  # HTML
    among: dict[str, tuple[float, ...]]  # what a click turns each editable cell's number into, by control
    parts: str  # HTML
    said: str
    curves: dict[str, Any] | None  # as `Plot` has them


class ToyList(View):
    """All toys by group. Handlers receive the name of the chosen one, as the client sends it."""

    def __init__(self) -> None:
        super().__init__("toy_list", render("toy/list.html", groups=_groups()), elem_id="toy-list")

    def preprocess(self, payload: Any) -> Any:
        return payload


def toys_part() -> None:
    """The chapter's part of the tab: the list, then the chosen toy's text, the toy, and its curves."""
    toys = ToyList()
    text = gr.Markdown(latex_delimiters=_FORMULAS, elem_id="toy-text")
    bench = View(
        "toys",
        render("toy/bench.html", height="260px"),
        css_template=asset("css/chart.css"),
        elem_id="toy-bench",
    )
    toys.input(text_of, toys, text, **AT_ONCE)
    toys.input(None, toys, bench, js="(toy) => toy")


def text_of(name: Any) -> str:
    """The chosen toy's title and text, as Markdown. Raises `ValueError` for any other name."""
    toy = _toy(name)
    return f"### {toy.title}\n\n{texts()[toy.title]}"


async def play(secret: str, asked: ToyRequest) -> ToyShown | None:
    """`show_toy`, on a thread that no drawing waits for."""
    return await _thread.run(secret, lambda: show_toy(asked))


def show_toy(asked: ToyRequest) -> ToyShown:
    """What a toy shows. Raises `ValueError` for a toy or values that the page does not have."""
    toy = _toy(asked.toy)
    values = toy.values(asked.values)
    scene = toy.show(**values)
    return {
        "toy": toy.name,
        "values": values,
        "controls": render_controls(toy.controls, values),
        "among": {each.name: each.among for each in toy.controls if isinstance(each, Cells)},
        "parts": render_parts(scene.parts),
        "said": scene.said,
        "curves": plot(scene.curves).to_plain() if scene.curves else None,
    }


ROUTES = [json_route("toy", ToyRequest, play)]
_thread = Latest("toys")


def _toy(name: Any) -> Toy:
    if not isinstance(name, str) or name not in TOYS:
        raise ValueError("That is not a toy that this page has. Reload the page.")
    return TOYS[name]


@cache
def texts() -> dict[str, str]:
    """Each toy's own text, by its title: the sections of `assets/text/chapter.md`."""
    sections = re.split(r"^## (.+)$", asset("text/chapter.md"), flags=re.MULTILINE)
    return {title.strip(): text.strip() for title, text in zip(sections[1::2], sections[2::2], strict=True)}


def _groups() -> list[tuple[str, list[Toy]]]:
    """The groups of toys, each with its name, in the chapter's order."""
    return [(group, list(toys)) for group, toys in groupby(TOYS.values(), key=lambda toy: toy.group)]
