"""For everybody: axe-core on every tab, at both sizes, light and dark; zoom, reduced motion, keyboard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from hand import SEVEN, at_rest, draw

pytestmark = pytest.mark.browser

OpenPage = Callable[..., Any]
TABS = ("Draw", "Train", "Look inside")
GRAVE = ("serious", "critical")


def _findings(page: Any) -> list[str]:
    """What axe-core calls serious or critical: its rule, how often, and the first element."""
    violations = Axe().run(page).response["violations"]
    return [
        f"{each['impact']}: {each['id']} ({len(each['nodes'])}): {each['nodes'][0]['html'][:200]}"
        for each in violations
        if each["impact"] in GRAVE
    ]


def _unfold(page: Any) -> None:
    """Open whatever is folded away on the tab that is shown."""
    page.evaluate("() => document.querySelectorAll('details').forEach((each) => { each.open = true; })")


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_serious_on_any_tab(
    server: Any, open_page: OpenPage, width: int, dark: bool
) -> None:
    page = open_page(server.url, width=width, dark=dark)
    draw(page, SEVEN)
    at_rest(page)
    found = []
    for name in TABS:
        page.get_by_role("tab", name=name).click()
        page.wait_for_timeout(1_000)  # milliseconds; tabs render when first chosen
        _unfold(page)
        found += [f"{name}: {each}" for each in _findings(page)]
    print(f"\n{width} pixels, {'dark' if dark else 'light'}: {len(found)} serious or critical findings")
    assert found == []


def test_axe_finds_nothing_serious_while_a_run_trains(server: Any, open_page: OpenPage) -> None:
    page = open_page(server.url)
    page.get_by_role("tab", name="Train").click()
    page.locator("#train-start").click()
    page.locator("#train-stop").wait_for()
    page.wait_for_timeout(2_000)
    found = _findings(page)
    page.locator("#train-stop").click()
    assert found == []


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_scrolls_sideways_even_at_twice_the_size(
    server: Any, open_page: OpenPage, width: int
) -> None:
    page = open_page(server.url, width=width // 2 if width > 600 else width)  # zooming halves the CSS pixels
    for name in TABS:
        page.get_by_role("tab", name=name).click()
        page.wait_for_timeout(500)
        _unfold(page)
        wide, seen = page.evaluate("() => [document.documentElement.scrollWidth, window.innerWidth]")
        assert wide <= seen, f"{name}: {wide} pixels wide on {seen}"


def test_the_keyboard_reaches_every_button_and_shows_where_it_is(server: Any, open_page: OpenPage) -> None:
    page = open_page(server.url)
    draw(page, SEVEN)
    at_rest(page)
    reached, hidden = set(), []
    for _ in range(60):
        page.keyboard.press("Tab")
        name, shown = page.evaluate(
            """() => {
              const focused = document.activeElement;
              const style = getComputedStyle(focused);
              const ring = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0;
              const name = focused.id || focused.innerText || focused.getAttribute('aria-label');
              if (focused === document.body) return ["", true]; // between the last element and the first
              return [name || focused.tagName, ring || style.boxShadow !== 'none'];
            }"""
        )
        reached.add(name.strip())
        if not shown:
            hidden.append(name)
    assert {"pad-undo", "pad-eraser", "pad-clear"} <= reached
    assert hidden == [], "focus cannot be seen there"


def test_reduced_motion_moves_nothing(server: Any, open_page: OpenPage) -> None:
    page = open_page(server.url, reduced_motion="reduce")
    moving = page.evaluate(
        """() => document.getAnimations()
          .filter((each) => each.playState === 'running' && each.effect.getTiming().duration > 1) // ms
          .map((each) => each.animationName || each.transitionProperty)"""
    )
    assert moving == []


def test_the_answer_is_announced_and_the_bars_are_labelled(server: Any, open_page: OpenPage) -> None:
    page = open_page(server.url)
    draw(page, SEVEN)
    at_rest(page)
    page.wait_for_function(
        """() => [...document.querySelectorAll('[aria-live], [role=status]')]
          .some((each) => /7/.test(each.innerText))"""
    )
    assert page.locator("#probabilities").get_attribute("aria-label")
