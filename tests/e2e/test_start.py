"""Starting the page on a machine where its port or its folder is taken."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[2]


def test_a_port_that_is_taken_is_said_to_be(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, (tmp_path / "log").open("wb") as log:
        taken = other.getsockname()[1]
        env = {**os.environ, "GRADIO_SERVER_PORT": str(taken), "GRADIO_SERVER_NAME": "127.0.0.1"}
        command = [sys.executable, "-u", str(ROOT / "app.py")]
        page = subprocess.Popen(command, cwd=tmp_path, env=env, stdout=log, stderr=subprocess.STDOUT)
        try:
            end = time.monotonic() + 180
            while "The page is at" not in (said := (tmp_path / "log").read_text()):
                assert page.poll() is None and time.monotonic() < end, said
                time.sleep(0.2)
        finally:
            page.terminate()
            page.wait(30)
    told = re.search(rf"^Port {taken} is taken, so this page has (\d+)\.\nThe page is at (\S+)$", said, re.M)
    assert told, said
    assert told[2] == f"http://127.0.0.1:{told[1]}/"


def test_the_page_starts_where_another_user_has_gradios_folder(
    start_server: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "gradio").touch()  # no folder for anyone, even for root
    server = start_server(TMPDIR=str(tmp_path), GRADIO_TEMP_DIR="", MNIST_RUNS_DIR="")
    picture = {"files": ("seven.png", b"picture", "image/png")}
    kept = Path(httpx.post(f"{server.url}/gradio_api/upload", files=picture).json()[0])
    assert kept.is_relative_to(tmp_path / f"gradio-{os.getuid()}")
