"""Where the page is served: the variables that say so, read and checked before Gradio is imported."""

from __future__ import annotations

import os
import re
import stat
import tempfile
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from mnist_core.runs.limits import on_a_space

_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*")
_HOST = r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*(:[0-9]{1,5})?"
_ADDRESS = re.compile(rf"https?://{_HOST}")
_PROXIES = ("all_proxy", "http_proxy", "https_proxy")
_SITE = re.compile(rf"https?://(\*\.)?{_HOST}")


@dataclass(frozen=True, kw_only=True)
class Hosting:
    """Where a proxy shows the page, and which sites may show it in a frame.

    Attributes:
        root_path: what `GRADIO_ROOT_PATH` says, as Gradio wants it: empty, `/digits`, or an address such as
            `https://school.example/digits`; never with a closing slash.
        frame_ancestors: the sources of the policy's `frame-ancestors`.
    """

    root_path: str
    frame_ancestors: str

    @property
    def prefix(self) -> str:
        """The path below which a proxy shows the page: empty, or as `/digits`."""
        return urlsplit(self.root_path).path


def hosting_from(environment: Mapping[str, str] = os.environ) -> Hosting:
    """What the environment says of where the page is served.

    Raises:
        ValueError: `GRADIO_SERVER_PORT`, `GRADIO_ROOT_PATH` or `MNIST_FRAME_ANCESTORS` is malformed.
    """
    _check_port(environment.get("GRADIO_SERVER_PORT", "7860"))
    return Hosting(
        root_path=_root_path(environment.get("GRADIO_ROOT_PATH", "")),
        frame_ancestors=_frame_ancestors(environment.get("MNIST_FRAME_ANCESTORS"), on_a_space(environment)),
    )


def prepare(environment: MutableMapping[str, str] = os.environ) -> list[str]:
    """Set what Gradio reads as it is imported, where its own default could keep it from starting.

    Returns:
        Sentences on what was changed that someone might miss.

    Raises:
        ValueError: `GRADIO_TEMP_DIR` is set to a folder that cannot be written.
    """
    environment["GRADIO_TEMP_DIR"] = str(_own_folder(environment.get("GRADIO_TEMP_DIR")))
    return _without_socks(environment)


def _own_folder(given: str | None) -> Path:
    """Where uploads go: the folder that was named, else one of this user alone, made if needed.

    Gradio's own default is one folder for all users of a machine, and belongs to whoever came first.
    """
    if given:
        folder = Path(given)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(
                f"GRADIO_TEMP_DIR must be a folder that can be written; {given} is none ({error.strerror})."
            ) from error
        return folder
    user = os.getuid() if hasattr(os, "getuid") else "own"
    folder = Path(tempfile.gettempdir()) / f"gradio-{user}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        if stat.S_ISDIR(found.st_mode) and found.st_uid == user and os.access(folder, os.W_OK):
            return folder
    except OSError:
        pass  # no folder there, and none to be made: somebody else's file has the name
    return Path(tempfile.mkdtemp(prefix="gradio-"))


def _without_socks(environment: MutableMapping[str, str]) -> list[str]:
    """Drop SOCKS proxies where httpx cannot use them: one would end Gradio's start, although only this page
    itself is asked by httpx."""
    names = [name for name in environment if name.lower() in _PROXIES]
    unusable = [name for name in names if environment[name].lower().startswith("socks")]
    if not unusable or find_spec("socksio") is not None:
        return []
    for name in unusable:
        del environment[name]
    return [f"Not used, since a SOCKS proxy needs the package socksio: {', '.join(unusable)}."]


def _check_port(port: str) -> None:
    if not (port.isascii() and port.isdigit() and 1 <= int(port) <= 65_535):
        raise ValueError(f"GRADIO_SERVER_PORT must be a whole number from 1 to 65535; got {port!r}.")


def _root_path(given: str) -> str:
    bare = given.strip().rstrip("/")
    address = _ADDRESS.match(bare)
    path = bare[address.end() :] if address else "/" + bare.lstrip("/") if bare else ""
    if not _PATH.fullmatch(path):
        raise ValueError(
            "GRADIO_ROOT_PATH must be a path such as /digits, or a whole address such as "
            f"https://school.example/digits; got {given!r}."
        )
    return (address[0] if address else "") + path


def _frame_ancestors(given: str | None, space: bool) -> str:
    """A Space's embedding in other sites is switched on and off in its README's header, by the Hub."""
    if given is None:
        return "*" if space else "'self'"
    sites = given.split()
    if sites == ["*"]:
        return "*"
    for site in sites:
        if not _SITE.fullmatch(site):
            raise ValueError(
                "MNIST_FRAME_ANCESTORS must be * for any site, or sites such as https://school.example "
                f"and https://*.school.example with spaces between; got {site!r}."
            )
    hub = ["https://huggingface.co", "https://*.huggingface.co", "https://*.hf.space"] if space else []
    return " ".join(["'self'", *hub, *sites])
