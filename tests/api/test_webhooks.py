"""POST /webhooks/{flowId} (seed 0): by a key, or by the flow's own signature."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any

import pytest

from runs_dashboard.models import Actor, Run, WebhookSecret

from .world import Caller, make_flow

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpResponse

    from runs_dashboard.models import Flow, Tenant, User

BODY = json.dumps({"order": 17}).encode()


def sign(secret: str, body: bytes = BODY) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def send(caller: Caller, slug: str, signature: str, body: bytes = BODY, **headers: str) -> HttpResponse:
    return caller.post(f"/webhooks/{slug}", body, headers={"X-Signature-256": signature, **headers})


def test_a_webhook_starts_the_flow_with_its_body(api: Caller, flow: Flow) -> None:
    answer = api.post("/webhooks/orders", {"order": 17, "extra": [1]})

    assert answer.status_code == 202
    assert answer.json()["args"] == {"order": 17, "extra": [1]}
    assert (answer.json()["trigger"], answer.json()["phase"]) == ("webhook", "queued")


def test_a_signature_needs_no_key(nobody: Caller, flow: Flow) -> None:
    _, secret = WebhookSecret.make(flow, by=Actor(name="test"))

    answer = send(nobody, "orders", sign(secret))

    assert answer.status_code == 202
    run = Run.across_tenants.get(uid=answer.json()["id"])
    assert run.created_by is None
    assert run.audit.get(action="run.start").actor_name == "webhook of orders"


def test_of_two_tenants_flows_with_one_id_the_one_whose_secret_signed_runs(
    nobody: Caller, tenant: Tenant, other_tenant: Tenant
) -> None:
    flows = [make_flow(tenant), make_flow(other_tenant)]
    secrets = [WebhookSecret.make(flow, by=Actor(name="test"))[1] for flow in flows]

    for flow, secret in zip(flows, secrets, strict=True):
        answer = send(nobody, "orders", sign(secret))
        assert Run.across_tenants.get(uid=answer.json()["id"]).flow == flow


def test_an_old_secret_holds_while_it_is_rotated(nobody: Caller, flow: Flow) -> None:
    secrets = [WebhookSecret.make(flow, by=Actor(name="test"))[1] for _ in range(2)]

    assert [send(nobody, "orders", sign(secret)).status_code for secret in secrets] == [202, 202]


def test_every_reason_to_refuse_a_signature_looks_the_same(nobody: Caller, flow: Flow, other_tenant: Tenant) -> None:
    _, secret = WebhookSecret.make(flow, by=Actor(name="test"))
    foreign = make_flow(other_tenant, "theirs")
    WebhookSecret.make(foreign, by=Actor(name="test"))
    switched_off = make_flow(flow.tenant, "off")
    _, secret_of_off = WebhookSecret.make(switched_off, by=Actor(name="test"))
    type(flow).across_tenants.filter(pk=switched_off.pk).update(is_enabled=False)

    answers = [
        send(nobody, "nothing", sign(secret)),
        send(nobody, "orders", sign("wrong")),
        send(nobody, "orders", ""),
        send(nobody, "orders", "sha256="),
        send(nobody, "theirs", sign(secret)),
        send(nobody, "off", sign(secret_of_off)),
        send(nobody, "ORDERS", sign(secret)),
        send(nobody, "orders", sign(secret), BODY + b" "),
        send(nobody, "orders", sign("wrong"), b"not json"),
    ]

    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1
    assert Run.across_tenants.count() == 0


def test_by_key_unknown_foreign_and_disabled_flows_look_the_same(
    api: Caller, eves: Caller, flow: Flow, tenant: Tenant
) -> None:
    off = make_flow(tenant, "off")
    type(flow).across_tenants.filter(pk=off.pk).update(is_enabled=False)

    answers = [api.post("/webhooks/nothing", {}), api.post("/webhooks/off", {}), eves.post("/webhooks/orders", {})]

    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1


def test_without_key_and_signature_it_is_401(nobody: Caller, flow: Flow) -> None:
    assert nobody.post("/webhooks/orders", {}).status_code == 401
    assert nobody.post("/webhooks/nothing", {}).status_code == 401


def test_a_viewers_key_may_not_start(caller_of: Callable[[User], Caller], vic: User, flow: Flow) -> None:
    assert caller_of(vic).post("/webhooks/orders", {}).status_code == 403


def test_one_idempotency_key_is_one_run(api: Caller, flow: Flow) -> None:
    answers = [api.post("/webhooks/orders", {"order": 1}, headers={"Idempotency-Key": "k"}) for _ in range(3)]

    assert {answer.status_code for answer in answers} == {202}
    assert answers[0].json() == answers[1].json() == answers[2].json()
    assert Run.across_tenants.count() == 1


def test_without_an_idempotency_key_equal_bodies_are_two_runs(api: Caller, flow: Flow) -> None:
    for _ in range(2):
        api.post("/webhooks/orders", {"order": 1})

    assert Run.across_tenants.count() == 2


def test_inputs_are_checked(api: Caller, tenant: Tenant) -> None:
    make_flow(tenant, "strict", inputs={"day": {"type": "string", "format": "date", "required": True}})

    missing = api.post("/webhooks/strict", {})
    wrong = api.post("/webhooks/strict", {"day": "yesterday"})

    assert (missing.status_code, missing.json()["detail"][0]["loc"]) == (422, ["body", "args", "day"])
    assert wrong.status_code == 422
    assert api.post("/webhooks/strict", {"day": "2026-03-01"}).status_code == 202


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"", "application/json", 422),
        (b"a=1", "application/x-www-form-urlencoded", 415),
        (b"<a/>", "application/xml", 415),
        (b"--x\r\n", "multipart/form-data; boundary=x", 415),
        (b"{}", "text/plain", 415),
        (b"{}", "application/json; charset=utf-16", 415),
        (b"{}", "application/cloudevents+json", 202),
        (b"[]", "application/json", 422),
        (b"null", "application/json", 422),
    ],
)
def test_the_body_must_be_a_json_object(api: Caller, flow: Flow, body: bytes, kind: str, status: int) -> None:
    answer = api.post("/webhooks/orders", body, content_type=kind)

    assert answer.status_code == status
    assert Run.across_tenants.count() == (status == 202)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
def test_only_post_starts(api: Caller, flow: Flow, method: str) -> None:
    answer = api.call(method, "/webhooks/orders")

    assert answer.status_code == 405
    assert Run.across_tenants.count() == 0


def test_the_webhook_takes_no_query(api: Caller, flow: Flow) -> None:
    answer: Any = api.post("/webhooks/orders?dry=1", {})

    assert answer.status_code == 422
