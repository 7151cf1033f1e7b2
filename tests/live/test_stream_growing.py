"""The line that has not ended in the stream of a page: shown, changed, gone; never in the API's."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from runs_dashboard.models import GrowingLine, Run, Status, append
from runs_dashboard.text.intake import Line

from ..models.runs import make_flow, make_run
from .client import Event, opened
from .reported import in_thread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from runs_dashboard.models import Tenant

    from .server import StreamServer

pytestmark = pytest.mark.usefixtures("transactional_db")

SECONDS = 1.5  # in which a change is to be seen


@pytest.fixture
def run(transactional_db: None, tenant: Tenant) -> Run:
    """A run in a worker's hands that has printed two lines."""
    run = make_run(make_flow(tenant), Status.RUNNING)
    say(run, "one", "two")
    return run


def say(run: Run, *messages: str, ends_growing: bool = False) -> None:
    lines = [Line(message, 1, "stdout", 1_700_000_000.0) for message in messages]
    append(run, lines, token=run.token, ends_growing=ends_growing)


def grow(run: Run, text: str | None) -> None:
    run.grow(None if text is None else GrowingLine("fetch", 1, "stdout", text), token=run.token)


async def soon(events: AsyncIterator[Event]) -> Event:
    async with asyncio.timeout(SECONDS):
        return await anext(events)


def test_a_page_sees_it_grow_end_and_become_a_line(
    any_server: StreamServer, run: Run, cookie_header: dict[str, str]
) -> None:
    async def watch() -> None:
        path = f"/runs/{run.uid}/log/stream"
        async with asyncio.timeout(20), opened(any_server.port, path, cookie_header) as stream:
            events = stream.events()
            assert (await anext(events)).lines == [1, 2]
            await asyncio.to_thread(in_thread, lambda: grow(run, "10%\r\x1b[32m20%\x1b[0m <b>"))
            shown = await soon(events)
            assert (shown.name, shown.lines, shown.line) == ("growing", [], 2)
            assert ">20%</span> &lt;b&gt;</span></div>" in shown.data
            assert "10%" not in shown.data
            assert 'id="L' not in shown.data
            await asyncio.to_thread(in_thread, lambda: grow(run, "30%"))
            assert ">30%<" in (await soon(events)).data
            await asyncio.to_thread(in_thread, lambda: say(run, "100%", ends_growing=True))
            assert (await soon(events)).lines == [3]
            gone = await soon(events)
            assert (gone.name, gone.data) == ("growing", "")
            await asyncio.to_thread(in_thread, lambda: grow(run, "half"))
            assert ">half<" in (await soon(events)).data
            await asyncio.to_thread(in_thread, lambda: run.finish(Status.FAILED, token=run.token))
            assert (await soon(events)).name == "end"

    asyncio.run(watch())


def test_who_comes_later_sees_it_after_the_lines(server: StreamServer, run: Run, cookie_header: dict[str, str]) -> None:
    grow(run, "Continue? ")

    async def watch() -> None:
        path = f"/runs/{run.uid}/log/stream"
        for _ in range(2):  # the second joins what the first has opened
            async with asyncio.timeout(20), opened(server.port, path, cookie_header) as stream:
                events = stream.events()
                assert (await anext(events)).lines == [1, 2]
                assert ">Continue? <" in (await soon(events)).data

    asyncio.run(watch())


@pytest.mark.parametrize("query", ["step=load", "step=fetch&attempt=2", "stream=stderr", "level=error"])
def test_a_page_of_another_part_of_the_log_does_not_see_it(
    server: StreamServer, run: Run, cookie_header: dict[str, str], query: str
) -> None:
    async def watch() -> None:
        path = f"/runs/{run.uid}/log/stream?{query}"
        async with asyncio.timeout(20), opened(server.port, path, cookie_header) as stream:
            events = stream.events()
            await asyncio.to_thread(in_thread, lambda: grow(run, "10%"))
            await asyncio.sleep(0.5)
            await asyncio.to_thread(in_thread, lambda: run.finish(Status.FAILED, token=run.token))
            assert [event.name async for event in events] == ["end"]

    asyncio.run(watch())


def test_a_program_never_sees_it(server: StreamServer, run: Run, key_header: dict[str, str]) -> None:
    grow(run, "10%")

    async def watch() -> None:
        path = f"/api/v1/flow-runs/{run.uid}/flow-run-logs/stream"
        async with asyncio.timeout(20), opened(server.port, path, key_header) as stream:
            events = stream.events()
            assert [(await anext(events)).lines for _ in range(2)] == [[1], [2]]
            await asyncio.to_thread(in_thread, lambda: grow(run, "20%"))
            await asyncio.sleep(0.5)
            await asyncio.to_thread(in_thread, lambda: run.finish(Status.FAILED, token=run.token))
            assert [event.name async for event in events] == ["end"]

    asyncio.run(watch())
