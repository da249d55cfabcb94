"""Which addresses the page answers, and by which method. Gradio serves more than this page uses."""

from __future__ import annotations

import re

from starlette.types import Scope

from mnist_core.page.http.bodies import RequestError

API = "/gradio_api"
MCP = f"{API}/mcp"
HEALTH = "/health"
GETS = {
    "/", "/config", "/theme.css", f"{API}/theme.css", "/favicon.ico", "/robots.txt", "/manifest.json",
    f"{API}/info", f"{API}/openapi.json", f"{API}/app_id", f"{API}/startup-events", f"{API}/queue/data",
    f"{API}/upload_progress", f"{MCP}/schema",
}  # fmt: skip
GETS_BELOW = ("/assets/", "/static/", "/app/", f"{API}/heartbeat/", f"{API}/file=")
POSTS = {f"{API}/queue/join", f"{API}/cancel", f"{API}/reset", f"{API}/upload", MCP}
POSTS_BELOW = (f"{API}/run/",)
# How programs call a public function (POST), and fetch its answer (GET). `v2` takes values by their names.
CALL = re.compile(rf"{API}/call/(?P<v2>v2/)?(?P<name>\w{{1,64}})(?:/(?P<event>[0-9a-f]{{32}}))?", re.ASCII)
PARAMETERS = {"session_hash", "upload_id"}  # of an address; Gradio's others (pages, deep links) are dropped
PREFIX = re.compile(r"(/[A-Za-z0-9._~-]{1,40}){1,4}")  # below which a proxy may show the page
LONGEST_PATH, LONGEST_NAME = 1000, 255  # bytes, in all and between slashes: files have no longer names


def check_route(method: str, path: str, posts: frozenset[str] = frozenset()) -> str:
    """The path without its trailing slash, if Gradio or `posts` has such a route. Raises `RequestError`."""
    plain = path.rstrip("/") or "/"
    encoded = path.encode()
    names = encoded.split(b"/")
    too_long = len(encoded) > LONGEST_PATH or max(map(len, names)) > LONGEST_NAME
    if b"\0" in encoded or b".." in names or too_long:
        raise RequestError(404, "There is nothing at this address.")
    methods = _methods(path, plain, posts)
    if not methods:
        raise RequestError(404, _nothing_at(path))
    if method not in methods:
        raise RequestError(405, f"This address does not answer {method[:10]}.")
    return path if path.startswith(GETS_BELOW) else plain


def _methods(path: str, plain: str, posts: frozenset[str]) -> tuple[str, ...]:
    call = CALL.fullmatch(path)
    if plain in GETS or path.startswith(GETS_BELOW) or (call and call["event"]):
        return ("GET", "HEAD")
    return ("POST",) if plain in POSTS or plain in posts or path.startswith(POSTS_BELOW) or call else ()


def _nothing_at(path: str) -> str:
    """What is told at an unknown address; below a prefix that nobody announced, how to announce it."""
    below = next((path[: -len(each)] for each in ("/", "/config", f"{API}/info") if path.endswith(each)), "")
    if not PREFIX.fullmatch(below):
        return "There is nothing at this address."
    return (
        f"There is nothing at this address. If a proxy shows the page below {below}, start it with "
        f"GRADIO_ROOT_PATH={below}."
    )


def strip(scope: Scope, prefix: str) -> None:
    """Take `prefix` off a request's path, where a proxy has passed it on: Gradio then sees what it would see
    behind a proxy that strips it."""
    path = scope["path"]
    if prefix and (path == prefix or path.startswith(prefix + "/")):
        scope["path"] = path.removeprefix(prefix) or "/"
        scope["raw_path"] = scope.get("raw_path", b"").removeprefix(prefix.encode()) or b"/"


def check_file(path: str) -> None:
    """Refuse addresses of other hosts. What is left, Gradio checks against its cache."""
    if "://" in path or path.startswith(("//", "\\\\")) or "\0" in path:
        raise RequestError(403, "Only files of this page are served, nothing from anywhere else.")
