"""Django under ASGI with one change of thread a request.

Django's own handler begins a thread for each request and crosses between it and the event loop at every step that is
synchronous, as all our views and middleware are: a database connection can never be kept, and the crossings cost more
than the request of a small page. Here a request is answered from beginning to end in one of a few threads that stay.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.core.handlers.base import BaseHandler
from django.core.signals import request_started
from django.db import close_old_connections
from django.urls import set_script_prefix

from .query_time import limited

if TYPE_CHECKING:
    from collections.abc import Callable

THREADS = 16  # requests that are answered at once; more wait for their turn
# Threads take the interpreter from each other at every row that the database gives: sixteen at once take half as much
# CPU again as four. So four go at a time, and the others wait; but not long, should those four be slow ones.
SEATS = 4
SEAT_SECONDS = 0.25


class Handler(ASGIHandler):
    """The ASGI application of pages and API: their views and middleware are synchronous."""

    def __init__(self) -> None:
        BaseHandler.__init__(self)
        self.load_middleware(is_async=False)
        self.threads = ThreadPoolExecutor(THREADS, thread_name_prefix="request")
        self.seats = threading.Semaphore(SEATS)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.handle(scope, receive, send)

    async def handle(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        with body:
            response = await self.in_thread(self.answer, scope, body)
        if not response.streaming:
            await self.send_response(response, send)
            return
        sending = asyncio.create_task(self.send_response(response, send))
        gone = asyncio.create_task(receive())  # after the body there is nothing to hear but that the client has left
        try:
            await asyncio.wait([sending, gone], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, gone):
                task.cancel()
            await asyncio.wait([sending, gone])
            await self.in_thread(response.close)
        if not sending.cancelled():
            sending.result()

    async def in_thread(self, act: Callable[..., Any], *arguments: object) -> Any:
        """Calls it in one of the threads; what it sets for its request (zone, prefix) stays with the request."""
        run = contextvars.copy_context().run
        return await asyncio.get_running_loop().run_in_executor(self.threads, run, act, *arguments)

    def answer(self, scope: Any, body: Any) -> Any:
        """The answer to a request. It is closed already, unless it is a stream, which is left without a connection."""
        has_seat = self.seats.acquire(timeout=SEAT_SECONDS)
        try:
            return self.answer_now(scope, body)
        finally:
            if has_seat:
                self.seats.release()

    def answer_now(self, scope: Any, body: Any) -> Any:
        set_script_prefix(get_script_prefix(scope))
        request_started.send(sender=type(self), scope=scope)
        request, refusal = self.create_request(scope, body)
        with limited():
            response: Any = refusal if request is None else self.get_response(request)
        response._handler_class = type(self)
        if response.streaming:
            close_old_connections()
        else:
            response.close()
        return response
