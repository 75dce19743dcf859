"""The report's charts as SVG: drawn here, so that the page needs no library and no network.

Colours are the page's own (`var(--…)`), so charts follow its light and dark dress. Does not belong here: what is
charted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Scale = Callable[[float], float]

_WIDTH, _LEFT, _RIGHT = 760.0, 58.0, 16.0


@dataclass(frozen=True)
class Line:
    """A curve with its bound: y values (shares) at the chart's x values, and the bound of each.

    beside: another curve to compare it with, dotted; may be empty.
    """

    css: str
    values: Sequence[float]
    bounds: Sequence[float]
    beside: Sequence[float]


def histogram(same: NDArray[np.float64], different: NDArray[np.float64], least_score: float) -> str:
    """How many pairs have which score, same ones upwards and different ones downwards, on logarithmic axes."""
    bins, half, middle = 50, 118.0, 150.0
    edges = np.linspace(0, 1, bins + 1)
    counts = [np.histogram(scores, edges)[0] for scores in (same, different)]
    top = max(1.0, math.ceil(math.log10(1 + max(int(count.max()) for count in counts))))
    x = _linear(0, 1)
    parts = []
    for tick in range(int(top) + 1):
        for sign in (-1, 1):
            y = middle + sign * half * tick / top
            parts.append(_rule(y))
            parts.append(_text(_LEFT - 8, y + 4, f"{10**tick - (tick == 0):,}", "end"))
    for css, sign, count in (("same", -1, counts[0]), ("different", 1, counts[1])):
        for number in range(bins):
            if not count[number]:
                continue
            height = half * math.log10(1 + count[number]) / top
            left, right = x(edges[number]), x(edges[number + 1])
            y = middle - height if sign < 0 else middle
            parts.append(
                f'<rect class="{css}" x="{left + 0.5:.1f}" y="{y:.1f}" width="{right - left - 1:.1f}" '
                f'height="{height:.1f}"><title>{count[number]:,} {css} pairs with a score of {edges[number]:.2f} to '
                f"{edges[number + 1]:.2f}</title></rect>"
            )
    parts.append(f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{middle}" y2="{middle}"/>')
    parts.append(_marker(x(least_score), middle - half - 6, middle + half + 6, "threshold"))
    parts.append(_text(_LEFT + 24, 44, "same picture", css="same-ink"))
    parts.append(_text(_LEFT + 24, middle + half - 12, "different pictures", css="different-ink"))
    for tick in range(11):
        parts.append(_text(x(tick / 10), middle + half + 22, f"{tick / 10:.1f}", "middle"))
    parts.append(_text(_WIDTH - _RIGHT, middle + half + 38, "score", "end"))
    return _svg(middle + half + 46, "Scores of same and different pairs", parts)


def shares(
    thresholds: Sequence[float], line: Line, now: float, wanted: float, low: float, logarithmic: bool, label: str
) -> str:
    """A share against the threshold, with its bound as a band, from `low` up to 1 or to the largest value seen.

    `wanted` is the share that is required; `now` the present threshold.
    """
    top, height = 26.0, 170.0
    highest = min(1.0, max(*line.bounds, *line.values, *line.beside, wanted)) if logarithmic else 1.0
    x = _linear(min(thresholds), max(thresholds))
    y = _y_scale(low, highest, top, height, logarithmic)
    parts = []
    for tick in _share_ticks(low, highest, logarithmic):
        parts.append(_rule(y(tick)))
        parts.append(_text(_LEFT - 8, y(tick) + 4, f"{tick:.0e}" if logarithmic else f"{tick:.0%}", "end"))
    band = [(x(t), y(v)) for t, v in zip(thresholds, line.values, strict=True)]
    band += [(x(t), y(b)) for t, b in reversed(list(zip(thresholds, line.bounds, strict=True)))]
    parts.append(f'<polygon class="{line.css} band" points="{_points(band)}"/>')
    for css, values in (("curve", line.values), ("beside curve", line.beside)):
        if values:
            points = _points([(x(t), y(v)) for t, v in zip(thresholds, values, strict=True)])
            parts.append(f'<polyline class="{line.css} {css}" points="{points}"/>')
    parts.append(
        f'<line class="wanted" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(wanted):.1f}" y2="{y(wanted):.1f}"/>'
    )
    parts.append(_text(_WIDTH - _RIGHT - 4, y(wanted) - 5, "required", "end"))
    if min(thresholds) <= now <= max(thresholds):
        parts.append(_marker(x(now), top - 6, top + height, f"{now:g}"))
    for tick in _threshold_ticks(min(thresholds), max(thresholds)):
        parts.append(_text(x(tick), top + height + 18, f"{tick:g}", "middle"))
    parts.append(_text(_WIDTH - _RIGHT, top + height + 34, "threshold", "end"))
    parts.append(_text(_LEFT, 14, label, css=f"{line.css}-ink"))
    return _svg(top + height + 42, label, parts)


def interval(rate: float, lower: float, upper: float, wanted: float, low: float) -> str:
    """One share with its bounds on an axis from `low` to 1, to stand in a table's row."""
    width, middle = 150.0, 9.0

    def x(share: float) -> float:
        return 6 + (width - 12) * (min(max(share, low), 1) - low) / (1 - low)

    return (
        f'<svg class="interval" viewBox="0 0 {width:.0f} 18" role="img" aria-label="{rate:.1%}">'
        f'<line class="grid" x1="6" x2="{width - 6}" y1="{middle}" y2="{middle}"/>'
        f'<line class="wanted" x1="{x(wanted):.1f}" x2="{x(wanted):.1f}" y1="1" y2="17"/>'
        f'<line class="same bound" x1="{x(lower):.1f}" x2="{x(upper):.1f}" y1="{middle}" y2="{middle}"/>'
        f'<circle class="same" cx="{x(rate):.1f}" cy="{middle}" r="4.2"/></svg>'
    )


def _linear(low: float, high: float) -> Scale:
    span = (high - low) or 1.0
    return lambda value: _LEFT + (_WIDTH - _LEFT - _RIGHT) * (value - low) / span


def _y_scale(low: float, high: float, top: float, height: float, logarithmic: bool) -> Scale:
    if logarithmic:
        span = (math.log10(high) - math.log10(low)) or 1.0
        return lambda value: top + height * (1 - (math.log10(max(value, low)) - math.log10(low)) / span)
    return lambda value: top + height * (1 - (max(value, low) - low) / ((high - low) or 1.0))


def _share_ticks(low: float, high: float, logarithmic: bool) -> list[float]:
    if logarithmic:
        return [10.0**power for power in range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)]
    return [low + (high - low) * step / 5 for step in range(6)]


def _threshold_ticks(low: float, high: float) -> list[float]:
    step = 4.0 if high > 1 else 0.1
    first = math.ceil(low / step)
    return [round(step * number, 3) for number in range(first, math.floor(high / step + 1e-9) + 1)]


def _rule(y: float) -> str:
    return f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'


def _marker(x: float, top: float, bottom: float, label: str) -> str:
    return (
        f'<line class="now" x1="{x:.1f}" x2="{x:.1f}" y1="{top:.1f}" y2="{bottom:.1f}"/>'
        f"{_text(x + 6, top + 10, label, css='now-ink')}"
    )


def _text(x: float, y: float, text: str, anchor: str = "start", css: str = "") -> str:
    return f'<text class="{css}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text}</text>'


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _svg(height: float, label: str, parts: Sequence[str]) -> str:
    return (
        f'<svg class="chart" viewBox="0 0 {_WIDTH:.0f} {height:.0f}" role="img" aria-label="{label}">'
        f"{''.join(parts)}</svg>"
    )
