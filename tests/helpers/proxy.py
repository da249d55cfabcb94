"""nginx on this machine's own addresses, with a configuration of a test's or the documented one."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

HOSTING = Path(__file__).resolve().parents[2] / "mnist_core" / "page" / "HOSTING.md"
_WHOLE = """
daemon off; error_log {folder}/error.log; pid {folder}/pid; worker_processes 1;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
{part}
}}
"""


def documented() -> str:
    """The nginx configuration that owners are given."""
    block = HOSTING.read_text(encoding="utf-8").split("<!-- nginx -->")[1]
    return block.strip().removeprefix("```nginx\n").removesuffix("```")


@contextlib.contextmanager
def nginx(part: str, folder: Path) -> Iterator[None]:
    """Run nginx with this `http` part until the block ends; every `listen` in it must be on 127.0.0.1."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip("nginx is not here: install it (nginx-light in Debian)")
    file = folder / "nginx.conf"
    file.write_text(_WHOLE.format(folder=folder, part=part))
    command = [program, "-c", str(file), "-p", str(folder), "-e", str(folder / "error.log")]
    subprocess.run([*command, "-t", "-q"], check=True)
    with subprocess.Popen(command) as process:
        try:
            _wait_for(folder / "pid", process)
            yield
        finally:
            process.terminate()


def _wait_for(pid: Path, process: subprocess.Popen[bytes]) -> None:
    """Until nginx listens: it writes its process id after that."""
    while not (pid.exists() and pid.read_text().strip()):
        assert process.poll() is None, (pid.parent / "error.log").read_text()
        time.sleep(0.02)
