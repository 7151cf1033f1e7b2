"""Keys of the API: shown once, kept as a digest."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import uuid
from datetime import timedelta
from typing import Self

from django.conf import settings
from django.db import models, transaction
from django.utils import timezone

from .audit import Actor, AuditEntry
from .tenant import Tenant, TenantQuerySet, TenantRow, tenant_managers
from .user import Membership, Role, User

PREFIX_LENGTH = 8


def digest_secret(secret: str) -> str:
    """HMAC-SHA256 under the product's key: a key has 256 random bits, so no slow hash is needed."""
    return hmac.new(settings.SECRET_KEY.encode(), secret.encode("utf-8", "replace"), hashlib.sha256).hexdigest()


class KeyQuerySet(TenantQuerySet):
    def usable(self) -> Self:
        now = timezone.now()
        return self.filter(revoked_at=None, user__is_active=True, tenant__is_active=True).filter(
            models.Q(expires_at=None) | models.Q(expires_at__gt=now)
        )

    def identify(self, secret: str) -> ApiKey | None:
        """The usable key that a client showed, or None. The same work for a wrong prefix and a wrong secret."""
        prefix = secret.partition("_")[2][:PREFIX_LENGTH]
        # One plain condition: each one more would cost every call of the API a part of its time.
        key: ApiKey | None = next(iter(self.filter(prefix=prefix).select_related("user", "tenant")), None)
        known = key.digest if key else digest_secret("no such key")
        if not hmac.compare_digest(known, digest_secret(secret)) or key is None or not key.is_usable:
            return None
        now = timezone.now()
        if key.last_used_at is None or now - key.last_used_at > timedelta(minutes=1):
            self.model.across_tenants.filter(pk=key.pk).update(last_used_at=now)
        return key


class ApiKey(TenantRow):
    """A key belongs to a user, one tenant and a role. `rd_<prefix><secret>`; only a digest is kept."""

    class Kind(models.TextChoices):
        KEY = "key", "Key"
        TOKEN = "token", "Short-lived token"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="keys")
    name = models.CharField(max_length=100, blank=True)
    kind = models.CharField(max_length=8, choices=Kind, default=Kind.KEY)
    role = models.CharField(max_length=16, choices=Role, default=Role.VIEWER)
    prefix = models.CharField(max_length=PREFIX_LENGTH, unique=True, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects, across_tenants = tenant_managers(KeyQuerySet)

    class Meta(TenantRow.Meta):
        verbose_name = "API key"
        constraints = [models.CheckConstraint(condition=models.Q(role__in=Role.values), name="key_role")]
        indexes = [models.Index(fields=["tenant", "-created_at"], name="key_newest")]

    def __str__(self) -> str:
        return self.name or f"rd_{self.prefix}…"

    @property
    def is_usable(self) -> bool:
        """What `usable` asks of the database."""
        is_over = self.expires_at is not None and self.expires_at <= timezone.now()
        return self.revoked_at is None and not is_over and self.user.is_active and self.tenant.is_active

    @classmethod
    def make(
        cls,
        *,
        user: User,
        tenant: Tenant,
        role: Role | str,
        by: Actor,
        name: str = "",
        kind: str = Kind.KEY,
        lifetime: timedelta | None = None,
    ) -> tuple[ApiKey, str]:
        """A new key and its secret, which is never seen again."""
        prefix = secrets.token_hex(PREFIX_LENGTH // 2)
        secret = f"rd_{prefix}{secrets.token_urlsafe(32)}"
        with transaction.atomic():
            key = cls.across_tenants.create(
                tenant=tenant,
                user=user,
                role=Role(role),
                name=name,
                kind=kind,
                prefix=prefix,
                digest=digest_secret(secret),
                expires_at=timezone.now() + lifetime if lifetime else None,
            )
            AuditEntry.record("key.create", key, by=by, role=str(role), name=name, kind=str(kind))
        return key, secret

    def revoke(self, *, by: Actor) -> None:
        with transaction.atomic():
            if type(self).across_tenants.filter(pk=self.pk, revoked_at=None).update(revoked_at=timezone.now()):
                AuditEntry.record("key.revoke", self, by=by)
        self.refresh_from_db()

    revoke.alters_data = True  # type: ignore[attr-defined]

    def may(self, role: Role | str) -> bool:
        """Whether the key may do what the role may: never more than its owner's own role today."""
        if not Role(self.role).covers(role):
            return False
        if self.user.is_superuser:
            return True
        owner = Membership.objects.of(self.tenant_id).filter(user=self.user_id).first()
        return owner is not None and owner.may(role)
