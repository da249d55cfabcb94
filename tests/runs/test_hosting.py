"""Where the page is served, by what the environment says, and what a malformed variable gets."""

from __future__ import annotations

import pytest

from mnist_core.runs.hosting import hosting_from

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
