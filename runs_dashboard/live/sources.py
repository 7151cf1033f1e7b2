"""How a process hears that a run has changed: SQLite is looked at, PostgreSQL tells."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote

from django.db import connection

from ..dispatch import LIVE_CHANNEL

SQLITE_SECONDS = 0.1  # between two looks at one number
POSTGRES_SECONDS = 5.0  # a look at every watched run, whatever was told
RETRY_SECONDS = 1.0
logger = logging.getLogger(__name__)
Mark = Callable[[Iterable[int] | None], None]


async def follow(mark: Mark) -> None:
    """Calls `mark` with the numbers of changed runs (None: it may be any), until it is cancelled."""
    if connection.vendor == "postgresql":
        await _listen(mark)
    else:
        await _look(mark)


async def _look(mark: Mark) -> None:
    """SQLite counts the commits of others (PRAGMA data_version): an idle database costs this one number."""
    path = quote(str(connection.settings_dict["NAME"]))
    while True:
        try:
            # Kept open: the number has a meaning within one connection only. It is read from shared memory in a few
            # microseconds, which is less than a thread would cost.
            eye = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=0, isolation_level=None)
            try:
                seen = None
                while True:
                    (version,) = eye.execute("PRAGMA data_version").fetchone()
                    if version != seen:
                        seen = version
                        mark(None)
                    await asyncio.sleep(SQLITE_SECONDS)
            finally:
                eye.close()
        except sqlite3.Error as error:
            logger.warning("The database cannot be looked at (%s), trying again.", error)
            await asyncio.sleep(RETRY_SECONDS)


async def _listen(mark: Mark) -> None:
    """PostgreSQL tells a run's number with each commit; a notification lost on the way costs five seconds."""
    import psycopg  # imported late: the embedded product has no use for it

    while True:
        try:
            ear = await psycopg.AsyncConnection.connect(**_address(), autocommit=True)
            async with ear:
                await ear.execute(f"LISTEN {LIVE_CHANNEL}")
                while True:
                    mark(None)
                    async for told in ear.notifies(timeout=POSTGRES_SECONDS):
                        if told.payload.isdecimal():
                            mark([int(told.payload)])
        except psycopg.Error as error:
            logger.warning("PostgreSQL does not tell of changes (%s), trying again.", error)
            await asyncio.sleep(RETRY_SECONDS)
            mark(None)


def _address() -> dict[str, Any]:
    """Django's parameters without those that belong to its own cursors; a dead peer is noticed in a minute."""
    own = {"cursor_factory", "context", "prepare_threshold"}
    given = {name: value for name, value in connection.get_connection_params().items() if name not in own}
    return {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3} | given
