"""File Downloads (seed 3): asked for, made in the background, fetched with ranges (RFC 9110, section 14)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.http import HttpResponse, StreamingHttpResponse

from ..file_answer import give_file
from ..filter_fields import is_uuid
from ..models import Download, Role
from ..models.download import MEDIA_TYPES
from ..text.levels import LEVELS
from .bodies import DownloadBody
from .cursors import Page
from .errors import Conflict, Invalid, NotThere
from .operations import LOCATION, ApiView, Operation, answer
from .parameters import Header, Parameter
from .representations import DownloadShape, show_download
from .small_pages import SMALL_PAGING, read_page

if TYPE_CHECKING:
    from rest_framework.request import Request

PARAMETERS = (
    Parameter(
        "format",
        about="txt by default. bundle: a zip of all there is to know of the run. raw: txt with raw=true.",
        choices=(*Download.Format.values, "raw"),
    ),
    Parameter("raw", "flag", "As printed, with escape codes; by default they are left out."),
    Parameter("step", about="The lines of this step only."),
    Parameter("attempt", "whole", "Of this attempt only.", least=1, most=1_000_000),
    Parameter("level", "words", "Lines of these levels only; several with commas.", choices=LEVELS),
    Parameter("stream", about="Lines of this stream only.", choices=("stdout", "stderr")),
    Parameter("text", about="Lines that hold this text only, whatever its case."),
)

MEDIA = tuple(dict.fromkeys(kind.partition(";")[0] for kind in MEDIA_TYPES.values()))


class RequestDownloadView(ApiView):
    operations = {
        "get": Operation(
            "Download Run Logs",
            Role.SUPPORT,
            parameters=PARAMETERS,
            answers={202: DownloadShape},
            sends=(LOCATION,),
            errors=(404,),
        ),
        "post": Operation(
            "Download Run Logs",
            Role.SUPPORT,
            parameters=PARAMETERS,
            body=DownloadBody,
            answers={202: DownloadShape},
            sends=(LOCATION,),
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
        query = self.query
        step = body.step or query["step"]
        if step and not run.steps.filter(slug=step).exists():
            raise Invalid(f"The run has no step {step!r}.", "body" if body.step else "query", "step")
        levels = body.levels or query["level"] or ()
        wanted: dict[str, Any] = {
            "step": step,
            "attempt": body.attempt or query["attempt"],
            "levels": sorted(set(levels)),
            "stream": body.stream or query["stream"],
            "text": body.text or query["text"],
        }
        download = Download.request(
            run,
            by=self.actor,
            format=body.format or query["format"] or "txt",
            is_raw=query["raw"] or False if body.raw is None else body.raw,
            filters={name: value for name, value in wanted.items() if value},
        )
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
            headers=(
                Header("Range", "One range of bytes: `bytes=0-99`, `bytes=100-` or `bytes=-100`. Others are ignored."),
                Header("If-Range", "The ETag that the first part had: the whole file where it is another one now."),
            ),
            answers={200: MEDIA, 206: MEDIA},
            sends=(
                Header("ETag", "The file's SHA-256, quoted."),
                Header("Accept-Ranges", "bytes"),
                Header("Content-Disposition", "The file's name."),
            ),
            errors=(404, 409, 416),
        )
    }

    def get(self, request: Request, download_id: str) -> HttpResponse | StreamingHttpResponse:  # type: ignore[override]
        download = self.find(download_id)
        if download.is_waiting:
            raise Conflict("The file is being made: ask again soon.")
        if not download.has_file:
            raise NotThere
        is_part = "Range" in request.headers
        if request.method == "GET":
            download.note_fetch(by=self.actor, is_part=is_part)
        return give_file(request._request, download)
