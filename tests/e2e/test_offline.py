"""No network, a mirror that lies, nowhere to write: the page opens, reads, and says what happened."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hand import SEVEN, digit, draw, ink
from mirror import serving
from visitors import FEW_DIGITS, OFFLINE

pytestmark = pytest.mark.browser

OpenPage = Callable[..., Any]
RUN_MILLISECONDS = 120_000  # until a run that needs no network has taken steps, on a busy machine

# Runs in every Python process of the page, its downloads included, and writes down whom it speaks to.
LISTENER = """
import json, os, sys

def listen(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        address = arguments[1] if event in ("socket.connect", "socket.sendto") else arguments[:2]
        with open(os.environ["HEARD"], "a") as file:
            file.write(json.dumps([event, repr(address)]) + "\\n")

sys.addaudithook(listen)
"""

ASK_FOR_AN_ADDRESS = """() => {
  const file = { path: "http://pictures.example/7.png", meta: { _type: "gradio.FileData" } };
  const headers = { "Content-Type": "application/json" };
  const body = JSON.stringify({ data: [file] });
  return fetch("/gradio_api/run/predict", { method: "POST", headers, body });
}"""
FEW = {"MNIST_LIMIT_SYNTHETIC": "500"}  # digits to train on: drawing 60,000 takes a minute or two


def _listening(folder: Path) -> tuple[dict[str, str], Path]:
    """An environment in which the page's processes write down whom they speak to, and where they do."""
    (folder / "ears").mkdir()
    (folder / "ears" / "sitecustomize.py").write_text(LISTENER)
    heard = folder / "heard.jsonl"
    heard.touch()
    return {"PYTHONPATH": str(folder / "ears"), "HEARD": str(heard)}, heard


def _strangers(heard: Path) -> list[str]:
    """Whoever was spoken to or asked about, but for this machine itself."""
    told = [json.loads(line) for line in heard.read_text().splitlines()]
    assert told, "the listener heard nothing, not even the page's own start"
    mine = ("127.0.0.1", "localhost", "::1", "0.0.0.0", "None")
    return [f"{event} {address}" for event, address in told if not any(name in address for name in mine)]


def _read(page: Any) -> str:
    """What is read in a seven drawn anew; whatever it is, it answers that very drawing."""
    page.get_by_role("tab", name="Draw").click()
    if ink(page):
        page.click("#pad-clear")
    draw(page, SEVEN)
    return digit(page)


def _train(page: Any) -> None:
    page.get_by_role("tab", name="Train").click()
    page.locator("#train-start").click()


def _train_on_built_in_digits(page: Any) -> None:
    """Press Train, take the offer that follows when MNIST cannot be had, stop after some steps, and draw."""
    _train(page)
    status = page.locator("#train-status")
    offer = status.get_by_role("button", name="synthetic digits")
    offer.wait_for(timeout=RUN_MILLISECONDS)
    print(f"\n{status.inner_text()!r}")
    offer.click()
    page.wait_for_function(
        "() => /step [1-9]/.test(document.querySelector('#train-status').innerText)",
        timeout=RUN_MILLISECONDS,
    )
    page.locator("#train-stop").click()
    page.locator("#train-start").wait_for()
    _read(page)  # by weights that have seen next to nothing


def test_without_a_network_the_page_reads_and_offers_the_built_in_digits(
    start_server: Callable[..., Any], open_page: OpenPage, tmp_path: Path
) -> None:
    ears, heard = _listening(tmp_path)
    server = start_server(FEW_DIGITS, MNIST_DATA_DIR=str(tmp_path / "nothing"), **OFFLINE, **ears, **FEW)
    asked: list[str] = []
    page = open_page(server.url)
    page.on("request", lambda request: asked.append(request.url))
    assert _read(page) == "7"

    _train_on_built_in_digits(page)
    page.evaluate(ASK_FOR_AN_ADDRESS)
    assert [each for each in asked if not each.startswith((server.url, "data:", "blob:"))] == []
    assert _strangers(heard) == []


@pytest.mark.parametrize("mood", ["garbage", "stalled"])
def test_a_mirror_that_fails_is_explained_and_the_pad_goes_on_reading(
    start_server: Callable[..., Any], open_page: OpenPage, tmp_path: Path, mood: str
) -> None:
    with serving(mood) as mirror:
        server = start_server(MNIST_DATA_DIR=str(tmp_path / "data"), MNIST_MIRROR=mirror.url)
        page = open_page(server.url)
        _train(page)
        status = page.locator("#train-status")
        if mood == "stalled":  # given up after half a minute; meanwhile the page reads, and Stop works
            page.wait_for_function(
                "() => document.querySelector('#train-status').innerText.includes('MNIST')"
            )
            assert _read(page) == "7"
            page.get_by_role("tab", name="Train").click()
            page.locator("#train-stop").click()
            page.locator("#train-start").wait_for()
        else:
            status.get_by_role("button", name="synthetic digits").wait_for(timeout=RUN_MILLISECONDS)
            print(f"\n{mood}: {status.inner_text()!r}")
            assert _read(page) == "7"
        assert not list((tmp_path / "data").rglob("*-ubyte")), "a bad file was kept"
        assert page.faults == []


def test_a_limit_that_is_no_number_is_told_before_anyone_visits(start_server: Callable[..., Any]) -> None:
    with pytest.raises(RuntimeError, match=r"MNIST_LIMIT_EPOCHS must be a number; got 'few'"):
        start_server(MNIST_LIMIT_EPOCHS="few")


def test_with_nowhere_to_write_the_page_reads_and_trains(
    start_server: Callable[..., Any], open_page: OpenPage
) -> None:
    nowhere = "/proc/nowhere"  # not even root can make it
    folders = ("HOME", "XDG_CACHE_HOME", "MNIST_DATA_DIR", "MNIST_RUNS_DIR")
    server = start_server(FEW_DIGITS, **dict.fromkeys(folders, nowhere), **OFFLINE, **FEW)
    page = open_page(server.url)
    assert _read(page) == "7"
    _train_on_built_in_digits(page)
    assert "Traceback" not in server.output()
    assert page.faults == []


def test_the_page_asks_no_other_host_for_anything(server: Any, open_page: OpenPage) -> None:
    asked: list[str] = []
    page = open_page(server.url)
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    draw(page, SEVEN)
    assert digit(page) == "7"
    for tab in ("Train", "Look inside"):
        page.get_by_role("tab", name=tab).click()
        page.wait_for_timeout(300)
    assert len(asked) > 10
    assert [url for url in asked if not url.startswith((server.url, "data:", "blob:"))] == []
