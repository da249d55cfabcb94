"""Visits: whose runs are whose, and when they are forgotten."""

from __future__ import annotations

import gc
import math
import time
import weakref
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from bars import ANNE, BEN, LONG, TINY, WATCHED, done_some, until

from mnist_core.runs import SHIPPED, RunError, Runs
from mnist_core.runs.limits import CAREFUL, GENEROUS, Limits


def test_a_visit_never_reaches_another_visits_run(make_runs: Callable[..., Runs]) -> None:
    runs = make_runs()
    annes = runs.start(ANNE, TINY)
    until(lambda: annes.state == "finished")
    runs.visit(BEN)
    for reach in (runs.run, runs.pause, runs.resume, runs.stop, runs.delete, runs.examine):
        with pytest.raises(RunError, match="This visit has no such run any more"):
            reach(BEN, annes.id)
    shipped = runs.classifier_for(BEN, SHIPPED)
    assert runs.classifier_for(BEN, annes.id) is shipped
    assert runs.classifier_for(ANNE, annes.id) is not shipped
    assert annes.id in runs.visit(ANNE).runs


def test_a_run_that_nobody_watches_is_paused_and_frees_the_slot(make_runs: Callable[..., Runs]) -> None:
    runs = make_runs(Limits(unwatched_seconds=0.2))
    first, second = runs.start(ANNE, LONG), runs.start(BEN, TINY)
    second.watched = math.inf
    until(lambda: first.state == "paused" and second.state == "finished", 10)
    assert first.note == "Paused because no page was watching it."


def test_a_visit_whose_pages_have_closed_is_forgotten_and_lets_go_of_its_memory(
    make_runs: Callable[..., Runs],
) -> None:
    runs = make_runs(replace(WATCHED, gone_seconds=0.2))
    runs.visit(ANNE, "one")
    runs.visit(ANNE, "two")
    run = runs.start(ANNE, LONG)
    until(done_some(run))
    runs.leave("one")
    time.sleep(0.4)
    runs.sweep()
    assert run.state == "running"  # the other page is open, if hidden
    runs.leave("two")
    until(lambda: run.state == "stopped", 5)
    with pytest.raises(RunError):
        runs.run(ANNE, run.id)


def test_what_a_forgotten_visit_trained_leaves_memory(make_runs: Callable[..., Runs]) -> None:
    runs = make_runs()
    run = weakref.ref(runs.start(ANNE, LONG))
    until(lambda: done_some(run())())
    gc.disable()  # nothing holds it in a circle, either: a collection may be long in coming
    try:
        runs.forget(ANNE)
        until(lambda: run() is None, 10)
    finally:
        gc.enable()


def test_a_closed_page_is_waited_for_half_as_long_as_a_silent_one(make_runs: Callable[..., Runs]) -> None:
    runs = make_runs(Limits(unwatched_seconds=8))
    runs.visit(ANNE, "one")
    closed, silent = runs.start(ANNE, LONG), runs.start(BEN, LONG)
    runs.leave("one")
    closed.watched = silent.watched = time.monotonic() - 5
    runs.sweep()
    until(lambda: closed.state == "paused")
    assert silent.active


def test_a_visit_that_comes_back_in_time_is_still_known(make_runs: Callable[..., Runs]) -> None:
    runs = make_runs(replace(WATCHED, gone_seconds=0.3))
    visit = runs.visit(ANNE, "one")
    runs.leave("one")
    assert runs.visit(ANNE, "reloaded") is visit
    time.sleep(0.5)
    runs.sweep()
    assert runs.visit(ANNE) is visit


def test_an_idle_visit_is_forgotten_and_there_are_only_so_many(make_runs: Callable[..., Runs]) -> None:
    runs = make_runs(replace(WATCHED, visits=1, idle_seconds=0.2))
    runs.visit(ANNE)
    with pytest.raises(RunError, match="the limit of visitors is 1"):
        runs.visit(BEN)
    time.sleep(0.3)
    runs.sweep()
    runs.visit(BEN)


def test_a_visit_whose_run_is_watched_is_not_idle(make_runs: Callable[..., Runs]) -> None:
    runs = make_runs(replace(WATCHED, idle_seconds=5))
    run = runs.start(ANNE, LONG)
    runs.visit(ANNE).touched = time.monotonic() - 60
    run.watched = time.monotonic()
    runs.sweep()
    assert run.active
    run.watched = time.monotonic() - 6
    runs.sweep()
    until(lambda: not run.active)


def test_on_ones_own_machine_a_laptop_may_sleep_for_minutes_and_on_a_space_a_closed_page_is_gone() -> None:
    assert GENEROUS.gone_seconds >= 600
    assert CAREFUL.gone_seconds <= 60


def test_a_visit_that_comes_back_is_told_what_was_lost_and_why(make_runs: Callable[..., Runs]) -> None:
    runs = make_runs(replace(WATCHED, gone_seconds=0.2, idle_seconds=1200))
    visit = runs.visit(ANNE, "one")
    runs.stop(ANNE, runs.start(ANNE, TINY).id)
    runs.start(ANNE, TINY)
    visit.drawings.append((np.zeros((28, 28), np.uint8), 3))
    runs.leave("one")
    time.sleep(0.3)
    runs.sweep()
    assert runs.visit(ANNE).lost == (
        "This page was closed or without a connection for more than 0.2 seconds. 2 runs and 1 labelled "
        "drawing are gone; what is drawn on the pad is still here."
    )
    runs.stop(ANNE, runs.start(ANNE, TINY).id)
    assert runs.visit(ANNE).lost, "told beside the first run, too"
    runs.start(ANNE, TINY)
    assert not runs.visit(ANNE).lost


def test_a_visit_that_was_idle_too_long_is_told_so(make_runs: Callable[..., Runs]) -> None:
    runs = make_runs(replace(WATCHED, idle_seconds=1800))
    run = runs.start(ANNE, TINY)
    runs.stop(ANNE, run.id)
    runs.visit(ANNE).touched = run.watched = time.monotonic() - 1801
    runs.sweep()
    assert runs.visit(ANNE).lost == (
        "Nothing was done here for 30 minutes. 1 run is gone; what is drawn on the pad is still here."
    )


def test_a_visit_that_lost_nothing_is_told_nothing(make_runs: Callable[..., Runs]) -> None:
    runs = make_runs(replace(WATCHED, idle_seconds=0))
    runs.visit(ANNE)
    time.sleep(0.1)
    runs.sweep()
    assert runs.visit(ANNE).lost == ""
