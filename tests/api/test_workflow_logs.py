"""Seed 4: GET /workflows/logs, field by field."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from runs_dashboard.models import Actor, EndUser, Run, Status, Step

from .world import Caller, end_run, print_lines

if TYPE_CHECKING:
    from runs_dashboard.models import Flow, User

PATH = "/workflows/logs"
FIRST = datetime(2026, 3, 1, 19, tzinfo=UTC)


def found(caller: Caller, query: str = "") -> dict[str, Any]:
    answer = caller.get(f"{PATH}?{query}")
    assert answer.status_code == 200, answer.content
    return answer.json()


def run_ids(caller: Caller, query: str = "") -> list[str]:
    return [entry["workflow_run"]["id"] for entry in found(caller, query)["data"]]


@pytest.fixture
def runs(flow: Flow, ada: User, oli: User) -> dict[str, Run]:
    """One of each end, a minute apart; the stopped one ran for an end user."""
    made = {
        "succeeded": flow.start({}, trigger="manual", by=Actor(user=ada)),
        "failed": flow.start({}, trigger="manual", by=Actor(user=oli)),
        "stopped": flow.start(
            {}, trigger="api", by=Actor(user=ada), end_user=EndUser.of(flow.tenant_id, "service_api", "user_workflow_1")
        ),
        "queued": flow.start({}, trigger="schedule", by=Actor(name="scheduler"), tracked=[("order_id", "17")]),
    }
    for status in ("succeeded", "failed", "stopped"):
        end_run(made[status], status)
    for place, run in enumerate(made.values()):
        at = FIRST + timedelta(minutes=place)
        Run.across_tenants.filter(pk=run.pk).update(created_at=at, ordered_at=at)
    return made


def test_the_envelope(api: Caller, runs: dict[str, Run]) -> None:
    answer = found(api)

    assert list(answer) == ["page", "limit", "total", "has_more", "data"]
    assert (answer["page"], answer["limit"], answer["total"], answer["has_more"]) == (1, 20, 4, False)


def test_an_entry_is_the_seeds(api: Caller, runs: dict[str, Run], flow: Flow) -> None:
    run = runs["failed"]
    Step.begin(run, flow.definition.steps[0], position=0, attempt=1).end(Status.FAILED, error="no")
    Run.across_tenants.filter(pk=run.pk).update(
        error="it broke", total_tokens=150, started_at=FIRST, finished_at=FIRST + timedelta(seconds=1, milliseconds=230)
    )

    entry = next(one for one in found(api)["data"] if one["workflow_run"]["id"] == run.uid)

    assert uuid.UUID(entry.pop("id"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}", entry["workflow_run"].pop("version"))
    assert entry == {
        "workflow_run": {
            "id": run.uid,
            "status": "failed",
            "error": "it broke",
            "elapsed_time": 1.23,
            "total_tokens": 150,
            "total_steps": 2,
            "created_at": int((FIRST + timedelta(minutes=1)).timestamp()),
            "finished_at": int(FIRST.timestamp()) + 1,
            "exceptions_count": 1,
            "triggered_from": "manual",
        },
        "created_from": "web-app",
        "created_by_role": "account",
        "created_by_account": "oli",
        "created_by_end_user": None,
        "created_at": int((FIRST + timedelta(minutes=1)).timestamp()),
    }


def test_an_end_user_is_named(api: Caller, runs: dict[str, Run]) -> None:
    (entry,) = found(api, "status=stopped")["data"]

    user = entry["created_by_end_user"]
    assert uuid.UUID(user["id"])
    assert (user["type"], user["session_id"], user["is_anonymous"]) == ("service_api", "user_workflow_1", False)
    assert (entry["created_by_role"], entry["created_by_account"]) == ("end_user", None)
    assert entry["created_from"] == "service-api"


def test_a_run_in_progress_has_no_end(api: Caller, runs: dict[str, Run]) -> None:
    entry = found(api)["data"][0]["workflow_run"]

    assert (entry["status"], entry["finished_at"], entry["error"], entry["elapsed_time"]) == ("queued", None, None, 0)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", "queued stopped failed succeeded"),
        ("status=succeeded", "succeeded"),
        ("status=failed", "failed"),
        ("status=stopped", "stopped"),
        ("keyword=17", "queued"),
        ("keyword=order", "queued stopped failed succeeded"),
        ("keyword=nothing", ""),
        ("created_at__before=2026-03-01T19:01:00Z", "succeeded"),
        ("created_at__after=2026-03-01T19:01:00Z", "queued stopped"),
        ("created_at__after=2026-03-01T19:00:59.999Z&created_at__before=2026-03-01T19:01:00.001Z", "failed"),
        ("created_by_end_user_session_id=user_workflow_1", "stopped"),
        ("created_by_end_user_session_id=other", ""),
        ("created_by_account=oli", "failed"),
        ("created_by_account=nobody", ""),
    ],
)
def test_filters(api: Caller, runs: dict[str, Run], query: str, names: str) -> None:
    assert run_ids(api, query) == [runs[name].uid for name in names.split()]


def test_a_keyword_is_looked_for_in_the_log_too(api: Caller, runs: dict[str, Run], eves: Caller) -> None:
    print_lines(runs["queued"], "fetched Parcel 4711 from the shelf")

    assert run_ids(api, "keyword=parcel 4711") == [runs["queued"].uid]
    assert run_ids(eves, "keyword=parcel 4711") == []


def test_an_account_has_a_number_too(api: Caller, runs: dict[str, Run], oli: User) -> None:
    assert run_ids(api, f"created_by_account={oli.pk}") == [runs["failed"].uid]


def test_pages(api: Caller, runs: dict[str, Run]) -> None:
    everything = run_ids(api)

    assert run_ids(api, "limit=3") == everything[:3]
    assert found(api, "limit=3")["has_more"] is True
    assert run_ids(api, "limit=3&page=2") == everything[3:]
    assert found(api, "limit=3&page=2")["has_more"] is False
    assert found(api, "limit=4")["has_more"] is False
    assert run_ids(api, "page=5") == []


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("page=1", 200),
        ("page=99999", 200),
        ("page=0", 422),
        ("page=100000", 422),
        ("page=x", 422),
        ("limit=1", 200),
        ("limit=100", 200),
        ("limit=0", 422),
        ("limit=101", 422),
        ("status=running", 422),
        ("status=succeeded,failed", 422),
        ("created_at__before=2026-03-01", 200),
        ("created_at__before=soon", 422),
        ("created_at__after=2026-02-30T00:00:00Z", 422),
        ("keyword=", 422),
        ("keyword=" + "x" * 255, 200),
        ("keyword=" + "x" * 1_001, 422),
        ("sort=page", 422),
    ],
)
def test_bounds(api: Caller, runs: dict[str, Run], query: str, status: int) -> None:
    assert api.get(f"{PATH}?{query}").status_code == status


def test_another_tenants_runs_are_not_in_it(eves: Caller, runs: dict[str, Run]) -> None:
    assert (found(eves)["total"], found(eves, "created_by_account=oli")["data"]) == (0, [])


def test_a_page_of_fifty_costs_what_a_page_of_one_costs(api: Caller, flow: Flow, ada: User) -> None:
    for _ in range(50):
        flow.start({}, trigger="manual", by=Actor(user=ada))
    api.get(PATH)
    counts = []
    for size in (1, 50):
        with CaptureQueriesContext(connection) as captured:
            assert len(found(api, f"limit={size}")["data"]) == size
        counts.append(len(captured))

    assert counts[0] == counts[1] <= 5
