"""The benchmark measures what it says, and says it in a table and in JSON."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from mnist_core.benchmark import client
from mnist_core.benchmark import run as benchmark
from mnist_core.benchmark.leash import leash, leashed
from mnist_core.benchmark.run import Counts, Row, table
from mnist_core.benchmark.trials import TRIALS, drawing, fit_parts, step_flops
from mnist_core.cli.main import main
from mnist_core.config import TrainConfig
from mnist_core.datasets.digits import Digits

TINY = Counts(
    rounds=1,
    batches=2,
    book_seeds=0,
    fast_seeds=0,
    avx2_book_seeds=0,
    avx2_fast_seeds=0,
    repeats=20,
    starts=0,
    drawing_seconds=0,
    part_steps=12,
)


def test_the_book_wins_with_the_shortest_schedule_whose_mean_reaches_99_percent() -> None:
    races = [
        {"seconds": [10.0, 20.0, 30.0], "accuracies": [0.98, 0.9905, 0.992]},
        {"seconds": [12.0, 24.0, 36.0], "accuracies": [0.98, 0.9896, 0.992]},
    ]
    assert benchmark.shortest_schedule(races) == ([20.0, 24.0], "book 2 epochs: 99.01 %")


def test_a_book_that_never_reaches_99_percent_is_timed_to_its_end() -> None:
    races = [{"seconds": [10.0, 20.0], "accuracies": [0.97, 0.98]}]
    assert benchmark.shortest_schedule(races) == ([20.0], "book 2 epochs: 98.00 %")


def test_a_table_names_median_spread_and_count() -> None:
    rows = [Row("pace", "s", [1000.0, 3000.0, 2000.0], [8.0, 4.0], 3.0, "batch 32")]
    assert table(rows).splitlines() == [
        "| what | reference | ours | ratio | note |",
        "| --- | --- | --- | --- | --- |",
        "| pace | 2,000 s (1,000 to 3,000, n = 3) | 6.00 s (4.00 to 8.00, n = 2) | 3.00 | batch 32 |",
    ]


def test_what_was_not_run_says_so() -> None:
    assert benchmark.cells(Row("race", "s", [], [4.0], float("nan"))) == [
        "race",
        "not run",
        "4.00 s (4.00 to 4.00, n = 1)",
        "",
        "",
    ]


def test_an_image_costs_the_operations_that_its_layers_have() -> None:
    # Backwards each layer's weights cost as much again, and so do its inputs, except the picture's. A frozen
    # layer needs no gradient of its weights, and none of what the next one is given if all below are frozen:
    # without cn1 for half of the run, without cn2 as well for the other half.
    cn1, cn2, rest = 26 * 26 * 16 * 9, 24 * 24 * 32 * 16 * 9, 4608 * 64 + 64 * 10  # multiply-adds
    book = step_flops(recipe=TrainConfig().to_dict())["flops_per_image"]
    frozen = step_flops(recipe=TrainConfig(freeze=0.0).to_dict())["flops_per_image"]
    assert book == pytest.approx(2 * (2 * cn1 + 3 * cn2 + 3 * rest), rel=1e-6)
    half, other_half = cn1 + 2 * cn2 + 3 * rest, cn1 + cn2 + 3 * rest - 4608 * 64
    assert frozen == pytest.approx(half + other_half, rel=1e-6)


def test_the_drawing_is_a_seven_on_a_pad_of_280_pixels() -> None:
    picture = drawing()
    assert (picture.mode, picture.size) == ("L", (280, 280))
    assert picture.getextrema() == (0, 255)


@pytest.mark.parametrize(("answer", "sent"), [(0.02, 10), (0.15, 4)])
def test_a_steady_visitor_sends_as_often_as_the_pad_and_never_before_the_last_answer(
    monkeypatch: pytest.MonkeyPatch, answer: float, sent: int
) -> None:
    script = (client.ROOT / "assets" / "js" / "ink" / "sheet.js").read_text()
    assert f"const EVERY = {1000 * client.UPDATE_SECONDS:.0f};" in script
    now = 0.0

    def wait(seconds: float) -> None:
        nonlocal now
        now += seconds

    monkeypatch.setattr(client, "time", SimpleNamespace(perf_counter=lambda: now, sleep=wait))
    monkeypatch.setattr(client.Visitor, "__init__", lambda self: None)
    monkeypatch.setattr(client.Visitor, "draw", lambda self, picture: wait(answer))
    assert client.Visitor().draw_steadily(drawing(), 0.599) == pytest.approx([answer] * sent)


def test_a_trial_that_fails_shows_why() -> None:
    with pytest.raises(RuntimeError, match=r"matrix_peak failed:[\s\S]*no attribute 'float17'"):
        benchmark.trial("matrix_peak", precision="float17", repeats=1)


def test_a_steps_parts_can_be_timed_in_a_run_that_is_evaluated_on_its_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    blank = Digits(torch.zeros(30, 28, 28, dtype=torch.uint8), torch.zeros(30, dtype=torch.int64))
    monkeypatch.setattr("mnist_core.benchmark.trials.load_mnist", lambda folder, train: blank)
    recipe = TrainConfig(batch_size=2, epochs=1.0, evaluations_per_epoch=2, threads=1)
    spent = fit_parts("", recipe.to_dict())
    assert set(spent) == {"batch and the rest", "forward", "loss and backward", "optimizer"}


def test_the_command_line_hands_the_benchmark_its_flags(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Path | None, bool]] = []

    def run(folder: Path | None, *, quick: bool) -> dict[str, int]:
        asked.append((folder, quick))
        return {"rows": 3}

    monkeypatch.setattr(benchmark, "run", run)
    flags = ["--quick", "--data-dir", str(tmp_path), "--json", str(tmp_path / "results.json")]
    assert main(["benchmark", *flags]) == 0
    assert asked == [(tmp_path, True)]
    assert json.loads((tmp_path / "results.json").read_text()) == {"rows": 3}


def test_results_that_could_not_be_written_are_refused_before_anything_is_timed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setattr(benchmark, "run", lambda *_, **__: pytest.fail("it was timed"))
    assert main(["benchmark", f"--json={tmp_path}"]) == 1
    assert capsys.readouterr().err == (
        f"mnist_core: {tmp_path} cannot be written (Is a directory): name another file.\n"
    )


def test_a_benchmark_that_fails_leaves_the_results_of_another_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ValueError("No digits today.")

    monkeypatch.setattr(benchmark, "run", fail)
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    old.write_text("{}")
    assert [main(["benchmark", f"--json={path}"]) for path in (old, new)] == [1, 1]
    assert old.read_text() == "{}" and not new.exists()


@pytest.mark.parametrize("ended_by", [signal.SIGTERM, signal.SIGKILL])
def test_a_trial_ends_with_the_benchmark_that_started_it(ended_by: signal.Signals, tmp_path: Path) -> None:
    (tmp_path / "trial.py").write_text("import time; print('begun', flush=True); time.sleep(600)")
    program = f"""
import subprocess
from mnist_core.benchmark.leash import leash, leashed
from mnist_core.cli.interruption import Interruption
with Interruption(), leash() as stdin:
    subprocess.run(leashed({str(tmp_path / "trial.py")!r}), stdin=stdin)
"""
    command = [sys.executable, "-c", program]
    with subprocess.Popen(
        command, cwd=benchmark.ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as ours:
        assert ours.stdout.readline() == b"begun\n"
        ours.send_signal(ended_by)
        ours.communicate(timeout=60)  # to the end of the output, which the trial has in hand as well


def test_a_program_on_the_leash_has_its_own_arguments_and_status(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text("import sys; print(__name__, *sys.argv[1:]); sys.exit(3)")
    with leash() as stdin:
        done = subprocess.run(
            leashed(str(tmp_path / "program.py"), "one", "two"),
            cwd=benchmark.ROOT,
            stdin=stdin,
            capture_output=True,
            text=True,
        )
    assert (done.stdout, done.returncode) == ("__main__ one two\n", 3)


@pytest.mark.mnist
def test_a_tiny_benchmark_compares_and_can_be_written_down(
    data_folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = TrainConfig(epochs=0.02, precision="auto", threads=1)
    monkeypatch.setattr(benchmark, "FAST", recipe)
    monkeypatch.setattr(benchmark, "trial", lambda name, environment=None, **given: TRIALS[name](**given))
    results = json.loads(json.dumps(benchmark.run(data_folder, counts=TINY)))
    assert {"processor", "cores", "torch", "gradio", "python", "instructions"} <= set(results["machine"])
    names = [row["name"] for row in results["rows"]]
    assert names[:2] == ["training, same batch and precision", "training, each its own recipe"]
    for spent in results["milliseconds_of_a_step"].values():
        assert set(spent) == {"batch and the rest", "forward", "loss and backward", "optimizer"}
    for row in results["rows"][:2]:
        assert row["ratio"] == pytest.approx(row["ours"][0] / row["reference"][0])
    assert "| what | reference | ours | ratio | note |" in capsys.readouterr().out


@pytest.mark.full
@pytest.mark.mnist
def test_pad_and_training_hardly_feel_each_other(data_folder: Path) -> None:
    pad, training = benchmark.pad_beside_training(str(data_folder.resolve()), benchmark.FULL)
    assert benchmark.percentile(pad.ours, 95) <= 10 * benchmark.percentile(pad.reference, 50)
    assert training.ratio >= 0.85
