"""Nothing that a visitor can write becomes markup: every text, in every place where Python renders one.

The oracle is the page with a harmless word in the text's place. Parsed as a browser would, the two may differ
in nothing but the word: the same elements, the same attributes, and the text in full.
"""

from __future__ import annotations

import ast
import asyncio
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mnist_core.config import TrainConfig
from mnist_core.engine.events import Evaluation
from mnist_core.engine.history import Trouble
from mnist_core.model import ConvNet
from mnist_core.page import build
from mnist_core.page.components.view import View
from mnist_core.page.theme import asset
from mnist_core.page.views import results, status
from mnist_core.page.views.scene import render_controls, render_parts
from mnist_core.playground.scene import (
    Choice,
    Code,
    Diagram,
    Edge,
    Grid,
    Node,
    Part,
    Slider,
    Steps,
    Surface,
    Table,
)
from mnist_core.runs import Visit
from mnist_core.runs.examine import Examination, Mistake
from mnist_core.runs.run import Run

ROOT = Path(__file__).resolve().parents[2]
WORD = "harmlessword"
READ = torch.eye(10, dtype=torch.int64)  # a confusion matrix: one digit of each kind, all read correctly
BLANK = np.zeros((28, 28), np.uint8)
TEXTS = (
    '<img src=x onerror="ran=1">',
    "'\"><script>ran=1</script>",
    "' autofocus onfocus='ran=1",
    '" autofocus onfocus="ran=1',
    "</title></style></textarea><b>bold</b>",
    "{{7*7}} {% raw %} {# none #} ${7*7} `",
    "&lt;b&gt; &amp; &#39;",
)


class _Parsed(HTMLParser):
    """A page as a list of what a browser makes of it: elements with their attributes, texts, ends."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[Any] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # A file that is offered for download holds the run's name among its bytes.
        self.found.append((tag, [(k, "data:" if (v or "").startswith("data:") else v) for k, v in attrs]))

    def handle_endtag(self, tag: str) -> None:
        self.found.append(f"/{tag}")

    def handle_data(self, data: str) -> None:
        self.found.append(data)


def parsed(html: str, text: str = WORD) -> list[Any]:
    """What a browser makes of `html`, with `text` where it has the word."""

    def put(value: Any) -> Any:
        return value.replace(WORD, text) if isinstance(value, str) else value

    found = _Parsed(html).found
    return [
        put(each) if isinstance(each, str) else (each[0], [(k, put(v)) for k, v in each[1]]) for each in found
    ]


def run_of(**values: Any) -> Run:
    """A run that has weights and an evaluation, with these attributes."""
    run = Run("Run 1", TrainConfig())
    run.id, run.state = "0123456789abcdef", "finished"
    with torch.random.fork_rng():
        run.hold(ConvNet(), {"step": 3})
    run.history.add_evaluation(
        Evaluation(step=3, epoch=1, loss=0.1, accuracy=1.0, correct=10, n=10, confusion=READ, seconds=1.0)
    )
    for name, value in values.items():
        setattr(run, name, value)
    return run


def panel(name: str) -> Callable[[str], str]:
    """Renders one of the panels of results, of a run whose name is the text."""

    def render(text: str) -> str:
        visit, run = Visit(), run_of(name=text)
        visit.panel = name
        visit.runs[run.id] = run
        examination = Examination(3, None, READ, 1, [Mistake(7, BLANK, 1, "2", 0.9)])
        return results.results(visit, run, examination, "shipped")

    return render


def stands(**values: Callable[[str], Any] | Any) -> Callable[[str], str]:
    """Renders the status of a run with these attributes, made from the text where they are functions."""

    def render(text: str) -> str:
        made = {name: value(text) if callable(value) else value for name, value in values.items()}
        return status.status(run_of(**made), 0, None)

    return render


def too_high(text: str) -> Trouble:
    """What a run is told that has diverged."""
    return Trouble(fatal=True, says=text, learning_rate=0.05)


def toy(text: str, *parts: Part) -> str:
    """What the bench shows of a toy with these parts, and with the text in each of its controls."""
    controls = (
        Slider(name="a", label=text, low=0, high=1, step=0.1, value=0.5),
        Choice(name="b", label=text, options=(text, "other"), value=text),
        Steps(name="c", label=text, last=3),
    )
    values = {control.name: control.value for control in controls}
    return render_controls(controls, values) + render_parts(parts)


PLACES: dict[str, Callable[[str], str]] = {
    "a run's name in the status line": stands(name=str),
    "a run's name in what a screen reader announces": lambda text: status.announcement(run_of(name=text)),
    **{f"a run's name in the panel {name}": panel(name) for name in results.PANELS if name != "kernels"},
    "why a run failed": stands(state="failed", note=str),
    "why a run is not on a GPU": stands(fallback=str),
    "what is wrong with a recipe": stands(state="diverged", trouble=too_high),
    "a toy's grid": lambda text: toy(text, Grid(title=text, values=[[1.0]], heads=[text], picks=text)),
    "a toy's cells": lambda text: toy(text, Grid(title=text, values=[[1.0]], edits=text)),
    "a toy's diagram": lambda text: toy(
        text,
        Diagram(
            title=text,
            nodes=[Node(name=text, x=0, y=0, text=text, under=text, state=text)],
            edges=[Edge(start=text, end=text, text=text, state=text)],
        ),
    ),
    "a toy's surface": lambda text: toy(
        text,
        Surface(
            title=text, x_range=(0, 1), y_range=(0, 1), heights=[[0.0]], walks=[(text, [(0, 0)])],
            x_name=text, y_name=text,
        ),
    ),
    "a toy's code": lambda text: toy(text, Code(title=text, text=text)),
    "a toy's table": lambda text: toy(text, Table(title=text, head=[text], rows=[[text]])),
}  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("place", PLACES)
def test_a_text_is_shown_as_it_was_written_and_changes_nothing_else(place: str, text: str) -> None:
    harmless = PLACES[place](WORD)
    assert WORD in harmless
    assert parsed(PLACES[place](text)) == parsed(harmless, text)


@pytest.mark.parametrize("text", TEXTS)
def test_the_metadata_of_uploaded_weights_is_not_shown_at_all(text: str) -> None:
    run = Run("Uploaded model", TrainConfig(), kind="uploaded")
    run.state = "finished"
    run.hold(ConvNet(), {"name": text, "recipe": {"optimizer": text}, "accuracy": text, text: text})
    visit = Visit()
    visit.runs[run.id] = run
    shown = [status.status(run, 0, None), results.results(visit, run, None, run.id)]
    assert not any(text in str(parsed(html)) for html in shown)


def test_no_component_has_a_template_that_gradio_would_fill_in_or_a_browser_read_otherwise() -> None:
    """Gradio compiles a component's template with Handlebars, then evaluates it as a template literal."""

    async def begin() -> Any:  # in a loop, or Gradio makes its own and leaves it open
        return build()

    ours = [block for block in asyncio.run(begin()).blocks.values() if isinstance(block, View)]
    templates = {f"{type(each).__name__} {each.elem_id}": each.html_template for each in ours}
    assert len(templates) >= 12
    filled = {name for name, text in templates.items() if re.search(r"\$\{|\{\{|`|\\", text)}
    assert filled == {f"Panel {part}" for part in ("train-status", "results", "lesson")}


def test_no_html_is_written_in_python() -> None:
    elsewhere = {"headers.py"}  # writes into Gradio's own page, byte by byte
    tag = re.compile(r"(?<!\?P)<[a-z][a-z0-9]*(>|/>| [a-z-]+=)|</[a-z]")
    found = [
        f"{path.name}: {text[:60]}"
        for path in (ROOT / "mnist_core").rglob("*.py")
        if path.name not in elsewhere
        for text in _strings(ast.parse(path.read_text(encoding="utf-8")))
        if tag.search(text)
    ]
    assert found == []


def _strings(tree: ast.Module) -> list[str]:
    """The strings in a program, parts of f-strings included, but not its docstrings."""
    described = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    constants = [
        node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in described
    ]
    return [node.value for node in constants if isinstance(node.value, str)]


def test_only_our_own_files_are_trusted_in_a_template() -> None:
    texts = {path.name: path.read_text() for path in (ROOT / "assets" / "templates").rglob("*.html")}
    trusting = {name for name, text in texts.items() if re.search(r"\bsafe\b|autoescape", text)}
    assert trusting == {"head.html"}


def test_only_what_the_server_rendered_is_put_on_the_page_as_html() -> None:
    markup = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|setHTML|document\.write|createContextualFragment"
    )
    scripts = ROOT / "assets" / "js"
    writers = {path.name for path in scripts.rglob("*.js") if markup.search(path.read_text(encoding="utf-8"))}
    assert writers == {"toys.js"}
    assert re.findall(r"innerHTML = (.*);", asset("js/toys.js")) == ["html", "shown.controls"]
