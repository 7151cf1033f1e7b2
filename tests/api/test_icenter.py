"""Seed 0: GET /icenter/executions and GET /logs."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from runs_dashboard.api import icenter, log_pages
from runs_dashboard.models import Actor, Run, Step

from .world import Caller, make_flow, print_lines

if TYPE_CHECKING:
    from runs_dashboard.models import Flow, Tenant, User


@pytest.fixture
def history(flow: Flow, tenant: Tenant, ada: User, oli: User) -> list[Run]:
    """Three runs of Ada's and one of Oli's in May 2024, one that nobody started, one of June."""
    other = make_flow(tenant, "billing")
    runs = [
        flow.start({}, trigger="manual", by=Actor(user=ada)),
        flow.start({}, trigger="manual", by=Actor(user=ada)),
        other.start({}, trigger="manual", by=Actor(user=ada)),
        other.start({}, trigger="api", by=Actor(user=oli)),
        flow.start({}, trigger="schedule", by=Actor(name="scheduler")),
        flow.start({}, trigger="manual", by=Actor(user=oli)),
    ]
    days = [date(2024, 5, 1), date(2024, 5, 31), date(2024, 5, 2), date(2024, 5, 3), date(2024, 5, 4), date(2024, 6, 1)]
    for run, day in zip(runs, days, strict=True):
        at = datetime(day.year, day.month, day.day, 23, 59, 59, 999_000, tzinfo=UTC)
        Run.across_tenants.filter(pk=run.pk).update(ordered_at=at, started_at=at)
    for run in runs[:2]:
        for place, definition in enumerate(flow.definition.steps):
            Step.begin(run, definition, position=place, attempt=1)
    return runs


def counts(caller: Caller, query: str) -> dict[str, Any]:
    answer = caller.get(f"/icenter/executions?{query}")
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_by_user_is_the_default(api: Caller, history: list[Run], ada: User, oli: User) -> None:
    answer = counts(api, "start=2024-05-01&end=2024-05-31")

    assert answer == {
        "start": "2024-05-01",
        "end": "2024-05-31",
        "groupby": "user",
        "total": 5,
        "counts": [
            {"id": ada.pk, "name": "ada", "count": 3},
            *sorted(
                [{"id": oli.pk, "name": "oli", "count": 1}, {"id": None, "name": None, "count": 1}],
                key=lambda one: (one["id"] is not None, one["id"]),
                reverse=answer["counts"][1]["id"] is not None,
            ),
        ],
    }


def test_by_flow(api: Caller, history: list[Run]) -> None:
    answer = counts(api, "start=2024-05-01&end=2024-05-31&groupby=flow")

    assert answer["counts"] == [
        {"id": "orders", "name": "Orders", "count": 3},
        {"id": "billing", "name": "Billing", "count": 2},
    ]


def test_by_component_steps_are_counted(api: Caller, history: list[Run]) -> None:
    answer = counts(api, "start=2024-05-01&end=2024-05-31&groupby=component")

    assert (answer["total"], answer["counts"]) == (4, [{"id": "command", "name": "command", "count": 4}])


def test_both_ends_are_inclusive(api: Caller, history: list[Run]) -> None:
    assert counts(api, "start=2024-05-31&end=2024-05-31")["total"] == 1
    assert counts(api, "start=2024-05-31&end=2024-06-01")["total"] == 2
    assert counts(api, "start=2024-06-02&end=2024-06-30")["total"] == 0


def test_the_last_month_is_the_default(api: Caller, run: Run) -> None:
    answer = counts(api, "")

    today = timezone.now().date()
    assert (answer["end"], answer["total"]) == (today.isoformat(), 1)
    assert timedelta(days=27) < today - date.fromisoformat(answer["start"]) < timedelta(days=32)


@pytest.mark.parametrize(
    ("day", "before"),
    [((2026, 3, 31), (2026, 2, 28)), ((2024, 3, 30), (2024, 2, 29)), ((2026, 1, 15), (2025, 12, 15))],
)
def test_a_month_before(day: tuple[int, int, int], before: tuple[int, int, int]) -> None:
    assert icenter.month_before(date(*day)) == date(*before)


@pytest.mark.parametrize(
    "query",
    [
        "start=2024-5-1",
        "start=2024-02-30",
        "start=20240501",
        "start=0000-01-01",
        "start=2024-05-02&end=2024-05-01",
        "end=tomorrow",
        "end=",
        "groupby=connector",
        "groupby=",
        "page=1",
    ],
)
def test_what_cannot_be_counted(api: Caller, db: None, query: str) -> None:
    assert api.get(f"/icenter/executions?{query}").status_code == 422


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_the_ends_of_time(api: Caller, db: None, day: str) -> None:
    assert counts(api, f"start={day}&end={day}")["total"] == 0


def test_nobody_counts_another_tenants_runs(eves: Caller, history: list[Run]) -> None:
    for group in ("user", "flow", "component"):
        assert counts(eves, f"start=2024-05-01&end=2024-05-31&groupby={group}")["total"] == 0


# --- logs ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def logged(flow: Flow, tenant: Tenant, ada: User) -> list[Run]:
    """Two runs of `orders` and one of `billing`, each with lines of two steps, one of them an error."""
    flows = [flow, make_flow(tenant, "billing"), flow]
    runs = [one.start({}, trigger="manual", by=Actor(user=ada)) for one in flows]
    for run in runs:
        fetch, load = (
            Step.begin(run, definition, position=place, attempt=1)
            for place, definition in enumerate(run.flow.definition.steps)
        )
        print_lines(run, "fetching", step=fetch)
        print_lines(run, "broken", step=load, level=3)
        print_lines(run, "done", step=load)
    return runs


def logs(caller: Caller, query: str = "") -> dict[str, Any]:
    answer = caller.get(f"/logs?filter[tenant]=acme&{query}")
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_logs_newest_first(api: Caller, logged: list[Run]) -> None:
    answer = logs(api)

    assert answer["next"] is None
    assert [(log["flowRunId"], log["line"]) for log in answer["logs"]] == [
        (run.uid, line) for run in logged[::-1] for line in (3, 2, 1)
    ]
    times = [log["timestamp"] for log in answer["logs"]]
    assert times == sorted(times, reverse=True)
    first = answer["logs"][0]
    assert (first["flowId"], first["stepId"], first["action"]) == ("orders", "load", "load")
    assert first.keys() == {
        *("id", "line", "timestamp", "level", "message", "action", "stream", "system"),
        *("flowRunId", "flowId", "stepId"),
    }


def test_logs_of_a_flow_a_step_and_errors(api: Caller, logged: list[Run]) -> None:
    assert {log["flowId"] for log in logs(api, "filter[flowId]=billing")["logs"]} == {"billing"}
    assert {log["message"] for log in logs(api, "filter[stepId]=fetch")["logs"]} == {"fetching"}
    assert [log["message"] for log in logs(api, "showErrors=true")["logs"]] == ["broken"] * 3
    assert len(logs(api, "showErrors=false")["logs"]) == 9
    assert [log["message"] for log in logs(api, "showErrors=true&filter[stepId]=fetch")["logs"]] == []
    step = logged[0].steps.get(slug="load")
    assert [log["line"] for log in logs(api, f"filter[stepId]={step.uuid}")["logs"]] == [3, 2]
    assert logs(api, "filter[flowId]=nothing")["logs"] == []


@pytest.mark.parametrize("size", [1, 2, 3, 4, 100])
@pytest.mark.parametrize("chunks", [1, 4])
@pytest.mark.parametrize("runs", [1, 50])
def test_the_cursor_leads_through_everything_once(
    api: Caller, logged: list[Run], monkeypatch: pytest.MonkeyPatch, size: int, chunks: int, runs: int
) -> None:
    everything = [log["id"] for log in logs(api)["logs"]]
    monkeypatch.setattr(icenter, "LOGS_A_PAGE", size)
    monkeypatch.setattr(icenter, "RUNS_A_PAGE", runs)
    monkeypatch.setattr(log_pages, "FIRST_CHUNKS", chunks)

    found, cursor = [], ""
    for _ in range(40):
        answer = logs(api, f"cursor={cursor}" if cursor else "")
        found += [log["id"] for log in answer["logs"]]
        cursor = answer["next"]
        if cursor is None:
            break

    assert found == everything


@pytest.mark.parametrize("tenant_id", ["uuid", "pk", "slug"])
def test_the_tenant_can_be_named_by_each_of_its_ids(api: Caller, tenant: Tenant, tenant_id: str) -> None:
    assert api.get(f"/logs?filter[tenant]={getattr(tenant, tenant_id)}").status_code == 200


def test_the_tenant_is_required_and_must_be_the_keys(api: Caller, eves: Caller, logged: list[Run]) -> None:
    assert api.get("/logs").status_code == 422
    assert api.get("/logs?filter[tenant]=").status_code == 422
    foreign, missing = eves.get("/logs?filter[tenant]=acme"), eves.get("/logs?filter[tenant]=nothing")
    assert (foreign.status_code, foreign.content) == (404, missing.content)


@pytest.mark.parametrize("query", ["showErrors=maybe", "cursor=x", "filter[level]=error", "limit=5"])
def test_what_cannot_be_asked(api: Caller, tenant: Tenant, query: str) -> None:
    assert api.get(f"/logs?filter[tenant]=acme&{query}").status_code == 422
