"""POST /api/v1/token: seed 2's password grant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from runs_dashboard.models import ApiKey, AuditEntry, Membership

from ..conftest import PASSWORD
from .world import Caller

if TYPE_CHECKING:
    from django.http import HttpResponse

    from runs_dashboard.models import Run, User

FORM = "application/x-www-form-urlencoded"


def ask(content_type: str = FORM, **fields: str) -> HttpResponse:
    form = {"grant_type": "password", **fields}
    return Caller().post("/api/v1/token", urlencode(form).encode(), content_type=content_type)


def test_a_name_and_a_password_give_a_short_lived_token(oli: User, run: Run) -> None:
    answer = ask(username="oli", password=PASSWORD)

    assert answer.status_code == 200
    assert (answer.json()["token_type"], answer.json()["expires_in"]) == ("bearer", 3600)
    assert answer["Cache-Control"] == "no-store"
    token = Caller(answer.json()["access_token"])
    assert token.get(f"/api/v1/flow-runs/{run.uid}").status_code == 200
    key = ApiKey.across_tenants.get(user=oli)
    assert (key.kind, key.role) == ("token", "operator")
    assert key.expires_at is not None
    assert AuditEntry.across_tenants.get(action="key.create").actor == oli


def test_a_token_has_its_owners_role(vic: User, run: Run) -> None:
    token = Caller(ask(username="vic", password=PASSWORD).json()["access_token"])

    assert token.post(f"/api/v1/flow-runs/{run.uid}/stop").status_code == 403


def test_a_known_and_an_unknown_name_answer_alike(oli: User) -> None:
    wrong, unknown = ask(username="oli", password="wrong"), ask(username="nobody", password="wrong")

    assert (wrong.status_code, unknown.status_code) == (401, 401)
    assert wrong.content == unknown.content


def test_who_is_nobodys_member_gets_none(oli: User) -> None:
    Membership.across_tenants.all().delete()

    assert ask(username="oli", password=PASSWORD).status_code == 403


def test_an_inactive_user_gets_none(oli: User) -> None:
    oli.is_active = False
    oli.save()

    assert ask(username="oli", password=PASSWORD).status_code == 401


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"username": "oli"}, 422),
        ({"password": "x"}, 422),
        ({"username": "", "password": "x"}, 422),
        ({"username": "oli", "password": "x", "grant_type": "client_credentials"}, 422),
        ({"username": "oli", "password": "x", "tenant": "acme"}, 422),
        ({"username": "o\0li", "password": "x\0"}, 401),
        ({"username": "oli", "password": "x" * 20_000}, 413),
        ({"username": "x" * 1_000, "password": "x"}, 401),
    ],
)
def test_what_is_no_request_for_a_token(db: None, fields: dict[str, str], status: int) -> None:
    assert ask(**fields).status_code == status


def test_further_fields_of_the_grant_are_taken(oli: User) -> None:
    answer = ask(username="oli", password=PASSWORD, scope="", client_id="x", client_secret="y")

    assert answer.status_code == 200


def test_only_a_form_is_taken(db: None) -> None:
    assert ask(content_type="application/json", username="a", password="b").status_code == 415
    assert Caller().get("/api/v1/token").status_code == 405


def test_guessing_is_slowed(oli: User, settings: Any) -> None:
    settings.AXES_ENABLED = True
    settings.AXES_FAILURE_LIMIT = 3

    statuses = [ask(username="oli", password="wrong").status_code for _ in range(4)]
    locked = ask(username="oli", password=PASSWORD)

    assert statuses[:2] == [401, 401]
    assert locked.status_code == 429
    assert int(locked["Retry-After"]) > 0
    assert locked.json()["detail"][0]["type"] == "too_many_requests"


def test_the_token_makes_no_session(oli: User) -> None:
    assert not ask(username="oli", password=PASSWORD).cookies
