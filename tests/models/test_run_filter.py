"""What can be asked of the run list: every name finds its runs, nonsense is told, nothing is scanned."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.http import QueryDict

from runs_dashboard.filters import RunFilter
from runs_dashboard.models import Environment, Flow, Report, Run, Status, StepReport, fold_all
from runs_dashboard.text.fingerprint import fingerprint

from .runs import ENGINE, actor, claim, make_flow, make_run

if TYPE_CHECKING:
    from runs_dashboard.models import Tenant, User


def ask(tenant: Tenant, query: str) -> RunFilter:
    return RunFilter(QueryDict(query), queryset=Run.objects.of(tenant).for_list(), tenant=tenant)


def found(tenant: Tenant, query: str) -> set[str]:
    asked = ask(tenant, query)
    assert asked.is_valid(), asked.errors
    return {run.uid for run in asked.qs}


def test_every_filter_finds_its_runs_and_no_others(tenant: Tenant, oli: User) -> None:
    Environment.objects.of(tenant).create(name="production").publish({"A": "1"}, by=ENGINE)
    orders, prices = make_flow(tenant, "orders"), make_flow(tenant, "prices")
    a = make_run(orders, uid="a", tags={"team": "blue"}, tracked=[("order_id", "4711")])
    b = prices.start({}, trigger="webhook", by=actor(oli), uid="b", environment="production")
    c = make_run(orders, Status.FAILED, uid="c")
    c.review(by=ENGINE)
    make_run(orders, uid="d", parent_run=c)
    Run.across_tenants.filter(uid="c").update(has_warnings=True, is_retried=True)
    version = b.environment_version
    assert version is not None
    started = c.started_at.astimezone(UTC)
    cases: dict[str, set[str]] = {
        "": {"a", "b", "c", "d"},
        "status=failed": {"c"},
        "status=failed,queued": {"a", "b", "c", "d"},
        "status=failed&status=running": {"c"},
        "flow=prices": {"b"},
        "flow_id=orders": {"a", "c", "d"},
        "trigger=webhook": {"b"},
        "user=oli": {"b"},
        f"user_id={oli.pk}": {"b"},
        "user_id=99999999999999999999": set(),
        "tag=team:blue": {"a"},
        "tag=team": {"a"},
        "tracked=order_id:4711": {"a"},
        "tracked=order_id%3D4711": {"a"},
        "environment=production": {"b"},
        f"virtual_environment_id={version.environment.uuid}": {"b"},
        f"flow_version_id={a.version.uuid}": {"a", "c", "d"},
        "flow_version_id=nonsense": set(),
        "retried=true": {"c"},
        "has_warnings=false": {"a", "b", "d"},
        "reviewed=true": {"c"},
        "reviewed=false": {"a", "b", "d"},
        "parent_run_id=c": {"d"},
        f"started_after={started.date()}": {"c"},
        f"started_on={int(started.timestamp() * 1000)}": {"c"},
        f"started_before={int((started - timedelta(days=1)).timestamp() * 1000)}": set(),
        "search=4711": {"a"},
        "search=blue": {"a"},
        "search=PRIC": {"b"},
        "search=c": {"c"},
        "search=nothing": set(),
        "user=oli,nobody": {"b"},
        "not_user=oli": {"a", "c", "d"},
        "not_status=queued": {"c"},
        "not_trigger=manual": {"b"},
        "not_flow=prices,none": {"a", "c", "d"},
        "not_environment=production": {"a", "c", "d"},
        "not_tag=team:blue": {"b", "c", "d"},
        "not_tag=team": {"b", "c", "d"},
        "not_tracked=order_id:4711": {"b", "c", "d"},
        "not_tracked=order_id:4711&not_tag=x": {"b", "c", "d"},
        "tag=team:blue&tag=team": {"a"},
        "tag=team:blue&tag=shop": set(),
        "level=warning": {"c"},
        "level=error": set(),
        "level=error,warning": {"c"},
        "started_after=2h": {"c"},
        "started_before=2h": set(),
        "duration_over=0s": {"c"},
        "duration_under=1h": {"c"},
    }
    for query, expected in cases.items():
        if query == "search=c":
            assert "c" in found(tenant, query)
            continue
        assert found(tenant, query) == expected, query


def test_what_is_unresolved_and_what_failed_alike_is_found(tenant: Tenant) -> None:
    orders, prices = make_flow(tenant, "orders"), make_flow(tenant, "prices")
    make_run(orders, Status.FAILED, uid="reviewed").review(by=ENGINE)
    make_run(prices, Status.FAILED, uid="open")
    retried = make_run(orders, Status.FAILED, uid="retried")
    again = claim(retried.retry(by=ENGINE))
    again.finish(Status.SUCCEEDED, token=again.token)
    Run.across_tenants.filter(pk=again.pk).update(uid="again")
    silent = make_run(orders, Status.RUNNING, uid="silent")
    silent.finish(Status.FAILED, token=silent.token)
    make_run(orders, uid="queued")
    boom = f"error={fingerprint('boom')}"
    cases: dict[str, set[str]] = {
        "unresolved=true": {"open", "silent"},
        "unresolved=false": {"reviewed", "retried", "again", "queued"},
        "unresolved=true&status=failed": {"open", "silent"},
        "unresolved=true&status=queued": set(),
        "unresolved=true&reviewed=true": set(),
        "unresolved=true&reviewed=false": {"open", "silent"},
        boom: {"reviewed", "open", "retried"},
        boom.upper().replace("ERROR", "error"): {"reviewed", "open", "retried"},
        f"{boom}&unresolved=true": {"open"},
        f"{boom}&unresolved=true&flow=prices": {"open"},
        f"{boom}&unresolved=true&flow=orders": set(),
        f"{boom}&status=queued": set(),
        f"{boom}&status=queued,failed": {"reviewed", "open", "retried"},
        "error=none": {"silent"},
        "error=none&unresolved=true&flow=orders": {"silent"},
        "error=nonsense": set(),
    }
    assert {query: found(tenant, query) for query in cases} == cases


@pytest.mark.parametrize("is_folded", [False, True])
def test_runs_are_found_by_the_component_of_a_step(tenant: Tenant, *, is_folded: bool) -> None:
    make_run(make_flow(tenant), Status.SUCCEEDED, uid="commands")
    make_run(make_flow(tenant), uid="not begun")
    engine = Flow.named("engine", tenant=tenant, by=ENGINE)
    for uid, component, phase in (("s3", "aws:s3", "failed"), ("unsaid", "", "succeeded")):
        steps = [StepReport("copy", component=component, phase=phase)]
        Run.report_new(flow=engine, uid=uid, by=ENGINE, report=Report(phase=phase, steps=steps))
    if is_folded:
        fold_all()
    cases: dict[str, set[str]] = {
        "component=command": {"commands"},
        "component=command=succeeded": {"commands"},
        "component=command=failed": set(),
        "component=aws:s3": {"s3"},
        "component=aws:s3=failed": {"s3"},
        "component=aws:s3&flow=orders": set(),
        "component=none": {"unsaid"},
        "component=nothing": set(),
    }
    assert {query: found(tenant, query) for query in cases} == cases


@pytest.mark.parametrize("value", ["http=", "http=lost", "=failed"])
def test_a_step_has_one_of_the_known_statuses(tenant: Tenant, value: str) -> None:
    assert "succeeded" in str(ask(tenant, f"component={value}").errors["component"])


def test_the_end_of_an_id_finds_its_run(tenant: Tenant) -> None:
    run = make_run(make_flow(tenant))
    make_run(make_flow(tenant))
    assert found(tenant, f"search={run.uid[-8:]}") == {run.uid}
    assert found(tenant, f"search={run.uid}") == {run.uid}


@pytest.mark.parametrize(
    "query",
    [
        "status=nonsense",
        "trigger=failed",
        "retried=maybe",
        "started_after=yesterday",
        "started_after=99999999999999999999",
        "started_on=2026-02-30",
        "started_before=-5",
        "started_after=0001-01-01T00:00:00%2B14:00",
        "search=" + "x" * 256,
    ],
)
def test_nonsense_is_told(tenant: Tenant, query: str) -> None:
    asked = ask(tenant, query)
    assert not asked.is_valid()
    assert asked.errors


def test_a_run_that_still_runs_counts_by_what_it_has_taken_so_far(tenant: Tenant) -> None:
    flow = make_flow(tenant)
    run, short = make_run(flow, Status.RUNNING), make_run(flow, Status.SUCCEEDED)
    Run.across_tenants.filter(pk=run.pk).update(started_at=datetime.now(UTC) - timedelta(minutes=6))
    assert found(tenant, "duration_over=5m") == {run.uid}
    assert found(tenant, "duration_under=5m") == {short.uid}
    assert found(tenant, "duration_over=7m") == set()


def test_durations_are_the_same_where_many_runs_took_so_long(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runs_dashboard.filters.FEW_RUNS", 1)
    flow = make_flow(tenant)
    runs = [make_run(flow, Status.SUCCEEDED) for _ in range(3)]
    for number, run in enumerate(runs):
        begun = datetime(2026, 3, 1, tzinfo=UTC)
        ended = begun + timedelta(seconds=60 * number, milliseconds=1)
        Run.across_tenants.filter(pk=run.pk).update(started_at=begun, ordered_at=begun, finished_at=ended)
    assert list(Run.objects.of(tenant).order_by("pk").values_list("took_ms", flat=True)) == [1, 60_001, 120_001]
    assert found(tenant, "duration_over=1m") == {runs[1].uid, runs[2].uid}
    assert found(tenant, "duration_over=1ms&duration_under=2m") == {runs[1].uid}
    assert found(tenant, "duration_under=2m1ms") == {runs[0].uid, runs[1].uid}


@pytest.mark.parametrize("few", [0, 2_000])
def test_pairs_and_texts_find_the_same_among_few_and_among_many(
    tenant: Tenant, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runs_dashboard.filters.FEW_RUNS", few)
    orders, prices = make_flow(tenant, "orders"), make_flow(tenant, "prices")
    make_run(orders, uid="a-1234567", tags={"team": "blue"}, tracked=[("order_id", "1"), ("order_id", "2")])
    make_run(orders, uid="a-1234599", tags={"team": "red"}, tracked=[("order_id", "2")])
    make_run(prices, uid="z-orders")
    cases = {
        "tag=team": {"a-1234567", "a-1234599"},
        "tag=team:red": {"a-1234599"},
        "tag=team:blue&tracked=order_id:2": {"a-1234567"},
        "tracked=order_id:2": {"a-1234567", "a-1234599"},
        "tracked=order_id:3": set(),
        "search=order": {"a-1234567", "a-1234599"},
        "search=PRICE": {"z-orders"},
        "search=a-1234567": {"a-1234567"},
        "search=A-12345678": set(),
        "search=2": {"a-1234567", "a-1234599"},
    }
    assert {query: found(tenant, query) for query in cases} == cases


@pytest.mark.parametrize("start", ["a-1234567", "A-1234567", "a-12345678", "a-1234567-"])
def test_an_id_is_found_by_its_start(tenant: Tenant, start: str) -> None:
    flow = make_flow(tenant)
    uids = {make_run(flow, uid=uid).uid for uid in ("a-1234567-x", "a-12345678.z_9", "b-1234567")}
    assert found(tenant, f"search={start}") == {uid for uid in uids if uid.startswith(start.lower())}


@pytest.mark.parametrize("value", ["\x00", "\ud800", "é", "'; --", "%", "x" * 255, "9" * 30])
@pytest.mark.parametrize("name", sorted(RunFilter.base_filters))
def test_no_value_of_any_filter_breaks_the_list(tenant: Tenant, name: str, value: str) -> None:
    make_run(make_flow(tenant))
    data = QueryDict(mutable=True)
    data[name] = value
    asked = RunFilter(data, queryset=Run.objects.of(tenant).for_list(), tenant=tenant)
    if asked.is_valid():
        list(asked.qs)


def forget_statistics() -> None:
    """A worker of another test may have left some, of tables that held a run or two."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM sqlite_master WHERE name LIKE 'sqlite_stat_'")
        for (table,) in cursor.fetchall():
            cursor.execute(f"DELETE FROM {table}")
        cursor.execute("ANALYZE sqlite_schema")


def plan(rows: Any) -> str:
    """How SQLite answers the first page of these rows."""
    sql, params = rows[:50].query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}", params)
        return "\n".join(str(row[-1]) for row in cursor.fetchall())


RARE = ["has_warnings=true", "retried=true", "reviewed=true", "environment=production", "user_id=1"]
FAILURES = ["unresolved=true", "error=5f0c", "unresolved=true&flow=orders&error=5f0c", "unresolved=true&error=none"]


@pytest.mark.parametrize(
    "query", ["", "status=failed", "flow=orders", "flow=orders&status=failed", "trigger=api", *RARE, *FAILURES]
)
def test_the_common_questions_are_answered_by_an_index_in_its_order(tenant: Tenant, query: str) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("the plan is read off SQLite, which plans without statistics")
    forget_statistics()
    make_flow(tenant)
    Environment.objects.of(tenant).create(name="production").publish({"A": "1"}, by=ENGINE)
    rows = ask(tenant, query).qs
    for page in (rows, rows.before(datetime(2026, 1, 1, tzinfo=UTC), 5)):
        steps = plan(page)
        assert "USE TEMP B-TREE" not in steps, steps
        assert "SCAN runs_dashboard_run" not in steps, steps
