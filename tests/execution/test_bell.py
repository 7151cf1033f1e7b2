"""How long a run waits for an idle worker."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from runs_dashboard.models import Run

from .workers import load, start, wait_until, working

if TYPE_CHECKING:
    from runs_dashboard.models import Tenant

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("quick")]


def test_an_idle_worker_begins_with_a_run_at_once(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    # Were it found by the look that is made anyway, it would take this long:
    monkeypatch.setattr("runs_dashboard.execution.bell.SURE_SECONDS", 60.0)
    flow = load(tenant, [["true"]])
    with working() as worker:
        wait_until(start(flow))
        for _ in range(5):
            time.sleep(0.15)
            run: Run = wait_until(start(flow), seconds=10)
            assert (run.started_at - run.queued_at).total_seconds() < 5
        worker.bell.strike()
