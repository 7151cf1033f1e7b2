"""A retry that succeeds resolves the failures before it: nobody has to look at them any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import connection
from django.utils import timezone

from .. import dispatch

if TYPE_CHECKING:
    from .run import Run

LIMIT = 1_000  # runs that one success may resolve
# Up the chain of retries, then down to the sub-runs of those: a retry of the parent runs them anew.
_BEFORE = """
    WITH RECURSIVE
    earlier(id) AS (
        SELECT retried_run_id FROM runs_dashboard_run WHERE id = %s AND retried_run_id IS NOT NULL
        UNION
        SELECT run.retried_run_id FROM earlier JOIN runs_dashboard_run run ON run.id = earlier.id
        WHERE run.retried_run_id IS NOT NULL
    ),
    below(id) AS (
        SELECT id FROM earlier
        UNION
        SELECT run.id FROM below JOIN runs_dashboard_run run ON run.parent_run_id = below.id
    )
    SELECT id FROM below LIMIT %s
"""


def resolve_failures(run: Run) -> int:
    """Marks the failed runs that this one, which has succeeded, retried: directly, through other retries, or as parts.

    The first success stands. To be called in the transaction of the success. Returns how many were marked.
    """
    with connection.cursor() as cursor:
        cursor.execute(_BEFORE, [run.pk, LIMIT])
        earlier = [row[0] for row in cursor.fetchall()]
    runs = type(run).across_tenants.filter(pk__in=earlier, status="failed", resolved_at=None)
    # Locked in one order: two retries of one run may succeed at once.
    found = list(runs.select_for_update().order_by("pk").values_list("pk", flat=True))
    if found:
        runs.filter(pk__in=found).update(resolved_at=timezone.now(), resolved_run=run)
        for pk in found:
            dispatch.announce(pk)
    return len(found)
