"""The log store: what was appended comes back, numbered without gaps, from any place, once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runs_dashboard.models import (
    LeaseLost,
    LogChunk,
    LogClosed,
    LogView,
    Run,
    Status,
    Step,
    append,
    find_line,
    log_entry_id,
    seal,
)
from runs_dashboard.text.intake import Line, clean

from .runs import make_flow, make_run
from .test_claim import in_threads

if TYPE_CHECKING:
    from runs_dashboard.models import Tenant

messages = st.text(max_size=40).map(clean)
lines = st.builds(
    Line,
    message=messages,
    level=st.integers(0, 4),
    stream=st.sampled_from([None, "stdout", "stderr"]),
    at=st.floats(1_700_000_000, 1_700_100_000),
    is_open=st.booleans(),
    is_system=st.booleans(),
)


def running(tenant: Tenant) -> tuple[Run, Step]:
    run = make_run(make_flow(tenant), Status.RUNNING)
    return run, Step.begin(run, run.version.parsed.steps[0], position=0, attempt=1)


def plain(*texts: str, level: int = 1, at: float = 1_700_000_000.0) -> list[Line]:
    return [Line(text, level, "stdout", at) for text in texts]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(st.lists(lines, min_size=1, max_size=6), min_size=1, max_size=6), is_sealed=st.booleans())
def test_what_was_appended_comes_back_in_order_and_whole(
    tenant: Tenant, batches: list[list[Line]], is_sealed: bool
) -> None:
    run, step = running(tenant)
    for batch in batches:
        append(run, batch, step=step, token=run.token)
    if is_sealed:
        seal(run, step)
    sent = [line for batch in batches for line in batch]
    found = LogView(run).after(0, limit=1_000)
    assert [entry.line for entry in found] == list(range(1, len(sent) + 1))
    for line, entry in zip(sent, found, strict=True):
        assert (entry.message, entry.level, entry.stream) == (line.message, line.level, line.stream)
        assert (entry.is_open, entry.is_system, entry.action) == (line.is_open, line.is_system, "fetch")
        assert abs(entry.at.timestamp() - line.at) < 0.002
    run.refresh_from_db()
    assert run.line_count == len(sent)
    assert run.warning_count == sum(line.level == 2 for line in sent)
    assert run.error_count == sum(line.level >= 3 for line in sent)
    assert run.log_bytes == sum(len(line.message.encode()) + 1 for line in sent)
    assert run.has_warnings == (run.warning_count > 0)


@pytest.mark.parametrize("is_sealed", [False, True])
def test_every_window_reads_the_same_lines(tenant: Tenant, is_sealed: bool) -> None:
    run, step = running(tenant)
    for start in range(0, 100, 7):
        append(run, plain(*[f"line {n}" for n in range(start, min(start + 7, 100))]), step=step, token=run.token)
    if is_sealed:
        seal(run, step)
        assert LogChunk.across_tenants.filter(run=run).count() == 1
    view = LogView(run)
    for place in (0, 1, 6, 7, 50, 93, 99, 100, 500):
        assert [entry.line for entry in view.after(place, limit=10)] == list(range(place + 1, min(place + 11, 101)))
        wanted = list(range(max(1, place - 10), min(place, 101)))[-10:] if place <= 101 else list(range(91, 101))
        assert [entry.line for entry in view.before(place, limit=10)] == wanted
    assert [entry.line for entry in view.before(None, limit=3)] == [98, 99, 100]
    assert [entry.line for entry in view.stream(20, until=25)] == [21, 22, 23, 24, 25]


def test_levels_steps_and_text_are_found_and_keep_their_numbers(tenant: Tenant) -> None:
    run, fetch = running(tenant)
    append(run, plain("one", "two"), step=fetch, token=run.token)
    append(run, plain("Broken pipe", level=3), step=fetch, token=run.token)
    load = Step.begin(run, run.version.parsed.steps[1], position=1, attempt=1)
    append(run, plain("three"), step=load, token=run.token)
    assert [entry.line for entry in LogView(run, levels=frozenset({3, 4})).after(0, limit=9)] == [3]
    assert [entry.line for entry in LogView(run, action="load").before(None, limit=9)] == [4]
    assert [entry.line for entry in LogView(run, step=fetch).after(0, limit=9)] == [1, 2, 3]
    assert [entry.line for entry in LogView(run, text="PIPE").after(0, limit=9)] == [3]


def test_a_worker_that_lost_its_run_appends_nothing(tenant: Tenant) -> None:
    run, step = running(tenant)
    Run.across_tenants.filter(pk=run.pk).update(token=run.token + 1)
    with pytest.raises(LeaseLost):
        append(run, plain("late"), step=step, token=run.token)
    assert LogView(run).after(0, limit=1) == []
    run.refresh_from_db()
    assert run.line_count == 0


def test_nobody_appends_from_outside_to_a_run_that_the_product_executes(tenant: Tenant) -> None:
    run, _ = running(tenant)
    with pytest.raises(LogClosed):
        append(run, plain("forged"))


@pytest.mark.django_db(transaction=True)
def test_eight_clients_at_once_leave_no_gap_and_no_double(tenant: Tenant) -> None:
    run = make_run(make_flow(tenant, "reported", steps="  []"))

    def send(number: int) -> None:
        mine = Run.across_tenants.get(pk=run.pk)
        for batch in range(5):
            append(mine, plain(*[f"{number}/{batch}/{place}" for place in range(4)]))

    in_threads(8, send)
    found = LogView(run).after(0, limit=1_000)
    assert [entry.line for entry in found] == list(range(1, 161))
    assert len({entry.message for entry in found}) == 160


def test_chunks_are_merged_to_a_size_and_no_further(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runs_dashboard.models.log.CHUNK_BYTES", 1_000)
    run, step = running(tenant)
    for number in range(40):
        append(run, plain(f"{number:03d} " + "x" * 90), step=step, token=run.token)
    seal(run, step)
    chunks = list(LogChunk.across_tenants.filter(run=run).order_by("first_line"))
    assert 4 <= len(chunks) <= 5
    assert all(chunk.is_sealed and chunk.byte_size <= 1_000 for chunk in chunks)
    assert sum(chunk.line_count for chunk in chunks) == 40
    assert [entry.message[:3] for entry in LogView(run).after(0, limit=99)] == [f"{n:03d}" for n in range(40)]


@given(uid=st.from_regex(r"\A[a-z0-9_.-]{1,60}\Z"), line=st.integers(1, 2**60))
def test_an_entry_id_leads_back_to_its_line_and_to_no_other_run(uid: str, line: int) -> None:
    assert find_line(uid, log_entry_id(uid, line)) == line
    assert find_line(uid + "x", log_entry_id(uid, line)) is None
    assert find_line(uid, str(line)) in (line, None)


@pytest.mark.parametrize("text", ["", "-1", "1e3", "²", "9" * 40, "x", "00000000-0000-8000-8000-000000000001"])
def test_nonsense_names_no_line(text: str) -> None:
    assert find_line("run", text) is None


def test_a_huge_batch_is_cut_to_the_size_of_chunks(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runs_dashboard.models.log.CHUNK_BYTES", 1_000)
    monkeypatch.setattr("runs_dashboard.models.log.CHUNK_LINES", 30)
    run, step = running(tenant)
    texts = [f"{number:03d} " + "x" * 36 for number in range(40)] + ["y" * 3_000, *"z" * 100]
    append(run, plain(*texts), step=step, token=run.token)
    seal(run, step)
    chunks = list(LogChunk.across_tenants.filter(run=run).order_by("first_line"))
    assert all(chunk.line_count <= 30 for chunk in chunks)
    assert all(chunk.byte_size < 1_100 or chunk.body.endswith("y" * 3_000) for chunk in chunks)
    assert [entry.message for entry in LogView(run).after(0, limit=999)] == texts


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    batches=st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=5), max_size=8),
    is_sealed=st.booleans(),
    asked=st.integers(-1, 60),
)
def test_a_time_leads_to_the_first_line_that_is_not_earlier(
    tenant: Tenant, batches: list[list[int]], is_sealed: bool, asked: int
) -> None:
    run, step = running(tenant)
    start = seconds = 1_700_000_000
    times: list[int] = []
    for batch in batches:
        for pause in batch:
            seconds += pause
            times.append(seconds)
        stamped = [Line("x", 1, "stdout", at) for at in times[-len(batch) :]]
        append(run, stamped, step=step, token=run.token)
    if is_sealed:
        seal(run, step)
    wanted = next((line for line, at in enumerate(times, 1) if at >= start + asked), len(times) + 1)
    assert LogView(run, levels=frozenset({4})).line_at(datetime.fromtimestamp(start + asked, UTC)) == wanted
