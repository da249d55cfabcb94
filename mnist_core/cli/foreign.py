"""A notice about digits that are not MNIST's."""

from __future__ import annotations

from pathlib import Path

from mnist_core.cli.output import tell
from mnist_core.datasets.download import foreign_notice


def warn_of_foreign_files(folder: Path | None) -> None:
    """Say which of the files in MNIST's place are not MNIST's; Fashion-MNIST can be tried on purpose."""
    notice = foreign_notice(folder)
    if notice is not None:
        tell(notice)
