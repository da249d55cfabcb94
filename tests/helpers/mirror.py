"""A mirror of MNIST on loopback that behaves as it is told, serving blank digits."""

from __future__ import annotations

import contextlib
import functools
import gzip
import hashlib
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from mnist_core.datasets import download
from mnist_core.datasets.download import file_names

FILES = file_names(train=True) + file_names(train=False)


@functools.cache
def blank(name: str) -> bytes:
    """A file of MNIST's size and header whose data are all 0."""
    count = 60_000 if name.startswith("train") else 10_000
    numbers = (2051, count, 28, 28) if "images" in name else (2049, count)
    size = 28 * 28 if "images" in name else 1
    return b"".join(number.to_bytes(4, "big") for number in numbers) + bytes(count * size)


@functools.cache
def archive(name: str) -> bytes:
    """The same, zipped."""
    return gzip.compress(blank(name), compresslevel=1, mtime=0)


def trusting_child() -> str:
    """The code that downloads, with the blank archives' MD5 in place of the real ones'."""
    sums = [(f"{name}.gz", hashlib.md5(archive(name)).hexdigest()) for name in FILES]
    real = "from torchvision.datasets import MNIST\n"
    assert download._CHILD.count(real) == 1
    return download._CHILD.replace(real, f"{real}MNIST.resources = {sums!r}\n")


class Mirror:
    """What a served mirror is asked, and how it is to behave.

    Attributes:
        url: its address.
        mood: "good", "missing" (404), "truncated", "garbage", "slow", or "stalled" (half a file).
        asked: the file names that were requested with GET.
        left: set when a client went away in the middle of a file.
    """

    def __init__(self, mood: str) -> None:
        self.mood, self.url = mood, ""
        self.asked: list[str] = []
        self.left = threading.Event()
        self.closing = threading.Event()


@contextlib.contextmanager
def serving(mood: str) -> Iterator[Mirror]:
    """A mirror in this mood, on a free port, until the block ends."""
    mirror = Mirror(mood)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.rsplit("/", 1)[-1].removesuffix(".gz")
            mirror.asked.append(name)
            if mirror.mood == "missing":
                self.send_error(404)
                return
            content = archive(name)
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            try:
                _send(self, mirror, content)
            except OSError:
                mirror.left.set()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        mirror.url = f"http://127.0.0.1:{server.server_port}/mnist/"
        try:
            yield mirror
        finally:
            mirror.closing.set()
            server.shutdown()
            thread.join()


def _send(handler: BaseHTTPRequestHandler, mirror: Mirror, content: bytes) -> None:
    """One archive, as the mirror's mood has it; the handler has promised the whole of it."""
    if mirror.mood == "garbage":
        handler.wfile.write(bytes(255 - byte for byte in content[:1000]) + content[1000:])
    elif mirror.mood == "truncated":
        handler.wfile.write(content[: len(content) // 2])
    elif mirror.mood == "stalled":
        handler.wfile.write(content[: len(content) // 2])
        while not mirror.closing.wait(0.05):
            handler.wfile.flush()
    elif mirror.mood == "slow":
        for start in range(0, len(content), 8192):
            handler.wfile.write(content[start : start + 8192])
            time.sleep(0.18)
    else:
        handler.wfile.write(content)
