"""Incoming webhooks: a flow's own secrets, by which callers sign."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.db import models, transaction
from django.utils import timezone

from .audit import Actor, AuditEntry
from .flow import Flow
from .tenant import TenantRow


def _cipher() -> Fernet:
    key = hashlib.sha256(b"webhook secrets\0" + settings.SECRET_KEY.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(key))


class WebhookSecret(TenantRow):
    """A secret that a caller signs with. Kept encrypted, since a signature needs it; several may hold at once."""

    flow = models.ForeignKey(Flow, on_delete=models.CASCADE, related_name="webhook_secrets")
    prefix = models.CharField(max_length=8, editable=False)
    encrypted = models.TextField(editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True, help_text="The end of an old one while callers change.")

    class Meta(TenantRow.Meta):
        indexes = [models.Index(fields=["flow", "-created_at"], name="webhook_secret_newest")]

    def __str__(self) -> str:
        return f"{self.prefix}…"

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
            AuditEntry.record("flow.webhook_secret", flow, by=by)
        return row, secret

    @classmethod
    def find_signed(cls, slug: str, body: bytes, signature: str) -> Flow | None:
        """The flow with this id, of whichever tenant, one of whose secrets signed the body; or None.

        An id that is nobody's costs one signature too, so that its answer takes no less time.
        """
        rows = cls.across_tenants.filter(flow__slug=slug, flow__is_enabled=True, tenant__is_active=True)
        known = list(rows.select_related("flow__tenant", "flow__latest").order_by("-id")) or [cls.decoy()]
        signed = [secret for secret in known if secret.signs(body, signature)]
        return signed[0].flow if signed else None

    @classmethod
    def decoy(cls) -> WebhookSecret:
        """A secret that nobody has."""
        return cls(encrypted=_cipher().encrypt(secrets.token_bytes(32)).decode())

    def signs(self, body: bytes, signature: str) -> bool:
        """Whether the signature (`sha256=<hex HMAC of the body>`) was made with this secret, and it still holds."""
        if self.expires_at is not None and self.expires_at <= timezone.now():
            return False
        try:
            secret = _cipher().decrypt(self.encrypted.encode())
        except InvalidToken:
            return False  # the product's SECRET_KEY was changed: the secret is to be made anew
        expected = "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()
        return hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace"))
