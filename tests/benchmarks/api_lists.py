"""The list of 50 runs by the API: server CPU of the first, a filtered and a deep page, and requests a second.

On PostgreSQL the CPU is the web process's own; what the database server does is in the clock's time.
"""

import http.client
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import httpx

from ..product import Product
from .context import RUNS, Context, measured, percentile
from .table import Row

PERIOD = timedelta(days=30)
FROM_THE_END = timedelta(days=5)  # where the deep page lies
TIMES = 60
CLIENTS = 16
SECONDS = 6.0


def run(context: Context) -> list[Row]:
    with context.running_on_history() as product, product.api() as api:
        key, value = find_pair(api, "tags")
        tracked = ":".join(find_pair(api, "trackedData"))
        flow = find_flow(api)
        month_ago = (datetime.now(UTC) - PERIOD).isoformat()
        pages = {
            "first page": address(),
            "failed, one flow, 30 days": find_filtered(api, flow),
            "deep page by cursor": find_deep(api),
            "of a tag": address(filter__tag=f"{key}:{value}"),
            "of tracked data": address(filter__tracked=tracked),
            "by search": address(filter__search=tracked.partition(":")[2]),
            "seed 2's analytics": f"/analytics/org/default/flows/{flow}?page_size=50",
            "seed 4's logs of a period": f"/workflows/logs?{urlencode({'limit': 50, 'created_at__before': month_ago})}",
            "seed 0's logs": "/logs?filter%5Btenant%5D=default",
        }
        rows = [measure(product, api, name, path) for name, path in pages.items()]
        return [*rows, ask_together(product, str(api.headers["Authorization"]))]


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


def find_pair(api: httpx.Client, kind: str) -> tuple[str, str]:
    """The newest tag, or tracked data, that there is."""
    items = read_page(api, address(include="trackedData"))["items"]
    pair = next(pair for item in items for pair in item[kind])
    return pair["key"], pair["value"]


def find_flow(api: httpx.Client) -> str:
    """The flow that failed last."""
    flow: str = read_page(api, address(filter__status="failed"))["items"][0]["flowId"]
    return flow


def find_filtered(api: httpx.Client, flow: str) -> str:
    """The flow's failed runs in a month that ended a month ago."""
    until = datetime.now(UTC) - PERIOD
    period = {"filter__started_after": (until - PERIOD).isoformat(), "filter__started_before": until.isoformat()}
    return address(filter__status="failed", filter__flow_id=flow, **period)


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
        assert api.get(path).status_code == 200, path
    with measured(product, web_only=True) as meter:
        for _ in range(TIMES):
            began = time.monotonic()
            answer = api.get(path)
            meter.times.append(time.monotonic() - began)
            assert answer.status_code == 200, answer.text
    wall, size = percentile(meter.times, 50) * 1000, len(answer.content) / 1000
    detail = f"CPU of one request of {TIMES}, {size:.0f} kB; p50 {wall:.1f} ms"
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
