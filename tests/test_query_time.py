"""A question that takes the database too long is ended, and its asker told what would help."""

from __future__ import annotations

import time
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest
from django.core.handlers.asgi import ASGIRequest
from django.db import OperationalError, connection, transaction
from django.http import HttpResponse

from runs_dashboard import query_time
from runs_dashboard.handler import Handler
from runs_dashboard.models import Run
from runs_dashboard.query_time import SENTENCE, is_too_long, limited

from .web.reading import Page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.test import Client

    from runs_dashboard.models import User

LONG = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c"
ENDLESS = {
    "sqlite": f"{LONG}) SELECT count(*) FROM c",
    "postgresql": "SELECT pg_sleep(60)",
}


@pytest.fixture
def bound(db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The test's connection as one of a server has it, with a tenth of a second."""
    monkeypatch.setattr(query_time, "QUERY_SECONDS", 0.1)
    monkeypatch.setattr(query_time, "LOOK_STEPS", 1_000)
    connection.ensure_connection()
    query_time._bound(connection)
    yield
    if connection.vendor == "sqlite":
        connection.connection.set_progress_handler(None, 0)
    else:
        with connection.cursor() as cursor:
            cursor.execute("RESET statement_timeout")


def ask(statement: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


def test_an_endless_question_is_ended_and_the_next_one_is_answered(bound: None, tenant: Any) -> None:
    began = time.monotonic()
    with limited(), pytest.raises(OperationalError) as raised, transaction.atomic():
        ask(ENDLESS[connection.vendor])
    assert is_too_long(raised.value)
    assert time.monotonic() - began < 30
    with limited():
        assert list(Run.objects.of(tenant)) == []


def test_outside_of_a_request_sqlite_is_not_ended(bound: None) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL's limit is of the process that serves")
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 3000000) SELECT count(*) FROM c"
        )
        assert cursor.fetchone() == (3_000_000,)


def test_other_troubles_of_the_database_are_no_long_questions() -> None:
    assert not is_too_long(OperationalError("database is locked"))
    assert not is_too_long(ValueError("interrupted"))


def fail(*_: Any, **__: Any) -> None:
    raise OperationalError("interrupted")


def test_a_page_says_what_would_help(
    client_of: Callable[[User], Client], vic: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runs_dashboard.web.views.runs.cut_page", fail)
    response = client_of(vic).get("/runs/?level=error&search=%3Cb%3E")
    page = Page(response)
    assert response.status_code == 422
    assert SENTENCE in page.text
    assert page.links["Of the last 24 hours"] == "/runs/?level=error&search=%3Cb%3E&started_after=24h"


def test_a_program_is_told_in_the_shape_of_all_errors(
    client_of: Callable[[User], Client], vic: User, key_of: Callable[[User], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runs_dashboard.api.flow_runs.filter_runs", fail)
    answer = client_of(vic).get("/api/v1/flow-runs", headers={"authorization": f"Bearer {key_of(vic)}"})
    assert answer.status_code == 422
    assert answer.json() == {"detail": [{"loc": ["query"], "msg": SENTENCE, "type": "too_long"}]}


def test_every_request_that_is_served_has_a_deadline(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def look(self: Handler, request: ASGIRequest) -> HttpResponse:
        seen.append(query_time._deadline.at - time.monotonic())
        return HttpResponse()

    monkeypatch.setattr(Handler, "get_response", look)
    Handler().answer_now({"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}, BytesIO())
    assert 10 < seen[0] <= query_time.QUERY_SECONDS
    assert query_time._deadline.at is None
