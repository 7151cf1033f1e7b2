"""The door served by uvicorn within the test's own event loop, so that a test can look at the hub."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import uvicorn

from runs_dashboard.asgi import application
from runs_dashboard.live.hub import Hub, get_hub

from ..postgres import free_port


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[int, Hub]]:
    """The port that it listens on, and its hub."""
    port = free_port()
    config = uvicorn.Config(application, host="127.0.0.1", port=port, log_level="warning", ws="none", lifespan="on")
    config.timeout_graceful_shutdown = 5
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    try:
        await until(lambda: server.started, "the server has started")
        yield port, get_hub()
    finally:
        get_hub().close()
        server.should_exit = True
        await task


async def until(look: Callable[[], object], what: str, seconds: float = 10.0) -> None:
    try:
        async with asyncio.timeout(seconds):
            while not look():
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError(f"not within {seconds} s: {what}") from None
