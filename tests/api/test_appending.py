"""POST …/flow-run-logs: JSON, NDJSON, text; gzip; once for each key; within its limits."""

from __future__ import annotations

import gzip
import json
from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from runs_dashboard.models import LogChunk, reporting
from runs_dashboard.models.reporting import APPEND_GRACE

from .world import Caller

if TYPE_CHECKING:
    from django.http import HttpResponse

    from runs_dashboard.models import Flow

RUN = "/api/v1/flow-runs/r1"
LOGS = f"{RUN}/flow-run-logs"


@pytest.fixture
def live(api: Caller, reported_flow: Flow) -> Caller:
    """Ada's program, with a reported run `r1` in progress."""
    api.put(RUN, {"flowId": "shipping", "phase": "running"})
    return api


def stored(caller: Caller) -> list[dict[str, Any]]:
    return caller.get(f"{LOGS}?per_page=100").json()["items"]


def send(caller: Caller, data: bytes, kind: str, **headers: str) -> HttpResponse:
    return caller.post(LOGS, data, content_type=kind, headers=headers)


def test_json(live: Caller) -> None:
    lines = [
        {"timestamp": "2026-03-01T19:00:00.250Z", "level": "error", "message": "broken", "action": "pick"},
        {"timestamp": 1772391600251, "message": "WARNING: careful", "stream": "stderr"},
        {"message": "two\nlines"},
    ]

    answer = live.post(LOGS, {"logs": lines})

    assert (answer.status_code, answer.json()) == (201, {"accepted": 3, "last_line": 3})
    first, second, third = stored(live)
    assert (first["timestamp"], first["level"], first["action"]) == ("2026-03-01T19:00:00.250Z", "error", "pick")
    assert (second["level"], second["stream"], second["timestamp"]) == ("warning", "stderr", "2026-03-01T19:00:00.251Z")
    assert (third["message"], third["level"]) == ("two\nlines", "info")


def test_ndjson(live: Caller) -> None:
    data = b'{"message": "one"}\n\n{"message": "two", "level": "DEBUG"}\r\n'

    assert send(live, data, "application/x-ndjson").json() == {"accepted": 2, "last_line": 2}
    assert [(log["message"], log["level"]) for log in stored(live)] == [("one", "info"), ("two", "debug")]


def test_plain_text(live: Caller) -> None:
    answer = send(live, "eins\nERROR zwei\ndréi".encode(), "text/plain; charset=utf-8")

    assert answer.json() == {"accepted": 3, "last_line": 3}
    assert [(log["message"], log["level"]) for log in stored(live)] == [
        ("eins", "info"),
        ("ERROR zwei", "error"),
        ("dréi", "info"),
    ]


def test_text_that_is_not_utf_8_loses_no_line(live: Caller) -> None:
    assert send(live, b"a\xff\nb\x00\n", "text/plain").json()["accepted"] == 2
    assert [log["message"] for log in stored(live)] == ["a\ufffd", "b\ufffd"]


@pytest.mark.parametrize("kind", ["application/json", "application/x-ndjson", "text/plain"])
def test_gzip(live: Caller, kind: str) -> None:
    line = {"message": "packed"}
    data = {"application/json": json.dumps({"logs": [line]}), "text/plain": "packed\n"}.get(kind, json.dumps(line))

    answer = send(live, gzip.compress(data.encode()), kind, **{"Content-Encoding": "gzip"})

    assert answer.json()["accepted"] == 1
    assert [log["message"] for log in stored(live)] == ["packed"]


@pytest.mark.parametrize(
    ("data", "encoding", "status"),
    [
        (gzip.compress(b"a\n")[:-4], "gzip", 422),
        (gzip.compress(b"a\n") + b"x", "gzip", 422),
        (gzip.compress(b"a\n") * 2, "gzip", 422),
        (b"not gzip", "gzip", 422),
        (b"a\n", "br", 415),
        (b"a\n", "gzip, gzip", 415),
        (b"a\n", "identity", 201),
    ],
)
def test_what_cannot_be_inflated_is_refused_whole(live: Caller, data: bytes, encoding: str, status: int) -> None:
    answer = send(live, data, "text/plain", **{"Content-Encoding": encoding})

    assert answer.status_code == status
    assert len(stored(live)) == (status == 201)


def test_a_bomb_is_stopped_at_the_limit(live: Caller, settings: Any) -> None:
    settings.INFLATED_MAX_BYTES = 1_000

    fits = send(live, gzip.compress(b"x" * 1_000), "text/plain", **{"Content-Encoding": "gzip"})
    bomb = send(live, gzip.compress(b"x" * 1_001), "text/plain", **{"Content-Encoding": "gzip"})

    assert (fits.status_code, bomb.status_code) == (201, 413)


def test_a_body_over_the_limit_is_refused(live: Caller, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100

    assert send(live, b"x" * 100, "text/plain").status_code == 201
    assert send(live, b"x" * 101, "text/plain").status_code == 413


def test_a_key_seen_before_appends_nothing(live: Caller) -> None:
    answers = [send(live, b"a\nb\n", "text/plain", **{"Idempotency-Key": "batch-1"}).json() for _ in range(2)]
    answers.append(send(live, b"c\n", "text/plain", **{"Idempotency-Key": "batch-2"}).json())

    assert answers == [
        {"accepted": 2, "last_line": 2},
        {"accepted": 2, "last_line": 2},
        {"accepted": 1, "last_line": 3},
    ]
    assert [log["message"] for log in stored(live)] == ["a", "b", "c"]


def test_a_key_is_for_its_run_only(live: Caller) -> None:
    live.put("/api/v1/flow-runs/r2", {"flowId": "shipping", "phase": "running"})
    header = {"Idempotency-Key": "batch-1"}

    send(live, b"a\n", "text/plain", **header)
    other = live.post("/api/v1/flow-runs/r2/flow-run-logs", b"a\n", content_type="text/plain", headers=header)

    assert other.json() == {"accepted": 1, "last_line": 1}


def test_another_body_under_the_same_key_is_refused(live: Caller) -> None:
    send(live, b"a\n", "text/plain", **{"Idempotency-Key": "k"})

    assert send(live, b"b\n", "text/plain", **{"Idempotency-Key": "k"}).status_code == 422
    assert len(stored(live)) == 1


def test_metadata_and_payloads_stand_beside_their_line(live: Caller) -> None:
    payloads = [{"kind": "request", "body": {"a": 1}}, {"body": "text", "contentType": "text/csv", "name": "n"}]
    line = {"message": "sent", "metadata": {"host": "h1"}, "payloads": payloads}
    live.post(LOGS, {"logs": [{"message": "before"}, line]})

    before, sent = live.get(f"{LOGS}?include=flowRunLogMetadata,flowRunLogPayloads").json()["items"]

    assert (before["metadata"], before["payloads"]) == (None, [])
    assert sent["metadata"] == {"host": "h1"}
    assert [(p["kind"], p["body"], p["contentType"]) for p in sent["payloads"]] == [
        ("request", '{"a":1}', "application/json"),
        ("record", "text", "text/csv"),
    ]


def test_a_large_payload_is_cut_and_says_so(live: Caller, settings: Any) -> None:
    settings.PAYLOAD_MAX_BYTES = 10
    live.post(LOGS, {"logs": [{"message": "m", "payloads": [{"body": "ü" * 10}]}]})

    (payload,) = live.get(f"{LOGS}/1?include=flowRunLogPayloads").json()["payloads"]

    assert (payload["body"], payload["size"], payload["isTruncated"]) == ("ü" * 5, 20, True)


def test_lines_of_several_steps_keep_their_order(live: Caller) -> None:
    actions = ["pick", "pack", "pick", None, "pack"]
    live.post(LOGS, {"logs": [{"message": str(n), "action": action} for n, action in enumerate(actions)]})

    assert [log["action"] for log in stored(live)] == actions
    assert [(a["id"], a["phase"]) for a in live.get(RUN).json()["actions"]] == [
        ("pick", "running"),
        ("pack", "running"),
    ]
    assert LogChunk.across_tenants.count() == 5


def test_a_line_that_is_too_long_goes_on_in_the_next_entry(live: Caller, settings: Any) -> None:
    settings.LOG_LINE_MAX = 10

    answer = live.post(LOGS, {"logs": [{"message": "x" * 25}, {"message": "y"}]})

    assert answer.json() == {"accepted": 4, "last_line": 4}
    assert [log["message"] for log in stored(live)] == ["x" * 10, "x" * 10, "x" * 5, "y"]


def test_no_lines_are_no_mistake(live: Caller) -> None:
    assert live.post(LOGS, {"logs": []}).json() == {"accepted": 0, "last_line": 0}


@pytest.mark.parametrize(
    ("data", "kind", "status"),
    [
        (b"", "application/json", 422),
        (b"{}", "application/json", 422),
        (b"[]", "application/json", 422),
        (b'{"logs": [{}]}', "application/json", 422),
        (b'{"logs": [{"message": 1}]}', "application/json", 422),
        (b'{"logs": [{"message": "m", "colour": "red"}]}', "application/json", 422),
        (b'{"logs": [{"message": "m", "level": "loud"}]}', "application/json", 422),
        (b'{"logs": [{"message": "m", "timestamp": "soon"}]}', "application/json", 422),
        (b'{"logs": [{"message": "m", "timestamp": "2026-13-01T00:00:00Z"}]}', "application/json", 422),
        (b'{"logs": [{"message": "m", "timestamp": -5}]}', "application/json", 422),
        (b'{"logs": [{"message": "m", "system": true}]}', "application/json", 422),
        (b'{"logs": [{"message": "m\\ud800"}]}', "application/json", 422),
        (b'{"message": "one"}\n{"message":', "application/x-ndjson", 422),
        (b'{"message": "one"}\n"two"', "application/x-ndjson", 422),
        (b"<a/>", "application/xml", 415),
        (b"a=b", "application/x-www-form-urlencoded", 415),
        (b"a", "text/plain; charset=utf-16", 415),
    ],
)
def test_a_bad_batch_keeps_nothing(live: Caller, data: bytes, kind: str, status: int) -> None:
    assert send(live, data, kind).status_code == status
    assert stored(live) == []


@pytest.mark.parametrize("moment", ["0001-01-02T00:00:00Z", "9999-12-30T00:00:00Z", "1970-01-01T00:00:00", 0])
def test_odd_times_are_kept(live: Caller, moment: Any) -> None:
    answer = live.post(LOGS, {"logs": [{"message": "m", "timestamp": moment}, {"message": "n"}]})

    assert answer.status_code == 201
    assert live.get(LOGS).json()["items"][0]["timestamp"][:4] in ("0001", "9999", "1970")


@pytest.mark.parametrize(
    "moment",
    [
        *("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999Z"),
        *("9999-12-31T23:59:59-12:00", 253_402_300_799_000),
    ],
)
def test_a_time_that_some_zone_could_not_show_is_refused(live: Caller, moment: Any) -> None:
    answers = [
        live.post(LOGS, {"logs": [{"message": "m", "timestamp": moment}]}),
        live.patch(RUN, {"startTime": moment}),
        live.put(f"{RUN}/actions/pack", {"startTime": moment}),
    ]

    assert [answer.status_code for answer in answers] == [422, 422, 422]
    assert stored(live) == []


def test_too_many_lines_at_once_are_refused(live: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    from runs_dashboard.api import incoming, ingest

    monkeypatch.setattr(incoming, "MAX_LINES", 3)
    monkeypatch.setattr(ingest, "MAX_LINES", 3)

    assert live.post(LOGS, {"logs": [{"message": "m"}] * 3}).status_code == 201
    assert live.post(LOGS, {"logs": [{"message": "m"}] * 4}).status_code == 413
    assert send(live, b"m\n" * 4, "text/plain").status_code == 413


@pytest.mark.parametrize("end", [None, "2026-03-01T19:00:00Z"])
def test_late_lines_are_taken_for_a_while(live: Caller, monkeypatch: pytest.MonkeyPatch, end: str | None) -> None:
    """Since the end was told: an engine that tells of an old run, or whose clock is slow, has lines under way too."""
    live.patch(RUN, {"phase": "succeeded", "endTime": end})
    assert send(live, b"late\n", "text/plain").status_code == 201

    later = timezone.now() + APPEND_GRACE + timedelta(seconds=1)
    monkeypatch.setattr(reporting, "timezone", SimpleNamespace(now=lambda: later))
    assert send(live, b"too late\n", "text/plain").status_code == 409


def test_a_full_log_takes_no_more(live: Caller, settings: Any) -> None:
    settings.LOG_MAX_BYTES = 10
    send(live, b"x" * 20, "text/plain")

    assert send(live, b"y", "text/plain").status_code == 409


def test_a_foreign_run_takes_no_lines(live: Caller, eves: Caller) -> None:
    missing = eves.post("/api/v1/flow-runs/nothing/flow-run-logs", {"logs": []})
    foreign = eves.post(LOGS, {"logs": [{"message": "m"}]})

    assert (foreign.status_code, foreign.content) == (404, missing.content)
