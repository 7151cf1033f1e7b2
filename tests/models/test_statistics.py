"""The statistics of the database's tables: without them SQLite walks all runs for a question of one flow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.db import connection

from runs_dashboard.models import Status, keep_statistics

from .runs import make_flow, make_run

if TYPE_CHECKING:
    from runs_dashboard.models import Tenant


def test_the_planner_is_told_of_the_runs(tenant: Tenant) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL keeps its own")
    flow = make_flow(tenant)
    for _ in range(3):
        make_run(flow, Status.SUCCEEDED)

    keep_statistics()

    with connection.cursor() as cursor:
        cursor.execute("SELECT stat FROM sqlite_stat1 WHERE idx = 'run_newest'")
        assert cursor.fetchone()[0].split()[0] == "3"
