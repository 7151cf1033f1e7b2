"""GET /api/v1/flow-runs/{id}: seed 1's object."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runs_dashboard.models import Step

from .world import Caller, end_run, print_lines

if TYPE_CHECKING:
    from runs_dashboard.models import Run, User


def test_a_run_is_seed_1s_object(api: Caller, ended_run: Run, ada: User) -> None:
    shown = api.get(f"/api/v1/flow-runs/{ended_run.uid}").json()

    assert shown["id"] == ended_run.uid
    assert (shown["flowId"], shown["flowType"], shown["phase"]) == ("orders", "automation", "succeeded")
    assert shown["args"] == {"day": "2026-03-01"}
    assert shown["outputs"] == {}
    assert shown["tags"] == [{"key": "shop", "value": "berlin"}]
    assert shown["createdBy"] == ada.pk
    assert shown["startTime"].endswith("Z")
    assert len(shown["startTime"]) == len("2025-01-20T18:53:03.558Z")
    assert (shown["reviewedBy"], shown["reviewedAt"], shown["updatedBy"]) == (None, None, None)
    assert shown["actions"] == []


def test_the_first_100_lines_are_in_it(api: Caller, run: Run) -> None:
    print_lines(run, *(f"line {number}" for number in range(1, 151)))

    logs = api.get(f"/api/v1/flow-runs/{run.uid}").json()["logs"]

    assert [log["line"] for log in logs] == list(range(1, 101))
    assert logs[0]["message"] == "line 1"
    assert logs[0]["level"] == "info"
    assert logs[0]["action"] is None
    assert logs[0]["stream"] == "stdout"
    assert logs[0]["system"] is False


def test_its_steps_are_its_actions(api: Caller, run: Run) -> None:
    Step.begin(run, run.flow.definition.steps[0], position=0, attempt=1)

    (action,) = api.get(f"/api/v1/flow-runs/{run.uid}").json()["actions"]

    assert (action["id"], action["phase"], action["name"]) == ("fetch", "running", "Fetch")
    assert action["endTime"] is None
    assert action["startTime"].endswith("Z")


def test_a_bare_key_is_taken_as_well(api: Caller, run: Run) -> None:
    assert Caller(api.key, scheme="").get(f"/api/v1/flow-runs/{run.uid}").status_code == 200


@pytest.mark.parametrize("uid", ["nothing", "0197", "A", "a%00b", "x" * 300, "a%20b", "%F0%9F%98%80"])
def test_an_id_that_is_nobodys_is_not_found(api: Caller, db: None, uid: str) -> None:
    assert api.get(f"/api/v1/flow-runs/{uid}").status_code == 404


def test_a_foreign_run_answers_as_one_that_does_not_exist(eves: Caller, run: Run) -> None:
    foreign = eves.get(f"/api/v1/flow-runs/{run.uid}")
    missing = eves.get("/api/v1/flow-runs/0197c0de-0000-7000-8000-000000000000")

    assert (foreign.status_code, foreign.content) == (404, missing.content)
    assert foreign.headers.keys() == missing.headers.keys()


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("filter[status]=succeeded", 200),
        ("filter[status]=failed", 404),
        ("filter[status]=failed,succeeded", 200),
        ("filter[flow_id]=orders", 200),
        ("filter[flow_id]=other", 404),
        ("filter[search]=orders", 200),
        ("filter[retried]=true", 404),
        ("page=1&per_page=100&sort=started_at", 200),
        ("per_page=101", 422),
        ("per_page=0", 422),
        ("sort=status", 422),
        ("include=nothing", 422),
        ("filter[colour]=red", 422),
    ],
)
def test_it_takes_its_lists_parameters(api: Caller, ended_run: Run, query: str, status: int) -> None:
    assert api.get(f"/api/v1/flow-runs/{ended_run.uid}?{query}").status_code == status


def test_a_retried_run_names_what_it_retries(api: Caller, run: Run) -> None:
    end_run(run, "failed", error="it broke")
    retry = api.post(f"/api/v1/flow-runs/{run.uid}/retry").json()

    shown = api.get(f"/api/v1/flow-runs/{retry['id']}?include=retriedFlowRun").json()

    assert shown["retriedRunId"] == run.uid
    assert shown["retriedFlowRun"] == {"id": run.uid, "status": "failed"}
    assert api.get(f"/api/v1/flow-runs/{run.uid}").json()["retried"] is True
