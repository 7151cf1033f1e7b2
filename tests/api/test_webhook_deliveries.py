"""The delivery log: every request of somebody known, and nothing of strangers."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from runs_dashboard.models import Actor, ApiKey, Flow, Run, WebhookDelivery, WebhookSecret, purge
from runs_dashboard.models.delivery import KEEP_DAYS

from .test_webhook_signatures import BODY, seconds_off, send, sign
from .world import Caller, end_run, make_flow

if TYPE_CHECKING:
    from runs_dashboard.models import Tenant

ADMIN = Actor(name="test")


def deliveries() -> list[WebhookDelivery]:
    return list(WebhookDelivery.across_tenants.order_by("id"))


def test_a_delivery_by_key_tells_what_was_sent_and_answered(api: Caller, flow: Flow) -> None:
    answer = api.post("/webhooks/orders", BODY, headers={"Idempotency-Key": "k-1", "X-GitHub-Event": "push"})

    (delivery,) = deliveries()
    assert (delivery.status, delivery.is_repeat, delivery.error) == (202, False, "")
    assert delivery.run == Run.across_tenants.get(uid=answer.json()["id"])
    assert (delivery.tenant_id, delivery.flow, delivery.idempotency_key) == (flow.tenant_id, flow, "k-1")
    assert (delivery.authorised_by, delivery.prefix) == ("key", ApiKey.across_tenants.get().prefix)
    assert (delivery.body, delivery.size, delivery.is_truncated) == (BODY.decode(), len(BODY), False)
    assert delivery.headers["X-Github-Event"] == "push"


def test_no_secret_of_a_request_is_kept(api: Caller, flow: Flow) -> None:
    _, secret = WebhookSecret.make(flow, by=ADMIN)
    signed = sign(secret, seconds_off(0))
    api.post("/webhooks/orders", BODY, headers={"Cookie": "sessionid=hidden", "X-Api-Key": "hidden"})
    send({**signed, "X-Hub-Signature-256": "hidden"})

    kept = json.dumps([delivery.headers for delivery in deliveries()]).lower()
    assert len(deliveries()) == 2
    assert not [word for word in ("authorization", "cookie", "hidden", "signature", api.key.lower()) if word in kept]
    assert signed["X-Signature-256"] not in kept
    assert deliveries()[1].prefix == secret[:4]


def test_strangers_write_nothing(nobody: Caller, eves: Caller, flow: Flow) -> None:
    _, secret = WebhookSecret.make(flow, by=ADMIN)
    send(sign("wrong", None))
    send(sign(secret, None), BODY + b" ")
    send(sign("wrong", seconds_off(-10_000)))
    nobody.post("/webhooks/orders", BODY)
    nobody.post("/webhooks/nothing", BODY, headers=sign(secret, None))
    eves.post("/webhooks/orders", BODY)

    assert deliveries() == []


def test_a_repeat_is_told_apart(api: Caller, flow: Flow) -> None:
    for _ in range(2):
        api.post("/webhooks/orders", BODY, headers={"Idempotency-Key": "k"})

    first, second = deliveries()
    assert (first.is_repeat, second.is_repeat) == (False, True)
    assert first.run == second.run is not None


@pytest.mark.parametrize(
    ("body", "said"), [(b"[1]", "body"), (b"{", "body"), (b"", "Send a JSON object"), (b'{"day": 5}', "body.args.day")]
)
def test_a_refused_delivery_says_what_the_caller_was_told(api: Caller, tenant: Tenant, body: bytes, said: str) -> None:
    make_flow(tenant, inputs={"day": {"type": "string"}})

    answer = api.post("/webhooks/orders", body)

    (delivery,) = deliveries()
    assert (delivery.status, delivery.run, delivery.body) == (answer.status_code, None, body.decode())
    assert said in delivery.error


def test_one_key_with_another_body_is_kept_as_refused(api: Caller, flow: Flow) -> None:
    for order in (1, 2):
        api.post("/webhooks/orders", {"order": order}, headers={"Idempotency-Key": "k"})

    assert [(delivery.status, delivery.is_repeat) for delivery in deliveries()] == [(202, False), (422, False)]


def test_of_refusals_before_the_door_one_a_minute_is_kept(flow: Flow) -> None:
    _, secret = WebhookSecret.make(flow, by=ADMIN)
    stale = sign(secret, seconds_off(-10_000))
    assert {send(stale).status_code for _ in range(3)} == {404}
    (delivery,) = deliveries()
    assert "five minutes" in delivery.error
    WebhookDelivery.across_tenants.update(received_at=timezone.now() - timedelta(minutes=2))
    Flow.across_tenants.update(is_enabled=False)

    assert {send(sign(secret, None)).status_code for _ in range(3)} == {404}

    assert [delivery.error for delivery in deliveries()][1:] == ["The flow is switched off."]


def test_a_large_body_is_cut_and_says_so(api: Caller, flow: Flow) -> None:
    api.post("/webhooks/orders", {"text": "é" * settings.PAYLOAD_MAX_BYTES})

    (delivery,) = deliveries()
    assert delivery.status == 202
    assert delivery.is_truncated
    assert len(delivery.body.encode()) <= settings.PAYLOAD_MAX_BYTES < delivery.size


def test_what_is_no_text_is_kept_as_text(api: Caller, flow: Flow) -> None:
    api.post("/webhooks/orders", b'{"a": "\xff\x00"}', headers={"User-Agent": "x" * 5_000})

    (delivery,) = deliveries()
    assert "\0" not in delivery.body
    assert len(delivery.headers["User-Agent"]) <= 500


def test_a_purge_takes_old_deliveries_and_leaves_the_others(api: Caller, flow: Flow) -> None:
    for _ in range(3):
        api.post("/webhooks/orders", BODY)
    old, resent, new = deliveries()
    WebhookDelivery.across_tenants.filter(pk=old.pk).update(
        received_at=timezone.now() - timedelta(days=KEEP_DAYS, minutes=1)
    )
    WebhookDelivery.across_tenants.filter(pk=resent.pk).update(resent_from=old)

    purge()

    assert deliveries() == [resent, new]
    assert deliveries()[0].resent_from is None


def test_a_run_goes_and_its_delivery_stays(api: Caller, flow: Flow) -> None:
    api.post("/webhooks/orders", BODY)
    end_run(Run.across_tenants.get()).delete_whole(by=ADMIN)

    (delivery,) = deliveries()
    assert (delivery.run, delivery.status) == (None, 202)


@pytest.mark.django_db(transaction=True)
def test_one_key_from_many_at_once_is_one_run_and_each_is_in_the_log(api: Caller, tenant: Tenant) -> None:
    make_flow(tenant)

    def act(_: int) -> int:
        try:
            return Caller(api.key).post("/webhooks/orders", BODY, headers={"Idempotency-Key": "k"}).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(max_workers=8) as pool:
        assert set(pool.map(act, range(8))) == {202}

    (run,) = Run.across_tenants.all()
    assert {delivery.run for delivery in deliveries()} == {run}
    assert sorted(delivery.is_repeat for delivery in deliveries()) == [False] + [True] * 7
