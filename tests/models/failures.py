"""The oracle of the groups of errors: the same counts, taken plainly from the runs that there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runs_dashboard.models import ErrorGroup, Run, settle_failures

if TYPE_CHECKING:
    from runs_dashboard.models import Tenant


class Counts(NamedTuple):
    open: int
    total: int


def count_plainly(tenant: Tenant) -> dict[tuple[int, str], Counts]:
    """What the groups must say, by flow and fingerprint."""
    found: dict[tuple[int, str], Counts] = {}
    for run in Run.objects.of(tenant).filter(status="failed", removing_at=None):
        key = run.flow_id, run.error_fingerprint
        before = found.get(key, Counts(0, 0))
        is_open = run.reviewed_at is None and run.resolved_at is None
        found[key] = Counts(before.open + is_open, before.total + 1)
    return found


def count_groups(tenant: Tenant) -> dict[tuple[int, str], Counts]:
    """What the groups say; those of which nothing is left are only remembered."""
    settle_failures()
    groups = ErrorGroup.objects.of(tenant).exclude(total_count=0)
    return {(group.flow_id, group.fingerprint): Counts(group.open_count, group.total_count) for group in groups}


def check(tenant: Tenant) -> None:
    assert count_groups(tenant) == count_plainly(tenant)


def the_group(tenant: Tenant) -> ErrorGroup:
    """The only one."""
    settle_failures()
    group = ErrorGroup.objects.of(tenant).get()
    assert isinstance(group, ErrorGroup)
    return group
