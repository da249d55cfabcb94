"""A file of weights that somebody sent: whatever is wrong with it, nothing runs and a sentence says it."""

from __future__ import annotations

import io
import os
import pickle
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from weights_files import refused, same, written

from mnist_core.checkpoint import load, save
from mnist_core.config import TrainConfig
from mnist_core.engine.setup import initial_model
from mnist_core.model import ConvNet


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with the weights that seed 0 gives."""
    save(tmp_path / "weights.pt", initial_model(TrainConfig()), {})
    return tmp_path / "weights.pt"


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n", pickle.dumps({"cn1.weight": [1.0]})])
def test_what_torch_did_not_write_is_refused(content: bytes) -> None:
    assert refused(io.BytesIO(content)) == (
        "The file is not a weights file: torch.save(model.state_dict(), ...) writes one."
    )


def test_another_zip_is_refused() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as parts:
        parts.writestr("readme.txt", "hello")
    buffer.seek(0)
    assert "is a zip, but not one that torch wrote" in refused(buffer)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99, 0.9999])
def test_a_file_cut_short_is_refused(path: Path, share: float) -> None:
    content = path.read_bytes()
    assert "is damaged or cut short" in refused(io.BytesIO(content[: int(len(content) * share)]))


def test_a_single_flipped_bit_is_noticed(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    assert "is damaged" in refused(io.BytesIO(content))


@pytest.mark.parametrize("where", [bytes.index, bytes.rindex])  # before its content, in the table at the end
def test_a_name_in_the_file_that_is_no_text_is_noticed(path: Path, where: Callable[..., int]) -> None:
    content = bytearray(path.read_bytes())
    content[where(bytes(content), b"data.pkl")] = 0xFF
    assert refused(io.BytesIO(content)) == "The file is damaged or cut short: save or download it again."


class Bomb:
    """Runs a command when it is unpickled."""

    def __reduce__(self) -> tuple:
        return os.system, ("touch /tmp/mnist_core_was_here",)


def test_a_pickle_with_code_is_not_run_and_the_code_is_named() -> None:
    said = refused(written({"cn1.weight": Bomb()}))
    assert said == (
        f"The file would run code ({os.system.__module__}.system), and was not opened: save "
        "model.state_dict(), not the model itself."
    )
    assert not Path("/tmp/mnist_core_was_here").exists()


def test_a_whole_model_is_refused_with_the_next_step() -> None:
    said = refused(written(ConvNet()))
    assert "would run code (mnist_core.model.ConvNet)" in said and "save model.state_dict()" in said


def test_code_named_by_a_newer_pickle_is_refused_too() -> None:
    program = pickle.dumps(Bomb(), protocol=4)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as parts:
        parts.writestr("archive/data.pkl", program)
    buffer.seek(0)
    assert "holds more than weights, and was not opened" in refused(buffer)


def test_a_zip_bomb_is_not_unpacked(path: Path) -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(path) as parts, zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as out:
        for entry in parts.infolist():
            out.writestr(entry.filename, parts.read(entry))
        out.writestr("archive/data/99", bytes(10**8))
    assert len(bomb.getvalue()) < 3 * 2**20
    bomb.seek(0)
    assert "unpacks to more than this network's weights; it was not unpacked" in refused(bomb)


def test_a_tensor_larger_than_what_is_stored_is_refused(path: Path) -> None:
    """A pickle may claim any number of elements for a part of the file."""
    forged = io.BytesIO()
    with zipfile.ZipFile(path) as parts, zipfile.ZipFile(forged, "w") as out:
        for entry in parts.infolist():
            content = parts.read(entry)
            if entry.filename.endswith("data.pkl"):
                assert b"K\x90" in content  # cn1.weight has 144 elements
                content = content.replace(b"K\x90", b"K\xf0")
            out.writestr(entry.filename, content)
    forged.seek(0)
    assert "is damaged" in refused(forged)


def test_a_file_of_more_parts_than_torch_writes_is_not_unpacked(path: Path) -> None:
    with zipfile.ZipFile(path, "a") as parts:
        for number in range(300):
            parts.writestr(f"weights/data/more{number}", b"")
    assert "unpacks to more than this network's weights" in refused(path)


def legacy(value: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer, _use_new_zipfile_serialization=False)
    return buffer.getvalue()


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_torchs_old_format_is_loaded(dtype: torch.dtype) -> None:
    model = initial_model(TrainConfig()).to(dtype)
    assert same(load(io.BytesIO(legacy(model.state_dict())))[0], model.float())


@pytest.mark.parametrize("share", [0.0001, 0.001, 0.5, 0.9999])
def test_an_old_file_cut_short_is_refused(share: float) -> None:
    content = legacy(initial_model(TrainConfig()).state_dict())
    assert "is damaged" in refused(io.BytesIO(content[: int(len(content) * share)]))


def test_an_old_file_with_code_is_not_run() -> None:
    said = refused(io.BytesIO(legacy({"cn1.weight": Bomb()})))
    assert "would run code" in said and "and was not opened" in said
    assert not Path("/tmp/mnist_core_was_here").exists()
    assert "would run code (mnist_core.model.ConvNet)" in refused(io.BytesIO(legacy(ConvNet())))


def test_no_room_is_made_for_more_numbers_than_an_old_file_can_hold() -> None:
    content = legacy({"cn1.weight": torch.zeros(0x4321)})
    claimed = struct.pack("<H", 0x4321)
    assert b"M" + claimed in content
    forged = content.replace(b"M" + claimed, b"J" + struct.pack("<i", 2**31 - 1))
    assert refused(io.BytesIO(forged)) == "The file is damaged or cut short: save or download it again."


def test_a_number_below_nought_in_an_old_file_makes_up_for_no_other() -> None:
    content = legacy({"cn1.weight": torch.zeros(0x4321), "cn2.weight": torch.zeros(0x4321)})
    claimed = b"M" + struct.pack("<H", 0x4321)
    more, less = (b"J" + struct.pack("<i", number) for number in (2**23, -(2**23)))
    between = content.split(claimed)  # of both storages and, after each, of its tensor's shape
    forged = b"".join(map(bytes.__add__, between, (more, claimed, less, claimed, b"")))
    assert len(between) == 5
    assert refused(io.BytesIO(forged)) == "The file is damaged or cut short: save or download it again."


def test_an_old_file_that_hides_how_many_numbers_it_claims_is_refused() -> None:
    """A tuple taken from the pickle's memo, so that the number does not stand beside it."""
    content = legacy({"cn1.weight": torch.zeros(5)})
    at = content.index(b"Q", content.index(b"storage"))
    before = content[:at]
    assert before[-2:-1] == b"q"  # the tuple has just been remembered
    forged = before + b"0h" + before[-1:] + content[at:]
    assert refused(io.BytesIO(forged)) == "The file is damaged: save or download it again."


def test_an_old_file_with_a_number_changed_is_noticed() -> None:
    content = bytearray(legacy({"cn1.weight": torch.zeros(5)}))
    *_, key = re.finditer(rb"\d{8,}", content)  # under which the numbers that follow are known
    content[key.start()] ^= 1
    assert refused(io.BytesIO(content)) == (
        "The file is damaged: torch cannot read it. Save or download it again."
    )
