"""A run's log: its lines for an open page, the way to a place in it, what its ruler shows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_GET

from ...models import Role, read_growing, read_marks
from ...text.clean import clean
from ...text.levels import LEVELS
from ..access import find_run, needs
from ..log_places import find_place
from ..log_tools import choose
from ..log_window import CONTEXT, LINE_LIMIT, LogQuery, open_window, read_window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.http import HttpResponse

    from ...models import GrowingLine, Run, Step
    from ..access import MemberRequest
    from ..log_window import LogWindow

PLACE_LENGTH = 60


def log_context(request: MemberRequest, run: Run, steps: Sequence[Step]) -> dict[str, Any]:
    """What runs/_log.html needs. steps: every attempt, in order."""
    query = LogQuery.read(request.GET)
    window = open_window(run, query)
    return {
        "run": run,
        "window": window,
        "choice": choose(run, query, steps),
        "stream": _stream_url(run, window) if run.is_live else "",
        "here": _read_line(request.GET.get("here", "")) or window.error or 0,
        "zone": timezone.get_current_timezone_name(),
        "display": request.user.log_display,
        "growing": _find_growing(run, window),
    }


def _find_growing(run: Run, window: LogWindow) -> GrowingLine | None:
    """The line that is growing, where the page shows the end of the part of the log that it belongs to."""
    line = read_growing(run.status, run.growing_line)
    has_grown = window.last_line > run.line_count  # since the run was read: the line may be among the new ones
    if line is None or has_grown or window.later is not None or not window.query.has(line):
        return None
    return line


def _stream_url(run: Run, window: Any) -> str:
    """The live lines after those that the page has, or, where it does not show the end, after those there are."""
    query = window.query
    # The stream goes on after what was read: nothing between is lost, and the script drops what comes twice.
    is_at_end = window.later is None and query.is_whole
    params = {**query.part(), "after": window.last_line if is_at_end else run.line_count}
    if query.level:
        params["level"] = ",".join(LEVELS[level] for level in sorted(query.levels))
    return f"{reverse('run_log_stream', args=[run.uid])}?{urlencode(params)}"


@require_GET
@needs(Role.VIEWER)
def run_log(request: MemberRequest, uid: str) -> HttpResponse:
    """Lines of the log alone: those before or after what an open page shows, or a window in its place."""
    run = find_run(request, uid)
    query = LogQuery.read(request.GET)
    window = read_window(run, query)
    # Beside lines that are shown already only what lies on the far side is left out.
    if query.before is not None:
        window = replace(window, later=None)
    elif query.after is not None:
        window = replace(window, earlier=None)
    response = render(request, "runs/_log_lines.html", {"run": run, "window": window, "is_part": query.is_part})
    response["X-Log-Lines"] = str(run.line_count)
    return response


@require_GET
@needs(Role.VIEWER)
def run_go(request: MemberRequest, uid: str) -> HttpResponse:
    """The way to a place in the log: JSON for the script that asks for it, else the page of the place."""
    run = find_run(request, uid)
    query = LogQuery.read(request.GET)
    here = _read_line(request.GET.get("here", ""))
    text = clean(request.GET.get("to", ""))[:PLACE_LENGTH]
    place = find_place(run, query, text, at=here)
    response: HttpResponse
    if request.get_preferred_type(["text/html", "application/json"]) == "text/html":
        if place.said:
            messages.info(request, place.said)
        page = reverse("run_detail", args=[run.uid])
        if place.line is None:
            response = HttpResponseRedirect(f"{page}{query.query(**_stay(request))}#log")
        else:
            start = max(1, place.line - CONTEXT)
            response = HttpResponseRedirect(f"{page}{query.query(**{'from': start, 'here': place.line})}#L{place.line}")
    else:
        response = JsonResponse({"line": place.line, "said": place.said, "line_count": run.line_count})
    patch_vary_headers(response, ["Accept"])
    return response


@require_GET
@needs(Role.VIEWER)
def run_marks(request: MemberRequest, uid: str) -> HttpResponse:
    """The ruler's marks over the whole log: JSON, `[first line, last line, level]` each."""
    run = find_run(request, uid)
    return JsonResponse({"line_count": run.line_count, "marks": read_marks(run)})


def _stay(request: MemberRequest) -> dict[str, str | int]:
    """The place that the reader came from, where the address names one."""
    here = _read_line(request.GET.get("here", ""))
    return {"from": max(1, here - CONTEXT), "here": here} if here else {}


def _read_line(text: str) -> int:
    return min(int(text), LINE_LIMIT) if text.isascii() and text.isdigit() and len(text) < 17 else 0
