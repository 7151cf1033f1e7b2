"""Seed 2: GET /analytics/org/{org_id}/flows/{flow_id}, field by field."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from runs_dashboard.models import Actor, ApiKey, Run, Status, move

from .world import Caller, end_run

if TYPE_CHECKING:
    from django.http import HttpResponse

    from runs_dashboard.models import Flow, Tenant, User

PATH = "/analytics/org/acme/flows/orders"
FIRST = datetime(2026, 3, 1, 19, tzinfo=UTC)
WORKER = Actor(name="worker")
FIELDS: dict[str, tuple[type, ...]] = {
    "run_id": (str,),
    "conversation_id": (str, type(None)),
    "date": (str,),
    "is_flow_successful": (bool, type(None)),
    "state": (str, type(None)),
    "error": (str, type(None)),
    "latency": (float, int, type(None)),
    "total_tokens": (int,),
    "user_id": (str, type(None)),
    "inputs": (str, type(None)),
    "outputs": (str, type(None)),
    "llms": (str, type(None)),
    "feedback": (str, type(None)),
    "run_type": (str, type(None)),
    "ran_by_type": (str, type(None)),
    "ran_by_id": (str, type(None)),
    "ran_by_display_name": (str, type(None)),
    "parent_run_id": (str, type(None)),
    "parent_project_id": (str, type(None)),
    "parent_project_name": (str, type(None)),
}


@pytest.fixture
def states(flow: Flow, ada: User) -> dict[str, Run]:
    """A run in each state of the seed; `WAITING` and `PENDING` are both PENDING there. An hour apart."""
    runs = {
        name: flow.start({"n": 1}, trigger="manual", by=Actor(user=ada))
        for name in ("WAITING", "PENDING", "PAUSED", "RESUMED", "COMPLETED", "FAILED", "CANCELLED")
    }
    move(runs["PENDING"], Status.RUNNING, by=WORKER, started_at=FIRST)
    move(runs["PAUSED"], Status.PAUSED, by=WORKER)
    move(runs["RESUMED"], Status.PAUSED, by=WORKER)
    runs["RESUMED"].resume(by=Actor(user=ada))
    move(runs["RESUMED"], Status.RUNNING, by=WORKER)
    end_run(runs["COMPLETED"], "succeeded", outputs={"rows": 2}, finished_at=datetime.now(UTC))
    end_run(runs["FAILED"], "failed", error="it broke")
    end_run(runs["CANCELLED"], "stopped")
    for place, run in enumerate(runs.values()):
        at = FIRST + timedelta(hours=place)
        Run.across_tenants.filter(pk=run.pk).update(ordered_at=at)
    return runs


def summaries(caller: Caller, query: str = "", path: str = PATH) -> list[dict[str, Any]]:
    answer = caller.get(f"{path}?{query}")
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_every_field_has_its_type(api: Caller, states: dict[str, Run]) -> None:
    found = summaries(api)

    assert len(found) == 7
    for one in found:
        assert list(one) == list(FIELDS)
        for name, kinds in FIELDS.items():
            assert isinstance(one[name], kinds), (name, one[name])
        assert uuid.UUID(one["run_id"])
        assert datetime.fromisoformat(one["date"]).tzinfo is not None


def test_every_state_is_named_in_the_seeds_words(api: Caller, states: dict[str, Run]) -> None:
    words = {one["run_id"]: one["state"] for one in summaries(api)}

    assert words == {run.uid: "PENDING" if name == "WAITING" else name for name, run in states.items()}


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ("PENDING", "WAITING PENDING"),
        ("PAUSED", "PAUSED"),
        ("RESUMED", "RESUMED"),
        ("COMPLETED,FAILED", "COMPLETED FAILED"),
        ("CANCELLED", "CANCELLED"),
        (
            "PENDING,PAUSED,RESUMED,COMPLETED,FAILED,CANCELLED",
            "WAITING PENDING PAUSED RESUMED COMPLETED FAILED CANCELLED",
        ),
    ],
)
def test_filter_by_state(api: Caller, states: dict[str, Run], asked: str, names: str) -> None:
    assert {one["run_id"] for one in summaries(api, f"state={asked}")} == {states[n].uid for n in names.split()}


def test_what_a_run_was_and_did(api: Caller, states: dict[str, Run], ada: User) -> None:
    Run.across_tenants.filter(pk=states["COMPLETED"].pk).update(
        total_tokens=12, conversation_id="c-1", llms=[{"model": "m"}], feedback="good"
    )
    shown = {one["run_id"]: one for one in summaries(api)}
    done, failed, waiting = (shown[states[name].uid] for name in ("COMPLETED", "FAILED", "WAITING"))

    assert (done["is_flow_successful"], failed["is_flow_successful"], waiting["is_flow_successful"]) == (
        *(True, False),
        None,
    )
    assert json.loads(done["inputs"]) == {"n": 1}
    assert json.loads(done["outputs"]) == {"rows": 2}
    assert waiting["outputs"] is None
    assert (done["total_tokens"], done["conversation_id"], done["feedback"]) == (12, "c-1", "good")
    assert json.loads(done["llms"]) == [{"model": "m"}]
    assert done["latency"] >= 0
    assert waiting["latency"] is None
    assert failed["error"] == "it broke"
    assert (done["run_type"], done["user_id"]) == ("manual", str(ada.pk))
    assert (done["ran_by_type"], done["ran_by_id"], done["ran_by_display_name"]) == (
        "user",
        str(ada.uuid),
        "ada@example.org",
    )


def test_a_key_that_ran_it_is_named(api: Caller, flow: Flow, ada: User) -> None:
    api.post("/api/v1/flow-runs", {"flowId": "orders"})

    (one,) = summaries(api)

    key = ApiKey.across_tenants.get(user=ada)
    assert (one["ran_by_type"], one["ran_by_id"]) == ("api_key", str(key.uuid))
    assert one["ran_by_display_name"] == str(key)
    assert one["run_type"] == "api"


def test_a_sub_run_names_its_parent(api: Caller, run: Run, flow: Flow) -> None:
    child = flow.start({}, trigger="flow", by=WORKER, parent_run=run)

    shown = {one["run_id"]: one for one in summaries(api)}

    assert (shown[child.uid]["parent_run_id"], shown[child.uid]["parent_project_id"]) == (run.uid, "orders")
    assert shown[child.uid]["parent_project_name"] == "Orders"
    assert shown[run.uid]["parent_run_id"] is None


def test_pages_are_counted_from_zero(api: Caller, states: dict[str, Run]) -> None:
    newest = [run.uid for run in reversed(states.values())]

    assert [one["run_id"] for one in summaries(api, "page=0&page_size=3")] == newest[:3]
    assert [one["run_id"] for one in summaries(api, "page=2&page_size=3")] == newest[6:]
    assert summaries(api, "page=3&page_size=3") == []
    assert len(summaries(api, "page_size=1")) == 1


def test_the_whole_number_is_in_a_header(api: Caller, states: dict[str, Run], settings: Any) -> None:
    answer: HttpResponse = api.get(f"{PATH}?page_size=2")
    assert answer["X-Total-Count"] == "7"

    settings.COUNT_LIMIT = 5
    answer = api.get(PATH)
    assert (answer["X-Total-Count"], answer["X-Total-Is-Lower-Bound"]) == ("5", "true")


def test_dates_are_inclusive(api: Caller, states: dict[str, Run]) -> None:
    query = "start_date=2026-03-01T20:00:00Z&end_date=2026-03-01T21:00:00Z"

    assert {one["run_id"] for one in summaries(api, query)} == {states["PENDING"].uid, states["PAUSED"].uid}
    assert len(summaries(api, "start_date=2026-03-01")) == 7
    assert summaries(api, "end_date=2026-03-01") == []


def test_filter_by_user(api: Caller, states: dict[str, Run], ada: User, oli: User) -> None:
    assert len(summaries(api, f"user_id={ada.pk}")) == 7
    assert summaries(api, f"user_id={oli.pk}") == []
    assert summaries(api, "user_id=nobody") == []


@pytest.mark.parametrize(
    "query",
    [
        *("page=-1", "page=x", "page=", "page_size=0", "page_size=-1", "page_size=1001", "page_size=2.5"),
        *("start_date=soon", "start_date=2026-02-30", "end_date=", "state=DONE", "state=PENDING,DONE", "limit=3"),
    ],
)
def test_what_cannot_be_asked(api: Caller, flow: Flow, query: str) -> None:
    assert api.get(f"{PATH}?{query}").status_code == 422


def test_org_and_flow_have_uuids_too(api: Caller, run: Run, tenant: Tenant) -> None:
    path = f"/analytics/org/{tenant.uuid}/flows/{run.flow.uuid}"

    assert len(summaries(api, path=path)) == 1


def test_what_is_not_the_keys_is_not_there(api: Caller, eves: Caller, run: Run) -> None:
    answers = [
        api.get("/analytics/org/elsewhere/flows/orders"),
        api.get("/analytics/org/nothing/flows/orders"),
        api.get("/analytics/org/acme/flows/nothing"),
        api.get("/analytics/org/acme/flows/%00"),
        eves.get("/analytics/org/acme/flows/orders"),
        eves.get("/analytics/org/elsewhere/flows/orders"),
        eves.get(f"/analytics/org/elsewhere/flows/{run.flow.uuid}"),
    ]

    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1


def test_a_page_of_fifty_costs_what_a_page_of_one_costs(api: Caller, flow: Flow, ada: User) -> None:
    for _ in range(50):
        flow.start({}, trigger="manual", by=Actor(user=ada))
    api.get(PATH)
    counts = []
    for size in (1, 50):
        with CaptureQueriesContext(connection) as captured:
            assert len(summaries(api, f"page_size={size}")) == size
        counts.append(len(captured))

    assert counts[0] == counts[1] <= 5
