"""Find in one log: the true count, next and previous, and a continuation that neither loses nor doubles a hit."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runs_dashboard.models import (
    FindPage,
    LogChunk,
    LogView,
    Run,
    Step,
    append,
    drop_dead_parts,
    find_in_log,
    index_pending,
    log_find,
    log_index,
    seal,
)
from runs_dashboard.text.intake import Line
from runs_dashboard.text.matching import TextMatch
from tests.text.test_matching import flags, texts, wanted_texts

from .test_log_search import Clock
from .test_log_store import plain, running

if TYPE_CHECKING:
    from runs_dashboard.models import Tenant

pytestmark = pytest.mark.django_db


def find_all(view: LogView, text: str, **options: Any) -> tuple[list[int], int]:
    """Every hit by continuation, and the sum of the counts."""
    place = "before" if options.get("is_backward") else "after"
    lines: list[int] = []
    count = 0
    reached = None
    while True:
        page = find_in_log(view, text, **{**options, place: reached if reached is not None else options.get(place, 0)})
        lines, count = lines + page.lines, count + page.count
        if page.is_complete:
            return lines, count
        assert page.searched_to_line != reached, "each call gets further"
        reached = page.searched_to_line


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    batches=st.lists(
        st.tuples(
            st.booleans(),
            st.lists(st.tuples(texts, st.integers(0, 4)), min_size=1, max_size=4),
            st.sampled_from(["", "", "seal", "index"]),
        ),
        max_size=7,
    ),
    data=st.data(),
    options=flags,
    levels=st.sampled_from([frozenset(), frozenset({1, 3})]),
    action=st.sampled_from(["", "load"]),
    shown=st.sampled_from(["", "", "a"]),
    is_backward=st.booleans(),
    limit=st.integers(1, 4),
    budget=st.sampled_from([0, 1_000]),
)
def test_find_finds_what_a_look_at_every_line_finds(
    tenant: Tenant,
    batches: list[tuple[bool, list[tuple[str, int]], str]],
    data: st.DataObject,
    options: dict[str, Any],
    levels: frozenset[int],
    action: str,
    shown: str,
    is_backward: bool,
    limit: int,
    budget: float,
) -> None:
    run, fetch = running(tenant)
    load = Step.begin(run, run.version.parsed.steps[1], position=1, attempt=1)
    for is_load, lines, then in batches:
        step = load if is_load else fetch
        batch = [Line(message, level, "stdout", 1_700_000_000.0) for message, level in lines]
        append(run, batch, step=step, token=run.token)
        if then:
            seal(run, step)
        if then == "index":
            index_pending(9)
    view = LogView(run, action=action, levels=levels, text=shown)
    text = data.draw(wanted_texts([message for _, lines, _ in batches for message, _ in lines]))
    match = TextMatch(text, **options)
    expected = [entry.line for entry in view.stream() if match.is_in(entry.message)]
    way: dict[str, Any] = {"is_backward": is_backward, "before" if is_backward else "after": 10**6 * is_backward}
    way |= {"budget_seconds": budget, "clock": Clock() if budget == 0 else lambda: 0.0, **options}

    lines, count = find_all(view, text, limit=limit, **way)
    assert lines == (expected[::-1] if is_backward else expected)
    assert count == len(expected)
    assert find_all(view, text, limit=0, is_counting=True, **way) == ([], len(expected))


def indexed_log(tenant: Tenant, *texts: str) -> LogView:
    """A log of a sealed and indexed chunk for each text."""
    run, step = running(tenant)
    for text in texts:
        append(run, plain(text), step=step, token=run.token)
        seal(run, step)
    index_pending(9)
    return LogView(run)


def test_next_and_previous_lead_from_a_line_to_the_hit_beside_it(tenant: Tenant) -> None:
    view = indexed_log(tenant, *["none", "hit", "none", "hit", "hit", "none"])
    assert find_in_log(view, "hit", after=2, limit=1).lines == [4]
    assert find_in_log(view, "hit", before=4, is_backward=True, limit=1).lines == [2]
    assert find_in_log(view, "hit", is_backward=True, limit=1).lines == [5]
    page = find_in_log(view, "hit", after=5, limit=1)
    assert (page.lines, page.searched_to_line, page.is_complete) == ([], 6, True)
    page = find_in_log(view, "hit", before=2, is_backward=True, limit=1)
    assert (page.lines, page.searched_to_line, page.is_complete) == ([], 0, True)


def test_the_number_of_a_hit_is_the_count_up_to_its_line(tenant: Tenant) -> None:
    view = indexed_log(tenant, *["hit", "none", "hit", "hit"])
    assert find_in_log(view, "hit", before=3 + 1, limit=0, is_counting=True).count == 2


def test_the_index_spares_the_chunks_without_the_text(tenant: Tenant) -> None:
    view = indexed_log(tenant, *["some words"] * 30, "needle", *["more words"] * 30)
    assert find_in_log(view, "needle") == FindPage([31], 1, 61, True, 1)
    assert find_in_log(view, "needles").chunks_read == 0
    assert find_in_log(view, "ee").chunks_read == 61, "two letters have no trigram"


def test_a_count_goes_on_beyond_the_limit_and_a_look_does_not(tenant: Tenant) -> None:
    view = indexed_log(tenant, *["hit"] * 9)
    page = find_in_log(view, "hit", limit=4)
    assert (page.lines, page.count, page.searched_to_line, page.is_complete) == ([1, 2, 3, 4], 4, 4, False)
    page = find_in_log(view, "hit", limit=4, is_counting=True)
    assert (page.lines, page.count, page.searched_to_line, page.is_complete) == ([1, 2, 3, 4], 9, 9, True)


@pytest.mark.parametrize("is_backward", [False, True])
def test_the_budget_is_kept_and_the_page_says_how_far_it_got(tenant: Tenant, is_backward: bool) -> None:
    view = indexed_log(tenant, *["hit"] * 20)
    page = find_in_log(view, "hit", is_backward=is_backward, is_counting=True, budget_seconds=4, clock=Clock())
    assert page.chunks_read == page.count == 4
    assert not page.is_complete
    assert page.searched_to_line == (17 if is_backward else 4)


def test_no_text_is_refused(tenant: Tenant) -> None:
    with pytest.raises(ValueError, match="look for"):
        find_in_log(indexed_log(tenant), "")


@pytest.mark.parametrize("is_backward", [False, True])
def test_merging_and_indexing_while_finding_loses_and_doubles_nothing(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch, is_backward: bool
) -> None:
    run, step = running(tenant)
    for number in range(30):
        append(run, plain(f"hit {number}"), step=step, token=run.token)
    chunks = log_find._chunks

    def merge_at_the_third(*args: Any) -> Any:
        for number, found in enumerate(chunks(*args)):
            if number == 2:
                seal(run, step)
                index_pending(9)
            yield found

    monkeypatch.setattr(log_find, "_chunks", merge_at_the_third)

    lines = find_in_log(LogView(run), "hit", is_backward=is_backward).lines

    assert lines == sorted(range(1, 31), reverse=is_backward)


def test_a_part_that_is_dropped_while_finding_loses_nothing(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_index, "PART_CHUNKS", 8)
    view = indexed_log(tenant, *["hit"] * 8)
    indexed_log(tenant, "a newer part")
    LogChunk.across_tenants.filter(run=view.run, first_line__lt=8).delete()
    read = log_find._read_spans
    calls = []

    def drop_first(chunks: Any) -> Any:
        found = read(chunks)
        calls.append(len(calls))
        if len(calls) == 2:  # those that the index lacks are listed, the parts are not
            assert drop_dead_parts() == 1
        return found

    monkeypatch.setattr(log_find, "_read_spans", drop_first)

    assert find_in_log(view, "hit").lines == [8]


@pytest.mark.django_db(transaction=True)
def test_finding_while_the_step_writes_counts_every_line_once(tenant: Tenant) -> None:
    run, step = running(tenant)
    is_over = threading.Event()
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for number in range(60):
                append(run, plain(f"hit {number}"), step=step, token=run.token)
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
        for is_backward in (False, True):
            known = Run.across_tenants.values_list("line_count", flat=True).get(pk=run.pk)
            lines = find_in_log(LogView(run), "hit", is_backward=is_backward, limit=1_000).lines
            assert sorted(lines) == list(range(1, len(lines) + 1))
            assert len(lines) >= known
    writer.join()
    assert not failures
    assert find_in_log(LogView(run), "hit").count == 60
