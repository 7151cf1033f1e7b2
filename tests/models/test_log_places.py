"""Places in a log: what is rare is found without what lies between, and the ruler stays small."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from runs_dashboard.models import (
    LogChunk,
    LogView,
    Run,
    Status,
    Step,
    append,
    first_error,
    log_reading,
    read_marks,
    seal,
)
from runs_dashboard.text.intake import Line

from .runs import make_flow, make_run

if TYPE_CHECKING:
    from runs_dashboard.models import Tenant

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def run(tenant: Tenant) -> Run:
    return make_run(make_flow(tenant), Status.RUNNING)


def write(run: Run, count: int, *, errors: set[int] = frozenset(), step: Step | None = None, **fields: Any) -> None:  # type: ignore[assignment]
    """So many lines more, a second apart; `errors` are numbers of lines of the log."""
    first = run.line_count + 1
    lines = [
        Line(
            message=f"line {number}",
            level=3 if number in errors else 1,
            stream=fields.get("stream", "stdout"),
            at=(NOON + timedelta(seconds=number)).timestamp(),
        )
        for number in range(first, first + count)
    ]
    append(run, lines, step=step, token=run.token)
    run.refresh_from_db()


def test_the_first_error_is_found_whatever_lies_before_it(run: Run) -> None:
    assert first_error(run) is None
    write(run, 50)
    assert first_error(run) is None
    write(run, 50, errors={77, 90})
    assert first_error(run) == 77


@pytest.mark.parametrize("part", [{"levels": frozenset({3, 4})}, {"stream": "stderr"}])
def test_what_is_rare_has_an_index_of_its_own(run: Run, part: dict[str, Any]) -> None:
    chunks = LogView(run, **part).chunks.filter(first_line__gt=7).order_by("first_line")
    with CaptureQueriesContext(connection) as asked:
        list(chunks.values_list("pk"))
    sql = asked.captured_queries[-1]["sql"]
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
        else:
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute(f"EXPLAIN {sql}")
        plan = " ".join(str(row) for row in cursor.fetchall())
    assert ("chunk_errors" if "levels" in part else "chunk_stderr") in plan


def test_a_merged_chunk_still_says_what_is_in_it(run: Run) -> None:
    flow_step = Step.begin(run, run.version.parsed.steps[0], position=0, attempt=1)
    write(run, 10, step=flow_step)
    write(run, 10, errors={15}, step=flow_step, stream="stderr")
    seal(run, flow_step)
    chunk = LogChunk.across_tenants.get(run=run)
    assert (chunk.level_mask, chunk.stream_mask) == (0b1010, 0b110)
    assert [entry.line for entry in LogView(run, stream="stderr").after(0, limit=2)] == [11, 12]
    assert [entry.line for entry in LogView(run, stream="stdout").before(None, limit=2)] == [9, 10]


def test_a_stretch_says_how_far_it_looked_and_whether_that_was_all(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(5):
        write(run, 10, errors={45})
    whole = LogView(run)
    assert [(s.entries[0].line, s.reached, s.is_end) for s in [whole.read_after(20, limit=10)]] == [(21, 30, False)]
    assert [(s.entries[0].line, s.reached, s.is_end) for s in [whole.read_before(21, limit=20)]] == [(1, 1, True)]
    assert whole.read_before(21, limit=19).is_end is False
    assert whole.read_after(45, limit=5) == (whole.after(45, limit=5), 50, True)
    monkeypatch.setattr(log_reading, "MOST_LINES", 15)
    rare = LogView(run, text="line 45")
    assert rare.read_after(0, limit=9) == ([], 20, False)
    assert rare.read_after(20, limit=9) == ([], 40, False)
    last = rare.read_after(40, limit=9)
    assert ([entry.line for entry in last.entries], last.is_end) == ([45], True)
    before = rare.read_before(None, limit=9)
    assert ([entry.line for entry in before.entries], before.reached, before.is_end) == ([45], 31, False)
    assert rare.read_before(31, limit=9) == ([], 11, False)


def test_marks_are_the_very_lines_in_a_small_log(run: Run) -> None:
    write(run, 1000, errors={7, 500, 501, 990})
    assert [tuple(mark) for mark in read_marks(run)] == [(7, 7, 3), (500, 501, 3), (990, 990, 3)]


def test_marks_stay_few_in_a_log_of_many_loud_chunks(run: Run) -> None:
    for _ in range(300):
        first = run.line_count
        write(run, 4, errors={first + 2})
    marks = read_marks(run)
    assert 1 <= len(marks) <= 200
    assert marks[0].first <= 2
    assert marks[-1].last >= 1198
    assert [mark.first for mark in marks] == sorted(mark.first for mark in marks)
