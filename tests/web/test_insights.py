"""The insights: their numbers are those of the lists behind them and of /icenter/executions."""

from __future__ import annotations

import csv
import re
from datetime import timedelta
from io import StringIO
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.cache import cache
from django.db import connection
from django.http import QueryDict
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from runs_dashboard.filters import RunFilter
from runs_dashboard.models import Actor, Flow, Report, Run, Status, Step, fold_all
from runs_dashboard.web.charts import draw_durations, draw_outcomes
from runs_dashboard.web.period import read_period
from runs_dashboard.web.words import say_part

from ..models.runs import ENGINE, claim, make_flow, make_run
from .reading import Page

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client

    from runs_dashboard.models import Tenant, User

# A number alone, one with its state, or what stands over a column: `20 Nov: 12 runs, …`, `14:00: 1 failed`.
COUNT = re.compile(
    r"(?:[^:]+(?::00)?: (?=[\d,]+ (?:runs|failed)))?([\d,]+)(?: (?:succeeded|failed|stopped|in|runs)\b|$)"
)
PERIODS = (
    "period=24h",
    "period=7d",
    "period=30d",
    "period=90d",
    "period=7d&flow=orders",
    "own",
)


@pytest.fixture
def client(client_of: Callable[[User], Client], vic: User) -> Client:
    cache.clear()
    return client_of(vic)


@pytest.fixture
def history(tenant: Tenant, ada: User, oli: User) -> list[Run]:
    """Runs in every status, of three flows and of two users and nobody, from now back for two months."""
    orders, billing = make_flow(tenant, "orders"), make_flow(tenant, "billing")
    runs = []
    for number in range(40):
        flow = (orders, orders, billing)[number % 3]
        status = (Status.SUCCEEDED, Status.FAILED, Status.SUCCEEDED, Status.RUNNING, Status.QUEUED)[number % 5]
        run = make_run(flow, status)
        at = timezone.now() - timedelta(hours=number * number)
        fields: dict[str, Any] = {"ordered_at": at, "created_by": (ada, oli, None)[number % 3]}
        if status != Status.QUEUED:
            fields |= {"started_at": at, "created_at": at - timedelta(seconds=number)}
        if status in (Status.SUCCEEDED, Status.FAILED):
            fields["finished_at"] = at + timedelta(seconds=1 + number)
        Run.across_tenants.filter(pk=run.pk).update(**fields)
        runs.append(run)
    make_run(orders).request_stop(by=ENGINE)
    engine = Flow.named("engine", tenant=tenant, by=ENGINE)
    report = Report(phase="succeeded", started_at=timezone.now() - timedelta(days=3), finished_at=timezone.now())
    Run.report_new(flow=engine, uid="from-elsewhere", by=ENGINE, report=report)
    return runs


def count_behind(tenant: Tenant, link: str) -> int:
    """How many runs the list shows that a link leads to."""
    parts = urlsplit(link)
    assert parts.path == "/runs/"
    found = RunFilter(QueryDict(parts.query), queryset=Run.objects.of(tenant), tenant=tenant)
    assert found.is_valid(), found.errors
    return found.qs.count()


@pytest.mark.parametrize("is_folded", [False, True])
@pytest.mark.parametrize("asked", PERIODS)
def test_every_number_leads_to_exactly_so_many_runs(
    client: Client, tenant: Tenant, history: list[Run], asked: str, is_folded: bool
) -> None:
    if is_folded:
        fold_all()
    if asked == "own":
        day = timezone.now().date()
        asked = f"from={day - timedelta(days=40)}&to={day - timedelta(days=1)}"
    checked = 0
    for look in ("", "&as=table"):
        page = Page(client.get(f"/insights/?{asked}{look}"))
        for element in page.find("a"):
            link = element.attrs.get("href", "")
            if link.startswith("/runs/?") and "component=" not in link:
                said = element.text
                if number := COUNT.match(said):
                    assert count_behind(tenant, link) == int(number[1].replace(",", "")), (said, link)
                    checked += 1
    assert checked > 10


@pytest.mark.parametrize("is_folded", [False, True])
def test_a_component_leads_to_the_runs_that_have_such_steps(client: Client, tenant: Tenant, *, is_folded: bool) -> None:
    make_run(make_flow(tenant), Status.SUCCEEDED)
    calls = make_flow(tenant, "calls", steps='  - {id: ask, component: http, with: {url: "https://shop.example/"}}\n')
    make_run(calls, Status.SUCCEEDED)
    for _ in range(2):
        run = claim(calls.start({}, trigger="manual", by=ENGINE))
        for attempt in (1, 2):
            Step.begin(run, run.version.parsed.steps[0], position=0, attempt=attempt).end(Status.FAILED, error="no")
        run.finish(Status.FAILED, token=run.token, error="no")
    if is_folded:
        fold_all()

    links = [e.attrs["href"] for e in Page(client.get("/insights/")).find("a") if "component=" in e.attrs["href"]]

    assert {link.partition("since")[0]: count_behind(tenant, link) for link in links} == {
        "/runs/?component=http&": 3,
        "/runs/?component=http%3Dfailed&": 2,
        "/runs/?component=command&": 1,
    }


@pytest.mark.parametrize("kind", ["flow", "user", "component"])
@pytest.mark.parametrize("period", ["7d", "30d", "90d"])
def test_the_tables_say_what_icenter_says(
    client: Client, vic: User, history: list[Run], key_of: Callable[[User], str], kind: str, period: str
) -> None:
    rows = list(csv.DictReader(StringIO(client.get(f"/insights/{kind}.csv?period={period}").content.decode())))
    days = read_period(QueryDict(f"period={period}"))[0]
    told = client.get(
        f"/icenter/executions?groupby={kind}&start={days.first}&end={days.last}",
        headers={"authorization": f"Bearer {key_of(vic)}"},
    ).json()

    assert sum(int(row["runs"]) for row in rows) == told["total"] > 0
    assert sorted(int(row["runs"]) for row in rows) == sorted(one["count"] for one in told["counts"])


def test_the_figures_of_the_head(client: Client, tenant: Tenant) -> None:
    flow = make_flow(tenant)
    for seconds in (10, 20, 30, 40, 100):
        run = make_run(flow, Status.SUCCEEDED)
        at = timezone.now() - timedelta(days=1)
        Run.across_tenants.filter(pk=run.pk).update(
            ordered_at=at,
            started_at=at,
            finished_at=at + timedelta(seconds=seconds),
            created_at=at - timedelta(seconds=4),
        )
    make_run(flow, Status.FAILED)

    page = Page(client.get("/insights/?period=7d"))

    figures = dict(zip([e.text for e in page.find("dt")], [e.text for e in page.find("dd")], strict=True))
    assert figures["Runs"].startswith("6")
    assert figures["Success"].startswith("83.3 %")
    assert figures["Failed"].startswith("1")
    assert figures["Median duration"][:4] in ("0:28", "0:29", "0:30", "0:31")
    assert figures["95 % waited at most"][:3] in ("3.8", "3.9", "4.0", "4.1", "4.2")
    heads = [element.text for element in page.find("th")]
    assert heads.count("Wait") == 2, "of flows and of users; steps do not wait"
    (waited,) = [e.text for e in page.find("td", class_="r num x") if e.text.endswith(" s") and e.text[0] in "34"][:1]
    assert waited in ("3.8 s", "3.9 s", "4.0 s", "4.1 s", "4.2 s")


def test_change_is_told_against_the_period_before(client: Client, tenant: Tenant) -> None:
    flow = make_flow(tenant)
    for days in (0, 1, 1, 8):
        run = make_run(flow, Status.SUCCEEDED)
        Run.across_tenants.filter(pk=run.pk).update(ordered_at=timezone.now() - timedelta(days=days))

    page = Page(client.get("/insights/?period=7d"))

    assert "200 % more" in page.one("dl", class_="kpis").text
    assert "the 7 days before" in page.source


def test_another_tenants_runs_are_not_counted(client: Client, other_tenant: Tenant) -> None:
    make_run(make_flow(other_tenant, "theirs"), Status.SUCCEEDED)
    source = client.get("/insights/").content.decode()
    assert "No run yet" in source
    assert "Theirs" not in source
    assert client.get("/insights/?flow=theirs").status_code == 400


def test_an_empty_period_says_what_to_do(client: Client, history: list[Run]) -> None:
    page = Page(client.get("/insights/?from=2020-01-01&to=2020-01-31"))
    assert "Nothing ran in 1 Jan 2020 to 31 Jan 2020" in page.source
    assert page.links["The last 90 days"] == "?period=90d"


@pytest.mark.parametrize(
    "asked",
    [
        *(
            "period=1y",
            "from=x",
            "from=2026-02-30",
            "to=99999-01-01",
            "from=2026-02-02&to=2026-02-01",
            "from=0001-01-01",
        ),
        *("from=2020-01-01&to=2026-01-01", "to=9999-12-31", "flow=nothing", "flow=" + "x" * 999),
        "from=%ED%A0%80",
    ],
)
def test_what_cannot_be_shown_is_said_and_never_an_error(client: Client, history: list[Run], asked: str) -> None:
    answer = client.get(f"/insights/?{asked}")
    assert answer.status_code == 400
    assert Page(answer).find("div", role="alert")
    assert client.get(f"/insights/flow.csv?{asked}").status_code == 400


def test_a_days_own_period_has_its_days(client: Client, tenant: Tenant) -> None:
    period, problem = read_period(QueryDict("from=2026-02-27&to=2026-03-02"))
    assert not problem
    assert [period.say_unit(unit) for unit in period.units] == ["27 Feb", "28 Feb", "1 Mar", "2 Mar"]
    assert period.query == {"from": "2026-02-27", "to": "2026-03-02"}
    assert (period.words, period.before_words) == ("27 Feb 2026 to 2 Mar 2026", "the 4 days before")


def test_files_hold_all_rows_and_no_formula(client: Client, tenant: Tenant) -> None:
    flow = make_flow(tenant)
    Flow.across_tenants.filter(pk=flow.pk).update(name="=1+1")
    make_run(flow, Status.SUCCEEDED)
    answer = client.get("/insights/flow.csv")
    rows = list(csv.DictReader(StringIO(answer.content.decode())))
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert [(row["flow"], row["name"], row["runs"]) for row in rows] == [("orders", "'=1+1", "1")]
    assert client.get("/insights/time.csv").content.startswith(b"begin,runs,succeeded")
    assert client.get("/insights/nothing.csv").status_code == 404


def test_the_page_asks_the_same_for_few_runs_and_for_many(client: Client, tenant: Tenant) -> None:
    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get("/insights/?period=90d").status_code == 200
        of_runs = [query["sql"] for query in queries if 'FROM "runs_dashboard_run"' in query["sql"]]
        assert all("LIMIT" in sql for sql in of_runs), "a scan of runs"  # the bar counts the inbox so far
        assert len(of_runs) <= 1
        return len(queries)

    make_run(make_flow(tenant), Status.SUCCEEDED)
    few = count()
    for number in range(5):
        flow = make_flow(tenant, f"flow-{number}")
        for days in range(0, 60, 7):
            run = make_run(flow, Status.FAILED)
            Run.across_tenants.filter(pk=run.pk).update(ordered_at=timezone.now() - timedelta(days=days))
    fold_all()
    assert count() <= few
    assert few <= 24


def test_more_flows_than_a_table_shows(client: Client, tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runs_dashboard.web.insight_tables.ROWS", 2)
    monkeypatch.setattr("runs_dashboard.web.insight_tables.TOP", 1)
    for number in range(4):
        for _ in range(4 - number):
            make_run(make_flow(tenant, f"flow-{number}"), Status.SUCCEEDED)
    source = client.get("/insights/").content.decode()
    assert "2 more with fewer runs" in source
    assert len(list(csv.DictReader(StringIO(client.get("/insights/flow.csv").content.decode())))) == 4


def test_a_part_is_never_all_or_nothing_by_rounding() -> None:
    assert [say_part(part) for part in (None, 0, 0.00001, 0.5, 0.99999, 1)] == [
        *("–", "0 %", "0.1 %", "50 %", "99.9 %", "100 %"),
    ]


@pytest.mark.parametrize("scale", [1, 3, 10_000_000])
def test_no_shape_leaves_its_chart(tenant: Tenant, scale: int) -> None:
    from runs_dashboard.models import Figures

    figures = Figures()
    figures.counts |= {"failed": scale, "succeeded": 3 * scale, "running": 1}
    for units in (range(1), range(90)):
        chart = draw_outcomes(units, {0: figures}, say=str, link=lambda unit, kind: "/")
        lines = draw_durations(units, {0: (1.0, 1.0 * scale)}, say=str, link=lambda unit: "/")
        for area in chart.areas + lines.areas:
            assert 0 <= float(area.y) <= float(area.y) + float(area.height) <= 100.01
            assert 0 <= float(area.x) <= float(area.x) + float(area.width) <= 100.01
        for y, _ in chart.grid + lines.grid:
            assert 0 <= float(y) <= 100
        assert {kind for kind, _ in chart.shapes} == {"failed", "going", "succeeded"}


def test_durations_of_nothing_are_no_line() -> None:
    chart = draw_durations(range(3), {1: (None, None)}, say=str, link=lambda unit: "/")
    assert (chart.shapes, chart.areas) == ([], [])


def test_a_running_run_counts_at_once(client: Client, tenant: Tenant, ada: User) -> None:
    run = make_flow(tenant).start({}, trigger="manual", by=Actor(user=ada))
    assert "1 in progress" in Page(client.get("/insights/?period=24h")).source
    claim(run)
    page = Page(client.get("/insights/?period=24h"))
    link = next(e.attrs["href"] for e in page.find("a") if e.text == "1 in progress")
    assert parse_qs(urlsplit(link).query)["status"] == ["queued,running,paused"]
