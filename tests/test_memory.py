"""Freed memory is kept for the next step."""

import subprocess
import sys

import pytest

_COUNT_FAULTS = """
import resource, sys
import torch
from mnist_core.memory import keep_freed_memory

if sys.argv[1] == "keep":
    assert keep_freed_memory()
blocks = [torch.ones(2_000_000) for _ in range(4)]  # the first step's memory is new in any case
del blocks
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    blocks = [torch.ones(2_000_000) for _ in range(4)]  # 8 MB each
    del blocks
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def _page_faults(how: str) -> int:
    answer = subprocess.run(
        [sys.executable, "-c", _COUNT_FAULTS, how], capture_output=True, text=True, check=True, timeout=120
    )
    return int(answer.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc can be told")
def test_memory_that_a_step_frees_is_not_mapped_again_for_the_next() -> None:
    assert _page_faults("keep") < _page_faults("default") / 5
