"""What the page sends of its toys and layers is checked, and every toy has a text and is drawn."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from PIL import Image

from mnist_core.page.components.pad import Drawing
from mnist_core.page.tabs.inside import ViewRequest, look, read_view_request
from mnist_core.page.tabs.playground import ToyBench, play, read_request, take, texts
from mnist_core.playground import TOYS, Toy

SECRET = "0" * 64


@pytest.mark.parametrize("toy", TOYS.values(), ids=list(TOYS))
def test_every_toy_has_a_text_with_a_formula_and_is_drawn(toy: Toy) -> None:
    text, played, _ = take(toy)
    assert text.startswith(f"### {toy.title}")
    assert "$$" in text
    shown = json.loads(ToyBench().postprocess(played))
    assert shown["said"]
    assert shown["parts"].count("<figure") == len(played.scene.parts)
    assert not re.search(r"nan|undefined|None", shown["parts"])
    for picture in re.findall(r"<svg[^>]*>", shown["parts"]):
        assert 'aria-label="' in picture or 'aria-hidden="true"' in picture


def test_every_text_belongs_to_a_toy() -> None:
    assert list(texts()) == [toy.title for toy in TOYS.values()]


def test_a_toys_curves_are_shown_and_hidden_with_it() -> None:
    assert take(TOYS["activation"])[2]["visible"] is True
    assert take(TOYS["pooling"])[2]["visible"] == "hidden"


def test_a_changed_value_reaches_the_toy() -> None:
    played = read_request('{"toy": "pooling", "values": {"how": "min"}}')
    assert played.values["how"] == "min"
    assert "The min of" in play(played)[0].scene.said


@pytest.mark.parametrize(
    "request_",
    [
        5, "{", "[]", '"pooling"', '{"toy": "nothing"}', '{"toy": ["pooling"]}',
        '{"toy": "pooling", "values": []}', '{"toy": "pooling", "values": {"how": "most"}}',
        "[" * 1990, '{"toy": "pooling"}' + " " * 3000,
    ],
)  # fmt: skip
def test_a_request_that_the_page_would_not_send_is_refused(request_: object) -> None:
    with pytest.raises(ValueError, match=r"Reload the page|is one of"):
        read_request(request_)


@pytest.mark.parametrize(
    "request_",
    [
        5, "{", "[]", "3", "[" * 290, " " * 400, '{"layer": "fc1"}', '{"layer": "cn1", "map": 16}',
        '{"map": -1}', '{"layer": ["cn1"]}', '{"open": ["everything"]}', '{"open": "why"}', '{"target": 10}',
        '{"target": true}',
        '{"still": 7}', '{"map": 1.5}', '{"more": 1}', '{"open": [["why"]]}',
    ],
)  # fmt: skip
def test_a_view_request_that_the_page_would_not_send_is_refused(request_: object) -> None:
    with pytest.raises(ValueError, match="Reload the page"):
        read_view_request(request_)


def test_a_page_that_requests_nothing_gets_the_maps_alone() -> None:
    assert read_view_request("") == ViewRequest()
    shown = look(SECRET, None, Drawing(0, None), ViewRequest())
    assert shown["blank"]
    assert shown["answer"] is None
    assert "chosen" not in shown
    assert len(json.dumps(shown)) < 80_000  # characters: what a phone receives for each update


def test_reasons_are_given_only_when_asked_for_and_the_slow_one_only_at_rest() -> None:
    paper = np.full((100, 100), 255, np.uint8)
    paper[20:80, 45:55] = 0
    drawing = Drawing(1, Image.fromarray(paper))
    moving = look(SECRET, "shipped", drawing, ViewRequest(open=("why", "edit")))
    assert moving["why"][0]["digit"] == moving["answer"]
    assert "edit" not in moving
    resting = look(SECRET, "shipped", drawing, ViewRequest(open=("edit",), still=True))
    assert "edit" in resting
    json.dumps(resting)


def test_a_run_that_is_not_the_visits_own_shows_the_built_in_model() -> None:
    drawing = Drawing(0, None)
    assert look(SECRET, "someone-elses", drawing, ViewRequest()) == look(
        SECRET, "shipped", drawing, ViewRequest()
    )
