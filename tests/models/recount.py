"""The oracle of the roll-ups: the same figures, counted plainly from the runs and steps that there are."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from runs_dashboard.models import Figures, Run, Step, fold_all, look
from runs_dashboard.models.histogram import bucket_of
from runs_dashboard.models.insights import Span
from runs_dashboard.models.rollup import hour_of

if TYPE_CHECKING:
    from runs_dashboard.models import Tenant

Plain = dict[str, tuple[dict[str, int], int, int, dict[int, int], dict[int, int]]]


def milliseconds(length: timedelta) -> int:
    return max(0, length // timedelta(milliseconds=1))


def take(figures: Figures, row: Run | Step, waited_ms: int | None, has_warnings: bool) -> None:
    figures.counts[row.status] += 1
    figures.warned += has_warnings
    if row.status == "succeeded" and row.started_at and row.finished_at:
        took = milliseconds(row.finished_at - row.started_at)
        figures.took_ms += took
        figures.took[bucket_of(took)] = figures.took.get(bucket_of(took), 0) + 1
    if waited_ms is not None:
        figures.waited[bucket_of(waited_ms)] = figures.waited.get(bucket_of(waited_ms), 0) + 1


def count_plainly(tenant: Tenant, kind: str, span: Span, *, flow: int = 0) -> dict[str, Figures]:
    """What `Insights.whole` must say."""
    found: dict[str, Figures] = {}
    for run in Run.objects.of(tenant):
        if not span.covers(hour_of(run.ordered_at)) or (flow and run.flow_id != flow):
            continue
        if kind == "component":
            for step in Step.hanging_on([run.pk]).filter(kept_from=None):
                take(found.setdefault(step.component, Figures()), step, None, False)
            continue
        key = {"total": "", "flow": str(run.flow_id), "user": str(run.created_by_id or "")}[kind]
        waited = None
        if run.started_at and not run.is_external:
            waited = milliseconds(run.started_at - run.created_at)
        take(found.setdefault(key, Figures()), run, waited, run.has_warnings)
    return found


def plain(found: dict[str, Figures]) -> Plain:
    """Figures as values that can be compared: empty buckets are nothing."""
    return {
        key: (
            figures.counts,
            figures.warned,
            figures.took_ms,
            {bucket: count for bucket, count in figures.took.items() if count},
            {bucket: count for bucket, count in figures.waited.items() if count},
        )
        for key, figures in found.items()
    }


def check(tenant: Tenant, span: Span, *, flows: tuple[int, ...] = ()) -> None:
    """The roll-ups say what is there: with what waits, and once it is folded."""
    for _ in range(2):
        for kind in ("total", "flow", "user", "component"):
            for flow in (0, *flows) if kind in ("user", "component") else (0,):
                told = look(tenant, span, lambda seen, kind=kind, flow=flow: seen.whole(kind, span, flow=flow))
                assert plain(told) == plain(count_plainly(tenant, kind, span, flow=flow)), (kind, flow)
                counted = look(tenant, span, lambda seen, kind=kind, flow=flow: seen.by(kind, span, flow=flow))
                assert {key: one.counts for key, one in counted.items()} == {
                    key: one.counts for key, one in told.items()
                }
        fold_all()
