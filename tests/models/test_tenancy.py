"""Another tenant's rows are not found, and nobody can forget to ask whose rows are wanted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.apps import apps

from runs_dashboard import models as domain
from runs_dashboard.models import Run, TenantRequired
from runs_dashboard.models.tenant import TenantManager, TenantRow

from .runs import make_flow, make_run

if TYPE_CHECKING:
    from runs_dashboard.models import Tenant

ROWS = [model for model in apps.get_app_config("runs_dashboard").get_models() if issubclass(model, TenantRow)]
WITHOUT_TENANT = {"User", "Tenant", "Worker", "Purge", "RollupState"}
PACKAGE = Path(domain.__file__).parent.parent


def test_every_row_belongs_to_a_tenant_but_the_few_that_cannot() -> None:
    names = {model.__name__ for model in apps.get_app_config("runs_dashboard").get_models()}
    assert names - {model.__name__ for model in ROWS} == WITHOUT_TENANT


@pytest.mark.parametrize("model", ROWS, ids=lambda model: model.__name__)
def test_the_first_manager_wants_a_tenant(model: type[TenantRow]) -> None:
    assert isinstance(model.objects, TenantManager)
    for ask in (model.objects.all, model.objects.count, lambda: model.objects.filter(pk=1), model.objects.first):
        with pytest.raises(TenantRequired):
            ask()


def test_another_tenants_run_is_not_found(tenant: Tenant, other_tenant: Tenant) -> None:
    run = make_run(make_flow(tenant))
    assert Run.objects.of(tenant).get(uid=run.uid) == run
    assert not Run.objects.of(other_tenant).filter(uid=run.uid).exists()


def test_two_tenants_may_use_the_same_ids(tenant: Tenant, other_tenant: Tenant) -> None:
    mine, theirs = make_flow(tenant, "orders"), make_flow(other_tenant, "orders")
    assert mine.pk != theirs.pk
    assert make_run(mine, uid="build-1").uid == make_run(theirs, uid="build-1").uid


def test_a_row_created_through_the_tenants_rows_belongs_to_it(tenant: Tenant) -> None:
    environment = domain.Environment.objects.of(tenant).create(name="production")
    assert environment.tenant == tenant


# Who may look before a tenant is known, and why.
ACROSS = {
    "api/authentication.py": "a key says which tenant a request is about",
    "api/webhooks.py": "a signature says which tenant's flow is meant",
    "live/access.py": "the same, for streams",
    "live/reading.py": "one read for all viewers, each let in by access.py",
    "web/health.py": "a key lets a program read the counters",
    "web/views/account.py": "a person's own memberships, to choose the tenant by",
    "web/measures.py": "the product's own counters, without a tenant's name",
}


@pytest.mark.parametrize("door", ["web", "api", "live"])
def test_the_doors_do_not_reach_across_tenants(door: str) -> None:
    found = [
        f"{path.relative_to(PACKAGE)}:{number}: {line.strip()}"
        for path in sorted((PACKAGE / door).rglob("*.py"))
        for number, line in enumerate(path.read_text().splitlines(), 1)
        # What hangs on rows of one tenant is of that tenant: Prefetch needs a query set of its own.
        if "across_tenants" in line and "Prefetch(" not in line and str(path.relative_to(PACKAGE)) not in ACROSS
    ]
    assert found == []
