"""What may stand in a body, how large it may be, and files."""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import PIL.Image
import pytest
from small_page import API, call, sentence

from mnist_core.page.http.bodies import DEPTH, RequestError, check_call, parse
from mnist_core.page.http.intake import Caps, Intake


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[1]",
        b'"text"',
        b'{"data": NaN}',
        b'{"data": [Infinity]}',
        b'{"data": 1}',
        b'{"data": []}',
        b'{"data": [1, 2]}',
        b'{"data": [1], "fn_index": "0"}',
        b'{"data": [1], "fn_index": 99999}',
        b'{"data": [1], "fn_index": true}',
        b'{"data": [1], "session_hash": 5}',
        b'{"data": [1], "session_hash": "../../x"}',
        b'{"data": [1], "event_data": "x"}',
        b'{"data": [1], "trigger_id": []}',
        b'{"data": ["\xff"]}',
        b'{"data": [' + b"[" * 500 + b"]" * 500 + b"]}",
        b'{"data": [' + b"9" * 20_001 + b"]}",
    ],
)
def test_a_body_that_is_not_a_call_is_refused_with_a_sentence(client: httpx.Client, body: bytes) -> None:
    answer = client.post(f"{API}/run/double", content=body, headers={"content-type": "application/json"})
    assert 400 <= answer.status_code < 500
    sentence(answer, answer.status_code)


def test_a_body_of_another_kind_is_refused(client: httpx.Client) -> None:
    sentence(client.post(f"{API}/run/double", content=b"{}", headers={"content-type": "text/plain"}), 415)


def test_what_is_nested_deeper_than_the_page_ever_nests_is_refused() -> None:
    nested: Any = 1
    for _ in range(DEPTH - 1):
        nested = [nested]
    parse(json.dumps({"data": nested}).encode())
    with pytest.raises(RequestError, match=f"nested deeper than {DEPTH} levels"):
        parse(json.dumps({"data": [nested]}).encode())


def test_an_oversized_body_is_refused_even_when_its_length_is_not_announced(client: httpx.Client) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(100):
            yield b" " * 1_000

    headers = {"content-type": "application/json"}
    assert "at most 20,000 bytes" in sentence(
        client.post(f"{API}/run/double", content=chunks(), headers=headers), 413
    )
    sentence(client.post(f"{API}/upload", files={"files": b" " * 60_000}), 413)


@pytest.mark.parametrize(
    "path",
    [
        "http://127.0.0.1:9/x.png",
        "HTTPS://a.example/x.png",
        "//a.example/x.png",
        "file:///etc/passwd",
        "ftp://a/b",
    ],
)
def test_an_address_where_a_file_belongs_is_refused(client: httpx.Client, path: str) -> None:
    said = sentence(call(client, "width", {"path": path, "meta": {"_type": "gradio.FileData"}}), 400)
    assert said == "Send the file itself, not an address: nothing is fetched from anywhere."


@pytest.mark.parametrize(
    "value",
    [
        "http://127.0.0.1:9/x.png",
        {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}},
        {"path": "../../etc/passwd", "meta": {"_type": "gradio.FileData"}},
        {"path": 5, "meta": {"_type": "gradio.FileData"}},
        {"path": None, "meta": {}},
        {"url": "http://127.0.0.1:9/x.png"},
        {
            "path": "/tmp/gradio/missing.png",
            "url": "http://127.0.0.1:9/x",
            "meta": {"_type": "gradio.FileData"},
        },
        [1, 2, 3],
    ],
)
def test_a_file_that_no_upload_returned_is_refused(client: httpx.Client, value: Any) -> None:
    answer = call(client, "width", value)
    assert 400 <= answer.status_code < 500, answer.text
    assert "root:" not in answer.text


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Gradio leaves files open
def test_an_uploaded_picture_is_read_and_a_broken_one_refused(client: httpx.Client, tmp_path: Path) -> None:
    PIL.Image.new("L", (40, 30)).save(tmp_path / "picture.png")
    picture = (tmp_path / "picture.png").read_bytes()
    for content, expected in ((picture, 200), (picture[:50], 422), (b"GIF89a<script>", 422), (b"", 422)):
        path = client.post(f"{API}/upload", files={"files": ("a.png", content)}).json()[0]
        answer = call(client, "width", {"path": path, "meta": {"_type": "gradio.FileData"}})
        assert answer.status_code == expected, answer.text
        if expected == 200:
            assert answer.json()["data"] == [40]
        else:
            sentence(answer, 422)
    gc.collect()


def test_uploads_of_all_visitors_together_are_capped_by_the_hour() -> None:
    intake = Intake(Caps(upload_bytes_per_hour=100))
    intake.count_upload(60)
    intake.count_upload(40)
    with pytest.raises(RequestError, match="in the last hour"):
        intake.count_upload(1)


def test_an_upload_counts_for_an_hour() -> None:
    intake = Intake(Caps(upload_bytes_per_hour=100))
    now = time.monotonic()
    intake.uploads.extend([(now - 3601, 100), (now - 3000, 60)])
    intake.count_upload(40)
    with pytest.raises(RequestError, match="in the last hour"):
        intake.count_upload(1)


def test_of_a_file_only_its_path_goes_on_and_no_address_to_fetch_it_from() -> None:
    functions = {0: SimpleNamespace(api_name="width", fn=len, cancels=(), inputs=[None])}
    for url, kept in (("http://127.0.0.1:9/x", {}), ("data:,", {"url": "data:,"})):
        given = {"path": "/tmp/x.png", "url": url}
        call = check_call({"data": [[given]], "session_hash": "abc"}, "width", functions)
        assert call["data"] == [[{"path": "/tmp/x.png"} | kept]]


def test_caps_come_from_the_environment_and_must_be_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MNIST_LIMIT_JSON_BYTES", "123")
    assert Caps.from_environment() == Caps(json_bytes=123)
    monkeypatch.setenv("MNIST_LIMIT_JSON_BYTES", "lots")
    with pytest.raises(ValueError, match="MNIST_LIMIT_JSON_BYTES must be a"):
        Caps.from_environment()
