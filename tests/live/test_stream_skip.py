"""Who is far behind: a page is told how many lines it was not sent, a program is sent them all."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from runs_dashboard.live.reading import BATCH_LINES, FAR_LINES

from .client import Event, numbers, opened, read_to_end
from .inside import serving, until
from .reported import Reported, in_thread

pytestmark = pytest.mark.usefixtures("transactional_db")
LINES = 20_000


def split(events: list[Event]) -> tuple[list[range], list[int]]:
    """What was told of and what was sent."""
    skipped = [event.skipped for event in events if event.skipped is not None]
    return skipped, numbers([event for event in events if event.skipped is None])


def test_a_page_that_comes_far_behind_gets_the_end_and_a_row_for_the_rest(
    reported: Reported, key_header: dict[str, str], cookie_header: dict[str, str]
) -> None:
    reported.say_many(LINES, batch=5_000)
    reported.end()

    async def watch() -> None:
        async with serving() as (port, _):
            page, filtered, program = await asyncio.gather(
                read_to_end(port, f"{reported.page_path}?after=70", cookie_header),
                read_to_end(port, f"{reported.page_path}?after=70&level=info", cookie_header),
                read_to_end(port, f"{reported.api_path}?after=70", key_header),
            )
        skipped, sent = split(page)
        assert skipped == [range(71, LINES - BATCH_LINES + 1)]
        assert sent == list(range(LINES - BATCH_LINES + 1, LINES + 1))
        told = page[0].data
        assert page[0].line == skipped[0][-1], "a stream that is cut here goes on behind it"
        assert f"<strong>{len(skipped[0]):,}</strong> lines not sent" in told
        assert 'href="?from=71#log"' in told
        for whole in (filtered, program):
            assert split(whole) == ([], list(range(71, LINES + 1)))

    asyncio.run(watch())


def test_a_page_a_little_behind_is_sent_all(reported: Reported, cookie_header: dict[str, str]) -> None:
    reported.say_many(FAR_LINES)
    reported.end()

    async def watch() -> None:
        async with serving() as (port, _):
            assert split(await read_to_end(port, reported.page_path, cookie_header)) == (
                [],
                list(range(1, FAR_LINES + 1)),
            )

    asyncio.run(watch())


def test_a_flood_reaches_pages_in_bounded_parts_and_programs_whole(
    reported: Reported, key_header: dict[str, str], cookie_header: dict[str, str]
) -> None:
    paths = [(reported.page_path, cookie_header), (reported.api_path, key_header), (reported.page_path, cookie_header)]

    async def watch() -> None:
        async with asyncio.timeout(60), serving() as (port, hub), AsyncExitStack() as stack:
            streams = [await stack.enter_async_context(opened(port, path, headers)) for path, headers in paths]
            for stream in streams:
                assert await anext(stream.blocks()) == b":"
            (channel,) = hub.channels.values()
            await until(lambda: all(viewer.is_live for viewer in channel.viewers), "all are live")

            async def gather(number: int) -> list[Event]:
                return [event async for event in streams[number].events()]

            readers = [asyncio.create_task(gather(number)) for number in range(len(paths))]
            await asyncio.to_thread(in_thread, lambda: reported.say_many(LINES, batch=LINES))
            await asyncio.to_thread(in_thread, reported.end)
            page, program, other = [await reader for reader in readers]
        for told in (page, other):
            assert numbers(told) == list(range(1, LINES + 1)), "sent or told of, once and in order"
            skipped, sent = split(told)
            assert skipped
            assert len(sent) < LINES // 4
            assert max(len(event.lines) for event in told if event.skipped is None) <= BATCH_LINES
        assert split(program) == ([], list(range(1, LINES + 1)))

    asyncio.run(watch())
