"""How the page is served: every setting that Gradio would otherwise choose, decided here."""

from __future__ import annotations

from typing import Any

from starlette.middleware import Middleware

from mnist_core.page.guard import Guard


def settings(**overrides: Any) -> dict[str, Any]:
    """Arguments for `demo.launch(...)`; `overrides` (a port, a theme, styles) win."""
    decided = {
        "app_kwargs": {"middleware": [Middleware(Guard)]},
        "enable_monitoring": False,
        "run_history": False,
        "pwa": False,
        "ssr_mode": False,
        "share": False,
        "max_file_size": "5mb",
    }
    return {**decided, **overrides}
