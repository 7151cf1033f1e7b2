"""What the database knows of its own tables: by it, it chooses among indexes."""

from __future__ import annotations

from django.db import connection

ROWS_LOOKED_AT = 1_000  # of each index, on SQLite: a sample is enough to choose by, and takes no time


def refresh_statistics() -> None:
    """Has the database look at its tables again."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(f"PRAGMA analysis_limit={ROWS_LOOKED_AT}")
        cursor.execute("ANALYZE")


def keep_statistics() -> None:
    """The same now and then, where nobody else does: PostgreSQL looks by itself, minutes after many new rows."""
    if connection.vendor == "sqlite":
        refresh_statistics()
