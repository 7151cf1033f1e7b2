"""Calls to engines of others: retry this run, please (`models.RetryCall`)."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import msgspec
from cryptography.fernet import InvalidToken
from django.conf import settings

from ..models import LeaseLost, RetryCall, Status, WebhookSecret
from . import outbound

if TYPE_CHECKING:
    from collections.abc import Callable

CALL_SECONDS = 10.0
ANSWER_MAX = 10_000  # bytes; nothing of the answer but its status counts
MAYBE_LATER = {408, 425, 429}

logger = logging.getLogger(__name__)


def call_next(worker: str, should_stop: Callable[[], bool] = lambda: False) -> bool:
    """Makes the next call that is due, if there is one; returns whether there was. Raises django.db.Error."""
    call = RetryCall.across_tenants.claim(worker=worker)
    if call is None:
        return False
    try:
        if call.run.status != Status.QUEUED:
            call.drop()
        else:
            _ask(call, should_stop)
    except LeaseLost:
        logger.warning("The call for run %s is another worker's now.", call.run.uid)
    return True


def _ask(call: RetryCall, should_stop: Callable[[], bool]) -> None:
    secret = WebhookSecret.newest(call.run.flow)
    body = msgspec.json.encode(call.message)
    timestamp = str(int(time.time()))
    if secret is None:
        call.fail("the flow has no webhook secret to sign with any more.")
        return
    try:
        signature = secret.sign(body, timestamp)
    except InvalidToken:
        call.fail("the flow's newest webhook secret cannot be read, since SECRET_KEY was changed: make a new one.")
        return
    headers = {
        "Content-Type": "application/json",
        "Idempotency-Key": call.run.uid,
        "X-Timestamp": timestamp,
        "X-Signature-256": signature,
    }
    try:
        answer = outbound.request(
            "POST",
            call.url,
            headers=headers,
            body=body,
            timeout=CALL_SECONDS,
            max_bytes=ANSWER_MAX,
            allow=outbound.parse_allowed(settings.HTTP_ALLOW),
            should_stop=should_stop,
            may_redirect=False,  # the signature goes nowhere else, and a POST must not become a GET
            may_be_plain=False,  # a run's args are in it
        )
    except outbound.Stopped:
        call.give_back()
    except outbound.Refused as error:
        call.fail(f"POST {call.address}: {error}.")
    except outbound.Failed as error:
        call.postpone(f"POST {call.address}: {error}.")
    else:
        _judge(call, answer)


def _judge(call: RetryCall, answer: outbound.Answer) -> None:
    said = f"POST {call.address} → {answer.status}"
    if 200 <= answer.status < 300:
        call.succeed(f"{said} ({answer.elapsed * 1000:.0f} ms).")
    elif answer.status >= 500 or answer.status in MAYBE_LATER:
        call.postpone(f"{said}.")
    elif 300 <= answer.status < 400:
        call.fail(f"{said}, which leads elsewhere: name the last address in retry_webhook.")
    else:
        call.fail(f"{said}.")
