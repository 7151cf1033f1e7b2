"""What people do to a run: each act an address of its own that calls the run's verb and answers."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from ...definition.inputs import InputError
from ...models import Download, FlowDisabled, KeyReused, RetryRefused, Role, StatusConflict, once
from ..access import find_run, needs, read_text
from ..download_filters import read_filters
from ..retry_form import fill_in, make_form, read_choices

if TYPE_CHECKING:
    from django.http import HttpResponse, QueryDict

    from ...models import Run
    from ..access import MemberRequest
    from ..retry_form import Choices

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
    """The dialog (GET; a page of its own without scripts), and the act (POST). Sent twice it is one retry.

    A POST with `preview` does nothing: it shows what the choices would do; `preview=live` only the parts that follow.
    """
    run = find_run(request, uid)
    sent = fill_in(run, request.POST) if request.method == "POST" else None
    problems: list[tuple[str, str]] = []
    refusal, status = "", 200
    if sent is not None and "preview" not in sent:
        try:
            return redirect("run_detail", _retry(request, run, read_choices(run, sent), sent))
        except InputError as error:
            problems, status = error.problems, 422
        except (RetryRefused, StatusConflict, FlowDisabled, KeyReused) as error:
            refusal, status = str(error), 409
    is_live = sent is not None and sent.get("preview") == "live"
    context = {
        "run": run,
        "is_live": is_live,
        "form": make_form(run, request.GET, sent=sent, problems=problems),
        "refusal": refusal,
        "key": read_text(sent, "key", KEY_LENGTH) if sent is not None else uuid.uuid4().hex,
        "is_redrawn": sent is not None and sent.get("drawn") != sent.get("version", "same"),
    }
    return render(request, "runs/_retry_live.html" if is_live else "runs/retry.html", context, status=status)


def _retry(request: MemberRequest, run: Run, choices: Choices, sent: QueryDict) -> str:
    def act() -> dict[str, Any]:
        new = run.retry(
            by=request.actor,
            start_at=choices.start_at,
            args=choices.args,
            is_newest=choices.is_newest,
            is_newest_environment=choices.is_newest_environment,
            outputs=choices.outputs,
        )
        return {"uid": new.uid}

    key = read_text(sent, "key", KEY_LENGTH) or None
    answer, is_old = once(run.tenant, f"retry:{run.uid}", key, choices.digest, act)
    text = "This form was sent before: this is the retry it made." if is_old else f"This retries {run.short_uid}."
    messages.success(request, text)
    return answer["uid"]
