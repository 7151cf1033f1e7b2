"""Search across runs: it finds what a look at every line finds, newest first, in bounded time, and nobody else's."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runs_dashboard.models import (
    Hit,
    LogChunk,
    LogIndexPart,
    LogView,
    Run,
    append,
    index_pending,
    log_search,
    seal,
    search_logs,
)
from runs_dashboard.models.log_index import drop
from runs_dashboard.text.intake import Line
from runs_dashboard.text.matching import TextMatch
from tests.text.test_matching import texts, wanted_texts

from .runs import make_flow, make_run
from .test_log_store import plain, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runs_dashboard.models import Tenant

pytestmark = pytest.mark.django_db
START = 1_700_000_000


class Clock:
    """A clock that goes on by a second each time that it is asked."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


def search_all(tenant: Tenant, text: str, **options: Any) -> list[Hit]:
    """The hits of all pages; each page must lead further back than the one before."""
    hits: list[Hit] = []
    cursor, reached = None, None
    while True:
        page = search_logs(tenant, text, cursor=cursor, **options)
        hits += page.hits
        assert page.is_complete == (page.next_cursor is None)
        if page.is_complete:
            return hits
        place = log_search.read_cursor(page.next_cursor or "")
        assert reached is None or place < reached
        cursor, reached = page.next_cursor, place


def place(hit: Hit) -> tuple[datetime, int, int]:
    return (hit.entry.at, hit.run.pk, hit.entry.line)


def messages(hits: list[Hit]) -> list[str]:
    return [hit.entry.message for hit in hits]


batches = st.lists(
    st.tuples(
        st.integers(0, 2),  # whose run
        st.lists(st.tuples(texts, st.integers(0, 4), st.integers(0, 6)), min_size=1, max_size=4),
        st.sampled_from(["", "", "seal", "index"]),
    ),
    max_size=8,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    batches=batches,
    data=st.data(),
    levels=st.sampled_from([frozenset(), frozenset({1, 3})]),
    period=st.sampled_from([(None, None), (2, None), (None, 4), (1, 5)]),
    limit=st.integers(1, 5),
    budget=st.sampled_from([0, 1_000]),
)
def test_search_finds_what_a_look_at_every_line_finds(
    tenant: Tenant,
    batches: list[tuple[int, list[tuple[str, int, int]], str]],
    data: st.DataObject,
    levels: frozenset[int],
    period: tuple[int | None, int | None],
    limit: int,
    budget: float,
) -> None:
    LogChunk.across_tenants.all().delete()
    flow = make_flow(tenant, "reported", steps="  []")
    runs = [make_run(flow) for _ in range(3)]
    for number, lines, then in batches:
        append(runs[number], [Line(message, level, "stdout", START + at) for message, level, at in lines])
        if then:
            seal(runs[number], None)
        if then == "index":
            index_pending(9)
    after, before = (datetime.fromtimestamp(START + at, UTC) if at is not None else None for at in period)
    text = data.draw(wanted_texts([message for _, lines, _ in batches for message, _, _ in lines]))
    match = TextMatch(text)
    expected = [
        Hit(run, entry)
        for run in runs
        for entry in LogView(run, levels=levels).stream()
        if match.is_in(entry.message) and (not after or entry.at >= after) and (not before or entry.at < before)
    ]

    hits = search_all(
        tenant,
        text,
        levels=levels,
        after=after,
        before=before,
        limit=limit,
        budget_seconds=budget,
        clock=Clock() if budget == 0 else lambda: 0.0,
    )

    assert [place(hit) for hit in hits] == sorted(map(place, expected), reverse=True)
    assert sorted(messages(hits)) == sorted(messages(expected))


def test_eve_finds_nothing_of_others(tenant: Tenant, other_tenant: Tenant) -> None:
    for number, owner in enumerate((tenant, other_tenant)):
        run, step = running(owner)
        for is_last in (False, True):
            append(run, plain(f"secret of {number}"), step=step, token=run.token)
            if not is_last:
                seal(run, step)
    index_pending(9)
    for text in ("secret", "se", "of 0"):
        assert set(messages(search_all(other_tenant, text))) <= {"secret of 1"}
    cursor = search_logs(tenant, "secret", limit=1).next_cursor
    assert cursor is not None
    assert {hit.run.tenant_id for hit in search_logs(other_tenant, "secret", cursor=cursor).hits} <= {other_tenant.pk}


def test_a_flow_is_a_filter(tenant: Tenant) -> None:
    flows = [make_flow(tenant, slug, steps="  []") for slug in ("first", "second")]
    for flow in flows:
        for is_sealed in (True, False):
            run = make_run(flow)
            append(run, plain(f"word of {flow.slug}"))
            if is_sealed:
                seal(run, None)
    index_pending(9)
    assert messages(search_all(tenant, "word", flow=flows[0])) == ["word of first"] * 2


@pytest.fixture
def many(tenant: Tenant) -> Iterator[Callable[..., list[Run]]]:
    def write(count: int, *, lines: int = 1) -> list[Run]:
        flow = make_flow(tenant, "reported", steps="  []")
        runs = [make_run(flow) for _ in range(count)]
        for number, run in enumerate(runs):
            append(run, plain(*[f"word {number} {line}" for line in range(lines)], at=START + number))
            seal(run, None)
        return runs

    return write


@pytest.mark.parametrize("is_indexed", [True, False])
def test_the_budget_is_kept_and_the_answer_says_how_far_it_got(
    tenant: Tenant, many: Callable[..., list[Run]], is_indexed: bool
) -> None:
    many(20)
    if is_indexed:
        index_pending(9)

    page = search_logs(tenant, "word", budget_seconds=5, clock=Clock())

    assert 1 <= page.chunks_read <= 5
    assert not page.is_complete
    assert messages(page.hits) == [f"word {19 - number} 0" for number in range(len(page.hits))]
    reached = datetime.fromtimestamp(START + 19 - len(page.hits), UTC)
    assert page.searched_until == reached
    rest = search_logs(tenant, "word", cursor=page.next_cursor)
    assert rest.is_complete
    assert rest.searched_until is None
    assert len(page.hits) + len(rest.hits) == 20


def test_a_call_reads_a_bounded_number_of_chunks(
    tenant: Tenant, many: Callable[..., list[Run]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_search, "CHUNKS_AT_ONCE", 3)
    many(8)
    index_pending(9)
    assert search_logs(tenant, "word").chunks_read == 3
    assert len(search_all(tenant, "word")) == 8


def test_an_indexed_word_costs_no_other_chunk(tenant: Tenant, many: Callable[..., list[Run]]) -> None:
    many(20)
    index_pending(9)
    page = search_logs(tenant, "word 7 0")
    assert (page.chunks_read, len(page.hits), page.is_complete) == (1, 1, True)
    page = search_logs(tenant, "nowhere")
    assert (page.chunks_read, page.hits, page.is_complete) == (0, [], True)


def test_what_waits_for_the_index_is_looked_through_as_far_as_it_is_listed(
    tenant: Tenant, many: Callable[..., list[Run]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_search, "FRESH_AT_ONCE", 3)
    many(10)
    page = search_logs(tenant, "word")
    assert len(page.hits) == 2, "the third of three may have brothers that are not listed"
    assert not page.is_complete
    assert len(search_all(tenant, "word")) == 10


def test_a_moment_with_too_many_chunks_is_not_called_searched(
    tenant: Tenant, many: Callable[..., list[Run]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_search, "FRESH_AT_ONCE", 3)
    many(6)
    LogChunk.across_tenants.update(last_at=datetime.fromtimestamp(START + 9, UTC))
    first = search_logs(tenant, "word")
    second = search_logs(tenant, "word", cursor=first.next_cursor)
    assert (second.next_cursor, second.is_complete) == (None, False)


def test_merging_between_two_pages_loses_and_doubles_nothing(tenant: Tenant) -> None:
    run, step = running(tenant)
    for number in range(30):
        append(run, plain(f"word {number}", at=START + number), step=step, token=run.token)
    first = search_logs(tenant, "word", limit=10)

    seal(run, step)
    second = search_logs(tenant, "word", limit=10, cursor=first.next_cursor)
    index_pending(9)
    third = search_logs(tenant, "word", limit=10, cursor=second.next_cursor)

    assert messages([*first.hits, *second.hits, *third.hits]) == [f"word {number}" for number in range(29, -1, -1)]
    assert third.is_complete


def test_merging_while_searching_loses_and_doubles_nothing(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    run, step = running(tenant)
    for number in range(30):
        append(run, plain(f"word {number}", at=START + number % 7), step=step, token=run.token)
    read = log_search._Search._read

    def merge_first(self: Any, span: Any) -> None:
        if self.chunks_read == 2:
            seal(run, step)
            index_pending(9)
        read(self, span)

    monkeypatch.setattr(log_search._Search, "_read", merge_first)

    assert sorted(hit.entry.line for hit in search_all(tenant, "word")) == list(range(1, 31))


@pytest.mark.parametrize("is_late", [False, True])
def test_a_part_of_the_index_that_is_dropped_while_searching_loses_nothing(
    tenant: Tenant, many: Callable[..., list[Run]], monkeypatch: pytest.MonkeyPatch, is_late: bool
) -> None:
    many(5)
    index_pending(9)
    find = LogIndexPart.find

    def drop_and_find(self: LogIndexPart, trigrams: list[str]) -> set[int]:
        named = find(self, trigrams) if is_late else set()
        monkeypatch.setattr(LogIndexPart, "find", find)
        drop(self)
        return named if is_late else find(self, trigrams)

    monkeypatch.setattr(LogIndexPart, "find", drop_and_find)

    page = search_logs(tenant, "word")

    assert len(page.hits) == 5
    assert page.is_complete


@pytest.mark.django_db(transaction=True)
def test_searching_while_others_write_and_index_finds_every_line_that_was_there(tenant: Tenant) -> None:
    run, step = running(tenant)
    is_over = threading.Event()
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for number in range(60):
                append(run, plain(f"word {number}", at=START + number), step=step, token=run.token)
                if number % 5 == 4:
                    seal(run, step)
                    index_pending(0)
        except BaseException as error:
            failures.append(error)
            raise
        finally:
            is_over.set()
            connection.close()

    writer = threading.Thread(target=work)
    writer.start()
    while not is_over.is_set():
        known = Run.across_tenants.values_list("line_count", flat=True).get(pk=run.pk)
        lines = [hit.entry.line for hit in search_all(tenant, "word", limit=7)]
        assert len(lines) == len(set(lines))
        assert set(range(1, known + 1)) <= set(lines)
    writer.join()
    assert not failures
    assert len(search_all(tenant, "word")) == 60


@pytest.mark.parametrize(
    "text", ["%", "_", '"', "a OR b", "*", "NEAR(a b)", "\\", "'; --", "-word", "text:a", "^a", "é"]
)
def test_operators_and_wildcards_are_letters_like_others(tenant: Tenant, text: str) -> None:
    run, step = running(tenant)
    append(run, plain("a plain word b", f"<{text}>"), step=step, token=run.token)
    seal(run, step)
    index_pending(9)
    assert messages(search_all(tenant, text)) == [f"<{text}>"]
    assert messages(search_all(tenant, f"<{text}>")) == [f"<{text}>"]


def test_a_deleted_runs_lines_are_not_found(tenant: Tenant) -> None:
    run, step = running(tenant)
    append(run, plain("word"), step=step, token=run.token)
    seal(run, step)
    index_pending(9)
    LogChunk.across_tenants.filter(run=run).delete()
    assert search_logs(tenant, "word").hits == []


@pytest.mark.parametrize("cursor", ["", "1.2", "a.b.c", "1.2.3.4", "9" * 30 + ".1.1", f"{10**18}.1.1", "--1.2.3", "²."])
def test_a_forged_cursor_is_refused(tenant: Tenant, cursor: str) -> None:
    with pytest.raises(ValueError, match="cursor"):
        search_logs(tenant, "word", cursor=cursor)


def test_no_text_is_refused(tenant: Tenant) -> None:
    with pytest.raises(ValueError, match="look for"):
        search_logs(tenant, "")


def test_lines_before_1970_are_in_order_too(tenant: Tenant) -> None:
    run = make_run(make_flow(tenant, "reported", steps="  []"))
    for at in (-5, 5, -500):
        append(run, plain(f"word {at}", at=at))
    assert messages(search_all(tenant, "word", limit=1)) == ["word 5", "word -5", "word -500"]
    assert messages(search_all(tenant, "word", before=log_search.EPOCH)) == ["word -5", "word -500"]
