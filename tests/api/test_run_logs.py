"""A run's log by API: the list and one entry (seed 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from runs_dashboard.models import LogMetadata, Payload, Step, log_entry_id

from .world import Caller, print_lines

if TYPE_CHECKING:
    from runs_dashboard.models import Run as RunType


def logs_of(caller: Caller, run: RunType, query: str = "") -> dict[str, Any]:
    answer = caller.get(f"/api/v1/flow-runs/{run.uid}/flow-run-logs?{query}")
    assert answer.status_code == 200, answer.content
    return answer.json()


def lines_of(caller: Caller, run: RunType, query: str = "") -> list[int]:
    return [item["line"] for item in logs_of(caller, run, query)["items"]]


@pytest.fixture
def steps(run: RunType) -> list[Step]:
    """Two steps: the first prints lines 1 to 6 and 9, the second lines 7 and 8."""
    fetch, load = (
        Step.begin(run, definition, position=place, attempt=1)
        for place, definition in enumerate(run.flow.definition.steps)
    )
    print_lines(run, *(f"fetched {number}" for number in range(1, 6)), step=fetch)
    print_lines(run, "cannot fetch Number 6", step=fetch, level=3)
    print_lines(run, "loading", "loaded", step=load)
    print_lines(run, "late", step=fetch, level=2)
    return [fetch, load]


def test_the_list_is_paged_by_line(api: Caller, run: RunType) -> None:
    print_lines(run, *(f"line {number}" for number in range(1, 61)))

    assert lines_of(api, run) == list(range(1, 26))
    assert lines_of(api, run, "page=2") == list(range(26, 51))
    assert lines_of(api, run, "page=7&per_page=10") == []
    assert lines_of(api, run, "page=6&per_page=10") == list(range(51, 61))
    assert logs_of(api, run)["total"] == 60


def test_after_and_before_are_line_numbers(api: Caller, run: RunType) -> None:
    print_lines(run, *(f"line {number}" for number in range(1, 61)))

    assert lines_of(api, run, "after=58") == [59, 60]
    assert lines_of(api, run, "after=0&per_page=2") == [1, 2]
    assert lines_of(api, run, "before=4") == [1, 2, 3]
    assert lines_of(api, run, "before=61&per_page=2") == [59, 60]
    assert lines_of(api, run, "after=60") == []


def test_cursors_lead_both_ways(api: Caller, run: RunType) -> None:
    print_lines(run, *(f"line {number}" for number in range(1, 31)))
    first = logs_of(api, run, "per_page=10")

    second = logs_of(api, run, f"per_page=10&cursor={first['next_page']}")
    third = logs_of(api, run, f"per_page=10&cursor={second['next_page']}")

    assert [item["line"] for item in second["items"]] == list(range(11, 21))
    assert first["previous_page"] is None
    assert third["next_page"] is None
    for cursor in (second["current_page"], second["current_page_backwards"], third["previous_page"]):
        assert logs_of(api, run, f"per_page=10&cursor={cursor}")["items"] == second["items"]


@pytest.mark.parametrize(
    "query",
    ["cursor=nonsense", "cursor=a%200", "page=1&after=1", "after=-1", "page=0", "per_page=101", "filter[level]=loud"],
)
def test_what_cannot_be_asked_is_refused(api: Caller, run: RunType, query: str) -> None:
    assert api.get(f"/api/v1/flow-runs/{run.uid}/flow-run-logs?{query}").status_code == 422


def test_a_cursor_is_good_for_its_own_run_only(api: Caller, run: RunType, flow: Any) -> None:
    print_lines(run, *("x" for _ in range(30)))
    cursor = logs_of(api, run)["next_page"]
    from runs_dashboard.models import Actor

    other = flow.start({}, trigger="manual", by=Actor(name="test"))

    assert api.get(f"/api/v1/flow-runs/{other.uid}/flow-run-logs?cursor={cursor}").status_code == 422


def test_filter_by_step_takes_its_id_and_its_uuid(api: Caller, run: RunType, steps: list[Step]) -> None:
    assert lines_of(api, run, "filter[flow_step_id]=load") == [7, 8]
    assert lines_of(api, run, f"filter[flow_step_id]={steps[0].uuid}") == [1, 2, 3, 4, 5, 6, 9]
    assert lines_of(api, run, "filter[flow_step_id]=fetch&page=2&per_page=6") == [9]
    assert logs_of(api, run, "filter[flow_step_id]=fetch")["total"] == 7
    assert lines_of(api, run, "filter[flow_step_id]=nothing") == []


def test_filter_by_level_and_text(api: Caller, run: RunType, steps: list[Step]) -> None:
    assert lines_of(api, run, "filter[level]=error,critical") == [6]
    assert logs_of(api, run, "filter[level]=warning")["total"] == 1
    assert lines_of(api, run, "filter[search]=number") == [6]
    assert lines_of(api, run, "filter[search]=LOAD") == [7, 8]
    assert logs_of(api, run, "filter[search]=fetch")["total"] == 6
    assert lines_of(api, run, "filter[search]=load&before=8") == [7]
    assert lines_of(api, run, "filter[search]=load&page=2&per_page=1") == [8]


def test_the_cursor_of_a_text_leads_through_all_of_its_lines(
    api: Caller, run: RunType, steps: list[Step], monkeypatch: pytest.MonkeyPatch
) -> None:
    from runs_dashboard.api import log_pages

    monkeypatch.setattr(log_pages, "FIND_SECONDS", 0)  # one chunk a call: the cursor has to lead on
    found, cursor = [], ""
    for _ in range(20):
        answer = logs_of(api, run, f"filter[search]=fetch&per_page=2{cursor}")
        found += [item["line"] for item in answer["items"]]
        if answer["next_page"] is None:
            break
        cursor = f"&cursor={answer['next_page']}"

    assert found == [1, 2, 3, 4, 5, 6]
    last = logs_of(api, run, "filter[search]=fetch&before=9&per_page=100")
    assert last["items"] or last["previous_page"]


def test_a_steps_two_attempts_are_one_filter(api: Caller, run: RunType) -> None:
    definition = run.flow.definition.steps[0]
    for attempt in (1, 2):
        print_lines(run, f"try {attempt}", step=Step.begin(run, definition, position=0, attempt=attempt))

    assert lines_of(api, run, "filter[flow_step_id]=fetch") == [1, 2]


def test_includes(api: Caller, run: RunType, steps: list[Step]) -> None:
    payload = Payload.across_tenants.create(
        tenant=run.tenant, run=run, step=steps[0], line=1, kind="request", body="{}", size=2
    )
    LogMetadata.across_tenants.create(tenant=run.tenant, run=run, line=1, data={"host": "h1"})
    every = "flowRun,flowStep,flowRunLogMetadata,flowRunLogPayloads,flowStep.payloads"

    first, second = logs_of(api, run, f"include={every}&per_page=2")["items"]

    assert first["flowRun"] == {"id": run.uid, "status": "queued", "flowId": "orders"}
    assert first["flowStep"]["id"] == str(steps[0].uuid)
    assert first["flowStep"]["payloads"] == [{"id": str(payload.uuid)}]
    assert first["metadata"] == {"host": "h1"}
    assert [part["kind"] for part in first["payloads"]] == ["request"]
    assert (second["metadata"], second["payloads"]) == (None, [])


def test_without_include_nothing_is_added(api: Caller, run: RunType, steps: list[Step]) -> None:
    item = logs_of(api, run)["items"][0]

    assert set(item) == {"id", "line", "timestamp", "level", "message", "action", "stream", "system"}


@pytest.mark.parametrize(
    ("fields", "keys"),
    [("id", {"id"}), ("id,name", {"id", "name"}), ("payload.id", {"payloads"})],
)
def test_sparse_fields_of_the_step(api: Caller, run: RunType, steps: list[Step], fields: str, keys: set[str]) -> None:
    item = logs_of(api, run, f"include=flowStep&fields[flowStep]={fields}")["items"][0]

    assert set(item["flowStep"]) == keys


def test_one_entry_by_its_id_and_by_its_line(api: Caller, run: RunType, steps: list[Step]) -> None:
    listed = logs_of(api, run)["items"][6]
    path = f"/api/v1/flow-runs/{run.uid}/flow-run-logs"

    assert listed["id"] == log_entry_id(run.uid, 7)
    assert api.get(f"{path}/{listed['id']}").json() == listed
    assert api.get(f"{path}/7").json() == listed


@pytest.mark.parametrize("log", ["0", "10", "-1", "1e0", "x", "9" * 40, "%D9%A1", log_entry_id("another", 1)])
def test_an_entry_that_is_none(api: Caller, run: RunType, steps: list[Step], log: str) -> None:
    assert api.get(f"/api/v1/flow-runs/{run.uid}/flow-run-logs/{log}").status_code == 404


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("filter[flow_step_id]=load", 200),
        ("filter[flow_step_id]=fetch", 404),
        ("filter[level]=error", 404),
        ("filter[search]=loading", 200),
        ("filter[search]=nothing", 404),
        ("per_page=0", 422),
    ],
)
def test_one_entry_takes_its_lists_filters(
    api: Caller, run: RunType, steps: list[Step], query: str, status: int
) -> None:
    assert api.get(f"/api/v1/flow-runs/{run.uid}/flow-run-logs/7?{query}").status_code == status


def test_a_foreign_runs_log_is_not_there(eves: Caller, run: RunType, steps: list[Step]) -> None:
    missing = eves.get("/api/v1/flow-runs/nothing/flow-run-logs")

    for path in ("flow-run-logs", "flow-run-logs/1", f"flow-run-logs/{log_entry_id(run.uid, 1)}"):
        answer = eves.get(f"/api/v1/flow-runs/{run.uid}/{path}")
        assert (answer.status_code, answer.content) == (404, missing.content)
