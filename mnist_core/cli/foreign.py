"""A word about digits that are not MNIST's."""

from __future__ import annotations

from pathlib import Path

from mnist_core.cli.output import tell
from mnist_core.datasets.download import find_folder, foreign_files, raw_folder


def warn_of_foreign_files(folder: Path | None) -> None:
    """Say which of the files in MNIST's place are not MNIST's; Fashion-MNIST can be tried on purpose."""
    files = foreign_files(folder)
    if files:
        where = raw_folder(find_folder(folder))
        tell(f"these are not MNIST's files: {', '.join(files)} in {where}. Going on with what they hold.")
