"""ASGI: of no request is more of the body taken than any view would read.

Django writes a body to the disk, whole, before it looks at who sends it. Here it ends one byte beyond the limit, at
which the reading code answers 413; what follows is taken off the line and thrown away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    Message = Mapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Application = Callable[[dict[str, Any], Receive, Any], Awaitable[None]]


class BodyLimit:
    """`BodyLimit(application)`: its requests' bodies have at most settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1 bytes."""

    def __init__(self, inner: Application) -> None:
        self.inner = inner

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Any) -> None:
        await self.inner(scope, Bounded(scope, receive) if scope["type"] == "http" else receive, send)


class Bounded:
    """A request's `receive`. A body that says in its header that it is too long is not read at all."""

    def __init__(self, scope: dict[str, Any], receive: Receive) -> None:
        self.receive = receive
        self.left = settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1
        self.is_over = False
        length = dict(scope["headers"]).get(b"content-length", b"")
        if length.isdigit() and (len(length) > 18 or int(length) >= self.left):
            self.left = 0

    async def __call__(self) -> Message:
        if self.left == 0 and not self.is_over:
            self.is_over = True
            return {"type": "http.request", "body": b"", "more_body": False}
        message = await self.receive()
        while self.is_over and message["type"] == "http.request":  # only the end of the connection is of interest now
            message = await self.receive()
        if message["type"] == "http.request":
            body = message.get("body", b"")[: self.left]
            self.left -= len(body)
            self.is_over = not message.get("more_body", False) or self.left == 0
            message = {"type": "http.request", "body": body, "more_body": not self.is_over}
        return message
