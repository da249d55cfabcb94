"""The limits of a host, by where it runs and what its environment says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mnist_core.runs.limits import CAREFUL, GENEROUS, limits_from


def test_limits_are_careful_on_a_space_and_follow_the_environment() -> None:
    assert limits_from({}) == GENEROUS
    assert limits_from({"SPACE_ID": "someone/digits"}) == CAREFUL
    assert limits_from({"SPACE_ID": "x", "MNIST_LIMIT_QUEUE": "3"}) == replace(CAREFUL, queue=3)
    with pytest.raises(ValueError, match=r"MNIST_LIMIT_QUEUE must be a whole number; got 'many'\."):
        limits_from({"MNIST_LIMIT_QUEUE": "many"})
    assert limits_from({"MNIST_LIMIT_EPOCHS": "0.1"}).epochs == 0.1
