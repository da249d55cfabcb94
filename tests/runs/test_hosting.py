"""Where the page is served, by what the environment says, and what a malformed variable gets."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from mnist_core.runs import hosting
from mnist_core.runs.hosting import hosting_from, prepare

SPACE = {"SPACE_ID": "someone/digits"}


@pytest.mark.parametrize(
    ("given", "root_path", "prefix"),
    [
        ("", "", ""),
        ("/", "", ""),
        ("/digits", "/digits", "/digits"),
        ("/digits/", "/digits", "/digits"),
        ("digits", "/digits", "/digits"),
        ("/a/b/", "/a/b", "/a/b"),
        ("https://school.example/", "https://school.example", ""),
        ("https://school.example:8443/digits/", "https://school.example:8443/digits", "/digits"),
    ],
)
def test_a_root_path_may_end_in_a_slash_or_be_a_whole_address(
    given: str, root_path: str, prefix: str
) -> None:
    hosting = hosting_from({"GRADIO_ROOT_PATH": given})
    assert (hosting.root_path, hosting.prefix) == (root_path, prefix)


@pytest.mark.parametrize("given", ["ftp://school.example", "/a b", "/digits?x=1", "https://", "/a//b"])
def test_a_root_path_that_is_no_path_is_told_with_an_example(given: str) -> None:
    with pytest.raises(ValueError, match=r"GRADIO_ROOT_PATH must be a path such as /digits"):
        hosting_from({"GRADIO_ROOT_PATH": given})


@pytest.mark.parametrize("port", ["abc", "", "0", "-1", "65536", "7860.5", "²"])
def test_a_port_that_is_none_is_told_with_its_range(port: str) -> None:
    with pytest.raises(ValueError, match=r"GRADIO_SERVER_PORT must be a whole number from 1 to 65535; got"):
        hosting_from({"GRADIO_SERVER_PORT": port})


def test_only_a_space_is_framed_by_other_sites_unless_they_are_named() -> None:
    assert hosting_from({}).frame_ancestors == "'self'"
    assert hosting_from(SPACE).frame_ancestors == "*"
    named = {"MNIST_FRAME_ANCESTORS": "https://school.example  https://*.school.example:8443"}
    sites = "https://school.example https://*.school.example:8443"
    assert hosting_from(named).frame_ancestors == f"'self' {sites}"
    assert hosting_from({"MNIST_FRAME_ANCESTORS": "*"}).frame_ancestors == "*"
    on_a_space = hosting_from(SPACE | named).frame_ancestors
    assert "https://huggingface.co" in on_a_space, "the Space's own page at the Hub is a frame too"
    assert on_a_space.endswith(sites)


@pytest.mark.parametrize(
    "given", ["school.example", "https://a.example; script-src *", "https://*", "* 'self'"]
)
def test_a_site_that_is_none_is_told_with_an_example(given: str) -> None:
    with pytest.raises(ValueError, match=r"MNIST_FRAME_ANCESTORS must be \* for any site, or sites such as"):
        hosting_from({"MNIST_FRAME_ANCESTORS": given})


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The machine's folder for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_uploads_go_to_a_folder_of_this_user_alone(shared: Path) -> None:
    environment: dict[str, str] = {}
    for _ in range(2):
        assert prepare(environment) == []
        folder = Path(environment["GRADIO_TEMP_DIR"])
        assert (folder.parent, folder.name) == (shared, f"gradio-{os.getuid()}")
        assert folder.stat().st_mode & 0o777 == 0o700
        environment.clear()


@pytest.mark.parametrize("there", ["a file", "another user's folder", "a link to somebody's folder"])
def test_uploads_never_go_where_another_user_came_first(
    there: str, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = shared / f"gradio-{os.getuid()}"
    if there == "a file":
        taken.touch()
    elif there == "another user's folder":
        taken.mkdir()
        another = os.getuid() + 1
        taken.rename(shared / f"gradio-{another}")
        monkeypatch.setattr(os, "getuid", lambda: another)
    else:
        (shared / "elsewhere").mkdir()
        taken.symlink_to(shared / "elsewhere")
    environment: dict[str, str] = {}
    prepare(environment)
    folder = Path(environment["GRADIO_TEMP_DIR"])
    assert folder.parent == shared and folder.name != f"gradio-{os.getuid()}"
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_folder_for_uploads_that_was_named_is_used_or_refused_with_a_sentence(tmp_path: Path) -> None:
    environment = {"GRADIO_TEMP_DIR": str(tmp_path / "mine")}
    prepare(environment)
    assert environment == {"GRADIO_TEMP_DIR": str(tmp_path / "mine")}
    assert (tmp_path / "mine").is_dir()
    with pytest.raises(
        ValueError, match=r"^GRADIO_TEMP_DIR must be a folder that can be written; /proc/no is"
    ):
        prepare({"GRADIO_TEMP_DIR": "/proc/no"})


def test_a_socks_proxy_that_cannot_be_used_is_left_out_and_named(
    shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"ALL_PROXY": "socks5://127.0.0.1:9", "http_proxy": "http://proxy:3128", "no_proxy": "localhost"}
    monkeypatch.setattr(hosting, "find_spec", lambda name: None)
    environment = dict(given)
    assert prepare(environment) == ["Not used, since a SOCKS proxy needs the package socksio: ALL_PROXY."]
    assert {name for name in given if name in environment} == {"http_proxy", "no_proxy"}
    monkeypatch.setattr(hosting, "find_spec", lambda name: name)
    environment = dict(given)
    assert prepare(environment) == []
    assert environment["ALL_PROXY"] == given["ALL_PROXY"]
