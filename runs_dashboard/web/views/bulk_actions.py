"""Bulk actions that were asked for: how they stand, what came of each run, and their abort."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from ...models import AuditEntry, BulkAction, Outcome, Role, StatusConflict, Worker
from ...text.export import neutralise
from ..access import needs, read_text
from ..bulk_words import OUTCOMES, show_actions
from ..words import say_instant

if TYPE_CHECKING:
    from ..access import MemberRequest

SHOWN = 50  # rows of a page
LIST_FIELDS = (
    *("outcome", "reason", "run_uid", "acted_at", "bulk_id"),
    *("run__uid", "run__flow__slug", "run__flow__name", "new_run__uid", "new_run__status"),
)
CSV_COLUMNS = ("run_uid", "run__flow__slug", "outcome", "reason", "new_run__uid", "acted_at")


@require_GET
@needs(Role.VIEWER)
def bulk_list(request: MemberRequest) -> HttpResponse:
    """The tenant's actions, newest first."""
    return render(request, "bulk/list.html", _listed(request))


@require_GET
@needs(Role.VIEWER)
def bulk_list_live(request: MemberRequest) -> HttpResponse:
    """The table alone; it asks again while something goes on."""
    return render(request, "bulk/_actions.html", _listed(request))


@require_GET
@needs(Role.VIEWER)
def bulk_detail(request: MemberRequest, bulk: str) -> HttpResponse:
    return render(request, "bulk/detail.html", _about(request, _find(request, bulk)))


@require_GET
@needs(Role.VIEWER)
def bulk_live(request: MemberRequest, bulk: str) -> HttpResponse:
    """The parts of an open action's page that change."""
    return render(request, "bulk/_live.html", _about(request, _find(request, bulk)))


@require_POST
@needs(Role.SUPPORT)
def bulk_abort(request: MemberRequest, bulk: str) -> HttpResponse:
    action = _find(request, bulk)
    if not request.membership.may(BulkAction.role_for(action.action)):
        raise PermissionDenied(f"This needs the role {BulkAction.role_for(action.action).label}.")
    try:
        action.abort(by=request.actor)
    except StatusConflict as conflict:
        messages.error(request, str(conflict))
    else:
        messages.success(request, f"Aborted: {action.done:,} done before, {action.skipped:,} not begun.")
    return redirect("bulk_detail", action.uuid)


@require_GET
@needs(Role.VIEWER)
def bulk_csv(request: MemberRequest, bulk: str) -> HttpResponse:
    """What came of each run, as a file; who took it is in the trail."""
    action = _find(request, bulk)
    AuditEntry.record("bulk.download", action, by=request.actor)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["run", "flow", "outcome", "reason", "new_run", "acted_at"])
    for *cells, at in action.results.order_by("id").values_list(*CSV_COLUMNS):
        writer.writerow([*(neutralise(cell or "") for cell in cells), say_instant(at) if at else ""])
    headers = {"Content-Disposition": f'attachment; filename="bulk-{action.uuid}.csv"', "Cache-Control": "no-store"}
    return HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8", headers=headers)


def _find(request: MemberRequest, bulk: str) -> BulkAction:
    """The tenant's action with this id. Raises Http404."""
    action: BulkAction | None = BulkAction.objects.of(request.tenant).filter(uuid=bulk).first()
    if action is None:
        raise Http404("There is no such bulk action, or none any more.")
    return action


def _listed(request: MemberRequest) -> dict[str, Any]:
    before = _read_number(request, "before")
    rows = BulkAction.objects.of(request.tenant).order_by("-id")
    found = list((rows.filter(id__lt=before) if before else rows)[: SHOWN + 1])
    shown = show_actions(request.tenant, found[:SHOWN])
    return {
        "actions": shown,
        "older": found[SHOWN - 1].pk if len(found) > SHOWN else None,
        "before": before,
        "is_live": any(one.action.is_open for one in shown),
    }


def _about(request: MemberRequest, action: BulkAction) -> dict[str, Any]:
    outcome = request.GET.get("outcome", "")
    outcome = outcome if outcome in Outcome.values else ""
    after = _read_number(request, "after")
    rows = action.results.for_list().only(*LIST_FIELDS)
    if outcome:
        rows = rows.filter(outcome=outcome)
    found = list((rows.filter(id__gt=after) if after else rows)[: SHOWN + 1])
    is_stuck = action.is_open and not Worker.objects.alive().exists()
    return {
        "shown": show_actions(request.tenant, [action])[0],
        "bulk": action,
        "results": [(row, OUTCOMES[row.outcome]) for row in found[:SHOWN]],
        "more": found[SHOWN - 1].pk if len(found) > SHOWN else None,
        "after": after,
        "outcome": outcome,
        "reasons": [one for one in action.results.count_reasons() if one[1]],
        "is_stuck": is_stuck,
        "may_abort": action.is_open and request.membership.may(BulkAction.role_for(action.action)),
    }


def _read_number(request: MemberRequest, name: str) -> int | None:
    text = read_text(request.GET, name, 18)
    return int(text) if text.isascii() and text.isdigit() else None
