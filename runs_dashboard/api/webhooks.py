"""Incoming webhooks (seed 0): `POST /webhooks/{flowId}`, by a key or by the flow's own signature."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import transaction

from ..models import Actor, Flow, FlowDisabled, Role, WebhookDelivery, WebhookSecret, is_timely, once
from .errors import ErrorBody, Invalid, NotThere, Problem, answer_error
from .incoming import check_size
from .operations import IDEMPOTENCY_KEY, LOCATION, Operation, answer, as_plain, is_id
from .parameters import Header
from .parsers import StrictJSONParser
from .permissions import RolePermission
from .reports import check_queue
from .representations import FlowRun
from .runs import RunView
from .throttling import check_rate

if TYPE_CHECKING:
    from django.http import HttpResponse
    from rest_framework.request import Request

SIGNATURE, TIMESTAMP = "HTTP_X_SIGNATURE_256", "HTTP_X_TIMESTAMP"


class KeyOrSignature(RolePermission):
    """A signature stands for a key here; whose it is shows when the body is known."""

    def has_permission(self, request: Request, view: WebhookView) -> bool:  # type: ignore[override]
        if request.auth is None and SIGNATURE in request.META:
            return True
        return super().has_permission(request, view)


class WebhookView(RunView):
    operations = {
        "post": Operation(
            "Incoming Webhook",
            Role.OPERATOR,
            headers=(
                Header("X-Signature-256", "In place of a key: `sha256=` and the body's HMAC by the flow's own secret."),
                Header(
                    "X-Timestamp", "Unix seconds, at most five minutes off; the signed text is `<timestamp>.<body>`."
                ),
                IDEMPOTENCY_KEY,
            ),
            body=dict,
            is_body_required=True,
            answers={202: FlowRun},
            sends=(LOCATION,),
            errors=(404, 429),
        )
    }
    permission_classes = [KeyOrSignature]

    def post(self, request: Request, flow_id: str) -> HttpResponse:
        """Unknown, disabled, foreign and wrongly signed answer alike."""
        body = self.read_bytes()
        delivery = self.let_in(flow_id, body)
        delivery.take_body(body)
        try:
            key = self.read_idempotency_key()
            delivery.idempotency_key = key or ""
            with transaction.atomic():  # the run and the line in the log, or neither
                shown, is_old = self.start(delivery.flow, body, key)
                run = self.runs().filter(uid=shown["id"]).first()
                delivery.note(202, run=run, is_repeat=is_old)
        except DatabaseError:
            raise
        except Exception as error:
            self.note_error(delivery, error)
            raise
        return answer(shown, 202, Location=f"/api/v1/flow-runs/{shown['id']}")

    def start(self, flow: Flow, body: bytes, key: str | None) -> tuple[dict[str, Any], bool]:
        """The run as it is shown, and whether the key had started it before."""
        if not body:
            raise Invalid("Send a JSON object, {} where there are no args.", "body", kind="missing")
        args = StrictJSONParser().read(self.request._request, body)
        check_size(args, settings.ARGS_MAX_BYTES, "body", "args")
        check_queue(self)

        def act() -> FlowRun:
            return self.show(flow.start(args, trigger="webhook", by=self.actor))

        try:
            return once(flow.tenant, f"webhook:{flow.slug}", key, body, as_plain(act))
        except FlowDisabled:
            raise NotThere from None

    def note_error(self, delivery: WebhookDelivery, error: Exception) -> None:
        """What the caller is told, in the log; a mistake of our own is answered with no reason, and told as such."""
        said = answer_error(error, {})
        if said is None:
            delivery.note(500, error="The product failed; its own log says why.")
        else:
            problems = msgspec.json.decode(said.content, type=ErrorBody).detail
            delivery.note(said.status_code, error="; ".join(_say(problem) for problem in problems[:20]))

    def let_in(self, slug: str, body: bytes) -> WebhookDelivery:
        """The delivery to a flow that the caller may start. Raises NotThere, TooMany."""
        headers, kinds = self.request.headers, WebhookDelivery.AuthorisedBy
        if self.request.auth is not None:
            rows = Flow.objects.of(self.tenant).filter(slug=slug).select_related("tenant", "latest")
            flow = rows.first() if is_id(slug) else None
            if flow is None:
                raise NotThere
            delivery = WebhookDelivery.of(flow, authorised_by=kinds.KEY, prefix=self.key.prefix, headers=headers)
        else:
            timestamp = self.request.META.get(TIMESTAMP)
            signature = self.request.META[SIGNATURE]
            secret = WebhookSecret.find_signed(slug if is_id(slug) else "", body, signature, timestamp)
            if secret is None:
                raise NotThere
            flow = secret.flow
            check_rate("call", flow.tenant)
            actor = Actor(name=f"webhook of {flow.slug}", address=self.request.META.get("REMOTE_ADDR") or None)
            for target in (self.request, self.request._request):
                target.tenant, target.actor = flow.tenant, actor
            delivery = WebhookDelivery.of(flow, authorised_by=kinds.SECRET, prefix=secret.prefix, headers=headers)
            if not is_timely(timestamp):
                delivery.note_refusal(404, "The signed time is more than five minutes off.")
                raise NotThere
        if not flow.is_enabled or flow.latest is None:
            delivery.note_refusal(404, "The flow is switched off.")
            raise NotThere
        return delivery


def _say(problem: Problem) -> str:
    return f"{'.'.join(map(str, problem.loc))}: {problem.msg}" if problem.loc else problem.msg
