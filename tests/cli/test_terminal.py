"""The command line on a terminal of some width, with Ctrl-C, with `kill`, and with a window to close."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from commands import DRAWN, ENDLESS, IMPORTABLE, PROGRAM, ROOT, TORCHRUN, lines_until, on_a_terminal, on_pipes

from mnist_core import checkpoint
from mnist_core.cli.interruption import Interruption


def saved_steps(out: Path) -> int:
    """How many steps a run that was ended has saved, with weights that can be loaded."""
    checkpoint.load(out / "weights.pt")
    return len((out / "history.csv").read_text().splitlines()) - 1


@pytest.mark.parametrize(("columns", "encoding"), [(80, "utf-8"), (30, "ascii")])
def test_the_bar_stays_in_its_line_whatever_the_width_and_the_letters(columns: int, encoding: str) -> None:
    with on_a_terminal(columns, *DRAWN, "--epochs=3", PYTHONIOENCODING=encoding) as terminal:
        assert terminal.end() == 0
    bars = [part for part in re.split(r"[\r\n]", terminal.shown) if "%|" in part]
    assert len(bars) > 2 and all(len(bar) <= columns for bar in bars)
    assert any("epoch 1" in bar for bar in bars)
    assert terminal.shown.count("\n") == 1 + 3 * 3  # what it trains on; three lines for each of three tests


def test_ctrl_c_saves_and_a_second_one_loses_nothing(tmp_path: Path) -> None:
    with on_a_terminal(80, *ENDLESS, f"--out={tmp_path / 'run'}") as terminal:
        terminal.until("epoch 1")
        terminal.type("\x03\x03")
        assert terminal.end() == 130
    assert "Interrupted: the weights are as they were after the last step." in terminal.shown
    assert 0 < saved_steps(tmp_path / "run") < 2000


def test_a_closed_terminal_saves(tmp_path: Path) -> None:
    with on_a_terminal(80, *ENDLESS, f"--out={tmp_path / 'run'}") as terminal:
        terminal.until("epoch 1")
        assert terminal.close() == 128 + signal.SIGHUP
    assert 0 < saved_steps(tmp_path / "run") < 2000
    assert (tmp_path / "run" / "loss.png").exists()


def test_kill_saves(tmp_path: Path) -> None:
    with on_pipes(*ENDLESS, f"--out={tmp_path / 'run'}") as process:
        lines_until(process, "epoch: 1 ")
        process.terminate()
        said, _ = process.communicate(timeout=120)
        assert process.returncode == 128 + signal.SIGTERM
    assert "Wrote weights.pt" in said
    assert 0 < saved_steps(tmp_path / "run") < 2000


def test_ctrl_c_while_the_command_is_loaded_ends_it_even_if_an_import_swallows_it() -> None:
    program = """
import signal, sys
from mnist_core.cli import main

def interrupted(name):
    try:
        signal.raise_signal(signal.SIGINT)
    except BaseException:
        pass

main.import_module = interrupted
sys.exit(main.main(["predict", "/nowhere.png"]))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "\nmnist_core: interrupted.\n")


@pytest.mark.parametrize(
    "module", ["mnist_core.cli.flags", "numpy", "mnist_core.cli.predict", "torch", "torch.nn"]
)
def test_ctrl_c_ends_a_command_whatever_is_being_imported(module: str) -> None:
    program = """
import runpy, signal, sys

class Pressed:
    def find_spec(name, *_):
        if name == sys.argv[-1]:
            signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, Pressed)
runpy.run_module("mnist_core", run_name="__main__")
"""
    done = subprocess.run(
        [sys.executable, "-c", program, "predict", module], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "\nmnist_core: interrupted.\n")


def test_what_nohup_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interruption() as interruption:
            signal.raise_signal(signal.SIGHUP)
            assert (interruption.number, interruption.status) == (None, 0)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_processes_that_train_together_stop_together_and_save(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    with subprocess.Popen(
        [*TORCHRUN, str(tmp_path / "program.py"), *ENDLESS, f"--out={tmp_path / 'run'}"],
        cwd=ROOT,
        env=os.environ | IMPORTABLE,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        lines_until(process, "epoch: 1 ")
        process.terminate()
        said, _ = process.communicate(timeout=120)
    assert said.count("Wrote weights.pt") == 1
    assert 0 < saved_steps(tmp_path / "run") < 2000
