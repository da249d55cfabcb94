"""Processes forked while another thread trains or sets a run up, as ZeroGPU's are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_a_process_that_is_forked_while_another_thread_trains_can_train_itself() -> None:
    script = """
import os, sys, threading, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside threads, as is meant here
from dataclasses import replace
import torch
from noise import LEARN, TEST, TINY, fit, initial_model, losses, run
alone = losses(run(replace(TINY, threads=1)))
state = torch.get_rng_state()
long = replace(TINY, epochs=100, threads=2)
training = fit(initial_model(long), LEARN, TEST, long)
over = threading.Event()

def train():
    while not over.is_set():
        next(training)

thread = threading.Thread(target=train)
thread.start()
for _ in range(3):
    child = os.fork()
    if not child:
        same = torch.equal(torch.get_rng_state(), state) and losses(run(replace(TINY, threads=1))) == alone
        list(fit(initial_model(TINY), LEARN, TEST, replace(TINY, threads=2)))
        os._exit(0 if same else 1)
    if not thread.is_alive() or os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        over.set()
        sys.exit("the child trained otherwise, or the thread no more")
over.set()
thread.join()
"""
    in_a_new_python(script)


def test_a_process_that_is_forked_while_the_first_training_imports_can_train_itself(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text("import time; time.sleep(2)")  # as what torch imports at its first use
    script = f"""
import os, signal, sys, threading, time, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside threads, as is meant here
sys.path.insert(0, {str(tmp_path)!r})
from noise import TINY, initial_model
from mnist_core.engine.setup import fork_between_steps
from mnist_core.model import ConvNet
made = ConvNet.from_config

def make(config):
    import slow
    return made(config)

ConvNet.from_config = make
fork_between_steps()
thread = threading.Thread(target=initial_model, args=(TINY,))
thread.start()
time.sleep(1)
child = os.fork()
if not child:
    signal.alarm(60)  # ends it where it waits for an import that nobody will finish
    initial_model(TINY)
    os._exit(0)
thread.join()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    in_a_new_python(script)


def in_a_new_python(script: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": "tests/helpers"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
