"""Files of weights: whole or not at all; whatever is wrong with one, nothing runs and a sentence says it."""

from __future__ import annotations

import io
import json
import math
import os
import re
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from modes import MODES
from weights_files import refused, same, written

from mnist_core import checkpoint
from mnist_core.checkpoint import CheckpointError, describe, load, save
from mnist_core.classifier import Classifier
from mnist_core.config import TrainConfig
from mnist_core.engine.setup import initial_model
from mnist_core.model import ConvNet

ROOT = Path(checkpoint.__file__).parents[1]
METADATA = describe(TrainConfig(), accuracy=0.9858, n=10_000)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with the weights that seed 0 gives."""
    save(tmp_path / "weights.pt", initial_model(TrainConfig()), METADATA)
    return tmp_path / "weights.pt"


def calibrated(temperature: object, threshold: object) -> dict[str, object]:
    return {"calibration": {"temperature": temperature, "threshold": threshold}}


def test_what_was_saved_comes_back_weights_and_metadata(path: Path) -> None:
    model, metadata = load(path)
    assert same(model, initial_model(TrainConfig())) and not model.training
    assert {name: metadata[name] for name in METADATA} == METADATA
    assert TrainConfig.from_dict(metadata["recipe"]) == TrainConfig()
    assert set(metadata["versions"]) == {"python", "torch"} and metadata["date"].endswith("+00:00")


def test_the_activation_and_the_dropout_come_back_too(tmp_path: Path) -> None:
    config = TrainConfig(activation="leaky_relu", negative_slope=0.2, dropout1=0.3)
    save(tmp_path / "weights.pt", initial_model(config), {})
    model, _ = load(tmp_path / "weights.pt")
    assert (model.activation, model.negative_slope, model.dp1.p, model.dp2.p) == (
        "leaky_relu",
        0.2,
        0.3,
        0.25,
    )


def test_weights_laid_out_channels_last_are_saved_in_the_books_layout(tmp_path: Path) -> None:
    model = initial_model(TrainConfig()).to(memory_format=torch.channels_last)
    save(tmp_path / "weights.pt", model, {})
    assert load(tmp_path / "weights.pt")[0].cn2.weight.is_contiguous()


def test_a_bare_state_dict_is_read_from_an_open_file() -> None:
    model = initial_model(TrainConfig())
    loaded, metadata = load(written(model.state_dict()))
    assert same(loaded, model) and metadata == {}


# Weights from elsewhere


@pytest.mark.parametrize(
    "prefix", ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module.", "net."]
)
def test_a_wrappers_prefix_is_taken_off(prefix: str) -> None:
    model = initial_model(TrainConfig())
    weights = {prefix + name: tensor for name, tensor in model.state_dict().items()}
    assert same(load(written(weights))[0], model)


def test_what_a_data_parallel_network_saves_is_loaded() -> None:
    model = initial_model(TrainConfig())
    assert same(load(written(torch.nn.DataParallel(model).state_dict()))[0], model)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_in_other_floating_point_numbers_become_float32(dtype: torch.dtype) -> None:
    model = initial_model(TrainConfig()).to(dtype)
    loaded, _ = load(written(model.state_dict()))
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.float32}
    assert same(loaded, model.float())


def training_checkpoint(key: str, model: torch.nn.Module) -> dict[str, object]:
    """What a training loop saves in the middle: both moments of each of Adam's parameters, and more."""
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.zeros(2, 1, 28, 28)).sum().backward()
    optimizer.step()
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1)
    more = {"epoch": 3, "loss": 0.1, "rng": torch.get_rng_state(), "shape": torch.Size([1, 28, 28])}
    return {
        **more,
        key: model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scheduler": schedule.state_dict(),
        "device": torch.device("cpu"),
    }


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("key", ["state_dict", "model_state_dict", "model"])
def test_the_weights_of_a_whole_training_checkpoint_are_loaded(
    key: str, legacy: bool, tmp_path: Path
) -> None:
    model, file = initial_model(TrainConfig()), tmp_path / "checkpoint.pth"
    torch.save(training_checkpoint(key, model), file, _use_new_zipfile_serialization=not legacy)
    assert file.stat().st_size > 3 * 1_200_000
    loaded, metadata = load(file)
    assert same(loaded, model) and metadata == {}
    assert same(Classifier.load(file).model, model)


def test_a_checkpoint_whose_weights_go_by_another_name_says_which_names_it_has() -> None:
    weights = initial_model(TrainConfig()).state_dict()
    assert refused(written({"epoch": 3, "net": weights})) == (
        "The file holds no state dict, only epoch, net: save model.state_dict()."
    )


def test_loading_draws_nothing_from_everyones_chance(path: Path) -> None:
    before = torch.get_rng_state()
    load(path)
    assert torch.equal(torch.get_rng_state(), before)


# What is refused


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    assert (
        refused(tmp_path / "no.pt")
        == f"{tmp_path / 'no.pt'} does not exist: train first, or name another file."
    )


def test_a_folder_cannot_be_read(tmp_path: Path) -> None:
    assert "cannot be read (Is a directory)" in refused(tmp_path)


def test_a_file_larger_than_allowed_is_not_read(path: Path) -> None:
    assert "is larger than 1 MB, and these weights take 1.2 MB" in refused(path, max_bytes=2**20)
    with path.open("rb") as file:
        assert "is larger than 1 MB, and these weights take 1.2 MB" in refused(file, max_bytes=2**20)


def test_other_networks_are_refused_by_what_differs() -> None:
    weights = initial_model(TrainConfig()).state_dict()
    renamed = OrderedDict((name.replace("fc2", "head"), tensor) for name, tensor in weights.items())
    assert refused(written(renamed)) == (
        "The file holds another network's weights: expected fc2.weight (10, 64), got head.weight (10, 64). "
        "Choose weights of this ConvNet."
    )
    cases = {
        "expected fc2.bias (10,), got (11,)": {**weights, "fc2.bias": torch.zeros(11)},
        "expected fc2.bias in floating-point numbers, got torch.int64": {
            **weights,
            "fc2.bias": torch.zeros(10, dtype=torch.int64),
        },
        "expected fc2.bias (10,), got none": {name: weights[name] for name in list(weights)[:-1]},
        "it has fc3.bias (2,) besides this network's": {**weights, "fc3.bias": torch.zeros(2)},
        "expected cn1.weight (16, 1, 3, 3), got (32, 1, 3, 3)": {
            "module." + name: torch.zeros(32, 1, 3, 3) if name == "cn1.weight" else tensor
            for name, tensor in weights.items()
        },
    }
    for difference, others in cases.items():
        assert refused(written(others)) == (
            f"The file holds another network's weights: {difference}. Choose weights of this ConvNet."
        )


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_single_weight_that_is_no_number_is_refused(value: float) -> None:
    weights = initial_model(TrainConfig()).state_dict()
    weights["fc1.weight"][40, 4000] = value
    assert refused(written(weights)) == (
        "The file: fc1.weight is not all finite numbers; the run that saved it had diverged."
    )


@pytest.mark.parametrize("value", [[1, 2], {"a": 1}, {}, torch.zeros(3), {"model": 3, "metadata": {}}])
def test_what_is_no_state_dict_is_refused(value: object) -> None:
    assert re.fullmatch(
        r"The file holds no state dict(, only a)?: save model\.state_dict\(\)\.", refused(written(value))
    )


@pytest.mark.parametrize(
    "metadata",
    [3, {1: 2}, {"a": torch.zeros(1)}, {"a": [0.0] * 60_000}, {"a": {"b": {3: "c"}}}, {"a": [math.nan]}],
)
def test_metadata_that_are_not_plain_are_refused(metadata: object) -> None:
    weights = initial_model(TrainConfig()).state_dict()
    assert "metadata other than plain values" in refused(written({"model": weights, "metadata": metadata}))


def test_metadata_that_unfold_without_end_are_refused() -> None:
    laughs: list[object] = ["ha"]
    for _ in range(40):
        laughs = [laughs, laughs]  # 2**40 words, in 40 lists
    weights = initial_model(TrainConfig()).state_dict()
    assert "metadata other than plain values" in refused(
        written({"model": weights, "metadata": {"a": laughs}})
    )


@pytest.mark.parametrize("network", [{"activation": "swish"}, {"layers": 9}, [1]])
def test_settings_of_another_network_are_refused(network: object) -> None:
    weights = initial_model(TrainConfig()).state_dict()
    value = {"model": weights, "metadata": {"network": network}}
    assert refused(written(value)).startswith("The file describes another network: ")


@pytest.mark.parametrize(
    ("metadata", "says"),
    [
        (calibrated(0.0, 0.5), "temperature must be a number from 0.01 to 100; got 0.0."),
        (calibrated(-1.0, 0.5), "temperature must be a number from 0.01 to 100; got -1.0."),
        (calibrated("hot", 0.5), "temperature must be a number from 0.01 to 100; got 'hot'."),
        (calibrated(True, 0.5), "temperature must be a number from 0.01 to 100; got True."),
        (calibrated(1.0, 1.5), "threshold must be a number from 0 to 1; got 1.5."),
        (calibrated(1.0, None), "threshold must be a number from 0 to 1; got None."),
        (
            {"calibration": {"temperature": 1.0}},
            "expected a dict with temperature and threshold; got {'temperature': 1.0}.",
        ),
        ({"calibration": {}}, "expected a dict with temperature and threshold; got {}."),
        ({"calibration": [1.0, 0.5]}, "expected a dict with temperature and threshold; got [1.0, 0.5]."),
        ({"step": "many"}, "step must be a whole number from 0 to 9007199254740992; got 'many'."),
        ({"accuracy": 98.6}, "accuracy must be a number from 0 to 1; got 98.6."),
    ],
)
def test_figures_that_would_spoil_an_answer_later_are_refused_at_once(metadata: object, says: str) -> None:
    value = {"model": initial_model(TrainConfig()).state_dict(), "metadata": metadata}
    assert refused(written(value)) == (
        f"The file has metadata that mnist_core does not write: {says} Save the weights again."
    )


@pytest.mark.parametrize("metadata", [calibrated(0.758, 0.52), {"calibration": None}, {"accuracy": None}])
def test_figures_as_they_should_be_are_loaded(metadata: dict[str, object]) -> None:
    value = {"model": initial_model(TrainConfig()).state_dict(), "metadata": metadata}
    assert load(written(value))[1] == metadata


@pytest.mark.parametrize("source", [5, None, ["a"], io.StringIO("text"), "null\0byte"])
def test_what_names_no_file_is_refused(source: object) -> None:
    refused(source)


@pytest.mark.parametrize("mode", MODES)
def test_whatever_mode_the_caller_is_in_weights_are_saved_and_loaded_and_can_learn(
    mode: str, tmp_path: Path
) -> None:
    expected = initial_model(TrainConfig())
    with MODES[mode]():
        save(tmp_path / "weights.pt", expected, {})
        model, _ = load(tmp_path / "weights.pt")
    assert same(model, expected)
    model(torch.zeros(1, 1, 28, 28)).sum().backward()
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


# Writing


def test_numpys_numbers_are_stored_as_pythons_that_load_again(tmp_path: Path) -> None:
    metadata = {"accuracy": np.float64(0.5), "n": np.int64(10), "said": [np.bool_(True), (np.float32(0.25),)]}
    save(tmp_path / "weights.pt", ConvNet(), metadata)
    loaded = load(tmp_path / "weights.pt")[1]
    assert {name: loaded[name] for name in metadata} == {"accuracy": 0.5, "n": 10, "said": [True, (0.25,)]}
    assert type(loaded["accuracy"]) is float and type(loaded["n"]) is int
    assert json.loads(json.dumps(loaded))["accuracy"] == 0.5


def endless() -> dict[str, object]:
    metadata: dict[str, object] = {}
    metadata["again"] = metadata
    return metadata


def deep() -> dict[str, object]:
    metadata: dict[str, object] = {}
    for _ in range(3000):
        metadata = {"in": metadata}
    return metadata


@pytest.mark.parametrize(
    ("metadata", "says"),
    [
        ({"where": Path("a")}, "metadata['where'] must be a plain value: a string, a finite number, a "),
        ({"runs": [{"loss": torch.tensor(1.0)}]}, "metadata['runs'][0]['loss'] must be a plain value"),
        ({"loss": math.nan}, "metadata['loss'] must be a plain value"),
        ({1: 2}, "was not written, since it could not be loaded: it has metadata other than plain values"),
        (calibrated(0.0, 0.5), "since it could not be loaded: it has metadata that mnist_core does not"),
        ({"a": [0] * 60_000}, "since it could not be loaded: it has metadata other than plain values"),
        ({"a": "x" * 17 * 2**20}, "since it could not be loaded: it unpacks to more than this network's"),
        (None, "metadata must be a dict, not nested without end; got None."),
        (endless(), "metadata must be a dict, not nested without end; got {'again': {"),
        (deep(), "metadata must be a dict, not nested without end; got {'in': {"),
    ],
)
def test_metadata_that_could_not_be_loaded_are_not_saved(path: Path, metadata, says: str) -> None:
    before = path.read_bytes()
    with pytest.raises(CheckpointError) as failed:
        save(path, ConvNet(), metadata)
    assert says in str(failed.value)
    assert path.read_bytes() == before


def test_weights_that_could_not_be_loaded_are_not_saved(tmp_path: Path) -> None:
    diverged = ConvNet()
    diverged.fc2.bias.data[3] = math.nan
    for model, says in (
        (diverged, "fc2.bias is not all finite"),
        (torch.nn.Linear(2, 2), "another network's"),
    ):
        with pytest.raises(CheckpointError, match=says):
            save(tmp_path / "weights.pt", model, {})
    assert not (tmp_path / "weights.pt").exists()


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64, torch.bfloat16])
def test_a_model_in_other_numbers_is_stored_in_32_bits(tmp_path: Path, dtype: torch.dtype) -> None:
    model = initial_model(TrainConfig()).to(dtype)
    save(tmp_path / "weights.pt", model, {})
    assert same(load(tmp_path / "weights.pt")[0], model.float())


def test_a_failed_write_says_why_and_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CheckpointError) as failed:
        save(path, ConvNet(), {})
    assert str(failed.value) == (
        f"{path} could not be written (No space left on device): make room or choose another place; what lay "
        "there before is unchanged."
    )
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_place_that_cannot_be_written_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(CheckpointError, match=r"could not be written \((Not a directory|File exists)\)"):
        save(tmp_path / "file" / "weights.pt", ConvNet(), {})


KILLER = """
import json, os, random, signal, sys, time
from pathlib import Path
import torch
from mnist_core import checkpoint
from mnist_core.config import TrainConfig
from mnist_core.engine.setup import initial_model

path, kills, seconds = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
models = [initial_model(TrainConfig(seed=seed)) for seed in (0, 1)]
checkpoint.save(path, models[0], {})
sync = os.fsync
os.fsync = lambda handle: (time.sleep(seconds), sync(handle))  # a disk that takes its time
between = loaded = 0
for kill in range(kills):
    child = os.fork()
    if not child:
        while True:
            for model in models:
                checkpoint.save(path, model, {})
    while kill % 4 and not list(path.parent.glob(".weights.pt.*.tmp")):
        time.sleep(0.001)  # three in four are killed while they write, the others whenever
    time.sleep(random.Random(kill).uniform(0, 0.2 if kill % 4 == 0 else 0.05))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    leftovers = list(path.parent.glob(".weights.pt.*.tmp"))
    between += len(leftovers)
    for leftover in leftovers:
        leftover.unlink()
    model, _ = checkpoint.load(path)
    loaded += any(torch.equal(model.fc1.weight, other.fc1.weight) for other in models)
print(json.dumps({"between": between, "loaded": loaded}))
"""


@pytest.mark.parametrize("kills", [10, pytest.param(100, marks=pytest.mark.full)])
def test_a_writer_that_is_killed_leaves_the_old_file_or_the_new(kills: int, tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLER, str(tmp_path / "weights.pt"), str(kills), "0.1"]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    counted = json.loads(done.stdout)
    assert counted["loaded"] == kills
    assert counted["between"] >= kills / 2, "too few kills fell between opening and renaming to say anything"
    print(f"{kills} kills, {counted['between']} of them between opening and renaming: {kills} whole files")


@pytest.mark.parametrize(("umask", "rights"), [(0o022, 0o644), (0o077, 0o600)])
def test_a_file_has_the_rights_that_the_users_umask_gives(tmp_path: Path, umask: int, rights: int) -> None:
    before = os.umask(umask)
    try:
        save(tmp_path / "weights.pt", ConvNet(), {})
    finally:
        os.umask(before)
    assert (tmp_path / "weights.pt").stat().st_mode & 0o777 == rights


def test_the_next_writer_clears_away_what_a_killed_one_left(path: Path) -> None:
    old, fresh = (path.with_name(f".weights.pt.{name}.tmp") for name in ("old", "fresh"))
    for leftover in (old, fresh):
        leftover.write_bytes(b"half")
    os.utime(old, (0, 0))
    save(path, ConvNet(), {})
    assert not old.exists() and fresh.exists()
