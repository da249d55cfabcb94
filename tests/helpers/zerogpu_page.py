"""`app.py` on a machine without a GPU, as if its worker process had been given one.

The worker of the `spaces` package begins by putting a tensor on its GPU. Here it leaves that out, and nothing
else, so that what is handed to it then trains on the CPU.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))


def main() -> None:
    """Serve the page."""
    app = importlib.import_module("app")  # imports `spaces`, as on a Space
    emulation = sys.modules["spaces.zero.torch"]
    emulation.init = emulation.move = lambda *_, **__: None
    app.warm_up()
    app.serve(app.demo)


if __name__ == "__main__":
    main()
