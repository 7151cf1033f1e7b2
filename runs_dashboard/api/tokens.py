"""`POST /api/v1/token`: a short-lived key for a name and a password (seed 2; RFC 6749, section 4.3)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from django.conf import settings
from django.contrib.auth import authenticate
from django.http import QueryDict
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied

from ..middleware import find_membership
from ..models import Actor, ApiKey
from ..text.intake import clean
from . import parsers
from .errors import Invalid, TooMany, WrongMedia
from .operations import ApiView, Operation, answer

if TYPE_CHECKING:
    from django.http import HttpResponse
    from rest_framework.request import Request

LIFETIME = timedelta(hours=1)
FORM = "application/x-www-form-urlencoded"
FORM_BYTES = 16 * 1024
# RFC 6749 has further fields, which clients of the password grant may send; none of them means anything here.
KNOWN = {"grant_type", "username", "password", "scope", "client_id", "client_secret"}


class TokenForm(msgspec.Struct):
    """The fields of the form."""

    username: Annotated[str, msgspec.Meta(min_length=1)]
    password: Annotated[str, msgspec.Meta(min_length=1)]
    grant_type: Literal["password"] = "password"


class Token(msgspec.Struct):
    """A bearer token. expires_in: seconds."""

    access_token: str
    token_type: Literal["bearer"]
    expires_in: int


class TokenView(ApiView):
    authentication_classes = ()
    operations = {
        "post": Operation(
            "Get a token", None, body={FORM: TokenForm}, is_body_required=True, answers={200: Token}, errors=(401, 429)
        )
    }

    def post(self, request: Request) -> HttpResponse:
        """The token has the role of its owner's membership."""
        form = self.read_form()
        django_request = request._request
        user = authenticate(django_request, username=form["username"], password=form["password"])
        if getattr(django_request, "axes_locked_out", False):
            django_request.axes_locked_out = False  # type: ignore[attr-defined]  # the answer is the API's, not Axes'
            wait = int(float(settings.AXES_COOLOFF_TIME) * 3600)
            raise TooMany("Too many wrong passwords. Wait a while.", retry_after=wait)
        if user is None:
            raise AuthenticationFailed("The name or the password is wrong.")
        django_request.user = user
        membership = find_membership(django_request)
        if membership is None:
            raise PermissionDenied("You are a member of no tenant.")
        actor = Actor(user=user, address=request.META.get("REMOTE_ADDR") or None)
        _, secret = ApiKey.make(
            user=user,
            tenant=membership.tenant,
            role=membership.role,
            by=actor,
            name="token",
            kind=ApiKey.Kind.TOKEN,
            lifetime=LIFETIME,
        )
        return answer(Token(secret, "bearer", int(LIFETIME.total_seconds())), Cache_Control="no-store")

    def read_form(self) -> dict[str, str]:
        kind = parsers.media_type(self.request._request)
        data = parsers.read_bounded(self.request._request, limit=FORM_BYTES)
        if kind != FORM:
            raise WrongMedia(f"Send {FORM}.", "header", "Content-Type")
        given = QueryDict(data)
        fields = {name: clean(given[name]) for name in given}
        if unknown := sorted(set(fields) - KNOWN):
            raise Invalid(f"Unknown field {unknown[0][:100]!r}. Known: {', '.join(sorted(KNOWN))}.", "body", unknown[0])
        if fields.get("grant_type", "password") != "password":
            raise Invalid("Only the grant type 'password' is known.", "body", "grant_type")
        for name in ("username", "password"):
            if not fields.get(name):
                raise Invalid("This field is required.", "body", name, kind="missing")
        return fields
