"""Retry, stop, resume and review by API."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runs_dashboard.models import Actor, AuditEntry, Run, Status, Step, move

from ..models.runs import claim, make_flow
from .world import Caller, end_run

if TYPE_CHECKING:
    from runs_dashboard.models import User

RUNS = "/api/v1/flow-runs"


def test_a_waiting_run_stops_at_once(api: Caller, run: Run) -> None:
    answer = api.post(f"{RUNS}/{run.uid}/stop")

    assert (answer.status_code, answer.json()["phase"]) == (202, "stopped")


def test_a_running_run_is_asked_to_stop(api: Caller, run: Run) -> None:
    move(run, Status.RUNNING, by=Actor(name="worker"), worker="w1", token=1)

    shown = api.post(f"{RUNS}/{run.uid}/stop", {"force": False, "reason": "wrong day"}).json()

    assert shown["phase"] == "running"
    assert shown["stopRequestedAt"] is not None
    run.refresh_from_db()
    assert (run.stop_reason, run.is_stop_forced) == ("wrong day", False)


def test_force_is_passed_on(api: Caller, run: Run) -> None:
    move(run, Status.RUNNING, by=Actor(name="worker"), worker="w1", token=1)

    api.post(f"{RUNS}/{run.uid}/stop", {"force": True})

    run.refresh_from_db()
    assert run.is_stop_forced


def test_a_final_run_cannot_be_stopped(api: Caller, ended_run: Run) -> None:
    answer = api.post(f"{RUNS}/{ended_run.uid}/stop")

    assert (answer.status_code, answer.json()["detail"][0]["type"]) == (409, "conflict")


def test_a_retry_is_a_new_run(api: Caller, ended_run: Run) -> None:
    answer = api.post(f"{RUNS}/{ended_run.uid}/retry")

    assert answer.status_code == 201
    shown = answer.json()
    assert (shown["trigger"], shown["phase"], shown["args"]) == ("retry", "queued", {"day": "2026-03-01"})
    assert shown["retriedRunId"] == ended_run.uid
    assert answer["Location"] == f"{RUNS}/{shown['id']}"


def test_a_retry_from_the_failed_step_keeps_what_succeeded(api: Caller, run: Run) -> None:
    Step.begin(run, run.flow.definition.steps[0], position=0, attempt=1).end(Status.SUCCEEDED)
    end_run(run, "failed")

    shown = api.post(f"{RUNS}/{run.uid}/retry", {"from": "failed"}).json()

    assert [(action["id"], action["isKept"]) for action in shown["actions"]] == [("fetch", True)]


def test_a_retry_takes_changed_args(api: Caller, ended_run: Run) -> None:
    assert api.post(f"{RUNS}/{ended_run.uid}/retry", {"args": {"day": "x"}}).json()["args"] == {"day": "x"}


def test_a_retry_begins_with_a_step_that_is_named(api: Caller, run: Run) -> None:
    run = claim(run)
    for place, step in enumerate(run.version.parsed.steps):
        Step.begin(run, step, position=place, attempt=1).end(Status.SUCCEEDED, outputs={"rows": place})
    run = run.finish(Status.SUCCEEDED, token=run.token)
    last = run.version.parsed.steps[-1].id
    shown = api.post(
        f"{RUNS}/{run.uid}/retry", {"from": last, "outputs": {run.version.parsed.steps[0].id: {"rows": 9}}}
    )
    new = Run.across_tenants.get(uid=shown.json()["id"])
    assert [(step.is_kept, step.outputs) for step in new.steps.all()] == [(True, {"rows": 9})]
    refused = api.post(f"{RUNS}/{run.uid}/retry", {"from": "start", "outputs": {last: {}}})
    assert refused.status_code == 409


def test_a_retry_may_take_the_newest_version(api: Caller, ended_run: Run) -> None:
    steps = "  - {id: only, component: command, with: {run: [echo]}}\n"
    make_flow(ended_run.tenant, ended_run.flow.slug, steps=steps)
    body = {"version": "newest", "environment": "newest", "from": "only", "args": {}}
    shown = api.post(f"{RUNS}/{ended_run.uid}/retry", body).json()
    assert Run.across_tenants.get(uid=shown["id"]).version.number == ended_run.version.number + 1
    assert api.post(f"{RUNS}/{ended_run.uid}/retry", {"version": "2"}).status_code == 422


def test_a_retry_from_an_unknown_step_names_the_known_ones(api: Caller, ended_run: Run) -> None:
    answer = api.post(f"{RUNS}/{ended_run.uid}/retry", {"from": "nowhere"})

    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "from"]
    assert "fetch, load" in answer.json()["detail"][0]["msg"]


def test_a_run_in_progress_cannot_be_retried(api: Caller, run: Run) -> None:
    assert api.post(f"{RUNS}/{run.uid}/retry").status_code == 409


def test_a_retry_sent_twice_with_one_key_is_one_run(api: Caller, ended_run: Run) -> None:
    header = {"Idempotency-Key": "once"}

    first, second = (api.post(f"{RUNS}/{ended_run.uid}/retry", headers=header) for _ in range(2))

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert Run.across_tenants.count() == 2


def test_one_key_with_another_body_is_refused(api: Caller, ended_run: Run) -> None:
    header = {"Idempotency-Key": "once"}
    api.post(f"{RUNS}/{ended_run.uid}/retry", headers=header)

    answer = api.post(f"{RUNS}/{ended_run.uid}/retry", {"args": {}}, headers=header)

    assert (answer.status_code, answer.json()["detail"][0]["type"]) == (422, "key_reused")


@pytest.mark.parametrize("key", ["", "x" * 256, "a\x01", "ä"])
def test_an_idempotency_key_has_bounds(api: Caller, ended_run: Run, key: str) -> None:
    answer = api.post(f"{RUNS}/{ended_run.uid}/retry", headers={"Idempotency-Key": key})

    assert answer.status_code == 422


def test_a_paused_run_goes_on(api: Caller, run: Run) -> None:
    move(run, Status.PAUSED, by=Actor(name="worker"))

    answer = api.post(f"{RUNS}/{run.uid}/resume")

    assert (answer.status_code, answer.json()["phase"]) == (202, "queued")
    assert answer.json()["resumedAt"] is not None


def test_a_run_that_is_not_paused_cannot_be_resumed(api: Caller, run: Run) -> None:
    assert api.post(f"{RUNS}/{run.uid}/resume").status_code == 409


def test_a_review_names_who_looked(api: Caller, ended_run: Run, ada: User) -> None:
    answer = api.post(f"{RUNS}/{ended_run.uid}/review")

    assert answer.status_code == 200
    assert answer.json()["reviewedBy"] == ada.pk
    assert answer.json()["reviewedAt"].endswith("Z")


def test_a_run_in_progress_cannot_be_reviewed(api: Caller, run: Run) -> None:
    assert api.post(f"{RUNS}/{run.uid}/review").status_code == 409


@pytest.mark.parametrize("verb", ["retry", "stop", "resume", "review"])
def test_a_verb_refuses_what_it_does_not_know(api: Caller, ended_run: Run, verb: str) -> None:
    answer = api.post(f"{RUNS}/{ended_run.uid}/{verb}", {"colour": "red"})

    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "colour"]


@pytest.mark.parametrize("verb", ["retry", "stop", "resume", "review"])
def test_a_foreign_run_is_not_there_for_any_verb(eves: Caller, ended_run: Run, verb: str) -> None:
    foreign = eves.post(f"{RUNS}/{ended_run.uid}/{verb}")
    missing = eves.post(f"{RUNS}/nothing/{verb}")

    assert (foreign.status_code, foreign.content) == (404, missing.content)


def test_the_audit_trail_names_the_key_and_the_address(api: Caller, run: Run, ada: User) -> None:
    api.post(f"{RUNS}/{run.uid}/stop")

    entry = AuditEntry.across_tenants.get(action="run.stop", run=run)
    assert (entry.actor, entry.address) == (ada, "127.0.0.1")
    assert entry.key is not None
