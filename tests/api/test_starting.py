"""POST /api/v1/flow-runs: starting a flow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from runs_dashboard.models import Flow, Run

from .world import Caller, make_flow

if TYPE_CHECKING:
    from collections.abc import Callable

    from runs_dashboard.models import Tenant, User

RUNS = "/api/v1/flow-runs"


def test_post_starts_a_flow(api: Caller, flow: Flow, ada: User) -> None:
    body = {
        "id": "my-run",
        "flowId": "orders",
        "flowType": "selfServiceAction",
        "args": {"a": 1},
        "tags": [{"key": "k", "value": "v"}],
    }

    answer = api.post(RUNS, body)

    assert answer.status_code == 201
    shown = answer.json()
    assert (shown["id"], shown["phase"], shown["args"], shown["trigger"]) == ("my-run", "queued", {"a": 1}, "api")
    assert shown["tags"] == [{"key": "k", "value": "v"}]
    assert shown["createdBy"] == ada.pk
    assert answer["Location"] == f"{RUNS}/my-run"


def test_post_of_a_stepless_flow_waits_for_its_engine(api: Caller, reported_flow: Flow) -> None:
    shown = api.post(RUNS, {"flowId": "shipping"}).json()

    assert shown["phase"] == "queued"
    assert api.patch(f"{RUNS}/{shown['id']}", {"phase": "running"}).json()["phase"] == "running"


def test_post_of_an_unknown_or_foreign_flow_is_invalid(api: Caller, eves: Caller, flow: Flow) -> None:
    assert api.post(RUNS, {"flowId": "nothing"}).status_code == 422
    assert eves.post(RUNS, {"flowId": "orders"}).status_code == 422


def test_post_of_a_taken_id_is_a_conflict(api: Caller, flow: Flow) -> None:
    assert api.post(RUNS, {"flowId": "orders", "id": "mine"}).status_code == 201
    assert api.post(RUNS, {"flowId": "orders", "id": "mine"}).status_code == 409


def test_post_twice_with_one_key_is_one_run(api: Caller, flow: Flow) -> None:
    header = {"Idempotency-Key": "k1"}

    ids = {api.post(RUNS, {"flowId": "orders"}, headers=header).json()["id"] for _ in range(3)}

    assert len(ids) == 1


def test_a_disabled_flow_does_not_start(api: Caller, flow: Flow) -> None:
    Flow.across_tenants.update(is_enabled=False)

    assert api.post(RUNS, {"flowId": "orders"}).status_code == 409
    assert api.put(f"{RUNS}/x", {"flowId": "orders"}).status_code == 409


def test_inputs_are_checked(api: Caller, tenant: Tenant) -> None:
    make_flow(tenant, "strict", inputs={"n": {"type": "integer", "required": True}})

    answer = api.post(RUNS, {"flowId": "strict", "args": {"n": "many"}})

    assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["body", "args", "n"])


def test_args_have_a_limit(api: Caller, flow: Flow, settings: Any) -> None:
    settings.ARGS_MAX_BYTES = 100

    assert api.post(RUNS, {"flowId": "orders", "args": {"a": "x" * 91}}).status_code == 201
    assert api.post(RUNS, {"flowId": "orders", "args": {"a": "x" * 95}}).status_code == 413


def test_a_full_queue_takes_no_more(api: Caller, flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    from runs_dashboard.api import reports

    monkeypatch.setattr(reports, "QUEUE_LIMIT", 2)
    statuses = [api.post(RUNS, {"flowId": "orders"}).status_code for _ in range(3)]
    webhook = api.post("/webhooks/orders", {})

    assert statuses == [201, 201, 429]
    assert (webhook.status_code, int(webhook["Retry-After"]) > 0) == (429, True)
    assert Run.across_tenants.count() == 2


@pytest.mark.parametrize("who", ["vic", "sue"])
def test_who_may_not_report(who: str, request: pytest.FixtureRequest, caller_of: Callable[[User], Caller]) -> None:
    caller = caller_of(request.getfixturevalue(who))

    assert caller.put(f"{RUNS}/r1", {"flowId": "s"}).status_code == 403
    assert Run.across_tenants.count() == 0
