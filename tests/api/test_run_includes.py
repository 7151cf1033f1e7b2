"""GET /api/v1/flow-runs: every include, and sparse fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runs_dashboard.models import Run, Step

from .world import Caller, listed, print_lines

if TYPE_CHECKING:
    pass

RUNS = "/api/v1/flow-runs"


def test_every_include(api: Caller, zoo: dict[str, Run]) -> None:
    step = Step.begin(zoo["staged"], zoo["staged"].flow.definition.steps[0], position=0, attempt=1)
    print_lines(zoo["staged"], "fine", step=step)
    print_lines(zoo["staged"], "broken", level=3, step=step)
    Run.across_tenants.filter(pk=zoo["staged"].pk).update(
        cpu_ms=7, payload_bytes=8, operations_sent=9, operations_received=10, total_tokens=11, metrics={"own": 1.5}
    )
    every = (
        "flowVersion,flowVersion.steps,flow,flowRunLogs,errorWarningLogs,flowRunLogs.flowStep,trackedData,metrics,"
        "cpuTime,payloadSize,operationsSent,operationsReceived,retriedFlowRun,virtualEnvironmentVersion,"
        "virtualEnvironmentVersion.virtualEnvironment"
    )
    shown = {item["id"]: item for item in listed(api, f"include={every}&per_page=100")["items"]}

    one = shown[zoo["staged"].uid]
    assert one["flowVersion"]["id"] == one["flowVersionId"]
    assert [part["name"] for part in one["flowVersion"]["steps"]] == ["Fetch", "load"]
    assert one["flow"] == {"id": "orders", "name": "Orders", "flowType": "automation"}
    assert [log["message"] for log in one["flowRunLogs"]] == ["fine", "broken"]
    assert one["flowRunLogs"][0]["flowStep"]["name"] == "Fetch"
    assert [log["message"] for log in one["errorWarningLogs"]] == ["broken"]
    assert one["metrics"] == {
        "own": 1.5,
        "cpuTime": 7,
        "payloadSize": 8,
        "operationsSent": 9,
        "operationsReceived": 10,
        "totalTokens": 11,
    }
    assert (one["cpuTime"], one["payloadSize"], one["operationsSent"], one["operationsReceived"]) == (7, 8, 9, 10)
    assert one["virtualEnvironmentVersion"]["virtualEnvironment"]["name"] == "staging"
    assert one["retriedFlowRun"] is None
    assert shown[zoo["plain"].uid]["virtualEnvironmentVersion"] is None
    (tracked,) = shown[zoo["tracked"].uid]["trackedData"]
    assert (tracked["key"], tracked["value"]) == ("order_id", "1234")
    assert shown[zoo["retry"].uid]["retriedFlowRun"] == {"id": zoo["failed"].uid, "status": "failed"}
    assert api.get(f"{RUNS}/{zoo['staged'].uid}?include={every}").json()["metrics"] == one["metrics"]


@pytest.mark.parametrize(
    "include",
    [
        *("flowVersion", "flowVersion.steps", "flow", "flowRunLogs", "errorWarningLogs", "flowRunLogs.flowStep"),
        *("trackedData", "metrics", "cpuTime", "payloadSize", "operationsSent", "operationsReceived"),
        *("retriedFlowRun", "virtualEnvironmentVersion", "virtualEnvironmentVersion.virtualEnvironment"),
    ],
)
def test_an_include_alone_adds_its_own_key_only(api: Caller, zoo: dict[str, Run], include: str) -> None:
    before = set(listed(api)["items"][0])

    assert set(listed(api, f"include={include}")["items"][0]) - before == {include.partition(".")[0]}


def test_sparse_fields(api: Caller, zoo: dict[str, Run]) -> None:
    query = (
        "include=trackedData,flow,flowVersion,retriedFlowRun&fields[trackedData]=id&fields[flow]=name"
        "&fields[flowVersion]=steps.name&fields[retriedFlowRun]=status"
    )
    shown = {item["id"]: item for item in listed(api, query)["items"]}

    assert set(shown[zoo["tracked"].uid]["trackedData"][0]) == {"id"}
    assert shown[zoo["plain"].uid]["flow"] == {"name": "Orders"}
    assert shown[zoo["plain"].uid]["flowVersion"] == {"steps": [{"name": "Fetch"}, {"name": "load"}]}
    assert shown[zoo["retry"].uid]["retriedFlowRun"] == {"status": "failed"}


def test_a_list_leaves_out_what_is_large(api: Caller, zoo: dict[str, Run]) -> None:
    item = listed(api)["items"][0]

    assert "args" not in item
    assert "outputs" not in item
    assert item["logs"] == []
