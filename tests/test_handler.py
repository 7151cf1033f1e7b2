"""The ASGI handler: a request is answered in one thread from beginning to end, and a stream holds nothing."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.decorators import login_not_required
from django.db import connection, connections
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path
from django.utils import timezone

from runs_dashboard.handler import SEATS, Handler
from runs_dashboard.urls import urlpatterns as product_urls

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pytest_django.fixtures import SettingsWrapper

pytestmark = pytest.mark.django_db(transaction=True)
seen: dict[str, Any] = {}


@login_not_required
def tell(request: HttpRequest) -> HttpResponse:
    """Which thread and connection answer, and in which zone."""
    connection.ensure_connection()
    told = f"{threading.get_ident()} {id(connection.connection)} {timezone.get_current_timezone_name()}"
    timezone.activate("Asia/Tokyo")
    return HttpResponse(f"{told} {len(request.body)}")


@login_not_required
def stream(request: HttpRequest) -> StreamingHttpResponse:
    connection.ensure_connection()
    seen["connection"] = connection.connection

    async def parts() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"part"
                await asyncio.sleep(0.001)
        finally:
            seen["ended"] = True

    return StreamingHttpResponse(parts())


@login_not_required
def fail(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("on purpose")


urlpatterns = [path("tell", tell), path("stream", stream), path("fail", fail), *product_urls]


@pytest.fixture
def handler(settings: SettingsWrapper) -> Handler:
    settings.ROOT_URLCONF = __name__
    handler = Handler()
    handler.threads = ThreadPoolExecutor(1)  # of several, any may take the next request
    return handler


class Client:
    """One request to an ASGI application; `leave_after` messages the client goes away."""

    def __init__(self, body: bytes = b"", leave_after: int | None = None) -> None:
        self.body, self.leave_after = body, leave_after
        self.sent: list[dict[str, Any]] = []
        self.asked = 0
        self.is_gone = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        self.asked += 1
        if self.asked == 1:
            return {"type": "http.request", "body": self.body, "more_body": False}
        await self.is_gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)
        if self.leave_after is not None and len(self.sent) >= self.leave_after:
            self.is_gone.set()

    async def ask(self, handler: Handler, address: str) -> tuple[int, bytes]:
        scope = {"type": "http", "method": "GET", "path": address, "headers": [(b"host", b"localhost")]}
        await handler({**scope, "query_string": b"", "root_path": ""}, self.receive, self.send)
        return self.sent[0]["status"], b"".join(message.get("body", b"") for message in self.sent[1:])


async def ask(handler: Handler, address: str, **given: Any) -> tuple[int, bytes]:
    return await Client(**given).ask(handler, address)


def run(handler: Handler, coroutine: Any) -> Any:
    """Runs it, then ends the handler's threads with their connections."""

    async def act() -> Any:
        try:
            return await coroutine
        finally:
            await handler.in_thread(connections.close_all)
            handler.threads.shutdown()

    return asyncio.run(act())


def test_requests_in_turn_share_a_thread_and_leave_nothing_to_the_next(
    handler: Handler, settings: SettingsWrapper
) -> None:
    async def ask_twice() -> list[tuple[int, bytes]]:
        return [await ask(handler, "/tell", body=b"12345") for _ in range(2)]

    (status, first), (_, second) = run(handler, ask_twice())

    thread, _, zone, size = first.decode().split()
    assert (status, zone, size) == (200, "UTC", "5")
    assert second.decode().split()[2] == "UTC"
    assert int(thread) != threading.get_ident()
    if connection.vendor == "sqlite":
        assert first == second, "the thread opened its database again"


def test_a_stream_ends_when_its_client_leaves_and_holds_no_pooled_connection(handler: Handler) -> None:
    status, content = run(handler, ask(handler, "/stream", leave_after=5))

    assert (status, content[:8]) == (200, b"partpart")
    assert seen.pop("ended")
    held = seen.pop("connection")
    assert connection.vendor == "sqlite" or held.closed or held.pgconn.transaction_status == 0


def test_a_body_too_large_for_memory_is_read_from_its_file(handler: Handler) -> None:
    assert run(handler, ask(handler, "/tell", body=b"1" * 3_000_000))[1].endswith(b" 3000000")


@pytest.mark.usefixtures("expected_server_errors")
def test_a_mistake_of_ours_is_a_500_and_the_next_request_is_answered(handler: Handler) -> None:
    async def ask_both() -> list[int]:
        return [(await ask(handler, address))[0] for address in ("/fail", "/tell")]

    assert run(handler, ask_both()) == [500, 200]


def test_slow_requests_hold_nobody_up_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runs_dashboard.handler.SEAT_SECONDS", 0.05)
    handler = Handler()
    ended, slow = threading.Event(), threading.Barrier(SEATS + 1)

    def answer(scope: str, body: object) -> str:
        if scope == "slow":
            slow.wait(10)
            ended.wait(10)
        return scope

    monkeypatch.setattr(handler, "answer_now", answer)
    with ThreadPoolExecutor(SEATS) as threads:
        answers = [threads.submit(handler.answer, "slow", None) for _ in range(SEATS)]
        slow.wait(10)
        assert handler.answer("quick", None) == "quick"  # all seats are taken
        ended.set()
        assert [one.result(10) for one in answers] == ["slow"] * SEATS
    assert all(handler.seats.acquire(blocking=False) for _ in range(SEATS))
    assert not handler.seats.acquire(blocking=False)
