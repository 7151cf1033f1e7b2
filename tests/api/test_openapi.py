"""The OpenAPI document is true, and the page of it needs nothing from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver
from jsonschema import Draft202012Validator
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from runs_dashboard.api import openapi

from .world import Caller, print_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.test import Client

    from runs_dashboard.models import Run


@pytest.fixture
def document(nobody: Caller, db: None) -> dict[str, Any]:
    return nobody.get("/api/v1/openapi.json").json()


def served_paths(patterns: Any, before: str = "") -> Iterator[str]:
    for one in patterns:
        route = before + str(one.pattern)
        if isinstance(one, URLResolver):
            yield from served_paths(one.url_patterns, route)
        elif isinstance(one, URLPattern) and "^" not in route:
            yield "/" + re.sub(r"<(?:\w+:)?\w+>", "{}", route)


def test_it_names_every_address_of_the_api(document: dict[str, Any]) -> None:
    prefixes = ("/api/v1/", "/webhooks/", "/icenter/", "/analytics/", "/workflows/")
    served = {
        path for path in served_paths(get_resolver().url_patterns) if path.startswith(prefixes) or path == "/logs"
    }

    assert {re.sub(r"{\w+}", "{}", path) for path in document["paths"]} == served - {"/api/v1/docs"}


def test_it_is_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    # OAI's own schema of it, as schemathesis brings it along.
    assert not [error.message for error in OPENAPI_31_VALIDATOR.iter_errors(document)]
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    names = [operation["operationId"] for methods in document["paths"].values() for operation in methods.values()]
    assert len(names) == len(set(names))


def test_each_header_is_named_where_it_is_looked_at(document: dict[str, Any]) -> None:
    named = {
        (parameter["name"], method, path)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        for parameter in operation["parameters"]
        if parameter["in"] == "header"
    }

    run = "/api/v1/flow-runs/{run_id}"
    assert named == {
        ("Idempotency-Key", "post", "/api/v1/flow-runs"),
        ("Idempotency-Key", "post", f"{run}/retry"),
        ("Idempotency-Key", "post", f"{run}/notes"),
        ("Idempotency-Key", "post", "/api/v1/bulk-actions"),
        ("Idempotency-Key", "post", "/api/v1/failures/{failure_id}/review"),
        ("Idempotency-Key", "post", f"{run}/flow-run-logs"),
        ("Idempotency-Key", "post", "/webhooks/{flow_id}"),
        ("X-Signature-256", "post", "/webhooks/{flow_id}"),
        ("X-Timestamp", "post", "/webhooks/{flow_id}"),
        ("Content-Encoding", "post", f"{run}/flow-run-logs"),
        ("Last-Event-ID", "get", f"{run}/flow-run-logs/stream"),
        ("Range", "get", "/api/v1/file-downloads/{download_id}/content"),
        ("If-Range", "get", "/api/v1/file-downloads/{download_id}/content"),
    }


def test_no_header_is_looked_at_that_it_does_not_name(document: dict[str, Any]) -> None:
    package = Path(openapi.__file__).parent
    code = "".join(path.read_text() for path in (*package.glob("*.py"), *package.parent.glob("live/*.py")))
    read = set(re.findall(r'"HTTP_([A-Z0-9_]+)"', code)) | set(re.findall(r'headers\.get\("([\w-]+)"', code))
    named = {
        parameter["name"]
        for methods in document["paths"].values()
        for operation in methods.values()
        for parameter in operation["parameters"]
    }
    not_parameters = {"AUTHORIZATION", "ORIGIN"}  # a security scheme, and what only browsers send to the pages' streams

    assert len(read) > 6
    assert {name.upper().replace("-", "_").removeprefix("HTTP_") for name in read} - not_parameters <= {
        name.upper().replace("-", "_") for name in named
    }


def test_the_headers_of_an_answer_are_those_that_it_names(api: Caller, run: Run, document: dict[str, Any]) -> None:
    paths = document["paths"]
    made = api.post("/api/v1/flow-runs", {"flowId": "orders"})
    counted = api.get("/analytics/org/acme/flows/orders")
    refused = Caller().get("/api/v1/flow-runs")

    assert "Location" in paths["/api/v1/flow-runs"]["post"]["responses"]["201"]["headers"]
    assert made["Location"] == f"/api/v1/flow-runs/{made.json()['id']}"
    assert "X-Total-Count" in paths["/analytics/org/{org_id}/flows/{flow_id}"]["get"]["responses"]["200"]["headers"]
    assert counted["X-Total-Count"] == "2"
    assert "WWW-Authenticate" in paths["/api/v1/flow-runs"]["get"]["responses"]["401"]["headers"]
    assert refused["WWW-Authenticate"].startswith("Bearer")
    for methods in paths.values():
        for operation in methods.values():
            for status in {"429", "503"} & set(operation["responses"]):
                assert "Retry-After" in operation["responses"][status]["headers"]


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    from runs_dashboard.api.docs import read_document

    text = str(read_document())
    known = set(document["components"]["schemas"])
    assert set(re.findall(r"#/components/schemas/(\w+)", text)) <= known


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/api/v1/flow-runs", "/api/v1/flow-runs"),
        ("/api/v1/flow-runs?include=flow,flowRunLogs.flowStep,metrics,retriedFlowRun", "/api/v1/flow-runs"),
        ("/api/v1/flow-runs/{uid}", "/api/v1/flow-runs/{run_id}"),
        ("/api/v1/flow-runs/{uid}/flow-run-logs", "/api/v1/flow-runs/{run_id}/flow-run-logs"),
        ("/api/v1/flow-runs/{uid}/flow-run-logs/1", "/api/v1/flow-runs/{run_id}/flow-run-logs/{log_id}"),
        ("/api/v1/flow-runs/nothing", "/api/v1/flow-runs/{run_id}"),
        ("/api/v1/flow-runs?page=0", "/api/v1/flow-runs"),
        ("/api/v1/file-downloads", "/api/v1/file-downloads"),
        ("/api/v1/flows", "/api/v1/flows"),
        ("/api/v1/flows/orders", "/api/v1/flows/{flow_id}"),
        ("/icenter/executions", "/icenter/executions"),
        ("/logs?filter[tenant]=acme", "/logs"),
        ("/analytics/org/acme/flows/orders", "/analytics/org/{org_id}/flows/{flow_id}"),
        ("/workflows/logs", "/workflows/logs"),
    ],
)
def test_answers_are_what_it_says(api: Caller, run: Run, document: dict[str, Any], path: str, template: str) -> None:
    print_lines(run, "careful", level=2)
    api.get(f"/api/v1/flow-runs/{run.uid}/download")

    answer = api.get(path.replace("{uid}", run.uid))

    described = document["paths"][template]["get"]["responses"][str(answer.status_code)]
    schema = described["content"]["application/json"]["schema"]
    Draft202012Validator({**schema, "components": document["components"]}).validate(answer.json())


def test_the_page_is_plain_and_has_everything(client: Client, document: dict[str, Any]) -> None:
    answer = client.get("/api/v1/docs")

    assert answer.status_code == 200
    page = answer.content.decode()
    for path, methods in document["paths"].items():
        assert path in page
        for operation in methods.values():
            assert f'id="{operation["operationId"]}"' in page
    assert "<script" not in page
    assert "style=" not in page
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', page)
    assert (
        "script-src" in answer["Content-Security-Policy"] or "default-src 'self'" in answer["Content-Security-Policy"]
    )
