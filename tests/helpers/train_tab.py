"""The Train tab as the tests look at it: what it says of a run, its curve, and what is taken along."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mnist_core.config import TrainConfig
from mnist_core.data import load_data
from mnist_core.engine.events import Step
from mnist_core.engine.setup import initial_model
from mnist_core.training import fit

# Long enough never to end by itself while a test looks at it.
LONG = {"train_size": 6000, "epochs": 20}


def train_address(url: str, **recipe: Any) -> str:
    return f"{url}/?" + "&".join(f"{name}={value}" for name, value in recipe.items())


def state_of(page: Any) -> str:
    return page.locator("#train-status .status").get_attribute("data-state")


def until(page: Any, condition: Callable[[], Any], seconds: float = 180.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not in time; {page.locator('#train-status').inner_text()}"
        page.wait_for_timeout(50)


def step_of(page: Any) -> int:
    said = page.locator("#train-status .numbers").inner_text()
    return int(said.split()[1].replace(",", "")) if said.startswith("step") else 0


def until_state(page: Any, *states: str) -> None:
    until(page, lambda: state_of(page) in states)


def saved_losses(page: Any, folder: Path) -> list[tuple[int, float]]:
    """Step and loss of each row of the history that the page offers to take along."""
    rows = csv.DictReader(save(page, "History", folder).read_text(encoding="utf-8").splitlines())
    return [(int(row["step"]), float(row["loss"])) for row in rows if row["loss"]]


def save(page: Any, link: str, folder: Path) -> Path:
    """What a link of "Export" saves, once it is shown."""
    with page.expect_download() as download:
        page.get_by_role("link", name=link).click()
    download.value.save_as(folder / link)
    return folder / link


def curve_of(page: Any) -> list[tuple[float, float]]:
    """The points of the curve of single batches, in pixels of the plot."""
    path = page.locator("#loss-plot .chart-faint path").get_attribute("d")
    return [tuple(map(float, point.split())) for point in path[1:].split("L")]


def is_drawn(losses: list[float], curve: list[tuple[float, float]]) -> bool:
    """Whether the curve has these losses at even steps: two of them place all others."""
    low, high = losses.index(min(losses)), losses.index(max(losses))
    pixels = (curve[low][1] - curve[high][1]) / (losses[low] - losses[high])
    return len(losses) == len(curve) and all(
        abs(curve[low][1] + pixels * (loss - losses[low]) - y) < 0.5
        for loss, (_, y) in zip(losses, curve, strict=True)
    )


def run_alone(config: TrainConfig, folder: Path) -> tuple[list[tuple[int, float]], dict[str, Any]]:
    """Steps with their losses, and the weights, of the same run in this process with nobody beside it."""
    train_data, test_data = load_data(config, folder)
    model = initial_model(config)
    events = fit(model, train_data, test_data, config)
    losses = [(event.step, event.loss) for event in events if isinstance(event, Step)]
    return losses, model.state_dict()
