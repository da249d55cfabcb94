"""A visitor's runs: start, pause, resume, stop, limits, expiry. The registry is in `control`."""

from mnist_core.runs.control import SHIPPED, Runs, registry, shipped_classifier
from mnist_core.runs.slot import RunError
from mnist_core.runs.visits import Visit

__all__ = ["SHIPPED", "RunError", "Runs", "Visit", "registry", "shipped_classifier"]
