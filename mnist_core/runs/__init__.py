"""A visitor's runs: start, pause, resume, stop, limits, expiry. `control` has the registry."""

from mnist_core.runs.control import SHIPPED, Runs, classifier_for, registry
from mnist_core.runs.slot import Refused
from mnist_core.runs.visits import Visit

__all__ = ["SHIPPED", "Refused", "Runs", "Visit", "classifier_for", "registry"]
