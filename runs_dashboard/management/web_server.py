"""The web half: its address is taken first, then served by uvicorn until SIGTERM."""

from __future__ import annotations

import errno
import os
import resource
import signal
import socket
import time

from django.conf import settings

from ..query_time import bound_connections

MAX_CONNECTIONS = 4_096  # open at once, streams among them; more are answered 503
OPEN_FILES = 16_384
GRACEFUL_SECONDS = 3  # for requests on their way; open streams end then and come back by themselves
RELEASE_SECONDS = 2.0  # a dashboard that was killed a moment ago lets go of its port within this


class PortTaken(Exception):
    """The address cannot be listened on; the message says why."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises PortTaken."""
    until = time.monotonic() + RELEASE_SECONDS
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise PortTaken(f"There is no address {host!r} on this machine: {error.strerror}.") from error
    while True:
        door = socket.socket(family, kind, proto)
        try:
            door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            door.bind(address)
            door.listen(2_048)
        except OSError as error:
            door.close()
            if error.errno != errno.EADDRINUSE:
                raise PortTaken(f"Cannot listen on {host} port {port}: {error.strerror}.") from error
            if time.monotonic() > until:
                raise PortTaken(
                    f"Port {port} of {host} is taken by another program: end that, or choose another with --port."
                ) from error
            time.sleep(0.1)
        else:
            return door


def address_of(door: socket.socket) -> str:
    """Where the pages are, for people: `http://127.0.0.1:8000`."""
    host, port = door.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{host}:{port}"


def warm_up() -> None:
    """Imports what answers requests, so that a fork of this process has it already. Opens no connection."""
    import uvicorn.loops.auto
    import uvicorn.protocols.http.auto  # noqa: F401
    from django.urls import get_resolver

    from ..asgi import application  # noqa: F401

    get_resolver().check()  # reads all addresses, and so all views


def serve(door: socket.socket) -> None:
    """Answers requests until SIGTERM or SIGINT; then those on their way are finished."""
    import uvicorn

    bound_connections()  # in this process only: the worker's chores take their time
    settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    config = uvicorn.Config(
        "runs_dashboard.asgi:application",
        access_log=False,
        log_config=None,  # the settings' own
        log_level="warning",
        server_header=False,
        ws="none",
        # A client could name any address as its own; a proxy that is known says so by uvicorn's own variable.
        proxy_headers="FORWARDED_ALLOW_IPS" in os.environ,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=GRACEFUL_SECONDS,
    )
    # uvicorn raises the signal again once it has drained: an ended server is no killed one.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: None)
    uvicorn.Server(config).run(sockets=[door])
