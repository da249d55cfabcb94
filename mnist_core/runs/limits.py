"""What a visitor may ask of this machine: generous on one's own, strict in public."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Dataclass = TypeVar("Dataclass", bound="DataclassInstance")

PREFIX = "MNIST_LIMIT_"  # MNIST_LIMIT_QUEUE=20 sets `queue`
_KINDS = {"int": int, "float": float}  # of a limit, as its annotation has it


@dataclass(frozen=True, kw_only=True)
class Limits:
    """All limits on visits and their runs; the defaults suit one's own machine.

    Attributes:
        run_seconds: of training in one run; then it is stopped and keeps its weights.
        epochs: in one recipe.
        turn_seconds: a run gives its slot to the next in the queue after this long, and queues again.
        queue: runs that may wait for the slot, all visits together.
        synthetic: digits and signs in one recipe; rendering them takes time.
        runs: a visit may have, finished ones among them.
        visits: that are remembered at once.
        idle_seconds: after which an unused visit is forgotten.
        gone_seconds: after its last page closed, a visit is forgotten; a laptop that sleeps closes it too.
        unwatched_seconds: after which a run whose page no longer asks about it is paused; half of that, if
            the page has said that it is closing.
        drawings: that one run may be fine-tuned on.
        upload_bytes: of a file of weights; a checkpoint of Adam's in float64 takes 7.2 MB.
        kept_runs: in the archive; the oldest go first.
    """

    run_seconds: float = 4 * 3600
    epochs: float = 100
    turn_seconds: float = 30
    queue: int = 40
    runs: int = 100
    synthetic: int = 200_000
    visits: int = 400
    idle_seconds: float = 24 * 3600
    gone_seconds: float = 3600
    unwatched_seconds: float = 6
    drawings: int = 50
    upload_bytes: int = 8 * 2**20
    kept_runs: int = 50

    def __post_init__(self) -> None:
        for limit in fields(self):
            value = getattr(self, limit.name)
            if not value >= 0:
                raise ValueError(f"The limit {limit.name} must be 0 or more; got {value!r}.")


GENEROUS = Limits()
CAREFUL = Limits(
    run_seconds=300,
    epochs=20,
    turn_seconds=15,
    queue=20,
    synthetic=10_000,
    runs=12,
    visits=300,
    idle_seconds=1800,
    gone_seconds=45,
    kept_runs=0,
)


def on_a_space(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether this is a Hugging Face Space: a public page, which archives nothing."""
    return bool(environment.get("SPACE_ID"))


def limits_from(environment: Mapping[str, str] = os.environ) -> Limits:
    """The limits for this machine, overridden by the `MNIST_LIMIT_...` variables.

    Raises:
        ValueError: a variable is not a number.
    """
    return overridden(CAREFUL if on_a_space(environment) else GENEROUS, environment)


def overridden(limits: Dataclass, environment: Mapping[str, str] = os.environ) -> Dataclass:
    """`limits`, a dataclass of numbers, with each field that `MNIST_LIMIT_` and its name in capitals sets.

    Raises:
        ValueError: a variable is not a number.
    """
    for limit in fields(limits):
        name = PREFIX + limit.name.upper()
        if name not in environment:
            continue
        try:
            value = _KINDS[str(limit.type)](environment[name])
        except ValueError as error:
            kind = "a number" if limit.type == "float" else "a whole number"
            raise ValueError(f"{name} must be {kind}; got {environment[name]!r}.") from error
        limits = replace(limits, **{limit.name: value})
    return limits
