"""Every error of the API: one shape, one table of status codes.

`{"detail": [{"loc": ["query", "page"], "msg": "…", "type": "…"}]}` (seed 1). No input gives a 500.
"""

from __future__ import annotations

import logging
from typing import Any

import msgspec
from django.core.exceptions import DisallowedHost, RequestDataTooBig, SuspiciousOperation
from django.db import DataError, IntegrityError, InterfaceError, OperationalError
from django.http import Http404, HttpResponse
from django.http.request import UnreadablePostError
from rest_framework import exceptions as rest

from ..definition.inputs import InputError
from ..models import BulkRefused, FlowDisabled, KeyReused, StatusConflict
from ..query_time import SENTENCE, is_too_long
from ..text.intake import NotJSON, TooDeep, TooLarge

logger = logging.getLogger(__name__)

RETRY_SECONDS = 5  # what a client waits when the database does not answer
NOT_FOUND = "There is no such object."


class Problem(msgspec.Struct):
    """One thing that is wrong: where, what, and a word for programs."""

    loc: list[str | int]
    msg: str
    type: str


class ErrorBody(msgspec.Struct):
    """The body of every error."""

    detail: list[Problem]


class Refused(Exception):
    """The request cannot be served; `status` and `problems` say why."""

    status = 422
    kind = "value_error"

    def __init__(self, msg: str, *loc: str | int, kind: str = "") -> None:
        super().__init__(msg)
        self.problems = [Problem(list(loc), msg, kind or self.kind)]


class Invalid(Refused):
    """Invalid input (422)."""

    @classmethod
    def of(cls, problems: list[Problem]) -> Invalid:
        error = cls(problems[0].msg)
        error.problems = problems
        return error


class NotThere(Refused):
    """Missing, or another tenant's: the same answer, byte for byte (404)."""

    status, kind = 404, "not_found"

    def __init__(self) -> None:
        super().__init__(NOT_FOUND, "path")


class Conflict(Refused):
    """A state forbids it (409)."""

    status, kind = 409, "conflict"


class TooBig(Refused):
    """More bytes than allowed, on the wire or inflated (413)."""

    status, kind = 413, "too_large"


class WrongMedia(Refused):
    """A media type or an encoding that is not taken here (415)."""

    status, kind = 415, "unsupported_media_type"


class TooMany(Refused):
    """Too many requests (429). retry_after: seconds to wait."""

    status, kind = 429, "too_many_requests"

    def __init__(self, msg: str, *, retry_after: int) -> None:
        super().__init__(msg)
        self.retry_after = retry_after


# Exceptions of everything below the API, the first that fits: status, loc, type.
TABLE: tuple[tuple[type[Exception], int, tuple[str, ...], str], ...] = (
    (rest.NotAuthenticated, 401, ("header", "Authorization"), "not_authenticated"),
    (rest.AuthenticationFailed, 401, ("header", "Authorization"), "not_authenticated"),
    (rest.PermissionDenied, 403, (), "forbidden"),
    (rest.MethodNotAllowed, 405, ("method",), "method_not_allowed"),
    (StatusConflict, 409, (), "conflict"),
    (FlowDisabled, 409, (), "flow_disabled"),
    (BulkRefused, 409, (), "conflict"),
    (IntegrityError, 409, (), "conflict"),
    (RequestDataTooBig, 413, ("body",), "too_large"),
    (KeyReused, 422, ("header", "Idempotency-Key"), "key_reused"),
    (TooDeep, 422, ("body",), "too_deep"),
    (TooLarge, 422, ("body",), "too_many_items"),
    (NotJSON, 422, ("body",), "json_invalid"),
    (DisallowedHost, 400, ("header", "Host"), "host"),
    (SuspiciousOperation, 422, ("query",), "value_error"),
    (UnreadablePostError, 422, ("body",), "body_unreadable"),
    (DataError, 422, (), "value_error"),
    (OperationalError, 503, (), "unavailable"),
    (InterfaceError, 503, (), "unavailable"),
)
OWN_WORDS: dict[type[Exception], str] = {
    rest.NotAuthenticated: "Send a key: Authorization: Bearer <key>.",
    IntegrityError: "Somebody else wrote the same at the same time. Look again, then repeat it.",
    DisallowedHost: "This host is not served here.",
    SuspiciousOperation: "The request has more fields than are taken.",
    UnreadablePostError: "The body ended early.",
    DataError: "A value does not fit into its column.",
    OperationalError: "The database does not answer. Try again soon.",
    InterfaceError: "The database does not answer. Try again soon.",
}


def answer_error(error: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """The answer to an exception of an API view; None for one that is our own mistake."""
    if isinstance(error, Http404 | rest.NotFound):
        error = NotThere()
    if isinstance(error, Refused):
        answer = error_response(error.status, error.problems)
        if isinstance(error, TooMany):
            answer["Retry-After"] = str(error.retry_after)
        return answer
    if isinstance(error, InputError):
        problems = [
            Problem(["body", "args", name] if name else ["body", "args"], said, "value_error")
            for name, said in error.problems
        ]
        return error_response(422, problems)
    if is_too_long(error):
        logger.warning("Too long for the database: %s", error)
        return error_response(422, [Problem(["query"], SENTENCE, "too_long")])
    for kind, status, loc, word in TABLE:
        if isinstance(error, kind):
            answer = error_response(status, [Problem(list(loc), OWN_WORDS.get(kind) or str(error), word)])
            if status == 401:
                answer["WWW-Authenticate"] = 'Bearer realm="api"'
            if status == 503:
                logger.warning("The database does not answer: %s", error)
                answer["Retry-After"] = str(RETRY_SECONDS)
            return answer
    return None


def error_response(status: int, problems: list[Problem]) -> HttpResponse:
    """The one shape."""
    body = msgspec.json.encode(ErrorBody(problems))
    return HttpResponse(body, status=status, content_type="application/json")
