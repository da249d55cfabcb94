"""The small page that these tests share: each leaves it as it found it."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from small_page import served


@pytest.fixture(scope="package")
def client() -> Iterator[httpx.Client]:
    """A client of the small page."""
    with served() as client:
        yield client
