"""One viewer's stream: what it has missed, then what happens, then the end."""

from __future__ import annotations

import asyncio
import logging
import random
from typing import TYPE_CHECKING

import django.db

from . import access, reading
from .dialects import COMMENT, Colours, end_event, growing_event

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from .access import Ticket
    from .hub import Hub

COMMENT_SECONDS = 15.0  # of silence, then a comment keeps proxies from hanging up
CHECK_SECONDS = 60.0  # between two looks at the right to see
SETTLE_SECONDS = 0.3  # after a run has ended before our eyes: the last word of who ended it may come behind
LIFE_SECONDS = 30 * 60.0  # then the client comes again, perhaps to another process
RETRY_FIELD = b"retry: 1500\n"  # milliseconds; a message without data would be swapped in as nothing
HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
    "X-Content-Type-Options": "nosniff",
}
logger = logging.getLogger(__name__)


async def follow(hub: Hub, ticket: Ticket) -> AsyncGenerator[bytes, None]:
    """The bytes of a stream: every line above `ticket.after` once and in order, then an `end` event if the run ends.

    A viewer who has all lines is shown the one that is growing, too, whenever it has changed.
    Without that event the stream ends after half an hour, when the right to see is gone, with the run or the server.
    """
    loop = asyncio.get_running_loop()
    reached, colours, growing = ticket.after, Colours(), ""
    lives_until = loop.time() + LIFE_SECONDS
    checked_at = loop.time() - random.uniform(0, CHECK_SECONDS / 2)  # noqa: S311  (only that not all are due at once)
    ends_at = loop.time() if ticket.head.is_final else None
    retry = RETRY_FIELD
    spoke_at = loop.time()
    viewer = hub.watch(ticket.run, ticket.head, ticket.dialect, ticket.holder.user)
    channel = viewer.channel
    try:
        yield COMMENT  # the headers go out with it
        while not viewer.is_closed and loop.time() < lives_until:
            if loop.time() - checked_at > CHECK_SECONDS:
                if not await hub.ask(access.is_still_allowed, ticket.holder):
                    return
                checked_at = loop.time()
            data = b""
            if viewer.batches:
                batch = viewer.take()
                if batch.first > reached + 1 or batch.first <= reached < batch.last:
                    viewer.fall_behind()
                elif batch.last > reached:
                    data, reached = batch.data, batch.last
            elif not viewer.is_live and reached < channel.cursor:
                asked = (ticket.run, reached, channel.cursor, ticket.dialect, colours)
                data, reached = await hub.ask(reading.read_rendered, *asked)
            elif channel.head.is_final and reached >= channel.head.line_count:
                ends_at = ends_at or loop.time() + SETTLE_SECONDS
                if loop.time() >= ends_at:
                    yield retry + end_event(reached, channel.head.status)
                    return
                await viewer.wait(ends_at - loop.time())
            else:
                if not viewer.is_live:
                    viewer.join(colours)
                shown = ticket.dialect.show_growing(channel.head.growing)
                if shown != growing and reached >= channel.head.line_count:
                    data, growing = growing_event(reached, shown), shown
                else:
                    await viewer.wait(spoke_at + COMMENT_SECONDS - loop.time())
            if data:
                yield retry + data
                retry, spoke_at = b"", loop.time()
            elif loop.time() - spoke_at >= COMMENT_SECONDS:
                # Whatever woke the viewer up: of lines that it does not want a proxy hears nothing.
                yield COMMENT
                spoke_at = loop.time()
    except django.db.Error as error:
        logger.warning("A live stream ends, the database does not answer: %s", error)
    finally:
        hub.leave(viewer)
