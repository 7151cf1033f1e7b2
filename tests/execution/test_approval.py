"""Approval: the run is paused, no worker waits, somebody resumes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runs_dashboard.models import Run, Status

from .workers import OLI, load, printed, said, start, wait_until, working

if TYPE_CHECKING:
    from runs_dashboard.models import Tenant

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("quick")]

APPROVE = {"id": "ok", "component": "approval", "with": {"message": "Look at the numbers"}}


def test_a_run_pauses_and_goes_on_when_it_is_resumed(tenant: Tenant) -> None:
    flow = load(tenant, [["echo", "before"], APPROVE, ["echo", "after"]])
    with working():
        run = wait_until(start(flow), Status.PAUSED)
        assert (run.worker, run.lease_until) == ("", None)
        assert run.steps.get(slug="ok").status == Status.PAUSED
        assert printed(run) == ["before", "Look at the numbers"]
        run.resume(by=OLI)
        wait_until(run)

    assert (run.status, printed(run)) == (Status.SUCCEEDED, ["before", "Look at the numbers", "after"])
    assert run.steps.get(slug="ok").outputs == {"approved_by": "Oli"}
    assert run.outputs["ok"] == {"approved_by": "Oli"}
    assert (run.steps_done, run.token) == (3, 2)
    assert run.resumed_at is not None


def test_every_step_done_is_counted_also_an_approval(tenant: Tenant) -> None:
    with working():
        run = wait_until(start(load(tenant, [APPROVE])), Status.PAUSED)
        run.resume(by=OLI)
        wait_until(run)

    assert (run.steps_done, run.step_count) == (1, 1)


def test_an_approval_that_nobody_gives_in_time_fails_the_run(tenant: Tenant) -> None:
    with working():
        run = wait_until(start(load(tenant, [{**APPROVE, "timeout": 0.3}, ["echo", "never"]])))

    assert (run.status, run.error) == (Status.FAILED, "Nobody resumed the run in time.")
    assert said(run) == ["Nobody resumed the run in time."]
    assert run.steps.get().status == Status.FAILED


def test_a_paused_run_is_stopped_at_once(tenant: Tenant) -> None:
    with working():
        run = wait_until(start(load(tenant, [APPROVE])), Status.PAUSED)
        run.request_stop(by=OLI)

    assert (run.status, run.steps.get().status) == (Status.STOPPED, Status.STOPPED)


def test_a_stop_that_was_asked_while_the_run_was_about_to_pause_is_kept(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    pause = Run.pause

    def ask_then_pause(run: Run, **fields: object) -> Run:
        Run.across_tenants.get(pk=run.pk).request_stop(by=OLI)
        return pause(run, **fields)

    # As if Oli had pressed Stop between the last look at it and the pause. Outside of the transaction:
    monkeypatch.setattr(Run, "pause", ask_then_pause)
    with working():
        run = wait_until(start(load(tenant, [APPROVE, ["echo", "never"]])))

    assert (run.status, printed(run)) == (Status.STOPPED, ["Look at the numbers"])


def test_the_time_that_a_run_waits_for_a_person_is_not_its_own(tenant: Tenant) -> None:
    flow = load(tenant, [APPROVE, ["echo", "after"]], timeout=1)
    with working():
        run = wait_until(start(flow), Status.PAUSED)
        Run.across_tenants.filter(pk=run.pk).update(ran_ms=500)
        run.resume(by=OLI)
        assert wait_until(run).status == Status.SUCCEEDED
        late = wait_until(start(flow), Status.PAUSED)
        Run.across_tenants.filter(pk=late.pk).update(ran_ms=1_500)
        late.resume(by=OLI)
        assert wait_until(late).error == "The run took longer than its 1 s and was ended."
