"""What a page does as it is served."""

from __future__ import annotations

from commands import answer_of

_COUNT_PASSED_OVER = """
import gc
from mnist_core import page

demo = page.build()
demo.block_thread = lambda: print(gc.get_freeze_count())
page.serve(demo)
"""


def test_a_full_collection_passes_over_all_that_a_served_page_has_loaded() -> None:
    assert int(answer_of(_COUNT_PASSED_OVER, MNIST_RUNS_DIR="").splitlines()[-1]) > 200_000
