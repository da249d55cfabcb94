"""The page's API as its client calls it."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.browser


def test_predict_reads_a_file_and_refuses_an_address_unfetched(server: Any, tmp_path: Path) -> None:
    gradio_client = pytest.importorskip("gradio_client")
    asked: list[str] = []

    class Mirror(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

    seven = np.full((200, 200), 255, np.uint8)
    seven[40:52, 60:140] = seven[40:170, 128:140] = 0
    Image.fromarray(seven).save(tmp_path / "seven.png")
    client = gradio_client.Client(server.url, verbose=False)
    answer = client.predict(gradio_client.handle_file(str(tmp_path / "seven.png")), api_name="/predict")
    assert answer["digit"] == 7
    assert sum(answer["probabilities"]) == pytest.approx(1, abs=1e-3)

    (tmp_path / "none.png").write_bytes(b"no picture")
    with pytest.raises(Exception, match="not a picture"):
        client.predict(gradio_client.handle_file(str(tmp_path / "none.png")), api_name="/predict")

    with HTTPServer(("127.0.0.1", 0), Mirror) as mirror:
        threading.Thread(target=mirror.serve_forever, daemon=True).start()
        address = {
            "path": f"http://127.0.0.1:{mirror.server_port}/seven.png",
            "meta": {"_type": "gradio.FileData"},
        }
        with pytest.raises(Exception, match="400"):
            client.predict(address, api_name="/predict")
        mirror.shutdown()
    assert asked == []
    client.close()
