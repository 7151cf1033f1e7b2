"""Incoming webhooks (seed 0): `POST /webhooks/{flowId}`, by a key or by the flow's own signature."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings

from ..models import Actor, Flow, FlowDisabled, Role, WebhookSecret, once
from .errors import Invalid, NotThere
from .incoming import check_size
from .operations import Operation, answer, as_plain, is_id
from .parsers import StrictJSONParser
from .permissions import RolePermission
from .reports import check_queue
from .representations import FlowRun
from .runs import RunView

if TYPE_CHECKING:
    from django.http import HttpResponse
    from rest_framework.request import Request

SIGNATURE = "HTTP_X_SIGNATURE_256"


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
            body=dict,
            is_body_required=True,
            answers={202: FlowRun},
            errors=(404, 429),
            is_idempotent_by_key=True,
        )
    }
    permission_classes = [KeyOrSignature]

    def post(self, request: Request, flow_id: str) -> HttpResponse:
        """Unknown, disabled, foreign and wrongly signed answer alike."""
        body = self.read_bytes()
        flow = self.find_flow(flow_id, body)
        if not body:
            raise Invalid("Send a JSON object, {} where there are no args.", "body", kind="missing")
        args = StrictJSONParser().read(request._request, body)

        check_size(args, settings.ARGS_MAX_BYTES, "body", "args")
        check_queue(self)

        def start() -> FlowRun:
            return self.show(flow.start(args, trigger="webhook", by=self.actor))

        try:
            key = self.read_idempotency_key()
            shown, _ = once(flow.tenant, f"webhook:{flow.slug}", key, body, as_plain(start))
        except FlowDisabled:
            raise NotThere from None
        return answer(shown, 202, Location=f"/api/v1/flow-runs/{shown['id']}")

    def find_flow(self, slug: str, body: bytes) -> Flow:
        """The flow that the caller may start. Raises NotThere."""
        if self.request.auth is not None:
            rows = Flow.objects.of(self.tenant).filter(slug=slug).select_related("tenant", "latest")
            flow = rows.first() if is_id(slug) else None
        else:
            flow = WebhookSecret.find_signed(slug if is_id(slug) else "", body, self.request.META[SIGNATURE])
            if flow is not None:
                actor = Actor(name=f"webhook of {flow.slug}", address=self.request.META.get("REMOTE_ADDR") or None)
                for target in (self.request, self.request._request):
                    target.tenant, target.actor = flow.tenant, actor
        if flow is None or not flow.is_enabled or flow.latest is None:
            raise NotThere
        return flow
