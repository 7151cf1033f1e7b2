"""The delivery log of incoming webhooks: what was sent, what it was answered, which run it started."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

import msgspec
from django.conf import settings
from django.db import models, transaction
from django.utils import timezone

from ..text.intake import NotJSON, TooDeep, TooLarge, clean, clean_json
from .audit import Actor, AuditEntry
from .flow import Flow
from .tenant import TenantQuerySet, TenantRow, tenant_managers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .run import Run

KEEP_DAYS = 30
HEADER_MAX, ERROR_MAX = 500, 2_000  # characters
QUIET = timedelta(minutes=1)  # of refusals before the door one in so long is kept: a captured request may be replayed
# What may be kept: no header that could hold a key, a cookie or a signature.
KEPT_HEADERS = frozenset(
    {
        *("accept", "content-encoding", "content-length", "content-type", "traceparent", "user-agent"),
        *("webhook-id", "webhook-timestamp", "x-github-delivery", "x-github-event", "x-gitlab-event"),
        *("x-request-id", "x-timestamp"),
    }
)


class ResendRefused(Exception):
    """This delivery cannot be sent again; the message says why."""


class DeliveryQuerySet(TenantQuerySet):
    def for_list(self) -> Self:
        """Newest first, without what was sent."""
        return self.select_related("run", "resent_by").defer("headers", "body").order_by("-id")


class WebhookDelivery(TenantRow):
    """One request to a flow's webhook whose sender was known, and its answer."""

    class AuthorisedBy(models.TextChoices):
        KEY = "key", "Key"
        SECRET = "secret", "Signature"
        PERSON = "person", "Resent"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    flow = models.ForeignKey(Flow, on_delete=models.CASCADE, related_name="deliveries", db_index=False)
    received_at = models.DateTimeField(default=timezone.now)
    headers = models.JSONField(default=dict)
    body = models.TextField(blank=True)
    size = models.BigIntegerField("size, bytes", default=0)
    is_truncated = models.BooleanField(default=False)
    authorised_by = models.CharField(max_length=8, choices=AuthorisedBy)
    prefix = models.CharField(max_length=20, blank=True, help_text="The key's or the secret's beginning.")
    status = models.PositiveSmallIntegerField(help_text="The HTTP status answered.")
    error = models.TextField(blank=True)
    run = models.ForeignKey("Run", null=True, on_delete=models.SET_NULL, related_name="deliveries")
    idempotency_key = models.CharField(max_length=255, blank=True)
    is_repeat = models.BooleanField(default=False, help_text="Answered with the run that the same key had started.")
    resent_from = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="resends")
    resent_by = models.ForeignKey("User", null=True, on_delete=models.SET_NULL, related_name="+", db_index=False)

    objects, across_tenants = tenant_managers(DeliveryQuerySet)

    class Meta(TenantRow.Meta):
        verbose_name_plural = "webhook deliveries"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(authorised_by__in=["key", "secret", "person"]), name="delivery_authorised_by"
            )
        ]
        indexes = [
            models.Index(fields=["flow", "-id"], name="delivery_newest"),
            models.Index(fields=["received_at"], name="delivery_oldest"),
        ]

    def __str__(self) -> str:
        return str(self.uuid)

    @classmethod
    def of(cls, flow: Flow, *, authorised_by: str, prefix: str, headers: Mapping[str, str]) -> WebhookDelivery:
        """A delivery that is being answered; `note` writes it. Of the headers those stay that are harmless."""
        kept = {
            clean(name): clean(value)[:HEADER_MAX] for name, value in headers.items() if name.lower() in KEPT_HEADERS
        }
        return cls(
            tenant_id=flow.tenant_id,
            flow=flow,
            received_at=timezone.now(),
            headers=kept,
            authorised_by=authorised_by,
            prefix=prefix,
        )

    def take_body(self, body: bytes) -> None:
        """Keeps the body as text, at most settings.PAYLOAD_MAX_BYTES bytes of it."""
        text = clean(body.decode("utf-8", "replace")).encode()
        limit = settings.PAYLOAD_MAX_BYTES
        self.size, self.is_truncated = len(body), len(text) > limit
        self.body = text[:limit].decode(errors="ignore")

    def note(self, status: int, *, run: Run | None = None, is_repeat: bool = False, error: str = "") -> None:
        """Writes it, with the answer."""
        self.status, self.run, self.is_repeat = status, run, is_repeat
        self.error = clean(error)[:ERROR_MAX]
        self.save(force_insert=True)

    def note_refusal(self, status: int, error: str) -> None:
        """Writes it as refused before it was let in, unless the flow's log has such a one of the last minute."""
        recent = type(self).across_tenants.filter(flow_id=self.flow_id, received_at__gt=timezone.now() - QUIET)
        if not recent.filter(status=status, run=None).exists():
            self.note(status, error=error)

    note.alters_data = note_refusal.alters_data = True  # type: ignore[attr-defined]

    @property
    def is_fine(self) -> bool:
        return self.status < 400

    @property
    def has_whole_body(self) -> bool:
        return bool(self.body) and not self.is_truncated

    def read_args(self) -> dict[str, Any]:
        """The body as the args it stands for. Raises ResendRefused."""
        if not self.has_whole_body:
            raise ResendRefused("Its body was not kept whole, so it cannot be sent again.")
        try:
            args = clean_json(msgspec.json.decode(self.body))
        except (msgspec.DecodeError, NotJSON, TooDeep, TooLarge, RecursionError):
            args = None
        if not isinstance(args, dict):
            raise ResendRefused("Its body is no JSON object: it would be refused again.")
        return args

    def resend(self, *, by: Actor) -> Run:
        """Starts the flow anew with the same body. Raises ResendRefused, InputError, FlowDisabled."""
        args = self.read_args()
        with transaction.atomic():
            run = self.flow.start(args, trigger="webhook", by=by)
            again = type(self)(
                tenant_id=self.tenant_id,
                flow=self.flow,
                headers=self.headers,
                body=self.body,
                size=self.size,
                authorised_by=self.AuthorisedBy.PERSON,
                resent_from=self,
                resent_by=by.user,
            )
            again.note(202, run=run)
            AuditEntry.record("webhook.resend", self.flow, by=by, run=run, delivery=str(self.uuid))
        return run

    resend.alters_data = True  # type: ignore[attr-defined]
