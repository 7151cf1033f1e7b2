"""One run with a very long log: what pages, search and downloads must stand."""

from __future__ import annotations

import uuid
from random import Random
from typing import TYPE_CHECKING

from django.db import models, transaction

from ..models import Flow, Run, Status, Step, Trigger
from ..models.log import LogChunk
from .bulk import Bulk, moment
from .company import GENERATOR
from .history import CHUNK_COLUMNS, chunk_row, make_uid
from .history_plan import HOUR_MS
from .synthetic import Habit
from .synthetic_log import print_lines

if TYPE_CHECKING:
    from collections.abc import Callable

    from .company import Company
    from .synthetic_log import Chunk

CHUNKS = 64  # a transaction: about 8 MB of text
TOOK_MS = 6 * HOUR_MS
HABIT = Habit("big-export", "Big export", {"export": 20.0}, ("error %d of %d",), warning=0.001)


def write_big_run(company: Company, *, lines: int, seed: int, tell: Callable[[str], None]) -> str:
    """Writes a run of one step with so many lines, a few megabytes in memory at a time; returns its id.

    Its counters are true after every transaction, so an interrupted call leaves a shorter run.
    """
    random = Random(seed)  # noqa: S311
    start = company.end - TOOK_MS - HOUR_MS
    run = _make_run(company, make_uid(start, random.getrandbits(48)), start)
    step = Step.across_tenants.create(
        tenant=company.tenant,
        uuid=uuid.UUID(int=random.getrandbits(128)),
        run=run,
        slug="export",
        component="command",
        status=Status.SUCCEEDED,
        created_at=run.started_at,
        started_at=run.started_at,
        finished_at=run.finished_at,
        exit_code=0,
    )
    table = Bulk(LogChunk, *CHUNK_COLUMNS)
    batch: list[Chunk] = []
    for number, chunk in enumerate(
        print_lines(random, HABIT, first=1, count=lines, start=start, took=TOOK_MS), start=1
    ):
        batch.append(chunk)
        if len(batch) == CHUNKS:
            _write(table, run, step, batch)
            if number % (CHUNKS * 10) == 0:
                tell(f"{chunk.first:,} of {lines:,} lines")
    _write(table, run, step, batch)
    return run.uid


def _make_run(company: Company, uid: str, start: int) -> Run:
    flow, _ = Flow.load(HABIT.definition(), tenant=company.tenant, by=GENERATOR)
    begin, end = moment(start), moment(start + TOOK_MS)
    return Run.across_tenants.create(
        tenant=company.tenant,
        uid=uid,
        flow=flow,
        version=flow.latest,
        status=Status.SUCCEEDED,
        trigger=Trigger.MANUAL,
        created_by=company.users[0],
        created_at=begin,
        queued_at=begin,
        started_at=begin,
        claimed_at=begin,
        ordered_at=begin,
        finished_at=end,
        updated_at=end,
        step_count=1,
        steps_done=1,
    )


def _write(table: Bulk, run: Run, step: Step, batch: list[Chunk]) -> None:
    table.rows += [chunk_row(run.tenant_id, run.pk, step.pk, chunk) for chunk in batch]
    lines = sum(chunk.count for chunk in batch)
    warnings = sum(chunk.warnings for chunk in batch)
    with transaction.atomic():
        table.flush()
        counts = {
            "line_count": models.F("line_count") + lines,
            "warning_count": models.F("warning_count") + warnings,
        }
        Step.across_tenants.filter(pk=step.pk).update(**counts)
        if warnings:
            counts["has_warnings"] = True  # type: ignore[assignment]
        Run.across_tenants.filter(pk=run.pk).update(
            log_bytes=models.F("log_bytes") + sum(chunk.size for chunk in batch), **counts
        )
    batch.clear()
