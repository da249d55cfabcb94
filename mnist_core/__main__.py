"""`python -m mnist_core train / test / predict / benchmark`."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path

from PIL import Image
from torch.utils.data import DataLoader, TensorDataset

from mnist_core import checkpoint
from mnist_core.classifier import SHIPPED_WEIGHTS, Classifier, Prediction
from mnist_core.config import PRESETS, Knob, TrainConfig, knobs
from mnist_core.data import load_data, load_mnist
from mnist_core.datasets.digits import Digits
from mnist_core.datasets.download import FOLDER_VARIABLE
from mnist_core.engine import distributed
from mnist_core.engine.calibrate import calibrate, unseen_digits
from mnist_core.engine.events import Evaluation, Event, Step
from mnist_core.engine.history import History, Watch
from mnist_core.engine.plots import confusion_figure, loss_figure
from mnist_core.engine.setup import initial_model, pick_device, resolve
from mnist_core.model import ConvNet
from mnist_core.training import LOG_EVERY, fit, test, test_line, train_line

BAR_WIDTH = 30  # characters
MISTAKE, INTERRUPTED = 2, 130  # exit statuses; 130 is what shells give Ctrl+C


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status. A user's mistake is one sentence on standard error."""
    given = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(given[:1] if given[:1] == ["benchmark"] else given)
    options.rest = given[1:]  # the benchmark parses its own flags
    try:
        status: int = options.run(options)
    except (ValueError, OSError) as error:
        print(f"mnist_core: {error}", file=sys.stderr)
        return MISTAKE
    except KeyboardInterrupt:
        print("\nmnist_core: interrupted.", file=sys.stderr)
        return INTERRUPTED
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m mnist_core", description="Train, test and use the ConvNet."
    )
    commands = parser.add_subparsers(required=True, metavar="train | test | predict | benchmark")
    training = commands.add_parser("train", help="train on MNIST; without flags, with the book's recipe")
    training.set_defaults(run=_train)
    training.add_argument(
        "--preset", choices=PRESETS, default="book", help="the recipe that the flags change"
    )
    training.add_argument(
        "--out", type=Path, help="folder for weights.pt, weights.json, history.csv, loss.png, confusion.png"
    )
    for name, knob in knobs().items():
        _add_flag(training, name, knob)
    testing = commands.add_parser("test", help="evaluate stored weights on all 10,000 test digits")
    testing.set_defaults(run=_test)
    predicting = commands.add_parser("predict", help="read the digit in each picture")
    predicting.set_defaults(run=_predict)
    predicting.add_argument("images", nargs="+", metavar="IMAGE", help="dark ink on light, or light on dark")
    predicting.add_argument("--json", action="store_true", help="print a JSON list instead of lines")
    for command in (testing, predicting):
        command.add_argument(
            "--weights", type=Path, default=SHIPPED_WEIGHTS, help="default: those of the built-in model"
        )
    for command in (training, testing):
        command.add_argument(
            "--data-dir", type=Path, help=f"MNIST's folder; default: ${FOLDER_VARIABLE}, else ./data"
        )
    for command in (training, testing, predicting):
        command.add_argument("--device", help="cpu, cuda or mps; default: the best available")
    timing = commands.add_parser("benchmark", help="compare speed with the book's pipeline", add_help=False)
    timing.set_defaults(run=_benchmark)
    return parser


def _add_flag(parser: argparse.ArgumentParser, name: str, knob: Knob) -> None:
    """A flag for one field of the recipe; unless given, the preset's value stays."""
    default = getattr(TrainConfig(), name)
    limits = "" if knob.choices else f" A number {knob.limits}."
    parser.add_argument(
        "--" + name.replace("_", "-"),
        type=type(default),
        choices=knob.choices,
        default=argparse.SUPPRESS,
        metavar=None if knob.choices else name.upper(),
        help=f"{knob.help}{limits} The book: {default}.".replace("%", "%%"),
    )


def _train(options: argparse.Namespace) -> int:
    given = {name: value for name, value in vars(options).items() if name in knobs()}
    config = replace(PRESETS[options.preset], **given)
    device = pick_device(options.device)
    shared = distributed.is_launched()
    with distributed.together(device) if shared else nullcontext(device) as device:
        config = resolve(config, device)
        writer = distributed.is_writer()
        show = _Display() if writer else None

        def load() -> tuple[Digits, Digits]:
            return load_data(config, options.data_dir, progress=show.download if show else None)

        train_data, test_data = distributed.writer_first(load) if shared else load()
        model = initial_model(config)
        if show:
            show.line(f"Training on {device.type} in {config.precision}, threads: {config.threads}.")
        events = (distributed.fit if shared else fit)(model, train_data, test_data, config, device)
        history, interrupted = _follow(events, config, len(train_data), show)
        if writer and options.out:
            _write(options.out, model, config, history, train_data)
            print(f"Wrote weights.pt, weights.json, history.csv and plots to {options.out}.")
    return INTERRUPTED if interrupted else 0


def _follow(
    events: Iterable[Event], config: TrainConfig, n: int, show: _Display | None
) -> tuple[History, bool]:
    """Train on `n` digits to the end or to Ctrl+C, reporting progress.

    Returns:
        The history, and whether it was interrupted.

    Raises:
        ValueError: the run diverged.
    """
    history, watch, batches = History(), Watch(config), math.ceil(n / config.batch_size)
    try:
        for event in events:
            if isinstance(event, Step):
                history.add_step(event)
                if show:
                    show.step(event, batches, n)
                trouble = watch.look(event, history.smoothed)
                if trouble and trouble.fatal:
                    raise ValueError(trouble.says)
            elif isinstance(event, Evaluation):
                history.add_evaluation(event)
                if show:
                    show.line(test_line(event.loss, event.correct, event.n))
    except KeyboardInterrupt:
        if show:
            show.line("Interrupted: the weights are as they were after the last step.")
        return history, True
    return history, False


def _write(folder: Path, model: ConvNet, config: TrainConfig, history: History, train_data: Digits) -> None:
    """A run's files: weights with their metadata, the metadata as JSON, the history, the plots."""
    calibration = calibrate(model, unseen_digits(config, train_data))
    tested = history.evaluations[-1] if history.evaluations else None
    accuracy, n = (tested.accuracy, tested.n) if tested else (None, 0)
    seconds = history.last.seconds if history.last else 0.0
    metadata = checkpoint.describe(
        config, accuracy=accuracy, n=n, seconds=seconds, calibration=asdict(calibration)
    )
    checkpoint.save(folder / "weights.pt", model, metadata)
    checkpoint.atomic_write(folder / "weights.json", (json.dumps(metadata, indent=2) + "\n").encode())
    checkpoint.atomic_write(folder / "history.csv", history.to_csv().encode())
    loss_figure(history).savefig(folder / "loss.png")
    if tested:
        confusion_figure(tested.confusion).savefig(folder / "confusion.png")


def _test(options: argparse.Namespace) -> int:
    device = pick_device(options.device)
    model, _ = checkpoint.load(options.weights)
    digits = load_mnist(options.data_dir, train=False, progress=_Display().download)
    data = TensorDataset(digits.normalised(), digits.labels)
    test(model.to(device), device, DataLoader(data, batch_size=TrainConfig().test_batch_size))
    return 0


def _predict(options: argparse.Namespace) -> int:
    classifier = Classifier.load(options.weights, pick_device(options.device))
    readings = [(name, classifier.predict(_open(name))) for name in options.images]
    if options.json:
        print(json.dumps([_as_values(name, prediction) for name, prediction in readings], indent=2))
    else:
        for name, prediction in readings:
            print(f"{name}: {_as_words(prediction)}")
    return 0


def _open(name: str) -> Image.Image:
    try:
        with Image.open(name) as image:
            image.load()
            return image
    except FileNotFoundError as error:
        raise ValueError(f"{name} does not exist: name a picture file.") from error
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{name} is not a picture that can be read: save it as PNG or JPEG.") from error


def _as_values(name: str, prediction: Prediction) -> dict[str, object]:
    return {
        "image": name,
        "digit": prediction.digit,
        "probabilities": prediction.probabilities,
        "guess": prediction.guess,
        "reason": prediction.reason,
    }


def _as_words(prediction: Prediction) -> str:
    if prediction.guess is None:
        return f"no digit. {prediction.reason}"
    guess = f"{prediction.guess} ({prediction.probabilities[prediction.guess]:.1%})"
    return guess if prediction.digit is not None else f"no digit. {prediction.reason} Perhaps {guess}."


def _benchmark(options: argparse.Namespace) -> int:
    from mnist_core.benchmark import run as benchmark  # no other command needs what it loads

    return benchmark.main(options.rest)


class _Display:
    """What a run prints: a progress bar on a terminal, the book's lines anywhere else."""

    def __init__(self) -> None:
        self.terminal = sys.stdout.isatty()
        self._drawn = ""
        self._announced = False

    def line(self, text: str) -> None:
        """Print a line above the bar."""
        self._draw("")
        print(text, flush=True)

    def step(self, step: Step, batches: int, n: int) -> None:
        """Show a step of an epoch with so many batches and digits."""
        b_i = (step.step - 1) % batches
        if not self.terminal:
            if b_i % LOG_EVERY == 0:
                print(train_line(step.epoch, b_i, batches, step.size, n, step.loss), flush=True)
            return
        speed = step.seen / step.seconds
        left = (step.steps - step.step) * step.seconds / step.step
        says = f"epoch {step.epoch}  loss {step.loss:.4f}  {speed:,.0f} images/s  {left:.0f} s left"
        self._bar(step.step / step.steps, says)

    def download(self, came: int, total: int) -> None:
        """Show the progress of MNIST's download, in bytes."""
        says = f"Downloading MNIST: {came / 1e6:.1f} of {total / 1e6:.1f} MB"
        if self.terminal:
            self._bar(came / total, says)
        elif not self._announced:
            print(says, flush=True)
        self._announced = True

    def _bar(self, share: float, says: str) -> None:
        filled = round(share * BAR_WIDTH)
        bar = f"{'█' * filled}{'░' * (BAR_WIDTH - filled)} {share:4.0%}  {says}"
        if bar != self._drawn:
            self._draw(bar)

    def _draw(self, bar: str) -> None:
        if self.terminal and (bar or self._drawn):
            print(f"\r{bar:<{len(self._drawn)}}", end="" if bar else "\r", flush=True)
            self._drawn = bar


if __name__ == "__main__":
    sys.exit(main())
