"""Bulk actions over a generated history: what a preview costs, how long a set is taken, how fast it is worked off."""

import time
from typing import Any

import httpx

from ..product import Product
from .context import RUNS, Context, measured, percentile
from .table import Row

TIMES = 10
MOST = 10_000  # runs of one action
SECONDS = 30  # of the work that is measured


def run(context: Context) -> list[Row]:
    with context.running_on_history() as product:
        with product.api() as api:
            newest = api.get("/api/v1/flow-runs", params={"filter[status]": "failed"}).json()["items"][0]
            day, flow = newest["startTime"][:10], newest["flowId"]
        with product.signed_in() as browser:
            rows = [
                preview(product, browser, name, query)
                for name, query in {
                    "failed, a flow": f"status=failed&flow={flow}",
                    "failed, not retried, since a day": f"status=failed&retried=false&started_after={day}",
                    "more than an action takes": "status=succeeded",
                }.items()
            ]
        with product.api() as api:
            rows += act(product, api, day)
    return rows


def preview(product: Product, browser: httpx.Client, name: str, query: str) -> Row:
    """CPU of the page that says how many runs match, which of them would be refused, and shows ten."""
    address = f"/bulk/new/?act=retry&{query}"
    browser.get(address)
    with measured(product, web_only=True) as meter:
        for _ in range(TIMES):
            began = time.monotonic()
            answer = browser.get(address)
            meter.times.append(time.monotonic() - began)
            assert answer.status_code == 200, answer.text
    wall = percentile(meter.times, 50) * 1000
    detail = f"CPU of one request of {TIMES}; p50 {wall:.0f} ms"
    return Row(f"preview of a bulk retry, {name}, at {RUNS:,} runs", meter.cpu / TIMES * 1000, "ms", "", detail)


def act(product: Product, api: httpx.Client, day: str) -> list[Row]:
    """The newest runs that one action takes are reviewed."""
    asked: dict[str, Any] = {"action": "review", "filter": {"status": "succeeded", "reviewed": False}}
    asked["filter"]["started_after"] = find_start(api, day)
    with measured(product, web_only=True) as taking:
        answer = api.post("/api/v1/bulk-actions", json=asked)
    assert answer.status_code == 202, answer.text
    made, began = answer.json(), time.monotonic()
    address = f"/api/v1/bulk-actions/{made['id']}"
    with measured(product) as meter:
        while not is_over(api, address) and time.monotonic() < began + SECONDS:
            time.sleep(0.5)
    api.post(f"{address}/abort")  # a conflict where it is over
    ended = api.get(address).json()
    acts = ended["done"] + ended["refused"]
    cpu = meter.cpu / acts * 1000
    return [
        Row(
            "a bulk action takes its runs",
            taking.seconds,
            "s",
            "",
            f"{made['total']:,} runs; {taking.cpu:.2g} s of CPU",
        ),
        Row(
            "bulk reviews a second",
            acts / meter.seconds,
            "runs/s",
            "",
            f"{acts:,} runs; {cpu:.1f} ms of CPU a run, with all else that a worker does",
        ),
    ]


def find_start(api: httpx.Client, day: str) -> str:
    """A time since which at most as many runs succeeded as an action takes."""
    for hours in ("T00:00:00Z", "T06:00:00Z", "T12:00:00Z", "T18:00:00Z", "T22:00:00Z"):
        query = {"filter[status]": "succeeded", "filter[started_after]": day + hours}
        if api.get("/api/v1/flow-runs", params=query).json()["total"] < MOST:
            return day + hours
    raise AssertionError(f"more than {MOST:,} runs since {day}T22:00:00Z")


def is_over(api: httpx.Client, address: str) -> bool:
    return api.get(address).json()["finished_at"] is not None
