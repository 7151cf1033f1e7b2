"""The ASGI application in front of Django: it serves the streams, and passes everything else on.

Under Django each open stream would keep a thread (its middleware is synchronous). Here it keeps none.
"""

from __future__ import annotations

import asyncio
import io
import logging
import signal
import threading
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from django.core.handlers.asgi import ASGIRequest, get_script_prefix
from django.urls import Resolver404, ResolverMatch, resolve

from .access import WRONG_INPUT, Refused, Ticket, open_stream
from .answers import answer_refusal
from .hub import Hub, end_streams, get_hub
from .stream import HEADERS, follow

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    Scope = dict[str, Any]
    Receive = Callable[[], Awaitable[Mapping[str, Any]]]
    Send = Callable[[Mapping[str, Any]], Awaitable[None]]
    Application = Callable[[Scope, Receive, Send], Awaitable[None]]

SEND_SECONDS = 60.0  # a client that takes nothing for so long is cut off; it resumes by number
logger = logging.getLogger(__name__)


class Door:
    """`Door(application)` serves the streams itself; `application` is given all else."""

    def __init__(self, inner: Application) -> None:
        self.inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "http" and scope["method"] == "GET" and (found := _find(scope)) is not None:
            await _serve(scope, receive, send, found)
        else:
            await self.inner(scope, receive, send)


def _find(scope: Scope) -> ResolverMatch | None:
    path: str = scope["path"]
    if not path.endswith("/stream"):  # nearly every other request is past here
        return None
    try:
        return resolve(path.removeprefix(get_script_prefix(scope)), "runs_dashboard.live.urls")
    except Resolver404:
        return None


async def _serve(scope: Scope, receive: Receive, send: Send, found: ResolverMatch) -> None:
    hub, kind = get_hub(), found.kwargs["kind"]
    gone = asyncio.create_task(_wait_until_gone(receive))
    try:
        try:
            request = ASGIRequest(scope, io.BytesIO())
        except UnicodeDecodeError:
            raise Refused(WRONG_INPUT[kind], "The query is not UTF-8.", loc=("query",), kind="value_error") from None
        ticket = await open_stream(hub, request, kind, found.kwargs["uid"])
        sending = asyncio.create_task(_send_stream(hub, ticket, send, gone))
        try:
            await asyncio.wait([sending, gone], return_when=asyncio.FIRST_COMPLETED)
        finally:
            sending.cancel()
            await asyncio.wait([sending])
        if not sending.cancelled():
            sending.result()
    except Refused as refusal:
        headers, body = answer_refusal(refusal, kind)
        await _send_start(send, refusal.status, headers | {"Content-Length": str(len(body))})
        await send({"type": "http.response.body", "body": body})
    finally:
        gone.cancel()


async def _wait_until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass  # a GET's body, of which nobody wants to know


async def _send_start(send: Send, status: int, headers: dict[str, str]) -> None:
    encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})


async def _send_stream(hub: Hub, ticket: Ticket, send: Send, gone: asyncio.Task[None]) -> None:
    await _send_start(send, 200, HEADERS)
    try:
        async with aclosing(follow(hub, ticket)) as parts:
            async for part in parts:
                async with asyncio.timeout(SEND_SECONDS):
                    await send({"type": "http.response.body", "body": part, "more_body": True})
    except TimeoutError:
        # ASGI has no word for it, and an orderly end would wait for the client that takes nothing.
        transport = getattr(getattr(send, "__self__", None), "transport", None)  # uvicorn's socket
        if transport is None:
            raise
        logger.info("A live stream was cut off: its client took nothing for %g s.", SEND_SECONDS)
        transport.abort()
        await gone
    else:
        await send({"type": "http.response.body", "body": b""})


# --- the server's life ------------------------------------------------------------------------------------------------


async def _live(receive: Receive, send: Send) -> None:
    """ASGI's lifespan. Servers tell of their end only when all answers are sent, which streams are not: so the signal
    that ends the server ends the streams."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            get_hub()
            _end_streams_on_signals()
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            get_hub().close()
            await send({"type": "lifespan.shutdown.complete"})
            return


def _end_streams_on_signals() -> None:
    if threading.current_thread() is not threading.main_thread():
        return  # no signals here; who runs a server in a thread calls end_streams()
    for number in (signal.SIGTERM, signal.SIGINT):
        before = signal.getsignal(number)
        if callable(before):  # the server's own; it restores what was before it
            signal.signal(number, _both(before))


def _both(before: Callable[..., Any]) -> Callable[..., Any]:
    def handle(number: int, frame: Any) -> None:
        end_streams()
        before(number, frame)

    return handle
