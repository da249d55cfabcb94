"""The project around the code: the README a stranger follows, the Spaces header, the style of each file."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")

# The Hub's "Spaces Configuration Reference", https://huggingface.co/docs/hub/spaces-config-reference
COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
HEADER_KINDS = {
    "title": str,
    "emoji": str,
    "colorFrom": str,
    "colorTo": str,
    "sdk": str,
    "sdk_version": str,
    "python_version": str,
    "suggested_hardware": str,
    "app_file": str,
    "license": str,
    "short_description": str,
    "pinned": bool,
    "fullWidth": bool,
    "startup_duration_timeout": str,
    "tags": list,
}
SHORT_DESCRIPTION_CHARACTERS = 60  # longer ones are refused when the Space is pushed


def header() -> dict[str, object]:
    """The YAML block that opens the README."""
    return yaml.safe_load(README.split("---\n")[1])


def after(marker: str) -> str:
    """The README's shell line in the fence after `<!-- marker -->`."""
    return re.search(rf"<!-- {marker} -->\n```sh\n(.*?)\n```", README).group(1)


def pins() -> dict[str, str]:
    """requirements.txt as name -> version."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").split()
    return dict(line.split("==") for line in lines)


def test_the_spaces_header_uses_only_keys_of_the_reference_with_values_of_their_kind() -> None:
    assert README.startswith("---\n")
    for key, value in header().items():
        assert key in HEADER_KINDS, f"{key} is not in the Spaces reference"
        assert isinstance(value, HEADER_KINDS[key]), f"{key}: {value!r}"


def test_the_spaces_header_says_what_a_gradio_space_needs() -> None:
    keys = header()
    assert keys["sdk"] == "gradio"
    assert keys["colorFrom"] in COLOURS
    assert keys["colorTo"] in COLOURS
    assert not keys["emoji"].isascii()
    assert re.fullmatch(r"3\.\d+", keys["python_version"])
    assert (ROOT / keys["app_file"]).is_file()
    assert len(keys["short_description"]) <= SHORT_DESCRIPTION_CHARACTERS
    assert keys["license"] == "mit"
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith("MIT License")


def test_the_space_and_the_requirements_name_the_same_gradio() -> None:
    assert header()["sdk_version"] == pins()["gradio"]


def test_the_readme_gives_exactly_two_commands_each_complete_in_itself() -> None:
    fences = re.findall(r"```sh\n(python3 -m venv .*?)\n```", README)
    assert fences == [after("start command"), after("test command")]
    environment = "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt"
    assert after("start command") == f"{environment} && .venv/bin/python app.py"
    assert after("test command") == f"{environment} -r tests/requirements.txt && .venv/bin/python -m pytest"


def test_everything_the_readme_points_at_exists() -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)[^)]*\)|src=\"(?!https?:)([^\"]+)\"", README)
    targets = [link or source for link, source in links]
    rows = re.findall(r"^\| `([^`]+)` \|", README, flags=re.MULTILINE)
    assert rows, "the README has a file map"
    files = [row for row in rows if "/" in row or row.endswith((".py", ".txt", ".toml"))]
    missing = [name for name in targets + files if not (ROOT / name).exists() and not _in_package(name)]
    assert missing == []


def _in_package(name: str) -> bool:
    return (ROOT / "mnist_core" / name).exists()


def test_the_top_level_holds_nothing_that_the_house_does_not_name() -> None:
    named = {"app.py", "mnist_core", "assets", "tests", "requirements.txt", "README.md", "LICENSE"}
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    top = {line.split("/")[0] for line in listed.stdout.splitlines()}
    assert {name for name in top if not name.startswith(".")} <= named | {"pyproject.toml"}


@pytest.mark.parametrize("arguments", [["check"], ["format", "--check"]], ids=["lint", "format"])
def test_ruff_finds_nothing(arguments: list[str]) -> None:
    ruff = subprocess.run(
        [sys.executable, "-m", "ruff", *arguments, "--no-cache", "."],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ruff.returncode == 0, ruff.stdout + ruff.stderr


def test_mypy_finds_nothing() -> None:
    mypy = subprocess.run(
        [sys.executable, "-m", "mypy"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert mypy.returncode == 0, mypy.stdout + mypy.stderr


def test_ci_runs_the_readmes_test_command_word_for_word(tmp_path: Path) -> None:
    run = _ci(tmp_path, "echo ran; echo 1 passed")
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-3:] == ["ran", "1 passed", "1 passed"]


def test_ci_fails_when_the_tests_fail(tmp_path: Path) -> None:
    assert _ci(tmp_path, "echo 1 failed; exit 1").returncode == 1


@pytest.mark.parametrize("reason", ["MNIST is not here", "no Chromium here", "playwright is not installed"])
def test_ci_fails_when_a_browser_or_mnist_test_was_skipped(tmp_path: Path, reason: str) -> None:
    run = _ci(tmp_path, f"echo 'SKIPPED [1] tests/test_x.py:1: {reason}'; echo 1 skipped")
    assert run.returncode == 1, run.stdout


def _ci(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    """`.ci/run` in a project whose README has `command`, on a machine that lacks nothing."""
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    (folder / ".ci").mkdir()
    (folder / ".ci" / "run").write_bytes(script.read_bytes())
    (folder / "README.md").write_text(f"<!-- test command -->\n```sh\n{command}\n```\n")
    programs = folder / "bin"
    programs.mkdir()
    for name in ("chromium", "apt-get"):
        (programs / name).write_text("#!/bin/sh\n")
        (programs / name).chmod(0o755)
    return subprocess.run(
        ["bash", str(folder / ".ci" / "run")],
        env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
