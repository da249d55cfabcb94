"""Runs that are kept: which, and what happens on a disk without room."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from bars import ANNE, TINY, until

from mnist_core import checkpoint
from mnist_core.page.views import status
from mnist_core.runs import Runs, shipped_classifier
from mnist_core.runs.run import Run


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 3 MiB: two runs' weights and no third."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no disk can be mounted here: that takes root")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def _finished(runs: Runs) -> Run:
    run = runs.start(ANNE, TINY)
    until(lambda: run.state == "finished")
    return run


def _keeps(runs: Runs, kept: list[Run]) -> None:
    again = runs.visit(ANNE).runs
    assert list(again) == [run.id for run in kept]
    for run in kept:
        assert again[run.id].name == run.name
        assert all(torch.equal(again[run.id].weights[name], tensor) for name, tensor in run.weights.items())


def test_on_a_full_disk_the_page_says_what_was_not_stored_and_keeps_what_was(
    make_runs: Callable[..., Runs], small_disk: Path
) -> None:
    folder = small_disk / "runs"
    runs = make_runs(folder=folder)
    kept = [_finished(runs), _finished(runs)]
    assert [run.note for run in kept] == ["", ""]
    third = _finished(runs)
    said = f"It could not be stored in {folder}: download what you need."
    assert said in status.status(third, 0, None)
    assert sorted(path.name for path in folder.iterdir()) == sorted(run.id for run in kept)
    first_name = kept[0].name
    runs.rename(ANNE, kept[0].id, "Another name")
    assert said in status.status(kept[0], 0, None)
    kept[0].name = first_name
    _keeps(make_runs(folder=folder), kept)
    runs.delete(ANNE, kept[0].id)  # makes room
    assert _finished(runs).note == ""


def test_a_disk_that_fills_up_between_weights_and_record_leaves_no_half_of_a_run(
    make_runs: Callable[..., Runs], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = make_runs(folder=tmp_path)
    kept = _finished(runs)
    sync, synced = os.fsync, []

    def full(file: int) -> None:
        synced.append(file)
        if len(synced) == 2:  # the record, after the weights
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(file)

    monkeypatch.setattr(os, "fsync", full)
    second = _finished(runs)
    assert second.note == f"It could not be stored in {tmp_path}: download what you need."
    assert [path.name for path in tmp_path.iterdir()] == [kept.id]
    _keeps(make_runs(folder=tmp_path), [kept])


def test_uploaded_weights_are_not_kept_by_giving_them_a_name(
    make_runs: Callable[..., Runs], tmp_path: Path
) -> None:
    runs = make_runs(folder=tmp_path / "runs")
    checkpoint.save(
        tmp_path / "mine.pt", shipped_classifier().model, checkpoint.describe(TINY, accuracy=None, n=0)
    )
    uploaded = runs.upload(ANNE, tmp_path / "mine.pt")
    runs.rename(ANNE, uploaded.id, "Mine")
    assert uploaded.name == "Mine" and not make_runs(folder=tmp_path / "runs").visit(ANNE).runs
