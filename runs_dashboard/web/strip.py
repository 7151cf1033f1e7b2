"""A flow's recent runs at a glance: a bar a run, its height the duration, its colour the state."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from django.urls import reverse
from django.utils import timezone

from ..models import Status
from .markup import fill, join
from .words import say_duration, say_local

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.utils.safestring import SafeString

    from ..models import RecentRun, Run

CAP = 4  # times the usual duration: a longer run fills the strip
LEAST_HEIGHT = 8.0  # per cent: the shortest run is still seen


@lru_cache(maxsize=1024)
def _shape(runs: str, x: str, width: str) -> str:
    """What is the same of all bars that stand in one place."""
    return (
        f'<a href="{runs}{{}}/" data-s="{{}}" aria-label="{{}}"><title>{{}}</title>'
        f'<rect class="hit" x="{x}" width="{width}" height="100%"/>'
        f'<rect class="bar" x="{x}" width="{width}" y="{{}}" height="{{}}" rx="1.5"/></a>'
    )


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

    @property
    def marks(self) -> SafeString:
        """The bars as SVG, each a link to its run. (A template for each takes five times as long.)"""
        runs = reverse("run_list")
        parts = []
        for bar in self.bars:
            title = fill("{}", bar.title)
            shape = _shape(runs, bar.x, bar.width)
            parts.append(fill(shape, bar.uid, bar.status, title, title, bar.y, bar.height))
        return join(parts)


def draw_strip(runs: Iterable[Run | RecentRun], *, places: int, usual_ms: int | None = None) -> Strip:
    """places: how many bars the strip has room for; the newest stands at the right."""
    rows = [(run, run.duration_ms) for run in runs]
    longest = max([took or 0 for _, took in rows] + [usual_ms or 0, 1])
    if usual_ms:  # one run that took for ever must not press the others flat
        longest = min(longest, CAP * usual_ms)
    pitch = 100 / places
    width = f"{pitch * 0.72:.2f}%"
    zone, today = timezone.get_current_timezone(), timezone.localdate()
    bars = []
    for number, (run, took) in enumerate(rows):
        when = say_local(run.ordered_at.astimezone(zone), today)
        height = min(100.0, max(LEAST_HEIGHT, 100 * ((took or 0) / longest)))
        bars.append(
            StripBar(
                uid=run.uid,
                status=run.status,
                x=f"{(places - len(rows) + number) * pitch:.2f}%",
                width=width,
                y=f"{100 - height:.1f}%",
                height=f"{height:.1f}%",
                title=f"{run.status.capitalize()}, {when}, {say_duration(took)}",
            )
        )
    return Strip(
        bars,
        usual=f"{100 - 100 * usual_ms / longest:.1f}%" if usual_ms else "",
        failed=sum(1 for run, _ in rows if run.status == Status.FAILED),
        succeeded=sum(1 for run, _ in rows if run.status == Status.SUCCEEDED),
    )
