"""A file that `torch.save` wrote, checked before it is opened: a pickle runs whatever it names.

`torch.load` refuses such a pickle too, with `weights_only`, but only after it has made room for the tensors
that the file claims to hold, and less clearly.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import zipfile
from typing import IO, Any

MAX_PARTS = 256  # files inside the file; torch writes one for each tensor and a handful besides
_HARMLESS = {  # the names in a state dict's pickle, apart from torch's storage types
    "collections OrderedDict",
    "torch._utils _rebuild_tensor_v2",
    "torch._utils _rebuild_parameter",
    "torch Size",  # this and the rest: what a checkpoint of a training loop may hold besides
    "torch device",
    "collections defaultdict",
}
_LEGACY = pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2)  # how files began before torch 1.6
_LEGACY_PICKLES = 5  # magic number, version, system, object, storages' keys; then the storages
_MEMO = ("BINPUT", "LONG_BINPUT", "PUT", "MEMOIZE")  # leave the stack as it is
_COUNTS = ("BININT", "BININT1", "BININT2", "LONG1")  # how a storage's number of elements is written
_INDIRECT = {"STACK_GLOBAL", "INST", "OBJ", "EXT1", "EXT2", "EXT4"}  # torch writes none


class CheckpointError(ValueError):
    """A weights file cannot be loaded or written; the message says why and what to do."""


def check_torch_file(content: bytes, name: str, max_bytes: int) -> None:
    """Check the format, the sizes of what would be unpacked, and that nothing would be executed.

    Args:
        content: the whole file.
        name: of the file, for messages.
        max_bytes: the most that the parts of a zip may have together.

    Raises:
        CheckpointError: it should not be opened.
    """
    if content.startswith(_LEGACY):
        _check_legacy(content, name)
        return
    if not content.startswith(b"PK"):
        raise CheckpointError(
            f"{name} is not a weights file: torch.save(model.state_dict(), ...) writes one."
        )
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as parts:
            entries = parts.infolist()
            stored = all(entry.compress_type == zipfile.ZIP_STORED for entry in entries)
            if (
                not stored
                or len(entries) > MAX_PARTS
                or sum(entry.file_size for entry in entries) > max_bytes
            ):
                raise CheckpointError(
                    f"{name} unpacks to more than this network's weights; it was not unpacked."
                )
            pickles = [entry for entry in entries if entry.filename.endswith(".pkl")]
            if len(pickles) != 1 or not pickles[0].filename.endswith("data.pkl"):
                raise CheckpointError(
                    f"{name} is a zip, but not one that torch wrote: choose a weights file."
                )
            if parts.testzip() is not None:
                raise CheckpointError(f"{name} is damaged: save or download it again.")
            _check_pickle(parts.read(pickles[0]), name)
    except CheckpointError:
        raise
    except Exception as error:  # zipfile raises whatever damage leads it to
        raise CheckpointError(f"{name} is damaged or cut short: save or download it again.") from error


def _check_legacy(content: bytes, name: str) -> None:
    """The same for torch's format before 1.6: pickles, then numbers; how many, only the pickles say."""
    rest = io.BytesIO(content)
    elements = 0
    for _ in range(_LEGACY_PICKLES):
        began = rest.tell()
        _check_pickle(rest, name)
        elements += _stored(content[began : rest.tell()], name)
    if elements > len(content):  # each takes a byte at least
        raise CheckpointError(f"{name} is damaged or cut short: save or download it again.")


def _stored(program: bytes, name: str) -> int:
    """How many elements a pickle asks torch to make room for.

    Torch writes a storage as the end of a tuple: its number of elements, then None for no view of another.
    """
    before: list[tuple[str, Any]] = []
    elements = 0
    for instruction, argument, _ in pickletools.genops(program):
        if instruction.name == "BINPERSID":
            kinds = [kind for kind, _ in before]
            if kinds[1:] != ["NONE", "TUPLE"] or kinds[0] not in _COUNTS:
                raise CheckpointError(f"{name} is damaged: save or download it again.")
            elements += abs(before[0][1])
        if instruction.name not in _MEMO:
            before = [*before[-2:], (instruction.name, argument)]
    return elements


def _check_pickle(program: bytes | IO[bytes], name: str) -> None:
    """Refuse a pickle that names anything but tensors; `torch.load` would too, less clearly."""
    try:
        for instruction, argument, _ in pickletools.genops(program):
            if instruction.name in _INDIRECT:
                raise CheckpointError(
                    f"{name} holds more than weights, and was not opened: save a state dict."
                )
            if instruction.name == "GLOBAL" and argument not in _HARMLESS:
                module, _, thing = str(argument).partition(" ")
                if not (module == "torch" and thing.endswith("Storage")):
                    raise CheckpointError(
                        f"{name} would run code ({module}.{thing}), and was not opened: save "
                        "model.state_dict(), not the model itself."
                    )
    except CheckpointError:
        raise
    except ValueError as error:
        raise CheckpointError(f"{name} is damaged: save or download it again.") from error
