"""What the Train tab says of a run: its advice, its digits, and the names of its curves."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bars import TINY

from mnist_core.config import PRESETS, TrainConfig
from mnist_core.engine.events import Step
from mnist_core.engine.history import CHANCE_LOSS, FLAT_STEPS, Watch
from mnist_core.engine.setup import initial_model
from mnist_core.page.components.layout import what_reads
from mnist_core.page.views.curves import POINTS, loss_plot
from mnist_core.page.views.results import results
from mnist_core.page.views.status import status
from mnist_core.runs import SHIPPED, Visit
from mnist_core.runs.run import Run


def flat(steps: int, state: str, note: str = "") -> Run:
    """A run that has not learned in so many steps."""
    run = Run("Run 1", PRESETS["crawling"])
    watch = Watch(run.config)
    for number in range(1, steps + 1):
        step = Step(number, 2000, 1, number * 32, 32, CHANCE_LOSS, run.config.learning_rate, number / 10)
        run.history.add_step(step)
        run.trouble = watch.look(step, run.history.smoothed)
    run.state, run.note = state, note
    return run


WHY = "Perhaps a learning rate of 0.01 is too low and sigmoid shrinks the gradients on their way back."


@pytest.mark.parametrize(
    ("state", "note", "says"),
    [
        ("running", "", "it isn't learning yet. "),
        ("paused", "Paused because no page was watching it.", "no page was watching it. The loss stands at "),
        ("finished", "", "The loss still stood at 2.303 at the end, as if guessing (ln 10). "),
        ("stopped", "Stopped: the limit is 9 seconds.", "9 seconds. The loss still stood at 2.303 at "),
    ],
)
def test_why_a_run_does_not_learn_is_said_as_long_as_it_is_shown(state: str, note: str, says: str) -> None:
    shown = status(flat(FLAT_STEPS, state, note), 0, None).replace("&#39;", "'")
    assert says in shown and WHY in shown


def test_a_run_that_was_flat_for_a_while_only_gets_no_advice() -> None:
    assert 'class="advice"' not in status(flat(FLAT_STEPS - 1, "finished"), 0, None)


def test_digits_that_are_not_mnists_are_named_beside_the_run() -> None:
    run = flat(1, "running")
    assert "MNIST" not in status(run, 0, None)
    run.foreign = ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"]
    shown = status(run, 0, None).replace("&#39;", "'")
    assert "These are not MNIST's files: t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte. " in shown


@pytest.mark.parametrize(
    ("steps", "name"),
    [(POINTS, "each batch"), (POINTS + 1, "lowest and highest of every 3 batches")],
)
def test_a_curve_says_which_batches_it_shows(steps: int, name: str) -> None:
    run = Run("Run 1", TINY)
    for number in range(1, steps + 1):
        run.history.add_step(Step(number, steps, 1, number * 10, 10, 1.0, 0.5, 1.0))
    assert loss_plot(run, []).series[0].name == name


def test_three_dozen_runs_are_compared_by_curves_that_differ() -> None:
    runs = [Run(f"Run {number}", TINY) for number in range(36)]
    curves = [(each.colour, each.dash) for each in loss_plot(None, runs).series]
    assert len(set(curves)) == len(runs)
    assert len({colour for colour, _ in curves[:6]}) == len({dash for _, dash in curves[:6]}) == 6


def test_a_runs_first_weights_read_the_drawing_though_they_took_no_step() -> None:
    """It may end before the next snapshot, and "The built-in model reads" would stay beside its curve."""
    run = Run("Run 1", TINY)
    before = what_reads(run)
    run.weights = dict(initial_model(TINY).state_dict())
    assert what_reads(run) != before


def test_the_table_has_a_runs_pace_once_it_stands_still() -> None:
    """It isn't rendered at every step: a run that trained had another pace there than in the line above."""
    visit, run = Visit(), flat(3, "running")
    run.weights = dict(initial_model(TINY).state_dict())
    visit.runs[run.id] = run
    pace = f">{96 / 0.3:,.0f}<"
    assert pace not in results(visit, run, None, SHIPPED)
    run.state = "stopped"
    assert pace in results(visit, run, None, SHIPPED)


def test_the_table_writes_thousands_with_a_comma_and_whole_numbers_without_a_point() -> None:
    visit, run = Visit(), Run("Run 1", TrainConfig(epochs=20.0, train_size=9000, learning_rate=0.001))
    run.state, run.weights = "stopped", dict(initial_model(TINY).state_dict())
    run.history.add_step(Step(5_000, 5_625, 18, 160_000, 32, 0.1, 0.001, 1234.56))
    run.history.reached[0.98] = 1100.4
    visit.runs[run.id] = run
    table = results(visit, run, None, SHIPPED)
    assert ">1,234.6<" in table and ">1,100 s<" in table
    assert "training digits 9,000, epochs 20, learning rate 0.001" in table


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (TrainConfig(seed=5, threads=1), "The book&#39;s recipe"),
        (replace(PRESETS["fast"], precision="float32"), "Fast"),
        (replace(PRESETS["fast"], epochs=1.0, batch_size=32), "optimizer Muon, learning rate 0.05, "),
    ],
)
def test_the_table_names_the_preset_that_was_run_and_what_differs_otherwise(
    config: TrainConfig, says: str
) -> None:
    visit, run = Visit(), Run("Run 1", config)
    run.weights = dict(initial_model(TINY).state_dict())
    visit.runs[run.id] = run
    table = results(visit, run, None, SHIPPED)
    assert says in table and ("Muon" in table) == ("Muon" in says)


def exported(kind: str, *changes: str) -> str:
    """The open panel "Export" of a run."""
    visit, run = Visit(), Run("Run 1", TINY, kind=kind)
    visit.panel, run.state, run.weights = "export", "finished", dict(initial_model(TINY).state_dict())
    for said in changes:
        run.history.add_change(said)
    visit.runs[run.id] = run
    return results(visit, run, None, SHIPPED)


def test_a_script_is_offered_for_what_it_repeats_and_says_what_it_leaves_out() -> None:
    assert "Changed on the way" not in exported("trained") and "Copy as Python" in exported("trained")
    assert (
        "# This keeps the values that the run began with. Changed on the way: rate 0.2 after step 0.\n"
        in (exported("trained", "rate 0.2"))
    )
    assert "Copy as Python" not in exported("fine-tuned") and "recipe.json" in exported("fine-tuned")
    assert not [word for word in ("Python", "recipe.json", "history.csv") if word in exported("uploaded")]
