"""File Downloads: the list, the file, who gets it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from runs_dashboard.models import Download, Status

from ..models.runs import actor, make_flow, make_run
from .reading import Page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.test import Client

    from runs_dashboard.models import Tenant, User


@pytest.fixture
def ready(tenant: Tenant, sue: User) -> Iterator[Download]:
    """A file that is made: three lines."""
    run = make_run(make_flow(tenant), Status.FAILED)
    download = Download.request(run, by=actor(sue), format="txt")
    download.path.parent.mkdir(parents=True, exist_ok=True)
    download.path.write_bytes(b"one\ntwo\n<script>\n")
    Download.across_tenants.filter(pk=download.pk).update(
        status="ready", size=17, sha256="ab" * 32, expires_at=timezone.now() + timedelta(days=7)
    )
    download.refresh_from_db()
    yield download
    download.path.unlink(missing_ok=True)


def test_a_file_is_given_whole_and_never_shown(client_of: Callable[[User], Client], sue: User, ready: Download) -> None:
    client = client_of(sue)
    page = Page(client.get("/downloads/"))
    response = client.get(page.links["Get file"])
    assert b"".join(response.streaming_content) == b"one\ntwo\n<script>\n"
    assert response.headers["Content-Disposition"].startswith("attachment; filename=")
    assert response.headers["Content-Length"] == "17"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "ab" * 32 in page.source


def test_the_list_asks_again_only_while_a_file_is_made(
    client_of: Callable[[User], Client], tenant: Tenant, sue: User, ready: Download
) -> None:
    client = client_of(sue)
    assert "hx-get" not in Page(client.get("/downloads/")).by_id("downloads").attrs  # type: ignore[union-attr]
    waiting = Download.request(make_run(make_flow(tenant)), by=actor(sue))
    assert "hx-get" in Page(client.get("/live/downloads/")).by_id("downloads").attrs  # type: ignore[union-attr]
    Download.across_tenants.filter(pk=waiting.pk).update(status="running", progress=3, last_line=10)
    page = Page(client.get("/live/downloads/"))
    assert (page.one("progress").attrs["value"], page.one("progress").attrs["max"]) == ("3", "10")


def test_a_part_of_the_file_is_given_so_that_a_browser_can_go_on(
    client_of: Callable[[User], Client], sue: User, ready: Download
) -> None:
    response = client_of(sue).get(f"/downloads/{ready.uuid}/", headers={"Range": "bytes=4-"})
    assert response.status_code == 206
    assert b"".join(response.streaming_content) == b"two\n<script>\n"
    assert client_of(sue).get(f"/downloads/{ready.uuid}/", headers={"Range": "bytes=99-"}).status_code == 416


def test_a_failed_or_expired_file_is_made_again_once(
    client_of: Callable[[User], Client], tenant: Tenant, sue: User
) -> None:
    run = make_run(make_flow(tenant), Status.FAILED)
    failed = Download.request(run, by=actor(sue), format="csv", is_raw=True, filters={"stream": "stderr"})
    Download.across_tenants.filter(pk=failed.pk).update(status="failed", error="The file could not be written.")
    client = client_of(sue)
    page = Page(client.get("/downloads/"))
    (form,) = [form for form in page.find("form") if form.attrs.get("action", "").endswith("/again/")]
    for _ in range(2):
        assert client.post(form.attrs["action"]).status_code == 302

    (again,) = Download.objects.of(tenant).exclude(pk=failed.pk)
    assert (again.format, again.is_raw, again.filters) == ("csv", True, {"stream": "stderr"})
    assert again.status == "queued"


def test_a_file_whose_run_is_gone_is_not_offered_again(
    client_of: Callable[[User], Client], tenant: Tenant, sue: User
) -> None:
    failed = Download.request(make_run(make_flow(tenant), Status.FAILED), by=actor(sue))
    Download.across_tenants.filter(pk=failed.pk).update(status="failed", error="The run was deleted.", run=None)
    assert "/again/" not in client_of(sue).get("/downloads/").content.decode()
    response = client_of(sue).post(f"/downloads/{failed.uuid}/again/", follow=True)
    assert "Its run is gone" in response.content.decode()


def test_the_list_says_which_part_a_file_holds_and_how_far_it_is(
    client_of: Callable[[User], Client], tenant: Tenant, sue: User
) -> None:
    download = Download.request(
        make_run(make_flow(tenant)), by=actor(sue), filters={"step": "load", "levels": ["error", "critical"]}
    )
    Download.across_tenants.filter(pk=download.pk).update(status="running", progress=37, last_line=100)
    said = client_of(sue).get("/downloads/").content.decode()
    assert "step load, error and up" in said
    assert "37 %" in said


def test_a_failed_download_says_why(client_of: Callable[[User], Client], tenant: Tenant, sue: User) -> None:
    download = Download.request(make_run(make_flow(tenant)), by=actor(sue))
    Download.across_tenants.filter(pk=download.pk).update(status="failed", error="There is no space left on the disk.")
    assert "There is no space left on the disk." in client_of(sue).get("/downloads/").content.decode()
    assert client_of(sue).get(f"/downloads/{download.uuid}/").status_code == 404


@pytest.mark.parametrize(("role", "status"), [("vic", 403), ("eve", 404), ("sue", 200), ("ada", 200)])
def test_files_are_for_those_who_may_download_them(
    client_of: Callable[[User], Client], ready: Download, request: pytest.FixtureRequest, role: str, status: int
) -> None:
    response = client_of(request.getfixturevalue(role)).get(f"/downloads/{ready.uuid}/")
    assert response.status_code == status
    response.close()


def test_another_tenants_files_are_not_listed(client_of: Callable[[User], Client], eve: User, ready: Download) -> None:
    assert str(ready.uuid) not in client_of(eve).get("/downloads/").content.decode()


def test_no_file_yet_says_where_they_come_from(client_of: Callable[[User], Client], sue: User) -> None:
    assert "press Download" in client_of(sue).get("/downloads/").content.decode()
