"""Rows straight into a table, some hundred thousand a second: executemany on SQLite, COPY on PostgreSQL."""

from __future__ import annotations

import json
import zlib
from datetime import UTC, datetime, timedelta
from itertools import repeat
from typing import TYPE_CHECKING, Any

from django.db import connection, models, transaction

from ..models.log import LogBodyField

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  (Django keeps UTC without its name in SQLite)


CACHE_KIB = 256 * 1024  # of a million runs' indexes, which the usual cache of a connection cannot hold


def prepare_to_write() -> None:
    """This process is about to write many rows."""
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute(f"PRAGMA cache_size=-{CACHE_KIB}")


class Bulk:
    """Writes rows of one model as tuples of the named columns; the other columns get their defaults.

    Times are given as Unix milliseconds, UUIDs as 128-bit integers, JSON as Python values, bodies as text.
    """

    def __init__(self, model: type[models.Model], *names: str) -> None:
        fields = {field.attname: field for field in model._meta.concrete_fields}
        self.rows: list[tuple[Any, ...]] = []
        self._table = model._meta.db_table
        chosen = [fields.pop(name) for name in names]
        rest = [field for field in fields.values() if not field.primary_key and not field.generated]
        for field in rest:
            if isinstance(field, models.UUIDField | models.DateTimeField) and not field.null:
                raise TypeError(f"{model.__name__}.{field.attname} has no fixed default: name it")
        self._columns = [str(field.column) for field in (*chosen, *rest)]
        self._adapters = [(place, adapt) for place, field in enumerate(chosen) if (adapt := _adapter(field))]
        self._constants = [_default(field) for field in rest]

    def flush(self) -> int:
        """Writes what `rows` holds and empties it; returns how many they were."""
        count = len(self.rows)
        if not count:
            return 0
        columns: list[Any] = list(zip(*self.rows, strict=True))
        self.rows = []
        for place, adapt in self._adapters:
            columns[place] = [None if value is None else adapt(value) for value in columns[place]]
        columns += [repeat(constant, count) for constant in self._constants]
        quoted = ", ".join(map(connection.ops.quote_name, self._columns))
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                with cursor.copy(f"COPY {self._table} ({quoted}) FROM STDIN") as copy:
                    for row in zip(*columns, strict=True):
                        copy.write_row(row)
            else:
                signs = ", ".join(["%s"] * len(columns))
                cursor.executemany(
                    f"INSERT INTO {self._table} ({quoted}) VALUES ({signs})",  # noqa: S608  (names of our own)
                    list(zip(*columns, strict=True)),
                )
        return count


def _default(field: models.Field) -> Any:
    return None if field.is_relation else field.get_db_prep_save(field.get_default(), connection)


def _adapter(field: models.Field) -> Callable[[Any], Any] | None:
    is_sqlite = connection.vendor == "sqlite"
    if isinstance(field, models.DateTimeField):
        return _sqlite_time if is_sqlite else moment
    if isinstance(field, models.JSONField):
        return _json
    if isinstance(field, models.UUIDField):
        return "{:032x}".format
    if isinstance(field, LogBodyField) and is_sqlite:
        return _deflate
    return None


def _sqlite_time(milliseconds: int) -> str:
    return str(_NAIVE_EPOCH + timedelta(milliseconds=milliseconds))


def moment(milliseconds: int) -> datetime:
    """Unix milliseconds as a time in UTC."""
    return _EPOCH + timedelta(milliseconds=milliseconds)


def _json(value: Any) -> str:
    return json.dumps(value) if value else "[]" if isinstance(value, list) else "{}"


def _deflate(text: str) -> bytes:
    return zlib.compress(text.encode(), 1)


def reserve(model: type[models.Model], count: int) -> int:
    """Takes `count` primary keys that nobody else will be given; returns the first."""
    table = model._meta.db_table
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # Who inserts asks the sequence while it holds its own lock on the table, so not in between.
            cursor.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")
            cursor.execute("SELECT nextval(pg_get_serial_sequence(%s, 'id'))", [table])
            first: int = cursor.fetchone()[0]
            cursor.execute("SELECT setval(pg_get_serial_sequence(%s, 'id'), %s)", [table, first + count - 1])
            return first
        cursor.execute("UPDATE sqlite_sequence SET seq = seq + %s WHERE name = %s", [count, table])
        if not cursor.rowcount:
            cursor.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (%s, %s)", [table, count])
        cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [table])
        last: int = cursor.fetchone()[0]
        return last - count + 1


def flush_all(tables: Sequence[Bulk]) -> int:
    """Writes what all of them hold, in one transaction; returns how many rows they were.

    Without a savepoint of its own: SQLite keeps one in memory as a list, and walks through it after every row.
    """
    with transaction.atomic(savepoint=False):
        return sum(table.flush() for table in tables)
