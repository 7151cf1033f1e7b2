"""One look at the database serves all viewers, and what goes wrong below them loses no line."""

import asyncio
import logging
import time
from collections.abc import Callable

import django.db
import pytest
from django.db import connection

from runs_dashboard.live import hub as hub_module
from runs_dashboard.live import reading, sources, stream
from runs_dashboard.live.dialects import ApiDialect, PageDialect
from runs_dashboard.models import Run, Step, Tenant, append, seal
from runs_dashboard.text.intake import Line
from tests.models.runs import make_flow, make_run

from .client import Stream, numbers, opened, read_to_end
from .inside import serving, until
from .reported import Reported, in_thread
from .server import StreamServer

pytestmark = pytest.mark.usefixtures("transactional_db")


async def gather_until(stream: Stream, line: int) -> list[int]:
    found: list[int] = []
    async for event in stream.events():
        found += event.lines
        if found and found[-1] >= line:
            return found
    raise AssertionError(f"the stream ended at {found[-1:]}")


def test_lines_are_read_and_rendered_once_for_all_viewers(
    reported: Reported, key_header: dict[str, str], cookie_header: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    rendered: list[str] = []
    read_entries, page_render, api_render = reading.read_entries, PageDialect.render, ApiDialect.render
    monkeypatch.setattr(reading, "read_entries", lambda *a, **k: read.append(1) or read_entries(*a, **k))
    monkeypatch.setattr(PageDialect, "render", lambda *a: rendered.append("page") or page_render(*a))
    monkeypatch.setattr(ApiDialect, "render", lambda *a: rendered.append("api") or api_render(*a))
    views = [(reported.page_path, cookie_header), (reported.api_path, key_header)]

    async def watch() -> None:
        async with asyncio.timeout(20), serving() as (port, hub):

            async def view(number: int) -> list[int]:
                path, headers = views[number % 2]
                async with opened(port, path, headers) as stream:
                    return await gather_until(stream, 3)

            tasks = [asyncio.create_task(view(number)) for number in range(20)]
            await until(lambda: hub.streams.total() == 20, "all are there")
            (channel,) = hub.channels.values()
            await until(lambda: all(viewer.is_live for viewer in channel.viewers), "all are live")
            assert not read
            await asyncio.to_thread(in_thread, lambda: reported.say("a", "b", "c"))
            assert await asyncio.gather(*tasks) == [[1, 2, 3]] * 20

    asyncio.run(watch())
    assert len(read) == 1
    assert sorted(rendered) == ["api", "page"]


def test_an_idle_hub_asks_the_database_nothing(
    reported: Reported, key_header: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "POSTGRES_SECONDS", 60.0)
    asked: list[object] = []
    ask = reading.ask

    async def count(question, *arguments):
        asked.append(question)
        return await ask(question, *arguments)

    async def watch() -> None:
        async with asyncio.timeout(20), serving() as (port, hub), opened(port, reported.api_path, key_header) as one:
            assert await anext(one.blocks()) == b":"
            await until(lambda: not hub._marked and not hub._news.is_set(), "the first look is done")
            await asyncio.sleep(2 * hub_module.PAUSE_SECONDS + sources.SQLITE_SECONDS)
            monkeypatch.setattr(reading, "ask", count)
            await asyncio.sleep(1)
        assert not asked

    asyncio.run(watch())


def test_a_line_is_seen_within_half_a_second(
    server: StreamServer, reported: Reported, key_header: dict[str, str]
) -> None:
    async def watch() -> list[float]:
        delays = []
        async with asyncio.timeout(20), opened(server.port, reported.api_path, key_header) as stream:
            assert await anext(stream.blocks()) == b":"
            for _ in range(5):
                last = await asyncio.to_thread(say_one, reported)
                began = time.monotonic()
                await gather_until(stream, last)
                delays.append(time.monotonic() - began)
        return delays

    assert min(asyncio.run(watch())) < 0.5  # the best of five: a busy machine is not what is tested


def say_one(reported: Reported) -> int:
    in_thread(lambda: reported.say("now"))
    return reported.run.line_count


def test_a_step_that_ends_while_it_is_watched_loses_and_doubles_nothing(
    server: StreamServer, tenant: Tenant, key_header: dict[str, str]
) -> None:
    run = make_run(make_flow(tenant), "running")

    def work() -> None:
        for step_number, spec in enumerate(run.version.parsed.steps):
            step = Step.begin(run, spec, position=step_number, attempt=1)
            for batch in range(60):
                lines = [Line(f"{batch} {place}", 1, "stdout", 1_700_000_000.0) for place in range(1 + batch % 7)]
                append(run, lines, step=step, token=run.token)
            seal(run, step)
            step.end("succeeded")
        Run.across_tenants.get(pk=run.pk).finish("succeeded", token=run.token)

    async def watch() -> list[int]:
        path = Reported(run).api_path
        reader = asyncio.create_task(read_to_end(server.port, path, key_header))
        await asyncio.to_thread(in_thread, work)
        return numbers(await reader)

    found = asyncio.run(watch())
    run.refresh_from_db()
    assert found == list(range(1, run.line_count + 1))


def test_a_filtered_stream_is_sent_its_lines_from_the_table_and_live(
    server: StreamServer, reported: Reported, cookie_header: dict[str, str]
) -> None:
    def say(first: int) -> None:
        for number in range(first, first + 60):
            reported.say(f"line {number}", level=number % 5)

    say(1)

    async def watch() -> list[int]:
        path = reported.page_path + "?level=error,critical"
        async with asyncio.timeout(20), opened(server.port, path, cookie_header) as stream:
            events = stream.events()
            found = (await anext(events)).lines
            await asyncio.to_thread(in_thread, lambda: say(61))
            await asyncio.to_thread(in_thread, reported.end)
            return found + numbers([event async for event in events])

    assert asyncio.run(watch()) == [number for number in range(1, 121) if number % 5 >= 3]


async def say_until(reported: Reported, look: Callable[[], object]) -> int:
    """Appends a line again and again until something has happened; a look under way may still find the first ones."""
    while not look():
        await asyncio.to_thread(in_thread, lambda: reported.say("x"))
        await asyncio.sleep(0.02)
    return reported.run.line_count


def test_a_database_that_fails_for_a_moment_costs_no_line(
    reported: Reported,
    key_header: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(hub_module, "RETRY_SECONDS", 0.05)
    failures: list[int] = []

    def fail(asked):
        failures.append(1)
        raise django.db.OperationalError("gone for a moment")

    async def watch() -> None:
        async with asyncio.timeout(20), serving() as (port, _), opened(port, reported.api_path, key_header) as one:
            assert await anext(one.blocks()) == b":"
            with monkeypatch.context() as broken:
                broken.setattr(reading, "read_news", fail)
                last = await say_until(reported, lambda: len(failures) > 1)
            assert await gather_until(one, last) == list(range(1, last + 1))

    with caplog.at_level(logging.WARNING, "runs_dashboard.live"):
        asyncio.run(watch())
    assert "gone for a moment" in caplog.text


def test_a_mistake_of_the_hub_sends_its_viewers_away_and_is_told(
    reported: Reported,
    key_header: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    expected_server_errors: list[list[str]],
) -> None:
    def fail(asked):
        raise ZeroDivisionError("a mistake")

    async def read(stream: Stream) -> list[str]:
        return [event.name async for event in stream.events()]

    async def watch() -> None:
        async with asyncio.timeout(20), serving() as (port, _):
            async with opened(port, reported.api_path, key_header) as stream:
                assert await anext(stream.blocks()) == b":"
                with monkeypatch.context() as broken:
                    broken.setattr(reading, "read_news", fail)
                    reader = asyncio.create_task(read(stream))
                    last = await say_until(reported, reader.done)
                    assert "end" not in await reader
            async with opened(port, reported.api_path, key_header) as stream:  # the next one starts it again
                assert await gather_until(stream, last) == list(range(1, last + 1))
                await asyncio.to_thread(in_thread, lambda: reported.say("b"))
                assert await gather_until(stream, last + 1) == [last + 1]

    asyncio.run(watch())
    assert "a mistake" in expected_server_errors[0][0]


def test_a_stream_ends_by_itself_and_the_client_comes_again(
    reported: Reported, key_header: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "LIFE_SECONDS", 0.3)
    monkeypatch.setattr(stream, "COMMENT_SECONDS", 0.05)
    reported.say("a")

    async def watch() -> None:
        async with asyncio.timeout(20), serving() as (port, _), opened(port, reported.api_path, key_header) as one:
            blocks = [block async for block in one.blocks()]
            assert blocks.count(b":") > 2
            assert [block for block in blocks if block.startswith(b"event")] == []

    asyncio.run(watch())


def test_a_viewer_who_wants_none_of_the_lines_is_not_left_in_silence(
    reported: Reported, cookie_header: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "COMMENT_SECONDS", 0.4)

    async def watch() -> None:
        path = f"{reported.page_path}?level=error"
        async with asyncio.timeout(20), serving() as (port, _), opened(port, path, cookie_header) as one:
            blocks = one.blocks()
            assert await anext(blocks) == b":"
            word = asyncio.ensure_future(anext(blocks))
            last = await say_until(reported, word.done)  # each line wakes the viewer up
            assert await word == b":"
            assert last > 1

    asyncio.run(watch())


def test_the_source_rests_when_nobody_watches(
    reported: Reported, key_header: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "REST_SECONDS", 0.1)

    async def watch() -> None:
        async with asyncio.timeout(20), serving() as (port, hub):
            for _ in range(2):
                async with opened(port, reported.api_path, key_header) as stream:
                    assert await anext(stream.blocks()) == b":"
                    assert len(hub._tasks) == 2
                await until(lambda: not hub._tasks, "it rests")

    asyncio.run(watch())


def test_a_listening_connection_that_is_lost_costs_no_line(
    server: StreamServer, reported: Reported, key_header: dict[str, str]
) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite is looked at, not listened to")

    def cut() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'")
            assert cursor.fetchall()

    async def watch() -> list[int]:
        async with asyncio.timeout(20), opened(server.port, reported.api_path, key_header) as stream:
            assert await anext(stream.blocks()) == b":"
            await asyncio.to_thread(in_thread, lambda: reported.say("a"))
            found = await gather_until(stream, 1)
            await asyncio.to_thread(in_thread, cut)
            await asyncio.to_thread(in_thread, lambda: reported.say("b"))
            return found + await gather_until(stream, 2)

    assert asyncio.run(watch()) == [1, 2]
