"""The OpenAPI 3.1 document, made from what the views declare, so that it cannot say anything else than they do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec
from django.urls import URLPattern

from ..filter_fields import MILLISECONDS_LIMIT, PAIRS_LIMIT
from ..models import Role
from .bodies import LineBody, LogsBody
from .errors import ErrorBody
from .operations import Operation
from .parameters import FILTER_TEXTS, MAX_TEXT, MAX_WHOLE, Header, Parameter

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .operations import ApiView

TEXTS = {
    400: "The server could not read the request.",
    401: "No key, or a wrong one.",
    403: "The key has not the right.",
    404: "There is no such object, or it is another tenant's.",
    405: "This method is none of this address.",
    409: "The object's state forbids it.",
    413: "The body is too large.",
    415: "The media type is not taken here.",
    416: "The range lies outside the file.",
    422: "Invalid input.",
    429: "Too many requests: wait for Retry-After seconds.",
    503: "The database does not answer: wait for Retry-After seconds.",
}
GOOD = {200: "Successful", 201: "Made", 202: "Accepted", 204: "Done, no body", 206: "A part of it"}
LOG_BODY = {"application/json": LogsBody, "application/x-ndjson": LineBody, "text/plain": str}
NO_NUL = r"^[^\u0000]*$"
KINDS: dict[str, dict[str, Any]] = {
    "text": {"type": "string", "minLength": 1, "maxLength": MAX_TEXT, "pattern": NO_NUL},
    "whole": {"type": "integer", "maximum": MAX_WHOLE},
    "flag": {"type": "boolean"},
    "length": {"type": "string", "pattern": "^([0-9]{1,13}(ms|[smhdw]))+$", "maxLength": 64},
    "day": {"type": "string", "format": "date"},
    "moment": {
        "anyOf": [
            {"type": "string", "format": "date-time"},
            {"type": "integer", "minimum": 10_000, "maximum": MILLISECONDS_LIMIT},
        ]
    },
}
ID = {"type": "string", "pattern": r"^[a-z0-9_.-]+$", "minLength": 1, "maxLength": 255}
PATH_PARTS: dict[str, dict[str, Any]] = {
    "run_id": ID,
    "flow_id": ID,
    "org_id": {"type": "string", "minLength": 1},
    "log_id": {"type": "string", "minLength": 1},
    "action": {"type": "string", "minLength": 1, "maxLength": 200},
    "download_id": {"type": "string", "format": "uuid"},
    "bulk_id": {"type": "string", "format": "uuid"},
    "failure_id": {"type": "string", "format": "uuid"},
    "note_id": {"type": "string", "format": "uuid"},
}
RETRY_AFTER = Header("Retry-After", "Seconds to wait.", kind="integer")
CONTENT_RANGE = Header("Content-Range", "Which bytes these are, and of how many.")
ERROR_HEADERS = {
    401: Header("WWW-Authenticate", 'Bearer realm="api"'),
    416: CONTENT_RANGE,
    429: RETRY_AFTER,
    503: RETRY_AFTER,
}
# Served by `live`, beside the views.
STREAM_PATH = "/api/v1/flow-runs/{run_id}/flow-run-logs/stream"
STREAM = Operation(
    "Follow Run Logs: server-sent events, one log entry each, whose `id` is its line; an `end` event is the last",
    Role.VIEWER,
    parameters=(Parameter("after", "whole", "Entries above this line number.", default=0, least=0, most=10**18 - 1),),
    headers=(
        Header("Last-Event-ID", "The last line that was seen; it counts before `after`.", pattern="^[0-9]{0,18}$"),
    ),
    answers={200: ("text/event-stream",)},
    errors=(404,),
)


def find_operations(patterns: Iterable[URLPattern]) -> Iterator[tuple[str, str, Operation]]:
    """Every address with its methods and what they declare: path template, method, operation."""
    for pattern in patterns:
        view: type[ApiView] | None = getattr(pattern.callback, "view_class", None)
        for method, operation in getattr(view, "operations", {}).items():
            yield "/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", str(pattern.pattern)), method, operation


def make_document(patterns: Iterable[URLPattern], token_url: str) -> dict[str, Any]:
    """The document as JSON data. token_url: absolute, as OpenAPI wants it."""
    found = list(find_operations(patterns))
    refs, components = msgspec.json.schema_components(
        list(_list_types(operation for _, _, operation in found)), ref_template="#/components/schemas/{name}"
    )
    schemas = dict(zip((_key(kind) for kind in _list_types(op for _, _, op in found)), refs, strict=True))
    paths: dict[str, Any] = {}
    for path, method, operation in found:
        paths.setdefault(path, {})[method] = _describe(path, method, operation, schemas)
    paths[STREAM_PATH] = {"get": _describe(STREAM_PATH, "get", STREAM, schemas)}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Runs Dashboard",
            "version": "1",
            "description": "Workflow runs, their steps and their logs. Five platforms' run APIs in one.",
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}, {"key": []}, {"password": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "key": {"type": "apiKey", "in": "header", "name": "Authorization", "description": "The bare key."},
                "password": {"type": "oauth2", "flows": {"password": {"tokenUrl": token_url, "scopes": {}}}},
            },
        },
    }


def _list_types(operations: Iterable[Operation]) -> Iterator[Any]:
    """Each type that the document speaks of, once."""
    seen: dict[str, Any] = {_key(ErrorBody): ErrorBody}
    for operation in operations:
        bodies = list(_media_types(operation).values()) if operation.body is not None else []
        for kind in (*bodies, *operation.answers.values()):
            if kind is not None and not isinstance(kind, str | tuple):
                seen.setdefault(_key(kind), kind)
    yield from seen.values()


def _key(kind: Any) -> str:
    return str(kind) if not isinstance(kind, type) else f"{kind.__module__}.{kind.__qualname__}"


def _media_types(operation: Operation) -> dict[str, Any]:
    if operation.body == "lines":
        return LOG_BODY
    if isinstance(operation.body, dict):
        return operation.body
    return {"application/json": operation.body}


def _describe(path: str, method: str, operation: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    name = re.sub(r"[^a-z0-9]+", "_", f"{method} {path}".lower()).strip("_")
    parameters = [
        {"name": one, "in": "path", "required": True, "schema": PATH_PARTS[one]} for one in re.findall(r"{(\w+)}", path)
    ]
    parameters += [_parameter(parameter) for parameter in operation.parameters]
    parameters += [{"name": header.name, "in": "header", **_header(header)} for header in operation.headers]
    described: dict[str, Any] = {
        "operationId": name,
        "summary": operation.summary,
        "tags": [path.removeprefix("/api/v1").split("/")[1]],
        "parameters": parameters,
        "responses": {
            **{
                str(status): _answer(status, kind, operation.sends, schemas)
                for status, kind in operation.answers.items()
            },
            **{str(status): _error(status, schemas) for status in _errors(operation)},
        },
    }
    if operation.role is None:
        described["security"] = []
    else:
        described["description"] = f"Needs the role {operation.role}."
    if operation.body is not None:
        described["requestBody"] = {
            "required": operation.is_body_required,
            "content": {media: {"schema": schemas[_key(kind)]} for media, kind in _media_types(operation).items()},
        }
    return described


def _parameter(parameter: Parameter) -> dict[str, Any]:
    schema = dict(KINDS.get(parameter.kind, {}))
    if parameter.kind == "words":
        schema = {"type": "array", "items": {"type": "string", "enum": list(parameter.choices)}, "minItems": 1}
    elif parameter.choices:
        schema = {"type": "string", "enum": list(parameter.choices)}
    elif parameter.is_filter and parameter.kind in FILTER_TEXTS:
        schema = {"type": "string", "minLength": 1, "maxLength": FILTER_TEXTS[parameter.kind]}
        if parameter.kind == "pair":
            schema = {"type": "array", "minItems": 1, "maxItems": PAIRS_LIMIT, "items": schema}
    if parameter.least is not None:
        schema["minimum"] = parameter.least
    if parameter.most is not None:
        schema["maximum"] = parameter.most
    if parameter.default not in (None, ()):
        schema["default"] = parameter.default
    described: dict[str, Any] = {
        "name": parameter.name,
        "in": "query",
        "description": parameter.about,
        "schema": schema,
    }
    if parameter.kind == "words":
        described |= {"style": "form", "explode": False}
    if parameter.is_required:
        described["required"] = True
    return described


def _header(header: Header) -> dict[str, Any]:
    """A header's description and schema: the same for one that is sent and one that is answered."""
    schema: dict[str, Any] = {"type": header.kind}
    if header.pattern:
        schema["pattern"] = header.pattern
    if header.most is not None:
        schema["maxLength"] = header.most
    return {"description": header.about, "schema": schema}


def _answer(status: int, kind: Any, sends: tuple[Header, ...], schemas: dict[str, Any]) -> dict[str, Any]:
    """kind: a shape, or the media types of what is no JSON."""
    described: dict[str, Any] = {"description": GOOD[status]}
    if headers := [*sends, *([CONTENT_RANGE] if status == 206 else [])]:
        described["headers"] = {header.name: _header(header) for header in headers}
    if isinstance(kind, tuple):
        # OpenAPI 3.1 has no word for the events of a stream, nor for the lines of NDJSON, nor for bytes.
        described["content"] = {
            media: {"schema": {"type": "string"}} if media in ("text/plain", "text/csv") else {} for media in kind
        }
    elif kind is not None:
        described["content"] = {"application/json": {"schema": schemas[_key(kind)]}}
    return described


def _errors(operation: Operation) -> list[int]:
    usual = {422, 503} | ({401, 403} if operation.role is not None else set())
    if operation.body is not None:
        usual |= {413, 415}
    if operation.pace and operation.role is not None:
        usual.add(429)
    return sorted(usual | set(operation.errors))


def _error(status: int, schemas: dict[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {"description": TEXTS[status]}
    if header := ERROR_HEADERS.get(status):
        described["headers"] = {header.name: _header(header)}
    if status != 416:
        described["content"] = {"application/json": {"schema": schemas[_key(ErrorBody)]}}
    return described
