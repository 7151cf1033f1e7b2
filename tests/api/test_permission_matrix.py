"""Every route of the API × every role: closed by default, and a new route without a row here fails."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from django.test import Client

from runs_dashboard.api.openapi import find_operations
from runs_dashboard.api.urls import urlpatterns

from .world import Caller

if TYPE_CHECKING:
    from collections.abc import Callable

    from runs_dashboard.models import Run, User

ROLES = ("viewer", "support", "operator", "admin")
PEOPLE = dict(zip(ROLES, ("vic", "sue", "oli", "ada"), strict=True))
RUN = "/api/v1/flow-runs/{run_id}"
# method and path -> the least role; None: no key needed.
MATRIX: dict[str, str | None] = {
    "get /api/v1/flow-runs": "viewer",
    "post /api/v1/flow-runs": "operator",
    f"get {RUN}": "viewer",
    f"put {RUN}": "operator",
    f"patch {RUN}": "operator",
    f"delete {RUN}": "admin",
    f"put {RUN}/actions/{{action}}": "operator",
    f"post {RUN}/heartbeat": "operator",
    f"get {RUN}/flow-run-logs": "viewer",
    f"post {RUN}/flow-run-logs": "operator",
    f"get {RUN}/flow-run-logs/{{log_id}}": "viewer",
    f"get {RUN}/download": "support",
    f"post {RUN}/download": "support",
    f"post {RUN}/retry": "operator",
    f"post {RUN}/stop": "operator",
    f"post {RUN}/resume": "operator",
    f"post {RUN}/review": "support",
    f"get {RUN}/notes": "viewer",
    f"post {RUN}/notes": "support",
    f"get {RUN}/notes/{{note_id}}": "viewer",
    f"patch {RUN}/notes/{{note_id}}": "support",
    f"delete {RUN}/notes/{{note_id}}": "support",
    "get /api/v1/failures": "viewer",
    "post /api/v1/failures/{failure_id}/review": "support",
    "get /api/v1/bulk-actions": "viewer",
    "post /api/v1/bulk-actions": "support",
    "get /api/v1/bulk-actions/{bulk_id}": "viewer",
    "get /api/v1/bulk-actions/{bulk_id}/results": "viewer",
    "post /api/v1/bulk-actions/{bulk_id}/abort": "support",
    "get /api/v1/file-downloads": "viewer",
    "get /api/v1/file-downloads/{download_id}": "viewer",
    "get /api/v1/file-downloads/{download_id}/content": "support",
    "get /api/v1/flows": "viewer",
    "get /api/v1/flows/{flow_id}": "viewer",
    "post /api/v1/token": None,
    "get /api/v1/openapi.json": None,
    "post /webhooks/{flow_id}": "operator",
    "get /icenter/executions": "viewer",
    "get /logs": "viewer",
    "get /analytics/org/{org_id}/flows/{flow_id}": "viewer",
    "get /workflows/logs": "viewer",
}
# Addresses without operations: the page of the API, and whatever is no address.
OTHERS = {"api-docs", "api-nowhere"}
ROWS = [(method, path) for path, method, _ in find_operations(urlpatterns)]


def test_every_route_has_a_row() -> None:
    assert {f"{method} {path}" for method, path in ROWS} == set(MATRIX)
    without = {p.name for p in urlpatterns if not getattr(getattr(p.callback, "view_class", None), "operations", None)}
    assert without == OTHERS


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_what_its_rows_say(
    request: pytest.FixtureRequest, caller_of: Callable[[User], Caller], ended_run: Run, role: str
) -> None:
    caller = caller_of(request.getfixturevalue(PEOPLE[role]))
    for method, path in sorted(ROWS, key=lambda row: row[0] == "delete"):
        status = caller.call(method.upper(), fill(path, ended_run)).status_code

        least = MATRIX[f"{method} {path}"]
        is_allowed = least is None or ROLES.index(role) >= ROLES.index(least)
        assert (status != 403) == is_allowed, (method, path, status)


def test_without_a_key_nothing_opens(nobody: Caller, ended_run: Run) -> None:
    for method, path in ROWS:
        status = nobody.call(method.upper(), fill(path, ended_run)).status_code

        assert (status == 401) == (MATRIX[f"{method} {path}"] is not None), (method, path)


def test_a_foreign_object_answers_as_a_missing_one(eves: Caller, ended_run: Run) -> None:
    for method, path in [row for row in ROWS if "{" in row[1] and row[0] != "put"]:
        body = {} if method in ("post", "patch") else None
        foreign = eves.call(method.upper(), fill(path, ended_run), body)
        missing = eves.call(method.upper(), re.sub(r"{\w+}", "nothing", path), body)

        assert foreign.status_code == missing.status_code == 404, (method, path)
        assert foreign.content == missing.content
        assert dict(foreign.headers) == dict(missing.headers)


def test_a_method_that_is_none_is_refused(api: Caller, ended_run: Run) -> None:
    for path in sorted({path for _, path in ROWS}):
        known = {one for one, where in ROWS if where == path}
        if "get" in known:
            known.add("head")
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"):
            answer = api.call(method, fill(path, ended_run))

            assert (answer.status_code == 405) == (method.lower() not in known), (method, path)
            if answer.status_code == 405:
                assert {one.strip().lower() for one in answer["Allow"].split(",")} == known


@pytest.mark.parametrize(
    "path",
    [
        "/api",
        "/api/",
        "/api/v2/flow-runs",
        "/api/v1/flow-runs/",
        "/api/v1/nothing",
        "/webhooks/",
        "/icenter",
        "/icenter/executions/",
        "/workflows",
        "/workflows/logs/",
        "/logs/",
        "/logs/x",
        "/analytics/org/acme/flows/orders/",
        "/api/v1/docs/",
    ],
)
def test_an_address_that_is_none_answers_in_the_one_shape(nobody: Caller, db: None, path: str) -> None:
    for method in ("GET", "POST", "DELETE", "OPTIONS", "TRACE"):
        answer = nobody.call(method, path)
        assert (answer.status_code, answer.json()["detail"][0]["type"]) == (404, "not_found")


@pytest.mark.parametrize("path", ["/api/v1/docs", "/api/v1/flow-runs/r1/flow-run-logs/stream"])
def test_what_is_no_operation_refuses_other_methods_in_the_one_shape(db: None, path: str) -> None:
    browser = Client(enforce_csrf_checks=True)
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
        answer = browser.generic(method, path)

        assert (answer.status_code, answer.json()["detail"][0]["type"]) == (405, "method_not_allowed")
        assert "GET" in answer["Allow"]


def test_a_host_that_is_not_ours_is_told_so_in_the_shape_of_the_door(nobody: Caller, db: None) -> None:
    api = nobody.get("/api/v1/flow-runs", headers={"Host": "evil.example"})
    page = nobody.get("/runs/", headers={"Host": "evil.example"})

    assert (api.status_code, page.status_code) == (400, 400)
    assert api.json()["detail"][0]["loc"] == ["header", "Host"]
    assert page["Content-Type"].startswith("text/html")


def test_a_mistake_of_our_own_is_told_in_the_one_shape_and_without_its_reason(
    api: Caller, ended_run: Run, monkeypatch: pytest.MonkeyPatch, expected_server_errors: list[list[str]]
) -> None:
    def fail(self: object) -> None:
        raise ZeroDivisionError("hidden")

    monkeypatch.setattr("runs_dashboard.api.operations.ApiView.runs", fail)
    api.client.raise_request_exception = False
    answer = api.get(f"/api/v1/flow-runs/{ended_run.uid}")

    assert (answer.status_code, answer.json()["detail"][0]["type"]) == (500, "server_error")
    assert b"hidden" not in answer.content


def fill(path: str, run: Run) -> str:
    values = {"run_id": run.uid, "log_id": "1", "action": "fetch", "flow_id": "orders", "org_id": "acme"}
    return re.sub(r"{(\w+)}", lambda found: values.get(found[1], "nothing"), path)
