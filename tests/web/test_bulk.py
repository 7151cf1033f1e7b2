"""One act on the ticked runs of the list."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runs_dashboard.models import AuditEntry, Run, Status

from ..models.runs import make_flow, make_run
from .reading import Page

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client

    from runs_dashboard.models import Tenant, User


@pytest.fixture
def client(client_of: Callable[[User], Client], oli: User) -> Client:
    return client_of(oli)


def test_ticked_runs_are_stopped_and_the_others_said_why_not(client: Client, tenant: Tenant) -> None:
    flow = make_flow(tenant)
    waiting, running, ended = make_run(flow), make_run(flow, Status.RUNNING), make_run(flow, Status.SUCCEEDED)
    left = make_run(flow)
    form = {"act": "stop", "run": [waiting.uid, running.uid, ended.uid], "next": "/runs/?flow=orders", "key": "k"}
    response = client.post("/bulk/runs/", form, follow=True)
    assert response.redirect_chain == [("/runs/?flow=orders", 302)]
    text = response.content.decode()
    assert "2 runs told to stop." in text
    assert "1 not: The run has succeeded already." in text
    for run in (waiting, running, left):
        run.refresh_from_db()
    assert (waiting.status, running.is_stopping, left.status) == (Status.STOPPED, True, Status.QUEUED)


def test_a_bulk_retry_clicked_twice_is_one_retry_each(client: Client, tenant: Tenant) -> None:
    flow = make_flow(tenant)
    failed = [make_run(flow, Status.FAILED) for _ in range(2)]
    form = {"act": "retry", "run": [run.uid for run in failed], "key": "k"}
    for _ in range(2):
        assert "2 runs retried." in client.post("/bulk/runs/", form, follow=True).content.decode()
    assert sorted(Run.objects.of(tenant).exclude(retried_run=None).values_list("retried_run", flat=True)) == [
        run.pk for run in failed
    ]


def test_one_run_that_refuses_does_not_keep_the_others(client: Client, tenant: Tenant) -> None:
    flow = make_flow(tenant)
    live, failed = make_run(flow, Status.RUNNING), make_run(flow, Status.FAILED)
    client.post("/bulk/runs/", {"act": "retry", "run": [live.uid, failed.uid], "key": "k"})
    assert Run.objects.of(tenant).get(retried_run=failed)


@pytest.mark.parametrize("form", [{}, {"act": "delete", "run": ["x"]}, {"act": "stop"}, {"act": "stop", "run": "\0"}])
def test_nothing_ticked_or_an_unknown_act_does_nothing(client: Client, tenant: Tenant, form: dict[str, str]) -> None:
    make_run(make_flow(tenant))
    before = AuditEntry.objects.of(tenant).count()
    assert "Tick the runs" in client.post("/bulk/runs/", form, follow=True).content.decode()
    assert AuditEntry.objects.of(tenant).count() == before


def test_another_tenants_runs_are_left_alone(client_of: Callable[[User], Client], tenant: Tenant, eve: User) -> None:
    run = make_run(make_flow(tenant))
    client_of(eve).post("/bulk/runs/", {"act": "stop", "run": run.uid, "key": "k"})
    run.refresh_from_db()
    assert run.status == Status.QUEUED


@pytest.mark.parametrize(
    ("role", "act", "status"), [("vic", "review", 403), ("sue", "stop", 403), ("sue", "review", 302)]
)
def test_the_right_is_the_acts_own(
    client_of: Callable[[User], Client],
    tenant: Tenant,
    request: pytest.FixtureRequest,
    role: str,
    act: str,
    status: int,
) -> None:
    run = make_run(make_flow(tenant), Status.FAILED)
    client = client_of(request.getfixturevalue(role))
    assert client.post("/bulk/runs/", {"act": act, "run": run.uid}).status_code == status
    page = Page(client.get("/runs/"))
    assert bool(page.find("input", name="run")) == (role != "vic")
    assert ("Stop selected" in page.buttons) is False
