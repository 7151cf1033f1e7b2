"""What the list of flows is asked: which flows, and in what order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import F, OuterRef, Q, Subquery

from ..models import Run, Status
from .access import read_text

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import QueryDict

    from ..models import Tenant

NAME_LENGTH = 200
WORD_LENGTH = 20
STATES = {
    "": "All",
    "failing": "Failed last",
    "scheduled": "On schedule",
    "paused": "Schedule paused",
    "off": "Switched off",
    "external": "Of other engines",
}
ORDERS = {"": "Name", "failed": "Last failed", "run": "Last run"}


@dataclass(frozen=True)
class FlowQuestion:
    """state: one of STATES; sort: one of ORDERS; page: from 1. What is not known is as if it were not asked."""

    search: str = ""
    state: str = ""
    sort: str = ""
    page: int = 1

    @classmethod
    def read(cls, params: QueryDict) -> FlowQuestion:
        state, sort = (read_text(params, name, WORD_LENGTH) for name in ("state", "sort"))
        page = params.get("page", "1")
        return cls(
            search=read_text(params, "search", NAME_LENGTH).strip(),
            state=state if state in STATES else "",
            sort=sort if sort in ORDERS else "",
            page=max(1, int(page)) if page.isascii() and page.isdigit() and len(page) < 5 else 1,
        )

    @property
    def is_narrowed(self) -> bool:
        return bool(self.search or self.state)

    @property
    def states(self) -> list[tuple[str, str]]:
        return list(STATES.items())

    @property
    def orders(self) -> list[tuple[str, str]]:
        return list(ORDERS.items())

    def ask(self, flows: QuerySet, tenant: Tenant) -> QuerySet:
        """flows: the tenant's, by name."""
        if self.search:
            flows = flows.filter(Q(slug__icontains=self.search) | Q(name__icontains=self.search))
        newest = Run.objects.of(tenant).filter(flow=OuterRef("pk")).order_by("-ordered_at", "-id")
        if self.state == "failing":
            flows = flows.annotate(last_status=Subquery(newest.values("status")[:1])).filter(last_status=Status.FAILED)
        elif self.state == "scheduled":
            flows = flows.filter(next_run_at__isnull=False, is_schedule_paused=False, is_enabled=True)
        elif self.state == "paused":
            flows = flows.filter(next_run_at__isnull=False, is_schedule_paused=True)
        elif self.state == "off":
            flows = flows.filter(is_enabled=False)
        elif self.state == "external":
            flows = flows.filter(is_external=True)
        if self.sort:
            runs = newest.filter(status=Status.FAILED) if self.sort == "failed" else newest
            flows = flows.annotate(last_at=Subquery(runs.values("ordered_at")[:1]))
            flows = flows.order_by(F("last_at").desc(nulls_last=True), "name", "slug")
        return flows
