"""`http` steps against a real server on this machine."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from runs_dashboard.models import Run, Status

from .workers import OLI, entries, execute, load, printed, start, wait_until, working

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django import Settings

    from runs_dashboard.models import Tenant

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("quick")]


class Shop(ThreadingHTTPServer):
    """Answers what a test's path asks for, and remembers what it was sent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answerer)
        self.seen: list[dict[str, Any]] = []
        self.is_over = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Answerer(BaseHTTPRequestHandler):
    server: Shop

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        self.server.seen.append(
            {
                "path": self.path,
                "headers": {k.lower(): v for k, v in self.headers.items()},
                "body": body,
                "method": self.command,
            }
        )
        if self.path.startswith("/hang"):
            self.server.is_over.wait(60)
            return
        status = int(self.path.removeprefix("/status/")) if self.path.startswith("/status/") else 200
        payload = {"count": 2, "echo": body, "token": self.headers.get("Authorization", "")}
        data = b"plain text\n" if self.path == "/text" else json.dumps(payload).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain" if self.path == "/text" else "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_DELETE = answer  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        return


@pytest.fixture
def shop(quick: Settings) -> Iterator[Shop]:
    quick.HTTP_ALLOW = "127.0.0.1"
    server = Shop()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.is_over.set()
    server.shutdown()
    thread.join()
    server.server_close()


def http(url: str, **options: Any) -> dict[str, Any]:
    outer = {name: options.pop(name) for name in ("timeout", "retry") if name in options}
    return {"id": "ask", "component": "http", "with": {"url": url, **options}, **outer}


def test_status_and_body_are_outputs_and_both_sides_are_kept(tenant: Tenant, shop: Shop) -> None:
    step = http(shop.url + "/orders?day=${{ inputs.day }}")
    use = {
        "id": "use",
        "component": "command",
        "with": {"run": ["printenv", "N"], "env": {"N": "${{ steps.ask.outputs.body.count }}"}},
    }
    run = execute(load(tenant, [step, use], inputs={"day": {"type": "string"}}), {"day": "a b&c=d"})

    assert run.status == Status.SUCCEEDED
    assert run.outputs["ask"] == {"status": 200, "body": {"count": 2, "echo": "", "token": ""}}
    assert shop.seen[0]["path"] == "/orders?day=a%20b%26c%3Dd"
    line, count = printed(run)
    assert line.startswith(f"GET {shop.url}/orders?day=a%20b%26c%3Dd → 200 (")
    assert count == "2"
    assert [(p.kind, p.line, p.content_type) for p in run.payloads.order_by("id")] == [
        ("request", 1, ""),
        ("response", 1, "application/json"),
    ]
    assert (run.operations_sent, run.operations_received) == (1, 1)
    assert run.payload_bytes == run.payloads.get(kind="response").size


def test_a_secret_reaches_the_server_and_nothing_else(
    tenant: Tenant, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "warehouse-token/1")
    step = http(
        shop.url + "/sign-in?t=${{ secrets.TOKEN }}",
        method="POST",
        headers={"Authorization": "Bearer ${{ secrets.TOKEN }}"},
        body={"token": "${{ secrets.TOKEN }}", "day": 1},
    )
    run = execute(load(tenant, [step], secrets=["TOKEN"]))

    (seen,) = shop.seen
    assert seen["headers"]["authorization"] == "Bearer warehouse-token/1"
    assert json.loads(seen["body"]) == {"token": "warehouse-token/1", "day": 1}
    assert run.outputs["ask"]["body"]["token"] == "Bearer ***"
    stored = json.dumps([list(run.payloads.values("body", "headers")), run.outputs, printed(run)])
    assert "warehouse-token" not in stored
    assert stored.count("***") >= 5


def test_a_text_answer_stays_text(tenant: Tenant, shop: Shop) -> None:
    assert execute(load(tenant, [http(shop.url + "/text")])).outputs["ask"]["body"] == "plain text\n"


@pytest.mark.parametrize(
    ("status", "expect", "ends"),
    [(404, None, "failed"), (404, [404, 410], "succeeded"), (200, [404], "failed"), (500, None, "failed")],
)
def test_the_status_decides(tenant: Tenant, shop: Shop, status: int, expect: Any, ends: str) -> None:
    options = {"expect": expect} if expect else {}
    run = execute(load(tenant, [http(f"{shop.url}/status/{status}", **options)]))

    assert run.status == ends
    assert run.steps.get().outputs["status"] == status
    assert [entry.level for entry in entries(run)] == [1 if ends == "succeeded" else 3]
    if ends == "failed":
        assert f"answered {status}" in run.error
        assert run.error_line == 1


def test_every_try_of_a_change_carries_the_same_key(tenant: Tenant, shop: Shop) -> None:
    step = http(shop.url + "/status/503", method="POST", body="x", retry={"attempts": 3})
    run = execute(load(tenant, [step]))

    assert [seen["headers"]["idempotency-key"] for seen in shop.seen] == [f"{run.uid}.ask"] * 3
    assert run.steps.count() == 3


def test_a_stop_ends_a_request_that_hangs(tenant: Tenant, shop: Shop) -> None:
    with working():
        run = start(load(tenant, [http(shop.url + "/hang")]))
        wait_until_asked(shop)
        asked = time.monotonic()
        run.request_stop(by=OLI)
        wait_until(run)

    assert time.monotonic() - asked < 3
    assert (run.status, run.steps.get().status) == (Status.STOPPED, Status.STOPPED)


def wait_until_asked(shop: Shop) -> None:
    until = time.monotonic() + 10
    while not shop.seen:
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_request_that_takes_too_long_fails_its_step(tenant: Tenant, shop: Shop) -> None:
    run = execute(load(tenant, [http(shop.url + "/hang", timeout=0.3)]))

    assert (run.status, run.error_step) == (Status.FAILED, "ask")
    assert run.payloads.get().kind == "request"


def test_a_request_ends_with_its_runs_time(tenant: Tenant, shop: Shop) -> None:
    run = execute(load(tenant, [http(shop.url + "/hang", retry={"attempts": 3})], timeout=1))

    assert run.error == "The run took longer than its 1 s and was ended."


def test_an_address_inside_is_refused_unless_it_is_allowed(tenant: Tenant, shop: Shop, quick: Settings) -> None:
    quick.HTTP_ALLOW = ""
    run = execute(load(tenant, [http(shop.url + "/text")]))

    assert run.status == Status.FAILED
    assert "127.0.0.1" in run.error
    assert shop.seen == []


def test_a_server_that_is_not_there_fails_the_step(tenant: Tenant, shop: Shop) -> None:
    run: Run = execute(load(tenant, [http("http://127.0.0.1:9/")]))

    assert (run.status, run.error_count) == (Status.FAILED, 1)
    assert run.error.startswith("GET http://127.0.0.1:9/: ")
