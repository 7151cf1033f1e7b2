"""Bulk actions and the work on them, for the tests of theirs."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from runs_dashboard.models import (
    BulkAction,
    Run,
    Status,
)

from ..web.making import make_history
from .runs import actor, make_flow

if TYPE_CHECKING:
    from datetime import datetime

    from runs_dashboard.models import Tenant, User


def make_failed(tenant: Tenant, count: int, **fields: Any) -> list[Run]:
    """Failed runs of one flow, the oldest first."""
    return make_history(make_flow(tenant), count, status=Status.FAILED, **{"error": "boom", **fields})


def ask(tenant: Tenant, user: User, act: str = "retry", **options: Any) -> BulkAction:
    if "uids" not in options:
        options.setdefault("runs", Run.objects.of(tenant).filter(status=Status.FAILED))
        options.setdefault("pairs", [("status", "failed")])
    return BulkAction.ask(tenant, act, by=actor(user), **options)


def work(now: datetime | None = None, *, most: int = 10_000) -> int:
    """Acts until nothing is due, as a worker does; how many acts that were."""
    acts = 0
    while acts < most and BulkAction.across_tenants.act_next(now):
        acts += 1
    return acts


def work_off(action: BulkAction) -> BulkAction:
    """To its end, by a clock that does not let a worker wait."""
    now = timezone.now()
    while action.is_open:
        now += timedelta(seconds=1)
        work(now)
        action.refresh_from_db()
    return action


def outcomes(action: BulkAction) -> list[tuple[str, str]]:
    return list(action.results.order_by("id").values_list("outcome", "reason"))
