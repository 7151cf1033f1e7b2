"""The geometry of the charts of the insights: columns and lines in a square of 100 by 100 that the page stretches."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .markup import fill, join
from .words import say_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from django.utils.safestring import SafeString

    from ..models import Figures

STACK = ("failed", "stopped", "going", "succeeded")  # from the base up
LABELS = 7  # at most, under a chart
TOP = 8.0  # of the height, above the highest mark
GAP = 0.22  # of a column's place
NOTHING = (None, None)
DOT = 0.4  # the length of a line that has one point only
_SECONDS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60, 120, 300, 600, 1_200, 3_600, 7_200, 18_000, 43_200, 86_400)
TIMES = [1_000 * seconds for seconds in (*_SECONDS, *(86_400 * days for days in (2, 5, 10, 30, 100, 1_000)))]
AREA = '<a href="{}" tabindex="-1"><title>{}</title><rect class="hit" x="{}" y="{}" width="{}" height="{}"/></a>'


@dataclass(frozen=True)
class Area:
    """A place that leads to a list and says what is there."""

    x: str
    width: str
    y: str
    height: str
    title: str
    link: str


@dataclass(frozen=True)
class Chart:
    """grid: (y, word) of the lines across; labels: (x in per cent, word) under it; shapes: what is drawn (an SVG
    path's data) by its look; areas: what leads somewhere, the whole column first, its failures above it."""

    grid: list[tuple[str, str]]
    labels: list[tuple[str, str]]
    shapes: list[tuple[str, str]]
    areas: list[Area]

    @property
    def places(self) -> SafeString:
        """The areas as SVG. (A template for each takes three times as long.)"""
        return join(fill(AREA, area.link, area.title, area.x, area.y, area.width, area.height) for area in self.areas)


def draw_outcomes(
    units: Sequence[int],
    found: dict[int, Figures],
    *,
    say: Callable[[int], str],
    link: Callable[[int, str], str],
) -> Chart:
    """Stacked columns. say: a unit in words; link: to the list of a unit's runs of a kind."""
    grid, top = _scale_counts(max([figures.runs for figures in found.values()] or [1]))
    pitch = 100 / len(units)
    paths: dict[str, list[str]] = {kind: [] for kind in STACK}
    areas = []
    for place, unit in enumerate(units):
        figures = found.get(unit)
        if figures is None:
            continue
        left, width = (place + GAP / 2) * pitch, (1 - GAP) * pitch
        counts = [(kind, count) for kind in STACK if (count := getattr(figures, kind))]
        base = 100.0
        for kind, count in counts:
            height = (100 - TOP) * count / top
            base -= height
            paths[kind].append(f"M{left:.2f} {base:.2f}h{width:.2f}v{height:.2f}h{-width:.2f}z")
        when = say(unit)
        said = ", ".join(f"{count:,} {'in progress' if kind == 'going' else kind}" for kind, count in counts[::-1])
        x, wide = f"{left:.2f}", f"{width:.2f}"
        title = f"{when}: {figures.runs:,} runs, {said}"
        areas.append(Area(x, wide, f"{base:.2f}", f"{100 - base:.2f}", title, link(unit, "runs")))
        if figures.failed:
            tall = (100 - TOP) * figures.failed / top
            title = f"{when}: {figures.failed:,} failed"
            areas.append(Area(x, wide, f"{100 - tall:.2f}", f"{tall:.2f}", title, link(unit, "failed")))
    return Chart(grid, _label(units, say), [(kind, "".join(path)) for kind, path in paths.items() if path], areas)


def draw_durations(
    units: Sequence[int],
    found: dict[int, tuple[float | None, ...]],
    *,
    say: Callable[[int], str],
    link: Callable[[int], str],
) -> Chart:
    """Lines of medians and 95th percentiles (ms): two values a unit."""
    values = [value for pair in found.values() for value in pair if value is not None]
    grid, height_of = _scale_times(min(values, default=1.0), max(values, default=1.0))
    pitch = 100 / len(units)
    paths: dict[str, list[str]] = {"p95": [], "p50": []}
    areas = []
    for place, unit in enumerate(units):
        median, p95 = found.get(unit, NOTHING)
        if median is None or p95 is None:
            continue
        x = (place + 0.5) * pitch
        is_joined = place > 0 and found.get(units[place - 1], NOTHING)[0] is not None
        for look, value in (("p95", p95), ("p50", median)):
            y = height_of(value)
            paths[look].append(f"L{x:.2f} {y:.2f}" if is_joined else f"M{x - DOT:.2f} {y:.2f}H{x:.2f}")
        title = f"{say(unit)}: median {say_duration(median)}, 95 % within {say_duration(p95)}"
        areas.append(Area(f"{place * pitch:.2f}", f"{pitch:.2f}", "0", "100", title, link(unit)))
    return Chart(grid, _label(units, say), [(look, "".join(path)) for look, path in paths.items() if path], areas)


def _y(value: float, top: float) -> float:
    return 100 - (100 - TOP) * value / top


def _scale_counts(most: int) -> tuple[list[tuple[str, str]], float]:
    step = _round_up(max(1, most / 4))
    top = step * max(1, math.ceil(most / step))
    marks = range(int(step), int(top) + 1, int(step))
    return [(f"{_y(mark, top):.2f}", f"{mark:,}") for mark in marks], top


def _scale_times(least: float, most: float) -> tuple[list[tuple[str, str]], Callable[[float], float]]:
    """A logarithmic axis: what most runs take is seen beside what few take a hundred times as long."""
    low = max((time for time in TIMES if time <= least), default=TIMES[0] / 10)
    high = next((time for time in TIMES if time >= most and time > low), max(most, TIMES[-1]))
    length = math.log(high / low)

    def height_of(value: float) -> float:
        return 100 - (100 - TOP) * math.log(max(value, low) / low) / length

    marks = [time for time in TIMES if low < time <= high]
    every = math.ceil(len(marks) / 4)
    return [(f"{height_of(mark):.2f}", say_duration(mark)) for mark in marks[::-1][::every]], height_of


def _round_up(value: float) -> int:
    """1, 2 or 5 times a power of ten."""
    power = 10 ** math.floor(math.log10(value))
    return int(next(sign * power for sign in (1, 2, 5, 10) if sign * power >= value))


def _label(units: Sequence[int], say: Callable[[int], str]) -> list[tuple[str, str]]:
    every = math.ceil(len(units) / LABELS)
    pitch = 100 / len(units)
    return [(f"{(place + 0.5) * pitch:.2f}%", say(units[place])) for place in range(every // 2, len(units), every)]
