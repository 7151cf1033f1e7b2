"""The index of the logs' words: which chunks may hold a text. A reader of the index still looks at their lines.

A sealed chunk is indexed once, in the background (`index_pending`), by the trigrams of its lines as a reader sees
them, folded. So nothing that a line holds is missed whatever case or colour it has, and appending stays fast; what is
not indexed yet is looked through instead.

The index comes in parts of PART_CHUNKS chunks, each of one tenant:

* SQLite: a part is an FTS5 table without content, of trigrams without positions (6 bytes a line). Such a table cannot
  forget a row unless it is told the row's old text exactly as it was indexed (its own "contentless_delete" needs
  3.43), which costs as much as indexing and ruins the table if one letter differs after an upgrade. So rows are not
  removed: the number of a chunk that is gone leads to nothing, and `drop_dead_parts` drops a part when most of it is.
* PostgreSQL: a column of the chunk holds its trigrams as numbers of 16 bits, under a GIN index. Next to pg_trgm this
  needs no extension, hence no superuser; knows characters that pg_trgm leaves out, and words that colours split; and
  answers from the index alone, where pg_trgm has every candidate's text unpacked and compared again.
"""

from __future__ import annotations

import time
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db import OperationalError, connection, models, transaction

from ..text.ansi import is_plain_text, strip
from ..text.matching import TRIGRAM, fold
from .log import LogChunk, seal_ended, seal_grown
from .log_match import read_messages
from .tenant import TenantRow

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

PART_CHUNKS = 2_048  # about 2,000,000 lines and 12 MB; a search lists the candidates of one part in 50 ms
BATCH_CHUNKS = 200  # in one transaction: other writers wait for them,
BATCH_BYTES = 512 * 1024  # so that whatever comes first ends it
PAUSE = 2.0  # between two transactions, in the time that one took
LIVE_SHARE = 0.25  # of a part; below it the part is dropped and what lives of it is indexed anew


class LogIndexPart(TenantRow):
    """Some thousand chunks that were indexed one after the other, and the time that their lines span."""

    chunk_count = models.PositiveIntegerField(default=0, help_text="Chunks that were ever put into it.")
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"part {self.pk}"

    @property
    def table(self) -> str:
        """SQLite's name of it."""
        return f"runs_dashboard_logindex_{self.pk:d}"

    def find(self, trigrams: list[str]) -> set[int]:
        """The numbers of the chunks that hold all the trigrams (without any: of all its chunks). Some may be gone."""
        if not trigrams:
            chunks = LogChunk.across_tenants.filter(index_part=self.pk)
            return set(chunks.values_list("pk", flat=True))
        with connection.cursor() as cursor:
            if connection.vendor == "sqlite":
                return self._find_in_table(cursor, trigrams)
            return self._find_in_column(cursor, trigrams)

    def _find_in_table(self, cursor: Any, trigrams: list[str]) -> set[int]:
        words = " AND ".join('"' + trigram.replace('"', '""') + '"' for trigram in trigrams)
        try:
            cursor.execute(f"SELECT rowid FROM {self.table} WHERE {self.table} MATCH %s", [words])  # noqa: S608
        except OperationalError:
            if self.table in connection.introspection.table_names(cursor):
                raise
            return self.find([])  # dropped a moment ago: whoever asks will notice
        return {row[0] for row in cursor.fetchall()}

    def _find_in_column(self, cursor: Any, trigrams: list[str]) -> set[int]:
        with transaction.atomic():
            # The planner takes the table for small: what unpacking the arrays costs is not among its numbers.
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute(
                "SELECT id FROM runs_dashboard_logchunk WHERE trigrams IS NOT NULL"
                " AND ARRAY[index_part_id] @> ARRAY[%s::bigint] AND trigrams @> %s::smallint[]",
                [self.pk, sorted(map(_number, trigrams))],
            )
            found = {row[0] for row in cursor.fetchall()}
            cursor.execute("SET LOCAL enable_seqscan = DEFAULT")
        return found


class Pending(NamedTuple):
    """A chunk that waits to be indexed."""

    pk: int
    tenant_id: int
    first_at: datetime
    last_at: datetime
    byte_size: int
    body: str


def index_pending(limit_seconds: float, *, clock: Callable[[], float] = time.monotonic) -> int:
    """Indexes sealed chunks that are not yet, for about so many seconds. Returns how many; 0 when none is left.

    In short transactions: stopped anywhere, the next call goes on. Several processes may call it at once.
    What steps that still run have written is made ready for it, too, and what ended unsealed.
    """
    seal_grown()
    seal_ended()
    end = clock() + limit_seconds
    done = 0
    while True:
        rows = LogChunk.across_tenants.filter(is_sealed=True, index_part=None).order_by("run", "first_line")
        batch = _take_batch(rows)
        if not batch:
            return done
        for tenant_id in {chunk.tenant_id for chunk in batch}:
            # The texts are made ready before the transaction: no writer waits for that.
            ready = [(chunk, _prepare(chunk.body)) for chunk in batch if chunk.tenant_id == tenant_id]
            began = clock()
            with transaction.atomic():
                done += _store(tenant_id, ready)
            if connection.vendor == "sqlite":
                # Its one lock is not fair: whoever waits for it asks now and then, and needs a time to find it free.
                time.sleep(PAUSE * max(0.0, clock() - began))
        if clock() >= end:
            return done


def _take_batch(rows: models.QuerySet) -> list[Pending]:
    """The next chunks, at least one: many small ones, or few large ones."""
    batch: list[Pending] = []
    size = 0
    for row in rows.values_list(*Pending._fields)[:BATCH_CHUNKS].iterator(chunk_size=8):
        chunk = Pending(*row)
        size += chunk.byte_size
        if batch and size > BATCH_BYTES:
            break
        batch.append(chunk)
    return batch


def drop_dead_parts() -> int:
    """Drops the parts that mostly name chunks which are gone; what lives of them waits to be indexed anew.

    Not the part that is being filled, a tenant's newest. Returns how many went.
    """
    gone = 0
    newer = LogIndexPart.across_tenants.filter(tenant=models.OuterRef("tenant"), pk__gt=models.OuterRef("pk"))
    for part in LogIndexPart.across_tenants.filter(models.Exists(newer)):
        living = LogChunk.across_tenants.filter(index_part=part.pk)
        if living.count() < part.chunk_count * LIVE_SHARE:
            drop(part)
            gone += 1
    return gone


def drop(part: LogIndexPart) -> None:
    """Removes a part of the index; its chunks wait to be indexed anew."""
    with transaction.atomic():
        chunks = LogChunk.across_tenants.filter(index_part=part.pk)
        chunks.update(index_part=None, trigrams=None)
        LogIndexPart.across_tenants.filter(pk=part.pk).delete()
        if connection.vendor == "sqlite":
            with connection.cursor() as cursor:
                cursor.execute(f"DROP TABLE IF EXISTS {part.table}")


def _store(tenant_id: int, ready: list[tuple[Pending, Any]]) -> int:
    part = _open_part(tenant_id, ready[0][0])
    done = 0
    for chunk, words in ready[: PART_CHUNKS - part.chunk_count]:
        # Sealed chunks do not change: only one that another process was faster with, or that was deleted, is passed by.
        waiting = LogChunk.across_tenants.filter(pk=chunk.pk, index_part=None)
        if connection.vendor == "sqlite":
            if not waiting.update(index_part=part.pk):
                continue
            with connection.cursor() as cursor:
                cursor.execute(f"INSERT INTO {part.table} (rowid, text) VALUES (%s, %s)", [chunk.pk, words])  # noqa: S608
        elif not waiting.update(index_part=part.pk, trigrams=words):
            continue
        part.first_at, part.last_at = min(part.first_at, chunk.first_at), max(part.last_at, chunk.last_at)
        done += 1
    part.chunk_count += done
    part.save(update_fields=["chunk_count", "first_at", "last_at"])
    return done


def _open_part(tenant_id: int, chunk: Pending) -> LogIndexPart:
    """The part that takes the tenant's next chunks, locked until the end of the transaction."""
    newest = LogIndexPart.across_tenants.select_for_update().filter(tenant=tenant_id).order_by("-pk").first()
    if newest is not None and newest.chunk_count < PART_CHUNKS:
        return newest
    part = LogIndexPart.across_tenants.create(tenant_id=tenant_id, first_at=chunk.first_at, last_at=chunk.last_at)
    if connection.vendor == "sqlite":
        options = "content='', columnsize=0, detail=none, tokenize='trigram case_sensitive 1'"  # folded by us
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE IF EXISTS {part.table}")
            cursor.execute(f"CREATE VIRTUAL TABLE {part.table} USING fts5(text, {options})")
    return part


def _prepare(body: str) -> Any:
    """A chunk's lines as its index takes them: folded text for SQLite, numbers of trigrams for PostgreSQL."""
    messages = read_messages(body)
    text = "\n".join(messages)
    if not is_plain_text(text):
        text = "\n".join(map(strip, messages))
    text = fold(text)
    return text if connection.vendor == "sqlite" else sorted({_number(piece) for piece in _pieces(text)})


def _pieces(text: str) -> set[str]:
    return {text[at : at + TRIGRAM] for at in range(len(text) - TRIGRAM + 1)}


def _number(trigram: str) -> int:
    """A trigram as one of 65,536 numbers: that two may share one makes a candidate more, never one less."""
    return (zlib.crc32(trigram.encode("utf-8", "surrogatepass")) & 0xFFFF) - 0x8000
