"""An attacker who knows everything of another visit but its secret, and gets nothing of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import numpy as np
import pytest
from pictures import draw
from visitors import API, Visitor, run, sent

from mnist_core.datasets.synthetic import drawing

LONG = {"train_size": 2_000, "epochs": 20.0}  # more steps than anyone waits for

pytestmark = pytest.mark.mnist


@contextlib.asynccontextmanager
async def _victim(url: str) -> AsyncIterator[tuple[Visitor, list[dict[str, Any]]]]:
    """A visitor in the middle of a run, and the messages that their page has got."""
    seen: list[dict[str, Any]] = []

    async def follow() -> None:
        async for message in victim.train(**LONG):
            seen.append(message)

    async with Visitor(url) as victim:
        following = asyncio.create_task(follow())
        while not await victim.steps():
            assert not following.done(), await victim.status()
            await asyncio.sleep(0.1)
        yield victim, seen
        (await victim.on("train-stop", "click")).raise_for_status()
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following


async def _attempts(attacker: Visitor, victim: Visitor, event: str) -> dict[str, httpx.Response]:
    """All that the victim's session hash and event id might open, with one's own secret and with none."""
    page, answers = victim.page, {}
    stop, follow = page.function("train-stop", "click"), page.follower(page.function("train-start", "click"))
    async with httpx.AsyncClient(base_url=attacker.http.base_url) as anonymous:
        for name, client in (("own secret", attacker.http), ("no secret", anonymous)):
            body = attacker.body(stop) | {"session_hash": victim.session}
            followed = attacker.body(follow) | {"session_hash": victim.session}
            cancel = {"session_hash": victim.session, "fn_index": follow["id"], "event_id": event}
            for what, method, path, sent in (
                ("stream", "GET", f"{API}/queue/data?session_hash={victim.session}", None),
                ("heartbeat", "GET", f"{API}/heartbeat/{victim.session}", None),
                ("cancel", "POST", f"{API}/cancel", cancel),
                ("stop", "POST", f"{API}/run/{stop['api_name']}", body),
                ("follow", "POST", f"{API}/queue/join", followed),
                ("call", "POST", f"{API}/call/{stop['api_name']}", body),
                ("call stream", "GET", f"{API}/call/{follow['api_name']}/{event}", None),
                ("call stream v2", "GET", f"{API}/call/v2/{follow['api_name']}/{event}", None),
                ("call session", "GET", f"{API}/call/{follow['api_name']}/{victim.session}", None),
                ("event", "POST", f"{API}/stream/{event}", body),
                ("close event", "POST", f"{API}/stream/{event}/close", body),
                ("deep link", "GET", f"{API}/deep_link?session_hash={victim.session}", None),
                ("files", "GET", f"{API}/file=/tmp/gradio/{victim.session}/weights.pt", None),
                ("server function", "POST", f"{API}/component_server", {"session_hash": victim.session}),
            ):
                answers[f"{what} ({name})"] = await client.request(method, path, json=sent)
    return answers


async def _cancel_as_ones_own(attacker: Visitor, victim: Visitor, event: str) -> None:
    """Cancel the victim's event as one of one's own session. It is answered, and does nothing."""
    follow = victim.page.follower(victim.page.function("train-start", "click"))
    cancel = {"session_hash": attacker.session, "fn_index": follow["id"], "event_id": event}
    (await attacker.http.post(f"{API}/cancel", json=cancel)).raise_for_status()


async def _attack(url: str) -> dict[str, int]:
    async with _victim(url) as (victim, seen), Visitor(url) as attacker:
        event = next(message["event_id"] for message in seen if message.get("event_id"))
        refused = await _attempts(attacker, victim, event)
        for what, answer in refused.items():
            assert 400 <= answer.status_code < 500, f"{what}: {answer.status_code} {answer.text[:200]}"
            assert victim.secret not in answer.text
        await _cancel_as_ones_own(attacker, victim, event)
        before, messages = await victim.steps(), len(seen)
        await asyncio.sleep(1.5)
        assert await victim.steps() > before, "the victim's run goes on"
        assert len(seen) > messages, "the victim's page still hears of it"
        return {what: answer.status_code for what, answer in refused.items()}


def test_a_session_hash_without_the_secret_opens_nothing(server: Any) -> None:
    statuses = run(_attack(server.url))
    print(f"\n{len(statuses)} attempts, all refused: {statuses}")


async def _others_run(url: str) -> tuple[Any, Any]:
    """What another visit is told of the victim's run, and of one that nobody has."""
    async with _victim(url) as (victim, _), Visitor(url) as attacker:
        panel = attacker.page.function("results", "act")
        shown = json.dumps((await victim.call(attacker.page.function("train-pause", "click"))).json())
        run_id = _first_run(shown)
        body = attacker.body(panel) | {"event_data": {"act": "show", "run": run_id}}
        named = await attacker.http.post(f"{API}/run/{panel['api_name']}", json=body)
        unknown = await attacker.http.post(
            f"{API}/run/{panel['api_name']}",
            json=body | {"event_data": {"act": "show", "run": "0123456789abcdef"}},
        )
        assert named.status_code == unknown.status_code == 400
        return named.json(), unknown.json()


def _first_run(shown: str) -> str:
    return re.search(r'data-run=\\?\\?"?([0-9a-f]{16})', shown)[1]


def test_anothers_run_id_means_no_more_than_one_that_nobody_has(server: Any) -> None:
    named, unknown = run(_others_run(server.url))
    assert named == unknown
    assert "This visit has no such run any more" in named["error"]


def _sent_by_pages(run_id: str) -> dict[str, dict[str, Any]]:
    """By their routes, bodies that ask for what this run's weights make of a drawing, where they can."""
    drawn = sent(1, draw(drawing(7, np.random.default_rng(0)), size=0.5))
    return {
        "read": {"weights": run_id, "drawing": drawn},
        "layers": {"weights": run_id, "drawing": drawn, "view": {}},
        "toy": {"toy": "convolution"},
        "read-in-training": {"drawing": drawn},
    }


async def _plain_routes(url: str) -> dict[str, int]:
    """What the plain routes answer to whoever knows a run's id and not its visit's secret."""
    statuses = {}
    async with _victim(url) as (victim, _), Visitor(url) as attacker:
        panel = victim.page.function("results", "act")
        body = victim.body(panel) | {"event_data": {"act": "panel", "panel": "runs"}}
        run_id = _first_run((await victim.http.post(f"{API}/run/{panel['api_name']}", json=body)).text)
        nobodys = _sent_by_pages("0123456789abcdef")
        for route, body in _sent_by_pages(run_id).items():
            address = f"/api/{route}"
            own = (await victim.http.post(address, json=body)).json()
            other = await attacker.http.post(address, json=body)
            unknown = await attacker.http.post(address, json=nobodys[route])
            assert other.status_code == 200 and other.content == unknown.content, route
            assert (other.json() == own) == (route == "toy"), route

            mine, theirs = attacker.secret, victim.secret
            for what, header, more in (
                ("no secret", "", {}),
                ("the run's id", run_id, {}),
                ("half of the secret", theirs[:32], {}),
                ("the session", victim.session, {}),
                ("both secrets", f"{mine}, {theirs}", {}),
                ("a run in the body", mine, {"run": run_id}),
                ("a session in the body", mine, {"session_hash": victim.session}),
            ):
                answer = await attacker.http.post(address, json=body | more, headers={"x-visit": header})
                statuses[f"{route}: {what}"] = answer.status_code
                assert answer.status_code == (422 if more else 400), f"{route}: {what}: {answer.text[:200]}"
                assert theirs not in answer.text and "Run 1" not in answer.text
    return statuses


def test_a_run_id_opens_nothing_on_the_plain_routes(server: Any) -> None:
    statuses = run(_plain_routes(server.url))
    print(f"\n{len(statuses)} requests, all refused: {statuses}")


@pytest.mark.browser
def test_two_browsers_share_nothing_and_show_no_secret(server: Any, open_page: Callable[..., Any]) -> None:
    addresses: list[str] = []
    victim, attacker = open_page(server.url), open_page(server.url)
    victim.on("request", lambda request: addresses.append(request.url))
    secret = victim.evaluate("window.visitSecret")
    assert len(secret) == 64
    assert secret != attacker.evaluate("window.visitSecret")

    victim.reload()
    victim.get_by_role("tab", name="Train").click()
    victim.locator("#train-start").click()
    victim.locator("#train-stop").wait_for()
    assert victim.evaluate("window.visitSecret") == secret, "a reload goes on with the visit"
    session = next(each.split("/heartbeat/")[1] for each in addresses if "/heartbeat/" in each)
    assert not any(secret in each for each in addresses)
    assert secret not in victim.content() + server.output()

    # The attacker's own page, made to speak with the victim's session hash.
    stolen = attacker.evaluate(
        """async (session) => {
          const stream = await fetch(`/gradio_api/queue/data?session_hash=${session}`);
          const body = JSON.stringify({ session_hash: session, fn_index: 0, event_id: "x" });
          const headers = { "Content-Type": "application/json" };
          const cancel = await fetch("/gradio_api/cancel", { method: "POST", body, headers });
          return [stream.status, cancel.status];
        }""",
        session,
    )
    assert stolen == [403, 403]
    assert attacker.locator("#train-stop").count() == 0 or not attacker.locator("#train-stop").is_visible()
    victim.locator("#train-stop").click()
    victim.locator("#train-start").wait_for()
