"""Who may enter the admin, whose rows are shown, and what may be done with them."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from runs_dashboard.admin.base import Window
from runs_dashboard.models import (
    ApiKey,
    AuditEntry,
    Environment,
    Flow,
    Membership,
    Role,
    Run,
    Tenant,
    User,
    WebhookSecret,
    Worker,
)
from runs_dashboard.models.tenant import TenantRow

from .rows import SETUP, YAML, add_member
from .test_every_page import OURS, address

OF_A_TENANT = [model for model in OURS if issubclass(model, TenantRow)]


def test_who_is_not_signed_in_is_sent_to_the_one_sign_in_page(client: Client, shop: SimpleNamespace) -> None:
    answer = client.get("/admin/runs_dashboard/run/")

    assert answer.status_code == 302
    assert answer["Location"].startswith("/login/?next=/admin/")


@pytest.mark.parametrize("role", [Role.VIEWER, Role.SUPPORT, Role.OPERATOR])
def test_only_admins_enter(role: Role, shop: SimpleNamespace, enter: Callable[[Any], Client]) -> None:
    client = enter(add_member(shop.tenant, "vic", role))

    assert client.get("/admin/", follow=True).status_code == 403
    for model in OURS:
        assert client.get(address(model, "changelist"), follow=True).status_code == 403
    answer = client.post(address(Run, "changelist"), {"action": "retry", "_selected_action": shop.run.pk}, follow=True)
    assert answer.status_code == 403
    assert not shop.run.retries.exists()


def test_staff_without_a_tenant_do_not_enter(shop: SimpleNamespace, enter: Callable[[Any], Client]) -> None:
    staff = User.objects.create_user("sam", is_staff=True)

    assert enter(staff).get("/admin/", follow=True).status_code == 403


def test_the_admin_of_a_tenant_that_was_switched_off_does_not_enter(
    shop: SimpleNamespace, enter: Callable[[Any], Client]
) -> None:
    Tenant.objects.update(is_active=False)

    assert enter(shop.ada).get("/admin/", follow=True).status_code == 403


@pytest.mark.parametrize("model", OF_A_TENANT, ids=lambda model: model._meta.label)
def test_an_admin_sees_only_the_rows_of_the_own_tenant(
    model: Any, shop: SimpleNamespace, rival: SimpleNamespace, enter: Callable[[Any], Client]
) -> None:
    client = enter(shop.ada)
    listed = client.get(address(model, "changelist"))

    assert listed.status_code == 200
    rows = listed.context["cl"].result_list
    assert rows
    assert {row.tenant_id for row in rows} == {shop.tenant.pk}
    assert "rival" not in listed.content.decode()
    for row in model.across_tenants.filter(tenant=rival.tenant):
        for kind in ("change", "delete", "history"):
            assert client.get(address(model, kind, row.pk)).status_code in (302, 403)


@pytest.mark.parametrize("model", [Tenant, User, Worker])
def test_what_belongs_to_all_is_for_superusers(
    model: Any, shop: SimpleNamespace, enter: Callable[[Any], Client]
) -> None:
    client = enter(shop.ada)

    assert client.get(address(model, "changelist")).status_code == 403
    assert client.get(address(model, "add")).status_code == 403


def test_a_filter_does_not_tell_of_other_tenants(
    shop: SimpleNamespace, rival: SimpleNamespace, enter: Callable[[Any], Client]
) -> None:
    client = enter(shop.ada)
    Flow.named("second", tenant=shop.tenant, by=SETUP)  # with one flow there is nothing to filter
    query = f"?flow__id__exact={rival.flow.pk}"

    assert not client.get(address(Run, "changelist") + query).context["cl"].result_list
    found = client.get(address(Run, "changelist") + f"?q={rival.run.uid}").context["cl"].result_list
    assert not found
    choices = client.get("/admin/autocomplete/?app_label=runs_dashboard&model_name=webhooksecret&field_name=flow")
    own = Flow.objects.of(shop.tenant).order_by("slug").values_list("pk", flat=True)
    assert [row["id"] for row in choices.json()["results"]] == list(map(str, own))


def test_an_admin_adds_nothing_to_another_tenant(
    shop: SimpleNamespace, rival: SimpleNamespace, enter: Callable[[Any], Client]
) -> None:
    client = enter(shop.ada)
    theirs = rival.tenant.pk
    before = {model: model.across_tenants.count() for model in (Membership, ApiKey, Flow, Environment, WebhookSecret)}
    posts: list[tuple[Any, dict[str, Any]]] = [
        (Membership, {"tenant": theirs, "user": "ada", "role": "admin"}),
        (ApiKey, {"tenant": theirs, "user": "eve", "role": "viewer", "name": "x"}),
        (Flow, {"tenant": theirs, "source": YAML.replace("id: orders", "id: mine"), "based_on": "0"}),
        (Environment, {"tenant": theirs, "name": "mine", "variables": "{}", "based_on": "0"}),
        (WebhookSecret, {"flow": rival.flow.pk}),
    ]
    for model, data in posts:
        answer = client.post(address(model, "add"), data)
        assert answer.status_code == 200, model
        assert answer.context["errors"], model

    assert {model: model.across_tenants.count() for model in before} == before


def test_actions_do_not_reach_other_tenants(
    shop: SimpleNamespace, rival: SimpleNamespace, enter: Callable[[Any], Client]
) -> None:
    enter(shop.ada).post(address(Run, "changelist"), {"action": "retry", "_selected_action": [rival.run.pk]})
    enter(shop.ada).post(address(ApiKey, "changelist"), {"action": "revoke", "_selected_action": [rival.key.pk]})

    assert not rival.run.retries.exists()
    rival.key.refresh_from_db()
    assert rival.key.revoked_at is None


def test_what_the_machine_writes_is_read_only(
    shop: SimpleNamespace, root: User, enter: Callable[[Any], Client]
) -> None:
    client = enter(root)
    looked_at = [m for m in OURS if isinstance(w := admin.site.get_model_admin(m), Window) and not w.may_change]
    assert AuditEntry in looked_at
    for model in looked_at:
        row = model._base_manager.first()
        before = model._base_manager.filter(pk=row.pk).values().get()
        assert client.post(address(model, "change", row.pk), {"name": "changed"}).status_code == 403
        assert client.post(address(model, "delete", row.pk), {"post": "yes"}).status_code == 403
        gone = {"action": "delete_selected", "_selected_action": row.pk, "post": "yes"}
        client.post(address(model, "changelist"), gone)
        assert model._base_manager.filter(pk=row.pk).values().get() == before


def test_a_form_of_a_run_changes_the_pin_and_nothing_else(
    shop: SimpleNamespace, enter: Callable[[Any], Client]
) -> None:
    before = Run.across_tenants.filter(pk=shop.run.pk).values().get()
    answer = enter(shop.ada).post(
        address(Run, "change", shop.run.pk), {"is_pinned": "on", "status": "succeeded", "error": "", "uid": "x"}
    )

    assert answer.status_code == 302
    assert Run.across_tenants.filter(pk=shop.run.pk).values().get() == before | {"is_pinned": True}
    assert AuditEntry.across_tenants.filter(action="run.pin", actor=shop.ada).count() == 1


def test_a_run_is_not_deleted_here(shop: SimpleNamespace, root: User, enter: Callable[[Any], Client]) -> None:
    assert enter(root).post(reverse("admin:runs_dashboard_run_delete", args=[shop.run.pk])).status_code == 403
