"""The command line's words and exit statuses: one sentence for each mistake, whatever the output can take."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from commands import DRAWN, ENDLESS, ROOT, lines_until, on_pipes, run
from PIL import Image

from mnist_core import checkpoint
from mnist_core.cli.main import main


@pytest.mark.parametrize("arguments", [[], ["train", "--optimizer=lion"], ["predict"], ["tarin"]])
def test_a_wrong_command_says_how_it_is_used(arguments: list[str], capsys) -> None:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 2
    assert "usage: python -m mnist_core" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("status", "arguments", "says"),
    [
        (2, ["train", "--epochs=0"], "epochs must be a number from 0.01 to 100; got 0.0."),
        (2, ["train", "--device=abacus"], "There is no device 'abacus' here; use cpu, cuda or mps."),
        (2, ["test", "--device=abacus"], "There is no device 'abacus' here; use cpu, cuda or mps."),
        (
            1,
            ["test", "--weights=/nowhere.pt"],
            "/nowhere.pt does not exist: train first, or name another file.",
        ),
    ],
)
def test_a_command_that_is_wrong_ends_with_2_and_one_that_fails_with_1(
    status: int, arguments: list[str], says: str, refusal
) -> None:
    assert refusal(status, *arguments) == says


def test_a_home_that_does_not_exist_is_a_mistake_in_the_command(capsys) -> None:
    with pytest.raises(SystemExit) as left:
        main(["train", "--out=~nobody-of-this-name/run"])
    assert left.value.code == 2
    assert "begins with a home that does not exist here" in capsys.readouterr().err


def test_the_version_names_what_the_results_depend_on(capsys) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--version"])
    assert left.value.code == 0
    assert re.fullmatch(r"mnist_core \d\S*, torch \d\S*, Python 3\.\S*\n", capsys.readouterr().out)


def test_help_and_mistakes_are_answered_before_anything_heavy_is_loaded() -> None:
    program = """
import sys
from mnist_core.cli import main
before = set(sys.modules)
try:
    main.main(["train", "--optimizer=lion"])
except SystemExit:
    pass
heavy = {"gradio", "matplotlib", "torchvision", "mnist_core.cli.train", "mnist_core.benchmark"}
sys.exit(str(heavy & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.stderr.endswith("set()\n")


@pytest.mark.parametrize(
    ("encoding", "name", "shown"),
    [("ascii", "wörld ✏ 7.png".encode(), r"w\xf6rld \u270f 7.png"), ("utf-8", b"\xff.png", r"\udcff.png")],
    ids=["letters that the terminal lacks", "no text"],
)
def test_what_cannot_be_printed_is_written_as_an_escape(
    encoding: str, name: bytes, shown: str, tmp_path: Path
) -> None:
    named = os.fsdecode(os.fsencode(tmp_path) + b"/" + name)
    Image.new("L", (30, 30), 255).save(named)
    done = run("predict", named, env=os.environ | {"PYTHONIOENCODING": encoding})
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith(f"/{shown}: no digit. Nothing is drawn here.\n")


def test_a_reader_who_has_had_enough_ends_a_command_without_a_word() -> None:
    with on_pipes(*ENDLESS) as process:
        lines_until(process, "epoch: 1 ")
        process.stdout.close()
        assert process.wait(120) == 0
        assert process.stderr.read() == ""


def test_a_run_that_is_to_be_kept_goes_on_without_a_reader(tmp_path: Path) -> None:
    with on_pipes(*DRAWN, "--epochs=2", f"--out={tmp_path / 'run'}") as process:
        lines_until(process, "Training on cpu")
        process.stdout.close()
        assert process.wait(120) == 0
        assert process.stderr.read() == ""
    _, metadata = checkpoint.load(tmp_path / "run" / "weights.pt")
    assert metadata["n"] == 60
    assert len((tmp_path / "run" / "history.csv").read_text().splitlines()) == 1 + 40


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_output_that_cannot_be_written_is_a_failure(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        nowhere = ("predict", "--json", str(tmp_path / "nowhere.png"))
        done = run(*nowhere, capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1
    assert done.stderr == "mnist_core: [Errno 28] No space left on device\n"


def test_a_command_without_any_output_does_its_work(tmp_path: Path, weights: Path) -> None:
    nameless = f"{sys.executable} -m mnist_core predict {tmp_path}/nowhere.png >&- 2>&-"
    assert subprocess.run(nameless, shell=True, cwd=ROOT).returncode == 1
