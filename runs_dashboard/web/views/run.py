"""One run: its page, the part that changes while it lives, and lines of its log."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.db.models import F
from django.http import Http404
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from ...models import Download, Payload, Role, Run, Status
from ...text.levels import LEVELS
from ..access import find_run, needs
from ..answer import answer, climb
from ..download_filters import NAMES, read_filters, say_filters
from ..log_window import LogQuery, read_window
from ..storage_words import is_bounded
from ..timeline import draw
from ..trail import tell

if TYPE_CHECKING:
    from django.http import HttpResponse

    from ..access import MemberRequest

RELATED_LIMIT = 50  # retries, sub-runs, payloads and trail entries that the page shows
VALUE_LIMIT = 200  # inputs and outputs that the page shows
UNSHOWN = ("args", "outputs", "metrics", "llms", "feedback", "stop_ladder", "error")  # of other runs


@require_GET
@needs(Role.VIEWER)
def run_detail(request: MemberRequest, uid: str) -> HttpResponse:
    run = find_run(request, uid)
    return render(request, "runs/detail.html", {**_about(request, run), **_log(request, run)})


@require_GET
@needs(Role.VIEWER)
def run_status(request: MemberRequest, uid: str) -> HttpResponse:
    """The answer, the steps and the side column of an open page, swapped in place; asks again while the run lives."""
    return render(request, "runs/_status.html", _about(request, find_run(request, uid)))


@require_GET
@needs(Role.VIEWER)
def run_log(request: MemberRequest, uid: str) -> HttpResponse:
    """Lines of the log alone: what an open page puts in the place of an omission, or polls for."""
    run = find_run(request, uid)
    query = LogQuery.read(request.GET)
    window = read_window(run, query)
    # It stands beside lines that are shown already: only what lies on its far side is left out.
    window = replace(window, later=None) if query.before is not None else replace(window, earlier=None)
    return render(request, "runs/_log_lines.html", {"run": run, "window": window, "is_part": True})


@require_GET
@needs(Role.VIEWER)
def run_payload(request: MemberRequest, uid: str, payload: str) -> HttpResponse:
    run = find_run(request, uid)
    found = Payload.objects.of(run.tenant_id).filter(run=run, uuid=payload).select_related("step").first()
    if found is None:
        raise Http404("There is no such payload.")
    return render(request, "runs/payload.html", {"run": run, "payload": found})


def _about(request: MemberRequest, run: Run) -> dict[str, Any]:
    steps = list(run.steps.defer("outputs").annotate(kept_uid=F("kept_from__run__uid")))
    timeline = draw(run, steps, is_whole=request.GET.get("steps") == "all")
    outputs = list(run.steps.filter(status=Status.SUCCEEDED).exclude(outputs={}).values_list("slug", "outputs")[:100])
    # By the run alone: asked for the tenant too, SQLite walks over the tenant's whole trail, newest first.
    trail = run.audit.select_related("actor").order_by("-id")[:RELATED_LIMIT]
    reported = run.outputs if run.is_external else {}
    return {
        "run": run,
        "answer": answer(run, timeline),
        "ladder": climb(run),
        "timeline": timeline,
        "is_whole": request.GET.get("steps") == "all",
        "inputs": _shorten(run.args),
        "outputs": _shorten(
            {**{f"{slug}.{name}": value for slug, found in outputs for name, value in found.items()}, **reported}
        ),
        "tracked": list(run.tracked_data.order_by("id").values_list("key", "value")[:RELATED_LIMIT]),
        "tags": list(run.tags.order_by("key").values_list("key", "value")[:RELATED_LIMIT]),
        "payloads": list(
            run.payloads.defer("body", "headers").select_related("step").order_by("line", "id")[:RELATED_LIMIT]
        ),
        # Two questions, each answered by its own index; asked as one, every run of the tenant is looked at.
        "retries": list(run.retries.select_related("flow").defer(*UNSHOWN).order_by("id")[:RELATED_LIMIT]),
        "sub_runs": list(run.sub_runs.select_related("flow").defer(*UNSHOWN).order_by("id")[:RELATED_LIMIT]),
        "trail": [tell(entry) for entry in trail],
        "formats": [choice for choice in Download.Format.choices if choice[0] != Download.Format.BUNDLE],
        "shown": say_filters(read_filters(request.GET)),
        "shown_query": [(name, value) for name in NAMES if (value := request.GET.get(name))],
        "is_bounded": is_bounded(run.flow),
        "as_of": timezone.now(),
    }


def _log(request: MemberRequest, run: Run) -> dict[str, Any]:
    query = LogQuery.read(request.GET)
    window = read_window(run, query)
    stream = ""
    if run.is_live and window.later is None and query.before is None:
        # The stream goes on after what was read: nothing between is lost, and the script drops what comes twice.
        after = window.last_line if query.is_whole else run.line_count
        levels = ",".join(LEVELS[level] for level in sorted(query.levels))
        params = {"after": after, "step": query.step, "level": levels}
        wanted = urlencode({name: value for name, value in params.items() if value != ""})
        stream = f"{reverse('run_log_stream', args=[run.uid])}?{wanted}"
    return {"run": run, "window": window, "stream": stream, "zone": timezone.get_current_timezone_name()}


def _shorten(values: dict[str, Any]) -> list[tuple[str, Any]]:
    return list(islice(values.items(), VALUE_LIMIT))
