"""A retry of a reported run: its engine is asked, by a signed call that is repeated until it is taken or given up."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from runs_dashboard.execution import connection
from runs_dashboard.execution.retry_calls import call_next
from runs_dashboard.models import (
    LeaseLost,
    LogView,
    Report,
    ReportedLine,
    RetryCall,
    RetryRefused,
    Run,
    Status,
    WebhookSecret,
)
from runs_dashboard.models.retry_call import BACKOFF
from runs_dashboard.text.intake import Line

from ..models.runs import ENGINE, make_flow
from .web_servers import send

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_django import Settings

    from runs_dashboard.models import Flow, Tenant

    from .web_servers import Handler, Server

SECRET = "the flow's own secret"


@pytest.fixture(autouse=True)
def may_call_this_machine(settings: Settings) -> None:
    settings.HTTP_ALLOW = "127.0.0.1"


def make_engines_flow(tenant: Tenant, url: str, extra: str = "") -> Flow:
    flow = make_flow(tenant, "reported", steps="  []", extra=f"retry_webhook: {url}\n{extra}")
    WebhookSecret.make(flow, by=ENGINE, secret=SECRET)
    return flow


def report_failed(flow: Flow) -> Run:
    report = Report(phase="failed", error="boom", columns={"args": {"day": "monday"}})
    return Run.report_new(flow=flow, uid="old-1", by=ENGINE, report=report)


def make_due(run: Run) -> None:
    RetryCall.across_tenants.filter(run=run).update(next_at=timezone.now() - timedelta(seconds=1))


def read_log(run: Run) -> list[str]:
    return [entry.message for entry in LogView(run).after(0, limit=50)]


def answering(*statuses: int, **headers: str) -> Callable[[Handler], None]:
    """A server's answers, the last one again and again."""
    left = list(statuses)

    def answer(handler: Handler) -> None:
        send(handler, left.pop(0) if len(left) > 1 else left[0], **headers)

    return answer


def test_the_engine_is_asked_and_the_new_run_waits_for_its_reports(
    tenant: Tenant,
    serve: Callable[..., Server],
) -> None:
    server = serve(answering(202))
    flow = make_engines_flow(tenant, f"{server.url}/retry?token=hidden", "heartbeat_timeout: 60")
    old = report_failed(flow)

    new = old.retry(by=ENGINE, start_at="failed")
    assert (new.status, new.is_external, new.trigger, new.retried_run) == (Status.QUEUED, True, "retry", old)
    assert Run.across_tenants.claim(worker="w1") is None
    assert call_next("w1")
    assert not call_next("w1")

    ((method, path, headers, body),) = server.seen
    assert (method, path) == ("POST", "/retry?token=hidden")
    assert json.loads(body) == {"run": new.uid, "retryOf": "old-1", "args": {"day": "monday"}, "from": "failed"}
    signed = f"{headers['x-timestamp']}.".encode() + body
    expected = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    assert headers["x-signature-256"] == f"sha256={expected}"
    new.refresh_from_db()
    assert new.status == Status.QUEUED
    assert new.silent_after is not None
    assert "The engine was asked to retry" in read_log(new)[0]
    assert "hidden" not in read_log(new)[0]
    assert new.audit.filter(action="run.retry_call").count() == 1


def test_the_engines_whole_log_is_taken_beside_our_own_lines(
    tenant: Tenant,
    serve: Callable[..., Server],
) -> None:
    new = report_failed(make_engines_flow(tenant, serve(answering(200)).url)).retry(by=ENGINE)
    assert call_next("w1")
    lines = [ReportedLine(Line(text, 1, None, 1_700_000_000.0)) for text in ("one", "two", "three")]

    new.take_report(Report(phase="running", lines=lines[:2]), by=ENGINE)
    new.take_report(Report(phase="succeeded", lines=lines), by=ENGINE)

    assert read_log(new)[1:] == ["one", "two", "three"]


def test_an_engine_that_does_not_answer_well_is_asked_again(
    tenant: Tenant,
    serve: Callable[..., Server],
) -> None:
    server = serve(answering(503, 200))
    new = report_failed(make_engines_flow(tenant, server.url)).retry(by=ENGINE)

    assert call_next("w1")
    assert not call_next("w1"), "not before its time"
    make_due(new)
    assert call_next("w1")

    assert len(server.seen) == 2
    said = read_log(new)
    assert "503. It is tried again in 10 s." in said[0]
    assert "200" in said[1]


def test_after_the_last_time_the_run_fails_and_says_why(
    tenant: Tenant,
    serve: Callable[..., Server],
) -> None:
    server = serve(answering(500))
    new = report_failed(make_engines_flow(tenant, server.url)).retry(by=ENGINE)

    for _ in range(len(BACKOFF) + 1):
        make_due(new)
        assert call_next("w1")

    new.refresh_from_db()
    assert len(server.seen) == len(BACKOFF) + 1
    assert new.status == Status.FAILED
    assert "could not be asked to retry" in new.error
    assert "500" in new.error
    assert new.error in read_log(new)
    assert not RetryCall.across_tenants.filter(next_at__isnull=False).exists()
    assert new.audit.get(action="run.failed").actor_name == "worker"


@pytest.mark.parametrize("status", [307, 400, 404])
def test_an_answer_that_will_not_change_ends_it_at_once(
    tenant: Tenant,
    serve: Callable[..., Server],
    status: int,
) -> None:
    server = serve(answering(status, Location="/elsewhere"))
    new = report_failed(make_engines_flow(tenant, server.url)).retry(by=ENGINE)

    assert call_next("w1")

    new.refresh_from_db()
    assert (new.status, len(server.seen)) == (Status.FAILED, 1)
    assert str(status) in new.error


def test_an_address_that_may_not_be_reached_ends_it_at_once(
    tenant: Tenant,
    serve: Callable[..., Server],
    settings: Settings,
) -> None:
    settings.HTTP_ALLOW = ""
    server = serve(answering(200))
    new = report_failed(make_engines_flow(tenant, server.url)).retry(by=ENGINE)

    assert call_next("w1")

    new.refresh_from_db()
    assert (new.status, server.seen) == (Status.FAILED, [])
    assert "may not be reached" in new.error


@pytest.mark.parametrize(
    ("allowed", "is_called"), [("", False), ("10.0.0.0/8", False), ("8.8.8.8", True), ("engine.example", True)]
)
def test_plain_http_goes_to_what_http_allow_names_alone(
    tenant: Tenant, settings: Settings, monkeypatch: pytest.MonkeyPatch, allowed: str, is_called: bool
) -> None:
    settings.HTTP_ALLOW = allowed
    called: list[Any] = []

    def resolve(host: str, port: int, watch: Any) -> list[tuple[int, Any]]:
        return [(socket.AF_INET, ("8.8.8.8", port))]

    def connect(self: Any, sock: socket.socket, address: Any, until: float) -> None:
        called.append(address)
        raise OSError("nothing leaves this machine in a test")

    monkeypatch.setattr(connection, "_resolve", resolve)
    monkeypatch.setattr(connection.CheckingBackend, "_connect", connect)
    new = report_failed(make_engines_flow(tenant, "http://engine.example/retry")).retry(by=ENGINE)
    assert call_next("w1")

    new.refresh_from_db()
    assert bool(called) == is_called
    assert new.status == (Status.QUEUED if is_called else Status.FAILED)
    assert ("plain http: use https" in new.error) != is_called


def test_a_run_that_was_stopped_meanwhile_is_not_called_for(
    tenant: Tenant,
    serve: Callable[..., Server],
) -> None:
    server = serve(answering(200))
    new = report_failed(make_engines_flow(tenant, server.url)).retry(by=ENGINE)
    new.request_stop(by=ENGINE)

    assert call_next("w1")

    assert server.seen == []
    assert not call_next("w1")


def test_a_run_that_its_engine_began_all_the_same_is_not_failed_by_us(tenant: Tenant) -> None:
    new = report_failed(make_engines_flow(tenant, "http://127.0.0.1:9/")).retry(by=ENGINE)
    call = RetryCall.across_tenants.claim(worker="w1")
    assert call is not None
    new.take_report(Report(phase="running"), by=ENGINE)

    call.fail("it said no.")

    new.refresh_from_db()
    assert new.status == Status.RUNNING
    assert "running all the same" in read_log(new)[0]


def test_a_call_whose_worker_was_lost_is_made_by_another_one(tenant: Tenant) -> None:
    report_failed(make_engines_flow(tenant, "http://127.0.0.1:9/")).retry(by=ENGINE)
    lost = RetryCall.across_tenants.claim(worker="w1")
    assert lost is not None
    assert RetryCall.across_tenants.claim(worker="w2") is None
    RetryCall.across_tenants.update(lease_until=timezone.now() - timedelta(seconds=1))

    assert RetryCall.across_tenants.claim(worker="w2") is not None
    with pytest.raises(LeaseLost):
        lost.succeed("late")


def test_a_worker_that_drains_gives_the_call_back(
    tenant: Tenant,
    serve: Callable[..., Server],
) -> None:
    server = serve(answering(200))
    new = report_failed(make_engines_flow(tenant, server.url)).retry(by=ENGINE)

    assert call_next("w1", lambda: True)
    make_due(new)
    assert call_next("w2")

    assert len(server.seen) == 1
    assert RetryCall.across_tenants.get().attempts == 1


def test_without_a_secret_to_sign_with_a_retry_is_refused(tenant: Tenant) -> None:
    flow = make_engines_flow(tenant, "https://engine.example/retry")
    old = report_failed(flow)
    for secret in WebhookSecret.across_tenants.all():
        secret.revoke(by=ENGINE)

    with pytest.raises(RetryRefused, match="no webhook secret"):
        old.retry(by=ENGINE)
    assert not old.retries.exists()


def test_a_secret_revoked_before_the_call_ends_it(tenant: Tenant) -> None:
    new = report_failed(make_engines_flow(tenant, "https://engine.example/retry")).retry(by=ENGINE)
    WebhookSecret.across_tenants.get().revoke(by=ENGINE)

    assert call_next("w1")

    new.refresh_from_db()
    assert new.status == Status.FAILED
    assert "no webhook secret" in new.error


def test_a_reported_run_of_a_flow_with_steps_goes_to_its_engine_too(tenant: Tenant) -> None:
    flow = make_flow(tenant, extra="retry_webhook: https://engine.example/retry")
    WebhookSecret.make(flow, by=ENGINE)
    old = report_failed(flow)

    new: Any = old.retry(by=ENGINE)

    assert new.is_external
    assert new.retry_call.url == "https://engine.example/retry"
    assert Run.across_tenants.claim(worker="w1") is None


def test_a_run_is_deleted_with_its_call(tenant: Tenant) -> None:
    new = report_failed(make_engines_flow(tenant, "https://engine.example/retry")).retry(by=ENGINE)
    new.request_stop(by=ENGINE)

    new.delete_whole(by=ENGINE)

    assert not RetryCall.across_tenants.exists()
    assert not Run.across_tenants.filter(pk=new.pk).exists()
