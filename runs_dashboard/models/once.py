"""Every action is safe twice: a key that was seen before gives the answer that it gave."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, models, transaction

from .tenant import Tenant, TenantRow

if TYPE_CHECKING:
    from collections.abc import Callable


class KeyReused(Exception):
    """The idempotency key was used before with another body (422)."""


class IdempotencyKey(TenantRow):
    """A client's one-time key and the answer that was given under it."""

    scope = models.CharField(max_length=300)
    key = models.CharField(max_length=255)
    digest = models.CharField(max_length=64)
    answer = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta(TenantRow.Meta):
        constraints = [models.UniqueConstraint(fields=["tenant", "scope", "key"], name="idempotency_key_once")]
        indexes = [models.Index(fields=["created_at"], name="idempotency_oldest")]

    def __str__(self) -> str:
        return f"{self.scope} {self.key}"


def once(
    tenant: Tenant, scope: str, key: str | None, body: bytes, act: Callable[[], dict[str, Any]]
) -> tuple[dict[str, Any], bool]:
    """Acts, or gives the answer that the same key gave before. The act and its key are one transaction.

    scope: what is done and to what, such as `retry:<run>`; key: None acts always; body: the request's bytes.
    Returns the answer and whether it is an old one. Raises KeyReused for the same key with another body.
    """
    if not key:
        return act(), False
    digest = hashlib.sha256(body).hexdigest()
    rows = IdempotencyKey.objects.of(tenant).filter(scope=scope, key=key)
    try:
        with transaction.atomic():
            # The unique row is taken first: of two requests at once the second waits here, and then finds it.
            row = IdempotencyKey.across_tenants.create(tenant=tenant, scope=scope, key=key, digest=digest)
            row.answer = act()
            row.save(update_fields=["answer"])
            return row.answer, False
    except IntegrityError:
        seen = rows.first()
        if seen is None:
            raise
    if seen.digest != digest:
        raise KeyReused("This Idempotency-Key was used before with another body.")
    return seen.answer, True
