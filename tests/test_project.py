"""The project around the code: the README a stranger follows, the Spaces header, the style of each file."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from dataclasses import fields
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from mnist_core.page.http.intake import Caps
from mnist_core.runs.limits import CAREFUL, GENEROUS

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


def requirements(*files: str) -> dict[str, Requirement]:
    """What the files ask for, by the package's name."""
    lines = [line for file in files for line in (ROOT / file).read_text(encoding="utf-8").splitlines()]
    wanted = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(requirement.name): requirement for requirement in wanted}


def workflow() -> dict[str, object]:
    """The one job of the workflow file."""
    text = (ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8")
    (job,) = yaml.safe_load(text)["jobs"].values()
    return job


def platforms() -> dict[tuple[str, str], str]:
    """The README's table of platforms: (Python's minor version, torch and torchvision) -> the last column."""
    rows = re.findall(r"^\| (3\.\d+)\.\d+ \| ([\d.]+, [\d.]+) \| .* \| (.*) \|$", README, flags=re.MULTILINE)
    return {(python, versions): result for python, versions, result in rows}


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
    assert str(requirements("requirements.txt")["gradio"].specifier) == f"=={header()['sdk_version']}"


@pytest.mark.parametrize(
    ("sources", "files"),
    [
        (["app.py", "mnist_core"], ["requirements.txt"]),
        (["tests"], ["requirements.txt", "tests/requirements.txt"]),
    ],
    ids=["package", "tests"],
)
def test_every_package_that_is_imported_is_required(sources: list[str], files: list[str]) -> None:
    of_module = packages_distributions()
    paths = [path for source in sources for path in [ROOT / source, *(ROOT / source).rglob("*.py")]]
    modules = {name for path in paths if path.is_file() for name in imported_modules(path)}
    ours = {path.stem for path in (ROOT / "tests").rglob("*.py")} | {"app", "mnist_core", "_typeshed"}
    foreign = modules - set(sys.stdlib_module_names) - ours
    packages = {name: {canonicalize_name(package) for package in of_module.get(name, [])} for name in foreign}
    assert {"torch", "gradio"} <= foreign
    wanted = set(requirements(*files))
    assert {name for name in foreign if not packages[name] & wanted} == set()


def imported_modules(path: Path) -> set[str]:
    """The top-level modules that a file imports when it runs, anywhere in it."""
    names: set[str] = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in set(ast.walk(tree)) - for_types:
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").split(".")[0])
    return names


def test_what_gradio_brings_is_required_in_its_own_range() -> None:
    asked = requirements("requirements.txt", "tests/requirements.txt")
    brought = wishes_of_gradio(asked["gradio"].extras)
    shared = {name for name in set(asked) & set(brought) if name not in ("numpy", "packaging")}
    assert {"jinja2", "mcp", "pillow", "orjson", "pydantic", "starlette"} <= shared
    assert {name: asked[name].specifier for name in shared} == {
        name: brought[name].specifier for name in shared
    }


def wishes_of_gradio(extras: set[str]) -> dict[str, Requirement]:
    """What Gradio asks for, by the package's name; what an extra asks for comes later, and is narrower."""
    wishes = map(Requirement, requires("gradio") or [])
    asked = [
        wish
        for wish in wishes
        if not wish.marker or any(wish.marker.evaluate({"extra": extra}) for extra in {"", *extras})
    ]
    return {canonicalize_name(wish.name): wish for wish in asked}


def test_the_tools_of_the_tests_are_not_installed_with_the_page() -> None:
    assert "pytest" in requirements("tests/requirements.txt")
    assert not set(requirements("requirements.txt")) & set(requirements("tests/requirements.txt"))


def test_the_readme_gives_exactly_two_commands_each_complete_in_itself() -> None:
    fences = re.findall(r"```sh\n(python3 -m venv .*?)\n```", README)
    assert fences == [after("start command"), after("test command")]
    environment = "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt"
    assert after("start command") == f"{environment} && .venv/bin/python app.py"
    halves = " && ".join(
        f".venv/bin/python -m pytest {half}" for half in ("-n 2 --ignore=tests/e2e", "tests/e2e")
    )
    assert after("test command") == f"{environment} -r tests/requirements.txt && {halves}"


def test_everything_the_readme_points_at_exists() -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)[^)]*\)|src=\"(?!https?:)([^\"]+)\"", README)
    targets = [link or source for link, source in links]
    rows = re.findall(r"^\| `([^`]+)` \|", README, flags=re.MULTILINE)
    assert rows, "the README has a file map"
    files = [row for row in rows if "/" in row or row.endswith((".py", ".txt", ".toml"))]
    assert [name for name in targets + files if not (ROOT / name).exists()] == []


DOCUMENTS = {
    path.relative_to(ROOT).as_posix()
    for folder in ("mnist_core", "assets")
    for path in (ROOT / folder).rglob("*.md")
}
MEASURED = {"mnist_core/READING.md", "mnist_core/benchmark/RESULTS.md"}


@pytest.mark.parametrize("document", sorted(DOCUMENTS | MEASURED))
def test_everything_a_document_beside_the_code_points_at_exists(document: str) -> None:
    path = ROOT / document
    text = path.read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)[^)]*\)", text)
    tests = re.findall(r"tests/[\w/]+(?:\.py)?", text)
    assert tests or document not in MEASURED, "figures without the tests that measure them"
    assert [name for name in links if not (path.parent / name).exists()] == []
    assert [name for name in tests if not (ROOT / name).exists()] == []


def test_the_file_map_has_every_folder_and_file_of_the_package() -> None:
    rows = set(re.findall(r"`(mnist_core/[^`]*)`", README.split("## Where things are")[1].split("\n## ")[0]))
    there = {
        f"mnist_core/{path.name}/" if path.is_dir() else f"mnist_core/{path.name}"
        for path in (ROOT / "mnist_core").iterdir()
        if path.suffix == ".py" or (path / "__init__.py").is_file()
    }
    assert rows - {"mnist_core/"} == there - {"mnist_core/__init__.py"}


def test_the_hosting_page_names_every_limit_with_its_defaults() -> None:
    text = (ROOT / "mnist_core" / "page" / "HOSTING.md").read_text(encoding="utf-8")
    caps, rows = (
        Caps(),
        re.findall(r"^\| `MNIST_LIMIT_(\w+)` \| (\S+) \| (\S.*?) \|", text, flags=re.MULTILINE),
    )
    named = {name.lower(): (own, space) for name, own, space in rows}
    expected = {
        limit.name: (f"{getattr(GENEROUS, limit.name):,}", f"{getattr(CAREFUL, limit.name):,}")
        for limit in fields(GENEROUS)
    } | {cap.name: (f"{getattr(caps, cap.name):,}", "the same") for cap in fields(caps)}
    assert named == expected


def test_the_workflow_runs_the_readmes_test_command_on_every_python_that_is_promised() -> None:
    steps = {step.get("if"): step["run"] for step in workflow()["steps"] if "pytest" in step.get("run", "")}
    pinned, newest = (steps[f"matrix.torch == '{torch}'"] for torch in ("pinned", "newest"))
    assert pinned == after("test command")
    install, run = pinned.split(" && .venv/bin/python ", 1)
    run = f".venv/bin/python {run}"
    update = newest.removeprefix(f"{install} && ").removesuffix(f" && {run}")
    assert re.fullmatch(r"\.venv/bin/pip install torch==[\d.]+ torchvision==[\d.]+", update)
    matrix = workflow()["strategy"]["matrix"]
    assert matrix["torch"] == ["pinned"]
    assert matrix["include"] == [{"python": matrix["python"][-1], "torch": "newest"}]
    assert "Python " + ", ".join(matrix["python"][:-1]) + f" and {matrix['python'][-1]} (" in README


def test_the_readmes_platforms_are_those_of_the_workflow_and_of_the_pins() -> None:
    pins = requirements("requirements.txt")
    pinned = ", ".join(str(pins[name].specifier).removeprefix("==") for name in ("torch", "torchvision"))
    (update,) = {
        ", ".join(found)
        for step in workflow()["steps"]
        for found in re.findall(r"torch==([\d.]+) torchvision==([\d.]+)", step.get("run", ""))
    }
    pythons = workflow()["strategy"]["matrix"]["python"]
    assert {(python, pinned) for python in pythons} | {(pythons[-1], update)} <= set(platforms())
    assert {versions for _, versions in platforms()} == {pinned, update}
    assert all(re.match(r"[1-9]\d* passed|not run yet$", result) for result in platforms().values())
    assert header()["python_version"] in pythons


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


def test_mypy_finds_nothing(tmp_path: Path) -> None:
    # Gradio writes stubs beside components, at any time, and mypy would read them.
    shutil.copytree(ROOT / "mnist_core", tmp_path / "mnist_core", ignore=shutil.ignore_patterns("*.pyi"))
    for name in ("app.py", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    mypy = subprocess.run(
        [sys.executable, "-m", "mypy"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert mypy.returncode == 0, mypy.stdout + mypy.stderr


def test_ci_runs_the_readmes_test_command_word_for_word(tmp_path: Path) -> None:
    run = _ci(tmp_path, "echo ran; echo 1 passed")
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-3:] == ["ran", "1 passed", "1 passed"]


def test_ci_fails_when_the_tests_fail(tmp_path: Path) -> None:
    assert _ci(tmp_path, "echo 1 failed; exit 1").returncode == 1


def test_ci_fails_and_says_so_when_the_tests_do_not_end(tmp_path: Path) -> None:
    run = _ci(tmp_path, "echo 1 passed; sleep 60", CI_HUNG_SECONDS="1")
    assert run.returncode == 1
    assert "Stopped after 1 seconds." in run.stdout


@pytest.mark.parametrize(
    "reason",
    [
        "MNIST is not here",
        "no Chromium here",
        "playwright is not installed",
        "nginx is not here: install it",
        "node is not here",
    ],
)
def test_ci_fails_when_a_browser_or_mnist_test_was_skipped(tmp_path: Path, reason: str) -> None:
    run = _ci(tmp_path, f"echo 'SKIPPED [1] tests/test_x.py:1: {reason}'; echo 1 skipped")
    assert run.returncode == 1, run.stdout


def test_ci_runs_the_core_again_under_a_second_python_and_adds_up(tmp_path: Path) -> None:
    _second_python(tmp_path, "echo 2 passed, 1 skipped in 3s")
    run = _ci(tmp_path, "echo 5 passed, 1 skipped in 9s")
    assert run.returncode == 0, run.stderr
    assert "-m pytest -n 2 tests --ignore=tests/e2e --ignore=tests/page" in run.stdout
    assert run.stdout.splitlines()[-3:] == [
        "5 passed, 1 skipped in 9s",
        "2 passed, 1 skipped in 3s",
        "7 passed, 0 failed, 2 skipped",
    ]


def test_ci_fails_when_only_the_second_python_fails(tmp_path: Path) -> None:
    _second_python(tmp_path, "echo 1 failed, 2 passed, 1 error in 3s; exit 1")
    run = _ci(tmp_path, "echo 5 passed")
    assert run.returncode == 1
    assert run.stdout.splitlines()[-1] == "7 passed, 2 failed, 0 skipped"


def test_ci_does_not_begin_under_a_second_python_what_it_could_not_end(tmp_path: Path) -> None:
    _second_python(tmp_path, "echo 2 passed")
    run = _ci(tmp_path, "echo 5 passed", CI_SECONDS="300")
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-2].startswith(f"Not run under {tmp_path}")
    assert run.stdout.splitlines()[-1] == "5 passed"


def _program(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/bash\n{script}\n")
    path.chmod(0o755)


def _second_python(folder: Path, tests: str) -> None:
    """A Python 3.12 where pyenv would have it; its environments do `tests` when pytest is called."""
    script = f"""case "$1 $2" in
  "-c "*) echo 3.12 ;;
  "-m venv") mkdir -p "$3/bin" && cp "$0" "$3/bin/python" && ln -s /bin/true "$3/bin/pip" ;;
  "-m pytest") {tests} ;;
esac"""
    _program(folder / "pyenv" / "versions" / "3.12.9" / "bin" / "python", script)


def _ci(folder: Path, command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`.ci/run` in a project whose README has `command`, on a machine with all it needs and Python 3.11."""
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    (folder / ".ci").mkdir()
    (folder / ".ci" / "run").write_bytes(script.read_bytes())
    (folder / "README.md").write_text(f"<!-- test command -->\n```sh\n{command}\n```\n")
    programs = folder / "bin"
    for name in ("chromium", "nginx", "node", "apt-get"):
        _program(programs / name, "")
    _program(programs / "python3", "[[ $2 == *version_info* ]] && echo 3.11; true")
    _program(programs / "python3.12", "exit 1")
    return subprocess.run(
        ["bash", str(folder / ".ci" / "run")],
        env={
            **os.environ,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PYENV_ROOT": str(folder / "pyenv"),
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )
