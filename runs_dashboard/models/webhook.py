"""Webhooks: a flow's own secrets, by which callers sign what they send here, and we what we send to its engine."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from datetime import timedelta
from typing import Self

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.db import models, transaction
from django.utils import timezone

from .audit import Actor, AuditEntry
from .flow import Flow
from .tenant import TenantQuerySet, TenantRow, tenant_managers

TOLERANCE_SECONDS = 300  # as in Standard Webhooks


def _cipher() -> Fernet:
    key = hashlib.sha256(b"webhook secrets\0" + settings.SECRET_KEY.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(key))


def is_timely(timestamp: str | None) -> bool:
    """Whether a signed time (Unix seconds as text; None: none was given) is at most five minutes off."""
    if timestamp is None:
        return True
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        return False
    return abs(time.time() - int(timestamp)) <= TOLERANCE_SECONDS


class SecretQuerySet(TenantQuerySet):
    def usable(self) -> Self:
        return self.filter(models.Q(expires_at=None) | models.Q(expires_at__gt=timezone.now()))


class WebhookSecret(TenantRow):
    """A secret that a caller signs with. Kept encrypted, since a signature needs it; several may hold at once."""

    flow = models.ForeignKey(Flow, on_delete=models.CASCADE, related_name="webhook_secrets")
    prefix = models.CharField(max_length=8, editable=False)
    encrypted = models.TextField(editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True, help_text="The end of an old one while callers change.")

    objects, across_tenants = tenant_managers(SecretQuerySet)

    class Meta(TenantRow.Meta):
        indexes = [models.Index(fields=["flow", "-created_at"], name="webhook_secret_newest")]

    def __str__(self) -> str:
        return f"{self.prefix}…"

    @property
    def is_usable(self) -> bool:
        return self.expires_at is None or self.expires_at > timezone.now()

    @classmethod
    def make(cls, flow: Flow, *, by: Actor, secret: str = "") -> tuple[WebhookSecret, str]:
        """A new secret of a flow; the text is shown once."""
        secret = secret or secrets.token_urlsafe(32)
        with transaction.atomic():
            row = cls.across_tenants.create(
                tenant_id=flow.tenant_id,
                flow=flow,
                prefix=secret[:4],
                encrypted=_cipher().encrypt(secret.encode()).decode(),
            )
            AuditEntry.record("flow.webhook_secret", flow, by=by, prefix=row.prefix)
        return row, secret

    @classmethod
    def rotate(cls, flow: Flow, *, by: Actor, keep: timedelta) -> tuple[WebhookSecret, str]:
        """A new secret; those before it end after `keep`, or when they would have ended anyway."""
        with transaction.atomic():
            end = timezone.now() + keep
            old = cls.across_tenants.filter(flow=flow).filter(models.Q(expires_at=None) | models.Q(expires_at__gt=end))
            old.update(expires_at=end)
            return cls.make(flow, by=by)

    def revoke(self, *, by: Actor) -> None:
        """Ends it at once; one that has ended stays as it is."""
        now = timezone.now()
        with transaction.atomic():
            if type(self).across_tenants.filter(pk=self.pk).usable().update(expires_at=now):
                AuditEntry.record("flow.revoke_secret", self.flow, by=by, prefix=self.prefix)
        self.refresh_from_db(fields=["expires_at"])

    revoke.alters_data = True  # type: ignore[attr-defined]

    @classmethod
    def newest(cls, flow: Flow) -> WebhookSecret | None:
        """The one that we sign with ourselves."""
        return cls.across_tenants.filter(flow=flow).usable().order_by("-id").first()

    @classmethod
    def find_signed(cls, slug: str, body: bytes, signature: str, timestamp: str | None = None) -> WebhookSecret | None:
        """The usable secret of a flow with this id, of whichever tenant, that signed the body; or None.

        The time is not judged here (`is_timely`), nor whether the flow is switched off: who has the secret may be
        told in the log. An id that is nobody's costs one signature too, so that its answer takes no less time.
        """
        rows = cls.across_tenants.filter(flow__slug=slug, tenant__is_active=True)
        known = list(rows.select_related("flow__tenant", "flow__latest").order_by("-id")) or [cls.decoy()]
        signed = [secret for secret in known if secret.signs(body, signature, timestamp)]
        return signed[0] if signed else None

    @classmethod
    def decoy(cls) -> WebhookSecret:
        """A secret that nobody has."""
        return cls(encrypted=_cipher().encrypt(secrets.token_bytes(32)).decode())

    def sign(self, body: bytes, timestamp: str | None = None) -> str:
        """`sha256=<hex HMAC>` of the body, or of `<timestamp>.<body>`. Raises InvalidToken: SECRET_KEY was changed."""
        signed = body if timestamp is None else timestamp.encode("utf-8", "replace") + b"." + body
        secret = _cipher().decrypt(self.encrypted.encode())
        return "sha256=" + hmac.new(secret, signed, hashlib.sha256).hexdigest()

    def signs(self, body: bytes, signature: str, timestamp: str | None = None) -> bool:
        """Whether the signature was made with this secret, and it still holds."""
        if not self.is_usable:
            return False
        try:
            expected = self.sign(body, timestamp)
        except InvalidToken:
            return False  # the product's SECRET_KEY was changed: the secret is to be made anew
        return hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace"))
