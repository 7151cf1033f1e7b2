"""No input gives a 500: one corpus against every address, and the status each part of it gets.

The statuses are the same on both databases: the tests are run on each.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from runs_dashboard.api.openapi import find_operations
from runs_dashboard.api.urls import urlpatterns

from .test_permission_matrix import fill
from .world import Caller

if TYPE_CHECKING:
    from runs_dashboard.models import Flow, Run

OPERATIONS = [(method, path, operation) for path, method, operation in find_operations(urlpatterns)]
WITH_JSON = [
    (method, path)
    for method, path, operation in OPERATIONS
    if operation.body is not None and not path.endswith("token")
]
DEEP = 100_000

BODIES: dict[str, tuple[bytes, int]] = {
    "cut": (b'{"a":', 422),
    "two values": (b"{} {}", 422),
    "NaN": (b'{"args": {"a": NaN}}', 422),
    "Infinity": (b'{"args": {"a": Infinity}}', 422),
    "1e400": (b'{"args": {"a": 1e400}}', 422),
    "5,000 digits": (b'{"args": {"a": ' + b"1" * 5_000 + b"}}", 422),
    "lone surrogate": (b'{"args": {"a": "\\ud800"}}', 422),
    "lone surrogate in a key": (b'{"\\udfff": 1}', 422),
    "invalid UTF-8": (b'{"args": "\xff"}', 422),
    "UTF-16": ('{"a": 1}'.encode("utf-16"), 422),
    "byte order mark": (b"\xef\xbb\xbf{}", 422),
    "open brackets": (b"[" * DEEP, 422),
    "deep objects": (b'{"args":' * 1_000 + b"1" + b"}" * 1_000, 422),
    "list": (b"[]", 422),
    "text": (b'"x"', 422),
    "number": (b"1", 422),
    "null": (b"null", 422),
    "single quotes": (b"{'a': 1}", 422),
    "comment": (b"{/* */}", 422),
}


@pytest.mark.parametrize(("method", "path"), WITH_JSON)
def test_a_bad_body(api: Caller, reported: Run, flow: Flow, method: str, path: str) -> None:
    for name, (data, status) in BODIES.items():
        answer = api.call(method.upper(), fill(path, reported), data)

        assert answer.status_code == status, (name, answer.content)
        check_shape(answer.json())


@pytest.fixture
def reported(api: Caller, reported_flow: Flow) -> Run:
    from runs_dashboard.models import Run

    api.put("/api/v1/flow-runs/r1", {"flowId": "shipping", "phase": "running"})
    return Run.across_tenants.get(uid="r1")


def check_shape(body: Any) -> None:
    assert set(body) == {"detail"}
    for problem in body["detail"]:
        assert set(problem) == {"loc", "msg", "type"}
        assert isinstance(problem["loc"], list)
        assert problem["msg"]
        assert problem["type"]


@pytest.mark.parametrize(("method", "path"), WITH_JSON)
def test_a_body_one_byte_over_the_limit(
    api: Caller, reported: Run, flow: Flow, settings: Any, method: str, path: str
) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 50

    over = api.call(method.upper(), fill(path, reported), b" " * 51)
    within = api.call(method.upper(), fill(path, reported), b" " * 50)

    assert (over.status_code, within.status_code) == (413, 422)
    check_shape(over.json())


@pytest.mark.parametrize(("method", "path"), WITH_JSON)
def test_another_media_type_or_encoding(api: Caller, reported: Run, flow: Flow, method: str, path: str) -> None:
    where = fill(path, reported)
    for kind in ("application/xml", "multipart/form-data; boundary=x", "application/json; charset=latin-1"):
        assert api.call(method.upper(), where, b"{}", content_type=kind).status_code == 415

    assert api.call(method.upper(), where, b"{}", headers={"Content-Encoding": "br"}).status_code == 415


VALUES = (
    *("", "\0", "a\0b", "\ud7ff", "%", "'", '"; drop table run; --', "x" * 300, "x" * 5_000, "null", "true", "-1", "0"),
    *(
        "1e3",
        "1.5",
        "9" * 30,
        "\u0661",
        "NaN",
        "Infinity",
        "[]",
        "{}",
        "../../etc/passwd",
        "%00",
        "\u202e",
        "\U0001f600",
    ),
    *(
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-12:00",
        "2026-02-30",
        "253402300800000",
        "a:b:c",
        ":",
        "a,b,,c",
    ),
    *("0197c0de-0000-7000-8000-000000000000", "{0197c0de-0000-7000-8000-000000000000}", "(a+)+$", "{{ 7*7 }}", "${x}"),
)
QUERIES = [(method, path, one.name) for method, path, operation in OPERATIONS for one in operation.parameters]


ODD_QUERIES = ("%ff=1", "page=%ff", "a=%ed%a0%80", "%00=1", "=", "&&&", ";", "page[]=1", "page=1&page=2")


@pytest.mark.parametrize(("method", "path"), sorted({row[:2] for row in QUERIES}))
def test_no_value_of_a_parameter_is_a_500(api: Caller, reported: Run, flow: Flow, method: str, path: str) -> None:
    names = [name for one, where, name in QUERIES if (one, where) == (method, path)]
    # A single object takes its list's parameters through the same reader: a part of the corpus shows that it does.
    values = VALUES[:: 6 if path.endswith("_id}") else 1]
    queries = [(f"{name}={quote(value, errors='surrogatepass')}", name) for name in names for value in values]
    for query, name in (*queries, *((odd, "") for odd in ODD_QUERIES)):
        required = "&filter[tenant]=acme" if path == "/logs" and name != "filter[tenant]" else ""
        answer = api.call(method.upper(), f"{fill(path, reported)}?{query}{required}")
        assert answer.status_code in (200, 202, 404, 409, 415, 422), (query, answer.status_code)
        if answer.status_code >= 400:
            check_shape(answer.json())


@pytest.mark.parametrize(("method", "path"), [row[:2] for row in OPERATIONS if "{" in row[1]])
def test_no_part_of_a_path_is_a_500(api: Caller, reported: Run, flow: Flow, method: str, path: str) -> None:
    parts = [
        "%00",
        "a%00b",
        "%ff",
        "%ED%A0%80",
        "x" * 2_000,
        "9" * 40,
        "%D9%A1",
        "..%2f..",
        "%F0%9F%98%80",
        "%20",
        "a%0d%0ab",
    ]
    for part in parts:
        for name in re.findall(r"{(\w+)}", path):
            where = fill(path.replace("{" + name + "}", part), reported)
            assert api.call(method.upper(), where, None if method in ("get", "delete") else {}).status_code in (
                404,
                422,
                200,
            )


def test_an_unknown_parameter_is_refused_and_the_known_ones_are_named(api: Caller, reported: Run, flow: Flow) -> None:
    for method, path, operation in OPERATIONS:
        answer = api.call(method.upper(), f"{fill(path, reported)}?colour=red")

        assert answer.status_code == 422, (method, path)
        (problem, *_) = answer.json()["detail"]
        assert problem["loc"] == ["query", "colour"]
        for parameter in operation.parameters:
            assert parameter.name in problem["msg"]


def test_of_a_key_given_twice_the_last_one_counts(api: Caller, flow: Flow) -> None:
    assert api.post("/webhooks/orders", b'{"a": 1, "a": 2}').json()["args"] == {"a": 2}


def test_nul_is_replaced(api: Caller, flow: Flow) -> None:
    assert api.post("/webhooks/orders", b'{"a\\u0000": "b\\u0000"}').json()["args"] == {"a\ufffd": "b\ufffd"}


@pytest.mark.parametrize(
    ("depth", "status"),
    [(31, 202), (40, 422)],
)
def test_depth_has_a_limit(api: Caller, flow: Flow, depth: int, status: int) -> None:
    data = b'{"a":' * depth + b"1" + b"}" * depth

    assert api.post("/webhooks/orders", data).status_code == status


def test_keys_and_items_have_a_limit(api: Caller, flow: Flow) -> None:
    keys = b"{" + b",".join(b'"k%d":1' % n for n in range(10_001)) + b"}"
    items = b'{"a": [' + b",".join([b"1"] * 100_001) + b"]}"

    assert api.post("/webhooks/orders", keys).status_code == 422
    assert api.post("/webhooks/orders", items).status_code == 422


def test_a_chunked_body_is_bounded_too(api: Caller, flow: Flow, settings: Any) -> None:
    """Without a length header the reading itself must stop."""
    from io import BytesIO

    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 50
    answer = api.client.generic(
        "POST",
        "/webhooks/orders",
        b" " * 51,
        content_type="application/json",
        headers={"Authorization": f"Bearer {api.key}"},
        **{"wsgi.input": BytesIO(b" " * 51)},
    )

    assert answer.status_code == 413


def test_a_database_that_does_not_answer_is_a_503(
    api: Caller, run: Run, monkeypatch: pytest.MonkeyPatch, expected_server_errors: list[list[str]]
) -> None:
    from django.db import OperationalError

    from runs_dashboard.api.operations import ApiView

    def fail(self: Any) -> Any:
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(ApiView, "runs", fail)
    answer = api.get(f"/api/v1/flow-runs/{run.uid}")

    assert answer.status_code == 503
    assert int(answer["Retry-After"]) > 0
    check_shape(answer.json())
    assert "server closed" not in answer.content.decode()
