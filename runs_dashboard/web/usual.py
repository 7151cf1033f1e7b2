"""How long the steps of a flow usually take: of its last successes, remembered for a while."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from django.core.cache import cache

from ..models import Run, Status, Step, measure_ms

if TYPE_CHECKING:
    from collections.abc import Iterable

RUNS = 5  # successes that are asked
MOST_STEPS = 200  # of a run; with more the page says nothing of it
KEPT_SECONDS = 300


def usual_steps(run: Run) -> dict[str, int]:
    """Milliseconds by the step's id, of the flow's last successes; empty where there is none."""
    if not run.flow.usual_ms or not 0 < run.step_count <= MOST_STEPS:
        return {}
    key = f"usual-steps:{run.flow_id}"
    known: dict[str, int] | None = cache.get(key)
    if known is None:
        known = _measure(run)
        cache.set(key, known, KEPT_SECONDS)
    return known


def _measure(run: Run) -> dict[str, int]:
    successes = Run.objects.of(run.tenant_id).filter(flow=run.flow_id, status=Status.SUCCEEDED)
    pks: Iterable[int] = successes.order_by("-ordered_at", "-id").values_list("pk", flat=True)[:RUNS]
    steps = Step.hanging_on(list(pks)).filter(kept_from=None)
    times: dict[str, dict[int, int]] = {}
    rows = steps.values_list("slug", "run_id", "started_at", "finished_at")
    for slug, pk, started_at, finished_at in rows[: RUNS * MOST_STEPS * 2]:
        took = measure_ms(started_at, finished_at) if finished_at else None
        if took is not None:
            of_runs = times.setdefault(slug, {})
            of_runs[pk] = of_runs.get(pk, 0) + took
    return {slug: round(median(of_runs.values())) for slug, of_runs in times.items()}
