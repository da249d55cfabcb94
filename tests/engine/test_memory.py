"""Memory is kept for the next step, and handed back when told."""

import sys

import pytest
from commands import answer_of

_COUNT_FAULTS = """
import resource, sys
import torch
from mnist_core.engine.memory import keep_freed_memory

if sys.argv[1] == "keep":
    assert keep_freed_memory()
for _ in range(10):
    blocks = [torch.ones(2_000_000) for _ in range(4)]  # the first steps' memory is new in any case
    del blocks
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    blocks = [torch.ones(2_000_000) for _ in range(4)]  # 8 MB each
    del blocks
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def _page_faults(how: str) -> int:
    fixed = {"MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_TRIM_THRESHOLD_": "131072"}  # where glibc begins
    return int(answer_of(_COUNT_FAULTS, how, **fixed))


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc can be told")
def test_memory_that_a_step_frees_is_not_mapped_again_for_the_next() -> None:
    assert _page_faults("keep") < _page_faults("default") / 5


_COUNT_BYTES = """
from pathlib import Path
import torch
from mnist_core.engine.memory import give_back_freed_memory, keep_freed_memory

def held():
    return int(Path("/proc/self/statm").read_text().split()[1])  # pages

keep_freed_memory()
before = held()
blocks = [torch.ones(2_000_000) for _ in range(20)]  # 8 MB each
last = torch.ones(2_000_000)  # lies above them: the heap cannot simply end earlier
full = held() - before
del blocks
kept = held() - before
assert give_back_freed_memory()
print(kept / full, (held() - before) / full)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc can be told")
def test_memory_that_a_run_leaves_goes_back() -> None:
    kept, left = map(float, answer_of(_COUNT_BYTES).split())
    assert kept > 0.9
    assert left < 0.2


_WARM_UP = """
import sys
from mnist_core.runs import Runs
from mnist_core.runs.store import DigitStore

class Store(DigitStore):
    def warm_up(self):
        print("digits")

runs = Runs(digits=Store())
print("torch._dynamo" in sys.modules)
runs.warm_up()
runs.warm_up().join()
print("torch._dynamo" in sys.modules)
"""


def test_a_warm_up_brings_once_what_a_first_run_would_wait_for() -> None:
    assert answer_of(_WARM_UP).split() == ["False", "digits", "True"]
