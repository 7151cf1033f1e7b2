"""Folding failures: what became of failed runs is added to their groups; and the groups counted afresh."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import connection, models, transaction
from django.db.models.functions import Left
from django.utils import timezone

from .error_group import SAMPLE_MAX, ErrorGroup, FailureChange, read_failures
from .flow import Flow
from .run import Run

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from .error_group import Failure

FOLD_BATCH = 2_000
RECOUNT_BATCH = 200_000
KEYS_AT_ONCE = 400  # below SQLite's bound on parameters
FOLDS_OF_A_READER = 10
KEPT = (
    *("sample", "first_seen_at", "last_seen_at", "opened_at", "emptied_at", "open_count", "total_count"),
    *("last_run_id", "hours"),
)
CHANGE_COLUMNS = "sign, is_gone, tenant_id, flow_id, fingerprint, run_id, seen_at, closed_at"
_CHANGES, _GROUPS = FailureChange._meta.db_table, ErrorGroup._meta.db_table

Key = tuple[int, str]


def counts_sql(row: str) -> str:
    """Whether a run is in its group: it failed, and its deletion has not begun."""
    return f"{row}.status = 'failed' AND {row}.removing_at IS NULL"


def failure_sql(sign: int, row: str, is_gone: str = "0") -> str:
    """What a failed run counts as: the values of CHANGE_COLUMNS; row: what it is called."""
    closed = (
        f"CASE WHEN {row}.reviewed_at < {row}.resolved_at THEN {row}.reviewed_at"
        f" ELSE COALESCE({row}.resolved_at, {row}.reviewed_at) END"
    )
    return (
        f"{sign}, {is_gone}, {row}.tenant_id, {row}.flow_id, {row}.error_fingerprint, {row}.id, {row}.finished_at,"
        f" {closed}"
    )


def fold_failures(batch: int = FOLD_BATCH) -> int:
    """Adds the oldest changes to the groups. Returns how many; waits for whoever folds already."""
    if not FailureChange.across_tenants.exists():
        return 0
    with transaction.atomic():
        changes = read_failures(FailureChange.across_tenants.select_for_update().order_by("id")[:batch])
        _add(changes)
        numbers = [one.id for one in changes]
        for begin in range(0, len(numbers), KEYS_AT_ONCE):
            rows = FailureChange.across_tenants.filter(pk__in=numbers[begin : begin + KEYS_AT_ONCE])
            rows._raw_delete(rows.db)
    return len(changes)


def settle_failures() -> None:
    """The groups as they are now, for a reader: what waits is folded, as far as that is soon done."""
    for _ in range(FOLDS_OF_A_READER):
        if not fold_failures():
            return


def _add(changes: Iterable[Failure]) -> None:
    by_key: dict[Key, list[Failure]] = {}
    for one in changes:
        by_key.setdefault((one.flow_id, one.fingerprint), []).append(one)
    now = timezone.now()
    known = set(Flow.across_tenants.filter(pk__in={flow for flow, _ in by_key}).values_list("pk", flat=True))
    by_key = {key: by_key[key] for key in sorted(by_key) if key[0] in known}
    # All are there before they are locked, in one order: who folds beside us waits here.
    ErrorGroup.across_tenants.bulk_create(
        [_begin(flow, fingerprint, ones) for (flow, fingerprint), ones in by_key.items()],
        ignore_conflicts=True,
        batch_size=KEYS_AT_ONCE,
    )
    groups = _lock(by_key)
    for group in groups:
        group.take(by_key[group.flow_id, group.fingerprint], now)
    # Never more than a start: the fingerprint of the run was another one a moment later.
    slips = [group.pk for group in groups if not group.total_count and not _has_lost(by_key, group)]
    ErrorGroup.across_tenants.filter(pk__in=slips).delete()
    kept = [group for group in groups if group.pk not in slips]
    _sample(kept, by_key)
    ErrorGroup.across_tenants.bulk_create(
        kept, update_conflicts=True, unique_fields=["id"], update_fields=KEPT, batch_size=KEYS_AT_ONCE
    )


def _begin(flow: int, fingerprint: str, changes: list[Failure]) -> ErrorGroup:
    last = [one for one in changes if one.sign > 0] or changes
    at = last[-1].seen_at
    return ErrorGroup(
        tenant_id=changes[0].tenant_id, flow_id=flow, fingerprint=fingerprint, first_seen_at=at, last_seen_at=at
    )


def _has_lost(by_key: dict[Key, list[Failure]], group: ErrorGroup) -> bool:
    return any(one.is_gone for one in by_key[group.flow_id, group.fingerprint])


def _lock(keys: Iterable[Key]) -> list[ErrorGroup]:
    by_flow: dict[int, list[str]] = {}
    for flow, fingerprint in keys:
        by_flow.setdefault(flow, []).append(fingerprint)
    rows = ErrorGroup.across_tenants.select_for_update().order_by("fingerprint")
    return [
        group
        for flow, prints in by_flow.items()
        for begin in range(0, len(prints), KEYS_AT_ONCE)
        for group in rows.filter(flow=flow, fingerprint__in=prints[begin : begin + KEYS_AT_ONCE])
    ]


def _sample(groups: Iterable[ErrorGroup], by_key: dict[Key, list[Failure]]) -> None:
    """Gives groups whose last run is among the changes its error's text."""
    wanted = {
        group.last_run_id: group
        for group in groups
        if any(one.run_id == group.last_run_id for one in by_key[group.flow_id, group.fingerprint])
    }
    pks = list(wanted)
    for begin in range(0, len(pks), KEYS_AT_ONCE):
        runs = Run.across_tenants.filter(pk__in=pks[begin : begin + KEYS_AT_ONCE])
        for pk, text in runs.values_list("pk", Left("error", SAMPLE_MAX)):
            wanted[pk].sample = text


def recount_failures() -> int:
    """Counts all failed runs that there are afresh. Returns how many. Others may go on reading, and failing."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute(f"LOCK TABLE {_GROUPS} IN EXCLUSIVE MODE")
            groups = ErrorGroup.across_tenants.all()
            groups.update(open_count=0, total_count=0, hours={})
            # One statement sees one moment: what waits then is taken back, what there is then is added.
            cursor.execute(
                f"INSERT INTO {_CHANGES} ({CHANGE_COLUMNS})"  # noqa: S608  (names of our own)
                f" SELECT {CHANGE_COLUMNS} FROM (SELECT 0 AS part, -sign AS sign,"
                f" is_gone, tenant_id, flow_id, fingerprint, run_id, seen_at, closed_at FROM {_CHANGES} UNION ALL"
                f" SELECT 1, {failure_sql(1, 'run')} FROM runs_dashboard_run run WHERE {counts_sql('run')}) found"
                " ORDER BY part, seen_at"
            )
        while fold_failures(RECOUNT_BATCH):
            continue
    return groups.aggregate(runs=models.Sum("total_count"))["runs"] or 0


def clear_failures() -> None:
    """No runs, no failures: what deleting everything has left behind."""
    for model in (FailureChange, ErrorGroup):
        rows = model.across_tenants.all()
        rows._raw_delete(rows.db)


def forget_groups(before: datetime) -> models.QuerySet:
    """Groups without runs whose last failure was before a time."""
    return ErrorGroup.across_tenants.filter(total_count=0, last_seen_at__lt=before)
