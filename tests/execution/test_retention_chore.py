"""A worker counts what is kept and applies the retention rules by itself."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from runs_dashboard.execution.housekeeping import Housekeeping
from runs_dashboard.models import Purge, Run, StoredDay

from ..models.runs import make_flow
from ..models.test_retention import make_ended

if TYPE_CHECKING:
    from runs_dashboard.models import Tenant


def do_chores(*names: str, is_draining: bool = False) -> None:
    worker: Any = SimpleNamespace(name="w1", is_draining=is_draining, active=set())
    chores = {name: work for name, work, _ in Housekeeping(worker).chores()}
    for name in names:
        chores[name]()


def test_old_runs_go_and_the_rest_is_counted(tenant: Tenant) -> None:
    runs = make_ended(make_flow(tenant), 3, days_apart=40)
    do_chores("retention", "storage")

    assert list(Run.across_tenants.order_by("pk")) == runs[1:]
    assert sum(StoredDay.across_tenants.values_list("runs", flat=True)) == 2
    assert Purge.objects.get().runs == 1
    do_chores("retention")
    assert Purge.objects.count() == 1


@pytest.mark.django_db
def test_a_worker_that_drains_begins_with_nothing(tenant: Tenant) -> None:
    make_ended(make_flow(tenant), 3, days_apart=40)
    do_chores("retention", "storage", is_draining=True)
    assert Run.across_tenants.count() == 3
    assert not Purge.objects.exists()
