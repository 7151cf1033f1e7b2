"""Runs and logs for the pages' tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from runs_dashboard.models import Run, Status, Step, append
from runs_dashboard.text.intake import Line

if TYPE_CHECKING:
    from runs_dashboard.models import Flow

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def make_history(flow: Flow, count: int, *, status: str = Status.SUCCEEDED, **fields: Any) -> list[Run]:
    """So many ended runs, a minute apart, written at once; the last one is the newest."""
    rows = [
        Run(
            tenant_id=flow.tenant_id,
            flow=flow,
            version=flow.latest,
            trigger="manual",
            status=status,
            created_at=NOON + timedelta(minutes=number),
            queued_at=NOON + timedelta(minutes=number),
            ordered_at=NOON + timedelta(minutes=number),
            started_at=NOON + timedelta(minutes=number),
            finished_at=NOON + timedelta(minutes=number, seconds=30),
            **fields,
        )
        for number in range(count)
    ]
    return Run.across_tenants.bulk_create(rows)


def write_log(run: Run, messages: list[str], *, level: int = 1, step: Step | None = None) -> None:
    """Lines of a run in a worker's hands."""
    at = NOON.timestamp()
    lines = [
        Line(message=text, level=level, stream="stdout", at=at + place / 10) for place, text in enumerate(messages)
    ]
    append(run, lines, step=step, token=run.token)
