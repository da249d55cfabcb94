"""Runs that have a GPU for a limited time; here a worker in this process stands in for it, on the CPU."""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from bars import ANNE, BEN, LONG, TINY, alone, done_some, losses, until

from mnist_core.config import PRESETS, TrainConfig
from mnist_core.engine.events import Step
from mnist_core.engine.setup import pick_device
from mnist_core.runs import RunError, Runs, gpu
from mnist_core.runs.run import NoGPU, Run

MakeRuns = Callable[..., Runs]
MNIST = (np.zeros(60_000), np.zeros(60_000)), (np.zeros(10_000), np.zeros(10_000))


@pytest.fixture
def lend() -> Callable[..., threading.Thread]:
    """`lend(runs, run)`: train it in a thread, as a page's handler does."""

    def start(runs: Runs, run: Run) -> threading.Thread:
        thread = threading.Thread(target=runs.slot.train_outside, args=(run,), daemon=True)
        thread.start()
        return thread

    return start


def refusing(*_: Any) -> gpu.Parcels:
    raise NoGPU("the quota is spent")
    yield b""


def taken_away(*arguments: Any) -> gpu.Parcels:
    parcels = gpu.train(*arguments)
    while True:
        yield (last := next(parcels))
        if b"Step" in last:
            raise NoGPU("the time is over")


def test_a_run_on_a_gpu_has_the_losses_and_the_weights_of_fit(make_runs: MakeRuns) -> None:
    runs = make_runs()
    run = runs.start(ANNE, TINY, gpu.train)
    assert run.state == "waiting"
    runs.slot.train_outside(run)
    assert run.state == "finished"
    assert losses(run) == alone(TINY)
    assert [evaluation.step for evaluation in run.history.evaluations] == [10, 20, 30]
    slow = runs.start(ANNE, TINY)
    until(lambda: slow.state == "finished")
    assert all(torch.equal(run.weights[name], slow.weights[name]) for name in slow.weights)


def test_the_weights_keep_up_with_the_steps_so_that_the_pad_is_read_on_the_way(
    make_runs: MakeRuns, lend: Callable[..., threading.Thread], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu, "SEND_SECONDS", 0.0)
    runs = make_runs()
    run = runs.start(ANNE, LONG, gpu.train)
    lend(runs, run)
    until(done_some(run))
    first = run.weights
    until(lambda: run.weights is not first and run.weights_step > 3)
    assert not torch.equal(run.weights["fc2.weight"], first["fc2.weight"])
    runs.stop(ANNE, run.id)
    until(lambda: run.state == "stopped")


def test_a_run_on_a_gpu_is_neither_paused_nor_changed_and_leaves_the_slot_to_others(
    make_runs: MakeRuns, lend: Callable[..., threading.Thread]
) -> None:
    runs = make_runs()
    run = runs.start(ANNE, LONG, gpu.train)
    lend(runs, run)
    until(done_some(run))
    with pytest.raises(RunError, match="cannot be paused"):
        runs.pause(ANNE, run.id)
    with pytest.raises(RunError, match="keeps its rate"):
        runs.change(ANNE, run.id, learning_rate=0.1)
    runs.follow_recipe(ANNE, run.id, replace(LONG, learning_rate=0.1))
    assert run.learning_rate == LONG.learning_rate
    bens = runs.start(BEN, TINY)
    until(lambda: bens.state == "finished")
    assert run.state == "running"
    runs.stop(ANNE, run.id)
    until(lambda: run.state == "stopped")


def test_a_run_on_a_gpu_ends_when_nobody_watches_it(
    make_runs: MakeRuns, lend: Callable[..., threading.Thread]
) -> None:
    ended = threading.Event()

    def worker(*arguments: Any) -> gpu.Parcels:
        try:
            yield from gpu.train(*arguments)
        finally:
            ended.set()

    runs = make_runs()
    run = runs.start(ANNE, LONG, worker)
    thread = lend(runs, run)
    until(done_some(run))
    runs.slot.pause(run, "The page that watched it had gone.")
    thread.join(60)
    assert ended.is_set()
    assert run.state == "stopped"
    assert run.weights_step > 0


def test_a_gpu_is_asked_for_once_this_process_has_imported_what_training_needs(make_runs: MakeRuns) -> None:
    importing = []

    def worker(*arguments: Any) -> gpu.Parcels:
        importing.append(runs.warm_up().is_alive())
        return gpu.train(*arguments)

    runs = make_runs()
    runs.slot.train_outside(runs.start(ANNE, TINY, worker))
    assert importing == [False]


def test_a_run_that_no_page_takes_to_a_gpu_can_be_stopped(make_runs: MakeRuns) -> None:
    runs = make_runs()
    run = runs.start(ANNE, TINY, gpu.train)
    runs.stop(ANNE, run.id)
    assert run.state == "stopped"
    runs.slot.train_outside(run)
    assert run.state == "stopped"


def test_a_refused_gpu_leaves_the_same_recipe_to_the_cpu_and_says_why(make_runs: MakeRuns) -> None:
    runs = make_runs()
    run = runs.start(ANNE, TINY, refusing)
    runs.slot.train_outside(run)
    until(lambda: run.state == "finished")
    assert losses(run) == alone(TINY)
    assert run.fallback == "On the CPU, because no GPU came (the quota is spent)."


def test_after_a_refused_gpu_a_run_can_be_paused_like_any_other(make_runs: MakeRuns) -> None:
    runs = make_runs()
    run = runs.start(ANNE, LONG, refusing)
    runs.slot.train_outside(run)
    until(done_some(run))
    runs.pause(ANNE, run.id)
    assert run.state == "paused"


def test_a_gpu_that_goes_half_way_fails_the_run_and_leaves_its_weights(
    make_runs: MakeRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu, "SEND_SECONDS", 0.0)
    runs = make_runs()
    run = runs.start(ANNE, TINY, taken_away)
    runs.slot.train_outside(run)
    assert run.state == "failed"
    assert run.note == "The GPU went before the end (the time is over). The weights so far are kept."
    assert run.weights is not None


def test_a_gpu_says_nothing_of_the_pace_of_this_machine(make_runs: MakeRuns) -> None:
    def worker(*arguments: Any) -> gpu.Parcels:
        for events, weights in map(pickle.loads, gpu.train(*arguments)):
            long = [replace(each, seconds=10.0) if isinstance(each, Step) else each for each in events]
            yield pickle.dumps((long, weights))

    runs = make_runs()
    run = runs.start(ANNE, TINY, worker)
    runs.slot.train_outside(run)
    assert run.history.last.seconds == 10.0
    assert not runs.pace.measured


@pytest.mark.parametrize(
    ("longer", "shorter"),
    [
        (TrainConfig(epochs=4.0), TrainConfig()),
        (TrainConfig(batch_size=8), TrainConfig()),
        (TrainConfig(evaluations_per_epoch=20), TrainConfig()),
        (TrainConfig(), PRESETS["fast"]),
    ],
)
def test_a_gpu_is_asked_for_longer_when_there_is_more_to_do(
    longer: TrainConfig, shorter: TrainConfig
) -> None:
    assert gpu.seconds(longer.to_dict(), *MNIST) > gpu.seconds(shorter.to_dict(), *MNIST)


def test_a_gpu_is_asked_for_by_the_digits_there_are() -> None:
    recipe = TrainConfig().to_dict()
    few = (MNIST[0][0][:6000], MNIST[0][1][:6000])
    assert gpu.seconds(recipe, few, MNIST[1]) < gpu.seconds(recipe, *MNIST) < 60


def test_on_a_zerogpu_space_the_best_device_is_the_cpu_whatever_torch_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert pick_device() == torch.device("cuda")
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    assert pick_device() == pick_device("auto") == torch.device("cpu")


def test_a_fork_waits_for_the_step_under_way_and_finds_its_locks_free() -> None:
    script = """
import os, threading, time
from mnist_core.engine.setup import TURN
from mnist_core.engine.network import TRACING
from mnist_core.runs.gpu import fork_between_steps
fork_between_steps()
held = threading.Event()
def step():
    with TURN, TRACING:
        held.set()
        time.sleep(0.3)
threading.Thread(target=step).start()
held.wait()
if os.fork() == 0:
    free = TURN.acquire(timeout=5) and TRACING.acquire(timeout=5)
    os._exit(0 if free else 1)
raise SystemExit(os.waitstatus_to_exitcode(os.wait()[1]))
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
