"""Settings for the tests of the worker: a data folder of the test's own, and short times."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .programs import forget_zombies
from .web_servers import Handler, Server

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytest_django import Settings


@pytest.fixture
def quick(settings: Settings, tmp_path: Path) -> Settings:
    """The worker's times are a test's, its folder too."""
    settings.DATA_DIR = tmp_path
    settings.LEASE_SECONDS, settings.BEAT_SECONDS = 4.0, 0.2
    settings.STOP_GRACE_SECONDS = 0.5
    settings.DRAIN_SECONDS = 0.5
    return settings


@pytest.fixture(autouse=True)
def no_zombies_of_others() -> None:
    """What another test left behind is not this one's."""
    forget_zombies()


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(answer: Callable[[Handler], None], tls: ssl.SSLContext | None = None) -> Server:
        servers.append(Server(answer, tls))
        return servers[-1]

    yield start
    for server in servers:
        server.close()
