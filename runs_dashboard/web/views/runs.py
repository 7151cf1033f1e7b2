"""The run list, and the small answer that keeps an open list up to date."""

from __future__ import annotations

import shlex
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from django.db.models import Prefetch
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from ...filters import RunFilter
from ...models import LIVE, Environment, Flow, Membership, Role, Run, RunTag, Status, TrackedData, Trigger
from ..access import needs, read_text
from ..counts import TABS, count_statuses, sum_up
from ..keyset import Cursor, cut_page
from ..tables import SHOWN_KEYS, RunTable

if TYPE_CHECKING:
    from django.http import HttpResponse

    from ...models.run import RunQuerySet
    from ..access import MemberRequest

PAGE_SIZE = 50
NEW_LIMIT = 100  # new runs are counted so far: "99+ new runs"
CHOICES_LIMIT = 500
UIDS_LENGTH = 256 * PAGE_SIZE
FIELDS = {
    "search": "text",
    "flow": "flow",
    "trigger": "trigger",
    "user": "by",
    "tag": "tag",
    "tracked": "tracked",
    "environment": "environment",
    "started_after": "from",
    "started_before": "until",
    "started_on": "on",
    "has_warnings": "with warnings",
    "reviewed": "reviewed",
    "retried": "retried",
    "parent_run_id": "started by run",
}


@require_GET
def home(request: MemberRequest) -> HttpResponse:
    return redirect("run_list")


@require_GET
@needs(Role.VIEWER)
def run_list(request: MemberRequest) -> HttpResponse:
    tenant = request.tenant
    found = _filter(request)
    cursor = Cursor.parse(request.GET.get("cursor", ""))
    is_newest_first = request.GET.get("sort") != "started_at"
    runs = found.qs if found.is_valid() else found.qs.none()
    page = cut_page(_for_table(runs), cursor, size=PAGE_SIZE, is_newest_first=is_newest_first)
    chosen = _chosen(request)
    context = {
        "filter": found,
        "chosen": chosen,
        "chips": _chips(request, chosen),
        "is_filtered": bool(chosen),
        "table": RunTable(page.rows, has_ticks=_has_ticks(request), is_newest_first=is_newest_first),
        "page": page,
        "is_newest_first": is_newest_first,
        "tabs": _tabs(request, found),
        "standing": sum_up(tenant),
        "live_query": _live_query(request, page.rows, cursor, is_newest_first),
        "as_of": timezone.now(),
        "key": uuid.uuid4().hex,
        "flows": Flow.objects.of(tenant).order_by("name").values_list("slug", "name")[:CHOICES_LIMIT],
        "environments": Environment.objects.of(tenant).order_by("name").values_list("name", flat=True)[:CHOICES_LIMIT],
        "members": Membership.objects.of(tenant)
        .order_by("user__username")
        .values_list("user__username", flat=True)[:CHOICES_LIMIT],
        "triggers": Trigger.choices,
        "api_call": _as_api_call(request, found, is_newest_first) if found.is_valid() else None,
    }
    return render(request, "runs/list.html", context, status=200 if found.is_valid() else 400)


@require_GET
@needs(Role.VIEWER)
def run_list_live(request: MemberRequest) -> HttpResponse:
    """The rows of an open list that still change, the counts, and how many runs are new: swapped in place."""
    found = _filter(request)
    shown, watched = (_read_uids(request, name) for name in ("shown", "watch"))
    of_tenant = Run.objects.of(request.tenant)
    rows = list(_for_table(of_tenant.filter(uid__in=watched))) if watched else []
    top = Cursor.parse(request.GET.get("top", ""))
    new = 0
    if top and found.is_valid():
        newer = found.qs.after(top.at, top.pk).exclude(uid__in=shown)
        new = newer.order_by()[:NEW_LIMIT].count()
    params = request.GET.copy()
    params["watch"] = ",".join(run.uid for run in rows if run.status in LIVE)
    context = {
        "table": RunTable(rows, has_ticks=_has_ticks(request)),
        "tabs": _tabs(request, found),
        "new": new,
        "new_limit": NEW_LIMIT,
        "first_page": _keep(request, ()),
        "live_query": params.urlencode(),
        "as_of": timezone.now(),
    }
    return render(request, "runs/_live.html", context)


def _has_ticks(request: MemberRequest) -> bool:
    return request.membership.may(Role.SUPPORT)


def _read_uids(request: MemberRequest, name: str) -> list[str]:
    return [uid for uid in read_text(request.GET, name, UIDS_LENGTH).split(",") if uid][:PAGE_SIZE]


def _filter(request: MemberRequest) -> RunFilter:
    tenant = request.tenant
    return RunFilter(request.GET, queryset=Run.objects.of(tenant), tenant=tenant)


def _as_api_call(request: MemberRequest, found: RunFilter, is_newest_first: bool) -> dict[str, str]:
    """The list's first page as a program asks for it."""
    query = {**found.write_for_api(), "sort": "-started_at" if is_newest_first else "started_at", "per_page": PAGE_SIZE}
    text = urlencode(query, safe="[]:,", quote_via=quote)  # what curl -g and people can read
    url = f"{request.build_absolute_uri(reverse('api-flow-runs'))}?{text}"
    return {"url": url, "curl": f'curl -g -H "Authorization: Bearer $KEY" {shlex.quote(url)}'}


def _for_table(runs: RunQuerySet) -> RunQuerySet:
    """With the few keys and tags that are shown. (Asked for by tenant, SQLite would read every pair of the tenant.)"""
    some = SHOWN_KEYS + 1
    return runs.for_list().prefetch_related(
        Prefetch("tags", RunTag.across_tenants.order_by("key")[:some], to_attr="shown_tags"),
        Prefetch("tracked_data", TrackedData.across_tenants.order_by("id")[:some], to_attr="shown_keys"),
    )


def _chosen(request: MemberRequest) -> dict[str, str]:
    """The filters in the address, but the status, which the tabs show."""
    return {name: value for name in FIELDS if (value := request.GET.get(name, "").strip())}


def _keep(request: MemberRequest, without: tuple[str, ...]) -> str:
    """The address's filters and sort as a query string, without its cursor and the names given."""
    kept = {name: request.GET[name] for name in ("status", *FIELDS, "sort") if request.GET.get(name)}
    return urlencode({name: value for name, value in kept.items() if name not in without})


def _chips(request: MemberRequest, chosen: dict[str, str]) -> list[dict[str, str]]:
    return [
        {"name": name, "word": FIELDS[name], "value": value, "without": f"?{_keep(request, (name,))}"}
        for name, value in chosen.items()
    ]


def _tabs(request: MemberRequest, found: RunFilter) -> list[dict[str, Any]]:
    """One tab a status, with its count under the other filters; the first is all."""
    tenant, others = request.tenant, found
    if "status" in request.GET:
        base = request.GET.copy()
        base.pop("status")
        others = RunFilter(base, queryset=Run.objects.of(tenant), tenant=tenant)
    zone = timezone.get_current_timezone_name()  # the days of a filter are the reader's
    key = f"{tenant.pk} {zone} {sorted(_chosen(request).items())}"
    counts = count_statuses(others.qs, key) if found.is_valid() else {str(status): 0 for status in TABS}
    now = set(request.GET.get("status", "").split(",")) - {""}
    kept = _keep(request, ("status",))
    tabs = [{"status": "", "word": "All", "count": sum(counts.values()), "query": kept, "is_here": not now}]
    for status in TABS:
        query = f"{kept}&status={status}" if kept else f"status={status}"
        tabs.append(
            {
                "status": status.value,
                "word": Status(status).label,
                "count": counts[status],
                "query": query,
                "is_here": now == {status.value},
            }
        )
    return tabs


def _live_query(request: MemberRequest, rows: list[Run], cursor: Cursor | None, is_newest_first: bool) -> str:
    """What the open list asks for every few seconds: the rows it shows, and where its top is."""
    params = request.GET.copy()
    params.pop("cursor", None)
    params["shown"] = ",".join(run.uid for run in rows)
    params["watch"] = ",".join(run.uid for run in rows if run.status in LIVE)
    if cursor is None and is_newest_first:
        first = rows[0] if rows else None
        at, pk = (first.ordered_at, first.pk) if first else (timezone.now(), 0)
        params["top"] = str(Cursor(False, at, pk))
    return params.urlencode()
