"""A run's steps on one axis: the geometry of the bars, in per cent of the run's whole time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.utils import timezone

from ..models import Status
from .words import say_clock, say_duration

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from ..models import Run, Step

SHOWN_STEPS = 120  # beyond it only the telling ones are drawn, until the reader asks for all
MIN_WIDTH = 0.4  # per cent: what is shorter is still seen


@dataclass(frozen=True)
class Bar:
    """kind: `q` waited, `b` ran, `b p` an attempt that failed before another, `b f` the attempt that failed last."""

    kind: str
    x: str
    width: str


@dataclass(frozen=True)
class Gap:
    """The pause between two attempts, from x1 to x2 per cent."""

    x1: str
    x2: str


@dataclass
class StepLine:
    """One step: its last attempt's state, the bars of all attempts."""

    slug: str
    name: str
    component: str
    status: str
    took_ms: int | None = None
    attempts: int = 0
    error: str = ""
    is_kept: bool = False
    kept_uid: str = ""  # the run that a kept step was done in
    line_count: int = 0
    warning_count: int = 0
    error_count: int = 0
    bars: list[Bar] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)

    @property
    def picture(self) -> str:
        if self.is_kept:
            return "s-kept"
        return "s-skipped" if not self.attempts else f"s-{self.status}"

    @property
    def has_run(self) -> bool:
        return self.attempts > 0


@dataclass(frozen=True)
class Timeline:
    """lines: the steps to draw; hidden: how many more there are; marks: (per cent, text) of the axis."""

    lines: list[StepLine]
    hidden: int
    total: int
    done: int
    marks: list[tuple[str, str]]


def draw(run: Run, steps: Sequence[Step], *, is_whole: bool = False) -> Timeline:
    """steps: every attempt, in order; is_whole: draw all of them however many there are."""
    start, end = _span(run, steps)
    lines = _lines(run, steps, start, end)
    shown = lines
    if len(lines) > SHOWN_STEPS and not is_whole:
        shown = _telling(lines)
    return Timeline(
        lines=shown,
        hidden=len(lines) - len(shown),
        total=len(lines),
        done=sum(1 for line in lines if line.status == Status.SUCCEEDED and line.has_run),
        marks=_marks(start, end),
    )


def _span(run: Run, steps: Sequence[Step]) -> tuple[datetime | None, datetime | None]:
    own = [step.started_at for step in steps if step.started_at and not step.is_kept]
    start = run.started_at or min(own, default=None)
    if start is None:
        return None, None
    return start, max(run.finished_at or timezone.now(), start)


def _lines(run: Run, steps: Sequence[Step], start: datetime | None, end: datetime | None) -> list[StepLine]:
    lines: dict[str, StepLine] = {}
    attempts: dict[str, list[Step]] = {}
    for step in steps:
        attempts.setdefault(step.slug, []).append(step)
    for spec in run.version.definition.get("steps", []):
        lines[spec["id"]] = StepLine(spec["id"], spec.get("name", ""), spec.get("component", ""), Status.QUEUED)
    for slug, tries in attempts.items():
        last = tries[-1]
        line = lines.setdefault(slug, StepLine(slug, last.name, last.component, last.status))
        line.status, line.attempts, line.error, line.is_kept = last.status, len(tries), last.error, last.is_kept
        line.name, line.component = last.name or line.name, last.component or line.component
        line.line_count = sum(step.line_count for step in tries)
        line.warning_count = sum(step.warning_count for step in tries)
        line.error_count = sum(step.error_count for step in tries)
        if last.is_kept:
            line.took_ms, line.kept_uid = last.duration_ms, getattr(last, "kept_uid", None) or ""
            continue
        took = [step.duration_ms for step in tries if step.duration_ms is not None]
        line.took_ms = sum(took) if took else None
        if start and end:
            _place(line, tries, start, end)
    return list(lines.values())


def _place(line: StepLine, tries: list[Step], start: datetime, end: datetime) -> None:
    span = (end - start).total_seconds() or 1.0

    def place(at: datetime) -> float:
        return min(100.0, max(0.0, 100 * (at - start).total_seconds() / span))

    before: float | None = None
    for number, step in enumerate(tries):
        if step.started_at is None:
            continue
        x, x_end = place(step.started_at), place(step.finished_at or end)
        width = max(MIN_WIDTH, x_end - x)
        x = min(x, 100 - width)
        waited = x - place(step.created_at)
        if waited > MIN_WIDTH and number == 0:
            line.bars.append(Bar("q", f"{x - waited:.2f}%", f"{waited:.2f}%"))
        if before is not None and x - before > MIN_WIDTH:
            line.gaps.append(Gap(f"{before:.2f}%", f"{x:.2f}%"))
        kind = "b"
        if step.status == Status.FAILED:
            kind = "b f" if number == len(tries) - 1 else "b p"
        line.bars.append(Bar(kind, f"{x:.2f}%", f"{width:.2f}%"))
        before = x + width


def _telling(lines: list[StepLine]) -> list[StepLine]:
    """Of very many steps: what failed, what runs, what took longest, and the first not run; in their order."""
    chosen = [line for line in lines if line.has_run and line.status not in (Status.SUCCEEDED, Status.QUEUED)]
    chosen = chosen[:SHOWN_STEPS]
    slow = sorted((line for line in lines if line not in chosen and line.has_run), key=lambda one: -(one.took_ms or 0))
    chosen += slow[: SHOWN_STEPS - len(chosen)]
    chosen += [line for line in lines if not line.has_run][: max(0, min(5, SHOWN_STEPS - len(chosen)))]
    names = {line.slug for line in chosen}
    return [line for line in lines if line.slug in names]


def _marks(start: datetime | None, end: datetime | None) -> list[tuple[str, str]]:
    if start is None or end is None:
        return []
    span = (end - start).total_seconds() * 1000
    return [("0", say_clock(start)), ("50%", f"+{say_duration(span / 2)}"), ("100%", say_duration(span))]
