"""Downloading MNIST: torchvision's own code, against a mirror on loopback that behaves in many ways."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from mirror import FILES, archive, blank, serving, trusting_child

from mnist_core.datasets import download
from mnist_core.datasets.download import (
    DOWNLOAD_BYTES,
    FOLDER_VARIABLE,
    MIRROR_VARIABLE,
    DataError,
    DownloadCancelled,
    fetch,
    find_folder,
    foreign_files,
    mnist_is_here,
    problem,
)

STALL = 3  # seconds; a busy machine may hold a good mirror up for one


@pytest.fixture(autouse=True)
def trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mirror serves blank digits, so torchvision is told their MD5."""
    monkeypatch.setattr(download, "_CHILD", trusting_child())


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch):
    """Call it with the address of the mirror to use."""
    return lambda url: monkeypatch.setenv(MIRROR_VARIABLE, url)


def raw(folder: Path) -> Path:
    return folder / "MNIST" / "raw"


def nothing_left(folder: Path) -> bool:
    """Whether no half-downloaded thing lies about."""
    return not list((folder / "MNIST").glob(".downloading-*"))


def test_what_is_missing_or_broken_is_downloaded_and_what_is_good_stays(tmp_path: Path, use) -> None:
    raw(tmp_path).mkdir(parents=True)
    good = raw(tmp_path) / FILES[1]
    good.write_bytes(blank(FILES[1]))
    (raw(tmp_path) / FILES[0]).write_bytes(blank(FILES[0])[:-1])
    before = good.stat().st_ino
    said: list[tuple[int, int]] = []
    with serving("good") as mirror:
        use(mirror.url)
        fetch(tmp_path, progress=lambda came, total: said.append((came, total)))
    assert sorted(path.name for path in raw(tmp_path).iterdir()) == sorted(FILES)
    assert all(problem(raw(tmp_path) / name) is None for name in FILES)
    assert good.stat().st_ino == before
    assert said == sorted(said) and {total for _, total in said} == {DOWNLOAD_BYTES}
    assert nothing_left(tmp_path)


@pytest.mark.parametrize(
    ("mood", "reason"),
    [("missing", "HTTP Error 404"), ("truncated", "corrupted"), ("garbage", "corrupted")],
)
def test_a_bad_mirror_is_one_sentence_and_leaves_good_files_alone(mood, reason, tmp_path: Path, use) -> None:
    raw(tmp_path).mkdir(parents=True)
    good = raw(tmp_path) / FILES[3]
    good.write_bytes(blank(FILES[3]))
    before = good.stat()
    with serving(mood) as mirror:
        use(mirror.url)
        with pytest.raises(DataError) as failed:
            fetch(tmp_path)
    said = str(failed.value)
    assert said.startswith(f"MNIST could not be downloaded from {mirror.url} (") and reason in said
    assert said.endswith(f"put the four files into {raw(tmp_path)} by hand.") and "\n" not in said
    assert list(raw(tmp_path).iterdir()) == [good]
    assert (good.stat().st_ino, good.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert nothing_left(tmp_path)


def test_a_stalled_mirror_is_given_up(tmp_path: Path, use) -> None:
    with serving("stalled") as mirror:
        use(mirror.url)
        with pytest.raises(DataError, match="nothing came for 3 seconds"):
            fetch(tmp_path, stall_seconds=STALL)
    assert not list(tmp_path.iterdir())


def test_a_slow_mirror_is_waited_for_as_long_as_something_comes(tmp_path: Path, use) -> None:
    with serving("slow") as mirror:  # half as long again for the largest file
        use(mirror.url)
        fetch(tmp_path, stall_seconds=STALL)
    assert all(problem(raw(tmp_path) / name) is None for name in FILES)


def test_a_download_can_be_cancelled_and_changes_nothing(tmp_path: Path, use) -> None:
    came = threading.Event()
    with serving("slow") as mirror:
        use(mirror.url)
        with pytest.raises(DownloadCancelled, match="was cancelled and changed nothing"):
            fetch(tmp_path, progress=lambda n, _: n and came.set(), cancelled=came.is_set)
        assert mirror.left.wait(5), "the downloading process still reads"
    assert not list(tmp_path.iterdir())


def test_a_download_that_was_killed_leaves_nothing_half_and_the_next_one_cleans_up(
    tmp_path: Path, use
) -> None:
    program = "import sys\nfrom pathlib import Path\nfrom mnist_core.datasets import download\n"
    program += f"download._CHILD = {trusting_child()!r}\ndownload.fetch(Path(sys.argv[1]))\n"
    with serving("slow") as mirror:
        use(mirror.url)
        root = Path(download.__file__).parents[2]
        victim = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], cwd=root)
        while not list(tmp_path.rglob("*.gz")):
            assert victim.poll() is None
            time.sleep(0.02)
        victim.send_signal(signal.SIGKILL)
        victim.wait()
        assert mirror.left.wait(5), "the downloading process outlived the one that started it"
        assert not list(raw(tmp_path).iterdir()) and not nothing_left(tmp_path)
        for path in tmp_path.rglob("*"):
            os.utime(path, (0, 0))
        mirror.mood = "good"
        fetch(tmp_path)
    assert all(problem(raw(tmp_path) / name) is None for name in FILES)
    assert nothing_left(tmp_path)


def test_the_next_mirror_is_tried_when_one_stalls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(MIRROR_VARIABLE, raising=False)
    with serving("stalled") as first, serving("good") as second:
        known = f"MNIST.mirrors = {[first.url, second.url]!r}\n"
        child = trusting_child().replace("folder, skip, mirror =", f"{known}folder, skip, mirror =")
        monkeypatch.setattr(download, "_CHILD", child)
        fetch(tmp_path, stall_seconds=STALL)
        assert first.asked and second.asked
    assert all(problem(raw(tmp_path) / name) is None for name in FILES)


def test_a_download_that_fails_takes_only_the_folders_away_that_it_made(tmp_path: Path, use) -> None:
    (tmp_path / "kept").mkdir()
    use("http://127.0.0.1:9/")  # nobody listens on the discard port
    with pytest.raises(DataError):
        fetch(tmp_path / "kept" / "new" / "newer")
    assert [path.name for path in tmp_path.rglob("*")] == ["kept"]


def test_a_file_that_is_broken_is_named_where_no_other_can_be_had(tmp_path: Path, use) -> None:
    raw(tmp_path).mkdir(parents=True)
    (raw(tmp_path) / FILES[3]).write_bytes(blank(FILES[3])[:-1])
    (raw(tmp_path) / f"{FILES[1]}.gz").write_bytes(archive(FILES[1])[:-1])
    use("http://127.0.0.1:9/")
    with pytest.raises(DataError) as failed:
        fetch(tmp_path)
    assert str(failed.value).startswith(
        f"In {raw(tmp_path)} t10k-labels-idx1-ubyte has 10,007 bytes where MNIST's has 10,008, "
        "train-labels-idx1-ubyte.gz is damaged, and MNIST could not be downloaded from http://127.0.0.1:9/ ("
    )


def test_a_full_disk_is_named_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = "print('OSError: [Errno 28] No space left on device'); raise SystemExit(1)"
    monkeypatch.setattr(download, "_CHILD", full)
    with pytest.raises(DataError, match=r"could not be written .* \(No space left on device\): make room"):
        fetch(tmp_path)
    assert nothing_left(tmp_path)


def test_without_a_network_the_sentence_says_so(tmp_path: Path, use) -> None:
    use("http://127.0.0.1:9/")  # nobody listens on the discard port
    with pytest.raises(DataError, match=r"\(.*refused.*\): check the network and try again"):
        fetch(tmp_path)


def test_archives_put_there_by_hand_are_used_without_a_network(tmp_path: Path, use) -> None:
    raw(tmp_path).mkdir(parents=True)
    for name in FILES:
        (raw(tmp_path) / f"{name}.gz").write_bytes(archive(name))
    use("http://127.0.0.1:9/")
    fetch(tmp_path)
    assert all(problem(raw(tmp_path) / name) is None for name in FILES)


def test_a_folder_that_cannot_be_written_is_one_sentence_with_the_next_step(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(DataError) as failed:
        fetch(tmp_path / "file")
    assert str(failed.value) == (
        f"MNIST cannot be written to {raw(tmp_path / 'file')} (Not a directory): choose another folder with "
        "--data-dir or MNIST_DATA_DIR."
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_one_sentence_with_the_next_step(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(DataError, match=r"\(Permission denied\): choose another folder"):
        fetch(tmp_path)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda content: content[:-1], "has 10,007 bytes where MNIST's has 10,008"),
        (lambda content: b"\x1f" + content[1:], "does not begin as MNIST's does"),
        (None, "is missing"),
    ],
)
def test_a_file_is_judged_by_its_size_and_its_header(spoil, says: str, tmp_path: Path) -> None:
    path = tmp_path / FILES[3]
    if spoil:
        path.write_bytes(spoil(blank(FILES[3])))
    assert problem(path) == says


def lay(folder: Path, content: Callable[[str], bytes] = blank) -> Path:
    """MNIST's four files, blank unless `content` says what is in each; where they lie."""
    raw(folder).mkdir(parents=True)
    for name in FILES:
        (raw(folder) / name).write_bytes(content(name))
    return raw(folder)


@pytest.mark.parametrize("deep", ["", "MNIST", "MNIST/raw"])
def test_a_folder_that_is_given_too_deep_is_recognised(deep: str, tmp_path: Path, monkeypatch) -> None:
    lay(tmp_path)
    assert find_folder(tmp_path / deep) == tmp_path
    assert mnist_is_here(tmp_path / deep)
    monkeypatch.chdir(tmp_path / deep)
    assert find_folder(".").resolve() == tmp_path


def test_archives_are_recognised_in_a_folder_that_is_given_too_deep(tmp_path: Path) -> None:
    raw(tmp_path).mkdir(parents=True)
    assert find_folder(raw(tmp_path)) == raw(tmp_path)
    (raw(tmp_path) / f"{FILES[2]}.gz").touch()
    assert find_folder(raw(tmp_path)) == tmp_path


def test_a_tilde_is_the_users_home_in_the_argument_and_in_the_environment(
    tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(FOLDER_VARIABLE, "~/data")
    assert find_folder("~/here") == tmp_path / "here"
    assert find_folder() == tmp_path / "data"
    with pytest.raises(DataError, match=r"~nobody-of-this-name/data begins with a home that does not exist"):
        find_folder("~nobody-of-this-name/data")


@pytest.mark.mnist
def test_mnists_own_files_are_known(data_folder: Path) -> None:
    assert foreign_files(data_folder) == []


@pytest.mark.mnist
@pytest.mark.parametrize("other", FILES)
def test_a_file_of_another_data_set_is_told_from_mnists(
    other: str, data_folder: Path, tmp_path: Path
) -> None:
    lay(tmp_path, lambda name: blank(name) if name == other else (raw(data_folder) / name).read_bytes())
    assert foreign_files(tmp_path) == [other]


def test_a_file_that_is_missing_or_broken_is_not_called_another_data_sets(tmp_path: Path) -> None:
    (lay(tmp_path) / FILES[0]).unlink()
    os.truncate(raw(tmp_path) / FILES[1], 100)
    assert foreign_files(tmp_path) == list(FILES[2:])
