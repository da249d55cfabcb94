"""Plain routes beside Gradio: JSON in, JSON out."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from small_page import MINE, ask, sentence

from mnist_core.page.http.errors import APOLOGY


def test_a_route_answers_with_plain_json(client: httpx.Client) -> None:
    answer = ask(client, {"number": 3})
    assert answer.json() == {"half": 1.5}
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_superseded_request_has_no_content(client: httpx.Client) -> None:
    assert ask(client, {"number": 0}).status_code == 204


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
    assert said in sentence(ask(client, body), status)
    assert client.get("/health").json()["faults"] == before + (status == 500)


def test_a_route_wants_the_visits_secret_and_json(client: httpx.Client) -> None:
    """Another site's form can send a text/plain POST without asking first."""
    for secret in ("", "short", MINE.upper()):
        assert "X-Visit" in sentence(ask(client, {"number": 3}, **{"x-visit": secret}), 400)
    text = {"x-visit": MINE, "content-type": "text/plain"}
    sentence(client.post("/api/half", content=b'{"number": 3}', headers=text), 415)
    sentence(client.get("/api/half"), 405)
    sentence(client.post("/api/nothing", json={}), 404)


def test_a_routes_body_is_capped_and_must_be_json(client: httpx.Client) -> None:
    headers = {"x-visit": MINE, "content-type": "application/json"}
    large = b'{"number": ' + b"9" * 20_001 + b"}"
    assert "at most 20,000 bytes" in sentence(client.post("/api/half", content=large, headers=headers), 413)
    for body in (b"", b"{", b'{"number": NaN}', b'{"number": 1e999}', b"[" * 5_000, b"\xff"):
        sentence(client.post("/api/half", content=body, headers=headers), 422)
