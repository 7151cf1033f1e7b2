"""What people do to a run: each act an address of its own that calls the run's verb and answers."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from ...definition.inputs import InputError
from ...models import Download, FlowDisabled, KeyReused, RetryRefused, Role, StatusConflict, once
from ..access import find_run, needs, read_text
from ..download_filters import read_filters
from ..fields import make_fields, read_args

if TYPE_CHECKING:
    from django.http import HttpResponse, QueryDict

    from ...models import Run
    from ..access import MemberRequest

KEY_LENGTH = 64


@require_POST
@needs(Role.OPERATOR)
def stop(request: MemberRequest, uid: str) -> HttpResponse:
    run = find_run(request, uid)
    is_forced = request.POST.get("force") == "true"
    try:
        run.request_stop(by=request.actor, reason=request.POST.get("reason", ""), is_forced=is_forced)
    except StatusConflict as conflict:
        messages.error(request, str(conflict))
    else:
        if run.is_live:
            messages.success(request, "The stop is asked for; this page says when nothing of the run is alive.")
        else:
            messages.success(request, "Stopped: nothing of the run was alive.")
    return redirect("run_detail", run.uid)


@require_POST
@needs(Role.OPERATOR)
def resume(request: MemberRequest, uid: str) -> HttpResponse:
    run = find_run(request, uid)
    try:
        run.resume(by=request.actor)
    except StatusConflict as conflict:
        messages.error(request, str(conflict))
    else:
        messages.success(request, "Resumed: the run goes on.")
    return redirect("run_detail", run.uid)


@require_POST
@needs(Role.SUPPORT)
def review(request: MemberRequest, uid: str) -> HttpResponse:
    run = find_run(request, uid)
    try:
        run.review(by=request.actor)
    except StatusConflict as conflict:
        messages.error(request, str(conflict))
    else:
        messages.success(request, "Marked as reviewed.")
    return redirect("run_detail", run.uid)


@require_POST
@needs(Role.OPERATOR)
def pin(request: MemberRequest, uid: str) -> HttpResponse:
    """`pinned=true` keeps the run whatever the retention rules say, anything else leaves it to them."""
    run = find_run(request, uid)
    is_pinned = request.POST.get("pinned") == "true"
    try:
        (run.pin if is_pinned else run.unpin)(by=request.actor)
    except StatusConflict as conflict:
        messages.error(request, str(conflict))
    else:
        said = "Pinned: retention leaves it alone." if is_pinned else "Unpinned: it goes when its time is over."
        messages.success(request, said)
    return redirect("run_detail", run.uid)


@require_POST
@needs(Role.SUPPORT)
def download(request: MemberRequest, uid: str) -> HttpResponse:
    """Asks for a file: of the whole log, or (`what=shown`) of the part that the page shows."""
    run = find_run(request, uid)
    sent = request.POST
    wanted = sent.get("format", Download.Format.TXT)
    if wanted not in (known := [*Download.Format.values, "raw"]):
        messages.error(request, f"There is no format {wanted[:40]}. Formats: {', '.join(known)}.")
        return redirect("run_detail", run.uid)
    filters = read_filters(sent) if sent.get("what") == "shown" else {}
    Download.request(run, by=request.actor, format=wanted, is_raw=sent.get("raw") == "true", filters=filters)
    return redirect("download_list")


@require_http_methods(["GET", "POST"])
@needs(Role.OPERATOR)
def retry(request: MemberRequest, uid: str) -> HttpResponse:
    """The dialog (GET; a page of its own without scripts), and the act (POST). Sent twice it is one retry."""
    run = find_run(request, uid)
    sent = request.POST if request.method == "POST" else None
    problems: list[tuple[str, str]] = []
    refusal = ""
    if sent is not None:
        try:
            return redirect("run_detail", _retry(request, run, sent))
        except InputError as error:
            problems = error.problems
        except (RetryRefused, StatusConflict, FlowDisabled, KeyReused) as error:
            refusal = str(error)
    context = _plans(run, sent) | {
        "run": run,
        "problems": [said for name, said in problems if not name],
        "fields": make_fields(_inputs(run, sent), run.args, problems, sent),
        "refusal": refusal,
        "key": sent.get("key", "") if sent is not None else uuid.uuid4().hex,
    }
    return render(request, "runs/retry.html", context, status=200 if sent is None else 409 if refusal else 422)


def _retry(request: MemberRequest, run: Run, sent: QueryDict) -> str:
    inputs = _inputs(run, sent)
    start_at = sent.get("start_at", "start")
    is_newest = sent.get("version") == "newest"
    args = read_args(inputs, sent)
    if inputs:  # what the flow does not declare has no field, and stays
        args = {name: value for name, value in run.args.items() if name not in inputs} | args

    def act() -> dict[str, Any]:
        new = run.retry(by=request.actor, start_at=start_at, args=args, is_newest=is_newest)
        return {"uid": new.uid}

    said = json.dumps([start_at, is_newest, args], sort_keys=True).encode()
    answer, is_old = once(run.tenant, f"retry:{run.uid}", read_text(sent, "key", KEY_LENGTH) or None, said, act)
    text = "This form was sent before: this is the retry it made." if is_old else f"This retries {run.short_uid}."
    messages.success(request, text)
    return answer["uid"]


def _is_newest(sent: QueryDict | None) -> bool:
    return sent is not None and sent.get("version") == "newest"


def _inputs(run: Run, sent: QueryDict | None) -> dict[str, dict[str, Any]]:
    version = run.flow.latest if _is_newest(sent) and run.flow.latest else run.version
    return version.parsed.inputs


def _plans(run: Run, sent: QueryDict | None) -> dict[str, Any]:
    """What each choice would keep and run, and which is chosen: from the failed step where that keeps something."""
    is_newest = _is_newest(sent)
    try:
        whole = run.plan_retry(is_newest=is_newest)
        part = run.plan_retry(start_at="failed", is_newest=is_newest)
    except RetryRefused as refused:
        return {"blocked": str(refused)}
    chosen = sent.get("start_at", "") if sent is not None else ("failed" if part.kept else "start")
    return {
        "whole": whole,
        "part": part if part.kept and part.runs else None,
        "start_at": chosen,
        "is_newest": is_newest,
        "has_newer": run.flow.latest is not None and run.flow.latest.pk != run.version_id,
    }
