"""Runs that an external engine reports: PUT, PATCH, actions, heartbeat; in any order, and twice."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest

from runs_dashboard.models import Environment, Flow, Run

from .world import Caller

if TYPE_CHECKING:
    from runs_dashboard.models import Tenant, User

RUNS = "/api/v1/flow-runs"
START, END = "2026-03-01T19:00:00.250Z", "2026-03-01T19:00:02.500Z"
WHOLE: dict[str, Any] = {
    "id": "engine-1",
    "flowId": "shipping",
    "flowType": "automation",
    "args": {"order": 17},
    "tags": [{"key": "shop", "value": "berlin"}],
    "phase": "failed",
    "startTime": START,
    "endTime": END,
    "actions": [
        {"id": "pick", "name": "Pick", "component": "robot", "phase": "succeeded", "startTime": START, "endTime": END},
        {"id": "pack", "phase": "failed", "attempt": 2, "error": "no box"},
    ],
    "outputs": {"parcel": None},
    "logs": [{"timestamp": START, "message": "picking", "level": "info", "action": "pick"}],
    "error": "no box of that size",
    "trackedData": {"order_id": 17, "parcel": ["a", "b"]},
    "metrics": {
        "cpuTime": 120,
        "payloadSize": 9,
        "operationsSent": 3,
        "operationsReceived": 4,
        "tokens": 5,
        "own": 1.5,
    },
    "endUser": {"type": "browser", "sessionId": "s-1", "isAnonymous": True},
    "conversationId": "c-1",
    "llms": [{"model": "m"}],
    "feedback": "good",
}


def test_a_whole_run_is_reported_in_one_message(api: Caller, db: None) -> None:
    answer = api.put(f"{RUNS}/engine-1", WHOLE)

    assert answer.status_code == 201
    shown = answer.json()
    assert (shown["flowId"], shown["phase"], shown["trigger"]) == ("shipping", "failed", "external")
    assert (shown["startTime"], shown["endTime"], shown["durationMs"]) == (START, END, 2_250)
    assert shown["args"] == {"order": 17}
    assert shown["outputs"] == {"parcel": None}
    assert [(a["id"], a["phase"], a["attempt"], a["error"]) for a in shown["actions"]] == [
        ("pick", "succeeded", 1, None),
        ("pack", "failed", 2, "no box"),
    ]
    assert shown["actions"][0]["component"] == "robot"
    assert [(log["message"], log["action"], log["timestamp"]) for log in shown["logs"]] == [("picking", "pick", START)]
    assert shown["error"] == "no box of that size"
    assert shown["endUser"]["sessionId"] == "s-1"
    assert shown["conversationId"] == "c-1"
    run = Run.across_tenants.get(uid="engine-1")
    assert sorted(run.tracked_data.values_list("key", "value")) == [
        ("order_id", "17"),
        ("parcel", "a"),
        ("parcel", "b"),
    ]
    assert (run.cpu_ms, run.payload_bytes, run.operations_sent, run.operations_received, run.total_tokens) == (
        *(120, 9, 3, 4),
        5,
    )
    assert run.metrics == {"own": 1.5}
    assert (run.llms, run.feedback) == ([{"model": "m"}], "good")


def test_the_same_report_twice_leaves_the_same_run(api: Caller, db: None) -> None:
    first = api.put(f"{RUNS}/engine-1", WHOLE)
    second = api.put(f"{RUNS}/engine-1", WHOLE)

    assert (first.status_code, second.status_code) == (201, 200)
    assert {**first.json(), "updatedAt": ""} == {**second.json(), "updatedAt": ""}
    assert Run.across_tenants.count() == 1


def test_a_flow_named_for_the_first_time_is_made(api: Caller, tenant: Tenant) -> None:
    api.put(f"{RUNS}/r1", {"flowId": "brand-new", "flowType": "scorecard", "phase": "running"})

    flow = Flow.objects.of(tenant).get(slug="brand-new")
    assert (flow.flow_type, flow.is_external, flow.has_steps) == ("scorecard", True, False)


MESSAGES: tuple[dict[str, Any], ...] = (
    {"phase": "queued"},
    {"phase": "running", "startTime": START},
    {"actions": [{"id": "pick", "phase": "running", "startTime": START}]},
    {"actions": [{"id": "pick", "phase": "succeeded", "endTime": END}]},
    {"phase": "succeeded", "endTime": END, "outputs": {"n": 1}},
)


@pytest.mark.parametrize("order", list(itertools.permutations(range(5)))[::7])
def test_in_any_order_the_same_run_comes_out(api: Caller, db: None, order: tuple[int, ...]) -> None:
    for place in order:
        answer = api.put(f"{RUNS}/r1", {"flowId": "shipping", **MESSAGES[place]})
        assert answer.status_code in (200, 201), answer.content

    shown = api.get(f"{RUNS}/r1").json()
    assert (shown["phase"], shown["startTime"], shown["endTime"]) == ("succeeded", START, END)
    assert shown["outputs"] == {"n": 1}
    assert [(a["id"], a["phase"], a["endTime"]) for a in shown["actions"]] == [("pick", "succeeded", END)]


@pytest.mark.parametrize("phase", ["succeeded", "stopped"])
def test_another_end_than_the_known_one_is_a_conflict(api: Caller, db: None, phase: str) -> None:
    api.put(f"{RUNS}/r1", {"flowId": "shipping", "phase": "failed"})

    assert api.patch(f"{RUNS}/r1", {"phase": phase}).status_code == 409
    assert api.get(f"{RUNS}/r1").json()["phase"] == "failed"


def test_another_end_of_a_step_is_a_conflict(api: Caller, db: None) -> None:
    api.put(f"{RUNS}/r1", {"flowId": "shipping", "phase": "running"})
    api.put(f"{RUNS}/r1/actions/pick", {"phase": "failed"})

    assert api.put(f"{RUNS}/r1/actions/pick", {"phase": "succeeded"}).status_code == 409
    assert api.put(f"{RUNS}/r1/actions/pick", {"phase": "running"}).json()["phase"] == "failed"


def test_a_step_that_the_end_of_its_run_closed_may_still_say_how_it_ended(api: Caller, db: None) -> None:
    api.put(f"{RUNS}/r1", {"flowId": "shipping", "phase": "running", "actions": [{"id": "pick", "phase": "running"}]})
    closed = api.patch(f"{RUNS}/r1", {"phase": "failed"}).json()

    said = api.put(f"{RUNS}/r1/actions/pick", {"phase": "succeeded", "endTime": END})

    assert closed["actions"][0]["phase"] == "failed"
    assert (said.status_code, said.json()["phase"], said.json()["endTime"]) == (200, "succeeded", END)


def test_a_step_that_starts_behind_its_runs_end_is_over(api: Caller, db: None) -> None:
    api.put(f"{RUNS}/r1", {"flowId": "shipping", "phase": "succeeded"})

    assert api.put(f"{RUNS}/r1/actions/late", {"phase": "running"}).json()["phase"] == "succeeded"


def test_an_end_without_a_final_phase_is_refused(api: Caller, db: None) -> None:
    answer = api.put(f"{RUNS}/r1", {"flowId": "shipping", "endTime": END})

    assert answer.status_code == 409
    assert Run.across_tenants.count() == 0


def test_times_may_come_late(api: Caller, db: None) -> None:
    api.put(f"{RUNS}/r1", {"flowId": "shipping", "phase": "succeeded"})

    shown = api.patch(f"{RUNS}/r1", {"startTime": START, "endTime": END}).json()

    assert (shown["startTime"], shown["endTime"]) == (START, END)


def test_times_are_taken_in_milliseconds_too(api: Caller, db: None) -> None:
    body = {"flowId": "shipping", "phase": "running", "startTime": 1772391600250}

    assert api.put(f"{RUNS}/r1", body).json()["startTime"] == START


def test_the_log_of_a_report_is_the_whole_log_so_far(api: Caller, db: None) -> None:
    lines = [{"message": f"line {n}"} for n in range(1, 4)]
    api.put(f"{RUNS}/r1", {"flowId": "shipping", "phase": "running", "logs": lines[:2]})

    shown = api.patch(f"{RUNS}/r1", {"logs": lines}).json()

    assert [log["message"] for log in shown["logs"]] == ["line 1", "line 2", "line 3"]


def test_a_sub_run_names_its_parent(api: Caller, db: None) -> None:
    api.put(f"{RUNS}/parent", {"flowId": "shipping", "phase": "running"})

    shown = api.put(f"{RUNS}/child", {"flowId": "shipping", "phase": "running", "parentRunId": "parent"}).json()

    assert shown["parentRunId"] == "parent"
    assert [r["id"] for r in api.get(f"{RUNS}?filter[parent_run_id]=parent").json()["items"]] == ["child"]
    assert api.patch(f"{RUNS}/parent", {"parentRunId": "child"}).status_code == 409
    assert api.patch(f"{RUNS}/parent", {"parentRunId": "parent"}).status_code == 409
    assert api.patch(f"{RUNS}/parent", {"parentRunId": "nobody"}).status_code == 422


def test_a_foreign_run_is_no_parent(api: Caller, eves: Caller) -> None:
    api.put(f"{RUNS}/parent", {"flowId": "shipping", "phase": "running"})

    assert eves.put(f"{RUNS}/child", {"flowId": "shipping", "parentRunId": "parent"}).status_code == 422


def test_an_environment_must_be_known(api: Caller, tenant: Tenant, ada: User) -> None:
    from runs_dashboard.models import Actor

    Environment.objects.of(tenant).create(name="staging").publish({"A": "1"}, by=Actor(user=ada))

    assert api.put(f"{RUNS}/r1", {"flowId": "s", "environment": "nowhere"}).status_code == 422
    assert api.put(f"{RUNS}/r1", {"flowId": "s", "environment": "staging"}).json()["environment"] == "staging"


def test_two_tenants_have_each_their_own_run_of_one_id(api: Caller, eves: Caller) -> None:
    assert api.put(f"{RUNS}/same", {"flowId": "s", "phase": "running"}).status_code == 201
    assert eves.put(f"{RUNS}/same", {"flowId": "s", "phase": "failed"}).status_code == 201
    assert api.get(f"{RUNS}/same").json()["phase"] == "running"


def test_a_run_that_the_product_executes_takes_no_reports(api: Caller, run: Run) -> None:
    path = f"{RUNS}/{run.uid}"

    assert api.patch(path, {"phase": "succeeded"}).status_code == 409
    assert api.put(path, {"flowId": "orders", "phase": "failed"}).status_code == 409
    assert api.put(f"{path}/actions/fetch", {"phase": "failed"}).status_code == 409
    assert api.post(f"{path}/heartbeat").status_code == 409
    assert api.post(f"{path}/flow-run-logs", {"logs": [{"message": "x"}]}).status_code == 409
    run.refresh_from_db()
    assert run.status == "queued"


def test_tags_and_keys_can_be_added_to_it(api: Caller, run: Run) -> None:
    shown = api.patch(f"{RUNS}/{run.uid}", {"tags": [{"key": "shop", "value": "rome"}], "trackedData": {"o": "1"}})

    assert shown.json()["tags"] == [{"key": "shop", "value": "rome"}]
    assert run.tracked_data.get().value == "1"
    assert run.audit.get(action="run.edit").detail == {"tags": {"shop": "rome"}, "tracked": [["o", "1"]]}


def test_put_of_a_flow_with_steps_starts_it(api: Caller, flow: Flow) -> None:
    answer = api.put(f"{RUNS}/mine-1", {"flowId": "orders", "flowType": "automation", "args": {"a": 1}})

    assert (answer.status_code, answer.json()["phase"], answer.json()["trigger"]) == (201, "queued", "api")
    again = api.put(f"{RUNS}/mine-1", {"flowId": "orders", "flowType": "automation", "args": {"a": 1}})
    assert (again.status_code, again.json()["id"]) == (200, "mine-1")


def test_nobody_reports_a_run_of_a_flow_with_steps(api: Caller, flow: Flow) -> None:
    assert api.put(f"{RUNS}/mine-1", {"flowId": "orders", "phase": "running"}).status_code == 409
    assert Run.across_tenants.count() == 0


def test_a_run_keeps_its_flow(api: Caller, db: None) -> None:
    api.put(f"{RUNS}/r1", {"flowId": "shipping"})

    assert api.put(f"{RUNS}/r1", {"flowId": "other"}).status_code == 409


@pytest.mark.parametrize(
    ("path_id", "body"),
    [
        ("UPPER", {"flowId": "s"}),
        ("a b", {"flowId": "s"}),
        ("x" * 256, {"flowId": "s"}),
        ("ok", {"flowId": "NOT OK"}),
        ("ok", {"flowId": ""}),
        ("ok", {"flowId": "x" * 201}),
        ("ok", {}),
        ("ok", {"flowId": "s", "id": "other"}),
        ("ok", {"flowId": "s", "phase": "done"}),
        ("ok", {"flowId": "s", "flowType": "other"}),
        ("ok", {"flowId": "s", "colour": "red"}),
        ("ok", {"flowId": "s", "startTime": "yesterday"}),
        ("ok", {"flowId": "s", "startTime": -1}),
        ("ok", {"flowId": "s", "startTime": 1e300}),
        ("ok", {"flowId": "s", "startTime": "2026-02-30T00:00:00Z"}),
        ("ok", {"flowId": "s", "actions": [{"phase": "running"}]}),
        ("ok", {"flowId": "s", "actions": [{"id": "a", "attempt": 0}]}),
        ("ok", {"flowId": "s", "tags": [{"key": "", "value": "x"}]}),
        ("ok", {"flowId": "s", "tags": [{"key": "k" * 101}]}),
        ("ok", {"flowId": "s", "tags": [{"key": "k", "value": "v" * 256}]}),
        ("ok", {"flowId": "s", "tags": [{"key": f"k{n}"} for n in range(101)]}),
        ("ok", {"flowId": "s", "trackedData": {"k": "v" * 256}}),
        ("ok", {"flowId": "s", "trackedData": {"": "v"}}),
        ("ok", {"flowId": "s", "metrics": {"m": "many"}}),
        ("ok", {"flowId": "s", "endUser": {"type": "t"}}),
        ("ok", {"flowId": "s", "logs": [{"level": "info"}]}),
        ("ok", {"flowId": "s", "logs": [{"message": "m", "level": "loud"}]}),
    ],
)
def test_what_a_report_cannot_say(api: Caller, db: None, path_id: str, body: dict[str, Any]) -> None:
    answer = api.put(f"{RUNS}/{path_id}", body)

    assert answer.status_code == 422, answer.content
    assert answer.json()["detail"][0]["loc"]
    assert Run.across_tenants.count() == 0


@pytest.mark.parametrize("name", ["x" * 255, "a", "0", ".", "_-.", "0197c0de-0000-7000-8000-000000000000"])
def test_ids_of_the_pattern_are_taken(api: Caller, db: None, name: str) -> None:
    if name == ".":
        name = "a."  # a single dot is the folder itself to every client
    assert api.put(f"{RUNS}/{name}", {"flowId": "s"}).json()["id"] == name


def test_an_unknown_run_cannot_be_patched(api: Caller, db: None) -> None:
    assert api.patch(f"{RUNS}/r1", {"phase": "running"}).status_code == 404


def test_a_run_is_deleted_when_it_has_ended(api: Caller, db: None) -> None:
    api.put(f"{RUNS}/r1", {"flowId": "s", "phase": "running", "logs": [{"message": "m"}]})

    assert api.delete(f"{RUNS}/r1").status_code == 409
    api.patch(f"{RUNS}/r1", {"phase": "succeeded"})
    gone = api.delete(f"{RUNS}/r1")
    assert (gone.status_code, gone.content) == (204, b"")
    assert api.delete(f"{RUNS}/r1").status_code == 404
    assert api.delete(f"{RUNS}/NO").status_code == 422


# --- heartbeat ------------------------------------------------------------------------------------------------------


def test_a_heartbeat_moves_the_end_of_silence(api: Caller, reported_flow: Flow) -> None:
    api.put(f"{RUNS}/r1", {"flowId": "shipping", "phase": "running"})
    assert Run.across_tenants.get(uid="r1").silent_after is None

    answer = api.post(f"{RUNS}/r1/heartbeat")

    assert (answer.status_code, answer.json()) == (200, {"stop": False})
    assert Run.across_tenants.get(uid="r1").silent_after is not None
    api.patch(f"{RUNS}/r1", {"phase": "succeeded"})
    assert Run.across_tenants.get(uid="r1").silent_after is None


def test_a_stop_reaches_the_engine_through_the_heartbeat(api: Caller, reported_flow: Flow) -> None:
    api.put(f"{RUNS}/r1", {"flowId": "shipping", "phase": "running"})
    api.post(f"{RUNS}/r1/stop")

    assert api.get(f"{RUNS}/r1").json()["phase"] == "running"
    assert api.post(f"{RUNS}/r1/heartbeat").json() == {"stop": True}
    assert api.patch(f"{RUNS}/r1", {"phase": "stopped"}).json()["phase"] == "stopped"


def test_a_stop_by_force_does_not_wait_for_the_engine(api: Caller, reported_flow: Flow) -> None:
    api.put(f"{RUNS}/r1", {"flowId": "shipping", "phase": "running"})

    assert api.post(f"{RUNS}/r1/stop", {"force": True}).json()["phase"] == "stopped"
    assert api.post(f"{RUNS}/r1/heartbeat").json() == {"stop": True}


def test_a_reported_run_is_retried_by_its_own_engine(api: Caller, reported_flow: Flow) -> None:
    api.put(f"{RUNS}/r1", {"flowId": "shipping", "phase": "failed"})

    answer = api.post(f"{RUNS}/r1/retry")

    assert answer.status_code == 409
    assert "engine" in answer.json()["detail"][0]["msg"]
