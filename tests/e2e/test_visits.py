"""A visit in a real browser where its page is duplicated, or loses its server for a while."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hand import ONE, SEVEN, draw
from relay import Relay
from train_tab import LONG, state_of, step_of, train_address, until, until_state

pytestmark = [pytest.mark.browser, pytest.mark.mnist]

SMALL_PAD = "#watcher canvas"


def _duplicated(page: Any) -> Any:
    """The page's copy in another tab, with its storage, as a browser's Duplicate makes it."""
    with page.expect_popup() as opened:
        page.evaluate("void window.open(location.href)")
    copy = opened.value
    copy.wait_for_function("(mine) => window.visitSecret && window.visitSecret !== mine", arg=_secret(page))
    copy.get_by_role("tab", name="Train").click()
    copy.locator("#train-start").wait_for()
    return copy


def _secret(page: Any) -> str:
    return page.evaluate("window.visitSecret")


def _label(page: Any, digit: int) -> list[str]:
    """Label the drawing; the pictures of all that are labelled on this page."""
    labelled = page.locator("#lesson .taught img")
    before = labelled.count()
    if not before:
        page.locator("#lesson summary").click()
    page.locator(f"#lesson .tens button:text-is('{digit}')").click()
    until(page, lambda: labelled.count() == before + 1)
    return [picture.get_attribute("src") for picture in labelled.all()]


def _draw_small(page: Any, path: Any, reads: str) -> None:
    draw(page, path, pad=SMALL_PAD)
    until(page, lambda: page.locator(".small-answer b").all_inner_texts() == [reads])


def test_a_label_is_put_on_the_drawing_that_its_own_page_shows(open_train: Callable[..., Any]) -> None:
    page = open_train()
    _draw_small(page, SEVEN, "7")
    alone = _label(page, 7)
    copy = _duplicated(page)
    copy.locator("#watcher button.clear").click()
    _draw_small(copy, ONE, "1")
    page.bring_to_front()
    assert _label(page, 7) == [*alone, *alone]
    copy.bring_to_front()
    assert _label(copy, 1) not in (alone, [*alone, *alone])


def test_a_duplicate_and_its_original_keep_their_own_visits_when_reloaded(
    open_train: Callable[..., Any],
) -> None:
    page = open_train(**LONG)
    page.locator("#train-start").click()
    until_state(page, "running")
    mine = _secret(page)
    copy = _duplicated(page)
    own = _secret(copy)
    assert state_of(copy) == "idle"
    for each, secret in ((page, mine), (copy, own)):
        each.reload()
        each.get_by_role("tab", name="Train").click()
        each.locator("#train-status").wait_for()
        each.wait_for_timeout(500)
        assert _secret(each) == secret
    until_state(page, "running")
    page.locator("#train-stop").click()
    until_state(page, "stopped")


def test_whoever_is_told_to_pause_or_stop_a_run_first_sees_the_buttons_for_it(
    open_train: Callable[..., Any],
) -> None:
    """A page that has not heard of its visit's run, as one that missed it while it was offline."""
    page, other = open_train(**LONG), open_train(**LONG)
    other.evaluate("(secret) => sessionStorage.setItem('mnist-visit', secret)", _secret(page))
    other.reload()
    other.get_by_role("tab", name="Train").click()
    other.locator("#train-start").click()
    until_state(other, "running")
    assert state_of(page) == "idle"
    page.locator("#train-start").click()
    page.locator("#notice", has_text="Pause or stop it first.").wait_for()
    until_state(page, "running")
    page.locator("#train-pause").click()
    page.locator("#train-resume").wait_for()
    until_state(other, "paused")
    page.locator("#train-stop").click()
    until_state(page, "stopped")


AWAY_SECONDS = 8


def _trained_a_little(page: Any, url: str) -> int:
    """The steps of a run that has begun at this address."""
    page.goto(train_address(url, **LONG))
    page.locator("#loss-plot svg text").first.wait_for()
    page.locator("#train-start").click()
    until(page, lambda: step_of(page) >= 2)
    return step_of(page)


def _without_a_connection(page: Any, relay: Relay, seconds: float) -> None:
    """Until Gradio has loaded the page again."""
    relay.cut()
    page.locator(".toast-wrap", has_text="Connection to the server was lost").wait_for()
    page.wait_for_timeout(1000 * seconds)
    with page.expect_navigation(timeout=60_000):
        relay.mend()
    page.locator("#train-status").wait_for()


def test_a_minute_without_a_connection_loses_nothing_on_ones_own_machine(
    start_server: Callable[..., Any], open_page: Callable[..., Any], tmp_path: Any
) -> None:
    server = start_server(MNIST_RUNS_DIR=str(tmp_path / "runs"))
    with Relay(server.url) as relay:
        page = open_page(relay.url)
        draw(page, SEVEN)
        steps = _trained_a_little(page, relay.url)
        _without_a_connection(page, relay, AWAY_SECONDS)
        until_state(page, "paused")
        assert "Paused because no page was watching it." in page.locator("#train-status").inner_text()
        assert step_of(page) >= steps
        page.locator(".small-answer b").wait_for()  # the drawing is there, read by what the run has learnt
        page.locator("#train-resume").click()
        until_state(page, "running")
        page.locator("#train-stop").click()
        until_state(page, "stopped")


def test_on_a_space_a_page_that_comes_back_late_says_what_happened_and_what_is_left(
    start_server: Callable[..., Any], open_page: Callable[..., Any]
) -> None:
    server = start_server(SPACE_ID="somebody/digits", MNIST_LIMIT_GONE_SECONDS="3")
    with Relay(server.url) as relay:
        page = open_page(relay.url)
        draw(page, SEVEN)
        _trained_a_little(page, relay.url)
        _without_a_connection(page, relay, AWAY_SECONDS)
        said = (
            "This page was closed or without a connection for more than 3 seconds. 1 run is gone; what is "
            "drawn on the pad is still here."
        )
        until(page, lambda: said in page.locator("#train-status").inner_text())
        until(page, lambda: page.locator(".small-answer b").inner_text() == "7")
        assert page.locator(".small-answer").inner_text().startswith("The built-in model")
        page.locator("#train-start").click()
        until(page, lambda: step_of(page) >= 2)
