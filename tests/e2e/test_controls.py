"""Every control of every tab and toy is used once; the server refuses nothing that the page then sends."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from hand import FOUR_TWO, SEVEN, at_rest, draw
from train_tab import until, until_state

from mnist_core.classifier import SHIPPED_WEIGHTS
from mnist_core.playground import TOYS

pytestmark = [pytest.mark.browser, pytest.mark.mnist, pytest.mark.full]

INSIDE_PAD = "#inside .pad canvas"
TRAIN_PAD = "#watcher canvas"


@pytest.fixture
def page(server: Any, data_folder: Any, open_page: Callable[..., Any]) -> Iterator[Any]:
    """A page of which, in the end, nothing has been refused and no fault counted."""
    faults = httpx.get(f"{server.url}/health").json()["faults"]
    page = open_page(server.url)
    refused = []
    page.on(
        "response", lambda answer: answer.status >= 400 and refused.append(f"{answer.status} {answer.url}")
    )
    yield page
    page.wait_for_timeout(1000)  # for what is still under way
    assert refused == []
    assert page.faults == []
    assert httpx.get(f"{server.url}/health").json()["faults"] == faults


def test_every_control_of_the_pad(page: Any, tmp_path: Any) -> None:
    draw(page, SEVEN)
    for name in ("undo", "redo", "eraser"):
        page.locator(f"#pad-{name}").click()
    draw(page, SEVEN)
    page.locator("#pad-eraser").click()
    page.locator("#pad-clear").click()
    draw(page, FOUR_TWO)
    at_rest(page)
    page.locator("#prediction button").last.click()
    samples = page.locator(".samples button")
    for index in range(samples.count()):
        samples.nth(index).click()
        at_rest(page)
    page.locator("#random-test").click()
    until_caption = "document.querySelector('#digit-pad .caption').textContent.includes('ground truth')"
    page.wait_for_function(until_caption)
    picture = tmp_path / "picture.png"
    page.locator("#digit-pad").screenshot(path=picture)
    page.locator("#digit-pad input[type=file]").set_input_files(picture)
    page.wait_for_function(f"!{until_caption}")
    at_rest(page)


def _shown(page: Any) -> int:
    return int(page.locator(".toy").get_attribute("data-shown") or 0)


def _used(page: Any, use: Callable[[], Any]) -> None:
    """Use a control and wait until the toy is shown as it asks."""
    before = _shown(page)
    use()
    until(page, lambda: _shown(page) > before, 10)


def _use_toy(page: Any) -> None:
    """Each button once, each slider at both ends, and up to a dozen cells or places of the toy's grids."""
    buttons = page.locator(".toy-controls button")
    for index in range(buttons.count()):
        _used(page, buttons.nth(index).click)
    sliders = page.locator(".toy-controls input[type=range]")
    for index in range(sliders.count()):
        for end in ("min", "max"):
            slide = (
                f"(slider) => {{ slider.value = slider.{end};"
                " slider.dispatchEvent(new Event('input', { bubbles: true })); }"
            )
            _used(page, functools.partial(sliders.nth(index).evaluate, slide))
    cells = page.locator(".toy-parts button")
    for index in range(min(12, cells.count())):
        _used(page, functools.partial(cells.nth(index).dispatch_event, "click"))


def test_every_control_of_every_toy(page: Any) -> None:
    page.get_by_role("tab", name="Look inside").click()
    for name in TOYS:
        _used(page, page.locator(f'#toy-list [data-toy="{name}"]').click)
        page.locator(f'.toy[data-toy="{name}"]').wait_for()
        _use_toy(page)


def test_every_control_of_the_layers(page: Any) -> None:
    page.get_by_role("tab", name="Look inside").click()
    draw(page, SEVEN, pad=INSIDE_PAD)
    page.wait_for_function("document.querySelector('.inside-answer').innerText.startsWith('Read as 7')")
    for name, places in {"cn1": 16, "cn2": 32, "pool": 32}.items():
        for index in range(0, places, 5):
            page.locator(f'[data-layer="{name}"] .map').nth(index).click()
            page.locator(f'[data-layer="{name}"] .worked[data-map="{index}"] .sentence').wait_for()
    page.locator(".worked-map").press("ArrowLeft")
    page.locator(".worked-close").click()
    page.locator(".worked").wait_for(state="detached")
    for reason in ("why", "edit", "nearest"):
        page.locator(f'[data-reason="{reason}"] summary').click()
        page.wait_for_function(
            "(name) => document.querySelector(`[data-reason=${name}] .reason-said`).textContent", arg=reason
        )
    for target in page.locator(".target option").evaluate_all("(all) => all.map((one) => one.value)"):
        page.locator(".target").select_option(target)
        page.locator('[data-reason="edit"]:not(.stale)').wait_for()


def test_every_control_of_the_recipe(page: Any) -> None:
    page.get_by_role("tab", name="Train").click()
    page.locator(".recipe summary").first.click()
    page.locator(".recipe .more summary").click()
    for field in page.locator(".recipe select").all():
        for option in field.evaluate("(field) => [...field.options].map((option) => option.value)"):
            field.select_option(option)
            page.wait_for_timeout(100)  # or Gradio would send only the last of them
    for field in page.locator(".recipe input[type=number]").all():
        for end in ("min", "max"):
            field.evaluate(
                f"(field) => {{ field.value = field.{end};"
                " field.dispatchEvent(new Event('change', { bubbles: true })); }"
            )
            page.wait_for_timeout(100)


def _press(page: Any, name: str) -> None:
    page.locator("#results").get_by_role("button", name=name, exact=True).first.click()


def test_every_control_of_a_run(page: Any, server: Any) -> None:
    page.goto(f"{server.url}/?train_size=1500&epochs=2")
    page.locator("#train-start").click()
    until_state(page, "running")
    page.locator("#train-pause").click()
    until_state(page, "paused")
    page.locator("#train-step").click()
    draw(page, SEVEN, pad=TRAIN_PAD)
    page.locator(".small-answer b").wait_for()
    page.locator("#train-resume").click()
    until_state(page, "finished")
    for panel in ("Confusion", "Mistakes"):
        _press(page, panel)
        page.locator(f".{panel.lower()}").first.wait_for()
    page.locator(".mistakes button").first.click()
    until(page, lambda: "MNIST test image" in page.locator("#watcher .caption").inner_text())
    for panel in ("Kernels", "Export"):
        _press(page, panel)
        page.locator(".kernels, .script").first.wait_for()
    _press(page, "Copy as Python")
    page.locator(".chart-log").first.click()
    _press(page, "Runs")
    page.locator("#results input.name").fill("mine")
    page.locator("#results input.name").press("Enter")
    until(page, lambda: page.get_by_role("radio", name="Show mine").count() == 1)
    page.get_by_role("radio", name="Show mine").check()
    page.get_by_role("checkbox", name="Compare mine").check()
    page.get_by_role("button", name="Reuse mine's recipe").click()


def test_every_control_of_fine_tuning_and_of_uploaded_weights(page: Any) -> None:
    page.get_by_role("tab", name="Train").click()
    page.locator("#lesson summary").click()
    for label in (7, 1):
        draw(page, SEVEN, pad=TRAIN_PAD)
        page.locator(".small-answer b").wait_for()
        page.get_by_role("button", name=f"Label it {label}").click()
        until(
            page,
            lambda label=label: page.locator(".taught figcaption").all_inner_texts()[-1:] == [str(label)],
        )
    page.locator("#lesson").get_by_role("button", name="Clear").click()
    until(page, lambda: page.locator(".taught figure").count() == 0)
    page.evaluate(
        """() => [3, 4].forEach((digit) => document.querySelector(`[title="Label it ${digit}"]`).click())"""
    )
    until(page, lambda: page.locator(".taught figure").count() > 0)
    page.get_by_role("button", name="Label it 5").dblclick()
    until(page, lambda: sorted(page.locator(".taught figcaption").all_inner_texts()) == ["3", "4", "5"])
    page.locator("#lesson").get_by_role("button", name="Clear").click()
    until(page, lambda: page.locator(".taught figure").count() == 0)
    page.get_by_role("button", name="Label it 7").click()
    page.get_by_role("button", name="Fine-tune on this drawing").click()
    until_state(page, "finished")
    page.locator("#train-status").get_by_role("button", name="Undo").click()
    until(page, lambda: page.locator("#results .results").count() == 0)
    page.locator("#watcher input[type=file]").set_input_files(SHIPPED_WEIGHTS)
    until(page, lambda: "is ready to use" in page.locator("#train-status").inner_text())
    page.get_by_role("tab", name="Draw").click()
    page.locator("#read-by input").wait_for()
    page.get_by_role("tab", name="Train").click()
    page.get_by_role("button", name="Delete Uploaded model").click()
    until(page, lambda: page.locator("#results .results").count() == 0)
