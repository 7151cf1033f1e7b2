"""The list of 50 runs by the API: server CPU of the first, a filtered and a deep page, and requests a second.

`BENCHMARK_RUNS` in the environment is how many runs the history has: 100,000 unless it says otherwise, 1,000,000 for
the goal. On PostgreSQL the CPU is the web process's own; what the database server does is in the clock's time.
"""

import http.client
import os
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import httpx
import psycopg

from ..product import Product
from .context import Context, measured, percentile
from .table import Row

RUNS = int(os.environ.get("BENCHMARK_RUNS", "100000"))
FLOWS, DAYS = 50, 90
PERIOD = timedelta(days=30)
FROM_THE_END = timedelta(days=5)  # where the deep page lies
TIMES = 60
CLIENTS = 16
SECONDS = 6.0


def run(context: Context) -> list[Row]:
    with context.running() as product:
        history = ("--runs", RUNS, "--flows", FLOWS, "--days", DAYS, "--seed", 1)
        # Without lines: the list reads none, and the worker's index of them would share the machine with it.
        product.manage("generate", *map(str, history), "--lines", "0", timeout=120 + RUNS / 200)
        settle(product)
        with product.api() as api:
            rows = [
                measure(product, api, "first page", address()),
                measure(product, api, "failed, one flow, 30 days", find_filtered(api)),
                measure(product, api, "deep page by cursor", find_deep(api)),
            ]
            return [*rows, ask_together(product, str(api.headers["Authorization"]))]


def settle(product: Product) -> None:
    """Does at once what PostgreSQL does by itself within minutes of so many new rows: its planner learns of them."""
    if url := product.environment.get("DATABASE_URL"):
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")


def address(**query: Any) -> str:
    """Of a page of 50; double underscores stand for brackets."""
    named = {f"filter[{name[8:]}]" if name.startswith("filter__") else name: text for name, text in query.items()}
    return f"/api/v1/flow-runs?{urlencode({'per_page': 50, **named})}"


def read_page(api: httpx.Client, path: str) -> dict[str, Any]:
    answer = api.get(path)
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    assert page["items"], f"nothing on {path}"
    return page


def find_filtered(api: httpx.Client) -> str:
    """The failed runs of the flow that failed last, in a month that ended a month ago."""
    last = read_page(api, address(filter__status="failed"))["items"][0]
    until = datetime.now(UTC) - PERIOD
    period = {"filter__started_after": (until - PERIOD).isoformat(), "filter__started_before": until.isoformat()}
    return address(filter__status="failed", filter__flow_id=last["flowId"], **period)


def find_deep(api: httpx.Client) -> str:
    """The whole list again, by a cursor near its end: the one that an old period's first page leads on with."""
    oldest = read_page(api, address(sort="started_at"))["items"][0]
    moment = datetime.fromisoformat(oldest["startTime"]) + FROM_THE_END
    cursor = read_page(api, address(filter__started_before=moment.isoformat()))["next_page"]
    assert cursor, "too few runs for a deep page"
    found = address(cursor=cursor)
    newest = read_page(api, found)["items"][0]
    assert datetime.fromisoformat(newest["startTime"]) < moment, newest
    return found


def measure(product: Product, api: httpx.Client, name: str, path: str) -> Row:
    for _ in range(5):
        page = read_page(api, path)
    with measured(product, web_only=True) as meter:
        for _ in range(TIMES):
            began = time.monotonic()
            answer = api.get(path)
            meter.times.append(time.monotonic() - began)
            assert answer.status_code == 200, answer.text
    wall, size = percentile(meter.times, 50) * 1000, len(answer.content) / 1000
    detail = f"CPU of one request of {TIMES}, {len(page['items'])} runs, {size:.0f} kB; p50 {wall:.1f} ms"
    return Row(f"list by API, {name}, at {RUNS:,} runs", meter.cpu / TIMES * 1000, "ms", "≤ 15", detail)


def ask_together(product: Product, key: str) -> Row:
    """Requests a second of clients that each ask again as soon as they are answered; they are not in the product."""

    def ask(_: int) -> list[float]:
        times = []
        connection = http.client.HTTPConnection("127.0.0.1", product.port, timeout=30)
        while (began := time.monotonic()) < deadline:
            connection.request("GET", address(), headers={"Authorization": key})
            answer = connection.getresponse()
            body = answer.read()
            assert answer.status == 200, body
            times.append(time.monotonic() - began)
        connection.close()
        return times

    with measured(product, web_only=True) as meter, ThreadPoolExecutor(CLIENTS) as clients:
        deadline = time.monotonic() + SECONDS
        meter.times = [one for times in clients.map(ask, range(CLIENTS)) for one in times]
    count = len(meter.times)
    detail = (
        f"{CLIENTS} clients, one process, first page; p50 {percentile(meter.times, 50) * 1000:.0f} ms, "
        f"p95 {percentile(meter.times, 95) * 1000:.0f} ms; {meter.cpu / meter.seconds:.0%} of a core"
    )
    return Row(f"list by API, requests a second at {RUNS:,} runs", count / meter.seconds, "", "≥ 150", detail)
