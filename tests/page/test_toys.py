"""What the page asks of its toys and layers is checked, and every toy has a text and is drawn."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from pictures import ink
from PIL import Image, ImageDraw
from pydantic import ValidationError
from toys import scene_of

from mnist_core.explain.counterfactual import Dab, Edit
from mnist_core.imaging.preprocess import preprocess
from mnist_core.page.components import reading
from mnist_core.page.components.pad import Drawing
from mnist_core.page.tabs import inside
from mnist_core.page.tabs.inside import ViewRequest, _why, look
from mnist_core.page.tabs.playground import ToyRequest, show_toy, text_of, texts
from mnist_core.page.views.percent import percent
from mnist_core.playground import TOYS, Toy
from mnist_core.runs import shipped_classifier

SECRET = "0" * 64
INK = np.zeros((60, 10), np.uint8)
ONE = Drawing(1, Image.fromarray(np.pad(INK, ((20, 20), (45, 45)), constant_values=255)))


@pytest.mark.parametrize("toy", TOYS.values(), ids=list(TOYS))
def test_every_toy_has_a_text_with_a_formula_and_is_drawn(toy: Toy) -> None:
    text = text_of(toy.name)
    assert text.startswith(f"### {toy.title}")
    assert "$$" in text
    shown = show_toy(ToyRequest(toy=toy.name))
    assert shown["said"]
    assert shown["parts"].count("<figure") == len(scene_of(toy.name).parts)
    assert not re.search(r"nan|undefined|None", shown["parts"])
    for picture in re.findall(r"<svg[^>]*>", shown["parts"]):
        assert 'aria-label="' in picture or 'aria-hidden="true"' in picture


def test_every_text_belongs_to_a_toy() -> None:
    assert list(texts()) == [toy.title for toy in TOYS.values()]


@pytest.mark.parametrize("toy", TOYS.values(), ids=list(TOYS))
def test_every_value_that_a_toy_shows_is_one_that_it_takes(toy: Toy) -> None:
    """The page sends all values back at each click, after JSON has made 1 of 1.0."""
    written = orjson.dumps(show_toy(ToyRequest(toy=toy.name))).decode()
    shown = orjson.loads(written.replace(".0,", ",").replace(".0]", "]"))
    again = show_toy(ToyRequest(toy=toy.name, values=shown["values"]))
    assert again["parts"] == show_toy(ToyRequest(toy=toy.name))["parts"]


def test_a_toy_without_curves_says_so() -> None:
    assert show_toy(ToyRequest(toy="activation"))["curves"] is not None
    assert show_toy(ToyRequest(toy="pooling"))["curves"] is None


def test_a_changed_value_reaches_the_toy() -> None:
    shown = show_toy(ToyRequest(toy="pooling", values={"how": "min"}))
    assert shown["values"]["how"] == "min"
    assert "The min of" in shown["said"]


@pytest.mark.parametrize(
    "asked", [("nothing", {}), ("pooling", {"how": "most"}), ("pooling", {"how": ["max"]})]
)
def test_a_toy_or_a_value_that_the_page_does_not_have_is_refused(asked: tuple[str, dict[str, Any]]) -> None:
    with pytest.raises(ValueError, match=r"Reload the page|is one of"):
        show_toy(ToyRequest(toy=asked[0], values=asked[1]))


@pytest.mark.parametrize(
    "asked",
    [
        5, [], {"layer": "fc1"}, {"layer": "cn1", "map": 16}, {"map": -1}, {"map": 32}, {"layer": ["cn1"]},
        {"open": ["everything"]}, {"open": "why"}, {"target": 10}, {"target": True}, {"still": 7},
        {"map": 1.5}, {"more": 1}, {"open": [["why"]]},
    ],
)  # fmt: skip
def test_a_view_that_the_page_would_not_ask_for_is_refused(asked: object) -> None:
    with pytest.raises(ValidationError):
        ViewRequest.model_validate_json(json.dumps(asked))


def test_a_reason_asked_for_often_is_given_once() -> None:
    asked = ViewRequest.model_validate_json(json.dumps({"open": ["why"] * 1000}))
    assert asked.open == {"why"}


def test_the_digit_that_is_chosen_is_looked_through_and_said_as_it_is_read() -> None:
    sheet = Image.new("L", (400, 200), 255)
    ImageDraw.Draw(sheet).line([(100, 40), (100, 160)], fill=0, width=16)
    ImageDraw.Draw(sheet).line([(240, 50), (330, 50), (270, 160)], fill=0, width=16, joint="curve")
    for digit, (guess, place) in enumerate(((1, "Digit 1 of 2"), (7, "Digit 2 of 2"), (7, "Digit 2 of 2"))):
        shown = look(SECRET, "shipped", Drawing(1, sheet), ViewRequest(), digit)
        read = reading.read(SECRET, "shipped", Drawing(1, sheet))["digits"][min(digit, 1)]
        assert shown["answer"] == read["guess"] == guess
        assert shown["bytes"]["picture"] == read["input"]
        assert shown["said"]["answer"].startswith(
            f"{place}: read as {guess} ({percent(read['probabilities'][guess])}), then "
        )


def test_a_page_that_requests_nothing_gets_the_maps_alone() -> None:
    shown = look(SECRET, None, Drawing(0, None), ViewRequest())
    assert shown["blank"]
    assert shown["answer"] is None
    assert "chosen" not in shown
    assert len(orjson.dumps(shown)) < 80_000  # characters: what a phone receives for each update


def test_reasons_are_given_only_when_asked_for_and_the_slow_ones_only_at_rest() -> None:
    every = frozenset({"why", "edit", "nearest"})
    moving = look(SECRET, "shipped", ONE, ViewRequest(open=every))
    assert moving["why"][0]["digit"] == moving["answer"]
    assert every & set(moving) == every & set(moving["said"]) == {"why"}
    resting = look(SECRET, "shipped", ONE, ViewRequest(open=every - {"why"}, still=True))
    assert every & set(resting) == every & set(resting["said"]) == {"edit", "nearest"}
    orjson.dumps(resting)


def test_a_digit_to_make_it_is_named_with_its_article_unless_it_is_the_answer() -> None:
    def said(target: int) -> str:
        request = ViewRequest(open=frozenset({"edit"}), target=target, still=True)
        return str(look(SECRET, "shipped", ONE, request)["said"]["edit"])

    assert said(1) == "The network's most probable digit is 1 already."
    found = r"To make it an 8, .* of the ink\. The (edited drawing is read as \d \(.*%\)|network is not sure)"
    assert re.match(rf"{found}|No edit of at most 20\u202f% of the ink .* makes it an 8\.$", said(8))


@pytest.mark.parametrize(("digit", "kept"), [(1, True), (8, False)])
def test_an_edit_is_shown_unless_the_edited_drawing_is_read_as_another_digit(
    monkeypatch: pytest.MonkeyPatch, digit: int, kept: bool
) -> None:
    one = preprocess(ONE.image)
    monkeypatch.setattr(inside, "smallest_edit", lambda *_: Edit(one, (Dab(3, 3, True),), 2.0, 0.1, digit))
    shown = look(SECRET, "shipped", ONE, ViewRequest(open=frozenset({"edit"}), still=True))
    assert (shown["edit"] is not None) == kept
    said = (
        "The edited drawing is read as 1 (" if kept else "of the ink was found that makes it another digit."
    )
    assert said in shown["said"]["edit"]


def test_what_was_left_out_is_said_where_the_digit_is_looked_into() -> None:
    seven, minus = np.array([(100, 40), (160, 40), (125, 140)], float), np.array([(20, 90), (65, 90)], float)
    sheet = ink([seven, minus], (200, 200), 10)
    said = look(SECRET, "shipped", Drawing(1, sheet), ViewRequest())["said"]["answer"]
    assert said.startswith("Read as 7 (")
    assert said.endswith(" I read digits only: the mark before the 7 was left out.")


def test_what_speaks_for_the_runner_up_is_said_with_its_article() -> None:
    picture = preprocess(ONE.image)
    order = np.array([1, 8, *(digit for digit in range(10) if digit not in (1, 8))])
    _, said = _why(shipped_classifier(), picture, order, ViewRequest())
    assert "The 1 rests most on the ink at the " in said and "most suggests an 8 lies at the " in said


def test_the_layers_that_are_rows_say_how_many_numbers_they_have() -> None:
    said = look(SECRET, "shipped", ONE, ViewRequest())["said"]
    assert re.fullmatch(r"4,608 numbers in one row, [\d,]+ of them not zero", said["flat"])
    assert re.fullmatch(r"64 activations, \d\d? of them above zero", said["fc1"])


def test_a_run_that_is_not_the_visits_own_shows_the_built_in_model() -> None:
    drawing = Drawing(0, None)
    assert look(SECRET, "someone-elses", drawing, ViewRequest()) == look(
        SECRET, "shipped", drawing, ViewRequest()
    )


@pytest.mark.mnist
def test_the_nearest_training_images_of_a_seven_are_sevens(
    data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MNIST_DATA_DIR", str(data_folder))
    sheet = Image.new("L", (200, 200), 255)
    ImageDraw.Draw(sheet).line([(60, 50), (140, 50), (90, 150)], fill=0, width=14, joint="curve")
    shown = look(SECRET, "shipped", Drawing(1, sheet), ViewRequest(open=frozenset({"nearest"}), still=True))
    labels = [each["label"] for each in shown["nearest"]]
    assert labels.count(7) >= 5 and "a 7" in [each["said"] for each in shown["nearest"]]
    assert shown["said"]["nearest"] == (
        "The nearest of 2,000 training images, by the distance between the 64 activations that the last "
        f"layer decides by: {', '.join(map(str, labels))}."
    )
    orjson.dumps(shown)
