"""The OpenAPI document, and a page of it for people: plain HTML, no script, nothing from elsewhere."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec
from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from .openapi import make_document
from .operations import ApiView, Operation
from .parameters import MAX_WHOLE

if TYPE_CHECKING:
    from django.http import HttpRequest
    from rest_framework.request import Request


@cache
def read_document() -> dict[str, Any]:
    from .urls import urlpatterns

    return make_document(urlpatterns)


class SchemaView(ApiView):
    authentication_classes = ()
    operations = {"get": Operation("The OpenAPI document", None, answers={200: dict})}

    def get(self, request: Request) -> HttpResponse:
        return HttpResponse(msgspec.json.encode(read_document()), content_type="application/json")


@login_not_required
@require_safe
def show_docs(request: HttpRequest) -> HttpResponse:
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
