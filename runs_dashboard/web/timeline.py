"""A run's steps on one axis: the geometry of the bars, in per cent of the run's whole time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from django.utils import timezone

from ..models import Status
from .words import say_clock, say_duration

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from ..models import Run, Step

SHOWN_ROWS = 48  # about 500 elements; of more steps the telling ones are drawn, the others in groups between them
SHOWN_TELLING = 23
MOST_BARS = 100  # of all attempts together
FEW_BARS, LAST_BARS = 8, 2  # of one step, and where there are too many of them together
MIN_WIDTH = 0.4  # per cent: what is shorter is still seen


@dataclass(frozen=True)
class Bar:
    """kind: `q` waited, `b` ran, `b p` an attempt that failed before another, `b f` the attempt that failed last.

    attempt: its number where the step has several, else 0; said: for who points at it.
    """

    kind: str
    x: str
    width: str
    attempt: int = 0
    said: str = ""


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
    is_group: bool = False
    usual_ms: int | None = None
    usual_x: str = ""  # where it is usually done

    @property
    def picture(self) -> str:
        if self.is_kept:
            return "s-kept"
        return "s-skipped" if not self.attempts else f"s-{self.status}"

    @property
    def has_run(self) -> bool:
        return self.attempts > 0


@dataclass(frozen=True)
class StepGroup:
    """Neighbours that went alike, in one row. query: value of `steps` that shows them by themselves."""

    first: str
    last: str
    count: int
    failed: int
    status: str
    has_run: bool
    took_ms: int | None
    bar: Bar | None
    query: str
    is_group: bool = True

    @property
    def picture(self) -> str:
        return f"s-{self.status}" if self.has_run else "s-skipped"


@dataclass(frozen=True)
class Timeline:
    """rows: what to draw; total: all steps; live: those at work now; marks: (per cent, text) of the axis.

    wanted: what was asked for: a name, or a range as `query` of a group; found: how many steps that is; more: found
    ones that are not drawn.
    """

    rows: list[StepLine | StepGroup]
    total: int
    done: int
    failed: int
    live: list[StepLine]
    marks: list[tuple[str, str]]
    has_usual: bool = False
    has_groups: bool = False
    range: tuple[int, int] | None = None
    name: str = ""
    found: int = 0
    more: int = 0

    @property
    def is_part(self) -> bool:
        return bool(self.range or self.name)

    @property
    def is_large(self) -> bool:
        return self.total > SHOWN_ROWS


def draw(
    run: Run, steps: Sequence[Step], *, part: str = "", name: str = "", usual: dict[str, int] | None = None
) -> Timeline:
    """steps: every attempt, in order; part: a range of places such as `4-99`; name: a text that their names hold;
    usual: milliseconds by the step's id."""
    start, end = _span(run, steps)
    lines, attempts = _read_lines(run, steps)
    found, places = lines, _read_range(part, len(lines))
    name = name.strip()[:200]
    if name:
        places, wanted = None, name.lower()
        found = [line for line in lines if wanted in line.slug.lower() or wanted in line.name.lower()]
    elif places:
        found = lines[places[0] - 1 : places[1]]
    rows: list[StepLine | StepGroup] = list(found[:SHOWN_ROWS])
    if len(found) > SHOWN_ROWS and not name:
        rows = _fold(found, places[0] if places else 1, start, end, attempts)
    shown = [row for row in rows if isinstance(row, StepLine)]
    if start and end:
        total = sum(len(attempts.get(line.slug, ())) for line in shown)
        for line in shown:
            tries = attempts.get(line.slug, [])
            _place(line, tries, start, end, most=FEW_BARS if total <= MOST_BARS else LAST_BARS)
            if usual and not line.is_kept and tries and tries[0].started_at:
                line.usual_ms = usual.get(line.slug)
                line.usual_x = _tick(tries[0].started_at, line.usual_ms, start, end)
    return Timeline(
        rows=rows,
        total=len(lines),
        done=sum(1 for line in lines if line.status == Status.SUCCEEDED and line.has_run),
        failed=sum(1 for line in lines if line.status == Status.FAILED),
        live=[line for line in lines if line.has_run and line.status in (Status.RUNNING, Status.PAUSED)],
        marks=_marks(start, end),
        has_usual=any(line.usual_x for line in shown),
        has_groups=len(shown) < len(rows),
        range=places,
        name=name,
        found=len(found),
        more=len(found) - SHOWN_ROWS if name and len(found) > SHOWN_ROWS else 0,
    )


def _read_range(part: str, total: int) -> tuple[int, int] | None:
    """Places from 1, both inclusive, cut to what there is; None for what is no range."""
    first, _, last = part.partition("-")
    if not (0 < len(first) < 8 and 0 < len(last) < 8 and f"{first}{last}".isascii() and f"{first}{last}".isdigit()):
        return None
    begin, end = max(1, int(first)), min(total, int(last))
    return (begin, end) if begin <= end else None


def _span(run: Run, steps: Sequence[Step]) -> tuple[datetime | None, datetime | None]:
    own = [step.started_at for step in steps if step.started_at and not step.is_kept]
    start = run.started_at or min(own, default=None)
    if start is None:
        return None, None
    return start, max(run.finished_at or timezone.now(), start)


def _read_lines(run: Run, steps: Sequence[Step]) -> tuple[list[StepLine], dict[str, list[Step]]]:
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
    return list(lines.values()), attempts


def _percent(at: datetime, start: datetime, end: datetime) -> float:
    span = (end - start).total_seconds() or 1.0
    return min(100.0, max(0.0, 100 * (at - start).total_seconds() / span))


def _tick(began: datetime, usual_ms: int | None, start: datetime, end: datetime) -> str:
    """Where a step is usually done; nothing where that lies beyond the axis."""
    if not usual_ms or began + timedelta(milliseconds=usual_ms) > end:
        return ""
    return f"{_percent(began + timedelta(milliseconds=usual_ms), start, end):.2f}%"


def _place(line: StepLine, tries: list[Step], start: datetime, end: datetime, *, most: int) -> None:
    if line.is_kept:
        return

    def place(at: datetime) -> float:
        return _percent(at, start, end)

    before: float | None = None
    for number, step in list(enumerate(tries))[-most:]:
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
        attempt = step.attempt if len(tries) > 1 else 0
        said = f"Attempt {step.attempt}: {step.status}, {say_duration(step.duration_ms)}" if attempt else ""
        line.bars.append(Bar(kind, f"{x:.2f}%", f"{width:.2f}%", attempt, said))
        before = x + width


def _fold(
    lines: list[StepLine],
    first_place: int,
    start: datetime | None,
    end: datetime | None,
    attempts: dict[str, list[Step]],
) -> list[StepLine | StepGroup]:
    """Very many steps: what failed first, what runs and what took longest by itself, the others in groups between."""
    alone = [line for line in lines if line.has_run and line.status not in (Status.SUCCEEDED, Status.QUEUED)]
    # Of many failures the first ones and the last: the cause, and where it ended.
    if len(alone) > SHOWN_TELLING:
        alone = [*alone[: SHOWN_TELLING - 3], *alone[-3:]]
    names = {line.slug for line in alone}
    slow = sorted(
        (line for line in lines if line.slug not in names and line.took_ms), key=lambda one: -(one.took_ms or 0)
    )
    names |= {line.slug for line in slow[: SHOWN_TELLING - len(alone)]}
    rows: list[StepLine | StepGroup] = []
    together: list[tuple[int, StepLine]] = []

    def close() -> None:
        if len(together) == 1:
            rows.append(together[0][1])
        elif together:
            rows.append(_group(together, start, end, attempts))
        together.clear()

    for place, line in enumerate(lines, first_place):
        if line.slug in names:
            close()
            rows.append(line)
            continue
        if together and together[-1][1].has_run != line.has_run and len(rows) < SHOWN_ROWS - 4:
            close()
        together.append((place, line))
    close()
    return sorted(rows, key=lambda row: row.is_group or row.status != Status.FAILED)


def _group(
    together: list[tuple[int, StepLine]],
    start: datetime | None,
    end: datetime | None,
    attempts: dict[str, list[Step]],
) -> StepGroup:
    lines = [line for _, line in together]
    failed = sum(1 for line in lines if line.status == Status.FAILED)
    steps = [step for line in lines if not line.is_kept for step in attempts.get(line.slug, ()) if step.started_at]
    bar = None
    if steps and start and end:
        x = _percent(min(step.started_at for step in steps if step.started_at), start, end)
        x_end = _percent(max(step.finished_at or end for step in steps), start, end)
        width = max(MIN_WIDTH, x_end - x)
        bar = Bar("b f" if failed else "b", f"{min(x, 100 - width):.2f}%", f"{width:.2f}%")
    took = [line.took_ms for line in lines if line.took_ms is not None]
    return StepGroup(
        first=lines[0].slug,
        last=lines[-1].slug,
        count=len(lines),
        failed=failed,
        status=str(Status.FAILED if failed else Status.SUCCEEDED),
        has_run=any(line.has_run for line in lines),
        took_ms=sum(took) if took else None,
        bar=bar,
        query=f"{together[0][0]}-{together[-1][0]}",
    )


def _marks(start: datetime | None, end: datetime | None) -> list[tuple[str, str]]:
    if start is None or end is None:
        return []
    span = (end - start).total_seconds() * 1000
    return [("0", say_clock(start)), ("50%", f"+{say_duration(span / 2)}"), ("100%", say_duration(span))]
