"""The API as clients meet it: callers, flows with and without steps, runs, lines."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from django.test import Client

from runs_dashboard.definition.schema import Definition
from runs_dashboard.models import Actor, Flow, Run, Status, append, move
from runs_dashboard.text.intake import Line

if TYPE_CHECKING:
    from django.http import HttpResponse

    from runs_dashboard.models import Tenant


class Caller:
    """A program with a key. Bodies are given as data, or as bytes with a media type."""

    def __init__(self, key: str = "", scheme: str = "Bearer ") -> None:
        self.key, self.scheme, self.client = key, scheme, Client()

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> HttpResponse:
        headers = {"Authorization": self.scheme + self.key} if self.key else {}
        headers |= options.pop("headers", {})
        kind = options.pop("content_type", "application/json")
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        return self.client.generic(method, path, data, content_type=kind, headers=headers, **options)

    def get(self, path: str, **options: Any) -> HttpResponse:
        return self.call("GET", path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> HttpResponse:
        return self.call("POST", path, body, **options)

    def put(self, path: str, body: Any = None, **options: Any) -> HttpResponse:
        return self.call("PUT", path, body, **options)

    def patch(self, path: str, body: Any = None, **options: Any) -> HttpResponse:
        return self.call("PATCH", path, body, **options)

    def delete(self, path: str, **options: Any) -> HttpResponse:
        return self.call("DELETE", path, **options)


def make_flow(tenant: Tenant, slug: str = "orders", *, steps: bool = True, **definition: Any) -> Flow:
    data: dict[str, Any] = {"id": slug, "name": slug.title(), **definition}
    if steps:
        data["steps"] = [
            {"id": "fetch", "name": "Fetch", "component": "command", "with": {"run": ["true"]}},
            {"id": "load", "component": "command", "with": {"run": ["true"]}},
        ]
    return Flow.load(Definition.from_data(data), tenant=tenant, by=Actor(name="test"))[0]


def end_run(run: Run, status: str = "succeeded", **fields: Any) -> Run:
    """The run as if a worker had ended it."""
    worker = Actor(name="worker")
    if run.status == Status.QUEUED:
        move(run, Status.RUNNING, by=worker, started_at=run.queued_at, ordered_at=run.queued_at)
    return move(run, Status(status), by=worker, **fields)


def print_lines(run: Run, *messages: str, level: int = 1, step: Any = None) -> int:
    """Lines as if the run had printed them; the number of the last one."""
    now = time.time()
    Run.across_tenants.filter(pk=run.pk).update(token=1)
    lines = [Line(message, level, "stdout", now + place / 1000) for place, message in enumerate(messages)]
    return append(run, lines, step=step, token=1)


def ids(answer: dict[str, Any]) -> list[str]:
    return [item["id"] for item in answer["items"]]


def listed(caller: Caller, query: str = "") -> dict[str, Any]:
    answer = caller.get(f"/api/v1/flow-runs?{query}")
    assert answer.status_code == 200, answer.content
    return answer.json()
