"""`/api/v1/failures`: the inbox, failures that are neither reviewed nor retried with success, by their error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from ..failure_filters import KINDS, FailureFilter
from ..filter_fields import is_uuid
from ..filters import name_for_api
from ..models import BulkAction, ErrorGroup, Role, Run, once, settle_failures
from .bodies import EmptyBody
from .bulk import BulkShape, show
from .cursors import Page
from .errors import Invalid, NotThere, Problem
from .operations import IDEMPOTENCY_KEY, LOCATION, ApiView, Operation, answer, as_plain
from .parameters import Parameter
from .representations import iso
from .small_pages import SMALL_PAGING, read_page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.http import HttpResponse
    from rest_framework.request import Request

SORTS = {"-last_seen": ("-last_seen_at", "-id"), "-unresolved": ("-open_count", "-id")}
FILTERS = (
    Parameter(name_for_api("flow"), "text", "Of this flow; several with commas.", is_filter=True),
    Parameter(
        name_for_api("kind"),
        "words",
        "First seen within a day, or back again.",
        choices=tuple(dict(KINDS)),
        is_filter=True,
    ),
    Parameter(
        name_for_api("seen_after"), "moment", "Unix milliseconds, ISO 8601, or how long ago: 2h.", is_filter=True
    ),
)


class FailureShape(msgspec.Struct):
    """One kind of failure of one flow; `filter[error]`, `filter[flow_id]` and `filter[unresolved]` find its runs."""

    id: str
    flow_id: str
    fingerprint: str
    error: str
    unresolved: int
    total: int
    is_new: bool
    is_back: bool
    first_seen: str
    last_seen: str
    unresolved_since: str | None
    last_resolved: str | None
    last_run_id: str | None


class FailurePage(Page):
    items: list[FailureShape]


class FailuresView(ApiView):
    operations = {
        "get": Operation(
            "List Unresolved Failures",
            Role.VIEWER,
            parameters=(
                *FILTERS,
                Parameter("sort", about="Last seen first by default.", default="-last_seen", choices=tuple(SORTS)),
                *SMALL_PAGING,
            ),
            answers={200: FailurePage},
        )
    }

    def get(self, request: Request) -> HttpResponse:
        settle_failures()
        given = {one.plain: self.query[one.name] for one in FILTERS if self.query[one.name] is not None}
        rows = ErrorGroup.objects.of(self.tenant).open().select_related("flow")
        chosen = FailureFilter(given, queryset=rows, tenant=self.tenant)
        if not chosen.is_valid():
            raise Invalid.of(
                [
                    Problem(["query", name_for_api(name)], text, "value_error")
                    for name, texts in chosen.errors.items()
                    for text in texts
                ]
            )
        groups, page = read_page(
            chosen.qs.order_by(*SORTS[self.query["sort"]]), self.query, scope=f"{self.tenant.pk}:failures"
        )
        page.items = self.show(groups)
        return answer(page)

    def show(self, groups: Sequence[ErrorGroup]) -> list[FailureShape]:
        pks = [group.last_run_id for group in groups if group.last_run_id is not None]
        uids = dict(Run.objects.of(self.tenant).filter(pk__in=pks).values_list("pk", "uid"))
        return [show_group(group, uids.get(group.last_run_id)) for group in groups]


class ReviewFailuresView(ApiView):
    operations = {
        "post": Operation(
            "Review Failures",
            Role.SUPPORT,
            headers=(IDEMPOTENCY_KEY,),
            body=EmptyBody,
            answers={202: BulkShape},
            sends=(LOCATION,),
            errors=(404, 409),
        )
    }

    def post(self, request: Request, failure_id: str) -> HttpResponse:
        """Reviews what is unresolved of it at this moment, as a bulk action."""
        self.read_body(EmptyBody)
        rows = ErrorGroup.objects.of(self.tenant).select_related("flow")
        group = rows.filter(uuid=failure_id).first() if is_uuid(failure_id) else None
        if group is None:
            raise NotThere
        runs = self.runs().unresolved().filter(flow=group.flow_id, error_fingerprint=group.fingerprint)

        def ask() -> BulkShape:
            pairs = list(group.query.items())
            return show(BulkAction.ask(self.tenant, "review", by=self.actor, runs=runs, pairs=pairs))

        shown, _ = once(
            self.tenant, f"review:{group.uuid}", self.read_idempotency_key(), self.read_bytes(), as_plain(ask)
        )
        return answer(shown, 202, Location=f"/api/v1/bulk-actions/{shown['id']}")


def show_group(group: ErrorGroup, last_uid: str | None) -> FailureShape:
    return FailureShape(
        id=str(group.uuid),
        flow_id=group.flow.slug,
        fingerprint=group.error_name,
        error=group.sample,
        unresolved=group.open_count,
        total=group.total_count,
        is_new=group.is_new,
        is_back=group.is_back,
        first_seen=iso(group.first_seen_at) or "",
        last_seen=iso(group.last_seen_at) or "",
        unresolved_since=iso(group.opened_at),
        last_resolved=iso(group.emptied_at),
        last_run_id=last_uid,
    )
