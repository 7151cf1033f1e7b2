"""How often one may call: by key and by tenant, and never so that a run cannot be stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from runs_dashboard.api import throttling
from runs_dashboard.api.throttling import KNOWN_LIMIT, Budgets
from runs_dashboard.models import Actor, Run, WebhookSecret

from .test_webhooks import BODY, send, sign
from .world import Caller

if TYPE_CHECKING:
    from collections.abc import Callable

    from runs_dashboard.models import Flow, User

RUNS = "/api/v1/flow-runs"


class Clock:
    """A time that goes on when it is told to."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Also the clock of the API's own budgets, which are empty."""
    clock = Clock()
    monkeypatch.setattr(throttling, "_budgets", Budgets(clock))
    return clock


@pytest.fixture
def live(caller_of: Callable[[User], Caller], oli: User, reported_flow: Flow) -> Caller:
    """Oli's engine, which has a run under way: `mine`."""
    caller = caller_of(oli)
    assert (
        caller.put(f"{RUNS}/mine", {"flowId": "shipping", "flowType": "automation", "phase": "running"}).status_code
        == 201
    )
    return caller


def test_a_full_budget_is_spent_at_once_and_fills_evenly() -> None:
    clock = Clock()
    budgets = Budgets(clock)

    assert [budgets.spend(("a", 60)) for _ in range(60)] == [0.0] * 60
    assert budgets.spend(("a", 60)) == pytest.approx(1.0)
    assert budgets.spend(("b", 60)) == 0.0
    clock.seconds += 1
    assert budgets.spend(("a", 60)) == 0.0
    assert budgets.spend(("a", 60)) == pytest.approx(1.0)
    clock.seconds += 1_000
    assert [budgets.spend(("a", 60)) for _ in range(61)][-2:] == [0.0, pytest.approx(1.0)]


def test_who_is_refused_by_one_budget_spends_nothing_of_the_other() -> None:
    budgets = Budgets(Clock())
    for _ in range(5):
        budgets.spend(("tenant", 10), ("key", 1))

    assert [budgets.spend(("tenant", 10)) > 0 for _ in range(10)] == [False] * 9 + [True]


def test_those_who_have_been_quiet_are_forgotten() -> None:
    clock = Clock()
    budgets = Budgets(clock)
    for number in range(KNOWN_LIMIT):
        budgets.spend((number, 60))
    clock.seconds += 2
    budgets.spend(("new", 60))

    assert set(budgets._full_at) == {"new"}


def test_too_many_calls_of_a_key_are_429_until_retry_after(api: Caller, clock: Clock, settings: Any) -> None:
    settings.API_RATE_PER_KEY = 6

    assert [api.get(RUNS).status_code for _ in range(7)] == [200] * 6 + [429]
    refused = api.get("/workflows/logs")
    assert (refused.status_code, refused["Retry-After"]) == (429, "10")
    assert refused.json()["detail"][0]["type"] == "too_many_requests"
    clock.seconds += 10
    assert [api.get(RUNS).status_code for _ in range(2)] == [200, 429]


def test_another_key_has_its_own_budget_and_the_tenant_one_for_all(
    api: Caller, eves: Caller, caller_of: Callable[[User], Caller], ada: User, clock: Clock, settings: Any
) -> None:
    settings.API_RATE_PER_KEY, settings.API_RATE_PER_TENANT = 2, 3

    assert [api.get(RUNS).status_code for _ in range(3)] == [200, 200, 429]
    other = caller_of(ada)
    assert [other.get(RUNS).status_code for _ in range(2)] == [200, 429]
    assert eves.get(RUNS).status_code == 200


def test_zero_is_no_bound(api: Caller, clock: Clock, settings: Any) -> None:
    settings.API_RATE_PER_KEY = settings.API_RATE_PER_TENANT = 0

    assert {api.get(RUNS).status_code for _ in range(20)} == {200}
    assert not throttling._budgets._full_at


def test_stop_and_heartbeat_are_never_throttled(live: Caller, clock: Clock, settings: Any) -> None:
    settings.API_RATE_PER_KEY = settings.API_LOG_RATE_PER_KEY = 1
    live.get(RUNS)
    live.post(f"{RUNS}/mine/flow-run-logs", {"logs": [{"message": "one"}]})
    assert live.get(RUNS).status_code == 429

    assert [live.post(f"{RUNS}/mine/heartbeat").json()["stop"] for _ in range(5)] == [False] * 5
    assert live.post(f"{RUNS}/mine/stop").status_code == 202
    assert live.post(f"{RUNS}/mine/stop").status_code == 202
    assert live.post(f"{RUNS}/mine/heartbeat").json()["stop"] is True


def test_appending_is_counted_apart(live: Caller, clock: Clock, settings: Any) -> None:
    settings.API_RATE_PER_KEY, settings.API_LOG_RATE_PER_KEY = 1, 3
    path, lines = f"{RUNS}/mine/flow-run-logs", {"logs": [{"message": "one"}]}

    assert live.get(path).status_code == 200
    assert live.get(path).status_code == 429
    assert [live.post(path, lines).status_code for _ in range(4)] == [201, 201, 201, 429]
    assert Run.across_tenants.get(uid="mine").line_count == 3


def test_signed_webhooks_count_for_their_tenant(
    nobody: Caller, api: Caller, flow: Flow, clock: Clock, settings: Any
) -> None:
    settings.API_RATE_PER_TENANT = 2
    _, secret = WebhookSecret.make(flow, by=Actor(name="test"))

    assert [send(nobody, "orders", sign(secret), BODY).status_code for _ in range(3)] == [202, 202, 429]
    assert send(nobody, "orders", sign("wrong"), BODY).status_code == 404
    assert api.get(RUNS).status_code == 429


def test_counting_asks_the_database_nothing(api: Caller, run: Run, ada: User, django_assert_num_queries: Any) -> None:
    from runs_dashboard.models import ApiKey

    key = ApiKey.across_tenants.select_related("tenant").get(user=ada)
    with django_assert_num_queries(0):
        throttling.check_rate("call", key.tenant, key)
