"""The run list as CSV: exactly what the filter asks, in batches, safe in a spreadsheet, in the trail."""

from __future__ import annotations

import asyncio
import csv
import io
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from runs_dashboard.models import AuditEntry, Run, Status
from runs_dashboard.web import run_file

from ..models.runs import make_flow, make_run
from .making import make_history
from .reading import Page

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client

    from runs_dashboard.models import Tenant, User


@pytest.fixture
def client(client_of: Callable[[User], Client], vic: User) -> Client:
    return client_of(vic)


def read(client: Client, query: str = "") -> list[dict[str, str]]:
    answer = client.get(f"/export/runs.csv?{query}")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="runs-')
    return list(csv.DictReader(io.StringIO(answer.getvalue().decode(), newline="")))


def test_the_file_has_the_runs_of_the_list_and_no_others(client: Client, tenant: Tenant, other_tenant: Tenant) -> None:
    flow = make_flow(tenant)
    make_run(make_flow(other_tenant, "foreign"))
    make_run(flow)
    failed = make_run(flow, Status.FAILED, tags={"team": "blue"}, tracked=[("order_id", "4711"), ("shop", "eu")])
    address = Page(client.get("/runs/?status=failed&sort=started_at")).links["CSV of these runs"]
    assert address == "/export/runs.csv?status=failed&sort=started_at"
    (row,) = read(client, "status=failed")
    failed.refresh_from_db()
    assert (row["id"], row["flow"], row["status"], row["error"]) == (failed.uid, "orders", "failed", "boom")
    assert (row["tags"], row["tracked"]) == ("team:blue", "order_id=4711 shop=eu")
    assert row["took_ms"] == str(failed.took_ms)
    assert row["started_at"].endswith("Z")
    assert len(read(client)) == 2


def test_batches_join_in_either_order(client: Client, tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_file, "BATCH", 7)
    runs = [run.uid for run in make_history(make_flow(tenant), 28)]
    Run.across_tenants.filter(uid__in=runs[:15]).update(ordered_at=Run.across_tenants.get(uid=runs[0]).ordered_at)
    assert [row["id"] for row in read(client, "sort=started_at")] == runs
    assert [row["id"] for row in read(client)] == runs[::-1]


@pytest.mark.parametrize(("limit", "is_cut"), [(10, True), (12, False), (20, False)])
def test_a_file_that_is_cut_says_so(
    client: Client, tenant: Tenant, monkeypatch: pytest.MonkeyPatch, limit: int, is_cut: bool
) -> None:
    monkeypatch.setattr(run_file, "LIMIT", limit)
    monkeypatch.setattr(run_file, "BATCH", 4)
    make_history(make_flow(tenant), 12)
    rows = read(client)
    assert len([row for row in rows if row["status"]]) == min(limit, 12)
    assert rows[-1]["id"].startswith("Only the first 10 runs") == is_cut


def test_nothing_of_it_is_computed_by_a_spreadsheet(client: Client, tenant: Tenant) -> None:
    run = make_run(make_flow(tenant), Status.FAILED, tags={"=1+1": "x"}, tracked=[("@SUM(A1)", "y")])
    Run.across_tenants.filter(pk=run.pk).update(error="=cmd|' /C calc'!A0\nsecond, \"line\"", error_step="-2+3")
    (row,) = read(client)
    assert row["error"] == "'=cmd|' /C calc'!A0\nsecond, \"line\""
    assert (row["error_step"], row["tags"], row["tracked"]) == ("'-2+3", "'=1+1:x", "'@SUM(A1)=y")


def test_who_took_what_is_in_the_trail(client: Client, tenant: Tenant, vic: User) -> None:
    read(client, "status=failed&tag=team:blue")
    entry = AuditEntry.objects.of(tenant).get(action="run.list_download")
    assert (entry.actor, entry.detail) == (vic, {"query": "status:failed tag:team=blue"})


def test_a_filter_that_cannot_be_read_leads_to_the_page_that_says_so(client: Client, tenant: Tenant) -> None:
    answer = client.get("/export/runs.csv?status=broken")
    assert answer.headers["Location"] == "/runs/?status=broken"
    assert not AuditEntry.objects.of(tenant).exists()


def test_a_batch_asks_three_questions(client: Client, tenant: Tenant) -> None:
    make_history(make_flow(tenant), 30)
    with CaptureQueriesContext(connection) as few:
        b"".join(run_file.write_csv(Run.objects.of(tenant)))
    assert len(few) == 3


def test_the_server_sends_it_batch_by_batch(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    pieces = iter([b"a", b"b"])
    monkeypatch.setattr(run_file, "write_csv", lambda runs, is_newest_first: pieces)
    monkeypatch.setattr(run_file.connections, "close_all", lambda: None)  # the test's own connection stays

    async def collect() -> list[bytes]:
        return [piece async for piece in run_file.write_csv_async(Run.objects.of(tenant))]

    assert asyncio.run(collect()) == [b"a", b"b"]
