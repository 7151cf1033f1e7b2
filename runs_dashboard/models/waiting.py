"""Why a run waits in the queue: for its engine, for a worker, for other runs of its flow, or for its turn."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from django.db import models

from .flow import Flow
from .lifecycle import Status
from .worker import Worker

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .run import Run

PLACES = 1_000  # of the queue are counted; what lies behind them is "more than 1,000"


def explain_waiting(runs: Iterable[Run]) -> dict[int, str]:
    """A sentence for each queued run of one tenant, by its primary key. Four questions at most, however many runs;
    none where no run waits. `flow_id`, `status`, `is_external` and `tenant_id` are read."""
    queued = [run for run in runs if run.status == Status.QUEUED]
    said = {run.pk: "Its own engine has not reported it yet." for run in queued if run.is_external}
    ours = [run for run in queued if not run.is_external]
    if not ours:
        return said
    workers = Worker.objects.alive().aggregate(
        count=models.Count("pk"),
        open=models.Count("pk", filter=models.Q(is_draining=False)),
        slots=models.Sum("slots", default=0),
        busy=models.Sum("busy", default=0),
    )
    line = _read_line(ours[0])
    limits = _read_limits(type(ours[0]), {run.flow_id for run in ours})
    for run in ours:
        if not workers["count"]:
            said[run.pk] = "No worker is alive: nothing executes runs now."
        elif run.flow_id in limits and limits[run.flow_id][1] >= limits[run.flow_id][0]:
            said[run.pk] = _say_flow(run, *limits[run.flow_id], line)
        elif not workers["open"]:
            said[run.pk] = "The workers are ending and take no new run."
        elif workers["busy"] >= workers["slots"]:
            are = "The one slot is" if workers["slots"] == 1 else f"All {workers['slots']} slots are"
            said[run.pk] = f"{are} busy. {_say_place(run, line)}"
        else:
            said[run.pk] = _say_place(run, line)
    return said


def _read_line(run: Run) -> list[tuple[int, int]]:
    """The queue of the run's tenant, the longest waiting first: primary keys and flows."""
    waiting = type(run).across_tenants.filter(tenant_id=run.tenant_id, status=Status.QUEUED, is_external=False)
    return list(waiting.order_by("queued_at", "id").values_list("pk", "flow_id")[:PLACES])


def _read_limits(model: type[Run], flows: set[int]) -> dict[int, tuple[int, int]]:
    """Of flows with a limit: how many runs at once, and how many run now."""
    limited = dict(Flow.across_tenants.filter(pk__in=flows, concurrency__isnull=False).values_list("pk", "concurrency"))
    if not limited:
        return {}
    rows = model.across_tenants.filter(flow_id__in=list(limited), status=Status.RUNNING, is_external=False)
    running = Counter(rows.order_by().values_list("flow_id", flat=True)[:PLACES])
    return {pk: (limit, running[pk]) for pk, limit in limited.items()}


def _say_flow(run: Run, limit: int, running: int, line: Sequence[tuple[int, int]]) -> str:
    at_once = "one at a time" if limit == 1 else f"{limit} at a time"
    said = f"Behind {running} run{'' if running == 1 else 's'} of this flow, which runs {at_once}"
    before = _count_before(run, [(pk, flow) for pk, flow in line if flow == run.flow_id])
    return f"{said}; {before} more wait{'s' if before == 1 else ''} before it." if before else f"{said}."


def _say_place(run: Run, line: Sequence[tuple[int, int]]) -> str:
    before = _count_before(run, line)
    if before is None:
        return f"More than {PLACES:,} runs wait before it."
    return "It is the next in the queue." if not before else f"Place {before + 1:,} in the queue."


def _count_before(run: Run, line: Sequence[tuple[int, int]]) -> int | None:
    return next((place for place, (pk, _) in enumerate(line) if pk == run.pk), None)
