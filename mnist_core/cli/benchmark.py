"""`benchmark`: speed, compared with the book's pipeline."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from mnist_core.benchmark import run as benchmark
from mnist_core.cli.foreign import warn_of_foreign_files
from mnist_core.cli.interruption import Interruption


def run(options: argparse.Namespace, _: Interruption) -> int:
    """Time everything and print it, and write it to `options.json`; the exit status."""
    if options.json:
        _check(options.json)
    warn_of_foreign_files(options.data_dir)
    results = benchmark.run(options.data_dir, quick=options.quick)
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    return 0


def _check(path: Path) -> None:
    """Raise `ValueError` if the file cannot be written; what is in it stays."""
    new = not path.exists()
    try:
        path.open("a").close()
    except OSError as error:
        raise ValueError(f"{path} cannot be written ({error.strerror}): name another file.") from error
    if new:
        path.unlink()
