"""One's own API keys: made, shown once, revoked, and nobody else's business."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.test import Client
from django.utils import timezone

from runs_dashboard.models import Actor, ApiKey, AuditEntry
from runs_dashboard.web.views.keys import ENDED_LIMIT, USABLE_LIMIT

from .reading import Page

if TYPE_CHECKING:
    from collections.abc import Callable

    from runs_dashboard.models import Tenant, User

KEYS = "/account/keys/"


def make(client: Client, **fields: str) -> Page:
    return Page(client.post(KEYS, {"name": "Nightly import", "role": "viewer", "lifetime": "90", **fields}))


def test_a_new_key_is_shown_once_and_works(client_of: Callable[[User], Client], oli: User) -> None:
    client = client_of(oli)
    response = client.post(KEYS, {"name": "Nightly import", "role": "operator", "lifetime": "90"})

    assert response.status_code == 200
    assert "no-store" in response["Cache-Control"]
    secret = Page(response).one("pre", id="secret").text
    assert secret not in str(client.cookies)
    assert secret not in str(dict(client.session))
    headers = {"Authorization": f"Bearer {secret}"}
    assert Client().get("/api/v1/flow-runs", headers=headers).status_code == 200
    for address in (KEYS, "/runs/"):
        assert secret[11:] not in client.get(address).content.decode()
    key = ApiKey.across_tenants.get(user=oli)
    assert (key.name, key.role, key.tenant.slug) == ("Nightly import", "operator", "acme")
    assert key.expires_at is not None
    assert abs(key.expires_at - timezone.now() - timedelta(days=90)) < timedelta(minutes=1)
    assert AuditEntry.across_tenants.filter(action="key.create").count() == 1


def test_the_list_says_what_each_key_is_and_does(client_of: Callable[[User], Client], ada: User) -> None:
    client = client_of(ada)
    make(client, name="Forever", role="admin", lifetime="never")
    make(client, name="Old")
    make(client, name="Gone")
    ApiKey.across_tenants.filter(name="Old").update(expires_at=timezone.now() - timedelta(days=1))
    ApiKey.across_tenants.get(name="Gone").revoke(by=Actor(user=ada))

    rows = [element.text for element in Page(client.get(KEYS)).find("tr")][1:]

    assert [row.split("rd_")[0] for row in rows] == ["Active Forever", "Revoked Gone", "Expired Old"]
    assert "Admin" in rows[0]
    assert "Last used never" in rows[0]
    assert "Expires never" in rows[0]
    assert Page(client.get(KEYS)).buttons.count("Revoke") == 1


@pytest.mark.parametrize(
    ("who", "roles"),
    [("vic", ["viewer"]), ("sue", ["viewer", "support"]), ("ada", ["viewer", "support", "operator", "admin"])],
)
def test_a_key_has_at_most_ones_own_role(
    request: pytest.FixtureRequest, client_of: Callable[[User], Client], who: str, roles: list[str]
) -> None:
    client = client_of(request.getfixturevalue(who))

    form = Page(client.get(KEYS))
    offered = [option.attrs["value"] for option in form.find("option")]
    assert [value for value in offered if not value.isdigit() and value != "never"] == roles
    assert make(client, role=roles[-1]).by_id("secret") is not None
    if who != "ada":
        assert client.post(KEYS, {"name": "n", "role": "operator", "lifetime": "30"}).status_code == 422
    assert {key.role for key in ApiKey.across_tenants.all()} == {roles[-1]}


@pytest.mark.parametrize(
    "fields",
    [{"name": ""}, {"name": "x" * 101}, {"name": "a\0b"}, {"role": "king"}, {"lifetime": "7"}, {"lifetime": ""}],
)
def test_what_cannot_be_is_said_and_makes_nothing(
    client_of: Callable[[User], Client], vic: User, fields: dict[str, str]
) -> None:
    page = make(client_of(vic), **fields)

    assert any(element.attrs.get("class") == "bad" for element in page.find("p"))
    assert not ApiKey.across_tenants.exists()


def test_revoking_ends_a_key_and_twice_is_once(client_of: Callable[[User], Client], vic: User) -> None:
    client = client_of(vic)
    secret = make(client).one("pre", id="secret").text
    key = ApiKey.across_tenants.get()

    for _ in range(2):
        response = client.post(f"{KEYS}{key.uuid}/revoke/")
        assert (response.status_code, response["Location"]) == (302, KEYS)

    assert Client().get("/api/v1/flow-runs", headers={"Authorization": f"Bearer {secret}"}).status_code == 401
    assert AuditEntry.across_tenants.filter(action="key.revoke").count() == 1
    assert "Revoked" in Page(client.get(KEYS)).one("tr", id=f"key-{key.uuid}").text


def test_nobody_elses_keys_are_seen_or_revoked(
    client_of: Callable[[User], Client], vic: User, ada: User, eve: User
) -> None:
    make(client_of(vic), name="Vics own")
    key = ApiKey.across_tenants.get()

    for other in (ada, eve):
        client = client_of(other)
        assert "Vics own" not in client.get(KEYS).content.decode()
        assert client.post(f"{KEYS}{key.uuid}/revoke/").status_code == 404
    key.refresh_from_db()
    assert key.revoked_at is None


def test_keys_of_another_organisation_and_tokens_are_not_listed(
    client_of: Callable[[User], Client], vic: User, tenant: Tenant, other_tenant: Tenant
) -> None:
    by = Actor(user=vic)
    ApiKey.make(user=vic, tenant=other_tenant, role="viewer", by=by, name="elsewhere")
    ApiKey.make(user=vic, tenant=tenant, role="viewer", by=by, name="hourly", kind=ApiKey.Kind.TOKEN)

    assert Page(client_of(vic).get(KEYS)).find("table") == []


def test_the_list_and_what_one_may_have_are_bounded(
    client_of: Callable[[User], Client], vic: User, tenant: Tenant
) -> None:
    rows = [
        ApiKey(tenant=tenant, user=vic, prefix=f"{number:08}", digest="-", revoked_at=revoked_at)
        for number in range(USABLE_LIMIT + ENDED_LIMIT + 5)
        for revoked_at in [None if number < USABLE_LIMIT else timezone.now()]
    ]
    ApiKey.across_tenants.bulk_create(rows)
    client = client_of(vic)

    page = make(client)

    assert page.by_id("secret") is None
    assert f"You have {USABLE_LIMIT} keys" in page.one("div", role="alert").text
    assert len(page.find("tr")) == 1 + USABLE_LIMIT + ENDED_LIMIT
    assert ApiKey.across_tenants.count() == len(rows)


def test_a_form_from_elsewhere_makes_and_revokes_nothing(vic: User, tenant: Tenant) -> None:
    key, _ = ApiKey.make(user=vic, tenant=tenant, role="viewer", by=Actor(user=vic))
    client = Client(enforce_csrf_checks=True)
    client.force_login(vic, backend="django.contrib.auth.backends.ModelBackend")

    assert client.post(KEYS, {"name": "n", "role": "viewer", "lifetime": "30"}).status_code == 403
    assert client.post(f"{KEYS}{key.uuid}/revoke/").status_code == 403
    assert ApiKey.across_tenants.filter(revoked_at=None).count() == 1
    assert client.get(f"{KEYS}{key.uuid}/revoke/").status_code == 405


def test_the_menu_leads_there_and_to_what_the_api_takes(client_of: Callable[[User], Client], vic: User) -> None:
    client = client_of(vic)
    links = Page(client.get("/runs/")).links

    assert links["API keys"] == KEYS
    assert client.get(links["API documentation"]).status_code == 200
