"""Probabilities are written as the scripts write them (`tests/js/percent.test.mjs` has the same list)."""

from __future__ import annotations

import pytest

from mnist_core.page.views.percent import percent, share


@pytest.mark.parametrize(
    ("probability", "text"),
    [(0, "< 1"), (0.004, "< 1"), (0.005, "1"), (0.124, "12"), (0.125, "13"), (0.994, "99"), (0.995, "> 99")],
)
def test_a_probability_is_never_written_as_0_or_100_percent(probability: float, text: str) -> None:
    assert percent(probability) == f"{text}\u202f%"


def test_what_was_counted_is_written_with_so_many_digits_and_may_be_all() -> None:
    assert (share(0.98765, 2), share(1.0, 1), share(0.0)) == ("98.77\u202f%", "100.0\u202f%", "0\u202f%")
