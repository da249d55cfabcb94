"""Weights and their metadata in one file: written atomically, loaded without executing anything in it."""

from __future__ import annotations

import contextlib
import io
import math
import os
import platform
import reprlib
import secrets
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from torch import nn

from mnist_core.config import TrainConfig, check_number
from mnist_core.inference import Calibration, undisturbed
from mnist_core.model import ConvNet
from mnist_core.torch_file import CheckpointError as CheckpointError
from mnist_core.torch_file import check_torch_file

MAX_BYTES = 16 * 2**20  # the network's weights are 1.2 MB; with Adam's two moments, in float64, 7.2 MB
MAX_VALUES = 50_000  # numbers and strings in the metadata
LEFTOVER_SECONDS = 60.0  # a half-written file this old belongs to a process that was killed
_LARGEST = 2**53  # of a count in the metadata; larger ones are not exact everywhere
_NETWORK_SETTINGS = ("activation", "negative_slope", "dropout1", "dropout2")
_WRAPPERS = ("state_dict", "model_state_dict", "model")  # under which training loops store the weights


def describe(config: TrainConfig, *, accuracy: float | None, n: int, **more: Any) -> dict[str, Any]:
    """The metadata of weights trained by `config`: recipe, accuracy over `n` test digits, versions, date.

    Args:
        config: the recipe, resolved.
        accuracy: from 0 to 1; None if the weights were never tested.
        n: how many test digits it was measured on.
        more: any further metadata, as plain values.
    """
    versions = {"python": platform.python_version(), "torch": str(torch.__version__)}
    date = datetime.now(UTC).isoformat(timespec="seconds")
    return {
        "recipe": config.to_dict(),
        "accuracy": accuracy,
        "n": n,
        "versions": versions,
        "date": date,
        **more,
    }


@undisturbed()
def save(path: str | Path, model: nn.Module, metadata: dict[str, Any]) -> None:
    """Write the weights and their metadata to `path` atomically: all of it, or the old file stays.

    Args:
        path: usually ends in .pt; its folder is made if needed.
        model: its weights are stored as float32 on the CPU, under their own names.
        metadata: plain values only, see `describe`; numpy's numbers become plain ones.

    Raises:
        CheckpointError: it could not be written, or `load` would refuse it. An old file there is unchanged.
    """
    path = Path(path)
    content = _packed(model, metadata, f"{path} was not written, since it could not be loaded")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _clear_leftovers(path)
        atomic_write(path, content)
    except OSError as error:
        raise CheckpointError(
            f"{path} could not be written ({error.strerror}): make room or choose another place; what lay "
            "there before is unchanged."
        ) from error


def _packed(model: nn.Module, metadata: dict[str, Any], refusal: str) -> bytes:
    """The bytes of a file of weights. Raises `CheckpointError`, opening with `refusal`, if `load` would."""
    weights = {
        name: tensor.detach().to("cpu", torch.float32).contiguous()
        for name, tensor in model.state_dict().items()
    }
    settings = {name: value for name, value in _settings(model).items() if name in _NETWORK_SETTINGS}
    buffer = io.BytesIO()
    try:
        plain = {**_plain(metadata, "metadata"), "network": _plain(settings, "network")}
        torch.save({"model": weights, "metadata": plain}, buffer)
        _check({"model": weights, "metadata": plain}, "it")
        check_torch_file(buffer.getvalue(), "it", MAX_BYTES)
    except (RecursionError, TypeError) as error:
        raise CheckpointError(
            f"{refusal}: metadata must be a dict, not nested without end; got "
            f"{reprlib.repr(metadata):.80}. describe makes one."
        ) from error
    except CheckpointError as error:
        raise CheckpointError(f"{refusal}: {error}") from error
    return buffer.getvalue()


def _plain(value: Any, name: str) -> Any:
    """The same values with numpy's numbers made Python's. Raises `CheckpointError` for what is not plain."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, dict):
        return {_plain(key, name): _plain(each, f"{name}[{key!r}]") for key, each in value.items()}
    if isinstance(value, list | tuple):
        made = [_plain(each, f"{name}[{at}]") for at, each in enumerate(value)]
        return made if isinstance(value, list) else tuple(made)
    if value is None or type(value) in (str, int, bool) or (type(value) is float and math.isfinite(value)):
        return value
    raise CheckpointError(
        f"{name} must be a plain value: a string, a finite number, a list or a dict of these; got "
        f"{value!r:.80}. Make it one, with str() or float()."
    )


def _settings(model: nn.Module) -> dict[str, Any]:
    if not isinstance(model, ConvNet):
        return {}
    dropout = {"dropout1": model.dp1.p, "dropout2": model.dp2.p}
    return {"activation": model.activation, "negative_slope": model.negative_slope, **dropout}


def atomic_write(path: Path, content: bytes) -> None:
    """Write a file so that a crash at any moment leaves the old content or the new. Raises `OSError`."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        with beside.open("xb") as file:  # with the rights that the user's umask gives any new file
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            beside.unlink()
        raise


def _clear_leftovers(path: Path) -> None:
    """Remove what killed writers of the same file left behind."""
    for leftover in path.parent.glob(f".{path.name}.*.tmp"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - leftover.stat().st_mtime > LEFTOVER_SECONDS:
                leftover.unlink()


@undisturbed()
def load(source: str | Path | IO[bytes], *, max_bytes: int | None = None) -> tuple[ConvNet, dict[str, Any]]:
    """Load weights that `save` wrote, or a state dict of the book's `ConvNet` from another program.

    The latter may be in any floating-point type and in torch's format before 1.6, lie in a checkpoint of a
    training loop, and have the prefix of a wrapper before its names (`module.`, `_orig_mod.`).

    The file is not trusted: nothing in it is executed, nothing is unpacked before its size is checked, and
    the metadata that are used later, the calibration above all, are checked.

    Args:
        source: a path, or a file opened for reading bytes.
        max_bytes: the largest file accepted; `MAX_BYTES` unless given.

    Returns:
        The network on the CPU in float32, in evaluation mode, and the metadata: empty where `save` did not
        write the file.

    Raises:
        CheckpointError: no such file, or not weights of this network.
    """
    content, name = _read(source, max_bytes or MAX_BYTES)
    check_torch_file(content, name, max_bytes or MAX_BYTES)
    try:
        held = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises whatever damage leads it to, a bare AssertionError too
        raise CheckpointError(
            f"{name} is damaged: torch cannot read it. Save or download it again."
        ) from error
    if not (isinstance(held, dict) and set(held) == {"model", "metadata"}):
        held = {"model": held, "metadata": {}}
    held["model"] = _unwrapped(held["model"], name)
    config = _check(held, name)
    return ConvNet.with_weights(held["model"], config), held["metadata"]


def _unwrapped(held: Any, name: str) -> dict[str, torch.Tensor]:
    """The state dict in what a file holds: in float32, without a wrapper's prefix."""
    if isinstance(held, dict):
        held = next((held[key] for key in _WRAPPERS if isinstance(held.get(key), dict)), held)
    if not _is_state_dict(held):
        keys = ", ".join(str(key)[:40] for key in list(held)[:8]) if isinstance(held, dict) else ""
        raise CheckpointError(
            f"{name} holds no state dict{f', only {keys}' if keys else ''}: save model.state_dict()."
        )
    first = next(iter(_expected()))
    prefix = next((key.removesuffix(first) for key in held if key.endswith(f".{first}")), "")
    return {
        key.removeprefix(prefix): tensor.float().contiguous() if tensor.is_floating_point() else tensor
        for key, tensor in held.items()
    }


def _read(source: str | Path | IO[bytes], max_bytes: int) -> tuple[bytes, str]:
    """The whole file, if it is no larger than allowed, and its name for messages."""
    if not isinstance(source, str | Path):
        content, name = source.read(max_bytes + 1) if hasattr(source, "read") else None, "The file"
        if not isinstance(content, bytes):
            raise CheckpointError(
                "Weights are loaded from a path, or from a file opened for reading bytes; got "
                f"{source!r:.80}. Name a file."
            )
    else:
        name = str(source)
        try:
            with Path(source).open("rb") as file:
                content = file.read(max_bytes + 1)
        except (FileNotFoundError, ValueError) as error:  # no file's name has a null byte in it
            raise CheckpointError(f"{name} does not exist: train first, or name another file.") from error
        except OSError as error:
            raise CheckpointError(f"{name} cannot be read ({error.strerror}): name another file.") from error
    if len(content) > max_bytes:
        raise CheckpointError(
            f"{name} is larger than {max_bytes / 2**20:.3g} MB, and these weights take 1.2 MB: choose "
            "another file."
        )
    return content, name


def _check(held: dict[str, Any], name: str) -> TrainConfig:
    """Check weights and metadata before they are used; returns the recipe with the network's settings."""
    metadata = held["metadata"]
    if not isinstance(metadata, dict) or not _is_plain(metadata):
        raise CheckpointError(
            f"{name} has metadata other than plain values; it was not written by mnist_core."
        )
    try:
        config = TrainConfig.from_dict(metadata.get("network", {}))
    except ValueError as error:
        raise CheckpointError(f"{name} describes another network: {error}") from error
    _check_weights(held["model"], name)
    try:
        _check_figures(metadata)
    except ValueError as error:
        raise CheckpointError(
            f"{name} has metadata that mnist_core does not write: {error} Save the weights again."
        ) from error
    return config


def _check_figures(metadata: dict[str, Any]) -> None:
    """Raise `ValueError` unless the metadata that are used later are valid, or missing."""
    if metadata.get("calibration") is not None:
        Calibration.from_dict(metadata["calibration"])
    for name, high in (("accuracy", 1), ("n", _LARGEST), ("step", _LARGEST)):
        if metadata.get(name) is not None:
            check_number(name, metadata[name], 0, high, whole=name != "accuracy")


def _is_plain(value: Any) -> bool:
    """Whether metadata are finite numbers, strings, lists and dicts of these, and not too many."""
    waiting, seen = [value], 0
    while waiting:
        value = waiting.pop()
        seen += 1
        if seen > MAX_VALUES:
            return False
        if isinstance(value, dict):
            if not all(isinstance(key, str) for key in value):
                return False
            waiting.extend(value.values())
        elif isinstance(value, list | tuple):
            waiting.extend(value)
        elif isinstance(value, float):
            if not math.isfinite(value):
                return False
        elif not (value is None or isinstance(value, str | int | bool)):
            return False
    return True


def _expected() -> dict[str, torch.Tensor]:
    """This network's state dict, without values."""
    with torch.device("meta"):
        return ConvNet().state_dict()


def _is_state_dict(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and bool(value)
        and all(isinstance(key, str) and torch.is_tensor(each) for key, each in value.items())
    )


def _check_weights(weights: dict[str, torch.Tensor], name: str) -> None:
    """Raise `CheckpointError` with the first difference unless `weights` are this network's, and finite."""
    difference = _difference(weights)
    if difference is not None:
        raise CheckpointError(
            f"{name} holds another network's weights: {difference}. Choose weights of this ConvNet."
        )
    check_finite(weights, name)


def _difference(weights: dict[str, torch.Tensor]) -> str | None:
    """The first difference between these weights and this network's, in words; None if there is none."""
    expected = _expected()
    unknown = next(
        (f"{key[:80]} {tuple(weights[key].shape)}" for key in weights if key not in expected), None
    )
    for key, tensor in expected.items():
        shape, got = tuple(tensor.shape), weights.get(key)
        if got is None:
            return f"expected {key} {shape}, got {unknown or 'none'}"
        if tuple(got.shape) != shape:
            return f"expected {key} {shape}, got {tuple(got.shape)}"
        if got.dtype != torch.float32:
            return f"expected {key} in floating-point numbers, got {got.dtype}"
    return f"it has {unknown} besides this network's" if unknown is not None else None


def check_finite(weights: Mapping[str, torch.Tensor], name: str) -> None:
    """Raise `CheckpointError` unless all `weights` are finite numbers."""
    for key, tensor in weights.items():
        # By numpy, which needs no threads: a forked process lacks those that torch computes with.
        if not np.isfinite(tensor.detach().to("cpu", torch.float32).numpy()).all():
            raise CheckpointError(
                f"{name}: {key} is not all finite numbers; the run that saved it had diverged."
            )
