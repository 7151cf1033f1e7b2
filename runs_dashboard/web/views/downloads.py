"""File Downloads: files made in the background from runs' logs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_GET, require_safe

from ...models import Download, Role
from ...text.export import safe_filename
from ..access import needs
from ..file_body import read_blocks

if TYPE_CHECKING:
    from ..access import MemberRequest

SHOWN = 100
MEDIA = {"txt": "text/plain", "raw": "text/plain", "ndjson": "application/x-ndjson", "csv": "text/csv"}


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
    """The file. It is never shown by the browser itself: what a program printed may be anything."""
    found = Download.objects.of(request.tenant).filter(uuid=download).first()
    if found is None or found.status != Download.Status.READY or not found.path.is_file():
        raise Http404("There is no such file any more.")
    response = StreamingHttpResponse(
        read_blocks(found.path, is_async=hasattr(request, "scope")),
        content_type=f"{MEDIA[found.format]}; charset=utf-8",
    )
    response["Content-Length"] = str(found.path.stat().st_size)
    response["Content-Disposition"] = content_disposition_header(True, safe_filename(found.file_name)) or ""
    response["Cache-Control"] = "private, no-store"
    return response


def _listed(request: MemberRequest) -> dict[str, Any]:
    rows = list(Download.objects.of(request.tenant).for_list()[:SHOWN])
    return {
        "downloads": rows,
        "is_live": any(row.is_waiting for row in rows),
        "as_of": timezone.now(),
        "shown_limit": SHOWN,
    }
