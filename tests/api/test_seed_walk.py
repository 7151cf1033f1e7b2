"""Seeds 1 and 3, walked: every field with its documented type, every parameter, each bound on both sides.

Seeds 0, 2 and 4 have a file each: test_icenter, test_webhooks, test_analytics, test_tokens, test_workflow_logs.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from runs_dashboard.models import Step

from .world import Caller, print_lines

if TYPE_CHECKING:
    from runs_dashboard.models import Flow, Run, User

RUNS = "/api/v1/flow-runs"
NOTHING = type(None)
# Seed 1's object: the fields of the list, those with a star never null.
LISTED: dict[str, tuple[type, ...]] = {
    "id": (str,),
    "flowId": (str,),
    "flowType": (str,),
    "phase": (str,),
    "startTime": (str, NOTHING),
    "endTime": (str, NOTHING),
    "actions": (list,),
    "logs": (list,),
    "tags": (list,),
    "createdAt": (str,),
    "createdBy": (int, NOTHING),
    "updatedAt": (str,),
    "updatedBy": (int, NOTHING),
    "reviewedBy": (int, NOTHING),
    "reviewedAt": (str, NOTHING),
}
SINGLE = LISTED | {"args": (dict,), "outputs": (dict,)}
ENVELOPE: dict[str, tuple[type, ...]] = {
    "items": (list,),
    "total": (int,),
    "current_page": (str,),
    "current_page_backwards": (str,),
    "previous_page": (str, NOTHING),
    "next_page": (str, NOTHING),
}
ACTION = {"id": (str,), "phase": (str,), "startTime": (str, NOTHING), "endTime": (str, NOTHING)}
LOG = {"timestamp": (str,), "message": (str,), "level": (str,), "action": (str, NOTHING)}
TAG = {"key": (str,), "value": (str,)}


def check(shown: dict[str, Any], fields: dict[str, tuple[type, ...]]) -> None:
    for name, kinds in fields.items():
        assert name in shown, name
        assert isinstance(shown[name], kinds), (name, shown[name])
        assert not isinstance(shown[name], bool) or bool in kinds, name
        if shown[name] is not None and (name.endswith(("At", "Time")) or name == "timestamp"):
            assert shown[name].endswith("Z")
            assert len(shown[name]) == len("2025-01-20T18:53:03.558Z")
            assert datetime.fromisoformat(shown[name])


def check_run(shown: dict[str, Any], fields: dict[str, tuple[type, ...]]) -> None:
    check(shown, fields)
    assert shown["flowType"] in ("automation", "selfServiceAction", "scorecard", "reference")
    assert shown["phase"] in ("queued", "running", "paused", "succeeded", "failed", "stopped")
    for name, part in (("actions", ACTION), ("logs", LOG), ("tags", TAG)):
        for one in shown[name]:
            check(one, part)
    for log in shown["logs"]:
        assert log["level"] in ("debug", "info", "warning", "error", "critical")


@pytest.fixture
def full_run(run: Run) -> Run:
    step = Step.begin(run, run.flow.definition.steps[0], position=0, attempt=1)
    print_lines(run, "one", step=step)
    print_lines(run, "two", level=4)
    return run


def test_seed_1_list(api: Caller, full_run: Run) -> None:
    answer = api.get(RUNS).json()

    check(answer, ENVELOPE)
    assert len(answer["items"]) == 1
    check_run(answer["items"][0], LISTED)


def test_seed_1_get(api: Caller, full_run: Run) -> None:
    shown = api.get(f"{RUNS}/{full_run.uid}").json()

    check_run(shown, SINGLE)
    assert (len(shown["actions"]), len(shown["logs"]), len(shown["tags"])) == (1, 2, 1)


def test_seed_1_create_upsert_and_delete(api: Caller, flow: Flow) -> None:
    created = api.post(RUNS, {"flowId": "orders"})
    upserted = api.put(f"{RUNS}/up", {"flowId": "reported", "flowType": "automation"})
    again = api.put(f"{RUNS}/up", {"flowId": "reported", "flowType": "automation", "phase": "succeeded"})

    assert [answer.status_code for answer in (created, upserted, again)] == [201, 201, 200]
    for answer in (created, upserted, again):
        check_run(answer.json(), SINGLE)
    assert api.delete(f"{RUNS}/up").status_code == 204


@pytest.mark.parametrize("kind", ["automation", "selfServiceAction", "scorecard", "reference"])
def test_seed_1_every_flow_type(api: Caller, db: None, kind: str) -> None:
    assert api.put(f"{RUNS}/r", {"flowId": "new", "flowType": kind}).json()["flowType"] == kind


def test_seed_1_errors_have_loc_msg_and_type(api: Caller, db: None) -> None:
    for answer in (api.post(RUNS, {}), api.put(f"{RUNS}/R", {"flowId": "x"}), api.delete(f"{RUNS}/R")):
        assert answer.status_code == 422
        for problem in answer.json()["detail"]:
            check(problem, {"loc": (list,), "msg": (str,), "type": (str,)})


SEED_3_FILTERS = (
    *(
        "user_id=1",
        "flow_id=orders",
        "flow_version_id=x",
        "virtual_environment_id=x",
        "trigger=manual",
        "status=queued",
    ),
    *("search=orders", "started_before=1772391627000", "started_after=1772391627000", "started_on=1772391627000"),
    *("retried=true", "retried=false", "has_warnings=true", "has_warnings=false"),
)
SEED_3_INCLUDES = (
    *("flowVersion", "flowVersion.steps", "flow", "flowRunLogs", "errorWarningLogs", "flowRunLogs.flowStep"),
    *("trackedData", "metrics", "cpuTime", "payloadSize", "operationsSent", "operationsReceived", "retriedFlowRun"),
    *("virtualEnvironmentVersion", "virtualEnvironmentVersion.virtualEnvironment"),
)
SEED_3_OTHERS = (
    *("sort=started_at", "sort=-started_at", "page=1", "per_page=1", "per_page=100"),
    *("fields[trackedData]=id", "fields[flow]=id,name", "fields[flowVersion]=steps.name"),
    "fields[retriedFlowRun]=id,status",
)


def test_seed_3_every_parameter_of_the_list_and_of_one(api: Caller, full_run: Run) -> None:
    filters = [f"filter[{name}]={value}" for name, value in (one.split("=") for one in SEED_3_FILTERS)]
    for query in (*filters, *(f"include={one}" for one in SEED_3_INCLUDES)):
        assert api.get(f"{RUNS}?{query}").status_code == 200, query
        assert api.get(f"{RUNS}/{full_run.uid}?{query}").status_code in (200, 404), query
    for query in (*SEED_3_OTHERS, f"include={','.join(SEED_3_INCLUDES)}"):
        assert api.get(f"{RUNS}?{query}").status_code == 200, query
        assert api.get(f"{RUNS}/{full_run.uid}?{query}").status_code == 200, query


@pytest.mark.parametrize(
    "query",
    [
        *("user_id={ada}", "flow_id=billing", "flow_version_id={version}", "virtual_environment_id={environment}"),
        *("trigger=retry,flow", "status=failed", "search=billing", "started_before={moment}", "started_after={moment}"),
        *("started_on={moment}", "retried=true", "has_warnings=true"),
    ],
)
def test_seed_3_a_single_run_is_there_when_its_list_has_it(
    api: Caller, zoo: dict[str, Run], ada: User, query: str
) -> None:
    staged = zoo["staged"]
    assert staged.environment_version is not None
    asked = "filter[" + query.replace("=", "]=").format(
        ada=ada.pk,
        version=zoo["billing"].version.uuid,
        environment=staged.environment_version.environment.uuid,
        moment=int(staged.started_at.timestamp() * 1000),  # type: ignore[union-attr]
    )
    listed = {item["id"] for item in api.get(f"{RUNS}?{asked}").json()["items"]}

    assert 0 < len(listed) < len(zoo)
    for run in zoo.values():
        assert api.get(f"{RUNS}/{run.uid}?{asked}").status_code == (200 if run.uid in listed else 404), run.uid


@pytest.mark.parametrize("path", ["", "/{uid}", "/{uid}/flow-run-logs", "/{uid}/flow-run-logs/1"])
def test_seed_3_every_bound(api: Caller, full_run: Run, path: str) -> None:
    where = RUNS + path.replace("{uid}", full_run.uid)
    for query, status in (
        ("page=1", 200),
        ("page=0", 422),
        ("per_page=1", 200),
        ("per_page=0", 422),
        ("per_page=100", 200),
        ("per_page=101", 422),
    ):
        assert api.get(f"{where}?{query}").status_code == status, query


def test_seed_3_every_parameter_of_the_log(api: Caller, full_run: Run) -> None:
    for path in (f"{RUNS}/{full_run.uid}/flow-run-logs", f"{RUNS}/{full_run.uid}/flow-run-logs/1"):
        for query in (
            *("filter[flow_step_id]=fetch", "include=flowRun", "include=flowStep", "include=flowRunLogMetadata"),
            *("include=flowRunLogPayloads", "include=flowStep.payloads", "fields[flowStep]=id,name,payload.id"),
            "include=flowRun,flowStep,flowRunLogMetadata,flowRunLogPayloads,flowStep.payloads",
        ):
            assert api.get(f"{path}?{query}").status_code == 200, query
        assert api.get(f"{path}?include=flow").status_code == 422


def test_seed_3_the_log_is_a_list_of_entries(api: Caller, full_run: Run) -> None:
    answer = api.get(f"{RUNS}/{full_run.uid}/flow-run-logs").json()

    check(answer, ENVELOPE)
    fields = LOG | {"id": (str,), "line": (int,), "stream": (str, NOTHING), "system": (bool,)}
    for entry in answer["items"]:
        check(entry, fields)


def test_seed_3_verbs_answer_with_the_run(api: Caller, full_run: Run) -> None:
    stopped = api.post(f"{RUNS}/{full_run.uid}/stop")
    retried = api.post(f"{RUNS}/{full_run.uid}/retry")
    queued = api.get(f"{RUNS}/{full_run.uid}/download")

    check_run(stopped.json(), SINGLE)
    check_run(retried.json(), SINGLE)
    assert queued.json()["status"] == "queued"
