"""The results of a visit's runs: the table, the confusion matrix, the worst mistakes, kernels, files."""

from __future__ import annotations

import json
from html import escape

import torch

from mnist_core.model import CLASSES
from mnist_core.page.components.panel import button, download, picture
from mnist_core.page.components.recipe import CHOICES, NAMES
from mnist_core.runs import Visit
from mnist_core.runs.archive import weights_file
from mnist_core.runs.examine import Examination
from mnist_core.runs.recipes import as_python, changed
from mnist_core.runs.run import Run, images_per_second

PANELS = {
    "runs": "Runs",
    "confusion": "Confusion",
    "mistakes": "Mistakes",
    "kernels": "Kernels",
    "export": "Export",
}
COLUMNS = (
    "Show", "Compare", "Name", "Recipe", "Seed", "Test accuracy", "Seconds", "Images/s", "To 98 %", "To 99 %",
)  # fmt: skip


def results(visit: Visit, run: Run | None, examination: Examination | None, choice: str) -> str:
    """The row of result panels and the one that is open; empty until there is a run."""
    if run is None or run.weights is None:
        return ""
    tabs = "".join(
        f'<button type="button" data-act="panel" data-panel="{name}" aria-pressed="'
        f'{"true" if name == visit.panel else "false"}">{title}</button>'
        for name, title in PANELS.items()
    )
    body = {
        "runs": lambda: _table(visit, run, choice),
        "confusion": lambda: _confusion(run, examination),
        "mistakes": lambda: _mistakes(run, examination),
        "kernels": lambda: _kernels(run),
        "export": lambda: _export(run),
    }[visit.panel]()
    return (
        f'<div class="results"><div class="tabs" role="group" aria-label="Results">{tabs}</div>{body}</div>'
    )


def recipe_words(run: Run) -> str:
    """How a recipe differs from the book's, in a few words."""
    hidden = {"threads", "precision", "seed", "test_batch_size"}
    if run.kind == "uploaded":
        return "uploaded weights"
    if run.kind == "fine-tuned":
        count = run.result.get("drawings", 0)
        return "fine-tuned on your drawing" if count == 1 else f"fine-tuned on your {count} drawings"
    parts = [
        f"{_label(name)} {_value(value)}" for name, value in changed(run.config).items() if name not in hidden
    ]
    return ", ".join(parts) or "the book's"


def _label(name: str) -> str:
    label = NAMES.get(name, name.replace("_", " "))
    return label[0].lower() + label[1:]


def _value(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else CHOICES.get(str(value), str(value))


def _table(visit: Visit, shown: Run, choice: str) -> str:
    head = "".join(f'<th scope="col">{name}</th>' for name in COLUMNS)
    rows = "".join(_row(run, visit, shown, choice) for run in reversed(list(visit.runs.values())))
    table = f'<table class="runs"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
    acts = [
        button("Reuse recipe", "reload", run=shown.id, title=f"Reuse {shown.name}'s recipe"),
        button("Use on the pad", "use", run=shown.id, title=f"Use {shown.name} on the pad"),
        button("Delete", "delete", run=shown.id, title=f"Delete {shown.name}"),
    ]
    if shown.id == choice:
        acts[1] = '<span class="chosen">In use on the pad.</span>'
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="All runs">{table}</div>'
        f'<p class="acts"><span class="chosen">{escape(shown.name)}</span>{"".join(acts)}</p>'
        f"<p>{_sureness(shown)}</p>"
    )


def _sureness(run: Run) -> str:
    if run.calibration is not None:
        return "These weights are calibrated: they say “not sure” when they are unsure."
    return (
        "These weights are not calibrated: they rarely say “not sure”. A run is calibrated when it finishes."
    )


def _row(run: Run, visit: Visit, shown: Run, choice: str) -> str:
    last, test, rate = run.history.last, run.evaluation, images_per_second(run)
    reached, name = run.history.reached, escape(run.name)
    chosen = " checked" if run is shown else ""
    ticked = " checked" if run.id in visit.compared else ""
    reads = " · used on the pad" if run.id == choice else ""
    cells = (
        f'<input type="radio" name="shown-run" data-act="show" data-run="{run.id}" '
        f'aria-label="Show {name}"{chosen}>',
        f'<input type="checkbox" data-act="compare" data-run="{run.id}" aria-label="Compare {name}"{ticked}>',
        f'<input class="name" data-act="rename" data-run="{run.id}" value="{name}" maxlength="40" '
        f'aria-label="Name of {name}">',
        f'<span class="words">{escape(recipe_words(run))}{reads}</span>',
        str(run.config.seed),
        f"{test.accuracy:.2%} of {test.n:,}" if test else run.state,
        f"{last.seconds:.1f}" if last else "",
        f"{rate:,.0f}" if rate else "",
        *(f"{reached[goal]:.0f} s" if goal in reached else "" for goal in (0.98, 0.99)),
    )
    mark = ' class="shown"' if run is shown else ""
    named = zip(COLUMNS, cells, strict=True)
    row = "".join(f'<td data-column="{column}">{cell}</td>' for column, cell in named)
    return f"<tr{mark}>{row}</tr>"


def _confusion(run: Run, examination: Examination | None) -> str:
    counts = examination.confusion if examination is not None else None
    if counts is None and run.evaluation is not None:
        counts = run.evaluation.confusion
    if counts is None:
        return "<p>Not evaluated on the test digits yet.</p>"
    n, most = int(counts.sum()), max(1, int((counts - torch.diag(counts.diag())).max()))
    head = "".join(f"<th scope='col'>{digit}</th>" for digit in range(CLASSES))
    rows = ""
    for truth in range(CLASSES):
        cells = ""
        for said in range(CLASSES):
            count = int(counts[truth, said])
            kind = "right" if truth == said else "wrong"
            weight = 1.0 if truth == said else min(1.0, count / most)
            cells += f'<td class="{kind}" style="--weight: {weight:.2f}">{count or ""}</td>'
        share = counts[truth, truth].item() / max(1, int(counts[truth].sum()))
        rows += f"<tr><th scope='row'>{truth}</th>{cells}<td class='share'>{share:.1%}</td></tr>"
    right = int(counts.trace())
    return (
        f"<p>{right:,} of {n:,} test digits right. Each row is the true digit, each column what "
        f"{escape(run.name)} read; the last column is the share of each digit read correctly.</p>"
        f'<table class="confusion"><thead><tr><td></td>{head}<th scope="col">right</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def _mistakes(run: Run, examination: Examination | None) -> str:
    if examination is None:
        return "<p>Evaluating on all test digits…</p>"
    figures = "".join(
        f'<button type="button" data-act="mistake" data-run="{run.id}" data-index="{number}" '
        f'aria-label="A {mistake.truth} read as {mistake.said}: put it on the pad">'
        f"{picture(mistake.picture, '')}<span>{mistake.truth} read as <b>{mistake.said}</b><br>"
        f"{mistake.confidence:.0%} sure</span></button>"
        for number, mistake in enumerate(examination.worst)
    )
    return (
        f"<p>{escape(run.name)} after {examination.step:,} steps: {examination.mistakes:,} of "
        f"{examination.n:,} test digits misread. The most confident ones; click one to put it on the pad.</p>"
        f'<div class="mistakes">{figures}</div>'
    )


def _kernels(run: Run) -> str:
    frames = run.kernels.rows()
    first, newest = frames[0], frames[-1]
    most = max(1e-6, *(abs(value) for value in (*first[1:], *newest[1:])))
    return (
        "<p>The sixteen 3×3 kernels of the first layer, at the start and now. "
        '<span class="key plus"></span> positive weights, <span class="key minus"></span> negative.</p>'
        f'<div class="kernels">{_grids(first, most)}{_grids(newest, most)}</div>'
    )


def _grids(frame: tuple[float, ...], most: float) -> str:
    squares = ""
    for number in range(16):
        left, top = number % 8 * 34, number // 8 * 34
        for cell in range(9):
            value = frame[1 + number * 9 + cell]
            squares += (
                f'<rect class="{"plus" if value > 0 else "minus"}" x="{left + cell % 3 * 10}" '
                f'y="{top + cell // 3 * 10}" width="10" height="10" opacity="{abs(value) / most:.2f}"/>'
            )
    said = f"step {frame[0]:,.0f}"
    svg = f'<svg viewBox="0 0 268 64" role="img" aria-label="Sixteen kernels at {said}">{squares}</svg>'
    return f"<figure>{svg}<figcaption>{said}</figcaption></figure>"


def _export(run: Run) -> str:
    links = [
        download(weights_file(run), f"{run.id}.pt", "application/octet-stream", "Weights (.pt)"),
        download(
            json.dumps(run.config.to_dict(), indent=2).encode(), "recipe.json", "application/json", "Recipe"
        ),
        download(run.history.to_csv().encode(), "history.csv", "text/csv", "History (.csv)"),
    ]
    script = escape(as_python(run.config))
    links.append('<button type="button" data-act="copy" data-of=".script">Copy as Python</button>')
    return (
        f'<p>{escape(run.name)} after {run.weights_step:,} steps.</p><p class="acts">{"".join(links)}</p>'
        f'<pre class="script" tabindex="0">{script}</pre>'
    )
