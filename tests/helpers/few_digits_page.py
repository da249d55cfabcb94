"""`app.py` with few synthetic digits to test and calibrate with: drawing them takes its time."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from mnist_core import data
from mnist_core.engine import calibrate

if __name__ == "__main__":
    data.SYNTHETIC_TEST_SIZE = calibrate.CALIBRATION_DIGITS = 200
    import app

    app.warm_up()
    app.serve(app.demo)
