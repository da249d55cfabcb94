"""One drawing has one answer: the same digits with the same probabilities wherever the page shows them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from hand import FOUR_TWO, SEVEN, Path, at_rest, draw
from train_tab import state_of, until, until_state

pytestmark = [pytest.mark.browser, pytest.mark.mnist]


def on_draw(page: Any) -> list[tuple[str, str]]:
    """Each digit with its probability, as the Draw tab shows them; the first is chosen afterwards."""
    page.get_by_role("tab", name="Draw").click()
    at_rest(page)
    figures = page.locator("#prediction button")
    found = []
    for i in range(max(1, figures.count())):
        if figures.count():
            figures.nth(i).click()
        best = page.locator("#probabilities .best")
        found.append((best.get_attribute("data-digit"), best.locator(".percent").inner_text()))
    if figures.count():
        figures.first.click()
    return found


def on_train(page: Any) -> list[tuple[str, str]]:
    page.get_by_role("tab", name="Train").click()
    line = page.locator(".small-answer")
    line.locator("b").wait_for()
    digits, sure = line.locator("b").inner_text(), line.locator("span").last.inner_text()
    return list(zip(digits, sure.split(", "), strict=True))


def in_the_chart(page: Any) -> tuple[str, str]:
    """What the end of the chart beside the run says of the digit that it follows."""
    said = page.locator("#digit-trace").get_by_text(re.compile("The drawing is read as")).first.text_content()
    found = re.search(r"read as (\d), probability (.*)\.$", said or "")
    assert found, said
    return found[1], found[2]


def inside(page: Any, count: int) -> tuple[str, str]:
    """The digit that is looked through, as Look inside words it."""
    page.get_by_role("tab", name="Look inside").click()
    page.wait_for_selector("#layer-view .inside[data-painted]")
    said = page.locator("#layer-view").get_by_text(re.compile("[Rr]ead as")).first
    until_said = re.compile(rf"Digit 1 of {count}" if count > 1 else "^Read as")
    said.filter(has_text=until_said).wait_for()
    found = re.search(r"ead as (\d) \((.*?)\), then", said.inner_text())
    assert found, said.inner_text()
    return found[1], found[2]


@pytest.mark.parametrize(("drawn", "number"), [(SEVEN, "7"), (FOUR_TWO, "42")])
def test_all_tabs_say_the_same_of_a_drawing(
    open_train: Callable[..., Any], drawn: list[Path], number: str
) -> None:
    page = open_train(train_size=6000, epochs=1)
    page.get_by_role("tab", name="Draw").click()
    draw(page, drawn)
    assert "".join(digit for digit, _ in on_draw(page)) == number
    page.get_by_role("tab", name="Train").click()
    page.locator("#train-start").click()
    until_state(page, "finished")
    until(page, lambda: page.locator(".small-answer").inner_text().startswith("Run 1"))
    shown = on_draw(page)
    assert page.locator(".reader").inner_text().startswith("Read by Run 1")
    assert on_train(page) == shown
    assert in_the_chart(page) == shown[0]
    assert inside(page, len(number)) == shown[0]
    assert state_of(page) == "finished"
