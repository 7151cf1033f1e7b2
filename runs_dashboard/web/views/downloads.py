"""File Downloads: files made in the background from runs' logs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.http import Http404
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST, require_safe

from ...file_answer import give_file
from ...models import Download, Role
from ..access import needs

if TYPE_CHECKING:
    from django.http import HttpResponse, StreamingHttpResponse

    from ..access import MemberRequest

SHOWN = 100


@require_GET
@needs(Role.SUPPORT)
def download_list(request: MemberRequest) -> HttpResponse:
    return render(request, "downloads/list.html", _listed(request))


@require_GET
@needs(Role.SUPPORT)
def download_list_live(request: MemberRequest) -> HttpResponse:
    """The table alone; it asks again while a file is being made."""
    return render(request, "downloads/_table.html", _listed(request))


@require_safe
@needs(Role.SUPPORT)
def download_content(request: MemberRequest, download: str) -> HttpResponse | StreamingHttpResponse:
    """The file, or a part of it."""
    found = _find(request, download)
    if not found.has_file:
        raise Http404("There is no such file any more.")
    if request.method == "GET":
        found.note_fetch(by=request.actor, is_part="Range" in request.headers)
    return give_file(request, found)


@require_POST
@needs(Role.SUPPORT)
def download_again(request: MemberRequest, download: str) -> HttpResponse:
    """Makes a file that failed or expired anew; asked twice it is one job."""
    if _find(request, download).request_again(by=request.actor) is None:
        messages.error(request, "Its run is gone, and the log with it.")
    return redirect("download_list")


def _find(request: MemberRequest, download: str) -> Download:
    found = Download.objects.of(request.tenant).select_related("run").filter(uuid=download).first()
    if found is None:
        raise Http404("There is no such file.")
    return found


def _listed(request: MemberRequest) -> dict[str, Any]:
    rows = list(Download.objects.of(request.tenant).for_list()[:SHOWN])
    return {
        "downloads": rows,
        "is_live": any(row.is_waiting for row in rows),
        "as_of": timezone.now(),
        "shown_limit": SHOWN,
    }
