"""Keys, and nothing but keys: a session's cookie means nothing here, so nothing here can be forged by a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed

from ..models import Actor, ApiKey

if TYPE_CHECKING:
    from rest_framework.request import Request

    from ..models import User

WRONG_KEY = "The key is not known, has expired or was revoked."


class KeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer <key>`, or the bare key (seed 3). Sets `request.tenant` and `request.actor`.

    Times without a zone are UTC, whoever asks.
    """

    def authenticate(self, request: Request) -> tuple[User, ApiKey] | None:
        header = request.META.get("HTTP_AUTHORIZATION", "").strip()
        if not header:
            return None
        scheme, _, rest = header.partition(" ")
        secret = rest.strip() if scheme.lower() == "bearer" else header
        key = ApiKey.across_tenants.identify(secret)
        if key is None:
            raise AuthenticationFailed(WRONG_KEY)
        timezone.deactivate()
        adopt(request, key)
        return key.user, key

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'


def adopt(request: Request, key: ApiKey) -> None:
    """The request is the key's from here on: its tenant, its owner, its rights."""
    actor = Actor(user=key.user, key=key, address=request.META.get("REMOTE_ADDR") or None)
    for target in (request, request._request):
        target.tenant, target.actor = key.tenant, actor  # type: ignore[union-attr]
