"""What can be typed: the commands and their flags. Imports no torch, so that `--help` answers at once."""

from __future__ import annotations

import argparse
import platform
from importlib.metadata import version
from pathlib import Path

from mnist_core.config import PRESETS, Knob, TrainConfig, knobs
from mnist_core.datasets.download import FOLDER_VARIABLE

VERSION = "1.0"


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command line; `command` in what it returns names the module that runs it."""
    parser = argparse.ArgumentParser(
        prog="python -m mnist_core", description="Train, test and use the ConvNet."
    )
    parser.add_argument("--version", action="version", version=_versions())
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="train | test | predict | strings | benchmark"
    )
    training = commands.add_parser("train", help="train on MNIST; without flags, with the book's recipe")
    _add_training(training)
    testing = commands.add_parser("test", help="evaluate stored weights on all 10,000 test digits")
    predicting = commands.add_parser("predict", help="read the digits in each picture")
    _add_predicting(predicting)
    reading = commands.add_parser("strings", help="train the network that says how many digits ink is")
    _add_strings(reading)
    timing = commands.add_parser("benchmark", help="compare speed with the book's pipeline")
    _add_timing(timing)
    for command in (testing, predicting):
        command.add_argument("--weights", type=_path, help="default: those of the built-in model")
    for command in (training, testing, reading, timing):
        command.add_argument(
            "--data-dir", type=_path, help=f"MNIST's folder; default: ${FOLDER_VARIABLE}, else ./data"
        )
    for command in (training, testing, predicting):
        command.add_argument("--device", help="cpu, cuda or mps; default: the best available")
    return parser


def _versions() -> str:
    return f"mnist_core {VERSION}, torch {version('torch')}, Python {platform.python_version()}"


def _path(given: str) -> Path:
    """A path, with `~` for the user's home: a shell leaves it as it is in `--out=~/run`."""
    try:
        return Path(given).expanduser()
    except RuntimeError as error:
        raise argparse.ArgumentTypeError(f"{given} begins with a home that does not exist here") from error


def _add_training(training: argparse.ArgumentParser) -> None:
    training.add_argument(
        "--preset", choices=PRESETS, default="book", help="the recipe that the flags change"
    )
    training.add_argument(
        "--out",
        type=_path,
        help="new folder for weights.pt, weights.json, history.csv, loss.png, confusion.png",
    )
    for name, knob in knobs().items():
        _add_field(training, name, knob)


def _add_field(training: argparse.ArgumentParser, name: str, knob: Knob) -> None:
    """A flag for one field of the recipe; unless given, the preset's value stays."""
    default = getattr(TrainConfig(), name)
    limits = "" if knob.choices else f" A number {knob.limits}."
    training.add_argument(
        "--" + name.replace("_", "-"),
        type=type(default),
        choices=knob.choices,
        default=argparse.SUPPRESS,
        metavar=None if knob.choices else name.upper(),
        help=f"{knob.help}{limits} The book: {default}.".replace("%", "%%"),
    )


def _add_predicting(predicting: argparse.ArgumentParser) -> None:
    predicting.add_argument(
        "images",
        nargs="+",
        metavar="IMAGE",
        help="dark ink on light, or light on dark; - for standard input",
    )
    predicting.add_argument("--json", action="store_true", help="print a JSON list instead of lines")


def _add_strings(reading: argparse.ArgumentParser) -> None:
    reading.add_argument("--out", type=_path, required=True, help="file for the weights")
    reading.add_argument(
        "--pieces", type=int, default=900_000, help="how many are drawn; default: %(default)s"
    )
    reading.add_argument("--epochs", type=float, default=4.0, help="default: %(default)s")
    reading.add_argument("--seed", type=int, default=1, help="default: %(default)s")


def _add_timing(timing: argparse.ArgumentParser) -> None:
    timing.add_argument(
        "--quick", action="store_true", help="under a minute; the book's training is not run to 99 %%"
    )
    timing.add_argument("--json", type=_path, metavar="FILE", help="also write the results there")
