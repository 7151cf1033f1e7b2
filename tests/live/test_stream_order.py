"""Every line once and in order, however often a viewer is cut off while a writer appends."""

import asyncio
import random
import threading

import pytest

from runs_dashboard.models import Status, append_system

from .client import last_status, numbers, opened, read_to_end
from .reported import Reported, in_thread
from .server import StreamServer

pytestmark = pytest.mark.usefixtures("transactional_db")


def write(reported: Reported, lines: int, seed: int, done: threading.Event) -> None:
    """Appends in batches of random size at random moments, then ends the run."""
    from django.db import connection

    chance = random.Random(seed)
    try:
        left = lines
        while left:
            size = min(left, chance.choice([1, 1, 2, 5, 30, 400]))
            reported.say(*(f"line {place} \x1b[3{place % 8}m of many" for place in range(size)))
            left -= size
            done.wait(chance.uniform(0, 0.02))
        reported.end()
    finally:
        connection.close()


async def follow_with_cuts(port: int, path: str, headers: dict[str, str], seed: int) -> tuple[list[int], int, str]:
    """What a client gathers that is cut off at random and comes again with its last number."""
    chance = random.Random(seed)
    found: list[int] = []
    last, connections = 0, 0
    while True:
        connections += 1
        by_address = chance.random() < 0.5
        query = f"{path}?after={last if by_address else 0}"
        resume = {} if by_address or not last else {"Last-Event-ID": str(last)}
        events = []
        async with opened(port, query, headers | resume) as stream:
            assert stream.status == 200
            try:
                async with asyncio.timeout(chance.uniform(0.0, 0.3)):
                    async for event in stream.events():
                        events.append(event)  # noqa: PERF401  (what came before the cut counts)
            except TimeoutError:
                pass
        found += numbers(events)
        if events:
            last = events[-1].line
            if events[-1].name == "end":
                return found, connections, last_status(events)


@pytest.mark.parametrize("dialect", ["page", "api"])
def test_random_cuts_lose_and_double_nothing(
    server: StreamServer,
    reported: Reported,
    dialect: str,
    key_header: dict[str, str],
    cookie_header: dict[str, str],
) -> None:
    path = reported.page_path if dialect == "page" else reported.api_path
    headers = cookie_header if dialect == "page" else key_header
    done = threading.Event()
    lines, viewers = 4_000, 5
    writer = threading.Thread(target=write, args=(reported, lines, 1, done))
    writer.start()

    async def watch() -> list[tuple[list[int], int, str]]:
        each = (follow_with_cuts(server.port, path, headers, seed) for seed in range(viewers))
        return await asyncio.wait_for(asyncio.gather(*each), 60)

    try:
        gathered = asyncio.run(watch())
    finally:
        done.set()
        writer.join()

    for found, _connections, status in gathered:
        assert found == list(range(1, lines + 1))
        assert status == "succeeded"
    assert sum(connections for _, connections, _ in gathered) > 2 * viewers


def test_the_end_comes_after_the_last_line_and_ends_the_stream(
    server: StreamServer, reported: Reported, key_header: dict[str, str]
) -> None:
    reported.say("first")

    async def watch() -> None:
        async with asyncio.timeout(20), opened(server.port, reported.api_path, key_header) as stream:
            events = stream.events()
            assert (await anext(events)).lines == [1]
            await asyncio.to_thread(in_thread, lambda: reported.say_many(1_700))
            await asyncio.to_thread(in_thread, lambda: reported.end(Status.FAILED))
            rest = [event async for event in events]
        assert numbers(rest) == list(range(2, 1_702))
        assert last_status(rest) == "failed"

    asyncio.run(watch())


def test_the_last_word_of_who_ended_the_run_comes_before_the_end(
    server: StreamServer, reported: Reported, key_header: dict[str, str]
) -> None:
    def end_and_tell() -> None:
        reported.end(Status.FAILED)
        append_system(reported.run, "Worker lost", level=3)

    async def watch() -> None:
        async with asyncio.timeout(20), opened(server.port, reported.api_path, key_header) as stream:
            events = stream.events()
            await asyncio.to_thread(in_thread, lambda: reported.say("first"))
            assert (await anext(events)).lines == [1]
            await asyncio.to_thread(in_thread, end_and_tell)
            rest = [event async for event in events]
        assert numbers(rest) == [2]
        assert last_status(rest) == "failed"

    asyncio.run(watch())


def test_a_final_run_is_told_whole_and_ended(
    server: StreamServer, reported: Reported, key_header: dict[str, str], cookie_header: dict[str, str]
) -> None:
    reported.say_many(1_234)
    reported.end(Status.STOPPED)

    for path, headers in ((reported.api_path, key_header), (reported.page_path, cookie_header)):
        events = asyncio.run(read_to_end(server.port, path, headers))
        assert numbers(events) == list(range(1, 1_235))
        assert last_status(events) == "stopped"
        rest = asyncio.run(read_to_end(server.port, f"{path}?after=1234", headers))
        assert [event.name for event in rest] == ["end"]


def test_a_run_without_lines_ends_too(server: StreamServer, reported: Reported, cookie_header: dict[str, str]) -> None:
    async def watch() -> None:
        async with asyncio.timeout(20), opened(server.port, reported.page_path, cookie_header) as stream:
            blocks = stream.blocks()
            assert await anext(blocks) == b":"
            await asyncio.to_thread(in_thread, reported.end)
            assert await anext(blocks) == b'retry: 1500\nid: 0\nevent: end\ndata: {"status":"succeeded"}'

    asyncio.run(watch())
