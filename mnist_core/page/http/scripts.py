"""The page's scripts: the JavaScript modules below `assets/js`, served under `/app/`."""

from __future__ import annotations

import functools
import hashlib
import posixpath
import re
from collections.abc import Iterable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

FOLDER = Path(__file__).resolve().parents[3] / "assets" / "js"
_IMPORT = re.compile(r'^import .*from "(\..+)";$', re.MULTILINE)


def script(request: Request) -> Response:
    """One module. A browser asks each time whether its copy still holds, so no visitor runs an old script."""
    found = _scripts(FOLDER).get(request.path_params["path"])
    if found is None:
        sentence = "There is no such script."
        return JSONResponse({"error": sentence, "detail": sentence}, status_code=404)
    content, etag = found
    headers = {"Cache-Control": "no-cache", "ETag": etag}
    if request.headers.get("If-None-Match") == etag:
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type="text/javascript")


@functools.cache
def _scripts(folder: Path) -> dict[str, tuple[bytes, str]]:
    """Each script below `folder` with its ETag, by its path in an address: read once, since a page asks for
    two dozen. An address is looked up, never opened as a path."""
    files = {file.relative_to(folder).as_posix(): file.resolve() for file in folder.rglob("*.js")}
    contents = {path: file.read_bytes() for path, file in files.items() if file.is_relative_to(folder)}
    return {
        path: (content, f'"{hashlib.sha256(content).hexdigest()[:32]}"') for path, content in contents.items()
    }


def with_imports(modules: Iterable[str]) -> list[str]:
    """The paths below `assets/js` of these modules, named without ending, and of all that they import."""
    found: dict[str, None] = {}
    waiting = [f"{name}.js" for name in modules]
    while waiting:
        path = waiting.pop(0)
        if path not in found:
            found[path] = None
            text = (FOLDER / path).read_text(encoding="utf-8")
            waiting += [
                posixpath.normpath(posixpath.join(posixpath.dirname(path), each))
                for each in _IMPORT.findall(text)
            ]
    return list(found)


def scripts_route() -> Route:
    """The route to hand to Gradio's app."""
    return Route("/app/{path:path}", script)
