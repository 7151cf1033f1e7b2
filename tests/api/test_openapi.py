"""The OpenAPI document is true, and the page of it needs nothing from elsewhere."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver
from jsonschema import Draft202012Validator

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
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    names = [operation["operationId"] for methods in document["paths"].values() for operation in methods.values()]
    assert len(names) == len(set(names))


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
