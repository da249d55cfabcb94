"""Looking inside: the numbers are torch's, the view follows the pen, and the chapter can be touched."""

from __future__ import annotations

import base64
import io
import math
import re
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hand import SEVEN, draw
from PIL import Image

from mnist_core import Classifier
from mnist_core.datasets.synthetic import drawing, render
from mnist_core.imaging.preprocess import MEAN, STD
from mnist_core.model import ConvNet
from mnist_core.page.views.percent import percent
from mnist_core.playground import TOYS

pytestmark = pytest.mark.browser

OpenPage = Callable[..., Any]
PAD = "#inside .pad canvas"
MAPS = {"cn1": 16, "cn2": 32, "pool": 32}


def look_inside(page: Any) -> None:
    """Open the tab and wait until its layers are there."""
    page.get_by_role("tab", name="Look inside").click()
    page.wait_for_selector("#layer-view .inside[data-painted]")
    page.wait_for_selector(PAD)


def lay(page: Any, image: Image.Image) -> None:
    """Lay a picture on the pads and wait until the layers show it."""
    file = io.BytesIO()
    image.save(file, "PNG")
    before = picture_seen(page)
    page.evaluate(
        """async (picture) => {
          const { shared: { sheet } } = await import(new URL("app/services.js", document.baseURI));
          await sheet.paint(picture);
        }""",
        "data:image/png;base64," + base64.b64encode(file.getvalue()).decode(),
    )
    end = time.monotonic() + 30
    while np.array_equal(picture_seen(page), before):
        assert time.monotonic() < end, "the layers never showed the picture"
        page.wait_for_timeout(20)


def picture_seen(page: Any) -> np.ndarray:
    """The (28, 28) picture that the page shows as the network's input, read from the canvas itself."""
    alpha = page.evaluate(
        """() => {
          const canvas = document.querySelector('#layer-view canvas.picture');
          const { data } = canvas.getContext('2d').getImageData(0, 0, 28, 28);
          return Array.from({ length: 784 }, (_, i) => data[4 * i + 3]);
        }"""
    )
    return np.array(alpha, np.uint8).reshape(28, 28)


def by_torch(model: ConvNet, picture: np.ndarray) -> dict[str, torch.Tensor]:
    """The network's layers, one line of torch each, from its weights alone."""
    w = {name: value.double() for name, value in model.state_dict().items()}
    x = {"picture": (torch.from_numpy(picture).double()[None, None] / 255 - MEAN) / STD}
    x["cn1"] = F.conv2d(x["picture"], w["cn1.weight"], w["cn1.bias"]).relu()
    x["cn2"] = F.conv2d(x["cn1"], w["cn2.weight"], w["cn2.bias"]).relu()
    x["pool"] = F.max_pool2d(x["cn2"], 2)
    x["fc1"] = F.linear(x["pool"].flatten(1), w["fc1.weight"], w["fc1.bias"]).relu()
    x["fc2"] = F.linear(x["fc1"], w["fc2.weight"], w["fc2.bias"])
    x["log_probabilities"] = x["fc2"].log_softmax(dim=1)
    return {name: value[0] for name, value in x.items()}


def numbers(text: str) -> list[float]:
    return [float(each.replace("−", "-")) for each in re.findall(r"[−-]?\d+\.\d+", text)]


def check_maps(page: Any, maps: dict[str, torch.Tensor]) -> None:
    """Each map's largest value, and each digit's score, log-probability and probability, are torch's."""
    for layer in MAPS:
        said = page.locator(f'[data-layer="{layer}"] button.map').evaluate_all(
            "(maps) => maps.map((each) => each.getAttribute('aria-label'))"
        )
        largest = maps[layer].amax(dim=(1, 2)).tolist()
        assert [numbers(label)[0] for label in said] == pytest.approx(largest, rel=1e-3, abs=2e-4)
    for layer in ("fc2", "log_probabilities"):
        shown = page.locator(f'[data-layer="{layer}"] .scores li').evaluate_all(
            "(rows) => rows.map((row) => Number(row.dataset.value))"
        )
        assert shown == pytest.approx(maps[layer].tolist(), rel=1e-3, abs=2e-4)
    texts = page.locator('[data-layer="log_probabilities"] .scores span').all_inner_texts()
    logs = maps["log_probabilities"].tolist()
    assert [numbers(text)[0] for text in texts] == pytest.approx(logs, abs=0.0051)
    assert [text.split(" · ")[1] for text in texts] == [percent(math.exp(log)) for log in logs]


def check_worked_pixel(
    page: Any, model: ConvNet, maps: dict[str, torch.Tensor], layer: str, index: int, spot: tuple[int, int]
) -> None:
    """Point at a pixel of a map: patch, kernel, products, sum, bias and result are torch's."""
    box = page.locator(".worked-map").bounding_box()
    size = maps[layer].shape[-1]
    row, column = spot
    page.mouse.move(
        box["x"] + (column + 0.5) / size * box["width"], box["y"] + (row + 0.5) / size * box["height"]
    )
    said = page.locator(".worked .sentence")
    assert said.inner_text().startswith(f"Row {row}, column {column}:")
    value = {
        each.get_attribute("data-is"): float(each.get_attribute("value"))
        for each in said.locator("data").all()
    }
    assert value["after"] == pytest.approx(maps[layer][index, row, column].item(), abs=2e-4)
    if layer == "pool":
        return
    below = maps["picture" if layer == "cn1" else "cn1"]
    weights = getattr(model, layer).weight[index].double()
    bias = getattr(model, layer).bias[index].item()
    products = below[:, row : row + 3, column : column + 3] * weights
    assert value["total"] == pytest.approx(products.sum().item(), abs=2e-4)
    assert value["bias"] == pytest.approx(bias, abs=1e-6)
    assert value["before"] == pytest.approx(products.sum().item() + bias, abs=2e-4)
    channel = int(products.sum(dim=(1, 2)).abs().argmax())
    tables = [numbers(table.inner_text()) for table in page.locator(".worked .equation table").all()]
    for shown, expected in zip(
        tables,
        (below[channel, row : row + 3, column : column + 3], weights[channel], products[channel]),
        strict=True,
    ):
        assert shown == pytest.approx(expected.flatten().tolist(), abs=0.0051)


def test_the_numbers_on_the_page_are_torchs_for_twenty_drawings(server: Any, open_page: OpenPage) -> None:
    model = Classifier.load().model
    page = open_page(server.url)
    look_inside(page)
    chance = np.random.default_rng(3)
    for number in range(20):
        lay(page, render(drawing(number % 10, chance), chance))
        layer = list(MAPS)[number % 3]
        index = int(chance.integers(MAPS[layer]))
        page.locator(f'[data-layer="{layer}"] button.map').nth(index).click()
        page.wait_for_selector(f'[data-layer="{layer}"] .worked[data-map="{index}"]')
        maps = by_torch(model, picture_seen(page))
        check_maps(page, maps)
        for _ in range(2):
            spot = tuple(int(each) for each in chance.integers(maps[layer].shape[-1], size=2))
            check_worked_pixel(page, model, maps, layer, index, spot)
    assert not page.faults


def test_the_strides_on_the_page_are_torchs(server: Any, open_page: OpenPage) -> None:
    page = open_page(server.url)
    look_inside(page)
    page.locator('[data-toy="views"]').click()
    page.wait_for_selector('.toy[data-toy="views"]')
    for view in ("t[1:, 1:3]", "t.T", "t[:, ::2]"):
        page.locator(f'[data-option="{view}"]').click()
        page.wait_for_function(
            "(view) => document.querySelector('.toy-parts').innerText.includes(`v = ${view}:`)", arg=view
        )
        v = eval(view, {"t": torch.arange(10.0, 22.0).reshape(3, 4)})
        cells = page.locator(".toy-part.table td").all_inner_texts()
        assert cells[:3] == [str(tuple(v.size())), str(v.storage_offset()), str(tuple(v.stride()))]
        shown = page.locator(".toy-part.grid").first.locator("td").all_inner_texts()
        assert [float(each) for each in shown] == v.flatten().tolist()
    assert not page.faults


def test_the_layers_follow_the_pen(server: Any, open_page: OpenPage) -> None:
    page = open_page(server.url)
    look_inside(page)
    draw(page, SEVEN, pad=PAD)
    page.wait_for_function("document.querySelector('.inside-answer').innerText.startsWith('Read as 7')")
    page.evaluate(
        """() => {
          const inside = document.querySelector('#layer-view .inside');
          window.lags = [];
          const sent = [];
          const plain = window.fetch;
          window.fetch = (...all) => {
            if (String(all[0]).includes('/api/layers')) sent.push(performance.now());
            return plain(...all);
          };
          new MutationObserver(() => { if (sent.length) window.lags.push(performance.now() - sent.shift()); })
            .observe(inside, { attributes: true, attributeFilter: ['data-painted'] });
        }"""
    )
    rates, updates = [], []
    for _ in range(8):
        before = page.evaluate("window.lags.length")
        start = time.perf_counter()
        draw(page, SEVEN, seconds=1.0, pad=PAD)
        updates.append(page.evaluate("window.lags.length") - before)
        rates.append(updates[-1] / (time.perf_counter() - start))
    lags = sorted(page.evaluate("window.lags"))
    p95 = lags[int(0.95 * len(lags))]
    print(
        f"\nwhile drawing: {statistics.median(rates):.1f} updates of all layers a second "
        f"(least {min(rates):.1f}); from request to paint p50 {statistics.median(lags):.0f} ms, "
        f"p95 {p95:.0f} ms, n = {len(lags)}"
    )
    assert min(updates) >= 3  # in a stroke of a second, which a busy machine draws more slowly
    assert not page.faults


def test_a_map_is_chosen_and_walked_by_keyboard_alone(server: Any, open_page: OpenPage) -> None:
    page = open_page(server.url)
    look_inside(page)
    first = page.locator('[data-layer="cn1"] button.map').first
    first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_selector('[data-layer="cn1"] .worked[data-map="1"]')
    page.locator(".worked-map").focus()
    before = page.locator(".sentence").inner_text()
    page.keyboard.press("ArrowDown")
    assert page.locator(".sentence").inner_text() != before
    page.locator(".worked-close").press("Enter")
    page.wait_for_selector(".worked", state="detached")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith("cn1, map 1:")
    assert not page.faults


def test_a_map_chosen_while_the_smallest_edit_is_sought_stays_open(server: Any, open_page: OpenPage) -> None:
    page = open_page(server.url)
    look_inside(page)
    draw(page, SEVEN, pad=PAD)
    late: list[Any] = []  # the first request for what takes longer

    def hold(route: Any) -> None:
        if late or not route.request.post_data_json["view"]["still"]:
            route.continue_()
        else:
            late.append(route)

    page.route("**/api/layers", hold)
    with page.expect_request(lambda request: (request.post_data_json or {}).get("view", {}).get("still")):
        page.get_by_text("What would make it another digit").click()
    page.locator('[data-layer="cn1"] button.map').first.click()
    page.wait_for_selector(".worked .sentence data")
    late[0].continue_()
    page.wait_for_function(
        "/of the ink/.test(document.querySelector('[data-reason=edit] .reason-said').innerText)",
        timeout=30_000,
    )
    assert page.locator(".worked").count() == 1
    assert not page.faults


def test_a_worked_pixel_fits_a_phone(server: Any, open_page: OpenPage) -> None:
    page = open_page(server.url, width=360)
    look_inside(page)
    draw(page, SEVEN, pad=PAD)
    page.locator('[data-layer="cn2"] button.map').nth(2).click()
    page.wait_for_selector(".worked .sentence data")
    for part in page.locator(".worked, .worked .equation, .worked .sums").all():
        assert part.evaluate("(part) => part.scrollWidth - part.clientWidth") == 0


def test_reasons_unfold_and_the_smallest_edit_is_found_at_rest(server: Any, open_page: OpenPage) -> None:
    page = open_page(server.url)
    look_inside(page)
    assert page.locator(".reason[open]").count() == 0
    draw(page, SEVEN, pad=PAD)
    page.get_by_text("Why this digit").click()
    page.wait_for_function(
        "document.querySelector('[data-reason=why] p').innerText.includes('The 7 rests most')"
    )
    page.get_by_text("What would make it another digit").click()
    edit = page.locator('[data-reason="edit"] .reason-said')
    page.wait_for_function(
        "/of the ink/.test(document.querySelector('[data-reason=edit] .reason-said').innerText)",
        timeout=30_000,
    )
    assert re.search(r"To make it an? \d|No edit of at most", edit.inner_text())
    page.locator(".target").select_option("7")
    page.wait_for_function(
        "/7 already/.test(document.querySelector('[data-reason=edit] .reason-said').innerText)",
        timeout=30_000,
    )
    assert not page.faults


@pytest.mark.mnist
def test_the_nearest_training_digits_are_shown_where_mnist_is(
    start_server: Any, open_page: OpenPage, data_folder: Any
) -> None:
    page = open_page(start_server(MNIST_DATA_DIR=str(data_folder)).url)
    look_inside(page)
    draw(page, SEVEN, pad=PAD)
    page.get_by_text("The nearest training digits").click()
    page.wait_for_selector(".neighbours figure", timeout=30_000)
    labels = [text.split()[0] for text in page.locator(".neighbours figcaption").all_inner_texts()]
    assert len(labels) == 8
    assert labels.count("7") >= 5
    assert not page.faults


def test_without_mnist_no_neighbours_are_offered(
    start_server: Any, open_page: OpenPage, tmp_path: Any
) -> None:
    page = open_page(start_server(MNIST_DATA_DIR=str(tmp_path)).url)
    look_inside(page)
    assert page.locator('[data-reason="why"]').is_visible()
    assert page.locator('[data-reason="nearest"]').is_hidden()


@pytest.mark.parametrize(("width", "dark"), [(390, True), (1280, False)])
def test_every_toy_opens_alone_with_typeset_formulas_and_no_sideways_scroll(
    server: Any, open_page: OpenPage, width: int, dark: bool
) -> None:
    page = open_page(server.url, width=width, dark=dark)
    elsewhere = []
    page.on("request", lambda request: request.url.startswith(server.url) or elsewhere.append(request.url))
    look_inside(page)
    for name, toy in TOYS.items():
        page.locator(f'[data-toy="{name}"][aria-pressed]').click()
        page.wait_for_selector(f'.toy[data-toy="{name}"]')
        page.wait_for_function(
            "(title) => document.querySelector('#toy-text').innerText.startsWith(title)", arg=toy.title
        )
        assert page.locator("#toy-text math").count() > 0
        assert page.locator(".toy-said").inner_text()
        assert page.locator('#toy-list [aria-pressed="true"]').count() == 1
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
    assert not [address for address in elsewhere if not address.startswith(("data:", "blob:"))]
    assert not page.faults


def test_a_cell_clicked_changes_the_toy_and_keeps_the_focus(server: Any, open_page: OpenPage) -> None:
    page = open_page(server.url)
    look_inside(page)
    page.locator('[data-toy="pooling"]').click()
    cell = page.locator('.toy-parts [data-cells="cells"]').first
    before = cell.inner_text()
    cell.focus()
    page.keyboard.press("Enter")
    page.wait_for_function(
        "(before) => document.querySelector('.toy-parts [data-cells]').innerText !== before", arg=before
    )
    assert page.evaluate("document.activeElement.dataset.index") == "0"
    assert not page.faults
