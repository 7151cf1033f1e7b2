"""How things stand: counts by status, capped, and kept for a few seconds so that many open lists ask once."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.cache import cache
from django.utils import timezone

from ..models import Counted, Run, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from ..models import Tenant
    from ..models.run_set import RunQuerySet

KEEP_SECONDS = 5
TABS = (Status.FAILED, Status.RUNNING, Status.QUEUED, Status.PAUSED, Status.STOPPED, Status.SUCCEEDED)


def count_capped(rows: RunQuerySet) -> int:
    """Exact up to the limit, one more than the limit beyond it."""
    return rows.count_to(settings.COUNT_LIMIT + 1)


def count_statuses(read: Callable[[], RunQuerySet], key: str) -> dict[str, Counted]:
    """Of the runs that `read` gives, how many have each status; key: what names them, their tenant and filter."""
    key = f"statuses:{hashlib.sha256(key.encode()).hexdigest()}"
    kept: dict[str, Counted] | None = cache.get(key)
    if kept is None:
        kept = read().count_by_status([str(status) for status in TABS], settings.COUNT_LIMIT)
        cache.set(key, kept, KEEP_SECONDS)
    return kept


def add_up(counts: Collection[Counted]) -> Counted:
    """All of them together, capped as each of them is."""
    number = sum(count.number for count in counts)
    is_whole = all(count.is_whole for count in counts) and number <= settings.COUNT_LIMIT
    return Counted(min(number, settings.COUNT_LIMIT), is_whole)


def sum_up(tenant: Tenant) -> dict[str, int]:
    """What the head of the list says: failures of the last 24 hours, and those of them that are unresolved."""
    key = f"standing:{tenant.pk}"
    kept = cache.get(key)
    if kept is None:
        since = timezone.now() - timedelta(hours=24)
        failed = Run.objects.of(tenant).filter(status=Status.FAILED, ordered_at__gte=since)
        kept = {"failed": count_capped(failed), "open": count_capped(failed.unresolved())}
        cache.set(key, kept, KEEP_SECONDS)
    return kept
