"""For everybody: axe-core on every tab, at both sizes, light and dark; zoom, reduced motion, keyboard."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from hand import SEVEN, at_rest, draw
from PIL import Image

pytestmark = pytest.mark.browser

OpenPage = Callable[..., Any]
TABS = ("Draw", "Train", "Look inside")
GRAVE = ("serious", "critical")
# What Google's translation does: each text is moved into elements of its own, where it may be.
TRANSLATE = """() => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const texts = [];
  while (walker.nextNode()) texts.push(walker.currentNode);
  for (const text of texts) {
    const inside = text.parentElement;
    if (!text.data.trim() || inside.closest('.notranslate, [translate=no], script, style')) continue;
    const font = document.createElement('font');
    font.textContent = `«${text.data}»`;
    text.replaceWith(font);
  }
}"""


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


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_can_read_the_numbers_of_tinted_cells(server: Any, open_page: OpenPage, dark: bool) -> None:
    page = open_page(server.url, dark=dark)
    page.get_by_role("tab", name="Train").click()
    page.locator("#train-start").wait_for()
    page.locator("#results").evaluate(
        """(results) => results.insertAdjacentHTML('beforeend', `<div class="results">
          <table class="confusion"><tr><td class="wrong" style="--weight: 1">99</td></tr></table></div>`)"""
    )
    found = _findings(page)
    page.get_by_role("tab", name="Look inside").click()
    page.locator('#toy-list [data-toy="views"]').click()
    page.locator('[data-option="t[1]"]').click()
    page.locator(".toy-parts .aside").first.wait_for()
    assert found + _findings(page) == []


def _outline(page: Any, selector: str) -> str:
    return page.locator(selector).first.evaluate("(part) => getComputedStyle(part).outlineStyle")


def _colour(page: Any, selector: str) -> tuple[int, int, int]:
    """The commonest colour in a screenshot of the element."""
    shot = Image.open(io.BytesIO(page.locator(selector).screenshot())).convert("RGB")
    return max(shot.getcolors(shot.width * shot.height))[1]


def test_in_high_contrast_bars_buttons_and_the_chosen_tab_are_seen(server: Any, open_page: OpenPage) -> None:
    page = open_page(server.url, forced_colors="active")
    draw(page, SEVEN)
    at_rest(page)
    bars = [f"#probabilities li[data-digit='{digit}'] .bar" for digit in (7, 3)]
    assert len({_colour(page, bar) for bar in bars}) == 2
    assert [_outline(page, bar) for bar in bars] == ["solid", "solid"]
    page.get_by_role("tab", name="Train").click()
    page.locator("#upload-weights").wait_for()
    outlines = page.get_by_role("tab").evaluate_all(
        "(tabs) => tabs.map((tab) => getComputedStyle(tab).outlineStyle)"
    )
    assert outlines == ["none", "solid", "none"]
    border = page.locator("#upload-weights").evaluate("(button) => getComputedStyle(button).borderStyle")
    assert border == "solid"
    page.get_by_role("tab", name="Look inside").click()
    page.locator('[data-layer="cn1"] .map').first.click()
    page.locator('#toy-list [data-toy="views"]').click()
    for marked in ('.map[aria-expanded="true"]', ".toy-parts .marked"):
        page.locator(marked).first.wait_for()
        assert _outline(page, marked) == "solid"


def test_a_translated_page_still_follows_the_recipe(server: Any, open_page: OpenPage) -> None:
    page = open_page(server.url)
    page.get_by_role("tab", name="Train").click()
    page.locator("#train-start").wait_for()
    before = page.locator("#train-start").inner_text()
    page.evaluate(TRANSLATE)
    page.locator("select.preset-choice").select_option("fast")
    page.wait_for_function("(old) => document.querySelector('#train-start').innerText !== old", arg=before)
    assert not page.faults


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
