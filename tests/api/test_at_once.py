"""The same call from many clients at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection

from runs_dashboard.models import LogView, Run

from .world import Caller, make_flow

if TYPE_CHECKING:
    from collections.abc import Callable

    from runs_dashboard.models import Tenant

RUNS = "/api/v1/flow-runs"
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def at_once(api: Caller) -> Callable[[int, Callable[[Caller, int], Any]], list[Any]]:
    """Calls from so many threads, each with a client and a connection of its own; their answers."""

    def call_all(count: int, act: Callable[[Caller, int], Any]) -> list[Any]:
        def act_alone(place: int) -> Any:
            try:
                return act(Caller(api.key), place)
            finally:
                connection.close()

        with ThreadPoolExecutor(max_workers=count) as pool:
            return list(pool.map(act_alone, range(count)))

    return call_all


def test_one_idempotency_key_is_one_run(at_once: Any, tenant: Tenant) -> None:
    make_flow(tenant)
    header = {"Idempotency-Key": "k"}

    answers = at_once(12, lambda caller, _: caller.post(RUNS, {"flowId": "orders"}, headers=header))

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert Run.across_tenants.count() == 1


def test_one_id_is_one_run(at_once: Any, tenant: Tenant) -> None:
    make_flow(tenant)

    answers = at_once(8, lambda caller, _: caller.post(RUNS, {"flowId": "orders", "id": "mine"}))

    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7


def test_one_report_from_many_is_one_run(at_once: Any, tenant: Tenant) -> None:
    answers = at_once(8, lambda caller, _: caller.put(f"{RUNS}/r1", {"flowId": "new", "phase": "succeeded"}))

    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    assert Run.across_tenants.get().status == "succeeded"


def test_lines_from_many_have_no_gap(at_once: Any, api: Caller, tenant: Tenant) -> None:
    api.put(f"{RUNS}/r1", {"flowId": "new", "phase": "running"})

    def send(caller: Caller, place: int) -> Any:
        lines = [{"message": f"{place}.{number}", "action": "same"} for number in range(20)]
        return caller.post(f"{RUNS}/r1/flow-run-logs", {"logs": lines})

    answers = at_once(6, send)

    assert {answer.status_code for answer in answers} == {201}
    run = Run.across_tenants.get(uid="r1")
    entries = LogView(run).after(0, limit=1_000)
    assert [entry.line for entry in entries] == list(range(1, run.line_count + 1))
    assert run.line_count == 120
    assert run.steps.count() == 1


def test_a_stop_from_many_is_one_stop(at_once: Any, api: Caller, tenant: Tenant) -> None:
    make_flow(tenant)
    uid = api.post(RUNS, {"flowId": "orders"}).json()["id"]

    answers = at_once(8, lambda caller, _: caller.post(f"{RUNS}/{uid}/stop"))

    assert sorted(answer.status_code for answer in answers) == [202] + [409] * 7
    assert Run.across_tenants.get().audit.filter(action="run.stop").count() == 1
