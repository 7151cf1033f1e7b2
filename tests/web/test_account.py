"""Signing in, one's own account, the errors' pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.test import Client

from runs_dashboard.models import Membership, User

from ..conftest import PASSWORD
from ..models.runs import make_flow
from .reading import Page

if TYPE_CHECKING:
    from collections.abc import Callable

    from runs_dashboard.models import Tenant


@pytest.mark.parametrize("address", ["/", "/runs/", "/runs/x/", "/flows/", "/downloads/", "/account/", "/live/runs/"])
def test_who_is_not_signed_in_is_led_to_the_form_and_back(db: None, address: str) -> None:
    response = Client().get(address)
    assert response.status_code == 302
    assert response.headers["Location"] == f"/login/?next={address}"


def test_the_sign_in_form_has_labelled_fields_and_lets_in(vic: User) -> None:
    client = Client()
    page = Page(client.get("/login/?next=/flows/"))
    labels = {element.text: element.attrs["for"] for element in page.find("label")}
    assert page.by_id(labels["Username"]).attrs["name"] == "username"  # type: ignore[union-attr]
    assert page.by_id(labels["Password"]).attrs["type"] == "password"  # type: ignore[union-attr]
    assert page.buttons == ["Sign in"]
    form = {"username": "vic", "password": PASSWORD, "next": page.one("input", name="next").attrs["value"]}
    assert client.post("/login/", form).headers["Location"] == "/flows/"


def test_a_wrong_password_says_so_and_not_which_part_was_wrong(vic: User) -> None:
    known = Page(Client().post("/login/", {"username": "vic", "password": "wrong"}))
    unknown = Page(Client().post("/login/", {"username": "nobody", "password": "wrong"}))
    told = known.one("div", role="alert").text
    assert told
    assert told == unknown.one("div", role="alert").text


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "javascript:alert(1)"])
def test_signing_in_leads_nowhere_else(vic: User, target: str) -> None:
    response = Client().post("/login/", {"username": "vic", "password": PASSWORD, "next": target})
    assert response.headers["Location"] == "/runs/"


def test_a_made_up_password_is_reminded_of_until_it_is_changed(client_of: Callable[[User], Client], ada: User) -> None:
    ada.has_made_up_password = True
    ada.save()
    client = client_of(ada)
    assert "Choose one of your own" in Page(client.get("/runs/")).links
    new = "a whole new sentence 9"
    form = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    assert client.post("/account/password/", form).headers["Location"] == "/account/password/done/"
    assert "Choose one of your own" not in Page(client.get("/runs/")).links


def test_time_zone_is_chosen_from_those_that_exist(client_of: Callable[[User], Client], vic: User) -> None:
    client = client_of(vic)
    form = {"first_name": "Vic", "last_name": "", "email": "vic@example.org", "time_zone": "Europe/Berlin"}
    client.post("/account/", form)
    vic.refresh_from_db()
    assert vic.time_zone == "Europe/Berlin"
    assert client.post("/account/", form | {"time_zone": "Mars/Base"}).status_code == 422
    vic.refresh_from_db()
    assert vic.time_zone == "Europe/Berlin"


def test_a_form_cannot_make_anybody_more_than_they_are(client_of: Callable[[User], Client], vic: User) -> None:
    client_of(vic).post("/account/", {"time_zone": "UTC", "is_superuser": "on", "is_staff": "on", "username": "ada"})
    vic.refresh_from_db()
    assert (vic.username, vic.is_superuser, vic.is_staff) == ("vic", False, False)


def test_the_theme_is_kept_and_the_reader_stays_where_they_were(client_of: Callable[[User], Client], vic: User) -> None:
    client = client_of(vic)
    response = client.post("/account/theme/", {"theme": "dark", "next": "/flows/?page=1"})
    assert response.headers["Location"] == "/flows/?page=1"
    assert Page(client.get("/flows/")).one("html").attrs["data-theme"] == "dark"
    away = client.post("/account/theme/", {"theme": "neon", "next": "https://evil.example/"})
    assert away.headers["Location"] == "/runs/"
    assert Page(client.get("/flows/")).one("html").attrs["data-theme"] == "dark"


def test_a_member_of_two_organisations_can_change_between_them(
    client_of: Callable[[User], Client], vic: User, tenant: Tenant, other_tenant: Tenant
) -> None:
    make_flow(other_tenant, "elsewhere-flow")
    Membership.across_tenants.create(user=vic, tenant=other_tenant, role="viewer")
    client = client_of(vic)
    assert "/flows/elsewhere-flow/" not in Page(client.get("/flows/")).links.values()
    client.post("/account/tenant/", {"tenant": other_tenant.slug})
    assert "/flows/elsewhere-flow/" in Page(client.get("/flows/")).links.values()


def test_nobody_can_change_to_an_organisation_that_is_not_theirs(
    client_of: Callable[[User], Client], vic: User, other_tenant: Tenant
) -> None:
    assert client_of(vic).post("/account/tenant/", {"tenant": other_tenant.slug}).status_code == 404


def test_who_belongs_to_no_organisation_is_told_whom_to_ask(client_of: Callable[[User], Client], db: None) -> None:
    loner = User.objects.create_user("loner", password=PASSWORD)
    response = client_of(loner).get("/runs/")
    assert response.status_code == 403
    assert "Ask an admin" in response.content.decode()


def test_what_is_not_there_has_a_page_with_a_way_back(client_of: Callable[[User], Client], vic: User) -> None:
    for client in (client_of(vic), Client()):
        response = client.get("/nowhere/")
        assert response.status_code == 404
        assert Page(response).links["To the runs"] == "/runs/"


def test_a_form_without_its_mark_is_refused_with_a_page(vic: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(vic, backend="django.contrib.auth.backends.ModelBackend")
    response = client.post("/account/theme/", {"theme": "dark"})
    assert response.status_code == 403
    assert "Send it once more" in response.content.decode()


def test_a_server_error_has_a_page_that_needs_nothing(
    client_of: Callable[[User], Client],
    vic: User,
    monkeypatch: pytest.MonkeyPatch,
    expected_server_errors: list[list[str]],
) -> None:
    from runs_dashboard.web.views import runs

    def break_down(*args: object) -> None:
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr(runs, "sum_up", break_down)
    client = client_of(vic)
    client.raise_request_exception = False
    response = client.get("/runs/")
    assert response.status_code == 500
    assert "Something broke here" in response.content.decode()
    assert "broken on purpose" not in response.content.decode()


def test_signing_out_is_a_post_and_ends_the_session(client_of: Callable[[User], Client], vic: User) -> None:
    client = client_of(vic)
    assert client.get("/logout/").status_code == 405
    client.post("/logout/")
    assert client.get("/runs/").status_code == 302
