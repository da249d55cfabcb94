"""Behind nginx: below a prefix, under another Host, and on two copies of which one is killed."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import itertools
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from hand import SEVEN, digit, draw, ink
from pictures import draw as draw_on_canvas
from ports import free_port
from proxy import documented, nginx
from train_tab import LONG, step_of, train_address, until
from visitors import OFFLINE, Visitor, run

from mnist_core.datasets.synthetic import drawing

VISITORS, FEWER_VISITORS = 80, 6
SOURCES = [f"127.0.0.{last}" for last in range(2, 250)]  # addresses of this machine, as visitors have theirs
UPDATES_PER_SECOND = 2.0  # of each visitor
TAKEN_OVER = "Another server has taken over"

# Each a way of standing in front of the page: `announced` was started with GRADIO_ROOT_PATH=/digits/.
_LOCATIONS = """
server {{
    listen 127.0.0.1:{first};
    location /bare/ {{ proxy_pass {plain}/; proxy_set_header Host $http_host; }}
    location /passed-on/ {{ proxy_pass {plain}; proxy_set_header Host $http_host; }}
    location /digits/ {{ proxy_pass {announced}; proxy_set_header Host $http_host; }}
}}
server {{
    listen 127.0.0.1:{second};
    location / {{ proxy_pass {plain}; proxy_set_header Host page.internal; }}
    location /digits/ {{ proxy_pass {announced}/; proxy_set_header Host page.internal; }}
}}
"""


@pytest.fixture
def fronts(server: Any, start_server: Callable[..., Any], tmp_path: Path) -> Iterator[dict[str, str]]:
    """The addresses at which the page is shown, by what the proxy does."""
    announced = start_server(GRADIO_ROOT_PATH="/digits/", **OFFLINE)
    first, second = free_port(), free_port()
    urls = {"plain": server.url, "announced": announced.url}
    with nginx(_LOCATIONS.format(first=first, second=second, **urls), tmp_path):
        yield {
            "the prefix stripped": f"http://127.0.0.1:{first}/bare",
            "the prefix stripped, announced, the Host rewritten": f"http://127.0.0.1:{second}/digits",
            "the prefix passed on": f"http://127.0.0.1:{first}/digits",
            "the Host rewritten": f"http://127.0.0.1:{second}",
            "the prefix passed on, unannounced": f"http://127.0.0.1:{first}/passed-on",
        }


def _draw_and_train(page: Any, url: str) -> None:
    """A drawing is read, a run starts, and its steps are followed as they are taken."""
    draw(page, SEVEN)
    assert digit(page) == "7"
    page.goto(train_address(url, **LONG))  # where the page opens with this recipe
    page.locator("#train-start").click()
    until(page, lambda: step_of(page))
    seen = step_of(page)
    until(page, lambda: step_of(page) > seen)


@pytest.mark.mnist
@pytest.mark.browser
def test_behind_a_proxy_the_page_draws_trains_and_streams_or_says_what_to_set(
    data_folder: Path, fronts: dict[str, str], open_page: Callable[..., Any]
) -> None:
    refused = httpx.get(fronts.pop("the prefix passed on, unannounced") + "/")
    assert refused.status_code == 404
    assert "start it with GRADIO_ROOT_PATH=/passed-on." in refused.json()["error"]
    for proxy, url in fronts.items():
        asked: list[str] = []
        page = open_page(f"{url}/")
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        _draw_and_train(page, url)
        page.locator("#train-stop").click()
        page.locator("#train-start").wait_for()
        assert page.faults == [], proxy
        assert [each for each in asked if not each.startswith((url, "data:", "blob:"))] == [], proxy
        page.context.close()


@pytest.mark.browser
def test_an_address_without_its_closing_slash_is_the_pages_too(
    server: Any, open_page: Callable[..., Any], tmp_path: Path
) -> None:
    port = free_port()
    location = f"location /digits {{ rewrite ^/digits/?(.*) /$1 break; proxy_pass {server.url}; }}"
    with nginx(f"server {{ listen 127.0.0.1:{port}; {location} }}", tmp_path):
        page = open_page(f"http://127.0.0.1:{port}/digits?seed=3")
        page.wait_for_url(f"http://127.0.0.1:{port}/digits/?seed=3")
        page.locator("#train-start").wait_for()  # an address with a recipe opens there
        page.get_by_role("tab", name="Draw").click()
        draw(page, SEVEN)
        assert digit(page) == "7"


def test_a_malformed_variable_ends_the_start_with_a_sentence(start_server: Callable[..., Any]) -> None:
    with pytest.raises(RuntimeError, match="GRADIO_SERVER_PORT must be a whole number") as failed:
        start_server(GRADIO_SERVER_PORT="abc")
    assert "Traceback" not in str(failed.value)


@contextlib.contextmanager
def _replicas(start_server: Callable[..., Any], folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The documented nginx before two copies of the page: its address, and the copies by their names."""
    copies = [start_server(MNIST_RUNS_DIR="", **OFFLINE) for _ in range(2)]
    port = free_port()
    part = documented().replace("listen 80;", f"listen 127.0.0.1:{port};")
    for default, copy in zip(("127.0.0.1:7860", "127.0.0.1:7861"), copies, strict=True):
        assert default in part
        part = part.replace(default, copy.url.removeprefix("http://"))
    with nginx(part, folder):
        names = {httpx.get(copy.url).headers["x-server"]: copy for copy in copies}
        yield f"http://127.0.0.1:{port}/digits", names


@dataclass
class Tally:
    """What came of all updates: seconds of those answered, and failures by visitor."""

    seconds: list[float] = field(default_factory=list)
    failed: dict[int, list[str]] = field(default_factory=lambda: defaultdict(list))

    def percentile(self, share: float) -> float:
        return statistics.quantiles(self.seconds, n=100)[round(share * 100) - 1]


async def _visit(index: int, visitor: Visitor, image: Any, until: float, tally: Tally) -> None:
    """Draw at a visitor's pace until then (monotonic seconds), one update after the other."""
    await asyncio.sleep(np.random.default_rng(index).random() / UPDATES_PER_SECOND)
    for number in itertools.count(1):
        if (began := time.monotonic()) >= until:
            return
        try:
            answer = await visitor.draw(number, image)
            assert answer["number"] == number
            tally.seconds.append(time.monotonic() - began)
        except (OSError, http.client.HTTPException, KeyError, ValueError) as error:
            tally.failed[index].append(repr(error))
        await asyncio.sleep(max(0.0, began + 1 / UPDATES_PER_SECOND - time.monotonic()))


async def _draw_on(visitors: list[Visitor], image: Any, seconds: float) -> Tally:
    tally, until = Tally(), time.monotonic() + seconds
    await asyncio.gather(
        *(_visit(index, visitor, image, until, tally) for index, visitor in enumerate(visitors))
    )
    return tally


def _home(url: str, source: str) -> str:
    """The copy that answers whoever comes from this address."""
    with httpx.Client(transport=httpx.HTTPTransport(local_address=source)) as client:
        return client.get(f"{url}/").headers["x-server"]


def _few_on_each(url: str, copies: dict[str, Any]) -> list[str]:
    """Addresses of this machine, as many of them on one copy as on the other."""
    homes = {source: _home(url, source) for source in SOURCES[:60]}
    return [
        source
        for copy in copies
        for source in [each for each, home in homes.items() if home == copy][: FEWER_VISITORS // 2]
    ]


async def _lose_one(
    url: str, copies: dict[str, Any], doomed: str, sources: list[str], seconds: float
) -> dict[str, Any]:
    """Visitors from these addresses draw for so long, then again, and a copy is killed meanwhile."""
    image = draw_on_canvas(drawing(3, np.random.default_rng(1)), size=0.5)
    async with contextlib.AsyncExitStack() as door:
        entered = (door.enter_async_context(Visitor(url, source=source)) for source in sources)
        visitors = await asyncio.gather(*entered)
        quiet = await _draw_on(visitors, image, seconds)
        homes = [list(visitor.servers) for visitor in visitors]
        drawing_on = asyncio.create_task(_draw_on(visitors, image, seconds))
        await asyncio.sleep(seconds / 3)
        copies[doomed].process.kill()
        after = await drawing_on
        ways = [list(visitor.servers) for visitor in visitors]
    return {"quiet": quiet, "after": after, "homes": homes, "ways": ways}


def _check_replicas(
    url: str, copies: dict[str, Any], doomed: str, sources: list[str], seconds: float
) -> None:
    told = run(_lose_one(url, copies, doomed, sources, seconds))
    quiet, after, homes, count = told["quiet"], told["after"], told["homes"], len(sources)
    hit = [index for index, home in enumerate(homes) if home == [doomed]]
    print(
        f"\n{count} visitors, {UPDATES_PER_SECOND:g} updates/s each, on two copies ({len(hit)} and "
        f"{count - len(hit)}), {seconds:g} s: {len(quiet.seconds)} answers, {len(quiet.failed)} errors, "
        f"p50 {quiet.percentile(0.5) * 1000:.0f} ms, p95 {quiet.percentile(0.95) * 1000:.0f} ms; "
        f"as long again, one copy killed: {len(after.seconds)} answers, "
        f"p50 {after.percentile(0.5) * 1000:.0f} ms, p95 {after.percentile(0.95) * 1000:.0f} ms, "
        f"{sum(map(len, after.failed.values()))} open requests lost: {dict(after.failed)}"
    )
    assert not quiet.failed
    assert all(len(home) == 1 for home in homes), "a visit stays on its copy"
    assert 0 < len(hit) < count, "both copies have visitors"
    assert set(after.failed) <= set(hit), "visitors of the other copy notice nothing"
    assert all(len(errors) == 1 for errors in after.failed.values()), "no more than the open request is lost"
    (other,) = set(copies) - {doomed}
    for index, way in enumerate(told["ways"]):
        assert way == ([doomed, other] if index in hit else [other])


@pytest.mark.mnist
@pytest.mark.browser
def test_a_visit_stays_on_its_copy_and_is_told_when_that_is_killed(
    data_folder: Path, start_server: Callable[..., Any], open_page: Callable[..., Any], tmp_path: Path
) -> None:
    with _replicas(start_server, tmp_path) as (url, copies):
        page = open_page(f"{url}/")
        _draw_and_train(page, url)
        assert page.locator("#notice").count() == 0
        home = page.locator("meta[name=server]").get_attribute("content")
        _check_replicas(url, copies, home, _few_on_each(url, copies), 3.0)

        notice = page.locator("#notice").filter(has_text=TAKEN_OVER)
        notice.wait_for()
        page.wait_for_function(
            "(home) => document.querySelector('meta[name=server]')?.content !== home", arg=home
        )
        page.locator(".pad[data-ready]").first.wait_for(state="attached")
        page.locator("#train-start").wait_for()  # the recipe in the address brings that tab forward
        page.get_by_role("tab", name="Draw").click()
        page.locator("#prediction[data-digit='7']").wait_for()
        assert ink(page), "the drawing outlasts the copy"
        assert notice.is_visible(), "until it is closed"
        notice.get_by_role("button", name="Close").click()
        page.get_by_role("tab", name="Train").click()
        page.locator("#train-start").click()
        until(page, lambda: step_of(page))
        page.reload()
        page.locator("#digit-pad canvas").wait_for(state="attached")
        assert page.locator("#notice").count() == 0, "it is told once"


@pytest.mark.full
def test_eighty_drawing_visitors_lose_only_a_killed_copys_open_requests(
    start_server: Callable[..., Any], tmp_path: Path
) -> None:
    with _replicas(start_server, tmp_path) as (url, copies):
        sources = SOURCES[:VISITORS]
        _check_replicas(url, copies, _home(url, sources[0]), sources, 30.0)
