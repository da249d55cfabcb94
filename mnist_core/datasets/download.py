"""MNIST's four files: what each of them must be, and the download of those that are missing.

torchvision downloads them, but has no timeout, cannot be cancelled, and writes where it will read later. So
it runs in a process of its own, in a folder beside the real one, watched from here; the files are checked
and only then renamed into place.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

FOLDER_VARIABLE = "MNIST_DATA_DIR"
MIRROR_VARIABLE = "MNIST_MIRROR"
DOWNLOAD_BYTES = 11_594_722  # the four archives together
STALL_SECONDS = 30.0  # without a single new byte, after which a mirror is given up
LEFTOVER_SECONDS = 3600.0  # a download's folder untouched for this long belongs to a process that was killed
_POLL_SECONDS = 0.05
_STARTED = "started"  # the file by which a download says that it has imported torchvision
_MIRRORS = 2  # torchvision knows two
_SUBFOLDER = Path("MNIST") / "raw"  # where torchvision keeps them
_IMAGES_MAGIC, _LABELS_MAGIC = 2051, 2049  # the first four bytes, http://yann.lecun.com/exdb/mnist/
# Of the files in the archives that torchvision expects. The training images have a second one, of a copy in
# which the faintest ink, 1 of 255, reads 0: they are MNIST's all the same.
_MD5 = {
    "train-images-idx3-ubyte": ("6bbc9ace898e44ae57da46a324031adb", "2120c626b3f721358a650005d9261aaf"),
    "train-labels-idx1-ubyte": ("a25bea736e30d166cdddb491f175f624",),
    "t10k-images-idx3-ubyte": ("2646ac647ad5339dbf082846283269ea",),
    "t10k-labels-idx1-ubyte": ("27ae3e4e09519cfbb04c329615203637",),
}

# What runs in that process. It ends when its standard input does, so it never outlives this process.
_CHILD = """
import os, sys, threading
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(1)), daemon=True).start()
from torchvision.datasets import MNIST
folder, skip, mirror = sys.argv[1], int(sys.argv[2]), sys.argv[3]
open(sys.argv[4], "w").close()
MNIST.mirrors = [mirror] if mirror else MNIST.mirrors[skip:]
try:
    MNIST(folder, download=True)
except Exception as error:
    print(f"{type(error).__name__}: {error}", flush=True)
    os._exit(1)
os._exit(0)
"""

Progress = Callable[[int, int], None]
Cancelled = Callable[[], bool]


class DataError(ValueError):
    """MNIST is not available; the message is one sentence that ends with what to do."""


class ForeignDataWarning(UserWarning):
    """The files in MNIST's place hold other digits, or no digits at all."""


class DownloadCancelled(DataError):
    """The download was cancelled on request."""


class _Failed(Exception):
    """A download ended without bringing the files."""


class _Stalled(_Failed):
    """A mirror sent nothing for too long."""


def file_names(train: bool) -> tuple[str, str]:
    """The names of the image file and the label file."""
    part = "train" if train else "t10k"
    return f"{part}-images-idx3-ubyte", f"{part}-labels-idx1-ubyte"


def raw_folder(folder: Path) -> Path:
    """Where under `folder` torchvision keeps MNIST's files."""
    return folder / _SUBFOLDER


def find_folder(folder: str | Path | None = None) -> Path:
    """The folder for MNIST: `folder`, else $MNIST_DATA_DIR, else ./data; `~` is the user's home.

    Where that is the `MNIST` or the `MNIST/raw` in which the files lie, it is the folder around these.

    Raises:
        DataError: it begins with the home of a user who is not known here.
    """
    named = Path(folder or os.environ.get(FOLDER_VARIABLE) or "data")
    try:
        named = named.expanduser()
    except RuntimeError as error:
        raise DataError(
            f"{named} begins with a home that does not exist here: write the folder without ~."
        ) from error
    inside = named.resolve()
    for root in inside.parents[:2]:
        if inside in (raw_folder(root), raw_folder(root).parent) and _holds_any(root):
            return root
    return named


def _holds_any(folder: Path) -> bool:
    """Whether any of MNIST's files, or of their archives, lies where torchvision would look."""
    return any((raw_folder(folder) / f"{name}{end}").is_file() for name in _MD5 for end in ("", ".gz"))


def mnist_is_here(folder: str | Path | None = None) -> bool:
    """Whether all four files are in the folder, by their sizes and headers. Downloads nothing."""
    raw = raw_folder(find_folder(folder))
    return all(problem(raw / name) is None for train in (True, False) for name in file_names(train))


def problem(path: Path) -> str | None:
    """What is wrong with one of MNIST's files, judged by its size and its header; None if nothing is."""
    count = 60_000 if path.name.startswith("train") else 10_000
    header: tuple[int, ...]
    if "images" in path.name:
        header, expected = (_IMAGES_MAGIC, count, 28, 28), 16 + count * 28 * 28
    else:
        header, expected = (_LABELS_MAGIC, count), 8 + count
    try:
        size = path.stat().st_size
        if size != expected:
            return f"has {size:,} bytes where MNIST's has {expected:,}"
        with path.open("rb") as file:
            start = file.read(4 * len(header))
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    if start != b"".join(number.to_bytes(4, "big") for number in header):
        return "does not begin as MNIST's does"
    return None


def foreign_files(folder: str | Path | None = None, names: Iterable[str] = (*_MD5,)) -> list[str]:
    """Which of these files hold other data than MNIST's in MNIST's shape, Fashion-MNIST's say."""
    raw = raw_folder(find_folder(folder))
    return [name for name in names if problem(raw / name) is None and not _is_mnists(raw / name)]


def foreign_notice(folder: str | Path | None = None, names: Iterable[str] = (*_MD5,)) -> str | None:
    """A sentence or two about these `foreign_files`; None if there are none."""
    files = foreign_files(folder, names)
    if not files:
        return None
    where = raw_folder(find_folder(folder))
    return f"These are not MNIST's files: {', '.join(files)} in {where}. Going on with what they hold."


def _is_mnists(path: Path) -> bool:
    return _md5(path, path.stat().st_mtime_ns) in _MD5[path.name]


@functools.lru_cache(maxsize=16)
def _md5(path: Path, changed: int) -> str:
    """A file's checksum, computed once unless it was `changed` meanwhile: it takes a tenth of a second."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def fetch(
    folder: Path,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
    *,
    stall_seconds: float = STALL_SECONDS,
) -> None:
    """Download MNIST's four files into `folder`; valid files already there stay untouched.

    Folders that are made for them go again if nothing comes.

    The environment variable `MNIST_MIRROR` can name a mirror (a classroom's, say): the address of a folder
    with the four .gz files. Archives already in the folder are used if their MD5 is the one torchvision
    expects.

    Args:
        folder: what torchvision calls the root.
        progress: called now and then with the bytes so far and in all.
        cancelled: asked often; the download ends soon after it returns True.
        stall_seconds: how long a mirror may send nothing before it is given up. torchvision writes 32 KB at
            a time, so one that sends less than that in this time counts as stalled.

    Raises:
        DataError: nothing could be downloaded or written. Existing files are unchanged.
    """
    raw = raw_folder(folder)
    with _without_empty_folders(raw):
        try:
            raw.mkdir(parents=True, exist_ok=True)
            _clear_leftovers(raw.parent)
            beside = Path(tempfile.mkdtemp(prefix=".downloading-", dir=raw.parent))
        except OSError as error:
            raise DataError(
                f"MNIST cannot be written to {raw} ({error.strerror}): choose another folder with --data-dir "
                "or MNIST_DATA_DIR."
            ) from error
        try:
            for archive in raw.glob("*.gz"):
                raw_folder(beside).mkdir(parents=True, exist_ok=True)
                shutil.copy(archive, raw_folder(beside) / archive.name)
            _try_mirrors(beside, raw, progress, cancelled, stall_seconds)
            _move_in(raw_folder(beside), raw)
        except OSError as error:
            raise DataError(
                f"MNIST could not be written to {raw} ({error.strerror}): make room, or choose another "
                "folder with --data-dir or MNIST_DATA_DIR."
            ) from error
        finally:
            shutil.rmtree(beside, ignore_errors=True)


@contextlib.contextmanager
def _without_empty_folders(folder: Path) -> Iterator[None]:
    """Afterwards `folder` and those around it are gone if they are new and empty."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        yield
    finally:
        for path in missing:
            with contextlib.suppress(OSError):  # something lies in it, or it was never made
                path.rmdir()


def _clear_leftovers(parent: Path) -> None:
    """Remove what killed downloads left behind."""
    for leftover in parent.glob(".downloading-*"):
        with contextlib.suppress(FileNotFoundError):  # of another download, which has just ended
            newest = max(path.stat().st_mtime for path in [leftover, *leftover.rglob("*")])
            if time.time() - newest > LEFTOVER_SECONDS:
                shutil.rmtree(leftover, ignore_errors=True)


def _try_mirrors(
    beside: Path, raw: Path, progress: Progress | None, cancelled: Cancelled | None, stall_seconds: float
) -> None:
    """Let torchvision download into `beside`, from the next mirror when one stalls."""
    mirror = os.environ.get(MIRROR_VARIABLE, "")
    if mirror and not mirror.endswith("/"):
        mirror += "/"
    for skip in range(1 if mirror else _MIRRORS):
        try:
            return _run_child(beside, skip, mirror, progress, cancelled, stall_seconds)
        except _Failed as error:
            reason = str(error)
            if not isinstance(error, _Stalled):
                break  # torchvision has tried all the mirrors itself
    if os.strerror(errno.ENOSPC) in reason:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    where = mirror or "torchvision's mirrors"
    raise DataError(
        f"{_spoilt(raw)}MNIST could not be downloaded from {where} ({reason}): check the network and try "
        f"again, or put the four files into {raw} by hand."
    )


def _spoilt(raw: Path) -> str:
    """The beginning of a sentence: what is wrong with files that lie there; "" if nothing is."""
    wrong = {path.name: problem(path) for path in (raw / name for name in _MD5) if path.exists()}
    wrong |= {path.name: _archive_problem(path) for path in sorted(raw.glob("*-ubyte.gz"))}
    problems = [f"{name} {what}" for name, what in wrong.items() if what is not None]
    return f"In {raw} {', '.join(problems)}, and " if problems else ""


def _archive_problem(path: Path) -> str | None:
    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error):
        return "is damaged"
    whole = hashlib.md5(content).hexdigest() in _MD5.get(path.stem, ())
    return None if whole else "holds other data than MNIST's"


def _run_child(
    beside: Path,
    skip: int,
    mirror: str,
    progress: Progress | None,
    cancelled: Cancelled | None,
    stall_seconds: float,
) -> None:
    """Run one download to its end. Raises `_Failed`, with the reason in a few words."""
    started = beside / _STARTED
    started.unlink(missing_ok=True)
    with (
        tempfile.TemporaryFile() as output,
        subprocess.Popen(
            [sys.executable, "-c", _CHILD, str(beside), str(skip), mirror, str(started)],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.DEVNULL,
        ) as child,
    ):
        try:
            stalled = _watch(child, beside, progress, cancelled, stall_seconds)
        finally:
            child.kill()
        if stalled:
            raise _Stalled(f"nothing came for {stall_seconds:g} seconds")
        if child.wait() != 0:
            output.seek(0)
            raise _Failed(_in_few_words(output.read().decode(errors="replace")))


def _watch(
    child: subprocess.Popen[bytes],
    beside: Path,
    progress: Progress | None,
    cancelled: Cancelled | None,
    stall_seconds: float,
) -> bool:
    """Follow a download until it ends (False) or stalls (True). Raises `DownloadCancelled`."""
    seen, last_growth = -1, time.monotonic()
    while child.poll() is None:
        if cancelled is not None and cancelled():
            raise DownloadCancelled(
                "The download was cancelled and changed nothing: start it again when you like."
            )
        came, extracted = _sizes(beside)
        if came + extracted != seen:
            seen, last_growth = came + extracted, time.monotonic()
            if progress is not None:
                progress(min(came, DOWNLOAD_BYTES), DOWNLOAD_BYTES)
        elif not (beside / _STARTED).exists():
            last_growth = time.monotonic()  # torchvision is still being imported
        elif time.monotonic() - last_growth > stall_seconds:
            return True
        time.sleep(_POLL_SECONDS)
    return False


def _sizes(beside: Path) -> tuple[int, int]:
    """Bytes of archives and of extracted files so far."""
    came = extracted = 0
    for path in beside.rglob("*-ubyte*"):
        with contextlib.suppress(FileNotFoundError):  # between the listing and the look
            if path.suffix == ".gz":
                came += path.stat().st_size
            else:
                extracted += path.stat().st_size
    return came, extracted


def _in_few_words(output: str) -> str:
    """The cause in what torchvision printed: its last line that is not an address."""
    lines = [line.strip() for line in output.splitlines() if line.strip() and not line.startswith("Tried ")]
    return lines[-1].rstrip(".")[:200] if lines else "the download ended without a word"


def _move_in(downloaded: Path, raw: Path) -> None:
    """Rename valid files that were missing into place."""
    raw.mkdir(parents=True, exist_ok=True)  # another download that failed may have taken it away
    for name in file_names(train=True) + file_names(train=False):
        wrong = problem(downloaded / name)
        if wrong is not None:
            raise DataError(
                f"The downloaded {name} {wrong}: try again, or name another mirror in {MIRROR_VARIABLE}."
            )
        if problem(raw / name) is not None:
            (downloaded / name).replace(raw / name)
