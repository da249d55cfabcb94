"""A session belongs to the visit that used it first, and no secret is ever shown."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from small_page import API, MINE, OTHERS, call, sentence

from mnist_core.page.http.sessions import Sessions


def test_a_queued_function_cannot_be_called_past_the_queue(client: httpx.Client) -> None:
    sentence(call(client, "slow", 2), 404)


def test_a_handler_gets_the_secret_and_refuses_what_is_none(client: httpx.Client) -> None:
    assert call(client, "own", MINE, 1).json()["data"] == [65]
    for wrong in ("", None, "ab", MINE.upper(), [MINE], {"a": 1}, MINE + "\n"):
        assert sentence(call(client, "own", wrong, 1), 400).startswith("This visit has lost its key")


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
            assert sentence(answer, 403).startswith("This session belongs to another visit")
    assert client.post(f"{API}/cancel", json=cancel, headers={"x-visit": MINE}).is_success


def _call_as(client: httpx.Client, headers: dict[str, str], name: str, session: str) -> Any:
    return client.post(f"{API}/run/{name}", json={"data": [1], "session_hash": session}, headers=headers)


def test_a_secret_of_the_wrong_form_opens_nothing(client: httpx.Client) -> None:
    sentence(_call_as(client, {"x-visit": "short"}, "double", "someone"), 400)


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


def test_a_session_that_is_used_again_is_not_the_longest_unused() -> None:
    sessions = Sessions(2)
    for session in ("a", "b", "a", "c"):
        assert sessions.admits(session, b"1")
    assert not sessions.admits("a", b"9")  # it was b that made room


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
