"""The newest runs of many flows in one statement, and the first few pairs of many runs."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from runs_dashboard.models import Run, RunTag, Status, TrackedData, first_pairs, recent_runs

from .runs import make_flow, make_run

if TYPE_CHECKING:
    from runs_dashboard.models import Tenant

pytestmark = pytest.mark.django_db


def test_each_flow_gives_its_newest_runs_the_oldest_of_them_first(tenant: Tenant) -> None:
    flows = [make_flow(tenant, slug) for slug in ("one", "two", "three")]
    now = timezone.now()
    for flow, count in zip(flows, (5, 2, 0), strict=True):
        for number in range(count):
            run = make_run(flow, Status.SUCCEEDED)
            Run.objects.of(tenant).filter(pk=run.pk).update(
                ordered_at=now - timedelta(minutes=number),
                started_at=now - timedelta(minutes=number),
                finished_at=now - timedelta(minutes=number) + timedelta(seconds=number),
            )
    with CaptureQueriesContext(connection) as asked:
        found = recent_runs(flows, 3)
    assert len(asked) == 1
    for flow in flows:
        rows = Run.objects.of(tenant).filter(flow=flow).order_by("-ordered_at", "-id")[:3]
        expected = [(run.uid, run.short_uid, run.status, run.ordered_at, run.duration_ms) for run in rows][::-1]
        shown = [(run.uid, run.short_uid, run.status, run.ordered_at, run.duration_ms) for run in found[flow.pk]]
        assert shown == expected


def test_a_run_that_goes_on_counts_to_now_and_one_that_waits_not_at_all(tenant: Tenant) -> None:
    flow = make_flow(tenant)
    going, waiting = make_run(flow, Status.RUNNING), make_run(flow, Status.QUEUED)
    Run.objects.of(tenant).filter(pk=going.pk).update(started_at=timezone.now() - timedelta(seconds=30))
    durations = {run.uid: run.duration_ms for run in recent_runs([flow], 5)[flow.pk]}
    assert durations[waiting.uid] is None
    assert 30_000 <= (durations[going.uid] or 0) < 60_000
    assert recent_runs([], 5) == {}


def test_a_few_pairs_of_each_run_in_their_order(tenant: Tenant) -> None:
    flow = make_flow(tenant)
    runs = [make_run(flow, Status.SUCCEEDED) for _ in range(3)]
    for key in ("d", "a", "c", "b"):
        RunTag.across_tenants.create(tenant=tenant, run=runs[0], key=key, value=key.upper())
        TrackedData.across_tenants.create(tenant=tenant, run=runs[0], key=key, value="1")
    TrackedData.across_tenants.create(tenant=tenant, run=runs[1], key="order", value="'; --")
    with CaptureQueriesContext(connection) as asked:
        found = first_pairs([run.pk for run in runs], 3)
    assert len(asked) == 1
    assert found == {
        runs[0].pk: ([("d", "1"), ("a", "1"), ("c", "1")], [("a", "A"), ("b", "B"), ("c", "C")]),
        runs[1].pk: ([("order", "'; --")], []),
    }
    assert first_pairs([], 3) == {}
