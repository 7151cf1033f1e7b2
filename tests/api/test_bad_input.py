"""No input gives a 500: one corpus (`corpus.py`) against every call, and the status that each part of it gets.

`bad_input.json` says the statuses, call by call: the tests are run on both databases, and both are held to it. With
WRITE_BAD_INPUT=1 in the environment it is written anew, to be read before it is committed.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from runs_dashboard.models import Run

from .corpus import OPERATIONS, Sent, list_parts
from .test_permission_matrix import fill
from .world import Caller

if TYPE_CHECKING:
    from runs_dashboard.models import Flow

TABLE = Path(__file__).with_name("bad_input.json")
PARTS = list_parts()
WITH_JSON = [
    (method, path)
    for method, path, operation in OPERATIONS
    if operation.body is not None and not path.endswith("token")
]
Statuses = dict[str, dict[str, str]]  # place → status → the names of the inputs


@pytest.fixture
def reported(api: Caller, reported_flow: Flow) -> Run:
    api.put("/api/v1/flow-runs/r1", {"flowId": "shipping", "phase": "running"})
    return Run.across_tenants.get(uid="r1")


def check_shape(body: Any) -> None:
    assert set(body) == {"detail"}
    for problem in body["detail"]:
        assert set(problem) == {"loc", "msg", "type"}
        assert isinstance(problem["loc"], list)
        assert problem["msg"]
        assert problem["type"]


@pytest.mark.parametrize(
    ("method", "path", "inputs"), PARTS, ids=[f"{method} {path} {inputs[0].place}" for method, path, inputs in PARTS]
)
def test_each_input_gets_the_status_of_the_table(
    api: Caller, reported: Run, flow: Flow, method: str, path: str, inputs: list[Sent]
) -> None:
    found: dict[str, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
    for sent in inputs:
        where = path
        for part, text in sent.parts.items():
            where = where.replace("{" + part + "}", text)
        query = "&".join(filter(None, [sent.query, _needed(path, sent.query)]))
        address = f"{fill(where, reported)}?{query}" if query else fill(where, reported)
        answer = api.call(method.upper(), address, sent.body, content_type=sent.kind, headers=sent.headers)

        assert answer.status_code < 500, (sent.place, sent.name, answer.content)
        if answer.status_code >= 400 and answer.status_code != 416:
            check_shape(answer.json())
        found[sent.place][answer.status_code].append(sent.name)
    statuses = {
        place: {str(status): ", ".join(names) for status, names in sorted(by_status.items())}
        for place, by_status in found.items()
    }

    call = f"{method.upper()} {path}"
    if os.environ.get("WRITE_BAD_INPUT") == "1":
        write_table(call, statuses)
    table = read_table()[call]
    assert statuses == {place: table.get(place) for place in statuses}, "new input? WRITE_BAD_INPUT=1 writes its line"


def _needed(path: str, query: str) -> str:
    """What this call cannot do without, unless it is what is tried."""
    return "filter[tenant]=acme" if path == "/logs" and not query.startswith("filter[tenant]") else ""


def test_the_table_knows_no_call_and_no_place_that_there_is_not() -> None:
    places = {(f"{method.upper()} {path}", sent.place) for method, path, inputs in PARTS for sent in inputs}

    assert {(call, place) for call, statuses in read_table().items() for place in statuses} == places


def read_table() -> dict[str, Statuses]:
    return json.loads(TABLE.read_text()) if TABLE.exists() else {}


def write_table(call: str, statuses: Statuses) -> None:
    """A line a place, so that a change of one status is one line of a diff."""
    table = read_table()
    table[call] = {**table.get(call, {}), **statuses}
    calls = []
    for call, places in sorted(table.items()):
        lines = [f" {json.dumps(place)}: {json.dumps(found)}" for place, found in sorted(places.items())]
        calls.append(f"{json.dumps(call)}: {{\n" + ",\n".join(lines) + "\n}")
    TABLE.write_text("{\n" + ",\n".join(calls) + "\n}\n")


@pytest.mark.parametrize(("method", "path"), WITH_JSON)
def test_a_body_one_byte_over_the_limit(
    api: Caller, reported: Run, flow: Flow, settings: Any, method: str, path: str
) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 50

    over = api.call(method.upper(), fill(path, reported), b" " * 51)
    within = api.call(method.upper(), fill(path, reported), b" " * 50)

    assert (over.status_code, within.status_code) == (413, 422)
    check_shape(over.json())


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
