"""Who may call: keys and nothing else."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from runs_dashboard.models import Actor, ApiKey, Membership

from .world import Caller

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client

    from runs_dashboard.models import Run, Tenant, User


def test_without_a_key_the_answer_says_how_to_send_one(nobody: Caller, run: Run) -> None:
    answer = nobody.get(f"/api/v1/flow-runs/{run.uid}")

    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer")
    assert answer.json()["detail"][0]["loc"] == ["header", "Authorization"]


@pytest.mark.parametrize(
    "header",
    ["Bearer", "Bearer ", "Bearer rd_00000000x", "rd_", "Basic YTpi", "Bearer \xff", "x" * 5_000, "Bearer a b"],
)
def test_a_wrong_key_is_no_key(db: None, run: Run, header: str) -> None:
    assert Caller().get(f"/api/v1/flow-runs/{run.uid}", headers={"Authorization": header}).status_code == 401


def test_a_known_prefix_with_a_wrong_secret_answers_as_an_unknown_one(api: Caller, run: Run) -> None:
    path = f"/api/v1/flow-runs/{run.uid}"

    assert Caller(api.key[:-1] + "!").get(path).content == Caller("rd_00000000nothing").get(path).content


def test_a_session_is_no_key(client_of: Callable[[User], Client], ada: User, run: Run) -> None:
    browser = client_of(ada)

    assert browser.get(f"/api/v1/flow-runs/{run.uid}").status_code == 401
    assert browser.post(f"/api/v1/flow-runs/{run.uid}/stop").status_code == 401


def test_a_key_beside_a_session_has_the_keys_rights_only(
    client_of: Callable[[User], Client], ada: User, vic: User, key_of: Callable[[User], str], run: Run
) -> None:
    header = {"Authorization": f"Bearer {key_of(vic)}"}

    assert client_of(ada).post(f"/api/v1/flow-runs/{run.uid}/stop", headers=header).status_code == 403


def test_a_key_makes_no_session(api: Caller, run: Run) -> None:
    assert not api.get(f"/api/v1/flow-runs/{run.uid}").cookies


def test_a_key_in_the_address_is_none(api: Caller, run: Run) -> None:
    assert Caller().get(f"/api/v1/flow-runs/{run.uid}?key={api.key}").status_code == 401


def test_a_revoked_key_is_refused_at_once(api: Caller, run: Run, ada: User) -> None:
    for key in ApiKey.across_tenants.filter(user=ada):
        key.revoke(by=Actor(user=ada))

    assert api.get(f"/api/v1/flow-runs/{run.uid}").status_code == 401


def test_an_expired_key_is_refused(api: Caller, run: Run, ada: User) -> None:
    ApiKey.across_tenants.filter(user=ada).update(expires_at=timezone.now() - timedelta(seconds=1))

    assert api.get(f"/api/v1/flow-runs/{run.uid}").status_code == 401


def test_a_key_loses_what_its_owner_loses(api: Caller, run: Run, ada: User) -> None:
    Membership.across_tenants.filter(user=ada).update(role="viewer")

    assert api.post(f"/api/v1/flow-runs/{run.uid}/stop").status_code == 403
    assert api.get(f"/api/v1/flow-runs/{run.uid}").status_code == 200


def test_a_key_of_a_member_who_left_may_nothing(api: Caller, run: Run, ada: User) -> None:
    Membership.across_tenants.filter(user=ada).delete()

    assert api.get(f"/api/v1/flow-runs/{run.uid}").status_code == 403


def test_a_key_of_a_closed_tenant_is_none(api: Caller, run: Run, tenant: Tenant) -> None:
    tenant.is_active = False
    tenant.save()

    assert api.get(f"/api/v1/flow-runs/{run.uid}").status_code == 401
