"""Probabilities and shares as the page writes them; the former also in `assets/js/percent.js`."""

from __future__ import annotations


def percent(probability: float) -> str:
    """A probability in whole percent; never 0 or 100, which no network can be sure of."""
    if probability >= 0.995:
        return "> 99\u202f%"
    return "< 1\u202f%" if probability < 0.005 else f"{int(100 * probability + 0.5)}\u202f%"


def share(part: float, digits: int = 0) -> str:
    """What was counted, in percent with so many digits after the point: 0 and 100 are possible."""
    return f"{100 * part:.{digits}f}\u202f%"
