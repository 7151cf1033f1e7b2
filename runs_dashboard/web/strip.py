"""A flow's recent runs at a glance: a bar a run, its height the duration, its colour the state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..models import Flow, Run, Status
from .words import say_clock, say_duration

if TYPE_CHECKING:
    from collections.abc import Iterable

STRIP_FIELDS = ("uid", "status", "started_at", "finished_at", "ordered_at", "tenant_id", "stop_requested_at")
CAP = 4  # times the usual duration: a longer run fills the strip
LEAST_HEIGHT = 8.0  # per cent: the shortest run is still seen


@dataclass(frozen=True)
class StripBar:
    """Per cents of the strip's width and height."""

    uid: str
    status: str
    x: str
    width: str
    y: str
    height: str
    title: str


@dataclass(frozen=True)
class Strip:
    """usual: the height, in per cent from the top, of the usual duration's line; empty without one."""

    bars: list[StripBar]
    usual: str
    failed: int
    succeeded: int


def recent_runs(flow: Flow, count: int) -> list[Run]:
    """The flow's newest runs, oldest of them first."""
    rows = Run.objects.of(flow.tenant_id).filter(flow=flow).order_by("-ordered_at", "-id").only(*STRIP_FIELDS)
    return list(rows[:count])[::-1]


def draw_strip(runs: Iterable[Run], *, places: int, usual_ms: int | None = None) -> Strip:
    """places: how many bars the strip has room for; the newest stands at the right."""
    rows = list(runs)
    longest = max([run.duration_ms or 0 for run in rows] + [usual_ms or 0, 1])
    if usual_ms:  # one run that took for ever must not press the others flat
        longest = min(longest, CAP * usual_ms)
    pitch = 100 / places
    bars = []
    for number, run in enumerate(rows):
        took = run.duration_ms
        height = min(100.0, max(LEAST_HEIGHT, 100 * ((took or 0) / longest)))
        bars.append(
            StripBar(
                uid=run.uid,
                status=run.status,
                x=f"{(places - len(rows) + number) * pitch:.2f}%",
                width=f"{pitch * 0.72:.2f}%",
                y=f"{100 - height:.1f}%",
                height=f"{height:.1f}%",
                title=f"{run.status.capitalize()}, {say_clock(run.ordered_at)}, {say_duration(took)}",
            )
        )
    return Strip(
        bars,
        usual=f"{100 - 100 * usual_ms / longest:.1f}%" if usual_ms else "",
        failed=sum(1 for run in rows if run.status == Status.FAILED),
        succeeded=sum(1 for run in rows if run.status == Status.SUCCEEDED),
    )
