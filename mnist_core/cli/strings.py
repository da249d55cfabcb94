"""`strings`: the weights of the network that says how many digits a piece of ink is."""

from __future__ import annotations

import argparse
import os

import torch

from mnist_core.cli import run_folder
from mnist_core.cli.display import Display
from mnist_core.cli.foreign import warn_of_foreign_files
from mnist_core.cli.interruption import Interruption
from mnist_core.cli.usage import asked
from mnist_core.config import check_number, knobs
from mnist_core.data import load_mnist
from mnist_core.datasets.strings import draw_strings
from mnist_core.engine.string_training import BATCH_SIZE, calibrate_strings, save_strings, train_strings
from mnist_core.strings import StringNet

HELD_OUT = 3000  # of MNIST's training digits: the pieces that temperatures are fitted to are made from these
HELD_OUT_PIECES = 16_000
HELD_OUT_SEED = 100  # added to the seed of the rest
SHOWN_EVERY = 10  # hundreds of steps
MOST_PIECES = 10_000_000  # 20 GB


def run(options: argparse.Namespace, _: Interruption) -> int:
    """Draw the pieces, train on them, and write the weights to `options.out`; the exit status.

    Raises:
        ValueError: a flag is out of range, or the file could not be written; known before anything is drawn.
    """
    with asked():
        check_number("pieces", options.pieces, BATCH_SIZE, MOST_PIECES, whole=True)
        knobs()["epochs"].check("epochs", options.epochs, 0.0)
        knobs()["seed"].check("seed", options.seed, 0)
    if options.out.is_dir():
        raise ValueError(f"{options.out} is a folder: name a file for the weights with --out.")
    run_folder.check_room(options.out.parent)
    processes = os.cpu_count() or 1
    with Display() as display:
        mnist = load_mnist(options.data_dir, train=True, progress=display.download)
        warn_of_foreign_files(options.data_dir)
        known = mnist.subset(len(mnist) - HELD_OUT)
        unseen = mnist.subset(torch.arange(len(mnist) - HELD_OUT, len(mnist)))
        pieces = draw_strings(
            options.pieces,
            options.seed,
            known,
            processes=processes,
            drawn=lambda done: display.drawing(done, options.pieces),
        )
        torch.manual_seed(options.seed)
        model = StringNet()
        for number, event in enumerate(train_strings(model, pieces, options.epochs, options.seed), 1):
            if number % SHOWN_EVERY == 0 or event.step == event.steps:
                display.line(f"[{event.step} / {event.steps}]  loss: {event.loss:.4f}")
        temperatures = calibrate_strings(
            model, draw_strings(HELD_OUT_PIECES, options.seed + HELD_OUT_SEED, unseen, processes=processes)
        )
        save_strings(options.out, model, temperatures)
        display.line(f"Saved {options.out}; temperatures {temperatures[0]:.2f} and {temperatures[1]:.2f}.")
    return 0
