"""The guard in front of a small Gradio app: what it lets in, what it refuses, and how it says so."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import gradio as gr
import httpx
import PIL.Image
import pytest
from pydantic import BaseModel

from mnist_core.config import TrainConfig
from mnist_core.page.http.bodies import DEPTH, RequestError, parse
from mnist_core.page.http.errors import APOLOGY, CarefulBlocks
from mnist_core.page.http.middleware import Caps, Guard, strip
from mnist_core.page.http.routes import FROM_PAGES, json_route
from mnist_core.page.http.sessions import Sessions
from mnist_core.page.http.visit import VisitSecret
from mnist_core.page.launch import start
from mnist_core.runs import RunError

API = "/gradio_api"
MINE = "ab" * 32
OTHERS = "cd" * 32


class Number(BaseModel):
    """What the route takes."""

    model_config = FROM_PAGES

    number: float


async def _half(secret: str, asked: Number) -> dict[str, Any] | None:
    """Below zero a mistake that the package explains, at zero superseded, a fault at one, refused at two."""
    if asked.number == 2:
        raise RunError("Two is taken. Choose another number.")
    return (
        None if asked.number == 0 else {"half": TrainConfig(epochs=asked.number).epochs / (asked.number - 1)}
    )


def _small_page() -> CarefulBlocks:
    """Functions that answer, make a mistake, break, and take a file or a secret."""

    def breaks(number: float) -> float:
        return number / 0

    def mistake(number: float) -> float:
        return TrainConfig(epochs=number).epochs

    async def slow(number: float) -> Any:
        for value in range(int(number)):
            yield value

    with CarefulBlocks() as page:
        secret = VisitSecret()
        number = gr.Number()
        picture = gr.Image(type="pil")
        with gr.Row():
            for name, function in (("breaks", breaks), ("mistake", mistake)):
                gr.Button(name).click(function, number, number, api_name=name, queue=False)
            gr.Button("double").click(lambda value: 2 * value, number, number, api_name="double", queue=False)
            gr.Button("width").click(
                lambda image: image.width if image else 0, picture, number, api_name="width", queue=False
            )
            gr.Button("own").click(
                lambda visit, value: len(visit) + value, [secret, number], number, api_name="own", queue=False
            )
            gr.Button("slow").click(slow, number, number, api_name="slow")
    return page


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    caps = Caps(json_bytes=20_000, upload_bytes=50_000, upload_bytes_per_hour=200_000)

    async def begin() -> tuple[CarefulBlocks, str]:  # in a loop, or Gradio makes its own and leaves them open
        page = _small_page()
        return page, start(page, [json_route("half", Number, _half)], caps)

    with ThreadPoolExecutor(1) as thread:  # a browser that is open in this one keeps a loop running here
        page, address = thread.submit(asyncio.run, begin()).result()
    with httpx.Client(base_url=address) as client:
        yield client
    page.close(verbose=False)


def _call(client: httpx.Client, name: str, *data: Any, **more: Any) -> Any:
    return client.post(f"{API}/run/{name}", json={"data": list(data), **more})


def _sentence(answer: Any, status: int) -> str:
    """The refusal's sentence, which must be there under the status that was expected."""
    assert answer.status_code == status, answer.text
    sentence = answer.json()["error"]
    assert sentence == answer.json()["detail"]
    assert " " in sentence and sentence[-1] == "."
    return sentence


def test_an_honest_call_is_answered(client: httpx.Client) -> None:
    assert _call(client, "double", 21).json()["data"] == [42]


def test_a_mistake_that_the_package_explains_is_a_400_with_its_sentence(client: httpx.Client) -> None:
    assert _sentence(_call(client, "mistake", -1), 400) == "epochs must be a number from 0.01 to 100; got -1."


def test_a_fault_of_ours_is_a_500_that_says_so_and_is_counted_once(client: httpx.Client) -> None:
    before = client.get("/health").json()["faults"]
    assert _sentence(_call(client, "breaks", 1), 500) == APOLOGY
    assert client.get("/health").json()["faults"] == before + 1


def _ask(client: httpx.Client, body: Any, **headers: str) -> Any:
    return client.post("/api/half", json=body, headers={"x-visit": MINE} | headers)


def test_a_route_answers_with_plain_json(client: httpx.Client) -> None:
    answer = _ask(client, {"number": 3})
    assert answer.json() == {"half": 1.5}
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_superseded_request_has_no_content(client: httpx.Client) -> None:
    assert _ask(client, {"number": 0}).status_code == 204


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"number": -1}, 422, "epochs must be"),
        ({"number": 2}, 400, "Two is taken"),
        ({"number": 1}, 500, APOLOGY),
        ({"number": "3"}, 422, "number: Input should be a valid number"),
        ({"number": 3, "more": 1}, 422, "more: Extra inputs are not permitted"),
        ([3], 422, "(the body: "),
    ],
)
def test_a_route_refuses_with_a_sentence(client: httpx.Client, body: Any, status: int, said: str) -> None:
    before = client.get("/health").json()["faults"]
    assert said in _sentence(_ask(client, body), status)
    assert client.get("/health").json()["faults"] == before + (status == 500)


def test_what_our_own_page_sends_and_we_refuse_is_counted(
    client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    ours = {"sec-fetch-site": "same-origin"}
    before = client.get("/health").json()["faults"]
    _ask(client, {"number": "3"}, **ours)
    client.post(f"{API}/run/double", json={"data": [{"a": 1}]}, headers=ours)
    assert client.get("/health").json()["faults"] == before + 2
    assert "Our page sent what we refuse at /api/half: This is not what the page sends" in caplog.text
    _ask(client, {"number": 2}, **ours)  # a visitor may ask for what cannot be had
    _ask(client, {"number": "3"}, **{"sec-fetch-site": "cross-site"})
    assert client.get("/health").json()["faults"] == before + 2


def test_a_route_wants_the_visits_secret_and_json(client: httpx.Client) -> None:
    """Another site's form can send a text/plain POST without asking first."""
    for secret in ("", "short", MINE.upper()):
        assert "X-Visit" in _sentence(_ask(client, {"number": 3}, **{"x-visit": secret}), 400)
    text = {"x-visit": MINE, "content-type": "text/plain"}
    _sentence(client.post("/api/half", content=b'{"number": 3}', headers=text), 415)
    _sentence(client.get("/api/half"), 405)
    _sentence(client.post("/api/nothing", json={}), 404)


def test_a_routes_body_is_capped_and_must_be_json(client: httpx.Client) -> None:
    headers = {"x-visit": MINE, "content-type": "application/json"}
    large = b'{"number": ' + b"9" * 20_001 + b"}"
    assert "at most 20,000 bytes" in _sentence(client.post("/api/half", content=large, headers=headers), 413)
    for body in (b"", b"{", b'{"number": NaN}', b'{"number": 1e999}', b"[" * 5_000, b"\xff"):
        _sentence(client.post("/api/half", content=body, headers=headers), 422)


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
    _sentence(answer, answer.status_code)


def test_a_body_of_another_kind_is_refused(client: httpx.Client) -> None:
    _sentence(client.post(f"{API}/run/double", content=b"{}", headers={"content-type": "text/plain"}), 415)


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
    assert "at most 20,000 bytes" in _sentence(
        client.post(f"{API}/run/double", content=chunks(), headers=headers), 413
    )
    _sentence(client.post(f"{API}/upload", files={"files": b" " * 60_000}), 413)


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
    sentence = _sentence(_call(client, "width", {"path": path, "meta": {"_type": "gradio.FileData"}}), 400)
    assert sentence == "Send the file itself, not an address: nothing is fetched from anywhere."


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
    answer = _call(client, "width", value)
    assert 400 <= answer.status_code < 500, answer.text
    assert "root:" not in answer.text


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Gradio leaves files open
def test_an_uploaded_picture_is_read_and_a_broken_one_refused(client: httpx.Client, tmp_path: Path) -> None:
    PIL.Image.new("L", (40, 30)).save(tmp_path / "picture.png")
    picture = (tmp_path / "picture.png").read_bytes()
    for content, expected in ((picture, 200), (picture[:50], 422), (b"GIF89a<script>", 422), (b"", 422)):
        path = client.post(f"{API}/upload", files={"files": ("a.png", content)}).json()[0]
        answer = _call(client, "width", {"path": path, "meta": {"_type": "gradio.FileData"}})
        assert answer.status_code == expected, answer.text
        if expected == 200:
            assert answer.json()["data"] == [40]
        else:
            _sentence(answer, 422)
    gc.collect()


def test_uploads_of_all_visitors_together_are_capped_by_the_hour() -> None:
    guard = Guard(app=None, caps=Caps(upload_bytes_per_hour=100))
    guard.count_upload(60)
    guard.count_upload(40)
    with pytest.raises(RequestError, match="in the last hour"):
        guard.count_upload(1)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", f"{API}/component_server", 404),
        ("GET", f"{API}/deep_link?session_hash=abc", 404),
        ("GET", f"{API}/proxy=https://x.hf.space/", 404),
        ("GET", f"{API}/openapi.json", 404),
        ("GET", f"{API}/runs", 404),
        ("GET", f"{API}/queue/status", 404),
        ("POST", f"{API}/call/double", 404),
        ("POST", f"{API}/api/double", 404),
        ("POST", f"{API}/process_recording", 404),
        ("POST", f"{API}/stream/abc", 404),
        ("GET", "/monitoring/summary", 404),
        ("GET", "/docs", 404),
        ("POST", "/login", 404),
        ("PUT", "/config", 405),
        ("DELETE", "/", 405),
        ("GET", f"{API}/run/double", 405),
        ("GET", f"{API}/file=/etc/passwd", 403),
        ("GET", f"{API}/file=../../../etc/passwd", 404),
        ("GET", f"{API}/file=http://127.0.0.1:9/x", 403),
        ("GET", f"{API}/file=%2F%2Fa.example/x", 403),
        ("GET", "/static/%2e%2e/%2e%2e/routes.py", 404),
        ("GET", f"/static/{'a' * 256}", 404),
        ("GET", f"/assets/{'a/' * 2100}", 404),
        ("GET", f"{API}/queue/data", 422),
        ("GET", f"{API}/queue/data?session_hash=nobody", 404),
    ],
)
def test_routes_that_the_page_does_not_use_are_closed(
    client: httpx.Client, method: str, path: str, status: int
) -> None:
    _sentence(client.request(method, path), status)


def test_a_queued_function_cannot_be_called_past_the_queue(client: httpx.Client) -> None:
    _sentence(_call(client, "slow", 2), 404)


def test_a_handler_gets_the_secret_and_refuses_what_is_none(client: httpx.Client) -> None:
    assert _call(client, "own", MINE, 1).json()["data"] == [65]
    for wrong in ("", None, "ab", MINE.upper(), [MINE], {"a": 1}, MINE + "\n"):
        assert _sentence(_call(client, "own", wrong, 1), 400).startswith("This visit has lost its key")


def test_a_session_belongs_to_the_secret_that_used_it_first(client: httpx.Client) -> None:
    assert client.post(
        f"{API}/queue/join",
        json={"data": [1], "fn_index": 5, "session_hash": "victim"},
        headers={"x-visit": MINE},
    ).is_success
    cancel = {"session_hash": "victim", "fn_index": 5, "event_id": "e"}
    for headers in ({}, {"x-visit": OTHERS}):
        refused = [
            client.get(f"{API}/queue/data?session_hash=victim", headers=headers),
            client.get(f"{API}/heartbeat/victim", headers=headers),
            client.post(f"{API}/cancel", json=cancel, headers=headers),
            _call_as(client, headers, "double", "victim"),
        ]
        for answer in refused:
            assert _sentence(answer, 403).startswith("This session belongs to another visit")
    assert client.post(f"{API}/cancel", json=cancel, headers={"x-visit": MINE}).is_success


def _call_as(client: httpx.Client, headers: dict[str, str], name: str, session: str) -> Any:
    return client.post(f"{API}/run/{name}", json={"data": [1], "session_hash": session}, headers=headers)


def test_a_secret_of_the_wrong_form_opens_nothing(client: httpx.Client) -> None:
    _sentence(_call_as(client, {"x-visit": "short"}, "double", "someone"), 400)


def test_sessions_forget_the_longest_unused_but_never_an_open_one() -> None:
    sessions = Sessions(2)
    assert sessions.admits("a", b"1")
    sessions.open("a")
    assert sessions.admits("b", b"2")
    assert sessions.admits("c", b"3")  # in the place of b
    assert not sessions.admits("a", b"9")
    assert sessions.admits("b", b"9")  # free again, in the place of c
    sessions.open("b")
    assert not sessions.admits("d", b"4")  # all open
    sessions.close("a")
    assert sessions.admits("d", b"4")
    assert len(sessions) == 2


def test_no_answer_and_no_log_line_shows_a_secret(
    client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    texts = []
    for name, data in (("own", [MINE, "x"]), ("own", [MINE, 1]), ("double", [MINE]), ("breaks", [MINE])):
        answer = client.post(f"{API}/run/{name}", json={"data": data}, headers={"x-visit": MINE})
        if name != "double":  # which gives back what it was given
            texts.append(answer.text + str(answer.headers))
    texts.append(client.get("/").text)
    texts.append(client.get("/config").text)
    assert MINE not in "".join(texts) + caplog.text


def test_the_visits_script_runs_before_everything_else_on_the_page(client: httpx.Client) -> None:
    page = client.get("/").text
    config = page.index("window.gradio_config = {")
    assert page.index("visitSecret") < config < page.index('type="module"')
    assert page.index('(window, "gradio_config"') < config


def test_answers_carry_headers_that_let_only_the_page_itself_frame_it(client: httpx.Client) -> None:
    for answer in (client.get("/"), client.get("/nothing"), _call(client, "double", 1)):
        headers = answer.headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["content-security-policy"].endswith("; frame-ancestors 'self'")
        assert "connect-src 'self' data: blob:;" in headers["content-security-policy"]
        assert "x-frame-options" not in headers
    assert "sandbox" in client.get(f"{API}/file=/x").headers["content-security-policy"]


def test_a_stream_tells_nginx_to_pass_it_on_as_it_comes(client: httpx.Client) -> None:
    with client.stream("GET", f"{API}/heartbeat/streamed", headers={"x-visit": MINE}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["x-accel-buffering"] == "no"
    assert "x-accel-buffering" not in client.get("/").headers


def test_no_script_of_the_page_goes_by_the_address_that_the_server_was_called_by(
    client: httpx.Client,
) -> None:
    page = client.get("/", headers={"host": "page.internal"}).text
    assert page.count('"root":"http://page.internal"') == 1, "the page's own script corrects it"
    assert page.count('"http://page.internal"') == 1
    assert 'const root = ".";' in page
    assert 'href="/' not in page and 'src="/' not in page


def test_below_a_prefix_that_nobody_announced_the_answer_says_how_to(client: httpx.Client) -> None:
    for path in ("/digits/", "/digits/config", f"/digits{API}/info"):
        assert "GRADIO_ROOT_PATH=/digits." in _sentence(client.get(path), 404)
    for path in ("/nothing", "/<b>/", f"/x{API}/call/predict"):
        assert _sentence(client.get(path), 404) == "There is nothing at this address."


@pytest.mark.parametrize(
    ("path", "left"),
    [
        ("/digits/gradio_api/info", "/gradio_api/info"),
        ("/digits/", "/"),
        ("/digits", "/"),
        ("/digitsx", "/digitsx"),
        ("/config", "/config"),
    ],
)
def test_a_prefix_that_a_proxy_passes_on_is_taken_off_once(path: str, left: str) -> None:
    scope = {"path": path, "raw_path": path.encode()}
    strip(scope, "/digits")
    assert scope == {"path": left, "raw_path": left.encode()}


def test_caps_come_from_the_environment_and_must_be_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MNIST_LIMIT_JSON_BYTES", "123")
    assert Caps.from_environment() == Caps(json_bytes=123)
    monkeypatch.setenv("MNIST_LIMIT_JSON_BYTES", "lots")
    with pytest.raises(ValueError, match="MNIST_LIMIT_JSON_BYTES must be a"):
        Caps.from_environment()
