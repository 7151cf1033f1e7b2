"""Lines in: JSON, NDJSON or plain text, perhaps gzipped. The way is short: a batch costs little more than its bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from django.conf import settings

from ..models import ReportedLine, once
from ..text.intake import Intake
from . import parsers
from .bodies import LineBody, LogsBody
from .errors import Invalid, TooBig, WrongMedia
from .incoming import MAX_LINES, read_lines
from .parameters import Header

if TYPE_CHECKING:
    from rest_framework.request import Request

    from ..models import Run, Tenant

NDJSON = ("application/x-ndjson", "application/ndjson", "application/jsonl")
CONTENT_ENCODING = Header("Content-Encoding", "gzip for a body that is compressed.", pattern="^(gzip|identity)?$")
MEDIA_TYPES = ("application/json", "application/x-ndjson", "text/plain")
_decode_logs = msgspec.json.Decoder(LogsBody).decode
_decode_line = msgspec.json.Decoder(LineBody).decode


class Appended(msgspec.Struct):
    """What was kept: how many entries, and the number of the last one."""

    accepted: int
    last_line: int


# What appending looks at: a run has many columns, and a batch comes often.
RUN_COLUMNS = ("uid", "tenant_id", "flow_id", "status", "is_external", "finished_at", "line_count", "log_bytes")


def append_lines(request: Request, run: Run, key: str | None, tenant: Tenant) -> dict[str, int]:
    """Appends the body's lines to a reported run, once for each idempotency key. Raises LogClosed, Invalid, TooBig."""
    data = parsers.read_bounded(request._request, may_inflate=True)
    kind = parsers.media_type(request._request)

    def append() -> dict[str, int]:
        lines = read_batch(data, kind)
        return {"accepted": len(lines), "last_line": run.append_reported(lines) if lines else run.line_count}

    return once(tenant, f"append:{run.uid}", key, data, append)[0]


def read_batch(data: bytes, kind: str) -> list[ReportedLine]:
    """The lines of a body of one of MEDIA_TYPES. Raises Invalid, TooBig, WrongMedia."""
    if parsers.JSON_TYPES.fullmatch(kind):
        return read_lines(parsers.read_as(_decode_logs, data, LogsBody, "body").logs)
    if kind in NDJSON:
        given = []
        for number, line in enumerate(data.split(b"\n"), 1):
            if line.strip():
                given.append(parsers.read_as(_decode_line, line, LineBody, "body", number))
            if number > 2 * MAX_LINES:
                raise TooBig(f"More than {MAX_LINES:,} lines at once.", "body")
        return read_lines(given)
    if kind == "text/plain":
        if data.count(b"\n") > MAX_LINES:
            raise TooBig(f"More than {MAX_LINES:,} lines at once.", "body")
        intake = Intake(max_line=settings.LOG_LINE_MAX)
        return [ReportedLine(line) for line in (*intake.feed(data), *intake.flush())]
    if not kind and not data:
        raise Invalid('Send {"logs": […]}, NDJSON or plain text.', "body", kind="missing")
    raise WrongMedia(f"Send one of {', '.join(MEDIA_TYPES)}.", "header", "Content-Type")
