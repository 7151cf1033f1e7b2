"""Flows: what can run, how it went lately, the form that starts one."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import yaml
from django.contrib import messages
from django.db.models import Q
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from ...definition.inputs import InputError
from ...definition.schedule import describe
from ...models import (
    Environment,
    Flow,
    FlowDisabled,
    KeyReused,
    Role,
    StatusConflict,
    WebhookSecret,
    once,
    recent_runs,
)
from ..access import find_flow, needs, read_text
from ..fields import make_fields, read_args
from ..insight_tables import Links, figures_of
from ..period import read_preset
from ..strip import draw_strip

if TYPE_CHECKING:
    from django.http import HttpResponse, QueryDict

    from ..access import MemberRequest

PAGE_SIZE = 40
LIST_BARS, PAGE_BARS = 30, 60
NEXT_TIMES = 5
VERSIONS_SHOWN = 50
SECRETS_SHOWN = 25
KEY_LENGTH = 64
NAME_LENGTH = 200


@require_GET
@needs(Role.VIEWER)
def flow_list(request: MemberRequest) -> HttpResponse:
    flows = Flow.objects.of(request.tenant).for_list()
    wanted = read_text(request.GET, "search", NAME_LENGTH).strip()
    if wanted:
        flows = flows.filter(Q(slug__icontains=wanted) | Q(name__icontains=wanted))
    page = _page_number(request)
    rows = list(flows[(page - 1) * PAGE_SIZE : page * PAGE_SIZE + 1])
    shown = []
    figures = figures_of(request.tenant, rows[:PAGE_SIZE])
    recent = recent_runs(rows[:PAGE_SIZE], LIST_BARS)
    for flow in rows[:PAGE_SIZE]:
        runs = recent[flow.pk]
        shown.append(
            {
                "flow": flow,
                "strip": draw_strip(runs, places=LIST_BARS, usual_ms=flow.usual_ms),
                "last": runs[-1] if runs else None,
                "figures": figures.get(flow.pk),
            }
        )
    context = {
        "shown": shown,
        "search": wanted,
        "previous": page - 1 if page > 1 else None,
        "next": page + 1 if len(rows) > PAGE_SIZE else None,
    }
    return render(request, "flows/list.html", context)


@require_GET
@needs(Role.VIEWER)
def flow_detail(request: MemberRequest, slug: str) -> HttpResponse:
    return render(request, "flows/detail.html", about_flow(request, find_flow(request, slug)))


@require_POST
@needs(Role.OPERATOR)
def flow_start(request: MemberRequest, slug: str) -> HttpResponse:
    """Starts a run; the same form sent twice starts one. A mistake in the inputs shows the form again."""
    flow = find_flow(request, slug)
    sent, problems, refusal = request.POST, [], ""
    try:
        args = read_args(flow.definition.inputs, sent)
        environment = read_text(sent, "environment", NAME_LENGTH)

        def act() -> dict[str, Any]:
            return {"uid": flow.start(args, trigger="manual", by=request.actor, environment=environment).uid}

        said = json.dumps([args, environment], sort_keys=True).encode()
        answer, is_old = once(flow.tenant, f"start:{flow.slug}", read_text(sent, "key", KEY_LENGTH) or None, said, act)
    except InputError as error:
        problems = error.problems
    except (FlowDisabled, StatusConflict, KeyReused) as error:
        refusal = str(error)
    else:
        messages.success(request, "This form was sent before: this is the run it started." if is_old else "Started.")
        return redirect("run_detail", answer["uid"])
    context = about_flow(request, flow, sent=sent, problems=problems) | {"refusal": refusal}
    return render(request, "flows/detail.html", context, status=409 if refusal else 422)


@require_POST
@needs(Role.OPERATOR)
def flow_schedule(request: MemberRequest, slug: str) -> HttpResponse:
    """Pauses or resumes the flow's schedule."""
    flow = find_flow(request, slug)
    if request.POST.get("paused") == "true":
        flow.pause_schedule(by=request.actor)
        messages.success(request, "The schedule is paused: nothing starts by itself until it is resumed.")
    else:
        flow.resume_schedule(by=request.actor)
        messages.success(request, "The schedule is on again.")
    return redirect("flow_detail", flow.slug)


def about_flow(
    request: MemberRequest,
    flow: Flow,
    *,
    sent: QueryDict | None = None,
    problems: list[tuple[str, str]] | None = None,
) -> dict[str, Any]:
    """What a flow's page shows; sent: its start form as it was filled in, with the problems found in it."""
    definition = flow.definition
    runs = recent_runs([flow], PAGE_BARS)[flow.pk]
    environments = Environment.objects.of(flow.tenant_id).order_by("name").values_list("name", flat=True)
    latest = flow.latest
    secrets: list[WebhookSecret] = []
    if request.membership.may(Role.ADMIN):
        secrets = list(WebhookSecret.objects.of(flow.tenant_id).filter(flow=flow).order_by("-id")[:SECRETS_SHOWN])
    chosen = sent.get("environment", "") if sent is not None else definition.environment or ""
    return {
        "flow": flow,
        "definition": definition,
        "strip": draw_strip(runs, places=PAGE_BARS, usual_ms=flow.usual_ms),
        "figures": figures_of(request.tenant, [flow]).get(flow.pk),
        "links": {kind: Links(flow.slug).to(read_preset("30d").span, kind) for kind in ("runs", "succeeded", "failed")},
        "recent": runs[-8:][::-1],
        "fields": make_fields(definition.inputs, {}, problems, sent),
        "problems": [said for name, said in problems or [] if not name or name == "environment"],
        "key": sent.get("key", "") if sent is not None else uuid.uuid4().hex,
        "environments": list(environments[:200]),
        "environment": chosen,
        "schedule_words": describe(definition.schedule) if definition.schedule else "",
        "next_times": flow.times_after(timezone.now(), count=NEXT_TIMES) if not flow.is_schedule_paused else [],
        "address": request.build_absolute_uri(f"/webhooks/{flow.slug}"),
        "secrets": secrets,
        "source": (latest.source or _as_yaml(latest.definition)) if latest else "",
        "versions": list(
            flow.versions.select_related("created_by")
            .defer("definition", "source")
            .order_by("-number")[:VERSIONS_SHOWN]
        ),
    }


def _as_yaml(definition: dict[str, Any]) -> str:
    return yaml.safe_dump(definition, sort_keys=False, allow_unicode=True, width=100)


def _page_number(request: MemberRequest) -> int:
    text = request.GET.get("page", "1")
    return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 5 else 1
