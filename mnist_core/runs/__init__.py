"""A visitor's runs: start, pause, resume, stop, limits, expiry. `visits` holds the registry of them all."""

from mnist_core.runs.slot import Refused
from mnist_core.runs.visits import SHIPPED, Runs, Visit, classifier_for, registry

__all__ = ["SHIPPED", "Refused", "Runs", "Visit", "classifier_for", "registry"]
