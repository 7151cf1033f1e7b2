"""What a preview of a bulk action says is what comes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runs_dashboard.models import (
    Flow,
    Run,
    Status,
    preview,
)

from ..web.making import make_history
from .bulk import ask, make_failed, work_off
from .runs import actor, make_flow, make_run

if TYPE_CHECKING:
    from runs_dashboard.models import Tenant, User


@pytest.mark.parametrize("act", ["retry", "stop", "review"])
def test_a_preview_counts_what_will_be_refused(tenant: Tenant, oli: User, act: str) -> None:
    flow, bare = make_flow(tenant), Flow.named("reported", tenant=tenant, by=actor(oli))
    retried, reviewed, _ = (make_run(flow, Status.FAILED) for _ in range(3))
    retried.retry(by=actor(oli))
    reviewed.review(by=actor(oli))
    make_run(flow, Status.RUNNING).request_stop(by=actor(oli))
    make_run(flow, Status.RUNNING)
    make_history(bare, 2, status=Status.FAILED, is_external=True)
    runs = Run.objects.of(tenant)
    said = preview(runs, act)
    action = work_off(ask(tenant, oli, act, runs=runs, per_second=50))
    assert (said.total, said.doable, said.refused) == (action.total, action.done, action.refused + action.skipped)
    assert said.refused


def test_a_preview_of_too_many_says_so(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    from runs_dashboard.models import bulk_preview

    make_failed(tenant, 5)
    monkeypatch.setattr(bulk_preview, "MOST_RUNS", 4)
    said = preview(Run.objects.of(tenant), "retry")
    assert (said.total, said.refusals) == (5, [])
