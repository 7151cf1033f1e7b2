"""File Downloads (seed 3): asked for, made in the background, fetched with ranges (RFC 9110, section 14)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from django.http import HttpResponse, StreamingHttpResponse
from django.utils.http import content_disposition_header

from ..filters import is_uuid
from ..models import Download, Role
from ..text.export import safe_filename
from .bodies import DownloadBody
from .cursors import Page
from .errors import Conflict, Invalid, NotThere
from .file_parts import read_part
from .operations import ApiView, Operation, answer
from .parameters import Parameter
from .representations import DownloadShape, show_download
from .small_pages import SMALL_PAGING, read_page

if TYPE_CHECKING:
    from rest_framework.request import Request

FORMATS = tuple(Download.Format.values)
FORMAT = Parameter("format", about="txt by default.", choices=FORMATS)
MEDIA = {"txt": "text/plain", "raw": "text/plain", "ndjson": "application/x-ndjson", "csv": "text/csv"}


class RequestDownloadView(ApiView):
    operations = {
        "get": Operation(
            "Download Run Logs", Role.SUPPORT, parameters=(FORMAT,), answers={202: DownloadShape}, errors=(404,)
        ),
        "post": Operation(
            "Download Run Logs",
            Role.SUPPORT,
            parameters=(FORMAT,),
            body=DownloadBody,
            answers={202: DownloadShape},
            errors=(404,),
        ),
    }

    def get(self, request: Request, run_id: str) -> HttpResponse:
        return self._queue(run_id, DownloadBody())

    def post(self, request: Request, run_id: str) -> HttpResponse:
        return self._queue(run_id, self.read_body(DownloadBody))

    def head(self, request: Request, run_id: str) -> HttpResponse:
        """Asks for nothing: a look must not make a file."""
        self.find_run(run_id)
        return HttpResponse(status=202, content_type="application/json")

    def _queue(self, run_id: str, body: DownloadBody) -> HttpResponse:
        run = self.find_run(run_id)
        filters: dict[str, Any] = {}
        if body.step:
            if not run.steps.filter(slug=body.step).exists():
                raise Invalid(f"The run has no step {body.step!r}.", "body", "step")
            filters["step"] = body.step
        if body.levels:
            filters["levels"] = sorted(set(body.levels))
        kind = body.format or self.query["format"] or "txt"
        download = Download.request(run, by=self.actor, format=kind, filters=filters)
        return answer(show_download(download), 202, Location=f"/api/v1/file-downloads/{download.uuid}")


class DownloadPage(Page):
    items: list[DownloadShape]


class DownloadsView(ApiView):
    operations = {
        "get": Operation("List File Downloads", Role.VIEWER, parameters=SMALL_PAGING, answers={200: DownloadPage}),
    }

    def get(self, request: Request) -> HttpResponse:
        """The tenant's downloads, newest first."""
        rows = Download.objects.of(self.tenant).order_by("-created_at", "-id")
        found, page = read_page(rows, self.query, scope=f"{self.tenant.pk}:downloads")
        page.items = [show_download(download) for download in found]
        return answer(page)


class DownloadView(ApiView):
    operations = {
        "get": Operation("Get File Download", Role.VIEWER, answers={200: DownloadShape}, errors=(404,)),
    }

    def find(self, download_id: str) -> Download:
        """The tenant's download. Raises NotThere."""
        rows = Download.objects.of(self.tenant)
        found = rows.filter(uuid=download_id).first() if is_uuid(download_id) else None
        if found is None:
            raise NotThere
        return found

    def get(self, request: Request, download_id: str) -> HttpResponse:
        return answer(show_download(self.find(download_id)))


class DownloadContentView(DownloadView):
    operations = {
        "get": Operation(
            "Get File Download's content",
            Role.SUPPORT,
            answers={200: "application/octet-stream", 206: "application/octet-stream"},
            errors=(404, 409, 416),
        )
    }

    def get(self, request: Request, download_id: str) -> HttpResponse | StreamingHttpResponse:  # type: ignore[override]
        download = self.find(download_id)
        if download.is_waiting:
            raise Conflict("The file is being made: ask again soon.")
        if download.status != Download.Status.READY or not download.path.is_file():
            raise NotThere
        size = download.path.stat().st_size
        etag = f'"{download.sha256}"'
        part = read_range(request.META, size, etag)
        response: HttpResponse | StreamingHttpResponse
        if part is None:
            response = HttpResponse(status=416)
            response["Content-Range"] = f"bytes */{size}"
            return response
        first, last, is_part = part
        response = StreamingHttpResponse(
            read_part(download.path, first, last - first + 1, is_async=hasattr(request._request, "scope")),
            status=206 if is_part else 200,
            content_type=f"{MEDIA[download.format]}; charset=utf-8",
        )
        if is_part:
            response["Content-Range"] = f"bytes {first}-{last}/{size}"
        response["Content-Length"] = str(last - first + 1)
        response["Accept-Ranges"], response["ETag"] = "bytes", etag
        response["Content-Disposition"] = content_disposition_header(True, safe_filename(download.file_name)) or ""
        response["X-Content-Type-Options"], response["Cache-Control"] = "nosniff", "private, no-store"
        response["Content-Security-Policy"] = "sandbox; default-src 'none'"
        return response


def read_range(headers: dict[str, Any], size: int, etag: str) -> tuple[int, int, bool] | None:
    """The first and last byte wanted, and whether they are a part: all without a range that can be served as one.

    None: the range is out of reach.
    """
    given = re.fullmatch(r"bytes=(\d{0,18})-(\d{0,18})", headers.get("HTTP_RANGE", "").replace(" ", ""))
    if given is None or given[0] == "bytes=-" or headers.get("HTTP_IF_RANGE", etag) != etag:
        return 0, size - 1, False
    if not given[1]:
        count = min(int(given[2]), size)
        return (size - count, size - 1, True) if count else None
    first = int(given[1])
    last = min(int(given[2]), size - 1) if given[2] else size - 1
    if given[2] and int(given[2]) < first:
        return 0, size - 1, False
    return (first, last, True) if first < size else None
