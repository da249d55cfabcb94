"""How programs call the page: by name with an event's stream, and as agents by JSON-RPC."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from PIL import Image
from small_page import API, CAPS, MINE, OTHERS, sentence

from mnist_core.page.http.agents import message_id, offer_only
from mnist_core.page.http.api import predict
from mnist_core.page.http.errors import APOLOGY

FILE = {"path": "http://127.0.0.1:9/x.png", "meta": {"_type": "gradio.FileData"}}
VALUES = [("double", {"data": [21]}), ("v2/double", {"value": 21})]


def _begin(client: httpx.Client, name: str, body: Any) -> Any:
    return client.post(f"{API}/call/{name}", json=body)


@pytest.mark.parametrize(("name", "body"), VALUES)
def test_a_public_function_is_called_by_name_and_its_answer_streamed_once(
    client: httpx.Client, name: str, body: Any
) -> None:
    event = _begin(client, name, body).json()["event_id"]
    streamed = client.get(f"{API}/call/{name}/{event}")
    assert streamed.headers["content-type"].startswith("text/event-stream")
    assert streamed.text.startswith("event: complete\ndata: [42]\n")
    assert "has been fetched" in sentence(client.get(f"{API}/call/{name}/{event}"), 404)


@pytest.mark.parametrize("name", ["own", "slow", "breaks", "v2", "nothing"])
def test_a_function_of_the_page_itself_cannot_be_called_by_name(client: httpx.Client, name: str) -> None:
    for address in (name, f"v2/{name}"):
        answer = _begin(client, address, {"data": [1], "value": 1})
        assert sentence(answer, 404) == "This page has no such function."


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        ("double", {"data": []}, "must hold 1 values; got 0"),
        ("double", {"value": 21}, "must be a list"),
        ("v2/double", {"data": [21]}, "must hold these values, by name: value."),
        ("v2/double", {"value": 21, "more": 1}, "must hold these values, by name: value."),
    ],
)
def test_a_call_without_the_values_that_the_function_takes_is_refused(
    client: httpx.Client, name: str, body: Any, said: str
) -> None:
    assert said in sentence(_begin(client, name, body), 422)


@pytest.mark.parametrize(("name", "value"), [("double", {"data": [FILE]}), ("v2/double", {"value": FILE})])
def test_an_address_in_place_of_a_value_is_refused(client: httpx.Client, name: str, value: Any) -> None:
    assert "not an address" in sentence(_begin(client, name, value), 400)


def test_a_program_cannot_put_its_call_into_a_session(client: httpx.Client) -> None:
    assert _begin(client, "double", {"data": [1], "session_hash": "chosen"}).is_success
    sentence(client.get(f"{API}/queue/data?session_hash=chosen"), 404)


def test_no_event_of_a_pages_session_is_streamed_to_a_program(client: httpx.Client) -> None:
    session = "ab" * 16  # looks like an event
    join = {"data": [1], "fn_index": 5, "session_hash": session}
    event = client.post(f"{API}/queue/join", json=join, headers={"x-visit": MINE}).json()["event_id"]
    for asked in (event, session):
        sentence(client.get(f"{API}/call/slow/{asked}"), 404)
        sentence(client.get(f"{API}/call/v2/slow/{asked}", headers={"x-visit": MINE}), 404)


def test_nobody_cancels_an_event_of_anothers_session(client: httpx.Client) -> None:
    join = {"data": [1_000], "fn_index": 5, "session_hash": "running"}
    event = client.post(f"{API}/queue/join", json=join, headers={"x-visit": MINE}).json()["event_id"]
    cancel = {"session_hash": "attacker", "fn_index": 5, "event_id": event}
    assert client.post(f"{API}/cancel", json=cancel, headers={"x-visit": OTHERS}).is_success
    address = f"{API}/queue/data?session_hash=running"
    streamed = client.get(address, headers={"x-visit": MINE}, timeout=60).text
    assert json.loads(streamed.split("data: ")[-2])["output"]["data"] == [999]


def test_the_openapi_page_shows_what_programs_may_call_and_nothing_else(client: httpx.Client) -> None:
    shown = set(client.get(f"{API}/openapi.json").json()["paths"])
    calls = [
        (f"{API}/call/v2/{name}", f"{API}/call/{name}/{{event_id}}") for name in ("double", "read_digit")
    ]
    assert shown == {f"{API}/upload", *calls[0], *calls[1]}


def _send(client: httpx.Client, message: Any, path: str = f"{API}/mcp/") -> httpx.Response:
    """Send a message as an agent's library does."""
    content = message if isinstance(message, bytes) else json.dumps(message).encode()
    headers = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
    return client.post(path, content=content, headers=headers)


def _result(answer: httpx.Response) -> Any:
    """What a message was answered with, in an event stream of one event."""
    assert answer.status_code == 200, answer.text
    return json.loads(answer.text.split("data: ", 1)[1])["result"]


def _call_tool(name: str, **arguments: Any) -> dict[str, Any]:
    call = {"name": name, "arguments": arguments}
    return {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": call}


def test_a_picture_of_another_kind_than_those_promised_is_not_opened(tmp_path: Path) -> None:
    for kind in ("tiff", "ppm"):
        path = tmp_path / f"picture.{kind}"
        Image.new("L", (28, 28)).save(path)
        with pytest.raises(ValueError, match=r"Send a whole PNG, JPEG, WEBP, GIF, BMP file"):
            predict(str(path))


LIST = {"jsonrpc": "2.0", "id": "first", "method": "tools/list"}
LARGE = "A" * CAPS.json_bytes


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (_call_tool("read_digit", picture=LARGE), "at most 20,000 bytes"),
        ({"method": "tools/call", "params": LARGE, "jsonrpc": "2.0", "id": 7}, "at most 20,000 bytes"),
        (_call_tool("read_digit", picture=[[[[[[[[[[[[1]]]]]]]]]]]]), "nested deeper"),
        ({"jsonrpc": "2.0", "id": 7, "method": "resources/read"}, "does not answer the method"),
        ({"jsonrpc": "2.0", "id": 7, "params": {"id": 8}}, "does not answer the method 'None'"),
        (b'{"jsonrpc": "2.0", "id": 7, "params": NaN}', "not valid JSON"),
        (b'{"params": {"picture": "\xff"}, "jsonrpc": "2.0", "id": 7}', "not valid JSON"),
    ],
)
def test_a_refused_message_is_answered_under_its_own_id(
    client: httpx.Client, message: Any, said: str
) -> None:
    """An agent's library would take a plain 4xx for a broken connection, and wait for an answer for good."""
    answer = _send(client, message)
    assert answer.status_code == 200
    body = answer.json()
    assert (body["jsonrpc"], body["id"]) == ("2.0", 7)
    assert said in body["error"]["message"]
    assert -32700 <= body["error"]["code"] <= -32600


@pytest.mark.parametrize("message", [b"", b"[]", b"null", b'{"method": "nothing"}', b'{"id": [1]}'])
def test_a_refused_message_without_an_id_is_a_plain_refusal(client: httpx.Client, message: bytes) -> None:
    answer = _send(client, message)
    sentence(answer, answer.status_code)
    assert 400 <= answer.status_code < 500


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b'{"jsonrpc":"2.0","id":3,"method":"tools/call","par', 3),
        (b'AAAA"}},"jsonrpc":"2.0","id": "a-1"}', "a-1"),
        (b'{"method":"ping","params":{"id":5},"id":2}', 2),
        (b'{"method":"notifications/initialized"}', None),
        (b'{"id":{"id":5}}', None),
    ],
)
def test_the_id_is_found_even_in_half_a_message(body: bytes, found: int | str | None) -> None:
    assert message_id(body) == found


@pytest.fixture(scope="module")
def agent(client: httpx.Client) -> httpx.Client:
    """A client of the small page, where the page serves agents."""
    pytest.importorskip("mcp", reason="the mcp package is not installed (requirements.txt)")
    return client


@pytest.mark.parametrize("path", [f"{API}/mcp", f"{API}/mcp/", f"{API}/mcp/?tools=double"])
def test_agents_are_offered_one_tool(agent: httpx.Client, path: str) -> None:
    tools = _result(_send(agent, LIST, path))["tools"]
    assert [tool["name"] for tool in tools] == ["read_digit"]
    assert tools[0]["inputSchema"]["properties"]["picture"]["type"] == "string"
    assert tools[0]["inputSchema"]["required"] == ["picture"]


def test_a_space_offers_its_one_tool_under_the_name_that_gradio_gives_it() -> None:
    tools = {"digits_predict": "/predict", "digits_read_digit": "/read_digit"}
    page = SimpleNamespace(mcp_server_obj=SimpleNamespace(tool_to_endpoint=tools))
    offer_only(page, "read_digit")
    assert page.mcp_server_obj.tool_to_endpoint == {"digits_read_digit": "/read_digit"}


def test_the_hubs_own_agents_server_reads_the_same_list(agent: httpx.Client) -> None:
    assert [tool["name"] for tool in agent.get(f"{API}/mcp/schema").json()] == ["read_digit"]


@pytest.mark.parametrize(
    ("message", "said", "faults"),
    [
        (_call_tool("read_digit", picture="seven"), "SEVEN", 0),
        (_call_tool("read_digit", picture="mistake"), "epochs must be a number from 0.01 to 100; got -1.", 0),
        (_call_tool("read_digit", picture="fault"), APOLOGY, 1),
        (_call_tool("read_digit", picture=5), "5 is not of type 'string'", 0),
        (_call_tool("read_digit", picture=FILE), "is not of type 'string'", 0),
        (_call_tool("read_digit"), "'picture' is a required property", 0),
        (_call_tool("double", value=21), "Unknown tool", 0),
        (_call_tool("own", value=21), "Unknown tool", 0),
    ],
)
def test_an_agent_is_told_what_the_tool_says(
    agent: httpx.Client, message: Any, said: str, faults: int
) -> None:
    before = agent.get("/health").json()["faults"]
    result = _result(_send(agent, message))
    assert said in result["content"][0]["text"]
    assert result["isError"] == (said != "SEVEN")
    assert agent.get("/health").json()["faults"] == before + faults
