"""The OpenAPI document, and a page of it for people: plain HTML, no script, nothing from elsewhere."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec
from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt

from .errors import Problem, error_response
from .openapi import make_document
from .operations import ApiView, Operation
from .parameters import MAX_WHOLE

if TYPE_CHECKING:
    from django.http import HttpRequest
    from rest_framework.request import Request


@cache
def read_document() -> dict[str, Any]:
    """The document, with an address of the tokens that has no host yet."""
    from .urls import urlpatterns

    return make_document(urlpatterns, reverse("api-token"))


def write_document(base: str) -> bytes:
    """The document for one who came by the address `base`."""
    document = read_document()
    components = document["components"]
    schemes = components["securitySchemes"]
    (flow,) = schemes["password"]["flows"].values()
    password = {**schemes["password"], "flows": {"password": {**flow, "tokenUrl": base + flow["tokenUrl"]}}}
    components = {**components, "securitySchemes": {**schemes, "password": password}}
    return msgspec.json.encode({**document, "components": components})


class SchemaView(ApiView):
    authentication_classes = ()
    operations = {"get": Operation("The OpenAPI document", None, answers={200: dict})}

    def get(self, request: Request) -> HttpResponse:
        base = request.build_absolute_uri("/").rstrip("/")
        return HttpResponse(write_document(base), content_type="application/json")


@login_not_required
@csrf_exempt  # nothing is changed here, whatever is sent
def show_docs(request: HttpRequest) -> HttpResponse:
    """The page. Another method than GET is told so as everywhere in the API."""
    if request.method not in ("GET", "HEAD"):
        problem = Problem(["method"], f'Method "{request.method}" not allowed.', "method_not_allowed")
        answer = error_response(405, [problem])
        answer["Allow"] = "GET, HEAD"
        return answer
    document = read_document()
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            groups.setdefault(operation["tags"][0], []).append(
                {
                    **operation,
                    "path": path,
                    "method": method.upper(),
                    "rows": [_row(parameter) for parameter in operation["parameters"]],
                    "bodies": _bodies(operation),
                }
            )
    schemas = [
        {"name": name, "about": schema.get("description", ""), "text": _pretty(schema)}
        for name, schema in sorted(document["components"]["schemas"].items())
    ]
    return render(request, "api/docs.html", {"info": document["info"], "groups": groups, "schemas": schemas})


def _row(parameter: dict[str, Any]) -> dict[str, str]:
    """A parameter as a line of the table."""
    schema = parameter["schema"]
    kind = schema.get("type") or " or ".join(one.get("format", one["type"]) for one in schema["anyOf"])
    if "minimum" in schema:
        kind += f", from {schema['minimum']}" + (
            f" to {schema['maximum']:,}" if schema.get("maximum", MAX_WHOLE) < MAX_WHOLE else ""
        )
    if "default" in schema:
        kind += f", default {schema['default']}"
    if parameter.get("required"):
        kind += ", required"
    words = schema.get("enum") or schema.get("items", {}).get("enum")
    about = parameter.get("description", "") + (f" Of: {', '.join(words)}." if words else "")
    return {"name": parameter["name"], "where": parameter["in"], "type": kind, "about": about.strip()}


def _bodies(operation: dict[str, Any]) -> list[dict[str, str]]:
    content = operation.get("requestBody", {}).get("content", {})
    return [{"media": media, "schema": _name(part["schema"])} for media, part in content.items()]


def _name(schema: dict[str, Any]) -> str:
    return schema["$ref"].rpartition("/")[2] if "$ref" in schema else schema.get("type", "")


def _pretty(schema: dict[str, Any]) -> str:
    return msgspec.json.format(msgspec.json.encode(schema), indent=2).decode()
