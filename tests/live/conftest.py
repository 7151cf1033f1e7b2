"""A server of streams on the tests' database, a run that an engine reports, and who may see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.test import Client

    from runs_dashboard.models import Tenant, User

    from .reported import Reported
    from .server import StreamServer


@pytest.fixture(scope="session")
def server(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StreamServer]:
    """Serves the tests' database as long as the session lasts; what it logs must be harmless."""
    from .server import StreamServer

    with StreamServer(tmp_path_factory.mktemp("live")) as running:
        yield running
    assert "Traceback" not in running.read_log(), running.read_log()


@pytest.fixture
def reported(transactional_db: None, tenant: Tenant) -> Reported:
    from .reported import Reported

    return Reported.make(tenant)


@pytest.fixture
def key_header(key_of: Callable[[User], str], vic: User) -> dict[str, str]:
    return {"Authorization": f"Bearer {key_of(vic)}"}


@pytest.fixture
def cookie_header(client_of: Callable[[User], Client], vic: User) -> dict[str, str]:
    from .reported import cookie_of

    return cookie_of(client_of(vic))


@pytest.fixture(scope="session")
def django_server(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StreamServer]:
    """The same without the door, by Django's own handler: its views serve the streams."""
    from .server import StreamServer

    with StreamServer(tmp_path_factory.mktemp("live"), application="tests.live.without_door:application") as running:
        yield running
    assert "Traceback" not in running.read_log(), running.read_log()


@pytest.fixture(params=["server", "django_server"])
def any_server(request: pytest.FixtureRequest) -> StreamServer:
    """Both ways in: what is asked of one holds for the other."""
    return request.getfixturevalue(request.param)
