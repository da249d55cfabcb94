"""The page as a visitor has it: `app.py` in a process of its own, and Chromium in front of it."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ports import free_port
from train_tab import train_address
from visitors import OFFLINE

ROOT = Path(__file__).resolve().parents[2]
APP = ROOT / "app.py"
STARTS_WITHIN = 90.0  # seconds
CHROMIUM_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass(frozen=True)
class Server:
    """A running page: where it answers, its process, and the file its output goes to."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def output(self) -> str:
        """All that the process has printed so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return response.status == 200
    except (urllib.error.URLError, OSError):
        return False


def _start(folder: Path, extra: dict[str, str], script: Path = APP) -> Server:
    port = free_port()
    env = {
        **os.environ,
        "GRADIO_SERVER_NAME": "127.0.0.1",
        "GRADIO_SERVER_PORT": str(port),
        "GRADIO_TEMP_DIR": str(folder / "gradio"),
        "PYTHONUNBUFFERED": "1",
        **extra,
    }
    log = folder / "page.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, str(script)],
            cwd=folder,
            env=env,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    server = Server(f"http://127.0.0.1:{port}", process, log)
    end = time.monotonic() + STARTS_WITHIN
    while not _answers(server.url):
        if process.poll() is not None or time.monotonic() > end:
            _stop(server)
            raise RuntimeError(f"The page did not start within {STARTS_WITHIN:.0f} s:\n{server.output()}")
        time.sleep(0.1)
    return server


def _stop(server: Server) -> None:
    server.process.terminate()
    try:
        server.process.wait(10)
    except subprocess.TimeoutExpired:
        server.process.kill()
        server.process.wait()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One page for all tests that leave it as they found it; it keeps no runs and downloads nothing."""
    running = _start(tmp_path_factory.mktemp("page"), {"MNIST_RUNS_DIR": "", **OFFLINE})
    yield running
    _stop(running)


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """`start_server(script, NAME="value", ...)`: a page of one's own with this environment, then stopped."""
    running: list[Server] = []

    def start(script: Path = APP, **env: str) -> Server:
        folder = tmp_path / f"page-{len(running)}"
        folder.mkdir()
        running.append(_start(folder, env, script))
        return running[-1]

    yield start
    for each in running:
        _stop(each)


def find_chromium() -> str | None:
    """The browser to drive: $CHROMIUM, or the first one installed on this machine."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Headless Chromium; tests that need it are skipped, with the reason, where there is none."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed (tests/requirements.txt)"
    )
    path = find_chromium()
    if path is None:
        pytest.skip("no Chromium here: install one, or name it in $CHROMIUM")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=path, args=list(CHROMIUM_ARGUMENTS))
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Any]]:
    """`open_page(url, width=1280, touch=False, dark=False)`: a fresh visit with its own storage, then closed.

    The page returned has `.faults`: what its console reported as errors, and exceptions nobody caught.
    """
    with contextlib.ExitStack() as visits:

        def open_(
            url: str, *, width: int = 1280, touch: bool = False, dark: bool = False, **options: Any
        ) -> Any:
            context = browser.new_context(
                viewport={"width": width, "height": 844 if width < 600 else 900},
                has_touch=touch,
                is_mobile=touch,
                color_scheme="dark" if dark else "light",
                **options,
            )
            visits.callback(context.close)
            page = context.new_page()
            page.faults = []
            page.on("pageerror", lambda error: page.faults.append(str(error)))
            page.on("console", lambda said: said.type == "error" and page.faults.append(said.text))
            page.goto(url)
            page.get_by_role("tab", name="Draw").wait_for()
            page.locator(".pad[data-ready]").first.wait_for(state="attached")  # before, it hears nothing
            return page

        yield open_


@pytest.fixture
def open_train(server: Any, data_folder: Path, open_page: Callable[..., Any]) -> Callable[..., Any]:
    """`open_train(epochs=1, ...)`: a visit at the Train tab whose address holds this recipe."""

    def open_(width: int = 1280, **recipe: Any) -> Any:
        page = open_page(train_address(server.url, **recipe), width=width)
        page.get_by_role("tab", name="Train").click()
        page.locator("#train-start").wait_for()
        page.locator("#loss-plot svg text").first.wait_for()
        return page

    return open_
