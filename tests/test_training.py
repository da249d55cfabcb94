"""Training: the book's lines, the events, and runs that repeat, pause, change and interleave bit for bit."""

from __future__ import annotations

import math
import subprocess
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from commands import DRAWN, ROOT, command
from modes import MODES
from noise import LEARN, TEST, TINY, losses, run
from torch import nn
from torch.utils.data import DataLoader, RandomSampler, Sampler, TensorDataset

from mnist_core import data, training
from mnist_core.config import PRESETS, TrainConfig
from mnist_core.data import load_data, mnist_loaders
from mnist_core.datasets.digits import NO_DIGIT, Digits
from mnist_core.engine.events import Change, Evaluation, Event, Finished, Step, Testing
from mnist_core.engine.optimizers import make_optimizer
from mnist_core.engine.setup import initial_model, pick_device, resolve
from mnist_core.engine.train_step import train_step
from mnist_core.model import ConvNet
from mnist_core.training import fit

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
    says = "There is no device 'abacus' here; use cpu, cuda or mps"
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


def test_a_recipe_that_freezes_layers_wants_a_network_that_has_them() -> None:
    model = Answers(lambda x: x.log_softmax(1))
    with pytest.raises(ValueError, match=r"got a network without cn1 and cn2\. Set freeze to 1\."):
        fit(model, LEARN, TEST, replace(TINY, freeze=0.9))
    model.cn1 = nn.Conv2d(1, 1, 1)
    with pytest.raises(ValueError, match=r"freezes the layers cn1 and cn2; got a network without cn2\."):
        fit(model, LEARN, TEST, replace(TINY, freeze=0.0))


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


# Real digits


@pytest.mark.mnist
def test_two_thousand_digits_teach_it_to_read_nine_in_ten(data_folder: Path) -> None:
    config = TrainConfig(train_size=2000, epochs=2)
    *_, end = fit(initial_model(config), *load_data(config, data_folder), config)
    assert end.evaluation.n == 10_000
    assert end.evaluation.accuracy > 0.9


@pytest.mark.full
@pytest.mark.mnist
def test_the_books_recipe_reads_what_the_books_script_reads(data_folder: Path) -> None:
    config = TrainConfig()
    *_, end = fit(initial_model(config), *load_data(config, data_folder), config)
    assert end.evaluation.n == 10_000
    assert 0.983 <= end.evaluation.accuracy <= 0.989


def test_the_command_line_and_python_lose_the_same_bit_for_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = TrainConfig(
        data="synthetic", train_size=320, epochs=2, batch_size=16, seed=11, augment="shift", threads=1
    )
    flags = [*DRAWN, "--epochs=2", "--seed=11", "--augment=shift", f"--out={tmp_path}"]
    subprocess.run(command(*flags), cwd=ROOT, check=True, capture_output=True)
    rows = (tmp_path / "history.csv").read_text().splitlines()[1:]
    monkeypatch.setattr(data, "SYNTHETIC_TEST_SIZE", 60)
    events = list(fit(initial_model(config), *load_data(config), config))
    assert len(rows) == 40
    assert [float(row.split(",")[2]) for row in rows] == losses(events)
