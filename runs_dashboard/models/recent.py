"""The newest runs of many flows at once, as few columns of them as a bar of a chart needs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from django.db import connection

from .lifecycle import measure_ms
from .run import shorten

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .flow import Flow

COLUMNS = "flow_id, uid, status, ordered_at, started_at, took_ms"


class RecentRun(NamedTuple):
    """took_ms: of one that has started and ended, in milliseconds; started_at: of one that has not ended."""

    uid: str
    status: str
    ordered_at: datetime
    started_at: datetime | None
    took_ms: int | None

    @property
    def short_uid(self) -> str:
        return shorten(self.uid)

    @property
    def duration_ms(self) -> int | None:
        """As a run's own."""
        return max(0, self.took_ms) if self.took_ms is not None else measure_ms(self.started_at, None)


def recent_runs(flows: Iterable[Flow], count: int) -> dict[int, list[RecentRun]]:
    """The newest runs of each flow, by its number, the oldest of them first.

    One statement in plain SQL: a query set a flow takes longer to put its question than the database to answer it,
    and one over all of them cannot say "the newest of each" without reading every run.
    """
    found: dict[int, list[RecentRun]] = {flow.pk: [] for flow in flows}
    if not found:
        return {}
    newest = (
        f"SELECT * FROM (SELECT {COLUMNS} FROM runs_dashboard_run"  # noqa: S608  (names of our own)
        " WHERE flow_id = %s ORDER BY ordered_at DESC, id DESC LIMIT %s) AS newest"
    )
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join([newest] * len(found)), [value for pk in found for value in (pk, count)])
        for flow, uid, status, ordered_at, started_at, took_ms in cursor.fetchall():
            begun = None if started_at is None or took_ms is not None else _as_moment(started_at)
            found[flow].append(RecentRun(uid, status, _as_moment(ordered_at), begun, took_ms))
    for runs in found.values():
        runs.reverse()
    return found


def _as_moment(value: datetime | str) -> datetime:
    """SQLite keeps times as text, in UTC."""
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    return at if at.tzinfo else at.replace(tzinfo=UTC)
