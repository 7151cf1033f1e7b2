"""A flow's webhook in the pages: its secrets for admins, its deliveries for everybody, Resend for operators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from runs_dashboard.models import AuditEntry, Flow, Report, Run, WebhookDelivery, WebhookSecret

from ..models.runs import ENGINE, actor, make_flow
from .reading import Page
from .test_hostile_text import EVIL
from .test_query_budgets import capture, count  # noqa: F401  # a fixture

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client

    from runs_dashboard.models import Tenant, User

    Enter = Callable[[User], Client]


@pytest.fixture
def flow(tenant: Tenant) -> Flow:
    return make_flow(tenant)


def deliver(flow: Flow, body: bytes = b'{"order": 17}', status: int = 202, **fields: Any) -> WebhookDelivery:
    headers = fields.pop("headers", {"User-Agent": "shop/1"})
    delivery = WebhookDelivery.of(flow, authorised_by="secret", prefix="abcd", headers=headers)
    delivery.take_body(body)
    delivery.idempotency_key = fields.pop("idempotency_key", "")
    delivery.note(status, **fields)
    return delivery


# --- secrets ----------------------------------------------------------------------------------------------------


def test_an_admin_makes_a_secret_that_is_shown_once(client_of: Enter, ada: User, flow: Flow) -> None:
    client = client_of(ada)
    assert "New secret" in Page(client.get("/flows/orders/")).buttons

    answer = client.post("/flows/orders/secrets/", {"keep": ""})

    page = Page(answer)
    text = page.by_id("secret").text  # type: ignore[union-attr]
    secret = WebhookSecret.across_tenants.get(flow=flow)
    assert secret.signs(b"x", secret.sign(b"x"))
    assert secret.prefix == text[:4]
    assert "no-store" in answer["Cache-Control"]
    again = client.get("/flows/orders/").content.decode()
    assert text not in again
    assert f"{secret.prefix}…" in again
    assert AuditEntry.across_tenants.get(action="flow.webhook_secret").actor == ada


def test_a_rotation_ends_the_old_secret_when_it_was_said(client_of: Enter, ada: User, flow: Flow) -> None:
    old, _ = WebhookSecret.make(flow, by=ENGINE)
    client = client_of(ada)
    client.post("/flows/orders/secrets/", {"keep": "24"})
    old.refresh_from_db()
    assert old.is_usable
    assert old.expires_at is not None

    client.post("/flows/orders/secrets/", {"keep": "0"})

    old.refresh_from_db()
    assert not old.is_usable
    assert WebhookSecret.across_tenants.filter(flow=flow).usable().count() == 1


def test_an_admin_revokes_a_secret(client_of: Enter, ada: User, flow: Flow) -> None:
    secret, _ = WebhookSecret.make(flow, by=ENGINE)

    answer = client_of(ada).post(f"/flows/orders/secrets/{secret.pk}/revoke/", follow=True)

    assert "has ended" in answer.content.decode()
    secret.refresh_from_db()
    assert not secret.is_usable


@pytest.mark.parametrize("role", ["vic", "sue", "oli", "eve"])
def test_only_admins_of_the_tenant_touch_secrets(
    client_of: Enter, flow: Flow, request: pytest.FixtureRequest, role: str
) -> None:
    secret, _ = WebhookSecret.make(flow, by=ENGINE, secret="zyxw-not-shown")
    client = client_of(request.getfixturevalue(role))
    expected = 404 if role == "eve" else 403

    assert client.post("/flows/orders/secrets/", {"keep": "0"}).status_code == expected
    assert client.post(f"/flows/orders/secrets/{secret.pk}/revoke/").status_code == expected
    if role != "eve":
        assert "zyxw" not in client.get("/flows/orders/").content.decode()
    secret.refresh_from_db()
    assert secret.is_usable
    assert WebhookSecret.across_tenants.count() == 1


def test_a_flow_has_a_bounded_number_of_secrets(client_of: Enter, ada: User, flow: Flow) -> None:
    for _ in range(20):
        WebhookSecret.make(flow, by=ENGINE)

    answer = client_of(ada).post("/flows/orders/secrets/", {"keep": ""}, follow=True)

    assert "20 secrets still hold" in answer.content.decode()
    assert WebhookSecret.across_tenants.count() == 20


# --- deliveries -------------------------------------------------------------------------------------------------


def test_the_log_shows_request_answer_and_run(client_of: Enter, vic: User, flow: Flow) -> None:
    run = flow.start({"order": 17}, trigger="webhook", by=ENGINE)
    deliver(flow, run=run, idempotency_key="k-1")
    deliver(flow, b"[]", 422, error="body: Send a JSON object.")
    client = client_of(vic)

    page = Page(client.get("/flows/orders/deliveries/"))
    rows = [row.text for row in page.find("tr")[1:]]
    assert "422 Refused" in rows[0]
    assert "Send a JSON object" in rows[0]
    assert "202 Started" in rows[1]
    assert "Secret abcd…" in rows[1]
    assert page.links[run.short_uid] == f"/runs/{run.uid}/"
    assert page.buttons.count("Resend") == 0
    delivery = WebhookDelivery.across_tenants.get(run=run)
    shown = client.get(f"/flows/orders/deliveries/{delivery.uuid}/").content.decode()
    assert [word for word in ("&quot;order&quot;: 17", "shop/1", "k-1", run.short_uid) if word not in shown] == []


def test_the_log_is_read_page_by_page(client_of: Enter, vic: User, flow: Flow) -> None:
    made = [deliver(flow, run=None) for _ in range(101)]
    client = client_of(vic)
    seen, address, pages = [], "/flows/orders/deliveries/", 0
    while address:
        page = Page(client.get(address))
        seen += [name.removeprefix("delivery-") for name in page.ids if name.startswith("delivery-")]
        address = page.links.get("Older", "") and f"/flows/orders/deliveries/{page.links['Older']}"
        pages += 1
    assert (seen, pages) == ([str(one.uuid) for one in reversed(made)], 3)


@pytest.mark.parametrize("before", ["", "abc", "-1", "9" * 40, "\0", "²"])
def test_a_place_that_is_none_is_the_newest_page(client_of: Enter, vic: User, flow: Flow, before: str) -> None:
    made = deliver(flow)
    answer = client_of(vic).get("/flows/orders/deliveries/", {"before": before})
    assert answer.status_code == 200
    assert str(made.uuid) in answer.content.decode()


def test_resend_starts_one_run_however_often_it_is_pressed(client_of: Enter, oli: User, flow: Flow) -> None:
    delivery = deliver(flow)
    client = client_of(oli)
    page = Page(client.get("/flows/orders/deliveries/"))
    key = page.one("input", name="key").attrs["value"]

    answers = [client.post(f"/flows/orders/deliveries/{delivery.uuid}/resend/", {"key": key}) for _ in range(2)]

    run = Run.across_tenants.get()
    assert {answer["Location"] for answer in answers} == {f"/runs/{run.uid}/"}
    assert (run.args, run.trigger, run.created_by) == ({"order": 17}, "webhook", oli)
    again = WebhookDelivery.across_tenants.get(run=run)
    assert (again.resent_from, again.resent_by, again.status, again.body) == (delivery, oli, 202, delivery.body)
    assert AuditEntry.across_tenants.get(action="webhook.resend").actor == oli
    assert "Resent by Oli" in client.get("/flows/orders/deliveries/").content.decode()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"[1]", "no JSON object"),
        (b"{", "no JSON object"),
        (b"", "not kept whole"),
        (b'{"a": "' + b"x" * 300_000, "whole"),
    ],
)
def test_what_cannot_be_resent_says_why(client_of: Enter, oli: User, flow: Flow, body: bytes, said: str) -> None:
    delivery = deliver(flow, body, 422)

    answer = client_of(oli).post(f"/flows/orders/deliveries/{delivery.uuid}/resend/", follow=True)

    assert said in answer.content.decode()
    assert Run.across_tenants.count() == 0


def test_resend_of_a_flow_that_is_off_or_takes_other_inputs_now_says_why(
    client_of: Enter, oli: User, tenant: Tenant, flow: Flow
) -> None:
    delivery = deliver(flow)
    client, address = client_of(oli), f"/flows/orders/deliveries/{delivery.uuid}/resend/"
    make_flow(tenant, extra="inputs: {order: {type: string}}")
    assert "Not started: order:" in client.post(address, follow=True).content.decode()
    Flow.across_tenants.update(is_enabled=False)
    assert "switched off" in client.post(address, follow=True).content.decode()
    assert WebhookDelivery.across_tenants.count() == 1


@pytest.mark.parametrize(("role", "status"), [("vic", 403), ("sue", 403), ("eve", 404)])
def test_who_may_not_resend(
    client_of: Enter, flow: Flow, request: pytest.FixtureRequest, role: str, status: int
) -> None:
    delivery = deliver(flow)
    client = client_of(request.getfixturevalue(role))
    assert client.post(f"/flows/orders/deliveries/{delivery.uuid}/resend/").status_code == status
    assert Run.across_tenants.count() == 0


def test_eve_sees_nothing_of_it(client_of: Enter, eve: User, other_tenant: Tenant, flow: Flow) -> None:
    delivery = deliver(flow)
    client = client_of(eve)
    assert client.get("/flows/orders/deliveries/").status_code == 404
    assert client.get(f"/flows/orders/deliveries/{delivery.uuid}/").status_code == 404
    make_flow(other_tenant)
    assert str(delivery.uuid) not in client.get("/flows/orders/deliveries/").content.decode()
    assert client.get(f"/flows/orders/deliveries/{delivery.uuid}/").status_code == 404
    assert client.post(f"/flows/orders/deliveries/{delivery.uuid}/resend/").status_code == 404


def test_a_delivery_is_found_under_its_own_flow_only(client_of: Enter, vic: User, tenant: Tenant, flow: Flow) -> None:
    make_flow(tenant, "other")
    delivery = deliver(flow)
    assert client_of(vic).get(f"/flows/other/deliveries/{delivery.uuid}/").status_code == 404


def test_the_log_asks_the_same_for_one_delivery_and_for_many(
    client_of: Enter,
    oli: User,
    flow: Flow,
    capture: Any,  # noqa: F811
) -> None:
    client = client_of(oli)
    deliver(flow, run=flow.start({}, trigger="webhook", by=actor(oli)))
    few = count(client, "/flows/orders/deliveries/", capture)
    for _ in range(60):
        deliver(flow, run=flow.start({}, trigger="webhook", by=actor(oli)))
    assert count(client, "/flows/orders/deliveries/", capture) == few
    assert few <= 8


def test_hostile_text_stays_text(client_of: Enter, ada: User, flow: Flow) -> None:
    delivery = deliver(
        flow, EVIL.encode(), 422, error=EVIL, headers={"User-Agent": EVIL, "X-Request-Id": EVIL}, idempotency_key=EVIL
    )
    client = client_of(ada)
    for address in ("/flows/orders/deliveries/", f"/flows/orders/deliveries/{delivery.uuid}/"):
        page = Page(client.get(address))
        assert "alert(1)" in page.source
        assert page.source.count("alert(1)") == page.source.count("&lt;script&gt;alert(1)"), address
        assert not page.find("img"), address
        assert not [e for e in page.elements if any(key.startswith("on") for key in e.attrs)], address


# --- a reported run's retry -------------------------------------------------------------------------------------


def test_a_reported_run_has_a_retry_button_where_its_engine_can_be_asked(
    client_of: Enter, oli: User, tenant: Tenant
) -> None:
    client = client_of(oli)
    for slug, extra in (("mute", ""), ("called", "retry_webhook: https://engine.example/retry")):
        flow = make_flow(tenant, slug, steps="  []", extra=extra)
        run = Run.report_new(flow=flow, uid=f"{slug}-1", by=ENGINE, report=Report(phase="failed"))
        assert ("Retry" in Page(client.get(f"/runs/{run.uid}/")).buttons) == (slug == "called")
    assert "no webhook secret" in client.get("/runs/called-1/retry/").content.decode()
    WebhookSecret.make(flow, by=ENGINE)
    page = Page(client.get("/runs/called-1/retry/"))
    assert "Its own engine is asked" in page.source

    answer = client.post("/runs/called-1/retry/", {"start_at": "start"}, follow=True)

    new = Run.across_tenants.get(retried_run=run)
    assert new.is_external
    assert new.uid in answer.redirect_chain[-1][0]
