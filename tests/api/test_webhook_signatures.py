"""Signed webhooks: the signed time and its tolerance, rotation, and what a wrong one is told."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from runs_dashboard.models import Actor, AuditEntry, Run, WebhookSecret
from runs_dashboard.models.webhook import TOLERANCE_SECONDS

from .world import Caller

if TYPE_CHECKING:
    from django.http import HttpResponse

    from runs_dashboard.models import Flow

BODY = json.dumps({"order": 17}).encode()
ADMIN = Actor(name="test")


@pytest.fixture
def secret(flow: Flow) -> str:
    return WebhookSecret.make(flow, by=ADMIN)[1]


def sign(secret: str, timestamp: str | None, body: bytes = BODY) -> dict[str, str]:
    """The headers of a signed request."""
    signed = body if timestamp is None else timestamp.encode() + b"." + body
    headers = {"X-Signature-256": "sha256=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}
    return headers if timestamp is None else headers | {"X-Timestamp": timestamp}


def send(headers: dict[str, str], body: bytes = BODY) -> HttpResponse:
    return Caller().post("/webhooks/orders", body, headers=headers)


def seconds_off(offset: int) -> str:
    return str(int(time.time()) + offset)


def test_a_known_signature_is_what_others_compute(flow: Flow) -> None:
    """openssl dgst -sha256 -hmac: `It's a Secret to Everybody`, the body `Hello, World!` (GitHub's documentation)."""
    row, _ = WebhookSecret.make(flow, by=ADMIN, secret="It's a Secret to Everybody")

    assert row.sign(b"Hello, World!") == "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert row.sign(b"World!", "Hello") == row.sign(b"Hello.World!")


@pytest.mark.parametrize("offset", [0, -TOLERANCE_SECONDS + 30, TOLERANCE_SECONDS - 30])
def test_a_signed_time_of_about_now_is_taken(secret: str, offset: int) -> None:
    assert send(sign(secret, seconds_off(offset))).status_code == 202


def test_without_a_time_the_body_alone_is_signed(secret: str) -> None:
    assert send(sign(secret, None)).status_code == 202


def test_every_wrong_time_is_answered_like_a_wrong_signature(secret: str) -> None:
    now = seconds_off(0)
    wrong = send(sign("wrong", now))
    answers = [
        send(sign(secret, seconds_off(-TOLERANCE_SECONDS - 5))),
        send(sign(secret, seconds_off(TOLERANCE_SECONDS + 30))),
        send(sign(secret, "")),
        send(sign(secret, "now")),
        send(sign(secret, "-1")),
        send(sign(secret, f"{now}.5")),
        send(sign(secret, "9" * 400)),
        send(sign(secret, None) | {"X-Timestamp": now}),  # a time that nobody signed
        send({"X-Signature-256": sign(secret, now)["X-Signature-256"]}),  # the signed time left away
        send(sign(secret, now) | {"X-Timestamp": seconds_off(1)}),  # another time
    ]

    assert {answer.status_code for answer in (*answers, wrong)} == {404}
    assert {answer.content for answer in answers} == {wrong.content}
    assert Run.across_tenants.count() == 0


def test_after_a_rotation_old_and_new_hold_until_the_old_one_ends(flow: Flow, secret: str) -> None:
    _, new = WebhookSecret.rotate(flow, by=ADMIN, keep=timedelta(hours=1))
    assert [send(sign(one, None)).status_code for one in (secret, new)] == [202, 202]

    rows = WebhookSecret.across_tenants.filter(flow=flow, expires_at__isnull=False)
    assert rows.update(expires_at=timezone.now() - timedelta(seconds=1)) == 1
    assert [send(sign(one, None)).status_code for one in (secret, new)] == [404, 202]


def test_a_rotation_prolongs_nothing(flow: Flow, secret: str) -> None:
    WebhookSecret.rotate(flow, by=ADMIN, keep=timedelta(hours=1))
    end = WebhookSecret.across_tenants.get(flow=flow, expires_at__isnull=False).expires_at

    WebhookSecret.rotate(flow, by=ADMIN, keep=timedelta(days=7))

    assert WebhookSecret.across_tenants.filter(flow=flow, expires_at=end).exists()
    assert WebhookSecret.newest(flow) == WebhookSecret.across_tenants.filter(flow=flow).latest("id")


def test_a_revoked_secret_signs_nothing_and_the_audit_trail_knows(flow: Flow, secret: str) -> None:
    row = WebhookSecret.across_tenants.get(flow=flow)
    row.revoke(by=ADMIN)
    row.revoke(by=ADMIN)

    assert send(sign(secret, None)).status_code == 404
    assert WebhookSecret.newest(flow) is None
    assert AuditEntry.across_tenants.filter(action="flow.revoke_secret").count() == 1
