"""What many viewers, slow ones and those that are gone cost the server."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from runs_dashboard.live import door
from runs_dashboard.live.hub import QUEUE_BATCHES, QUEUE_BYTES

from .client import Stream, opened
from .inside import serving, until
from .reported import Reported, in_thread
from .server import StreamServer

pytestmark = pytest.mark.usefixtures("transactional_db")
VIEWERS = 50


def test_fifty_viewers_hold_no_connection_and_no_thread_each(
    server: StreamServer, reported: Reported, key_header: dict[str, str], cookie_header: dict[str, str]
) -> None:
    async def watch() -> None:
        async with asyncio.timeout(60), AsyncExitStack() as stack:

            async def read_one() -> list[int]:
                mine = len(streams) % 2
                path, headers = [(reported.page_path, cookie_header), (reported.api_path, key_header)][mine]
                stream = await stack.enter_async_context(opened(server.port, path, headers))
                assert stream.status == 200
                streams.append(stream)
                return await read_first_line(stream)

            streams: list[Stream] = []
            threads = server.usage.num_threads()
            tasks = [asyncio.create_task(read_one()) for _ in range(VIEWERS)]
            while len(streams) < VIEWERS:
                await asyncio.sleep(0.01)
            await asyncio.to_thread(in_thread, lambda: reported.say("hello"))
            assert await asyncio.gather(*tasks) == [[1]] * VIEWERS
            # Four that ask the database, and on PostgreSQL the four of its pool.
            assert server.usage.num_threads() - threads <= 8
            # SQLite: the hub's eye is the file and its two companions; while it is open SQLite keeps the handles of
            # closed connections for the next ones, as many as there ever were at once, which is one a thread.
            # PostgreSQL: the pool has those of the four threads and Django's own, and the hub listens by one.
            assert server.count_database_handles() <= 8

    asyncio.run(watch())


async def read_first_line(stream: Stream) -> list[int]:
    async for event in stream.events():
        return event.lines
    raise AssertionError("the stream ended")


def test_a_viewer_that_leaves_is_forgotten_at_once(reported: Reported, key_header: dict[str, str]) -> None:
    async def watch() -> None:
        async with asyncio.timeout(20), serving() as (port, hub):
            async with opened(port, reported.api_path, key_header) as stream:
                assert await anext(stream.blocks()) == b":"
                assert hub.streams.total() == 1
            await until(lambda: not hub.streams, "the viewer is forgotten", seconds=3)
            assert not hub.channels

    asyncio.run(watch())


def test_a_viewer_that_leaves_before_the_answer_is_forgotten(reported: Reported, key_header: dict[str, str]) -> None:
    async def leave_early(port: int) -> None:
        head = f"GET {reported.api_path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        head += f"Authorization: {key_header['Authorization']}\r\n\r\n"
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head.encode())
        await writer.drain()
        writer.transport.abort()

    async def watch() -> None:
        async with asyncio.timeout(20), serving() as (port, hub):
            await asyncio.gather(*(leave_early(port) for _ in range(20)))
            async with opened(port, reported.api_path, key_header) as stream:  # it is answered after them
                assert await anext(stream.blocks()) == b":"
            await until(lambda: not hub.streams, "all are forgotten")

    asyncio.run(watch())


async def read_into(found: list[int], stream: Stream, until_line: int | None = None) -> None:
    async for event in stream.events():
        found += event.lines
        if found and found[-1] == until_line:
            return


async def read_numbers(stream: Stream, until_line: int) -> list[int]:
    found: list[int] = []
    await read_into(found, stream, until_line)
    return found


@pytest.mark.parametrize("dialect", ["page", "api"])
def test_a_slow_viewer_costs_a_bounded_queue_and_misses_nothing(
    reported: Reported, dialect: str, key_header: dict[str, str], cookie_header: dict[str, str]
) -> None:
    # A page with a filter: without one it would be told of what it cannot show.
    page_path = f"{reported.page_path}?level=info"
    path, headers = (page_path, cookie_header) if dialect == "page" else (reported.api_path, key_header)
    lines = 24_000

    async def watch() -> None:
        async with asyncio.timeout(60), serving() as (port, hub), AsyncExitStack() as stack:
            slow, quick = [await stack.enter_async_context(opened(port, path, headers, limit=2**12)) for _ in range(2)]
            for stream in (slow, quick):
                assert await anext(stream.blocks()) == b":"
            (channel,) = hub.channels.values()
            await until(lambda: all(viewer.is_live for viewer in channel.viewers), "both are live")
            reading = asyncio.create_task(read_numbers(quick, lines))
            await asyncio.to_thread(in_thread, lambda: reported.say_many(lines, batch=500, text="x" * 300))
            assert await reading == list(range(1, lines + 1))  # the slow one has not held it up
            behind = [viewer for viewer in channel.viewers if not viewer.is_live]
            assert len(behind) == 1
            assert not behind[0].batches
            for viewer in channel.viewers:
                assert len(viewer.batches) <= QUEUE_BATCHES
                assert viewer.waiting_bytes <= QUEUE_BYTES
            assert await read_numbers(slow, lines) == list(range(1, lines + 1))

    asyncio.run(watch())


def test_a_viewer_that_takes_nothing_is_cut_off(
    reported: Reported, key_header: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "SEND_SECONDS", 0.3)
    reported.say_many(20_000, text="x" * 400)

    async def watch() -> None:
        async with asyncio.timeout(30), serving() as (port, hub):
            async with opened(port, reported.api_path, key_header, limit=2**12) as stream:
                await until(lambda: hub.streams, "it is there")
                await until(lambda: not hub.streams, "it is cut off")
                found: list[int] = []
                with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                    await read_into(found, stream)
            async with opened(port, f"{reported.api_path}?after={found[-1]}", key_header) as again:
                found += await read_numbers(again, 20_000)
            assert found == list(range(1, 20_001))

    asyncio.run(watch())


def test_sigterm_is_not_held_up_by_open_streams(reported: Reported, key_header: dict[str, str], tmp_path) -> None:
    async def watch(server: StreamServer) -> float:
        async with asyncio.timeout(30), AsyncExitStack() as stack:
            for _ in range(20):
                stream = await stack.enter_async_context(opened(server.port, reported.api_path, key_header))
                assert await anext(stream.blocks()) == b":"
            stuck = await stack.enter_async_context(opened(server.port, reported.api_path, key_header))
            took = await asyncio.to_thread(server.stop)
            assert [event async for event in stuck.events()] == []  # ended in order, without an `end`
            return took

    with StreamServer(tmp_path) as server:
        assert asyncio.run(watch(server)) < 5  # uvicorn alone would wait for its ten seconds
        assert "Traceback" not in server.read_log()
