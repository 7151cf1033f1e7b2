"""What every call of the API has in common: declared once, checked from the declaration, documented from it too."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from django.http import HttpResponse
from rest_framework.renderers import JSONRenderer
from rest_framework.views import APIView

from ..models import Role, Run
from . import parsers
from .errors import Invalid, NotThere
from .parameters import Header, Parameter, read_query
from .throttling import check_rate

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.db.models import QuerySet
    from rest_framework.request import Request

    from ..models import Actor, ApiKey, Tenant

Shape = TypeVar("Shape")
MAX_KEY = 255  # characters of an Idempotency-Key
IDEMPOTENCY_KEY = Header(
    "Idempotency-Key",
    "The same key with the same body acts once and answers as it did; with another body it is refused.",
    pattern=r"^[!-~]([ -~]*[!-~])?$",
    most=MAX_KEY,
)
LOCATION = Header("Location", "The address of what was made.")


@dataclass(frozen=True)
class Operation:
    """One method of one path. role: None for everybody; body: the struct of a JSON body, or media type → struct.

    headers: those that it looks at; answers: status → a struct, media types, or None for no body; sends: the headers
    of a good answer; errors: further statuses beside the usual ones; pace: which calls it is counted among ("call",
    "append"), "" for what is never refused for its number.
    """

    summary: str
    role: Role | None
    parameters: tuple[Parameter, ...] = ()
    headers: tuple[Header, ...] = ()
    body: Any = None
    is_body_required: bool = False
    answers: dict[int, Any] = field(default_factory=dict)
    sends: tuple[Header, ...] = ()
    errors: tuple[int, ...] = ()
    pace: str = "call"


class ApiView(APIView):
    """A path of the API. Its methods are those that `operations` declares; queries are read before they begin."""

    operations: dict[str, Operation] = {}
    metadata_class = None
    http_method_names = ["get", "post", "put", "patch", "delete", "head"]

    # Set by the key (authentication.adopt) and by `initial`.
    query: dict[str, Any]

    def get_operation(self) -> Operation | None:
        method = (self.request.method or "").lower()
        return self.operations.get("get" if method == "head" else method)

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """JSON whatever is asked for: there is nothing else."""
        return JSONRenderer(), "application/json"

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        operation = self.get_operation()
        if operation is not None:
            self.query = read_query(request.GET, operation.parameters)

    def check_throttles(self, request: Request) -> None:
        operation = self.get_operation()
        if operation is not None and operation.pace and request.auth is not None:
            check_rate(operation.pace, self.tenant, self.key)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """What a key was shown is nobody else's, nor a cache's."""
        response = super().finalize_response(request, response, *args, **kwargs)
        response.setdefault("Cache-Control", "private, no-store")
        return response

    @property
    def tenant(self) -> Tenant:
        return self.request.tenant  # type: ignore[attr-defined]

    @property
    def actor(self) -> Actor:
        return self.request.actor  # type: ignore[attr-defined]

    @property
    def key(self) -> ApiKey:
        key: ApiKey = self.request.auth  # type: ignore[assignment]  # the only authentication there is
        return key

    def runs(self) -> QuerySet:
        """The tenant's runs."""
        return Run.objects.of(self.tenant)

    def find_run(self, uid: str, rows: QuerySet | None = None) -> Run:
        """The tenant's run with this id. Raises NotThere."""
        rows = self.runs() if rows is None else rows
        run = rows.filter(uid=uid, removing_at=None).select_related("flow", "version").first() if is_id(uid) else None
        if run is None:
            raise NotThere
        return run

    def read_bytes(self) -> bytes:
        """The body, read once."""
        if not hasattr(self, "_bytes"):
            self._bytes = parsers.read_bounded(self.request._request)
        return self._bytes

    def read_data(self) -> dict[str, Any]:
        """The body as a cleaned JSON object."""
        return parsers.StrictJSONParser().read(self.request._request, self.read_bytes())

    def read_body(self, kind: type[Shape]) -> Shape:
        """The body in its shape. Raises Invalid."""
        return parsers.shape(self.read_data(), kind)

    def read_idempotency_key(self) -> str | None:
        key = self.request.META.get("HTTP_IDEMPOTENCY_KEY")
        if key is not None and not (0 < len(key) <= MAX_KEY and key.isprintable() and key.isascii()):
            raise Invalid(f"Give 1 to {MAX_KEY} printable ASCII characters.", "header", "Idempotency-Key")
        return key


def is_id(text: str) -> bool:
    """Whether an id can be one at all (seed 1's pattern): a database is not asked for anything else."""
    return 0 < len(text) <= 255 and all(sign in "abcdefghijklmnopqrstuvwxyz0123456789_.-" for sign in text)


def answer(value: Any, status: int = 200, **headers: str) -> HttpResponse:
    """JSON out. headers: underscores stand for hyphens."""
    response = HttpResponse(msgspec.json.encode(value), status=status, content_type="application/json")
    for name, text in headers.items():
        response[name.replace("_", "-")] = text
    return response


def as_plain(make: Callable[[], Any]) -> Callable[[], dict[str, Any]]:
    """An act whose answer can be kept (models.once): plain JSON data."""
    return lambda: msgspec.to_builtins(make())
