"""`predict`: the digits in each picture."""

from __future__ import annotations

import argparse
import io
import json
import sys

from PIL import Image

from mnist_core.answers import as_values, digits_in
from mnist_core.classifier import Classifier, Prediction
from mnist_core.cli.interruption import Interruption
from mnist_core.cli.output import tell
from mnist_core.cli.usage import asked
from mnist_core.engine.setup import pick_device

STANDARD_INPUT = "-"


def run(options: argparse.Namespace, _: Interruption) -> int:
    """Print what each picture shows, or why it cannot be read; the exit status, 1 if any cannot."""
    with asked():
        device = pick_device(options.device)
    classifier = Classifier.load(options.weights, device)
    entries: list[dict[str, object]] = []
    for name in options.images:
        try:
            readings = _read(classifier, name)
        except ValueError as error:
            entries.append({"image": name, "error": str(error)})
            if not options.json:
                tell(str(error))
        else:
            entries.append({"image": name, **as_values(readings)})
            if not options.json:
                print(f"{name}: {_as_words(readings)}", flush=True)
    if options.json:
        print(json.dumps(entries, indent=2))
    return int(any("error" in entry for entry in entries))


def _read(classifier: Classifier, name: str) -> list[Prediction]:
    """What is read in a picture in a file, or on standard input. Raises `ValueError`, which names it."""
    try:
        with Image.open(io.BytesIO(sys.stdin.buffer.read()) if name == STANDARD_INPUT else name) as image:
            image.load()
    except FileNotFoundError as error:
        raise ValueError(f"{name} does not exist: name a picture file.") from error
    # Pillow's decoders raise whatever their libraries raise; all of it means that the file is at fault.
    except Exception as error:
        why = f" ({error.strerror})" if isinstance(error, OSError) and error.strerror else ""
        raise ValueError(f"{name} is not a picture that can be read{why}: save it as PNG or JPEG.") from error
    try:
        return classifier.read(image)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def _as_words(readings: list[Prediction]) -> str:
    values = as_values(readings)
    digits = digits_in(readings)
    if values["number"] is not None:
        probabilities = ", ".join(f"{max(each.probabilities):.1%}" for each in digits)
        left_out = f" {values['left_out']}" if values["left_out"] else ""
        return f"{values['number']} ({probabilities}){left_out}"
    closest = digits[0].closest if len(digits) == 1 else None
    perhaps = f" Perhaps {closest} ({max(values['probabilities']):.1%})." if closest is not None else ""
    return f"no digit. {values['reason']}{perhaps}"
