"""A small Gradio app behind the guard, and how tests speak with it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import gradio as gr
import httpx
from pydantic import BaseModel

from mnist_core.config import TrainConfig
from mnist_core.page.http.api import TOOL
from mnist_core.page.http.errors import CarefulBlocks
from mnist_core.page.http.intake import Caps
from mnist_core.page.http.routes import FROM_PAGES, json_route
from mnist_core.page.http.visit import VisitSecret
from mnist_core.page.launch import start
from mnist_core.runs import RunError

API = "/gradio_api"
MINE = "ab" * 32
OTHERS = "cd" * 32
CAPS = Caps(json_bytes=20_000, upload_bytes=50_000, upload_bytes_per_hour=200_000)


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


async def read_digit(picture: str) -> str:
    """A tool. Like a function of the page, it makes mistakes and breaks."""
    if picture == "mistake":
        TrainConfig(epochs=-1)
    return picture.upper() if picture != "fault" else str(1 / 0)


def _small_page() -> CarefulBlocks:
    """Functions that answer, make a mistake, break, and take a file or a secret; programs may call two."""

    def breaks(number: float) -> float:
        return number / 0

    def mistake(number: float) -> float:
        return TrainConfig(epochs=number).epochs

    async def slow(number: float) -> Any:
        for value in range(int(number)):
            yield value

    hidden = {"queue": False, "api_visibility": "private"}
    with CarefulBlocks() as page:
        secret = VisitSecret()
        number = gr.Number()
        picture = gr.Image(type="pil")
        with gr.Row():
            for name, function in (("breaks", breaks), ("mistake", mistake)):
                gr.Button(name).click(function, number, number, api_name=name, **hidden)
            gr.Button("double").click(lambda value: 2 * value, number, number, api_name="double", queue=False)
            gr.Button("width").click(
                lambda image: image.width if image else 0, picture, number, api_name="width", **hidden
            )
            gr.Button("own").click(
                lambda visit, value: len(visit) + value, [secret, number], number, api_name="own", **hidden
            )
            gr.Button("slow").click(slow, number, number, api_name="slow", api_visibility="private")
        gr.api(read_digit, api_name=TOOL, queue=False)
    return page


@contextmanager
def served() -> Iterator[httpx.Client]:
    """A client of the small page, which is served meanwhile."""

    async def begin() -> tuple[CarefulBlocks, str]:  # in a loop, or Gradio makes its own and leaves them open
        page = _small_page()
        return page, start(page, [json_route("half", Number, _half)], CAPS)

    with ThreadPoolExecutor(1) as thread:  # a browser that is open in this one keeps a loop running here
        page, address = thread.submit(asyncio.run, begin()).result()
    with httpx.Client(base_url=address) as client:
        yield client
    page.close(verbose=False)


def call(client: httpx.Client, name: str, *data: Any, **more: Any) -> Any:
    """Call a function at once."""
    return client.post(f"{API}/run/{name}", json={"data": list(data), **more})


def ask(client: httpx.Client, body: Any, **headers: str) -> Any:
    """Send `body` to the route, as a page of this visit does."""
    return client.post("/api/half", json=body, headers={"x-visit": MINE} | headers)


def sentence(answer: Any, status: int) -> str:
    """The refusal's sentence, which must be there under the status that was expected."""
    assert answer.status_code == status, answer.text
    said = answer.json()["error"]
    assert said == answer.json()["detail"]
    assert " " in said and said[-1] == "."
    return said
