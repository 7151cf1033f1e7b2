"""Who may open a stream, from where, and how many. Everything here but `open_stream` runs in a database thread."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

import django.db
from django.conf import settings
from django.contrib.auth import get_user
from django.core.exceptions import DisallowedHost, SuspiciousOperation
from django.http import HttpRequest
from django.utils.http import is_same_domain

from ..middleware import find_membership
from ..models import ApiKey, Role, Run, Tenant, User
from ..text.levels import LEVELS
from .dialects import ApiDialect, Dialect, PageDialect
from .hub import Hub
from .reading import Head

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["page", "api"]
WRONG_INPUT: dict[Kind, int] = {"page": 400, "api": 422}
RETRY_AFTER = {"Retry-After": "5"}
# The words of every other API answer, byte for byte: an object of another tenant cannot be told from one that is not.
NOT_FOUND = "There is no such object."
NO_KEY = "Send a key: Authorization: Bearer <key>."
WRONG_KEY = "The key is not known, has expired or was revoked."


class Refused(Exception):
    """No stream, and why: `status` is HTTP's, `loc` and `kind` are the API's `loc` and `type`."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        loc: tuple[str, ...] = (),
        kind: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.loc, self.kind = status, message, loc, kind
        self.headers = dict(headers or {})


@dataclass(frozen=True)
class Holder:
    """Whose stream it is, by what it was opened: a session's key, or the number of an API key."""

    user: int
    tenant: int
    session_key: str = ""
    api_key: int = 0


@dataclass(frozen=True)
class Ticket:
    """A stream that may be opened: of which run, for whom, in which dialect, after which line."""

    run: Run
    head: Head
    dialect: Dialect
    holder: Holder
    after: int


async def open_stream(hub: Hub, request: HttpRequest, kind: Kind, uid: str) -> Ticket:
    """The ticket for this request. Raises Refused."""
    check_room(hub)
    try:
        ticket = await hub.ask(_admit, request, kind, uid)
    except django.db.OperationalError as error:
        said = "The database does not answer. Try again soon."
        raise Refused(503, said, kind="unavailable", headers=RETRY_AFTER) from error
    check_room(hub, ticket.holder.user)
    return ticket


def check_room(hub: Hub, user: int | None = None) -> None:
    """Raises Refused when the process, or this user, has as many streams as may be."""
    if hub.is_closing or hub.streams.total() >= settings.LIVE_STREAMS:
        raise Refused(503, "There are too many live streams.", kind="unavailable", headers=RETRY_AFTER)
    if user is not None and hub.streams[user] >= settings.LIVE_STREAMS_PER_USER:
        raise Refused(429, "You have too many live streams open.", kind="too_many_requests", headers=RETRY_AFTER)


def is_still_allowed(holder: Holder) -> bool:
    """Whether the session or key would still open the same tenant's streams to the same user."""
    if holder.session_key:
        found = _find_person(holder.session_key)
        return found is not None and (found[0].pk, found[1].pk) == (holder.user, holder.tenant)
    key = ApiKey.across_tenants.usable().filter(pk=holder.api_key).select_related("user").first()
    return key is not None and key.may(Role.VIEWER)


# --- a request --------------------------------------------------------------------------------------------------------


def _admit(request: HttpRequest, kind: Kind, uid: str) -> Ticket:
    try:
        request.get_host()
        return _admit_person(request, uid) if kind == "page" else _admit_program(request, uid)
    except DisallowedHost:
        raise Refused(400, "This host is not served here.", loc=("header", "Host"), kind="host") from None
    except SuspiciousOperation:
        raise Refused(WRONG_INPUT[kind], "The request has more fields than are taken.", kind="value_error") from None


def _admit_person(request: HttpRequest, uid: str) -> Ticket:
    if not _is_own_origin(request):
        raise Refused(403, "Another site's page may not read this.", kind="forbidden")
    session_key = request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")
    found = _find_person(session_key) if session_key else None
    if found is None:
        raise Refused(403, "Sign in to see this.", kind="not_authenticated")
    user, tenant = found
    dialect = PageDialect(
        user.zone,
        request.GET.get("step", "").replace("\0", ""),
        _read_levels(request),
        _read_attempt(request),
        _read_stream(request),
    )
    after = _read_after(request, "page")
    run = _find_run(tenant, uid)
    holder = Holder(user.pk, tenant.pk, session_key=session_key)
    return Ticket(run, Head(run.status, run.line_count), dialect, holder, after)


def _admit_program(request: HttpRequest, uid: str) -> Ticket:
    given = request.headers.get("Authorization", "").strip()
    scheme, _, rest = given.partition(" ")
    secret = rest.strip() if scheme.lower() == "bearer" else given
    key = ApiKey.across_tenants.identify(secret) if given else None
    if key is None:
        raise Refused(
            401,
            WRONG_KEY if given else NO_KEY,
            loc=("header", "Authorization"),
            kind="not_authenticated",
            headers={"WWW-Authenticate": 'Bearer realm="api"'},
        )
    if not key.may(Role.VIEWER):
        raise Refused(403, f"This needs the role {Role.VIEWER}; the key has {key.role}.", kind="forbidden")
    for name in request.GET:
        if name != "after":
            said = f"The parameter {name[:100]!r} is not known. Allowed: after."
            raise Refused(422, said, loc=("query", name[:100]), kind="unknown_parameter")
    after = _read_after(request, "api")
    run = _find_run(key.tenant, uid)
    holder = Holder(key.user_id, key.tenant_id, api_key=key.pk)
    return Ticket(run, Head(run.status, run.line_count), ApiDialect(run.uid), holder, after)


def _find_run(tenant: Tenant, uid: str) -> Run:
    rows = Run.objects.of(tenant).only("pk", "uid", "tenant_id", "status", "line_count")
    run = None if "\0" in uid else rows.filter(uid=uid).first()
    if run is None:
        raise Refused(404, NOT_FOUND, loc=("path",), kind="not_found")
    return run


def _read_after(request: HttpRequest, kind: Kind) -> int:
    """The last line that the client has: `Last-Event-ID` is newer than the address it came by."""
    after = _read_line(request.GET.get("after", "0"), ("query", "after"), kind)
    text = request.headers.get("Last-Event-ID", "")
    return _read_line(text, ("header", "Last-Event-ID"), kind) if text else after


def _read_line(text: str, loc: tuple[str, str], kind: Kind) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise Refused(WRONG_INPUT[kind], f"{loc[1]}: not a whole number from 0.", loc=loc, kind="value_error")
    return int(text)


def _read_levels(request: HttpRequest) -> frozenset[int]:
    words = [word for value in request.GET.getlist("level") for word in value.split(",") if word]
    for word in words:
        if word not in LEVELS:
            said = f"level: {word[:100]!r} is not known. Allowed: {', '.join(LEVELS)}."
            raise Refused(WRONG_INPUT["page"], said, loc=("query", "level"), kind="value_error")
    return frozenset(LEVELS.index(word) for word in words)


def _read_attempt(request: HttpRequest) -> int | None:
    text = request.GET.get("attempt", "")
    if text and not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise Refused(WRONG_INPUT["page"], "attempt: not a whole number.", loc=("query", "attempt"), kind="value_error")
    return int(text) if text else None


def _read_stream(request: HttpRequest) -> str:
    text = request.GET.get("stream", "")
    if text not in ("", "stdout", "stderr"):
        said = f"stream: {text[:100]!r} is not known. Allowed: stdout, stderr."
        raise Refused(WRONG_INPUT["page"], said, loc=("query", "stream"), kind="value_error")
    return text


# --- a person ---------------------------------------------------------------------------------------------------------


def _find_person(session_key: str) -> tuple[User, Tenant] | None:
    """Whose session it is, and the tenant that it looks at: as Django and our middleware would say."""
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    user = get_user(request)
    if not isinstance(user, User):
        return None
    request.user = user
    membership = find_membership(request)
    return (user, membership.tenant) if membership else None


def _is_own_origin(request: HttpRequest) -> bool:
    """A browser names the page's origin when another site asks; programs and our own pages name none, or ours."""
    origin = request.headers.get("Origin")
    if origin is None or origin == f"{request.scheme}://{request.get_host()}":
        return True
    asking = urlsplit(origin)
    for trusted in map(urlsplit, settings.CSRF_TRUSTED_ORIGINS):
        if asking.scheme == trusted.scheme and is_same_domain(asking.netloc, trusted.netloc.removeprefix("*")):
            return True
    return False
