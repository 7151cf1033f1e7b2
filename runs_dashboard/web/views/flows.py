"""Flows: what can run, how it went lately, the form that starts one."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from ...definition.inputs import InputError
from ...definition.schedule import describe
from ...models import (
    LIVE,
    Environment,
    Flow,
    FlowDisabled,
    KeyReused,
    Role,
    Run,
    StatusConflict,
    WebhookSecret,
    explain_waiting,
    once,
    recent_runs,
)
from ..access import find_flow, needs, read_text
from ..fields import make_fields, read_args
from ..flow_question import FlowQuestion
from ..inputs_offered import InputsOffered
from ..insight_tables import Links, figures_of
from ..period import read_preset
from ..strip import draw_strip
from .flow_versions import read_version

if TYPE_CHECKING:
    from django.http import HttpResponse, QueryDict

    from ..access import MemberRequest

PAGE_SIZE = 40
LIST_BARS, PAGE_BARS = 30, 60
NEXT_TIMES = 5
VERSIONS_SHOWN = 8
SECRETS_SHOWN = 25
LIVE_SHOWN = 10
LIVE_FIELDS = (
    *("uid", "status", "flow_id", "tenant_id", "is_external", "queued_at", "started_at", "finished_at", "ordered_at"),
    "stop_requested_at",
)
KEY_LENGTH = 64
NAME_LENGTH = 200


@require_GET
@needs(Role.VIEWER)
def flow_list(request: MemberRequest) -> HttpResponse:
    asked = FlowQuestion.read(request.GET)
    flows = asked.ask(Flow.objects.of(request.tenant).for_list(), request.tenant)
    rows = list(flows[(asked.page - 1) * PAGE_SIZE : asked.page * PAGE_SIZE + 1])
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
        "asked": asked,
        "previous": asked.page - 1 if asked.page > 1 else None,
        "next": asked.page + 1 if len(rows) > PAGE_SIZE else None,
    }
    return render(request, "flows/list.html", context)


@require_GET
@needs(Role.VIEWER)
def flow_detail(request: MemberRequest, slug: str) -> HttpResponse:
    return render(request, "flows/detail.html", about_flow(request, find_flow(request, slug)))


def find_live(flow: Flow) -> dict[str, Any]:
    """The flow's runs in progress: the longest first, with why each of them waits."""
    live = Run.objects.of(flow.tenant_id).filter(flow=flow, status__in=LIVE)
    runs = list(live.only(*LIVE_FIELDS).order_by("queued_at", "id")[: LIVE_SHOWN + 1])
    waiting = explain_waiting(runs)
    return {
        "runs": [(run, waiting.get(run.pk, "")) for run in runs[:LIVE_SHOWN]],
        "has_more": len(runs) > LIVE_SHOWN,
    }


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
    offered = InputsOffered.read(request, flow) if sent is None else InputsOffered()
    runs = recent_runs([flow], PAGE_BARS)[flow.pk]
    environments = Environment.objects.of(flow.tenant_id).order_by("name").values_list("name", flat=True)
    secrets: list[WebhookSecret] = []
    if request.membership.may(Role.ADMIN):
        secrets = list(WebhookSecret.objects.of(flow.tenant_id).filter(flow=flow).order_by("-id")[:SECRETS_SHOWN])
    chosen = sent.get("environment", "") if sent is not None else offered.environment or definition.environment or ""
    return {
        "flow": flow,
        "definition": definition,
        "strip": draw_strip(runs, places=PAGE_BARS, usual_ms=flow.usual_ms),
        "figures": figures_of(request.tenant, [flow]).get(flow.pk),
        "links": {kind: Links(flow.slug).to(read_preset("30d").span, kind) for kind in ("runs", "succeeded", "failed")},
        "recent": runs[-8:][::-1],
        "fields": make_fields(definition.inputs, offered.args, problems, sent),
        "offered": offered,
        "problems": [said for name, said in problems or [] if not name or name == "environment"],
        "key": sent.get("key", "") if sent is not None else uuid.uuid4().hex,
        "environments": list(environments[:200]),
        "environment": chosen,
        "schedule_words": describe(definition.schedule) if definition.schedule else "",
        "next_times": flow.times_after(timezone.now(), count=NEXT_TIMES) if not flow.is_schedule_paused else [],
        "address": request.build_absolute_uri(f"/webhooks/{flow.slug}"),
        "secrets": secrets,
        "paused_by": flow.paused_by,
        "now": find_live(flow),
        **read_version(flow.latest),
        "versions": list(
            flow.versions.select_related("created_by")
            .defer("definition", "source")
            .order_by("-number")[: VERSIONS_SHOWN + 1]
        ),
    }
