"""What the buttons and fields of the Train tab's panels do, each function named as in their `data-act`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Any

from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mnist_core.page.components.layout import Layout, Updates
from mnist_core.page.components.pad import Picture
from mnist_core.page.views import results, status
from mnist_core.runs import SHIPPED, RunError, Visit, registry
from mnist_core.runs.run import Run

Text = Annotated[str, Field(max_length=1000)]


@dataclass(frozen=True)
class Press:
    """Who used a button or a field.

    Attributes:
        choice: the weights that read the pads, "shipped" or a run's id.
    """

    layout: Layout
    visit: Visit
    secret: str
    choice: str

    def run(self, given: Given) -> Run:
        """The run that a button belongs to. Raises `RunError` if this visit has none of that id."""
        return registry().run(self.secret, given.run)

    def now(self, choice: str | None = None) -> Updates:
        """What the tab shows now, `choice` reading the pads."""
        return self.layout.frame(self.visit, registry(), self.choice if choice is None else choice)

    def now_reads(self, choice: str) -> Updates:
        """The same, and the list of the weights that may read the pads."""
        return self.now(choice) | {self.layout.weights: self.layout.choices(self.visit, choice)}

    def started(self, run: Run) -> Updates:
        """What the tab shows now that this run has begun."""
        self.visit.current = run.id
        return self.now(SHIPPED)


class Given(BaseModel):
    """The `data-` attributes of a button or a field, and a field's value."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    act: Text
    run: Text = ""
    value: Text | bool = ""
    digit: Text = ""
    index: Text = ""
    panel: Text = ""


Action = Callable[[Press, Given], Updates]
_actions: dict[str, Action] = {}


def carry_out(press: Press, data: Any) -> Updates:
    """Do what the button or field is for, as its event's data say.

    Raises:
        RunError: the page has no such button, or what it asks for cannot be had.
    """
    try:
        given = Given.model_validate(data)
        action = _actions[given.act]
    except (ValidationError, KeyError):
        raise RunError("The page has no such button. Reload it and try again.") from None
    return action(press, given)


def _action(function: Action) -> Action:
    _actions[function.__name__] = function
    return function


@_action
def gentler(press: Press, given: Given) -> Updates:
    """Train again by a diverged run's recipe, at the rate that was advised."""
    run = press.run(given)
    rate = run.trouble.learning_rate if run.trouble is not None else None
    config = replace(run.config, learning_rate=rate or run.config.learning_rate)
    return press.started(registry().start(press.secret, config)) | {press.layout.recipe: config}


@_action
def synthetic(press: Press, given: Given) -> Updates:
    """Train by the same recipe on as many synthetic digits as may be."""
    config = replace(press.run(given).config, data="synthetic")
    most = max(100, registry().limits.synthetic - config.non_digits)
    config = replace(config, train_size=min(config.train_size, most))
    return press.started(registry().start(press.secret, config)) | {press.layout.recipe: config}


@_action
def use(press: Press, given: Given) -> Updates:
    """Have this run's weights read the pads."""
    return press.now_reads(press.run(given).id)


@_action
def undo(press: Press, given: Given) -> Updates:
    """Delete fine-tuned weights; those that they came from read again, if they are still there."""
    run = press.run(given)
    registry().delete(press.secret, run.id)
    parent = run.result.get("parent")
    press.visit.current = parent if parent in press.visit.runs else None
    return press.now_reads(press.visit.current or SHIPPED)


@_action
def show(press: Press, given: Given) -> Updates:
    """Show this run on the tab."""
    press.visit.current = press.run(given).id
    return press.now()


@_action
def compare(press: Press, given: Given) -> Updates:
    """Add this run's curve to those that are compared, or take it away."""
    compared = press.visit.compared
    (compared.add if given.value is True else compared.discard)(press.run(given).id)
    return press.now()


@_action
def reload(press: Press, given: Given) -> Updates:
    """Put this run's recipe on the form."""
    return {press.layout.recipe: press.run(given).config}


@_action
def rename(press: Press, given: Given) -> Updates:
    """Give this run another name."""
    registry().rename(press.secret, given.run, str(given.value))
    return press.now_reads(press.choice)


@_action
def delete(press: Press, given: Given) -> Updates:
    """Delete this run; the built-in model reads the pads if this one did."""
    registry().delete(press.secret, given.run)
    return press.now_reads(SHIPPED if press.choice == given.run else press.choice)


@_action
def panel(press: Press, given: Given) -> Updates:
    """Open another panel of the results."""
    if given.panel not in results.PANELS:
        raise RunError("The page has no such results. Reload it and try again.")
    press.visit.panel = given.panel
    return press.now()


@_action
def mistake(press: Press, given: Given) -> Updates:
    """Lay a misread test image on the pads."""
    run = press.run(given)
    found = run.examination.worst if run.examination is not None else []
    if not given.index.isdecimal() or int(given.index) >= len(found):
        raise RunError("There is no such mistake any more. Open the gallery again.")
    shown = found[int(given.index)]
    caption = f"MNIST test image {shown.index:,}. It is labelled {shown.truth}."
    return {press.layout.pad: Picture(Image.fromarray(255 - shown.picture), caption)}


@_action
def label(press: Press, given: Given) -> Updates:
    """Add the drawing on the pad to those to fine-tune on."""
    visit, most = press.visit, registry().limits.drawings
    if visit.pad.ink is None:
        raise RunError("Draw a digit first, then tap its label.")
    if given.digit not in tuple("0123456789") or len(visit.drawings) >= most:
        raise RunError(f"Fine-tuning takes up to {most} drawings of the digits 0 to 9.")
    visit.drawings.append((visit.pad.ink, int(given.digit)))
    return {press.layout.fine_tuning: status.fine_tuning(visit, unfolded=True)}


@_action
def unlabel(press: Press, given: Given) -> Updates:
    """Drop the drawings to fine-tune on."""
    press.visit.drawings.clear()
    return {press.layout.fine_tuning: status.fine_tuning(press.visit, unfolded=True)}


@_action
def fine_tune(press: Press, given: Given) -> Updates:
    """Fine-tune a copy of the chosen weights on the labelled drawings."""
    run = registry().fine_tune(press.secret, press.choice, list(press.visit.drawings))
    press.visit.drawings.clear()
    return press.started(run) | {press.layout.fine_tuning: status.fine_tuning(press.visit, unfolded=True)}
