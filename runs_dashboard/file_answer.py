"""A made file as an answer, whole or a range of it (RFC 9110, section 14): the same for pages and API."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

from django.http import HttpResponse, StreamingHttpResponse
from django.utils.http import content_disposition_header

from .text.export import safe_filename

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from django.http import HttpRequest

    from .models import Download

BLOCK = 512 * 1024  # bytes in memory at a time; each costs a turn of the event loop


def give_file(request: HttpRequest, download: Download) -> HttpResponse | StreamingHttpResponse:
    """The bytes of a ready download as an attachment; 206 for a range, 416 for one out of reach. HEAD has no body.

    It is never shown by the browser itself: what a program printed may be anything.
    """
    size = download.path.stat().st_size
    etag = f'"{download.sha256}"'
    # Of a HEAD a range means nothing (RFC 9110, section 14.2).
    found = read_range(request.META, size, etag) if request.method == "GET" else (0, size - 1, False)
    response: HttpResponse | StreamingHttpResponse
    if found is None:
        response = HttpResponse(status=416)
        response["Content-Range"] = f"bytes */{size}"
        return response
    first, last, is_part = found
    count = last - first + 1
    if request.method == "HEAD":
        response = HttpResponse(content_type=download.media_type)
    else:
        # Under ASGI a plain iterator would be read whole before the first byte goes out.
        read = _read_async if hasattr(request, "scope") else _read
        response = StreamingHttpResponse(read(download.path, first, count), content_type=download.media_type)
    if is_part:
        response.status_code = 206
        response["Content-Range"] = f"bytes {first}-{last}/{size}"
    response["Content-Length"] = str(count)
    response["Accept-Ranges"], response["ETag"] = "bytes", etag
    response["Content-Disposition"] = content_disposition_header(True, safe_filename(download.file_name)) or ""
    response["X-Content-Type-Options"], response["Cache-Control"] = "nosniff", "private, no-store"
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    return response


def read_range(headers: dict[str, Any], size: int, etag: str) -> tuple[int, int, bool] | None:
    """The first and last byte wanted, and whether they are a part: all without a range that can be served as one.

    None: the range is out of reach.
    """
    asked = headers.get("HTTP_RANGE", "").replace(" ", "")
    given = re.fullmatch(r"bytes=(\d{0,1000})-(\d{0,1000})", asked, re.ASCII | re.IGNORECASE)
    if given is None or not (given[1] or given[2]) or headers.get("HTTP_IF_RANGE", etag) != etag:
        return 0, size - 1, False
    if not given[1]:
        count = min(int(given[2]), size)
        return (size - count, size - 1, True) if count else None
    first = int(given[1])
    last = min(int(given[2]), size - 1) if given[2] else size - 1
    if given[2] and int(given[2]) < first:
        return 0, size - 1, False
    return (first, last, True) if first < size else None


def _read(path: Path, start: int, count: int) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as file:
        file.seek(start)
        while count > 0 and (block := file.read(min(BLOCK, count))):
            count -= len(block)
            yield block


async def _read_async(path: Path, start: int, count: int) -> AsyncIterator[bytes]:
    blocks = _read(path, start, count)
    try:
        while block := await asyncio.to_thread(next, blocks, b""):
            yield block
    finally:
        blocks.close()  # type: ignore[attr-defined]
