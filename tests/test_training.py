"""Training: the book's lines, the events, and runs that repeat, pause, change and interleave bit for bit."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from modes import MODES
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset, RandomSampler, Sampler, Subset, TensorDataset
from torchvision import transforms
from torchvision.datasets import VisionDataset

from mnist_core import training
from mnist_core.config import PRESETS, TrainConfig
from mnist_core.data import load_data, mnist_loaders
from mnist_core.datasets.digits import NO_DIGIT, Digits
from mnist_core.engine.events import Change, Evaluation, Event, Finished, Step, Testing
from mnist_core.engine.optimizers import make_optimizer
from mnist_core.engine.setup import initial_model, pick_device, resolve
from mnist_core.engine.train_step import train_step
from mnist_core.imaging.preprocess import MEAN, STD, normalise
from mnist_core.model import ConvNet
from mnist_core.training import fit

TINY = TrainConfig(train_size=200, batch_size=16, epochs=1, test_batch_size=32, seed=3)


def digits(n: int, seed: int) -> Digits:
    """`n` pictures of noise in which row `label` is white."""
    chance = torch.Generator().manual_seed(seed)
    images = torch.randint(100, (n, 28, 28), dtype=torch.uint8, generator=chance)
    labels = torch.randint(10, (n,), generator=chance)
    images[torch.arange(n), 2 * labels + 4] = 255
    return Digits(images, labels)


LEARN, TEST = digits(200, 1), digits(70, 2)


def run(config: TrainConfig = TINY, model: nn.Module | None = None, learn: object = LEARN) -> list[Event]:
    return list(fit(model or initial_model(config), learn, TEST, config))


def losses(events: list[Event]) -> list[float]:
    return [event.loss for event in events if isinstance(event, Step)]


# Events


def test_a_run_is_its_steps_its_evaluations_and_the_end() -> None:
    events = run(TrainConfig(batch_size=16, epochs=2, evaluations_per_epoch=2))
    steps = [event for event in events if isinstance(event, Step)]
    assert [step.step for step in steps] == list(range(1, 27))
    assert {step.steps for step in steps} == {26}
    assert [step.size for step in steps[:13]] == [16] * 12 + [8]
    assert [step.epoch for step in steps] == [1] * 13 + [2] * 13
    assert [step.seen for step in steps][-1] == 400
    assert {step.learning_rate for step in steps} == {0.5}
    assert [step.seconds for step in steps] == sorted(step.seconds for step in steps)
    tests = [event for event in events if isinstance(event, Evaluation)]
    assert [test.step for test in tests] == [7, 13, 20, 26]
    assert isinstance(events[-1], Finished) and events[-1].evaluation is tests[-1]


@pytest.mark.parametrize(("epochs", "steps"), [(0.01, 1), (0.5, 6), (0.6, 8), (1.0, 13), (1.25, 16)])
def test_part_of_an_epoch_can_be_asked_for_and_is_tested_at_its_end(epochs: float, steps: int) -> None:
    events = run(TrainConfig(batch_size=16, epochs=epochs))
    assert events[-1].step == steps
    assert [event.step for event in events if isinstance(event, Evaluation)][-1] == steps


def test_an_evaluation_reads_every_test_digit_once_and_sums_before_it_divides() -> None:
    model = initial_model(TINY)
    evaluation = run(model=model)[-1].evaluation
    with torch.no_grad():
        log_probabilities = model(TEST.normalised())
    said = log_probabilities.argmax(dim=1)
    expected = torch.zeros(10, 10, dtype=torch.int64)
    for truth, answer in zip(TEST.labels, said, strict=True):
        expected[truth, answer] += 1
    assert torch.equal(evaluation.confusion, expected)
    assert (evaluation.n, evaluation.correct) == (70, int((said == TEST.labels).sum()))
    assert evaluation.accuracy == evaluation.correct / 70
    assert evaluation.loss == pytest.approx(float(F.nll_loss(log_probabilities, TEST.labels)), rel=1e-5)


def test_progress_tells_how_far_an_evaluation_is() -> None:
    events = list(fit(initial_model(TINY), LEARN, TEST, TINY, progress=True))
    assert [(event.done, event.n) for event in events if isinstance(event, Testing)] == [
        (32, 70),
        (64, 70),
        (70, 70),
    ]


def test_a_run_learns() -> None:
    events = run(TrainConfig(batch_size=16, epochs=6))
    assert losses(events)[0] == pytest.approx(math.log(10), abs=0.3)
    assert events[-1].evaluation.accuracy > 0.9


def test_the_first_loss_is_that_of_the_untrained_network_without_dropout() -> None:
    config = TrainConfig(batch_size=200, dropout1=0, dropout2=0, epochs=1, label_smoothing=0.1)
    model = initial_model(config)
    with torch.no_grad():
        logs = model(LEARN.normalised())
    expected = F.cross_entropy(logs, LEARN.labels, label_smoothing=0.1)
    assert losses(run(config))[0] == pytest.approx(float(expected), rel=1e-5)


# Chance


def test_the_same_seed_gives_the_same_run_bit_for_bit_and_another_does_not() -> None:
    assert losses(run()) == losses(run())
    assert losses(run(TrainConfig(batch_size=16, seed=4))) != losses(run())


@pytest.mark.parametrize("augment", ["shift", "pen"])
def test_augmented_runs_repeat_too(augment: str) -> None:
    config = TrainConfig(batch_size=50, augment=augment, epochs=2)
    assert losses(run(config)) == losses(run(config)) != losses(run(TrainConfig(batch_size=50, epochs=2)))


def test_two_runs_that_take_turns_lose_what_each_loses_alone() -> None:
    other = TrainConfig(batch_size=24, epochs=1, seed=9, dropout1=0.5)
    alone, other_alone = losses(run()), losses(run(other))
    events, other_events = (fit(initial_model(c), LEARN, TEST, c) for c in (TINY, other))
    got: tuple[list[Event], list[Event]] = ([], [])
    while not all(taken and isinstance(taken[-1], Finished) for taken in got):
        for taken, source in zip(got, (events, other_events), strict=True):
            taken.extend(event for event in [next(source, None)] if event is not None)
    assert losses(got[0]) == alone
    assert losses(got[1]) == other_alone


def test_two_runs_in_two_threads_lose_what_each_loses_alone() -> None:
    configs = [TrainConfig(batch_size=16, seed=seed, threads=1) for seed in (1, 2)]
    alone = [losses(run(config)) for config in configs]
    together: dict[int, list[float]] = {}
    workers = [
        threading.Thread(target=lambda i=i, config=config: together.update({i: losses(run(config))}))
        for i, config in enumerate(configs)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [together[0], together[1]] == alone


def test_a_paused_run_goes_on_as_if_nothing_had_been_whatever_else_drew_from_chance() -> None:
    events = fit(initial_model(TINY), LEARN, TEST, TINY)
    got = []
    for event in events:
        got.append(event)
        torch.rand(7)
        torch.manual_seed(0)
    assert losses(got) == losses(run())


def test_a_run_leaves_the_callers_chance_and_threads_alone() -> None:
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    config = TrainConfig(batch_size=100, epochs=1, threads=1 if threads > 1 else 2)
    for _ in fit(initial_model(config), LEARN, TEST, config):
        assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), before)


def test_an_initial_model_is_what_its_seed_gives() -> None:
    first, again, other = (initial_model(TrainConfig(seed=seed)) for seed in (5, 5, 6))
    assert torch.equal(first.fc1.weight, again.fc1.weight)
    assert not torch.equal(first.fc1.weight, other.fc1.weight)


# Stopping and changing


def test_a_run_that_is_closed_leaves_a_model_that_reads() -> None:
    model = initial_model(TINY)
    events = fit(model, LEARN, TEST, TINY, progress=True)
    for event in events:
        assert not model.training
        assert torch.is_grad_enabled()
        if isinstance(event, Testing):
            break
    events.close()
    assert torch.equal(model(TEST.normalised()), model(TEST.normalised()))
    assert all(parameter.isfinite().all() for parameter in model.parameters())


def test_a_run_learns_whatever_gradient_mode_its_caller_is_in() -> None:
    with torch.no_grad():
        assert losses(run()) == losses(run())
        assert not torch.is_grad_enabled()
    with torch.no_grad():
        inside = losses(run())
    assert inside == losses(run())


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("optimizer", ["adadelta", "muon"])
def test_whatever_mode_the_caller_is_in_the_run_is_the_same(mode: str, optimizer: str) -> None:
    config = TrainConfig(
        batch_size=50,
        optimizer=optimizer,
        augment="pen",
        non_digits=1,
        label_smoothing=0.1,
        learning_rate=0.05,
    )
    expected = run(config)
    with MODES[mode]():
        events = run(config)
    assert losses(events) == losses(expected)
    assert events[-1].evaluation.loss == expected[-1].evaluation.loss


def test_a_network_made_for_inference_alone_cannot_be_trained() -> None:
    with torch.inference_mode():
        model = ConvNet()
    with pytest.raises(ValueError, match=r"made outside of torch\.inference_mode"):
        run(model=model)


def test_whoever_puts_the_model_in_another_mode_between_events_does_no_harm() -> None:
    model = initial_model(TINY)
    got = []
    for event in fit(model, LEARN, TEST, TINY):
        model.train(mode=len(got) % 2 == 0)
        got.append(event)
    assert losses(got) == losses(run())


def test_a_change_of_learning_rate_holds_from_the_next_step() -> None:
    events = fit(initial_model(TINY), LEARN, TEST, TINY)
    rates = [next(events).learning_rate, next(events).learning_rate]
    rates += [events.send(Change(learning_rate=0.125)).learning_rate, next(events).learning_rate]
    rates += [events.send(Change(learning_rate=2.0)).learning_rate, next(events).learning_rate]
    assert rates == [0.5, 0.5, 0.125, 0.125, 2.0, 2.0]


def test_a_change_of_momentum_changes_the_run() -> None:
    config = TrainConfig(batch_size=16, optimizer="momentum", learning_rate=0.01)
    events = fit(initial_model(config), LEARN, TEST, config)
    got = [next(events), next(events), events.send(Change(momentum=0.0)), *events]
    assert losses(got)[:3] == losses(run(config))[:3]
    assert losses(got)[4:] != losses(run(config))[4:]


def test_a_change_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="learning_rate must be a number from 1e-05 to 100; got 0"):
        Change(learning_rate=0.0)
    events = fit(initial_model(TINY), LEARN, TEST, TINY)
    next(events)
    with pytest.raises(ValueError, match="Only SGD with momentum has a momentum to change, not adadelta"):
        events.send(Change(momentum=0.5))
    events = fit(initial_model(TINY), LEARN, TEST, TINY)
    next(events)
    with pytest.raises(ValueError, match="A run can be sent a Change; got float"):
        events.send(0.5)


def test_a_rate_that_is_too_high_explodes_and_one_that_crawls_stays_at_guessing() -> None:
    high, low = (
        losses(run(replace(PRESETS[name], train_size=200, batch_size=16, epochs=1.0)))
        for name in ("too_high", "crawling")
    )
    assert not max(high) < 100  # a loss may be no number
    assert low[-1] == pytest.approx(math.log(10), abs=0.15)


def test_a_triangle_rises_to_the_peak_and_falls_to_nothing() -> None:
    config = TrainConfig(batch_size=10, epochs=5, schedule="triangle", learning_rate=0.1)
    rates = [event.learning_rate for event in run(config) if isinstance(event, Step)]
    top = rates.index(max(rates))
    assert rates[: top + 1] == sorted(rates[: top + 1]) and rates[top:] == sorted(rates[top:], reverse=True)
    assert max(rates) == pytest.approx(0.1, rel=0.05)
    # Each of the 100 steps has the rate of its middle: half a step after the start, and before the end.
    assert rates[0] == pytest.approx(0.1 * 0.5 / 10) and rates[-1] == pytest.approx(0.1 * 0.5 / 90)


# Recipes


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adadelta", "adam", "adamw"])
def test_each_optimizer_steps_as_torchs_plain_one(optimizer: str) -> None:
    config = TrainConfig(optimizer=optimizer, learning_rate=0.01, weight_decay=0.1, momentum=0.5)
    plain = {
        "sgd": lambda p: torch.optim.SGD(p, lr=0.01, weight_decay=0.1),
        "momentum": lambda p: torch.optim.SGD(p, lr=0.01, weight_decay=0.1, momentum=0.5),
        "adadelta": lambda p: torch.optim.Adadelta(p, lr=0.01, weight_decay=0.1),
        "adam": lambda p: torch.optim.Adam(p, lr=0.01, weight_decay=0.1),
        "adamw": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1),
    }[optimizer]
    models = [initial_model(config).eval() for _ in range(2)]
    for model, optim in zip(
        models, (make_optimizer(models[0], config), plain(models[1].parameters())), strict=True
    ):
        for _ in range(3):
            train_step(model, optim, LEARN.normalised(), LEARN.labels)
    for ours, theirs in zip(models[0].parameters(), models[1].parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_what_is_no_digit_is_taught_as_all_of_them_and_digits_with_their_smoothing(smoothing: float) -> None:
    model = initial_model(TINY).eval()
    labels = LEARN.labels.clone()
    labels[::3] = NO_DIGIT
    targets = torch.full((200, 10), 0.1)
    is_digit = labels != NO_DIGIT
    targets[is_digit] = (1 - smoothing) * F.one_hot(labels[is_digit], 10) + smoothing / 10
    with torch.no_grad():
        expected = -(targets * model(LEARN.normalised())).sum(dim=1).mean()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    options = {"label_smoothing": smoothing, "non_digits": True}
    loss = train_step(model, optimizer, LEARN.normalised(), labels, **options)
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)


def test_a_recipe_with_non_digits_learns_from_them() -> None:
    labels = LEARN.labels.clone()
    labels[::3] = NO_DIGIT
    config = TrainConfig(batch_size=50, non_digits=1)
    assert run(config, learn=Digits(LEARN.images, labels))[-1].evaluation.n == 70


def test_resolving_makes_precision_and_threads_concrete_and_is_done_once() -> None:
    resolved = resolve(TrainConfig(precision="auto"))
    assert resolved.precision in ("float32", "bfloat16")
    assert resolved.threads == torch.get_num_threads()
    assert resolve(resolved) == resolved


def test_sixteen_bits_learn_as_well_and_keep_the_weights_in_32() -> None:
    config = TrainConfig(batch_size=16, epochs=6, precision="bfloat16")
    model = initial_model(config)
    assert run(config, model)[-1].evaluation.accuracy > 0.9
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_the_device_is_chosen_or_taken_by_name() -> None:
    assert pick_device("cpu") == torch.device("cpu")
    assert pick_device() == pick_device("auto")
    says = "There is no device 'abacus' here; use cpu, cuda, mps or auto"
    with pytest.raises(ValueError, match=says):
        pick_device("abacus")
    with pytest.raises(ValueError, match=says):
        fit(initial_model(TINY), LEARN, TEST, TINY, "abacus")
    with pytest.raises(ValueError, match=says):
        resolve(TrainConfig(precision="auto"), "abacus")


@pytest.mark.parametrize("config", [{"epochs": 1}, None, "book"])
def test_a_recipe_that_is_none_is_refused(config: object) -> None:
    for take in (
        lambda: fit(initial_model(TINY), LEARN, TEST, config),
        lambda: initial_model(config),
        lambda: load_data(config),
        lambda: mnist_loaders(config),
    ):
        with pytest.raises(
            ValueError, match=r"A recipe is a TrainConfig; got .*\. TrainConfig\.from_dict makes one"
        ):
            take()


class Answers(nn.Module):
    """Flattens its pictures, and makes what `end` says of ten sums."""

    def __init__(self, end: Callable[[torch.Tensor], torch.Tensor], pixels: int = 784) -> None:
        super().__init__()
        self.fc, self.end = nn.Linear(pixels, 10), end

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.end(self.fc(x.flatten(1)))


def diverged() -> ConvNet:
    model = ConvNet()
    model.cn1.bias.data[0] = math.nan
    return model


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (Answers(lambda x: x), r"got \(1, 10\) whose exponentials add up to .* End it with F.log_softmax"),
        (Answers(lambda x: x.softmax(1)), "End it with F.log_softmax"),
        (Answers(lambda x: x.log_softmax(1)[:, :5]), r"got \(1, 5\)"),
        (Answers(lambda x: x.log_softmax(1), pixels=100), "shapes cannot be multiplied"),
        (ConvNet().double(), "must have float32 weights, .*; got torch.float64"),
        (ConvNet().half(), "got torch.float16"),
        (ConvNet().to("meta"), "must have float32 weights"),
        (ConvNet().requires_grad_(False), "must have weights with requires_grad; got none"),
        (nn.Flatten(), "must have weights with requires_grad; got none"),
        (diverged(), "cn1.bias is not all finite numbers"),
        ("ConvNet", "Expected a network to train; got str"),
    ],
)
def test_a_network_that_cannot_be_trained_is_refused_before_the_first_step(model: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        fit(model, LEARN, TEST, TINY)


def test_any_network_that_gives_log_probabilities_is_trained() -> None:
    events = run(TrainConfig(batch_size=16, epochs=3), Answers(lambda x: x.log_softmax(1)))
    assert events[-1].evaluation.accuracy > 0.9


@pytest.mark.parametrize("freeze", [1.0, 0.3, 0.0])
def test_layers_that_were_frozen_before_stay_as_they_are_during_and_after_a_run(freeze: float) -> None:
    config = replace(TINY, freeze=freeze)
    model = initial_model(config)
    model.cn1.requires_grad_(False)
    model.cn2.bias.requires_grad_(False)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    run(config, model)
    learns = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert set(before) - learns == {"cn1.weight", "cn1.bias", "cn2.bias"}
    changed = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed == learns


def test_a_process_that_is_forked_while_another_thread_trains_can_train_itself() -> None:
    script = """
import os, sys, threading, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside threads, as is meant here
sys.path[:0] = ["tests"]
from test_training import LEARN, TEST, TINY, fit, initial_model, losses, replace, run
import torch
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
sys.path[:0] = ["tests", {str(tmp_path)!r}]
from test_training import TINY, initial_model
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
        cwd=Path(training.__file__).parents[1],
        env=os.environ | {"PYTHONPATH": "tests/helpers"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr


# The chapter's loops


class Constant(nn.Module):
    """Says "3" with certainty 0.91, whatever it is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.full((10,), 0.01).log().index_fill(0, torch.tensor(3), math.log(0.91)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.bias.expand(len(x), 10)


def loader(n: int, batch_size: int, sampler: Sampler[int] | None = None) -> DataLoader:
    data = TensorDataset(torch.zeros(n, 1, 28, 28), torch.full((n,), 3))
    return DataLoader(data, batch_size=batch_size, sampler=sampler)


def test_train_prints_the_books_line_every_ten_batches(capsys: pytest.CaptureFixture[str]) -> None:
    model = Constant()
    training.train(model, "cpu", loader(84, 4), torch.optim.SGD(model.parameters(), lr=0.0), epoch=2)
    loss = -math.log(0.91)
    assert capsys.readouterr().out == (
        f"epoch: 2 [0 / 84] (0%) \t training loss: {loss:.6f}\n"
        f"epoch: 2 [40 / 84] (48%) \t training loss: {loss:.6f}\n"
        f"epoch: 2 [80 / 84] (95%) \t training loss: {loss:.6f}\n"
    )


@pytest.mark.parametrize(
    ("data", "positions"),
    [
        (loader(43, 4), ["0 / 43", "40 / 43"]),  # the eleventh batch holds three
        (loader(164, 4, RandomSampler(range(164), num_samples=84)), ["0 / 84", "40 / 84", "80 / 84"]),
        (loader(10, 4, RandomSampler(range(10), num_samples=42)), ["0 / 42", "40 / 42"]),
    ],
    ids=["a smaller last batch", "a sampler that leaves digits out", "a sampler that repeats digits"],
)
def test_train_prints_how_many_digits_came_before_a_batch(
    data: DataLoader, positions: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    model = Constant()
    training.train(model, "cpu", data, torch.optim.SGD(model.parameters(), lr=0.0), epoch=1)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("[")[1].split("]")[0] for line in lines] == positions


def test_test_prints_the_books_line_and_returns_loss_and_accuracy(capsys: pytest.CaptureFixture[str]) -> None:
    data = TensorDataset(torch.zeros(10, 1, 28, 28), torch.tensor([3] * 7 + [5] * 3))
    loss, accuracy = training.test(Constant(), "cpu", DataLoader(data, batch_size=4))
    expected = -(7 * math.log(0.91) + 3 * math.log(0.01)) / 10
    assert (loss, accuracy) == (pytest.approx(expected), 0.7)
    assert capsys.readouterr().out == (
        f"\nTest dataset: Overall Loss: {expected:.4f}, Overall Accuracy: 7/10 (70%)\n\n"
    )


def test_test_counts_the_digits_that_come_whatever_the_data_set_holds(
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = TensorDataset(torch.zeros(10, 1, 28, 28), torch.tensor([3] * 7 + [5] * 3))
    assert training.test(Constant(), "cpu", DataLoader(data, 2, sampler=[0, 1, 2, 9]))[1] == 0.75
    assert "Overall Accuracy: 3/4 (75%)" in capsys.readouterr().out
    assert training.test(Constant(), "cpu", list(DataLoader(data, 5)))[1] == 0.7
    with pytest.raises(ValueError, match=r"Expected digits to train or test with; got none\."):
        training.test(Constant(), "cpu", DataLoader(data, 2, sampler=[]))


def test_train_steps_as_the_books_loop_does() -> None:
    def book(model: nn.Module, optim: torch.optim.Optimizer) -> None:
        model.train()
        for X, y in batches:
            optim.zero_grad()
            loss = F.nll_loss(model(X), y)
            loss.backward()
            optim.step()

    batches = DataLoader(TensorDataset(LEARN.normalised(), LEARN.labels), batch_size=32)
    models = []
    for loop in (book, lambda model, optim: training.train(model, "cpu", batches, optim, 1)):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = ConvNet()
            loop(model, torch.optim.Adadelta(model.parameters(), lr=0.5))
            models.append(model)
    for ours, books in zip(models[1].parameters(), models[0].parameters(), strict=True):
        assert torch.equal(ours, books)


def test_train_and_fit_take_the_same_steps_bit_for_bit() -> None:
    config = TrainConfig(dropout1=0, dropout2=0, threads=1)
    batches = DataLoader(TensorDataset(LEARN.normalised(), LEARN.labels), batch_size=32)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        chapters = initial_model(config).to(memory_format=torch.channels_last)  # as `fit` lays its model out
        optimizer = torch.optim.Adadelta(chapters.parameters(), lr=0.5)
        for epoch in (1, 2):
            training.train(chapters, "cpu", batches, optimizer, epoch)
        fitted = initial_model(config)
        list(fit(fitted, batches, TEST, config))
    finally:
        torch.set_num_threads(before)
    for ours, books in zip(fitted.parameters(), chapters.parameters(), strict=True):
        assert torch.equal(ours, books)


# Loaders


class Recorded(ConvNet):
    """Remembers the batches that it was trained on."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[torch.Tensor] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.seen.append(x.detach().clone())
        return super().forward(x)


def test_digits_in_memory_are_shuffled_anew_in_each_epoch() -> None:
    model = Recorded()
    list(fit(model, LEARN, TEST, TrainConfig(batch_size=200, epochs=2)))
    first, second = model.seen
    images = LEARN.normalised()
    for epoch in (first, second):
        assert sorted(map(tuple, epoch.flatten(1).tolist())) == sorted(map(tuple, images.flatten(1).tolist()))
    assert not torch.equal(first, images) and not torch.equal(second, images)
    assert not torch.equal(first, second)


def test_a_loader_is_used_as_given_with_its_sampler_transform_and_batch_size() -> None:
    class Doubled(torch.utils.data.Dataset[tuple[torch.Tensor, int]]):
        def __len__(self) -> int:
            return 200

        def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
            return 2 * LEARN.normalised()[index], int(LEARN.labels[index])

    model = Recorded()
    chosen = [5, 3, 150, 7, 9]
    given = DataLoader(Doubled(), batch_size=2, sampler=chosen)
    events = list(fit(model, given, TEST, TrainConfig(batch_size=100, epochs=2)))
    assert [len(batch) for batch in model.seen] == [2, 2, 1, 2, 2, 1]
    assert torch.equal(torch.cat(model.seen[:3]), 2 * LEARN.normalised()[chosen])
    steps = [event for event in events if isinstance(event, Step)]
    assert [step.epoch for step in steps] == [1, 1, 1, 2, 2, 2]
    assert [step.seen for step in steps] == [2, 4, 5, 7, 9, 10]


def test_a_shuffling_loader_gives_the_same_run_for_the_same_seed_and_leaves_the_callers_generator() -> None:
    given = DataLoader(TensorDataset(LEARN.normalised(), LEARN.labels), batch_size=20, shuffle=True)
    before = torch.get_rng_state()
    first, second = (losses(list(fit(initial_model(TINY), given, TEST, TINY))) for _ in range(2))
    assert first == second
    other = TrainConfig(**{**TINY.to_dict(), "seed": 4})
    assert losses(list(fit(initial_model(TINY), given, TEST, other))) != first
    assert torch.equal(before, torch.get_rng_state())


def test_a_test_loader_is_tested_on_what_its_sampler_gives() -> None:
    data = TensorDataset(TEST.normalised(), TEST.labels)
    given = DataLoader(data, batch_size=8, sampler=range(20))
    end = list(fit(initial_model(TINY), LEARN, given, TINY, progress=True))
    assert end[-1].evaluation.n == 20
    assert [(e.done, e.n) for e in end if isinstance(e, Testing)] == [(8, 20), (16, 20), (20, 20)]


def test_a_test_loader_that_drops_its_last_batch_has_as_many_digits_as_it_gives() -> None:
    given = DataLoader(TensorDataset(TEST.normalised(), TEST.labels), batch_size=32, drop_last=True)
    end = list(fit(initial_model(TINY), LEARN, given, TINY, progress=True))
    assert [(e.done, e.n) for e in end if isinstance(e, Testing)] == [(32, 64), (64, 64)]
    assert end[-1].evaluation.n == 64


@pytest.mark.parametrize(
    ("loader", "says"),
    [
        (DataLoader(TensorDataset(LEARN.images, LEARN.labels), 8), r"torch.uint8 \(8, 28, 28\)"),
        (DataLoader(TensorDataset(LEARN.normalised(), LEARN.labels + 70), 8), "Labels must be 0 to 9"),
        (DataLoader(TensorDataset(LEARN.normalised()), 8), "must be pairs"),
        (DataLoader(TensorDataset(LEARN.normalised(), LEARN.labels), None), "needs a batch_size"),
        (DataLoader(TensorDataset(LEARN.normalised(), LEARN.labels), 8, sampler=[]), "got none"),
        (DataLoader(TensorDataset(LEARN.normalised(), LEARN.labels - 100), 8), "Labels must be 0 to 9"),
        (DataLoader(TensorDataset(LEARN.normalised(), LEARN.labels - 1), 8), "Labels must be 0 to 9"),
        (DataLoader(TensorDataset(LEARN.images[:, None] / 255, LEARN.labels), 8), "must be normalised"),
        (DataLoader(LEARN, 8, collate_fn=lambda _: LEARN.labels), "must be pairs"),
        (DataLoader(LEARN, 8, collate_fn=lambda _: (LEARN.normalised()[:0], LEARN.labels[:0])), "got none"),
    ],
)
def test_a_loader_that_gives_no_digits_is_refused_with_what_it_gave(loader: DataLoader, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        list(fit(initial_model(TINY), loader, TEST, TINY))


class Flipped(Dataset[tuple[torch.Tensor, int]]):
    """The digits of `LEARN`, each flipped or not, anew whenever it is asked for."""

    def __len__(self) -> int:
        return 200

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        image, label = LEARN[index]
        return (image.flip(2) if torch.rand(()) < 0.5 else image), label


def test_a_data_set_gives_its_items_anew_in_every_epoch() -> None:
    model = Recorded()
    before = torch.get_rng_state()
    run(TrainConfig(batch_size=200, epochs=2), model, Flipped())
    assert torch.equal(torch.get_rng_state(), before)
    first, second = ({tuple(image.flatten().tolist()) for image in epoch} for epoch in model.seen)
    both = {
        tuple(image.flatten().tolist())
        for image in torch.cat([LEARN.normalised(), LEARN.normalised().flip(3)])
    }
    assert first | second <= both and 50 < len(first - second) < 150
    assert losses(run(learn=Flipped())) == losses(run(learn=Flipped()))


@pytest.mark.parametrize(
    "same", [LEARN, Subset(LEARN, range(200)), TensorDataset(LEARN.normalised(), LEARN.labels), list(LEARN)]
)
def test_the_same_digits_in_another_form_give_the_same_run(same: object) -> None:
    assert losses(run(learn=same)) == losses(run())


def test_a_torchvision_data_set_is_trained_on_as_its_transforms_make_it() -> None:
    normalised = transforms.Compose([transforms.ToTensor(), transforms.Normalize((MEAN,), (STD,))])
    assert losses(run(learn=AsTorchvision(normalised, None))) == losses(run())
    inverted = transforms.Compose([transforms.RandomInvert(1.0), normalised])
    model = Recorded()
    run(TrainConfig(batch_size=200, epochs=1), model, AsTorchvision(inverted, lambda label: 9 - label))
    expected = normalise(255 - LEARN.images).flatten(1).tolist()
    assert sorted(model.seen[0].flatten(1).tolist()) == sorted(expected)
    with pytest.raises(ValueError, match=r"must be normalised, paper at -0\.42; got values from 0 to 1\."):
        run(learn=Subset(AsTorchvision(transforms.ToTensor(), None), range(100)))


class AsTorchvision(VisionDataset):
    """`LEARN`, held and given as torchvision's MNIST does."""

    def __init__(self, transform: object, target_transform: object) -> None:
        super().__init__(".", transform=transform, target_transform=target_transform)
        self.data, self.targets = LEARN.images, LEARN.labels

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[object, object]:
        image, label = Image.fromarray(self.data[index].numpy()), int(self.targets[index])
        image = self.transform(image) if self.transform else image
        return image, self.target_transform(label) if self.target_transform else label


# Real digits


@pytest.mark.mnist
def test_two_thousand_digits_teach_it_to_read_nine_in_ten(data_folder: Path) -> None:
    config = TrainConfig(train_size=2000, epochs=2)
    *_, end = fit(initial_model(config), *load_data(config, data_folder), config)
    assert end.evaluation.n == 10_000
    assert end.evaluation.accuracy > 0.9


@pytest.mark.mnist
def test_the_books_recipe_reads_what_the_books_script_reads(data_folder: Path) -> None:
    config = TrainConfig()
    *_, end = fit(initial_model(config), *load_data(config, data_folder), config)
    assert end.evaluation.n == 10_000
    assert 0.983 <= end.evaluation.accuracy <= 0.989


@pytest.mark.mnist
def test_the_command_line_and_python_lose_the_same_bit_for_bit(data_folder: Path, tmp_path: Path) -> None:
    config = TrainConfig(train_size=1000, batch_size=50, seed=11, augment="shift", threads=1)
    flags = [
        "--train-size=1000",
        "--epochs=2",
        "--batch-size=50",
        "--seed=11",
        "--augment=shift",
        "--threads=1",
    ]
    command = [
        sys.executable,
        "-m",
        "mnist_core",
        "train",
        *flags,
        f"--data-dir={data_folder}",
        f"--out={tmp_path}",
    ]
    subprocess.run(command, cwd=Path(training.__file__).parents[1], check=True, capture_output=True)
    rows = (tmp_path / "history.csv").read_text().splitlines()[1:]
    events = list(fit(initial_model(config), *load_data(config, data_folder), config))
    assert [float(row.split(",")[2]) for row in rows] == losses(events)
