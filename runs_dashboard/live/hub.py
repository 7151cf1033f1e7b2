"""The hub: reads the new lines of the runs that somebody watches, once for all who watch, and hands them round.

A viewer is *live* when it has been sent all that the hub has read of its run: from then on the hub puts each batch,
rendered once for all viewers of the same dialect, in its queue. A viewer that is behind (it has just come, or it is
slow and its queue was full) is not live: it reads the table by line number until it has caught up. So nothing is lost
or doubled, and what the hub keeps is bounded. All of it belongs to one event loop; no lock is needed.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from typing import TYPE_CHECKING, NamedTuple, TypeVar
from weakref import WeakKeyDictionary

import django.db

from . import reading, sources
from .dialects import Colours, Dialect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..models import Run
    from .reading import Head, News

PAUSE_SECONDS = 0.03  # between two looks at the database
QUEUE_BATCHES = 64  # for one viewer; beyond it, or beyond the bytes, it is behind
QUEUE_BYTES = 2 * 2**20
REST_SECONDS = 10.0  # without a viewer, before the source is let go
RETRY_SECONDS = 1.0  # after the database failed
Answer = TypeVar("Answer")
logger = logging.getLogger(__name__)


class Batch(NamedTuple):
    """Lines `first` to `last` in one dialect; no bytes if none of them is wanted there."""

    first: int
    last: int
    data: bytes


class Feed:
    """The live viewers of a run who speak the same dialect, and the look that its rows have come to."""

    def __init__(self, colours: Colours) -> None:
        self.colours = colours
        self.viewers: set[Viewer] = set()


class Channel:
    """A watched run: up to which line the hub has read it, and for whom."""

    def __init__(self, run: Run, head: Head) -> None:
        self.run, self.head, self.cursor = run, head, head.line_count
        self.viewers: set[Viewer] = set()
        self.feeds: dict[Dialect, Feed] = {}


class Viewer:
    """One open stream. `owner` is whose it is, for the limits."""

    def __init__(self, channel: Channel, dialect: Dialect, owner: int) -> None:
        self.channel, self.dialect, self.owner = channel, dialect, owner
        self.batches: deque[Batch] = deque()
        self.waiting_bytes = 0
        self.is_live = self.is_closed = False
        self._changed = asyncio.Event()

    def join(self, colours: Colours) -> None:
        """From here on the hub sends what it reads. colours: the look in which the viewer's own reading ended."""
        feed = self.channel.feeds.setdefault(self.dialect, Feed(dict(colours)))
        feed.viewers.add(self)
        self.is_live = True

    def fall_behind(self) -> None:
        """The queue goes; the viewer reads the table until it has caught up."""
        feed = self.channel.feeds.get(self.dialect)
        if feed is not None:
            feed.viewers.discard(self)
            if not feed.viewers:
                del self.channel.feeds[self.dialect]
        self.batches.clear()
        self.waiting_bytes = 0
        self.is_live = False
        self._changed.set()

    def put(self, batch: Batch) -> None:
        if self.batches and (len(self.batches) >= QUEUE_BATCHES or self.waiting_bytes + len(batch.data) > QUEUE_BYTES):
            self.fall_behind()
            return
        self.batches.append(batch)
        self.waiting_bytes += len(batch.data)
        self._changed.set()

    def take(self) -> Batch:
        batch = self.batches.popleft()
        self.waiting_bytes -= len(batch.data)
        return batch

    def wake(self) -> None:
        self._changed.set()

    def close(self) -> None:
        self.is_closed = True
        self._changed.set()

    async def wait(self, seconds: float) -> bool:
        """Waits for something to happen to this viewer; False if nothing did."""
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return False
        self._changed.clear()
        return True


class Hub:
    """The viewers of one event loop. Use `get_hub()`."""

    def __init__(self) -> None:
        self.channels: dict[int, Channel] = {}
        self.streams: Counter[int] = Counter()  # by owner
        self.is_closing = False
        self._marked: set[int] = set()
        self._news = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._rest: asyncio.TimerHandle | None = None
        # One thread is always left for the hub's own reading, however many viewers are behind.
        self._guests = asyncio.Semaphore(reading.THREADS - 1)

    async def ask(self, question: Callable[..., Answer], *arguments: object) -> Answer:
        """A viewer's question to the database, in its turn."""
        async with self._guests:
            return await reading.ask(question, *arguments)

    # --- viewers --------------------------------------------------------------------------------------------------

    def watch(self, run: Run, head: Head, dialect: Dialect, owner: int) -> Viewer:
        """A new viewer of the run, which was last seen with this head. Pair it with `leave`."""
        channel = self.channels.get(run.pk)
        if channel is None:
            channel = self.channels[run.pk] = Channel(run, head)
            self.mark([run.pk])  # what changed since the head was read, nobody has told this channel
        viewer = Viewer(channel, dialect, owner)
        channel.viewers.add(viewer)
        self.streams[owner] += 1
        if self.is_closing:
            viewer.close()
        elif not self._tasks:
            self._start()
        return viewer

    def leave(self, viewer: Viewer) -> None:
        channel = viewer.channel
        viewer.fall_behind()
        channel.viewers.discard(viewer)
        self.streams[viewer.owner] -= 1
        if not self.streams[viewer.owner]:
            del self.streams[viewer.owner]
        if not channel.viewers and self.channels.get(channel.run.pk) is channel:
            del self.channels[channel.run.pk]
        if not self.channels and self._tasks:
            if self._rest is not None:
                self._rest.cancel()
            self._rest = asyncio.get_running_loop().call_later(REST_SECONDS, self._stop_if_unwatched)

    def close(self) -> None:
        """Ends all streams, and refuses new ones: the server goes."""
        self.is_closing = True
        self._stop()
        self._close_viewers()

    def _close_viewers(self) -> None:
        for channel in self.channels.values():
            for viewer in channel.viewers:
                viewer.close()

    # --- reading --------------------------------------------------------------------------------------------------

    def mark(self, pks: Iterable[int] | None = None) -> None:
        """Something of these runs may have changed (None: of any). For the sources."""
        self._marked |= self.channels.keys() if pks is None else self.channels.keys() & set(pks)
        if self._marked:
            self._news.set()

    def _start(self) -> None:
        for work in (self._read(), sources.follow(self.mark)):
            task = asyncio.get_running_loop().create_task(work)
            task.add_done_callback(self._ended)
            self._tasks.append(task)

    def _stop_if_unwatched(self) -> None:
        if not self.channels:
            self._stop()

    def _stop(self) -> None:
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()

    def _ended(self, task: asyncio.Task[None]) -> None:
        # Nobody awaits these tasks: their mistake is told here, and the clients come again to a new start.
        if not task.cancelled() and task.exception() is not None:
            logger.error("The live hub failed; its viewers are sent to connect again.", exc_info=task.exception())
            self._stop()
            self._close_viewers()

    async def _read(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            marked, self._marked = self._marked, set()
            try:
                self.mark(await self._look(marked))
            except django.db.Error as error:
                logger.warning("Live lines cannot be read (%s), trying again.", error)
                await asyncio.sleep(RETRY_SECONDS)
                self.mark(marked)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _look(self, pks: Iterable[int]) -> list[int]:
        """One bounded look at each run; returns those of which more is known to be there."""
        channels = [self.channels[pk] for pk in pks if pk in self.channels]
        if not channels:
            return []
        asked = [
            (channel.run, channel.cursor, [(dialect, feed.colours) for dialect, feed in channel.feeds.items()])
            for channel in channels
        ]
        news = await reading.ask(reading.read_news, asked)
        return [channel.run.pk for channel in channels if self._hand_round(channel, news[channel.run.pk])]

    def _hand_round(self, channel: Channel, news: News) -> bool:
        """Gives every viewer of a run what was read of it; True if the run has more."""
        if news.head is None:  # deleted
            for viewer in channel.viewers:
                viewer.close()
            return False
        has_changed = news.head != channel.head
        first, channel.cursor, channel.head = channel.cursor + 1, news.last, news.head
        if news.last >= first:
            for dialect, feed in list(channel.feeds.items()):
                data = news.rendered.get(dialect)
                for viewer in list(feed.viewers):
                    if data is None:  # it joined while the thread was reading, or it must have what others skip
                        viewer.fall_behind()
                    else:
                        viewer.put(Batch(first, news.last, data))
        if has_changed:
            for viewer in channel.viewers:
                viewer.wake()
        return channel.cursor < channel.head.line_count


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def get_hub() -> Hub:
    """The hub of the running event loop: a process that serves has one."""
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        _hubs[loop] = Hub()
    return _hubs[loop]


def end_streams() -> None:
    """Ends every stream of this process and refuses new ones. Any thread may call it, and a signal handler."""
    for loop, hub in list(_hubs.items()):
        if not loop.is_closed():
            loop.call_soon_threadsafe(hub.close)
