"""No more of a body is taken than a view would read, whatever its header says of its length."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from runs_dashboard.body_limit import BodyLimit

if TYPE_CHECKING:
    from pytest_django import Settings

LIMIT = 100


@pytest.fixture(autouse=True)
def small_limit(settings: Settings) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = LIMIT


def take(*pieces: bytes, length: str | None = None) -> tuple[bytes, dict[str, Any], int]:
    """What an application gets of a body in pieces, what it hears after that, and how many pieces were fetched."""
    fetched = 0
    got: list[Any] = []

    async def receive() -> dict[str, Any]:
        nonlocal fetched
        if fetched == len(pieces):
            return {"type": "http.disconnect"}
        fetched += 1
        return {"type": "http.request", "body": pieces[fetched - 1], "more_body": fetched < len(pieces)}

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            assert message["type"] == "http.request"
            body += message["body"]
            if not message["more_body"]:
                break
        got.extend([body, fetched, await receive()])

    headers = [(b"content-length", length.encode())] if length is not None else []
    asyncio.run(BodyLimit(inner)({"type": "http", "headers": headers}, receive, None))
    return got[0], got[2], got[1]


GONE = {"type": "http.disconnect"}


def test_a_body_within_the_limit_passes_whole() -> None:
    assert take(b"a" * 60, b"b" * 40) == (b"a" * 60 + b"b" * 40, GONE, 2)
    assert take(b"", length="0") == (b"", GONE, 1)


def test_a_body_without_a_length_ends_one_byte_beyond_the_limit() -> None:
    body, after, fetched = take(*[b"a" * 60] * 50)

    assert (len(body), fetched) == (LIMIT + 1, 2)
    assert after == GONE, "and what follows is thrown away"


@pytest.mark.parametrize("length", [str(LIMIT + 1), "99999999999", "9" * 5_000])
def test_a_body_that_says_it_is_too_long_is_not_read_at_all(length: str) -> None:
    assert take(b"a" * 60, b"b" * 60, length=length) == (b"", GONE, 0)


def test_a_length_that_is_none_or_a_lie_changes_nothing() -> None:
    assert take(b"a", length="x") == (b"a", GONE, 1)
    assert len(take(*[b"a" * 60] * 50, length="10")[0]) == LIMIT + 1
