"""Bad input for every call: bodies, fields, parameters, parts of the address, headers (RELIABILITY, section 4.4).

Each input has a name, under which `bad_input.json` says what status it gets.
"""

from __future__ import annotations

import gzip
import re
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

import msgspec

from runs_dashboard.api import bodies
from runs_dashboard.api.openapi import find_operations
from runs_dashboard.api.tokens import TokenForm
from runs_dashboard.api.urls import urlpatterns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runs_dashboard.api.operations import Operation

JSON, FORM, NDJSON, PLAIN = (
    "application/json",
    "application/x-www-form-urlencoded",
    "application/x-ndjson",
    "text/plain",
)
OPERATIONS = [(method, path, operation) for path, method, operation in find_operations(urlpatterns)]
DEEP = 100_000
PART = 150  # inputs of one test, at least


class Sent(NamedTuple):
    """One input: where it stands, its name there, and the request that it makes of a call."""

    place: str
    name: str
    query: str = ""
    body: bytes | None = None
    kind: str = JSON
    headers: dict[str, str] = {}
    parts: dict[str, str] = {}


# --- whole bodies -----------------------------------------------------------------------------------------------------

BODIES: dict[str, bytes] = {
    "cut": b'{"a":',
    "two values": b"{} {}",
    "NaN": b'{"args": {"a": NaN}}',
    "Infinity": b'{"args": {"a": Infinity}}',
    "minus Infinity": b'{"args": {"a": -Infinity}}',
    "1e400": b'{"args": {"a": 1e400}}',
    "5000 digits": b'{"args": {"a": ' + b"1" * 5_000 + b"}}",
    "lone surrogate": b'{"args": {"a": "\\ud800"}}',
    "lone surrogate in a key": b'{"\\udfff": 1}',
    "invalid UTF-8": b'{"args": "\xff"}',
    "surrogate in UTF-8": b'{"args": "\xed\xa0\x80"}',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "UTF-32": '{"a": 1}'.encode("utf-32"),
    "byte order mark": b"\xef\xbb\xbf{}",
    "open brackets": b"[" * DEEP,
    "open braces": b'{"a":' * DEEP,
    "deep objects": b'{"args":' * 1_000 + b"1" + b"}" * 1_000,
    "list": b"[]",
    "text": b'"x"',
    "number": b"1",
    "null": b"null",
    "single quotes": b"{'a': 1}",
    "comment": b"{/* */}",
    "blank": b"  ",
    "unknown field": b'{"colour": "red"}',
    "10001 keys": b"{" + b",".join(b'"k%d":1' % number for number in range(10_001)) + b"}",
    "100001 items": b'{"a": [' + b",".join([b"1"] * 100_001) + b"]}",
}
KINDS = {
    "XML": "application/xml",
    "multipart": "multipart/form-data; boundary=x",
    "latin-1": "application/json; charset=latin-1",
    "UTF-16 said": "application/json; charset=utf-16",
    "CSV": "text/csv",
    "half a type": "application/",
    "no type": "",
}
ENCODINGS = {"br": "br", "gzip of JSON": "gzip", "gzip twice": "gzip, gzip", "nothing known": "x"}
PACKED = {
    "cut gzip": gzip.compress(b"a\n", mtime=0)[:-4],
    "gzip and more": gzip.compress(b"a\n", mtime=0) + b"x",
    "two gzips": gzip.compress(b"a\n", mtime=0) * 2,
    "no gzip": b"a\n",
    "bomb": gzip.compress(b"\n" * 70_000_000, mtime=0),
}
BATCHES = {
    "100001 lines of text": (b"x\n" * 100_001, PLAIN),
    "100001 lines of NDJSON": (b'{"message":"x"}\n' * 100_001, NDJSON),
    "100001 lines of JSON": (b'{"logs":[' + b",".join([b'{"message":"x"}'] * 100_001) + b"]}", JSON),
    "bad last line": (b'{"message":"x"}\n{"message":', NDJSON),
    "a line that is no object": (b'{"message":"x"}\n[]', NDJSON),
    "deep line": (b'{"message":"x","metadata":' + b'{"a":' * 1_000 + b"1" + b"}" * 1_001, NDJSON),
}

# --- the fields of a body ---------------------------------------------------------------------------------------------

# What each shape needs to be taken, and where shapes stand within others.
LEAST: dict[Any, dict[str, Any]] = {
    bodies.BulkBody: {"action": "review", "filter": {"status": "failed"}},
    bodies.StartBody: {"flowId": "orders"},
    bodies.NoteBody: {"text": "n"},
    bodies.ReportBody: {"flowId": "shipping"},
    bodies.TagBody: {"key": "k"},
    bodies.PairBody: {"key": "k", "value": "v"},
    bodies.EndUserBody: {"sessionId": "s"},
    bodies.ActionBody: {"id": "fetch"},
    bodies.LineBody: {"message": "m"},
    bodies.LogsBody: {"logs": []},
}
WITHIN: dict[Any, dict[str, tuple[Any, bool]]] = {
    bodies.StartBody: {
        "tags": (bodies.TagBody, True),
        "trackedData": (bodies.PairBody, True),
        "endUser": (bodies.EndUserBody, False),
    },
    bodies.PatchBody: {"actions": (bodies.ActionBody, True)},  # its other shapes are those of the two beside it
    bodies.LogsBody: {"logs": (bodies.LineBody, True)},
    bodies.LineBody: {"payloads": (bodies.PayloadBody, True)},
}
FIELDS: dict[str, str] = {
    "null": "null",
    "true": "true",
    "-1": "-1",
    "1.5": "1.5",
    "10**30": str(10**30),
    "5000 digits": "1" * 5_000,
    "1e400": "1e400",
    "NaN": "NaN",
    "empty text": '""',
    "text": '"x"',
    "number as text": '"1"',
    "10 kB": '"' + "x" * 10_000 + '"',
    "lone surrogate": '"\\ud800"',
    "NUL": '"a\\u0000b"',
    "zero width": '"a\\u200bb"',
    "1000 combining marks": '"a' + "\\u0301" * 1_000 + '"',
    "no such day": '"2026-02-30"',
    "before year 1": '"0001-01-01T00:00:00+14:00"',
    "after year 9999": '"9999-12-31T23:59:59-12:00"',
    "too many milliseconds": "253402300800000",
    "template": '"{{ 7*7 }}${{ x }}"',
    "empty list": "[]",
    "list of a list": "[[]]",
    "list of a number": "[1]",
    "1001 empty objects": "[" + ",".join(["{}"] * 1_001) + "]",
    "empty object": "{}",
    "object": '{"a": {"b": [1]}}',
    "odd keys": '{"": 1, "a__b.c d": "\\ud83d\\ude00", "__proto__": {}}',
}

# --- what stands in the address and in headers ------------------------------------------------------------------------

VALUES: dict[str, str] = {
    "empty": "",
    "NUL": "\0",
    "NUL within": "a\0b",
    "last before surrogates": "\ud7ff",
    "percent": "%",
    "quote": "'",
    "SQL": '"; drop table run; --',
    "300 characters": "x" * 300,
    "5000 characters": "x" * 5_000,
    "null": "null",
    "true": "true",
    "minus one": "-1",
    "zero": "0",
    "1e3": "1e3",
    "1.5": "1.5",
    "plus one": "+1",
    "10**20": str(10**20),
    "30 digits": "9" * 30,
    "other digits": "\u0661",
    "NaN": "NaN",
    "Infinity": "Infinity",
    "list": "[]",
    "object": "{}",
    "path": "../../etc/passwd",
    "%00 twice": "%00",
    "right to left": "\u202e",
    "emoji": "\U0001f600",
    "year 1": "0001-01-01T00:00:00+14:00",
    "year 9999": "9999-12-31T23:59:59-12:00",
    "no such day": "2026-02-30",
    "year 10000": "253402300800000",
    "a:b:c": "a:b:c",
    "colon": ":",
    "comma": ",",
    "empty word": "a,b,,c",
    "UUID": "0197c0de-0000-7000-8000-000000000000",
    "UUID in braces": "{0197c0de-0000-7000-8000-000000000000}",
    "UUID in capitals": "0197C0DE-0000-7000-8000-000000000000",
    "UUID without dashes": "0197c0de000070008000000000000000",
    "slow pattern": "(a+)+$",
    "template": "{{ 7*7 }}",
    "lookup": "owner__password__startswith",
}
QUERIES = {
    "name that is no UTF-8": "%ff=1",
    "surrogate": "a=%ed%a0%80",
    "NUL": "%00=1",
    "equals sign": "=",
    "ampersands": "&&&",
    "semicolon": ";",
    "brackets": "page[]=1",
    "unknown": "colour=red",
    "500 unknown": "&".join(f"filter[f{number}]=1" for number in range(500)),
    "3000 unknown": "&".join(f"f{number}=1" for number in range(3_000)),
}
PARTS = {
    "NUL": "%00",
    "NUL within": "a%00b",
    "no UTF-8": "%ff",
    "surrogate": "%ED%A0%80",
    "2000 characters": "x" * 2_000,
    "40 digits": "9" * 40,
    "other digits": "%D9%A1",
    "slashes": "..%2f..",
    "emoji": "%F0%9F%98%80",
    "blank": "%20",
    "line break": "a%0d%0ab",
    "capitals": "ABC",
    "UUID in braces": "%7B0197c0de-0000-7000-8000-000000000000%7D",
}
HEADERS = {
    "5000 characters": "x" * 5_000,
    "latin-1": "\xe9",
    "control": "a\x01b",
    "number": "1",
    "minus one": "-1",
    "30 digits": "9" * 30,
    "comma": ",",
    "range": "bytes=0-0",
    "no range": "bytes=x-y",
    "sha256=": "sha256=",
}
ANYWHERE = {
    "another host": {"Host": "evil.example"},
    "no such scheme": {"Authorization": "Digest x"},
    "key of latin-1": {"Authorization": "Bearer \xe9"},
    "long key": {"Authorization": "Bearer " + "x" * 5_000},
    "override": {"X-HTTP-Method-Override": "DELETE"},
    "odd Accept": {"Accept": "application/xml;q=;;"},
}


def list_parts() -> list[tuple[str, str, list[Sent]]]:
    """method, path and inputs of each call, in parts that a test can take; all inputs of one place stay together."""
    parts = []
    for method, path, operation in OPERATIONS:
        inputs: list[Sent] = []
        for _, at_place in groupby(list_inputs(method, path, operation), key=lambda sent: sent.place):
            inputs += at_place
            if len(inputs) >= PART:
                parts.append((method, path, inputs))
                inputs = []
        parts.append((method, path, inputs))
    return [part for part in parts if part[2]]


def list_inputs(method: str, path: str, operation: Operation) -> Iterator[Sent]:
    """Everything that this call is tried with. A body that is not the input is one that would be taken."""
    whole = _whole(operation)
    for name, query in QUERIES.items():
        yield Sent("query", name, query=query, **whole)
    read_alike: set[str] = set()
    for parameter in operation.parameters:
        # A single object takes its list's parameters through the same reader, and one reader reads all flags, times,
        # words: a part of the corpus shows that it does. A text is another question of the database for each.
        is_known = path.endswith("_id}") or parameter.kind in read_alike
        read_alike |= {parameter.kind} - {"text", "pair"}
        for name, value in list(VALUES.items())[:: 6 if is_known else 1]:
            yield Sent(f"query {parameter.name}", name, query=f"{parameter.name}={quote(value, safe='')}", **whole)
        one, two = ("a", "b") if parameter.kind in ("text", "pair") else ("1", "2")  # a number may be somebody's
        twice = f"{parameter.name}={one}&{parameter.name}={two}"
        yield Sent(f"query {parameter.name}", "twice", query=twice, **whole)
    for part in re.findall(r"{(\w+)}", path):
        for name, text in PARTS.items():
            yield Sent(f"path {part}", name, parts={part: text}, **whole)
    for header in operation.headers:
        for name, text in HEADERS.items():
            yield Sent(f"header {header.name}", name, headers={header.name: text}, **whole)
    for name, headers in ANYWHERE.items():
        yield Sent("header", name, headers=headers, **whole)
    if operation.body is not None:
        yield from _list_bodies(operation)


def _whole(operation: Operation) -> dict[str, Any]:
    """A body that the call takes."""
    if operation.body is None:
        return {}
    if isinstance(operation.body, dict):
        return {"body": b"username=ada&password=wrong", "kind": FORM}
    kind = bodies.LogsBody if operation.body == "lines" else operation.body
    return {"body": msgspec.json.encode(LEAST.get(kind, {}))}


def _list_bodies(operation: Operation) -> Iterator[Sent]:
    whole = _whole(operation)["body"]
    for name, data in BODIES.items():
        yield Sent("body", name, body=data)
    for name, kind in KINDS.items():
        yield Sent("body", name, body=whole, kind=kind)
    for name, encoding in ENCODINGS.items():
        yield Sent("body", name, body=whole, headers={"Content-Encoding": encoding})
    if isinstance(operation.body, dict):
        yield Sent("body", "nothing", body=b"", kind=FORM)
        for field in msgspec.structs.fields(TokenForm):
            for name, value in VALUES.items():
                form = {"username": "ada", "password": "wrong", field.name: value}
                text = "&".join(f"{key}={quote(one, safe='')}" for key, one in form.items())
                yield Sent(f"body {field.name}", name, body=text.encode(), kind=FORM)
    elif operation.body == "lines":
        for name, data in PACKED.items():
            yield Sent("body", name, body=data, kind=PLAIN, headers={"Content-Encoding": "gzip"})
        for name, (data, kind) in BATCHES.items():
            yield Sent("body", name, body=data, kind=kind)
        yield from _list_fields(bodies.LogsBody, "", "{}")
    elif operation.body is not dict:
        yield from _list_fields(operation.body, "", "{}")


def _list_fields(kind: Any, place: str, frame: str) -> Iterator[Sent]:
    """Each field of a shape with each value. frame: the body around the shape, which stands where the braces are."""
    # A report that may be new has the fields of one that changes a run: a part of the corpus shows that it does.
    values = dict(list(FIELDS.items())[:: 4 if kind is bodies.ReportBody else 1])
    within = WITHIN.get(kind) or next((found for one, found in WITHIN.items() if issubclass(kind, one)), {})
    for field in msgspec.structs.fields(kind):
        name = field.encode_name
        others = {key: value for key, value in LEAST.get(kind, {}).items() if key != name}
        start = msgspec.json.encode(others).decode()[:-1] + (", " if others else "") + f'"{name}": '
        for value_name, value in values.items():
            body = frame.replace("{}", start + value + "}", 1)
            yield Sent(f"body {place}{name}", value_name, body=body.encode())
        if name in within and kind is not bodies.ReportBody:
            inner, is_list = within[name]
            inside = frame.replace("{}", start + ("[{}]" if is_list else "{}") + "}", 1)
            yield from _list_fields(inner, f"{place}{name}.", inside)
