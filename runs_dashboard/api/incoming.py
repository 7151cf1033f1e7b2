"""From bodies to the domain's own values: times, pairs, lines, reports."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
from django.conf import settings
from django.core.exceptions import ValidationError

from ..filter_fields import MILLISECONDS_LIMIT, parse_moment
from ..models import Report, ReportedLine, Run, StepReport
from ..text.intake import Line, clean, clean_json
from ..text.levels import LEVEL_NUMBERS, LEVELS, detect_level
from . import bodies
from .errors import Invalid, TooBig

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..models import Flow, Tenant

MAX_LINES = 100_000  # of one request


# What is kept can be shown in every zone of the world: a day away from the first and the last that there are.
EARLIEST, LATEST = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)
EARLIEST_SECONDS, LATEST_SECONDS = EARLIEST.timestamp(), LATEST.timestamp()
NO_TIME = f"Not a time from {EARLIEST.date()} to {LATEST.date()}."


def read_time(value: bodies.Moment, *loc: str | int) -> datetime | None:
    """ISO 8601 or Unix milliseconds as an aware time. Raises Invalid."""
    if value is None:
        return None
    if isinstance(value, str):
        try:
            moment = parse_moment(value)
        except ValidationError as error:
            raise Invalid(error.messages[0], *loc) from None
    elif 0 <= value <= MILLISECONDS_LIMIT:
        moment = datetime.fromtimestamp(value / 1000, UTC)
    else:
        raise Invalid("Not a time in Unix milliseconds.", *loc)
    if not EARLIEST <= moment <= LATEST:
        raise Invalid(NO_TIME, *loc)
    return moment


def check_size(value: Any, limit: int, *loc: str) -> None:
    """Raises TooBig for a value whose JSON is longer than `limit` bytes."""
    if value is not None and len(msgspec.json.encode(value)) > limit:
        raise TooBig(f"{loc[-1]} is larger than {limit:,} bytes.", *loc)


def read_tags(tags: Iterable[bodies.TagBody] | None) -> dict[str, str]:
    return {tag.key: tag.value for tag in tags or ()}


def read_tracked(given: dict[str, Any] | list[bodies.PairBody] | None) -> list[tuple[str, str]]:
    """`{"order_id": "1234"}`, `{"order_id": ["1", "2"]}` or a list of keys and values, as pairs."""
    if not given:
        return []
    if isinstance(given, list):
        return [(pair.key, _text(pair.value)) for pair in given]
    pairs = []
    for key, value in given.items():
        if not 0 < len(key) <= 100:
            raise Invalid("A key has 1 to 100 characters.", "body", "trackedData")
        pairs += [(key, _text(one)) for one in (value if isinstance(value, list) else [value])]
    return pairs


def _text(value: bodies.Scalar) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if len(text := str(value)) > 255:
        raise Invalid("A tracked value has at most 255 characters.", "body", "trackedData")
    return text


def read_end_user(given: bodies.EndUserBody | None) -> tuple[str, str, bool] | None:
    return (given.type, given.session_id, given.is_anonymous) if given else None


def read_step(slug: str, body: bodies.ActionBody, *loc: str | int) -> StepReport:
    """A step's report. loc: where it stands."""
    return StepReport(
        slug=slug,
        phase=body.phase,
        started_at=read_time(body.start_time, *loc, "startTime"),
        finished_at=read_time(body.end_time, *loc, "endTime"),
        name=body.name,
        component=body.component,
        attempt=body.attempt,
        error=body.error,
    )


def read_report(body: bodies.PatchBody, tenant: Tenant, flow: Flow | None) -> Report:
    """The report that a body makes. flow: whose environments count, None where no environment is named."""
    columns: dict[str, Any] = {}
    for name in ("args", "outputs"):
        value = getattr(body, name)
        if value is not None:
            check_size(value, settings.ARGS_MAX_BYTES, "body", name)
            columns[name] = value
    for name in ("conversation_id", "llms", "feedback"):
        value = getattr(body, name)
        if value is not None:
            columns[name] = value
    steps = []
    for place, action in enumerate(body.actions or ()):
        if not action.id:
            raise Invalid("An action needs an id.", "body", "actions", place, "id", kind="missing")
        steps.append(read_step(action.id, action, "body", "actions", place))
    return Report(
        phase=body.phase,
        started_at=read_time(body.start_time, "body", "startTime"),
        finished_at=read_time(body.end_time, "body", "endTime"),
        error=body.error,
        steps=steps,
        lines=read_lines(body.logs or []),
        tags=read_tags(body.tags),
        tracked=read_tracked(body.tracked_data),
        metrics=body.metrics or {},
        end_user=read_end_user(body.end_user),
        environment_version=flow.choose_environment(body.environment) if flow and body.environment else None,
        parent_run=_find_parent(body, tenant),
        columns=columns,
    )


def _find_parent(body: bodies.PatchBody, tenant: Tenant) -> Run | None:
    if body.parent_run_id is None:
        return None
    parent = Run.objects.of(tenant).filter(uid=body.parent_run_id).first()
    if parent is None:
        raise Invalid("There is no such run.", "body", "parentRunId")
    return parent


def read_lines(given: list[bodies.LineBody]) -> list[ReportedLine]:
    """Lines of a body, cleaned and levelled; one that is too long goes on in further entries. Raises Invalid."""
    if len(given) > MAX_LINES:
        raise TooBig(f"More than {MAX_LINES:,} lines at once.", "body", "logs")
    now = time.time()
    longest = settings.LOG_LINE_MAX
    lines = []
    for place, body in enumerate(given):
        message = body.message if body.message.isascii() and "\0" not in body.message else clean(body.message)
        level = LEVEL_NUMBERS.get(body.level or "")
        if level is None:
            level = detect_level(message) if body.level is None else _read_level(body.level, place)
        at = now if body.timestamp is None else _seconds(body.timestamp, place)
        line = Line(message, level, body.stream, at)
        reported = ReportedLine(line, body.action and clean(body.action))
        if body.metadata:
            line.metadata = clean_json(body.metadata)
        if body.payloads:
            reported.payloads = [_read_payload(payload) for payload in body.payloads]
        lines.append(reported)
        if len(message) > longest:
            line.message, line.is_open = message[:longest], True
            for start in range(longest, len(message), longest):
                is_open = start + longest < len(message)
                rest = Line(message[start : start + longest], level, body.stream, at, is_open)
                lines.append(ReportedLine(rest, reported.action))
    return lines


def _read_level(word: str, place: int) -> int:
    level = LEVEL_NUMBERS.get(word.lower())
    if level is None:
        said = f"The level {word[:40]!r} is not known. Allowed: {', '.join(LEVELS)}."
        raise Invalid(said, "body", "logs", place, "level")
    return level


def _seconds(value: str | int | float, place: int) -> float:
    """Unix seconds. The usual form is read without a detour: a batch has thousands of them."""
    if isinstance(value, str) and value[4:5] == "-":
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            raise Invalid(f"{value[:60]!r} is not an ISO 8601 time.", "body", "logs", place, "timestamp") from None
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        if not EARLIEST_SECONDS <= seconds <= LATEST_SECONDS:
            raise Invalid(NO_TIME, "body", "logs", place, "timestamp")
        return seconds
    found = read_time(value, "body", "logs", place, "timestamp")
    return found.timestamp() if found else 0.0


def _read_payload(body: bodies.PayloadBody) -> dict[str, Any]:
    """The columns of a Payload; a body that is no text is kept as JSON."""
    text = clean(body.body) if isinstance(body.body, str) else msgspec.json.encode(clean_json(body.body)).decode()
    limit = settings.PAYLOAD_MAX_BYTES
    size = len(text.encode())
    kind = body.content_type or ("text/plain" if isinstance(body.body, str) else "application/json")
    return {
        "kind": body.kind,
        "name": clean(body.name),
        "content_type": clean(kind),
        "headers": clean_json(body.headers),
        "body": text.encode()[:limit].decode(errors="ignore"),
        "size": size,
        "is_truncated": size > limit,
    }
