"""GET /api/v1/flow-runs: filters, sort, both ways of paging, includes, sparse fields, cost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from runs_dashboard.api import run_pages
from runs_dashboard.models import Actor, Run, Step, counting

from .world import Caller, ids, listed, print_lines

if TYPE_CHECKING:
    from runs_dashboard.models import Flow, User

RUNS = "/api/v1/flow-runs"
FIRST = datetime(2026, 3, 1, 19, tzinfo=UTC)


@pytest.fixture
def many(flow: Flow, ada: User) -> list[Run]:
    """Twelve runs, a minute apart, the oldest first; two of them started in the same moment."""
    runs = [flow.start({}, trigger="manual", by=Actor(user=ada)) for _ in range(12)]
    for place, run in enumerate(runs):
        at = FIRST + timedelta(minutes=place if place != 5 else 4)
        Run.across_tenants.filter(pk=run.pk).update(created_at=at, queued_at=at, started_at=at, ordered_at=at)
    return [Run.across_tenants.get(pk=run.pk) for run in runs]


def newest_first(runs: list[Run]) -> list[str]:
    return [run.uid for run in sorted(runs, key=lambda run: (run.ordered_at, run.pk), reverse=True)]


# --- paging -----------------------------------------------------------------------------------------------------------


def test_newest_first_25_a_page(api: Caller, many: list[Run]) -> None:
    answer = listed(api)

    assert ids(answer) == newest_first(many)
    assert (answer["total"], answer["total_is_lower_bound"]) == (12, False)
    assert (answer["previous_page"], answer["next_page"]) == (None, None)


def test_oldest_first(api: Caller, many: list[Run]) -> None:
    assert ids(listed(api, "sort=started_at")) == newest_first(many)[::-1]
    assert ids(listed(api, "sort=-started_at")) == newest_first(many)


@pytest.mark.parametrize("sort", ["started_at", "-started_at"])
def test_pages_by_number(api: Caller, many: list[Run], sort: str) -> None:
    expected = newest_first(many)[:: 1 if sort.startswith("-") else -1]

    pages = [ids(listed(api, f"sort={sort}&per_page=5&page={page}")) for page in (1, 2, 3, 4)]

    assert pages == [expected[:5], expected[5:10], expected[10:], []]


@pytest.mark.parametrize("sort", ["started_at", "-started_at"])
@pytest.mark.parametrize("size", [1, 4, 5, 12])
def test_cursors_lead_to_the_end_and_back(api: Caller, many: list[Run], sort: str, size: int) -> None:
    expected = newest_first(many)[:: 1 if sort.startswith("-") else -1]
    base = f"sort={sort}&per_page={size}"
    forward, page = [], listed(api, base)
    while True:
        forward.append(page)
        if page["next_page"] is None:
            break
        page = listed(api, f"{base}&cursor={page['next_page']}")

    assert [one for part in forward for one in ids(part)] == expected
    for place, part in enumerate(forward):
        for cursor in (part["current_page"], part["current_page_backwards"]):
            assert ids(listed(api, f"{base}&cursor={cursor}"))[-len(ids(part)) :] == ids(part)
        before = part["previous_page"]
        if place:
            assert ids(listed(api, f"{base}&cursor={before}")) == ids(forward[place - 1])
        else:
            assert before is None


def test_a_page_by_number_has_cursors_too(api: Caller, many: list[Run]) -> None:
    second = listed(api, "per_page=5&page=2")

    assert ids(listed(api, f"per_page=5&cursor={second['previous_page']}")) == newest_first(many)[:5]
    assert ids(listed(api, f"per_page=5&cursor={second['next_page']}")) == newest_first(many)[10:]


def test_a_cursor_does_not_miss_a_run_that_starts_meanwhile(api: Caller, many: list[Run], flow: Flow) -> None:
    first = listed(api, "per_page=5")
    new = flow.start({}, trigger="manual", by=Actor(name="test"))

    second = listed(api, f"per_page=5&cursor={first['next_page']}")

    assert ids(second) == newest_first(many)[5:10]
    assert ids(listed(api, f"per_page=1&cursor={first['current_page_backwards']}"))
    assert ids(listed(api, "per_page=1")) == [new.uid]


def test_an_empty_list_has_a_page(api: Caller, db: None) -> None:
    answer = listed(api)

    assert (answer["items"], answer["total"]) == ([], 0)
    assert ids(listed(api, f"cursor={answer['current_page']}")) == []
    assert ids(listed(api, f"cursor={answer['current_page_backwards']}")) == []


def test_deep_pages_are_reached_in_hops(api: Caller, many: list[Run], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_pages, "HOP", 2)

    assert ids(listed(api, "per_page=3&page=4")) == newest_first(many)[9:]
    assert ids(listed(api, "per_page=3&page=5")) == []
    assert ids(listed(api, "per_page=3&page=1000000000")) == []


def test_the_total_is_counted_to_a_limit(api: Caller, many: list[Run], settings: Any) -> None:
    settings.COUNT_LIMIT = 11
    assert (listed(api)["total"], listed(api)["total_is_lower_bound"]) == (11, True)
    settings.COUNT_LIMIT = 12
    assert (listed(api)["total"], listed(api)["total_is_lower_bound"]) == (12, False)


def test_the_total_is_exact_where_no_index_counts_too(
    api: Caller, many: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "LOOKED_AT", 4)
    Run.across_tenants.update(has_warnings=True, trigger="api")
    answer = listed(api, "filter[has_warnings]=true&filter[trigger]=api&filter[retried]=false&per_page=2")
    assert (answer["total"], answer["total_is_lower_bound"]) == (12, False)


@pytest.mark.parametrize(
    "query",
    [
        "page=0",
        "page=-1",
        "page=1.5",
        "page=1e3",
        "page=abc",
        "page=",
        "page=" + "9" * 30,
        "page=%D9%A1",
        "per_page=0",
        "per_page=101",
        "per_page=x",
        "cursor=x",
        "cursor=",
        "cursor=%00",
        "sort=id",
        "sort=started_at,-started_at",
        "sort=-created_at",
        "include=owner",
        "include=flow,owner",
        "include=flow.runs",
        "fields[flow]=slug",
        "fields[trackedData]=key",
        "fields[run]=id",
        "filter[password]=x",
        "filter[user__password__startswith]=x",
        "filter[status__in]=failed",
        "status=failed",
        "filter=1",
        "filter[status]=",
        "filter[status]=done",
        "filter[status]=failed,done",
        "filter[trigger]=magic",
        "filter[retried]=maybe",
        "filter[has_warnings]=2",
        "filter[reviewed]=x",
        "filter[started_after]=yesterday",
        "filter[started_after]=2026-02-30",
        "filter[started_before]=99999999999999999999",
        "filter[started_on]=-1",
        "_connector=OR",
        "&".join(f"filter[x{n}]=1" for n in range(500)),
    ],
)
def test_what_cannot_be_asked(api: Caller, many: list[Run], query: str) -> None:
    answer = api.get(f"{RUNS}?{query}")

    assert answer.status_code == 422, answer.content
    assert answer.json()["detail"][0]["loc"][0] == "query"


@pytest.mark.parametrize(
    ("query", "allowed"),
    [
        ("colour=red", "filter[started_after]"),
        ("filter[colour]=red", "filter[has_warnings]"),
        ("include=owner", "virtualEnvironmentVersion.virtualEnvironment"),
        ("sort=id", "-started_at"),
        ("fields[flow]=slug", "id, name"),
        ("filter[status]=done", "queued, running, paused, succeeded, failed, stopped"),
    ],
)
def test_the_answer_lists_what_is_allowed(api: Caller, db: None, query: str, allowed: str) -> None:
    assert allowed in api.get(f"{RUNS}?{query}").json()["detail"][0]["msg"]


def test_page_and_cursor_exclude_each_other(api: Caller, many: list[Run]) -> None:
    cursor = listed(api)["current_page"]

    assert api.get(f"{RUNS}?page=1&cursor={cursor}").status_code == 422


def test_a_cursor_is_good_for_its_own_list_only(api: Caller, eves: Caller, many: list[Run]) -> None:
    cursor = listed(api, "per_page=5")["next_page"]

    assert api.get(f"{RUNS}?sort=started_at&cursor={cursor}").status_code == 422
    assert eves.get(f"{RUNS}?cursor={cursor}").status_code == 422
    assert api.get(f"{RUNS}?cursor={cursor[:-1]}").status_code == 422
    assert api.get(f"{RUNS}?cursor={'A' if cursor[0] != 'A' else 'B'}{cursor[1:]}").status_code == 422


@pytest.mark.parametrize(
    ("query", "most"),
    [
        ("", 6),
        ("filter[status]=queued&filter[flow_id]=orders", 7),
        ("include=flow,flowVersion.steps,metrics,retriedFlowRun,virtualEnvironmentVersion.virtualEnvironment", 6),
        ("include=trackedData,flowRunLogs.flowStep,errorWarningLogs", 11),
    ],
)
def test_a_page_of_fifty_asks_no_more_than_a_page_of_one(
    api: Caller, flow: Flow, ada: User, query: str, most: int
) -> None:
    runs = [
        flow.start({}, trigger="manual", by=Actor(user=ada), tags={"a": "b"}, tracked=[("k", "v")]) for _ in range(51)
    ]
    for run in runs:
        step = Step.begin(run, flow.definition.steps[0], position=0, attempt=1)
        print_lines(run, "careful", level=2, step=step)
    api.get(RUNS)  # the key's last use is noted once a minute
    counts = []
    for size in (1, 50):
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert len(listed(api, f"per_page={size}&{query}")["items"]) == size
        counts.append(len(captured))

    assert counts[0] == counts[1] <= most, [one["sql"][:120] for one in captured]


def test_no_statement_of_a_page_counts_everything_or_skips_far(api: Caller, many: list[Run]) -> None:
    cursor = listed(api, "per_page=5")["next_page"]
    with CaptureQueriesContext(connection) as captured:
        listed(api, f"per_page=5&cursor={cursor}")

    texts = [one["sql"] for one in captured]
    assert not [text for text in texts if "OFFSET" in text]
    assert all("LIMIT 10001" in text for text in texts if "COUNT(" in text)
