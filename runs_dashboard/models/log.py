"""The log store: append-only, numbered from 1 without gaps within the run, acknowledged after commit.

A run's lines stand in chunks: one row an appended batch, merged to about 128 KB when a step ends. A chunk belongs to
one step. The text of a chunk is one record a line:

    <level 0-4><flags, one hex digit><milliseconds after the chunk's first_at, base 36> <message>

flags: 1 stdout, 2 stderr, 4 added by the product itself, 8 no line feed follows (see text.intake.Line).
A line feed within a message (only messages sent as JSON have one) is followed by the unit separator U+001F,
which no record begins with.
"""

from __future__ import annotations

import zlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db import connection, models, transaction
from django.utils import timezone

from .. import dispatch
from .lifecycle import FINAL, LeaseLost, StatusConflict
from .tenant import TenantRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ..text.intake import Line
    from .run import Run
    from .step import Step

CHUNK_BYTES = 128 * 1024  # a sealed chunk's text, about
CHUNK_LINES = 10_000
MERGE_CHUNKS = 200  # small chunks in one merge
APPEND_GRACE = timedelta(minutes=5)  # after its end a reported run still takes lines that were under way
ENDED_AT_ONCE = 20  # logs of steps that ended
FLAG_STDOUT, FLAG_STDERR, FLAG_SYSTEM, FLAG_OPEN = 1, 2, 4, 8
STREAM_BITS = {None: 1, "stdout": 2, "stderr": 4}  # of a chunk's mask of streams
ANY_STREAM = 7
ERROR_MASK, STDERR_MASK = 8, 4  # masks of at least this have an error or worse, a line of stderr in them
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_STREAM_FLAG = {None: 0, "stdout": FLAG_STDOUT, "stderr": FLAG_STDERR}


class LogBodyField(models.TextField):
    """Text that SQLite keeps deflated (a third of the bytes) and PostgreSQL compresses itself."""

    def db_type(self, connection: Any) -> str | None:
        return "blob" if connection.vendor == "sqlite" else super().db_type(connection)

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        if value is None or connection.vendor != "sqlite":
            return value
        return zlib.compress(value.encode(), 1)

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        return zlib.decompress(value).decode() if isinstance(value, bytes | memoryview) else value


class TrigramsField(models.Field):
    """Numbers of 16 bits for PostgreSQL's index of the words (see log_index); always empty in SQLite."""

    def db_type(self, connection: Any) -> str | None:
        return "blob" if connection.vendor == "sqlite" else "smallint[]"


class LogChunk(TenantRow):
    """A batch of lines of one step of one run."""

    run = models.ForeignKey("Run", on_delete=models.CASCADE, related_name="log_chunks", db_index=False)
    step = models.ForeignKey("Step", null=True, on_delete=models.CASCADE, related_name="log_chunks", db_index=False)
    first_line = models.BigIntegerField()
    line_count = models.PositiveIntegerField()
    first_at = models.DateTimeField()  # the earliest of its lines, not the time of the first one
    last_at = models.DateTimeField()
    level_mask = models.PositiveSmallIntegerField(help_text="Bit n: a line of level n is in it.")
    stream_mask = models.PositiveSmallIntegerField(
        default=ANY_STREAM, help_text="Lines that may be in it: 1 of no stream, 2 of stdout, 4 of stderr."
    )
    byte_size = models.BigIntegerField(help_text="Bytes of the messages and their line feeds.")
    is_sealed = models.BooleanField(default=False)
    body = LogBodyField()
    index_part = models.ForeignKey(
        "LogIndexPart", null=True, editable=False, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    trigrams = TrigramsField(null=True, editable=False)

    class Meta(TenantRow.Meta):
        constraints = [models.UniqueConstraint(fields=["run", "first_line"], name="chunk_first_line")]
        indexes = [
            models.Index(fields=["step", "first_line"], name="chunk_of_step"),
            # The way from one to the next of what is rare, however much lies between.
            models.Index(
                fields=["run", "first_line"], name="chunk_errors", condition=models.Q(level_mask__gte=ERROR_MASK)
            ),
            models.Index(
                fields=["run", "first_line"], name="chunk_stderr", condition=models.Q(stream_mask__gte=STDERR_MASK)
            ),
            models.Index(fields=["run", "first_line"], name="chunk_unsealed", condition=models.Q(is_sealed=False)),
            # The index of the words: what it lacks, and what its parts hold.
            models.Index(fields=["tenant", "-last_at"], name="chunk_unindexed", condition=models.Q(index_part=None)),
            models.Index(
                fields=["run", "first_line"],
                name="chunk_pending",
                condition=models.Q(is_sealed=True, index_part=None),
            ),
            models.Index(
                fields=["index_part", "run"], name="chunk_of_part", condition=models.Q(index_part__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"lines {self.first_line} to {self.last_line}"

    @property
    def last_line(self) -> int:
        return self.first_line + self.line_count - 1


class LogClosed(StatusConflict):
    """The run takes no more lines (409)."""


def append(
    run: Run,
    lines: Sequence[Line],
    *,
    step: Step | None = None,
    token: int | None = None,
    ends_growing: bool = False,
) -> int:
    """Appends lines to a run's log and returns the number of the last one; after the return they are kept.

    One conditional UPDATE both asks whether the caller may still write and hands out the numbers, in the transaction
    that writes the lines: numbers have no gaps and are never seen before their line. token: the worker's; without it
    the run must be one that an engine reports. ends_growing: among them is what was the growing line.
    Raises LeaseLost or LogClosed; nothing is kept then.
    """
    return append_parts(run, [(step, lines)] if lines else [], token=token, ends_growing=ends_growing)


def append_parts(
    run: Run,
    parts: Sequence[tuple[Step | None, Sequence[Line]]],
    *,
    token: int | None = None,
    ends_growing: bool = False,
) -> int:
    """The same for lines of several steps in one stroke: a chunk for each part."""
    lines = [line for _, part in parts for line in part]
    if not lines:
        return run.line_count
    warnings = sum(1 for line in lines if line.level == 2)
    errors = sum(1 for line in lines if line.level >= 3)
    changes: dict[str, Any] = {
        "line_count": models.F("line_count") + len(lines),
        "log_bytes": models.F("log_bytes") + sum(map(_size, lines)),
    }
    if warnings:
        changes |= {"warning_count": models.F("warning_count") + warnings, "has_warnings": True}
    if errors:
        changes["error_count"] = models.F("error_count") + errors
    if ends_growing:
        changes["growing_line"] = None
    with transaction.atomic():
        rows = type(run).across_tenants.filter(pk=run.pk)
        allowed = rows.filter(token=token) if token is not None else rows.filter(is_external=True)
        if not allowed.update(**changes):
            if token is not None:
                raise LeaseLost("The run is not this worker's any more.")
            raise LogClosed("The run takes no lines: the product executes it itself.")
        last = rows.values_list("line_count", flat=True).get()
        _write(run, parts, last - len(lines) + 1)
        dispatch.announce(run.pk)
    run.line_count = last
    return last


def append_system(run: Run, message: str, *, level: int = 2, step: Step | None = None) -> None:
    """A line of the product's own, where something must be said: lines dropped, worker lost."""
    from ..text.intake import Line

    line = Line(message=message, level=level, stream=None, at=timezone.now().timestamp(), is_system=True)
    with transaction.atomic():
        rows = type(run).across_tenants.filter(pk=run.pk)
        size = _size(line)
        rows.update(line_count=models.F("line_count") + 1, log_bytes=models.F("log_bytes") + size)
        last = rows.values_list("line_count", flat=True).get()
        _write(run, [(step, [line])], last)
        dispatch.announce(run.pk)


def _write(run: Run, parts: Sequence[tuple[Step | None, Sequence[Line]]], first: int) -> None:
    chunks = []
    for step, lines in parts:
        for cut, size in _cut(lines):
            body, first_at, last_at, mask, streams = encode(cut)
            chunks.append(
                LogChunk(
                    tenant_id=run.tenant_id,
                    run=run,
                    step=step,
                    first_line=first,
                    line_count=len(cut),
                    first_at=first_at,
                    last_at=last_at,
                    level_mask=mask,
                    stream_mask=streams,
                    byte_size=size,
                    is_sealed=size >= CHUNK_BYTES // 2,
                    body=body,
                )
            )
            first += len(cut)
    LogChunk.across_tenants.bulk_create(chunks, batch_size=200)


def _cut(lines: Sequence[Line]) -> Iterator[tuple[Sequence[Line], int]]:
    """A batch in pieces of about the same size, none much larger than a chunk is to be, each with its bytes.

    Reading a single line costs its chunk: a huge batch in one would make it dear.
    """
    sizes = [_size(line) for line in lines]
    total = sum(sizes)
    pieces = max(-(-total // CHUNK_BYTES), -(-len(lines) // CHUNK_LINES))
    if pieces <= 1:
        yield lines, total
        return
    enough = -(-total // pieces)
    start = size = 0
    for place, one in enumerate(sizes, 1):
        size += one
        if size >= enough or place - start == CHUNK_LINES:
            yield lines[start:place], size
            start, size = place, 0
    if start < len(lines):
        yield lines[start:], size


def _size(line: Line) -> int:
    message = line.message
    return (len(message) if message.isascii() else len(message.encode())) + 1


def encode(lines: Iterable[Line]) -> tuple[str, datetime, datetime, int, int]:
    """Lines as a chunk's text, with the earliest and latest time and the masks of levels and of streams."""
    lines = list(lines)
    base = min(line.at for line in lines)
    last = 0
    mask = streams = 0
    records = []
    known: dict[int, str] = {}
    for line in lines:
        delta = round((line.at - base) * 1000)
        if delta > last:
            last = delta
        text = known.get(delta)
        if text is None:
            text = known[delta] = _base36(delta)
        flags = _STREAM_FLAG[line.stream]
        streams |= STREAM_BITS[line.stream]
        if line.is_system:
            flags |= FLAG_SYSTEM
        if line.is_open:
            flags |= FLAG_OPEN
        mask |= 1 << line.level
        message = line.message
        if "\n" in message:
            message = message.replace("\n", "\n\x1f")
        records.append(f"{line.level}{_DIGITS[flags]}{text} {message}")
    first_at = _moment(base)
    return "\n".join(records), first_at, first_at + timedelta(milliseconds=last), mask, streams


def _moment(seconds: float) -> datetime:
    # Whole milliseconds: what the records count in, so that a line's time is the same from every chunk it moves to.
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=round(seconds * 1000))


def _base36(number: int) -> str:
    if 0 <= number < 36:
        return _DIGITS[number]
    sign, number, digits = ("-" if number < 0 else ""), abs(number), ""
    while number:
        number, rest = divmod(number, 36)
        digits = _DIGITS[rest] + digits
    return sign + digits


def seal(run: Run | int, step: Step | int | None, *, is_ended: bool = True) -> None:
    """Merges a step's small chunks into large ones. Line numbers do not change, so pages and links do not notice.

    is_ended: nothing more will come; else what does not fill a chunk is left for later.
    """
    while True:
        with transaction.atomic():
            rows = LogChunk.across_tenants.filter(run=run, step=step, is_sealed=False).order_by("first_line")
            rows = rows.select_for_update(of=["self"])  # two who merge the same chunks would lose lines
            batch: list[LogChunk] = []
            size = count = 0
            is_full = False
            for chunk in rows[:MERGE_CHUNKS]:
                if batch and (
                    chunk.first_line != batch[-1].last_line + 1
                    or size + chunk.byte_size > CHUNK_BYTES
                    or count + chunk.line_count > CHUNK_LINES
                ):
                    is_full = True
                    break
                batch.append(chunk)
                size, count = size + chunk.byte_size, count + chunk.line_count
            if not batch or not (is_ended or is_full or len(batch) == MERGE_CHUNKS):
                return
            _merge(batch, size, count)


def seal_grown() -> None:
    """Merges what long steps have written so far, so that no step keeps thousands of small chunks."""
    rows = LogChunk.across_tenants.filter(is_sealed=False).order_by().values_list("run", "step")
    grown = rows.annotate(count=models.Count("pk")).filter(count__gte=2 * MERGE_CHUNKS)
    for run, step, _count in grown:
        seal(run, step, is_ended=False)


def seal_ended() -> None:
    """Merges what was still open when its run ended: a log too large for its last report, lines that came late."""
    rows = LogChunk.across_tenants.filter(is_sealed=False, run__status__in=FINAL).order_by()
    late = rows.filter(run__finished_at__lt=timezone.now() - APPEND_GRACE).values_list("run", "step").distinct()
    for run, step in late[:ENDED_AT_ONCE]:
        seal(run, step)


def _merge(batch: list[LogChunk], size: int, count: int) -> None:
    head = batch[0]
    if len(batch) > 1:
        base = min(chunk.first_at for chunk in batch)
        body = "\n".join(_shift(chunk.body, chunk.first_at - base) for chunk in batch)
        LogChunk.across_tenants.filter(pk__in=[chunk.pk for chunk in batch[1:]])._raw_delete(connection.alias)
        for chunk in batch[1:]:
            head.level_mask |= chunk.level_mask
            head.stream_mask |= chunk.stream_mask
        head.body = body
        head.first_at, head.last_at = base, max(chunk.last_at for chunk in batch)
        head.line_count, head.byte_size = count, size
    head.is_sealed = True
    masks = ("level_mask", "stream_mask")
    head.save(update_fields=["body", *masks, "first_at", "last_at", "line_count", "byte_size", "is_sealed"])


def _shift(body: str, by: timedelta) -> str:
    """A chunk's text with its times counted from an earlier moment."""
    offset = round(by.total_seconds() * 1000)
    if not offset:
        return body
    records = []
    known: dict[str, str] = {}
    for record in body.split("\n"):
        if record.startswith("\x1f"):
            records.append(record)
            continue
        head, _, message = record.partition(" ")
        delta = head[2:]
        text = known.get(delta)
        if text is None:
            text = known[delta] = _base36(int(delta, 36) + offset)
        records.append(f"{head[:2]}{text} {message}")
    return "\n".join(records)
