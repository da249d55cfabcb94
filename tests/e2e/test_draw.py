"""Drawing on the page: every pointer, every tool, and an answer that follows the pen."""

from __future__ import annotations

import base64
import io
import statistics
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hand import FOUR_TWO, ONE, SCRIBBLE, SEVEN, at_rest, digit, draw, ink, on_screen, touch
from PIL import Image

from mnist_core import Classifier
from mnist_core.datasets.synthetic import drawing
from mnist_core.page.http.errors import APOLOGY

pytestmark = pytest.mark.browser

OpenPage = Callable[..., Any]

TIMER = """
async () => {
  const { shared: { sheet } } = await import(new URL("app/services.js", document.baseURI));
  const prediction = document.querySelector('#prediction');
  const record = (window.record = { down: 0, updates: [], lags: [] });
  let waiting = null;
  const canvas = document.querySelector('#digit-pad canvas');
  canvas.addEventListener('pointerdown', () => { record.down = performance.now(); }, true);
  canvas.addEventListener('pointerup', () => {
    const up = performance.now();
    setTimeout(() => { waiting = { up, number: sheet.begun() }; });
  });
  new MutationObserver(() => {
    const now = performance.now();
    if (sheet.drawing()) record.updates.push(now - record.down);
    if (waiting && Number(prediction.dataset.update) >= waiting.number) {
      record.lags.push(now - waiting.up);
      waiting = null;
    }
  }).observe(prediction, { attributes: true, attributeFilter: ['data-update'] });
}
"""

PLAY = """
async (strokes) => {
  const { shared: { sheet } } = await import(new URL("app/services.js", document.baseURI));
  sheet.play(strokes);
}
"""


@pytest.mark.parametrize(
    "training", [pytest.param(False, id="alone"), pytest.param(True, id="beside", marks=pytest.mark.mnist)]
)
def test_the_prediction_follows_the_pen_and_is_there_when_it_lifts(
    server: Any, open_page: OpenPage, training: bool
) -> None:
    page = open_page(server.url)
    if training:
        page.get_by_role("tab", name="Train").click()
        page.locator("#train-start").click()
        page.locator('#train-status [data-state="running"]').wait_for()
        page.get_by_role("tab", name="Draw").click()
    draw(page, ONE)
    at_rest(page)
    page.evaluate(TIMER)
    counts = []
    for _ in range(20):
        page.click("#pad-clear")
        page.evaluate("window.record.updates = []")
        draw(page, SEVEN, seconds=0.5)
        assert digit(page) == "7"
        counts.append(page.evaluate("window.record.updates.length"))
    lags = sorted(page.evaluate("window.record.lags"))
    p95 = lags[int(0.95 * len(lags))]
    where = "beside a run in training" if training else "alone"
    print(
        f"\n{where}: while a stroke of half a second was drawn, "
        f"{statistics.median(counts):.0f} predictions ({min(counts)} to {max(counts)}); from pointer-up to "
        f"the final answer on screen, p50 {statistics.median(lags):.0f} ms, p95 {p95:.0f} ms, n = {len(lags)}"
    )
    if training:
        page.get_by_role("tab", name="Train").click()
        page.locator('#train-status [data-state="running"]').wait_for()
        page.locator("#train-stop").click()
        page.locator("#train-start").wait_for()
    assert len(lags) >= 20
    assert statistics.median(counts) >= (5 if training else 6)
    assert not page.faults


def test_a_finger_draws_and_the_page_stays_where_it_is(server: Any, open_page: OpenPage) -> None:
    page = open_page(server.url, width=390, touch=True)
    touch(page, SEVEN)
    assert digit(page) == "7"
    assert page.evaluate("[scrollX, scrollY]") == [0, 0]
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert not page.faults


def test_a_palm_beside_the_finger_and_a_dozen_taps_break_nothing(server: Any, open_page: OpenPage) -> None:
    page = open_page(server.url, width=390, touch=True)
    box = page.locator("#digit-pad canvas").bounding_box()
    protocol = page.context.new_cdp_session(page)

    def send(kind: str, *points: tuple[float, float]) -> None:
        fingers = [
            {"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"], "id": i}
            for i, (x, y) in enumerate(points)
        ]
        protocol.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})

    send("touchStart", (0.5, 0.2))
    send("touchStart", (0.5, 0.2), (0.9, 0.9))
    for i in range(1, 9):
        send("touchMove", (0.5, 0.2 + 0.07 * i), (0.9 - 0.02 * i, 0.9))
    send("touchEnd", (0.5, 0.76))
    send("touchEnd")
    assert digit(page) == "1"
    for i in range(12):
        send("touchStart", (0.1 + 0.05 * i, 0.95), (0.1 + 0.05 * i, 0.1), (0.9, 0.5))
        send("touchEnd")
    at_rest(page)
    page.click("#pad-clear")
    assert ink(page) == 0
    touch(page, SEVEN)
    assert digit(page) == "7"
    assert not page.faults


def test_a_palm_that_rests_while_a_pen_is_in_use_draws_nothing(server: Any, open_page: OpenPage) -> None:
    page = open_page(server.url, width=390, touch=True)
    protocol = page.context.new_cdp_session(page)
    points = on_screen(page, SEVEN[0])
    kinds = ["mousePressed"] + ["mouseMoved"] * (len(points) - 2) + ["mouseReleased"]
    for kind, (x, y) in zip(kinds, points, strict=True):
        at = {"x": x, "y": y, "button": "left", "buttons": 1, "clickCount": 1, "pointerType": "pen"}
        protocol.send("Input.dispatchMouseEvent", {"type": kind, **at})
    assert digit(page) == "7"
    before = ink(page)
    touch(page, [[(0.2, 0.85), (0.3, 0.9), (0.35, 0.85)]])
    page.wait_for_timeout(1_000)
    assert ink(page) == before
    assert digit(page) == "7"
    assert not page.faults


def test_undo_redo_clear_and_eraser_by_button_and_by_key(server: Any, open_page: OpenPage) -> None:
    page = open_page(server.url)
    draw(page, ONE)
    one = ink(page)
    draw(page, [[(0.2, 0.5), (0.8, 0.5)]])
    both = ink(page)
    assert both > one > 0

    for undo, redo in (
        ("#pad-undo", "#pad-redo"),
        ("Control+z", "Control+Shift+z"),
        ("Control+z", "Control+y"),
    ):
        press = page.click if undo.startswith("#") else page.keyboard.press
        press(undo)
        assert ink(page) == one
        press(redo)
        assert ink(page) == both

    page.click("#pad-clear")
    assert digit(page) == ""
    assert ink(page) == 0
    page.click("#pad-undo")
    assert ink(page) == both

    page.click("#pad-eraser")
    draw(page, [[(0.2, 0.5), (0.8, 0.5)]])
    assert page.locator("#pad-eraser").get_attribute("aria-pressed") == "true"
    assert 0 < ink(page) < one
    page.click("#pad-eraser")
    assert not page.faults


def test_the_eraser_is_put_down_with_the_sheet_that_it_erased(server: Any, open_page: OpenPage) -> None:
    page = open_page(server.url)
    for renew in (page.locator("#pad-clear"), page.locator(".samples button").first):
        draw(page, SEVEN)
        page.locator("#pad-eraser").click()
        renew.click()
        at_rest(page)
        before = ink(page)
        draw(page, ONE)
        assert ink(page) > before
        page.locator("#pad-clear").click()


def test_undo_is_on_the_same_key_of_a_keyboard_without_latin_letters(
    server: Any, open_page: OpenPage
) -> None:
    page = open_page(server.url)
    draw(page, ONE)
    pressed = "{ key: 'я', code: 'KeyZ', ctrlKey: true, bubbles: true, cancelable: true }"
    page.evaluate(f"document.body.dispatchEvent(new KeyboardEvent('keydown', {pressed}))")
    assert ink(page) == 0


def test_a_stroke_takes_the_keyboard_from_the_field_that_had_it(server: Any, open_page: OpenPage) -> None:
    page = open_page(server.url)
    page.get_by_role("tab", name="Look inside").click()
    page.get_by_text("What would make it another digit").click()
    page.locator(".target").focus()
    pad = "#inside .pad canvas"
    page.locator(pad).scroll_into_view_if_needed()
    draw(page, ONE, pad=pad)
    assert ink(page, pad)
    page.keyboard.press("Control+z")
    assert ink(page, pad) == 0


def test_a_reload_keeps_the_ink_and_reads_it_again(server: Any, open_page: OpenPage) -> None:
    page = open_page(server.url)
    draw(page, SEVEN)
    assert digit(page) == "7"
    before = ink(page)
    page.reload()
    page.wait_for_function("document.querySelector('#prediction')?.dataset.digit === '7'")
    assert ink(page) == before
    page.click("#pad-undo")
    at_rest(page)
    assert ink(page) == 0


def test_a_turned_phone_keeps_the_ink(server: Any, open_page: OpenPage) -> None:
    page = open_page(server.url, width=390, touch=True)
    touch(page, SEVEN)
    assert digit(page) == "7"
    box = page.locator("#digit-pad canvas").bounding_box()
    share = ink(page) / (box["width"] * box["height"])
    page.set_viewport_size({"width": 844, "height": 390})
    page.wait_for_timeout(300)
    turned = page.locator("#digit-pad canvas").bounding_box()
    assert turned["width"] != box["width"]
    assert ink(page) / (turned["width"] * turned["height"]) == pytest.approx(share, rel=0.1)
    assert digit(page) == "7"


@pytest.mark.parametrize("size", [(844, 390), (640, 360)], ids=["a phone on its side", "zoomed twice"])
def test_on_a_low_screen_the_pad_its_tools_and_the_answer_are_in_view(
    server: Any, open_page: OpenPage, size: tuple[int, int]
) -> None:
    page = open_page(server.url)
    page.set_viewport_size(dict(zip(("width", "height"), size, strict=True)))
    page.wait_for_timeout(300)
    tools = ("#pad-undo", "#pad-eraser", "#pad-clear")
    for selector in ("#digit-pad canvas", *tools, "#prediction", "#model-input"):
        box = page.locator(selector).first.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= size[0], selector
        assert box["y"] >= 0 and box["y"] + box["height"] <= size[1], selector


def test_all_pads_of_the_page_show_the_same_ink(server: Any, open_page: OpenPage) -> None:
    page = open_page(server.url)
    draw(page, SEVEN)
    assert digit(page) == "7"
    page.get_by_role("tab", name="Look inside").click()
    small = page.locator(".pad.small canvas:visible").first
    small.wait_for()
    page.wait_for_timeout(200)
    assert small.evaluate(
        "(c) => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((v) => v < 99)"
    )
    page.locator(".pad.small .clear:visible").first.click()
    page.get_by_role("tab", name="Draw").click()
    assert digit(page) == ""
    assert ink(page) == 0
    assert not page.faults


def test_each_element_id_is_there_once(server: Any, open_page: OpenPage) -> None:
    page = open_page(server.url)
    for tab in ("Train", "Look inside", "Draw"):
        page.get_by_role("tab", name=tab).click()
        page.wait_for_timeout(200)
    ids = (
        "digit-pad",
        "pad-clear",
        "pad-undo",
        "pad-redo",
        "pad-eraser",
        "prediction",
        "probabilities",
        "model-input",
    )
    assert {name: page.locator(f"#{name}").count() for name in ids} == dict.fromkeys(ids, 1)
    assert page.locator("#digit-pad canvas").count() == 1
    rows = page.locator("#probabilities [data-digit]")
    assert [rows.nth(i).get_attribute("data-digit") for i in range(rows.count())] == list("0123456789")


def test_an_unsure_answer_is_calm_while_the_pen_is_down_and_plain_when_it_lifts(
    server: Any, open_page: OpenPage
) -> None:
    page = open_page(server.url)
    draw(page, SCRIBBLE, seconds=0.6, lift=False)
    page.wait_for_timeout(300)
    assert page.locator(".verdict").inner_text() == ""
    page.mouse.up()
    assert digit(page) == ""
    said = page.locator(".verdict").inner_text()
    assert "ot sure" in said


def test_two_digits_are_read_as_a_number_with_a_box_each(server: Any, open_page: OpenPage) -> None:
    page = open_page(server.url)
    draw(page, FOUR_TWO)
    assert digit(page) == ""
    assert page.locator("#prediction").get_attribute("data-number") == "42"
    assert page.locator("#digit-pad .box").count() == 2
    page.locator("#prediction button").nth(1).click()
    best = page.locator("#probabilities .best")
    assert best.get_attribute("data-digit") == "2"
    assert float(best.get_attribute("data-probability")) > 0.5
    page.click("#pad-clear")
    assert page.locator("#digit-pad .box").count() == 0


def test_lines_of_writing_stay_apart_in_the_answer(server: Any, open_page: OpenPage) -> None:
    page = open_page(server.url)
    lower = [[(x, 0.45 + 0.55 * y) for x, y in path] for path in FOUR_TWO]
    upper = [[(x, 0.55 * y) for x, y in path] for path in SEVEN]
    draw(page, upper + lower)
    at_rest(page)
    assert page.locator(".verdict").inner_text() == "2 lines: 7 and 42."
    seven, four, two = (page.locator("#prediction button").nth(i).bounding_box() for i in range(3))
    assert four["x"] - seven["x"] > 1.5 * (two["x"] - four["x"])
    answer = page.locator("#prediction").bounding_box()
    assert two["x"] + two["width"] <= answer["x"] + answer["width"]


def test_the_page_answers_as_the_classifier_does_on_the_full_canvas(server: Any, open_page: OpenPage) -> None:
    page = open_page(server.url, reduced_motion="reduce")
    classifier, rng, n, same = Classifier.load(), np.random.default_rng(3), 60, 0
    for i in range(n):
        strokes = drawing(i % 10, rng)
        points = np.concatenate(strokes)
        low, high = points.min(axis=0), points.max(axis=0)
        size = rng.uniform(200, 850)  # units of 1000: small ones included
        slack = (1000 - size - 60) / 2
        middle = 500 + rng.uniform(-slack, slack, 2)
        scaled = [(s - (low + high) / 2) * size / (high - low).max() + middle for s in strokes]
        page.evaluate(PLAY, [s.round(1).ravel().tolist() for s in scaled])
        read = digit(page)
        address = page.locator("#digit-pad canvas").evaluate("(canvas) => canvas.toDataURL()")
        canvas = Image.open(io.BytesIO(base64.b64decode(address.split(",", 1)[1])))
        expected = [found.digit for found in classifier.read(canvas.convert("RGB"))]
        same += read == (str(expected[0]) if len(expected) == 1 and expected[0] is not None else "")
    print(f"\nthe page and Classifier.read on the full canvas agree on {same} of {n} drawings")
    assert same >= n - 1


def test_a_call_that_fails_is_told_until_one_succeeds(server: Any, open_page: OpenPage) -> None:
    page = open_page(server.url, width=390, touch=True)
    notice = page.get_by_role("alert")
    page.route("**/api/read", lambda route: route.fulfill(status=500, json={"error": APOLOGY}))
    draw(page, ONE)
    notice.wait_for()
    assert APOLOGY in notice.inner_text()
    assert ink(page) > 0
    notice.get_by_role("button", name="Close").click()
    assert notice.count() == 0
    draw(page, ONE)
    notice.wait_for()
    page.unroute("**/api/read")
    draw(page, ONE)
    at_rest(page)
    assert notice.count() == 0
