"""Tensors as views of one row of numbers in memory, and their data types."""

from __future__ import annotations

from collections.abc import Callable

import torch

from mnist_core.playground.scene import Choice, Code, Grid, Pick, Scene, Spot, Table, Toy, clamp, numbers

GROUP = "Tensors"
_ROWS, _COLUMNS = 3, 4
_VIEWS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "t": lambda t: t,
    "t.T": lambda t: t.T,
    "t[1]": lambda t: t[1],
    "t[:, 2]": lambda t: t[:, 2],
    "t[1:, 1:3]": lambda t: t[1:, 1:3],
    "t[:, ::2]": lambda t: t[:, ::2],
    "t.reshape(2, 6)": lambda t: t.reshape(2, 6),
    "t.T.reshape(2, 6)": lambda t: t.T.reshape(2, 6),
}
_TYPES = (
    torch.float32, torch.float64, torch.float16, torch.bfloat16,
    torch.int8, torch.uint8, torch.int16, torch.int32, torch.int64,
)  # fmt: skip
_NAMES = {
    torch.float32: "float32 (float)", torch.float64: "float64 (double)", torch.float16: "float16 (half)",
    torch.int16: "int16 (short)", torch.int32: "int32 (int)", torch.int64: "int64 (long)",
}  # fmt: skip


def views(view: str, at: Spot) -> Scene:
    """A tensor of 3 rows and 4 columns, a view of it, and where its numbers lie in memory."""
    t = torch.arange(10.0, 10.0 + _ROWS * _COLUMNS).reshape(_ROWS, _COLUMNS)
    v = _VIEWS[view](t)
    shared = v.untyped_storage().data_ptr() == t.untyped_storage().data_ptr()
    rows = v if v.dim() == 2 else v[None]
    row, column = clamp(at, *rows.shape)
    index = (row, column)[-v.dim() :]
    lies = int(v.storage_offset()) + sum(i * stride for i, stride in zip(index, v.stride(), strict=True))
    shown = set(_places(v).tolist())
    storage = torch.tensor(v.untyped_storage(), dtype=torch.uint8).view(torch.float32)
    sums = " + ".join(f"{i} × {stride}" for i, stride in zip(index, v.stride(), strict=True))
    where = "the same memory as t" if shared else "memory of its own: no strides over t's can give this order"
    return Scene(
        parts=[
            Grid(
                title=f"v = {view}: click a number to find it in memory",
                values=numbers(rows),
                picks="at",
                marked=frozenset({(row, column)}),
            ),
            Grid(
                title="its storage, with each number's position; what v does not show is faded",
                values=numbers(storage),
                marked=frozenset({(0, lies)}),
                aside=frozenset((0, place) for place in range(len(storage)) if place not in shown),
                heads=[str(place) for place in range(len(storage))],
            ),
            Table(
                title="How v is laid out",
                head=("v.size()", "v.storage_offset()", "v.stride()", "t's memory?"),
                rows=[
                    [
                        str(tuple(v.size())),
                        str(v.storage_offset()),
                        str(tuple(v.stride())),
                        "yes" if shared else "no",
                    ]
                ],
            ),
        ],
        said=f"v has size {tuple(v.size())}, offset {v.storage_offset()} and stride {tuple(v.stride())}; "
        f"it uses {where}. "
        f"v[{', '.join(map(str, index))}] lies at {v.storage_offset()} + {sums} = {lies} and is "
        f"{storage[lies].item():g}.",
    )


def data_types(value: str) -> Scene:
    """Every data type's size and range, and what one number becomes in it."""
    rows = []
    for kind in _TYPES:
        bits = (torch.finfo if kind.is_floating_point else torch.iinfo)(kind).bits
        rows.append(
            [
                _NAMES.get(kind, str(kind).removeprefix("torch.")),
                str(bits // 8),
                *_range(kind),
                _stored(value, kind),
            ]
        )
    kept = [row[0].split(" ")[0] for row in rows if row[4] == value]
    lost = [row[0].split(" ")[0] for row in rows if row[4] != value]
    return Scene(
        parts=[
            Code(title="For example, in float16", text=f"torch.tensor({value}).to(torch.float16).item()"),
            Table(
                title="The types", head=("type", "bytes", "lowest", "highest", f"{value} becomes"), rows=rows
            ),
        ],
        said=f"To nine digits, {value} is kept by {', '.join(kept) or 'none of them'}; it changes in "
        f"{', '.join(lost) or 'none'}.",
    )


def _places(v: torch.Tensor) -> torch.Tensor:
    """The storage index of each number of a view, in the view's order."""
    size = v.untyped_storage().nbytes() // v.element_size()
    return torch.arange(size).as_strided(v.size(), v.stride(), v.storage_offset()).flatten()


def _range(kind: torch.dtype) -> tuple[str, str]:
    """The lowest and the highest number of a type; long ones as powers of two."""
    if kind.is_floating_point:
        ends = torch.finfo(kind)
        return f"{ends.min:.3g}".replace("-", "−"), f"{ends.max:.3g}"
    limits = torch.iinfo(kind)
    if limits.bits <= 16:
        return f"{limits.min:,}".replace("-", "−"), f"{limits.max:,}"
    power = str(limits.bits - 1).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"−2{power}", f"2{power} − 1"


def _stored(value: str, kind: torch.dtype) -> str:
    """The number as a tensor of that type holds it. Integers wrap around, and drop fractions."""
    exact = (
        torch.tensor(int(value))
        if value.lstrip("-").isdigit()
        else torch.tensor(float(value), dtype=torch.float64)
    )
    held = exact.to(kind).item()
    return f"{held:.9g}" if isinstance(held, float) else str(held)


TOYS = (
    Toy(
        title="Views of memory",
        group=GROUP,
        show=views,
        controls=(
            Choice(name="view", label="v", options=tuple(_VIEWS), value="t.T"),
            Pick(name="at", label="Number", value=(1, 2)),
        ),
    ),
    Toy(
        title="Data types",
        group=GROUP,
        show=data_types,
        controls=(
            Choice(
                name="value",
                label="Store the number",
                options=("0.1", "3.75", "-1", "300", "70000", "16777217"),
                value="300",
            ),
        ),
    ),
)
