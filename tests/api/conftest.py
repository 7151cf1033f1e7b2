"""The callers and rows of the API's tests. What imports models does so late: Django is not up yet here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from runs_dashboard.models import Flow, Run, Tenant, User

    from .world import Caller


@pytest.fixture
def caller_of(key_of: Callable[[User], str]) -> Callable[[User], Caller]:
    from .world import Caller

    return lambda user: Caller(key_of(user))


@pytest.fixture
def api(caller_of: Callable[[User], Caller], ada: User) -> Caller:
    """Ada's program: it may do everything in her tenant."""
    return caller_of(ada)


@pytest.fixture
def eves(caller_of: Callable[[User], Caller], eve: User) -> Caller:
    return caller_of(eve)


@pytest.fixture
def nobody() -> Caller:
    from .world import Caller

    return Caller()


@pytest.fixture
def flow(tenant: Tenant) -> Flow:
    from .world import make_flow

    return make_flow(tenant)


@pytest.fixture
def reported_flow(tenant: Tenant) -> Flow:
    """A flow without steps: its runs are reported by an engine of its own."""
    from .world import make_flow

    return make_flow(tenant, "shipping", steps=False, heartbeat_timeout=60)


@pytest.fixture
def run(flow: Flow, ada: User) -> Run:
    """A waiting run of Ada's."""
    from runs_dashboard.models import Actor

    return flow.start({"day": "2026-03-01"}, trigger="manual", by=Actor(user=ada), tags={"shop": "berlin"})


@pytest.fixture
def ended_run(run: Run) -> Run:
    from .world import end_run, print_lines

    print_lines(run, *(f"line {number}" for number in range(1, 31)))
    return end_run(run)


@pytest.fixture
def zoo(tenant: Tenant, ada: User, oli: User, flow: Flow) -> dict[str, Run]:
    """Runs that differ in everything that can be asked for, a day apart."""
    from datetime import UTC, datetime, timedelta

    from runs_dashboard.models import Actor, Environment, Run

    from .world import end_run, make_flow, print_lines

    environment = Environment.objects.of(tenant).create(name="staging")
    environment.publish({"A": "1"}, by=Actor(user=ada))
    other = make_flow(tenant, "billing")
    runs = {
        "plain": flow.start({}, trigger="manual", by=Actor(user=ada)),
        "olis": flow.start({}, trigger="api", by=Actor(user=oli)),
        "billing": other.start({}, trigger="schedule", by=Actor(name="scheduler")),
        "staged": flow.start({}, trigger="manual", by=Actor(user=ada), environment="staging"),
        "tagged": flow.start({}, trigger="manual", by=Actor(user=ada), tags={"shop": "rome"}),
        "tracked": flow.start({}, trigger="manual", by=Actor(user=ada), tracked=[("order_id", "1234")]),
        "failed": flow.start({}, trigger="manual", by=Actor(user=ada)),
    }
    print_lines(runs["olis"], "careful", level=2)
    end_run(runs["failed"], "failed")
    runs["failed"].review(by=Actor(user=ada))
    runs["retry"] = runs["failed"].retry(by=Actor(user=ada))
    runs["child"] = flow.start({}, trigger="flow", by=Actor(name="worker"), parent_run=runs["plain"])
    for place, run in enumerate(runs.values()):
        at = datetime(2026, 3, 1, 19, tzinfo=UTC) + timedelta(days=place)
        Run.across_tenants.filter(pk=run.pk).update(started_at=at, ordered_at=at)
        run.refresh_from_db()
    return runs
