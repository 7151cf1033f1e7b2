"""Flows and runs in any status, for the tests of the domain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runs_dashboard.definition.yaml_source import parse
from runs_dashboard.models import Actor, Flow, Machine, Run, Status, Step, Tenant

if TYPE_CHECKING:
    from runs_dashboard.models import User

ENGINE = Machine(name="test")


def make_flow(tenant: Tenant, slug: str = "orders", *, steps: str = "", extra: str = "") -> Flow:
    """A flow of two commands, or of the steps given as YAML."""
    body = steps or (
        "  - {id: fetch, component: command, with: {run: [echo, fetched]}}\n"
        "  - {id: load, component: command, with: {run: [echo, loaded]}}\n"
    )
    flow, _ = Flow.load(parse(f"id: {slug}\nname: {slug.title()}\n{extra}\nsteps:\n{body}"), tenant=tenant, by=ENGINE)
    return flow


def actor(user: User) -> Actor:
    return Actor(user=user, address="192.0.2.1")


def make_run(flow: Flow, status: str = Status.QUEUED, **fields: Any) -> Run:
    """A run brought into a status by the verbs that lead there."""
    run = flow.start({}, trigger="manual", by=ENGINE, **fields)
    if status == Status.QUEUED:
        return run
    run = claim(run)
    if status == Status.RUNNING:
        return run
    if status == Status.PAUSED:
        return run.pause(token=run.token)
    first = run.version.parsed.steps[0]
    Step.begin(run, first, position=0, attempt=1).end(Status.SUCCEEDED, outputs={"rows": 1})
    return run.finish(Status(status), token=run.token, error="boom" if status == Status.FAILED else "")


def claim(run: Run, worker: str = "worker-1") -> Run:
    claimed = Run.across_tenants.claim(worker=worker, only=run.pk)
    assert claimed is not None
    return claimed
