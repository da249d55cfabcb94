"""The page's scripts: their own tests under Node, and what is served of them."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from mnist_core.page.http.scripts import scripts_route
from mnist_core.page.theme import look, mount

ROOT = Path(__file__).resolve().parents[2]
OLDEST_NODE = (18, 0)  # the first with a test runner that is not experimental


@pytest.fixture
def client() -> Iterator[TestClient]:
    with TestClient(Starlette(routes=[scripts_route()])) as client:
        yield client


def test_the_scripts_own_tests_pass_under_node() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not here")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    if tuple(map(int, re.findall(r"\d+", version)[:2])) < OLDEST_NODE:
        pytest.skip(f"node is {version.strip()}, older than 18")
    files = sorted((ROOT / "tests" / "js").glob("*.test.mjs"))
    assert files
    run = subprocess.run([node, "--test", *map(str, files)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


Npm = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def npm() -> Npm:
    """`npm(*arguments)` in `tests/js`, with Biome and TypeScript there as its `package.json` pins them."""
    path, folder = shutil.which("npm"), ROOT / "tests" / "js"
    if path is None:
        pytest.skip("npm, which comes with Node, is not here")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [path, *arguments]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)

    if not (folder / "node_modules").is_dir():
        installed = run("install", "--no-package-lock", "--no-audit", "--no-fund")
        if installed.returncode:
            pytest.skip(f"Node's tools could not be installed: {installed.stderr[-300:]}")
    return run


@pytest.mark.parametrize("script", ["lint", "types"])
def test_the_scripts_and_styles_are_formatted_linted_and_typed(npm: Npm, script: str) -> None:
    run = npm("run", script)
    assert run.returncode == 0, run.stdout[-5000:] + run.stderr[-5000:]


def test_a_module_is_served_as_javascript_and_asked_for_again_only_if_it_changed(client: TestClient) -> None:
    answer = client.get("/app/ink/sheet.js")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.text == (ROOT / "assets" / "js" / "ink" / "sheet.js").read_text(encoding="utf-8")
    again = client.get("/app/ink/sheet.js", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "path",
    [
        "none.js", "ink", "ink/", "", "%2e%2e/css/page.css", "%2e%2e/%2e%2e/app.py", "..%2fimages%2fx.js",
        "%2fetc%2fpasswd", "%2e%2e/js/../../README.md", "%00.js", "a" * 300 + ".js",
    ],
)  # fmt: skip
def test_nothing_but_a_script_is_served(client: TestClient, path: str) -> None:
    answer = client.get(f"/app/{path}")
    assert answer.status_code == 404
    assert answer.json()["error"] == "There is no such script."


def test_a_script_outside_the_folder_is_not_served(
    client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "js").mkdir()
    (tmp_path / "js" / "inside.js").write_text("1")
    (tmp_path / "outside.js").write_text("2")
    (tmp_path / "js" / "link.js").symlink_to(tmp_path / "outside.js")
    monkeypatch.setattr("mnist_core.page.http.scripts.FOLDER", tmp_path / "js")
    assert client.get("/app/inside.js").status_code == 200
    for path in ("%2e%2e/outside.js", "link.js"):
        assert client.get(f"/app/{path}").status_code == 404


def test_every_module_that_the_page_names_is_served(client: TestClient) -> None:
    sources = [file.read_text(encoding="utf-8") for file in (ROOT / "mnist_core" / "page").rglob("*.py")]
    named = r"(?:mount|View|super\(\).__init__)\(\s*\"([a-z_/]+)\"[,)]"
    mounted = {name for source in sources for name in re.findall(named, source)}
    assert len(mounted) >= 9
    preloaded = re.findall(r'modulepreload" href="app/([^"]+)\.js"', look()["head"])
    assert "ink/sheet" in preloaded
    for name in (*mounted, *preloaded):
        assert client.get(f"/app/{name}.js").status_code == 200, name
    for name in mounted:
        assert "export function mount(" in client.get(f"/app/{name}.js").text
        assert f'"app/{name}.js"' in mount(name)
