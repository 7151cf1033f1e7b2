"""The index of the logs' words: filled in the background, resumed, shared by several, emptied with what it names."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.utils import timezone

from runs_dashboard.models import (
    LogChunk,
    LogIndexPart,
    Run,
    Status,
    Step,
    append,
    drop_dead_parts,
    index_pending,
    log_index,
    purge,
    seal,
    search_logs,
)
from runs_dashboard.models.log import APPEND_GRACE

from .runs import make_flow, make_run
from .test_claim import in_threads
from .test_log_store import plain, running

if TYPE_CHECKING:
    from runs_dashboard.models import Tenant

pytestmark = pytest.mark.django_db


def write(tenant: Tenant, *texts: str) -> Run:
    """A run whose log is a sealed chunk for each text."""
    run, step = running(tenant)
    for text in texts:
        append(run, plain(text), step=step, token=run.token)
        seal(run, step)
    return run


def indexed(text: str) -> int:
    """How many chunks the index names for a text."""
    return sum(len(part.find([text])) for part in LogIndexPart.across_tenants.all())


def index_tables() -> set[str]:
    """FTS5's tables of the parts; none on PostgreSQL."""
    with connection.cursor() as cursor:
        names = connection.introspection.table_names(cursor)
    return {name for name in names if name.startswith("runs_dashboard_logindex_")}


def test_what_is_sealed_is_indexed_once_and_what_is_not_waits(tenant: Tenant) -> None:
    run = write(tenant, "alpha", "beta")
    append(run, plain("gamma"), token=run.token)

    assert index_pending(9) == 2
    assert index_pending(9) == 0
    assert (indexed("alp"), indexed("bet"), indexed("gam")) == (1, 1, 0)
    assert [hit.entry.message for hit in search_logs(tenant, "gamma").hits] == ["gamma"]


def test_the_index_knows_what_a_reader_sees(tenant: Tenant) -> None:
    write(tenant, "\x1b[31mBro\x1b[0mken \rSTRAßE", 'a"b%c_d')
    index_pending(9)

    assert indexed("ass") == 1
    assert indexed("1mb") == 0
    assert indexed('a"b') == indexed("%c_") == 1


def test_indexing_keeps_to_its_time_and_goes_on_later(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_index, "BATCH_CHUNKS", 4)
    write(tenant, *[f"line {number}" for number in range(log_index.BATCH_CHUNKS * 2 + 1)])

    assert index_pending(0) == log_index.BATCH_CHUNKS
    assert index_pending(0) == log_index.BATCH_CHUNKS
    assert index_pending(0) == 1


@pytest.mark.django_db(transaction=True)
def test_indexing_that_is_killed_half_way_is_done_by_the_next(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tenant, "first words", "second words")
    save = LogIndexPart.save

    def die(self: LogIndexPart, *args: object, **kwargs: object) -> None:
        if not kwargs.get("force_insert"):
            raise KeyboardInterrupt
        save(self, *args, **kwargs)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(LogIndexPart, "save", die)
        with pytest.raises(KeyboardInterrupt):
            index_pending(9)
    assert LogChunk.across_tenants.filter(index_part=None).count() == 2
    assert [hit.entry.message for hit in search_logs(tenant, "words").hits] == ["second words", "first words"]

    assert index_pending(9) == 2
    assert indexed("wor") == 2
    assert [hit.entry.message for hit in search_logs(tenant, "words").hits] == ["second words", "first words"]


@pytest.mark.django_db(transaction=True)
def test_two_who_index_at_once_index_each_chunk_once(tenant: Tenant) -> None:
    write(tenant, *[f"line {number:02d}" for number in range(30)])

    done = in_threads(3, lambda _: index_pending(30))

    assert sum(done) == 30  # type: ignore[arg-type]
    assert sum(LogIndexPart.across_tenants.values_list("chunk_count", flat=True)) == 30
    assert len(search_logs(tenant, "line").hits) == 30


def test_a_part_holds_so_many_chunks_of_one_tenant(
    tenant: Tenant, other_tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_index, "PART_CHUNKS", 4)
    write(tenant, *["mine"] * 6)
    write(other_tenant, "theirs")
    index_pending(9)

    parts = LogIndexPart.across_tenants.order_by("tenant", "pk").values_list("tenant", "chunk_count")
    assert sorted(parts) == sorted([(tenant.pk, 4), (tenant.pk, 2), (other_tenant.pk, 1)])
    assert len(search_logs(tenant, "mine").hits) == 6


def test_deleting_a_run_leaves_nothing_to_find(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_index, "PART_CHUNKS", 4)
    others = index_tables()
    old, young = write(tenant, *["secret old"] * 4), write(tenant, *["secret young"] * 4)
    index_pending(9)
    Run.across_tenants.filter(pk=old.pk).update(
        status="failed", finished_at=timezone.now() - timedelta(days=1_000), worker=""
    )

    assert purge().runs == 1

    found = search_logs(tenant, "secret")
    assert {hit.run.pk for hit in found.hits} == {young.pk}
    assert search_logs(tenant, "secret old").hits == []
    assert indexed("old") == 0, "the part that named nothing else is gone"
    part = LogIndexPart.across_tenants.get()
    assert all(name.startswith(part.table) for name in index_tables() - others)


def test_a_part_with_few_living_chunks_is_dropped_and_they_are_indexed_anew(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_index, "PART_CHUNKS", 10)
    run = write(tenant, *[f"words {number}" for number in range(10)])
    index_pending(9)
    write(tenant, "a newer part")
    index_pending(9)
    LogChunk.across_tenants.filter(run=run, first_line__lt=8).delete()
    assert drop_dead_parts() == 0
    LogChunk.across_tenants.filter(run=run, first_line__lt=9).delete()

    assert drop_dead_parts() == 1

    assert [hit.entry.line for hit in search_logs(tenant, "words").hits] == [10, 9]
    assert index_pending(9) == 2
    assert drop_dead_parts() == 0
    assert [hit.entry.line for hit in search_logs(tenant, "words").hits] == [10, 9]


def test_a_step_that_writes_on_and_on_is_indexed_meanwhile(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runs_dashboard.models.log.MERGE_CHUNKS", 5)
    run, step = running(tenant)
    for number in range(23):
        append(run, plain(f"line {number}"), step=step, token=run.token)

    assert index_pending(9) == 4

    assert LogChunk.across_tenants.filter(run=run, is_sealed=False).count() == 3
    assert [hit.entry.line for hit in search_logs(tenant, "line").hits] == list(range(23, 0, -1))


def test_the_times_of_a_chunk_span_its_lines_in_whatever_order_they_came(tenant: Tenant) -> None:
    run = make_run(make_flow(tenant, "reported", steps="  []"))
    for at in (1_700_000_100.0, 1_700_000_000.0, 1_700_000_050.0):
        append(run, [*plain("later", at=at + 5), *plain("earlier", at=at)])
    seal(run, None)

    chunk = LogChunk.across_tenants.get(run=run)

    assert (chunk.first_at.timestamp(), chunk.last_at.timestamp()) == (1_700_000_000, 1_700_000_105)
    hits = [hit.entry.at.timestamp() - 1_700_000_000 for hit in search_logs(tenant, "r").hits]
    assert hits == [105, 100, 55, 50, 5, 0]


def test_what_an_ended_run_left_open_is_sealed_when_nothing_more_can_come(tenant: Tenant) -> None:
    """A log too large for its last report, and lines that came behind the end."""
    run = make_run(make_flow(tenant, "reported", steps="  []"))
    step = Step.across_tenants.create(tenant=tenant, run=run, slug="a", position=0, status=Status.FAILED)
    for text in ("alpha", "beta"):
        append(run, plain(text))
        append(run, plain(text), step=step)

    assert index_pending(9) == 0
    end(run, ago=APPEND_GRACE - timedelta(minutes=1))
    assert index_pending(9) == 0
    end(run, ago=APPEND_GRACE + timedelta(seconds=1))
    assert index_pending(9) > 0
    assert not LogChunk.across_tenants.filter(is_sealed=False).exists()
    assert indexed("alp") >= 1
    assert [hit.entry.line for hit in search_logs(tenant, "alpha").hits] == [2, 1]


def test_few_logs_are_sealed_at_once_so_that_indexing_comes_to_its_turn(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runs_dashboard.models.log.ENDED_AT_ONCE", 2)
    flow = make_flow(tenant, "reported", steps="  []")
    for _ in range(3):
        run = make_run(flow)
        append(run, plain("alpha"))
        end(run, ago=APPEND_GRACE + timedelta(seconds=1))

    assert [index_pending(9) for _ in range(3)] == [2, 1, 0]


def end(run: Run, *, ago: timedelta) -> None:
    """The run as if its engine had reported its end."""
    Run.across_tenants.filter(pk=run.pk).update(status=Status.FAILED, finished_at=timezone.now() - ago)
