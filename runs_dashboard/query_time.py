"""How long a request may keep the database busy: a question that takes longer is ended, and its asker told so.

A filter that no index knows may lead through the whole history. It is the asker who can say less of it, by a flow or a
period; meanwhile nobody else is to wait for him.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from django.db import OperationalError
from django.db.backends.signals import connection_created

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.backends.base.base import BaseDatabaseWrapper

QUERY_SECONDS = 15  # of the requests of a page or a program; on PostgreSQL of each of its statements
# Of SQLite's machine between two looks at the clock: a tenth of a second or less. Most statements take fewer.
LOOK_STEPS = 1_000_000
CANCELLED = "57014"  # PostgreSQL's code, appendix A of its manual
SENTENCE = f"This takes longer than {QUERY_SECONDS} s to find: ask for less of it, for a flow or a shorter time."
_deadline = threading.local()


def bound_connections() -> None:
    """From now on the process's new connections know the limit. Call it where requests are served."""
    connection_created.connect(_bound, dispatch_uid="query_time")


@contextmanager
def limited() -> Iterator[None]:
    """The questions of this thread to SQLite are ended when the time is over."""
    _deadline.at = time.monotonic() + QUERY_SECONDS
    try:
        yield
    finally:
        _deadline.at = None


def is_too_long(error: BaseException) -> bool:
    """Whether the database ended a question because of the limit."""
    if not isinstance(error, OperationalError):
        return False
    return str(error) == "interrupted" or getattr(error.__cause__, "sqlstate", "") == CANCELLED


def _bound(connection: BaseDatabaseWrapper, **_: Any) -> None:
    if connection.vendor == "sqlite":
        connection.connection.set_progress_handler(_is_over, LOOK_STEPS)
    else:
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = %s", [QUERY_SECONDS * 1000])


def _is_over() -> bool:
    at = getattr(_deadline, "at", None)
    return at is not None and time.monotonic() > at
