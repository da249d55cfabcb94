"""A visitor writes HTML wherever something can be written: it is shown as text, and no script runs."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import torch
from train_tab import state_of, until, until_state
from visitors import OFFLINE

from mnist_core.model import ConvNet

pytestmark = pytest.mark.browser

# A script, quotes, and what Handlebars and template literals fill in: 40 characters, the longest name.
TEXT = "<img src=x onerror=ran=1>\"'{{7*7}}${7*7}"
IMAGE = "<img src=x onerror=ran=1>"  # what of it survives where quotes are written with a backslash
QUICK = {"data": "synthetic", "train_size": 100, "epochs": 1, "batch_size": 50}


@pytest.fixture
def own_url(start_server: Callable[..., Any], tmp_path: Path) -> str:
    """A page of one's own that keeps no runs and finds no MNIST, in a folder whose name is the text."""
    folder = tmp_path / TEXT
    folder.mkdir()
    return start_server(**OFFLINE, MNIST_DATA_DIR=str(folder), MNIST_RUNS_DIR="").url


@pytest.fixture
def open_at(open_page: Callable[..., Any]) -> Callable[..., Any]:
    """`open_at(url, data="synthetic", ...)`: a visit at the Train tab whose address holds these values."""

    def open_(url: str, **recipe: Any) -> Any:
        page = open_page(f"{url}/?{urlencode(recipe)}")
        page.get_by_role("tab", name="Train").click()
        page.locator("#loss-plot svg text").first.wait_for()
        return page

    return open_


def nothing_ran(page: Any) -> bool:
    """Whether no element was made of the text, and no script run."""
    return page.locator("img[src=x]").count() == 0 and page.evaluate("window.ran === undefined")


def text_of(page: Any, selector: str) -> str:
    """All that an element says, shown or read aloud."""
    return page.locator(selector).first.text_content()


def train(page: Any, name: str) -> None:
    """Train a run and name it."""
    page.locator("#train-start").click()
    until(
        page, lambda: state_of(page) == "finished" and page.locator("input.name[value^='Run']").count() == 1
    )
    field = page.locator("input.name").first
    field.fill(name)
    field.press("Enter")
    until(page, lambda: text_of(page, "#train-status strong") == name)


def draw(page: Any, pad: str) -> None:
    """A line down the middle of a pad."""
    sheet = page.locator(f"{pad} canvas").first.bounding_box()
    middle = sheet["x"] + sheet["width"] / 2
    page.mouse.move(middle, sheet["y"] + 0.2 * sheet["height"])
    page.mouse.down()
    page.mouse.move(middle, sheet["y"] + 0.8 * sheet["height"], steps=8)
    page.mouse.up()


@pytest.mark.full
def test_a_runs_name_is_text_on_every_tab(own_url: str, open_at: Callable[..., Any]) -> None:
    page = open_at(own_url, **QUICK)
    draw(page, "#watcher")
    train(page, TEXT)
    assert text_of(page, "#train-said p") == f"{TEXT} has finished."
    until(page, lambda: TEXT in text_of(page, ".small-answer"))
    assert page.get_by_role("button", name=f"Delete {TEXT}").get_attribute("title") == f"Delete {TEXT}"
    for panel in ("Confusion", "Mistakes", "Export", "Runs"):
        page.get_by_role("button", name=panel, exact=True).click()
        page.locator(f"#results [aria-pressed=true]:text-is('{panel}')").wait_for()
        until(page, lambda: TEXT in text_of(page, "#results"))
    assert nothing_ran(page)

    train(page, f"{TEXT[:-1]}2")  # another one, to compare them
    for place in (0, 1):
        page.locator("#results input[type=checkbox]").nth(place).check()
        page.locator("#results input[type=checkbox][checked]").nth(place).wait_for()
    names = page.locator("#loss-plot .chart-name")
    until(page, lambda: names.all_text_contents() == [TEXT[:14]] * 2)
    assert TEXT in text_of(page, "#loss-plot svg title")
    page.locator("#loss-plot svg").hover()
    assert TEXT[:14] in text_of(page, "#loss-plot .chart-readout")
    assert nothing_ran(page)

    page.get_by_role("tab", name="Draw").click()
    page.locator("#read-by input").click()
    page.get_by_role("option", name=TEXT).click()
    assert page.locator("#read-by input").input_value() == TEXT
    page.get_by_role("tab", name="Look inside").click()
    until(page, lambda: f"Read by {TEXT}." in text_of(page, ".inside-answer"))
    assert nothing_ran(page)

    page.get_by_role("tab", name="Draw").click()
    page.locator("#read-by input").fill(f"{TEXT} typed")  # instead of chosen: there is no such model
    page.locator("#read-by input").press("Enter")
    page.get_by_role("button", name="Clear").first.click()
    draw(page, "#digit-pad")
    page.locator("#prediction").filter(has_text="1").wait_for()
    assert nothing_ran(page)
    assert page.faults == []


def test_why_mnist_is_missing_is_text_with_the_folders_name(
    own_url: str, open_at: Callable[..., Any]
) -> None:
    page = open_at(own_url)
    page.locator("#train-start").click()
    until_state(page, "failed")
    assert TEXT in text_of(page, "#train-status .advice")
    assert nothing_ran(page)


def test_a_recipe_in_the_address_is_a_recipe_or_nothing(server: Any, open_at: Callable[..., Any]) -> None:
    page = open_at(server.url, **dict.fromkeys(("optimizer", "learning_rate", "seed", "data", TEXT), TEXT))
    assert page.locator("[data-knob=optimizer]").input_value() == "adadelta"
    assert page.locator("[data-knob=learning_rate]").input_value() == "0.5"
    assert page.locator("[data-knob=seed]").input_value() == "0"
    assert page.locator(".preset-choice").input_value() == "book"
    assert nothing_ran(page)


def test_letters_typed_into_a_number_field_change_nothing(server: Any, open_at: Callable[..., Any]) -> None:
    page = open_at(server.url)
    page.get_by_text("Change the recipe").click()
    for knob in ("learning_rate", "batch_size"):
        field = page.locator(f"[data-knob={knob}]")
        before = field.input_value()
        field.press_sequentially("<img>")
        field.press("Tab")
        assert field.input_value() == before
    page.locator("#train-start", has_text="Train · about").wait_for()
    assert nothing_ran(page)


def weights(**metadata: Any) -> dict[str, Any]:
    """A file of weights with this metadata, named by the text."""
    content = io.BytesIO()
    torch.save({"model": ConvNet().state_dict(), "metadata": metadata}, content)
    return {"name": f"{TEXT}.pt", "mimeType": "application/octet-stream", "buffer": content.getvalue()}


def foreign() -> dict[str, Any]:
    """Another network's weights, one of them named by the text."""
    content = io.BytesIO()
    torch.save({TEXT: torch.zeros(1)}, content)
    return {**weights(), "buffer": content.getvalue()}


def test_names_in_a_file_of_weights_are_text(server: Any, open_at: Callable[..., Any]) -> None:
    page = open_at(server.url)
    for file, shown in ((foreign(), TEXT), (weights(network={TEXT: 1}), IMAGE)):
        page.locator("#watcher input[type=file]").set_input_files(file)
        page.locator("#notice").filter(has_text=shown).wait_for()
        assert nothing_ran(page)
    page.locator("#watcher input[type=file]").set_input_files(weights(name=TEXT, step=7, recipe={TEXT: TEXT}))
    until(page, lambda: "is ready to use" in page.locator("#train-status").inner_text())
    page.get_by_role("button", name="Export").click()
    page.get_by_role("link", name="Weights").wait_for()
    assert nothing_ran(page)


def test_a_pictures_name_is_not_html_on_the_pad(server: Any, open_page: Callable[..., Any]) -> None:
    page = open_page(server.url)
    picture = (Path(__file__).resolve().parents[2] / "assets" / "images" / "page.png").read_bytes()
    file = {"name": f"{TEXT}.png", "mimeType": "image/png", "buffer": picture}
    page.locator("#digit-pad input[type=file]").set_input_files(file)
    page.locator("#pad-undo[aria-disabled=false]").wait_for()
    assert nothing_ran(page)
