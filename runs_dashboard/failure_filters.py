"""What can be asked of the inbox: the same names for its page and the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import django_filters

from .filter_fields import ManyFilter, MomentFilter, TextFilter, split_words
from .models import ErrorGroup, Flow

if TYPE_CHECKING:
    from datetime import datetime

    from django.db.models import QuerySet

KINDS = (("new", "New"), ("back", "Back again"))


class FailureFilter(django_filters.FilterSet):
    """Which kinds of failure. `queryset` must be one tenant's unresolved ones."""

    flow = TextFilter(method="of_flow", label="Flow")
    kind = ManyFilter(choices=KINDS, method="of_kind", label="Kind")
    seen_after = MomentFilter(method="from_moment", label="Seen after")
    flow_id = TextFilter(method="of_flow")  # as programs say it

    class Meta:
        model = ErrorGroup
        fields: list[str] = []

    def __init__(self, *args: Any, tenant: Any, **kwargs: Any) -> None:
        self.tenant = tenant
        super().__init__(*args, **kwargs)

    def of_flow(self, rows: QuerySet, name: str, value: str) -> QuerySet:
        flows = Flow.objects.of(self.tenant).filter(slug__in=split_words(value))
        return rows.filter(flow_id__in=list(flows.values_list("pk", flat=True)))

    def of_kind(self, rows: Any, name: str, value: list[str]) -> QuerySet:
        if not value or len(set(value)) == len(KINDS):
            return rows if not value else rows.new() | rows.back()
        found: QuerySet = rows.new() if value[0] == "new" else rows.back()
        return found

    def from_moment(self, rows: QuerySet, name: str, value: datetime) -> QuerySet:
        return rows.filter(last_seen_at__gte=value)
