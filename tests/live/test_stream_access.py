"""Who may open a stream, and what everybody else is told."""

import asyncio
import json
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from runs_dashboard.live import stream
from runs_dashboard.models import Actor, ApiKey, Membership, Status, User

from .client import Stream, numbers, opened, read_to_end
from .inside import serving, until
from .reported import Reported, cookie_of, in_thread
from .server import StreamServer

pytestmark = pytest.mark.usefixtures("transactional_db")
NOT_FOUND = {"loc": ["path"], "msg": "There is no such object.", "type": "not_found"}


def ask(server: StreamServer, path: str, headers: dict[str, str] | None = None) -> tuple[int, dict[str, str], bytes]:
    async def read() -> tuple[int, dict[str, str], bytes]:
        async with asyncio.timeout(20), opened(server.port, path, headers) as answer:
            body = await answer.body() if answer.status != 200 else b""
            return answer.status, answer.headers, body

    return asyncio.run(read())


def test_the_routes_have_names(reported: Reported) -> None:
    assert reverse("run_log_stream", args=[reported.run.uid]) == reported.page_path
    assert reverse("api_run_log_stream", args=[reported.run.uid]) == reported.api_path


def test_a_stream_says_that_it_must_not_be_kept_or_changed(
    any_server: StreamServer, reported: Reported, key_header: dict[str, str]
) -> None:
    status, headers, _ = ask(any_server, reported.api_path, key_header | {"Accept-Encoding": "gzip, br"})

    assert status == 200
    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    assert headers["cache-control"] == "no-cache, no-transform"
    assert headers["x-accel-buffering"] == "no"
    assert headers["x-content-type-options"] == "nosniff"
    assert "content-encoding" not in headers


def test_without_a_valid_key_the_api_says_401(any_server: StreamServer, reported: Reported) -> None:
    for headers in ({}, {"Authorization": "Bearer rd_12345678wrong"}, {"Authorization": "nonsense"}):
        status, received, body = ask(any_server, reported.api_path, headers)
        assert status == 401
        assert received["www-authenticate"].startswith("Bearer")
        (problem,) = json.loads(body)["detail"]
        assert problem["loc"] == ["header", "Authorization"]


def test_a_session_is_no_key_and_a_key_no_session(
    any_server: StreamServer, reported: Reported, key_header: dict[str, str], cookie_header: dict[str, str]
) -> None:
    assert ask(any_server, reported.api_path, cookie_header)[0] == 401
    assert ask(any_server, reported.page_path, key_header)[0] == 403


def test_not_signed_in_the_page_stream_is_refused(any_server: StreamServer, reported: Reported) -> None:
    for headers in ({}, {"Cookie": "sessionid=abcdefghijklmnopqrstuvwxyz012345"}):
        assert ask(any_server, reported.page_path, headers)[0] == 403


def test_the_bare_key_is_taken_too(any_server: StreamServer, reported: Reported, key_header: dict[str, str]) -> None:
    bare = {"Authorization": key_header["Authorization"].removeprefix("Bearer ")}
    assert ask(any_server, reported.api_path, bare)[0] == 200


def test_another_tenants_run_is_not_there(
    any_server: StreamServer,
    reported: Reported,
    eve: User,
    key_of: Callable[[User], str],
    client_of: Callable[[User], Client],
) -> None:
    key = {"Authorization": f"Bearer {key_of(eve)}"}
    cookie = cookie_of(client_of(eve))

    foreign = ask(any_server, reported.api_path, key)
    unknown = ask(any_server, reported.api_path.replace(reported.run.uid, "no-such-run"), key)

    assert foreign[0] == unknown[0] == 404
    assert foreign[2] == unknown[2]
    assert json.loads(foreign[2]) == {"detail": [NOT_FOUND]}
    assert ask(any_server, reported.page_path, cookie)[0] == 404
    assert ask(any_server, reported.page_path.replace(reported.run.uid, "no%00such"), cookie)[0] == 404


WRONG_NUMBERS = ["-1", "1.5", "x", "٣", "9" * 19, "1e3", "%00"]


@pytest.mark.parametrize("given", [*WRONG_NUMBERS, ""])
def test_a_wrong_line_number_is_refused(
    any_server: StreamServer,
    reported: Reported,
    given: str,
    key_header: dict[str, str],
    cookie_header: dict[str, str],
) -> None:
    query = "?after=" + given.replace("٣", "%D9%A3")
    status, _, body = ask(any_server, reported.api_path + query, key_header)
    assert (status, json.loads(body)["detail"][0]["loc"]) == (422, ["query", "after"])
    resumed = ask(any_server, reported.api_path + query, key_header | {"Last-Event-ID": "1"})[0]
    assert resumed == 422, "a mistake is one although the header counts"
    assert ask(any_server, reported.page_path + query, cookie_header)[0] == 400


@pytest.mark.parametrize("given", ["-1", "abc", "9" * 19])
def test_a_wrong_last_event_id_is_refused(
    any_server: StreamServer,
    reported: Reported,
    given: str,
    key_header: dict[str, str],
    cookie_header: dict[str, str],
) -> None:
    last = {"Last-Event-ID": given}
    status, _, body = ask(any_server, reported.api_path, key_header | last)
    assert (status, json.loads(body)["detail"][0]["loc"]) == (422, ["header", "Last-Event-ID"])
    assert ask(any_server, reported.page_path, cookie_header | last)[0] == 400


def test_other_wrong_input_is_refused(
    any_server: StreamServer, reported: Reported, key_header: dict[str, str], cookie_header: dict[str, str]
) -> None:
    assert ask(any_server, reported.api_path + "?colour=red", key_header)[0] == 422
    assert ask(any_server, reported.page_path + "?level=loud", cookie_header)[0] == 400
    assert ask(any_server, reported.page_path + "?level=error,warning&level=info", cookie_header)[0] == 200
    assert ask(any_server, reported.page_path + "?" + "a=1&" * 2_001, cookie_header)[0] == 400
    assert ask(any_server, reported.page_path + "?after=1&q=%ff", cookie_header)[0] == 200


def test_another_sites_page_may_not_read(
    any_server: StreamServer, reported: Reported, cookie_header: dict[str, str]
) -> None:
    own = f"http://127.0.0.1:{any_server.port}"
    expected = {own: 200, "https://evil.example": 403, "null": 403, own.replace("http", "https"): 403, own + "0": 403}

    for origin, status in expected.items():
        found, headers, _ = ask(any_server, reported.page_path, cookie_header | {"Origin": origin})
        assert found == status, origin
        assert "access-control-allow-origin" not in headers


def test_a_host_that_is_not_ours_is_refused(
    server: StreamServer, reported: Reported, key_header: dict[str, str], cookie_header: dict[str, str]
) -> None:
    assert ask(server, reported.api_path, key_header | {"Host": "evil.example"})[0] == 400
    assert ask(server, reported.page_path, cookie_header | {"Host": "evil.example"})[0] == 400


def test_only_get_opens_a_stream(any_server: StreamServer, reported: Reported, client: Client) -> None:
    assert client.post(reported.page_path).status_code == 405
    assert client.delete(reported.api_path).status_code == 405
    assert client.delete(reported.api_path).json()["detail"][0]["type"] == "method_not_allowed"


def test_the_last_event_id_is_newer_than_the_address(
    any_server: StreamServer, reported: Reported, key_header: dict[str, str]
) -> None:
    reported.say_many(20)
    reported.end()

    resumed = key_header | {"Last-Event-ID": "15"}
    events = asyncio.run(read_to_end(any_server.port, reported.api_path + "?after=3", resumed))

    assert numbers(events) == [16, 17, 18, 19, 20]


# --- while the stream is open --------------------------------------------------------------------


def revoke(user: User) -> None:
    for key in ApiKey.across_tenants.filter(user=user):
        key.revoke(by=Actor(user=user))


def expire(user: User) -> None:
    ApiKey.across_tenants.filter(user=user).update(expires_at=timezone.now() - timedelta(seconds=1))


def sign_out(user: User) -> None:
    SessionStore(session_key=SESSIONS[user.pk]).delete()


def change_password(user: User) -> None:
    user.set_password("another long password")
    user.save()


def deactivate(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


def dismiss(user: User) -> None:
    Membership.across_tenants.filter(user=user).delete()


SESSIONS: dict[int, str] = {}


@pytest.mark.parametrize(
    ("dialect", "lose"),
    [
        ("api", revoke),
        ("api", expire),
        ("api", deactivate),
        ("api", dismiss),
        ("page", sign_out),
        ("page", change_password),
        ("page", deactivate),
        ("page", dismiss),
    ],
)
def test_a_stream_ends_when_the_right_to_see_is_gone(
    reported: Reported,
    dialect: str,
    lose: Callable[[User], None],
    vic: User,
    key_header: dict[str, str],
    cookie_header: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stream, "CHECK_SECONDS", 0.05)
    monkeypatch.setattr(stream, "COMMENT_SECONDS", 0.05)
    SESSIONS[vic.pk] = cookie_header["Cookie"].removeprefix("sessionid=")
    path = reported.page_path if dialect == "page" else reported.api_path

    async def watch() -> None:
        headers = cookie_header if dialect == "page" else key_header
        async with asyncio.timeout(20), serving() as (port, _), opened(port, path, headers) as answer:
            blocks = answer.blocks()
            for _ in range(10):  # with the right it goes on
                assert await anext(blocks) == b":"
            await asyncio.to_thread(in_thread, lambda: lose(vic))
            async for block in blocks:
                assert block == b":"  # and without it ends, but not as a run does

    asyncio.run(watch())


def test_there_is_a_number_of_streams_for_a_user_and_for_all(
    reported: Reported, key_header: dict[str, str], oli: User, key_of: Callable[[User], str], settings
) -> None:
    settings.LIVE_STREAMS_PER_USER, settings.LIVE_STREAMS = 2, 3
    other = {"Authorization": f"Bearer {key_of(oli)}"}

    async def watch() -> None:
        async with asyncio.timeout(20), serving() as (port, hub), AsyncExitStack() as stack:

            async def open_one(headers: dict[str, str]) -> Stream:
                return await stack.enter_async_context(opened(port, reported.api_path, headers))

            for headers in (key_header, key_header):
                assert await anext((await open_one(headers)).blocks()) == b":"
            refused = await open_one(key_header)
            assert refused.status == 429
            assert int(refused.headers["retry-after"]) > 0
            assert json.loads(await refused.body())["detail"][0]["type"] == "too_many_requests"
            assert await anext((await open_one(other)).blocks()) == b":"
            refused = await open_one(other)
            assert refused.status == 503
            assert int(refused.headers["retry-after"]) > 0
            await stack.aclose()
            await until(lambda: not hub.streams, "the streams that were left count no more")
            assert (await open_one(key_header)).status == 200

    asyncio.run(watch())


def test_a_deleted_run_ends_its_streams(reported: Reported, key_header: dict[str, str]) -> None:
    from tests.models.runs import ENGINE

    async def watch() -> list[str]:
        async with asyncio.timeout(20), serving() as (port, _), opened(port, reported.api_path, key_header) as answer:
            await asyncio.to_thread(in_thread, lambda: delete(reported))
            return [event.name async for event in answer.events()]

    def delete(reported: Reported) -> None:
        reported.end(Status.FAILED)
        reported.run.delete_whole(by=ENGINE)

    assert asyncio.run(watch()) in ([], ["end"])
