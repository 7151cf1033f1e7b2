"""The run list and a run page over a generated history: server CPU, time and bytes of one request."""

import re
import time

import httpx

from ..product import Product
from .context import RUNS, Context, measured, percentile
from .table import Row

TIMES = 40


def run(context: Context) -> list[Row]:
    with context.running_on_history() as product, product.signed_in() as browser:
        first = browser.get("/runs/").text
        pages = {
            "run list": ("/runs/", "≤ 30"),
            "run list, failed": ("/runs/?status=failed", "≤ 30"),
            "run page": (find_run(first), "≤ 40"),
        }
        rows = [measure(product, browser, name, *page) for name, page in pages.items()]
    if context.generated_seconds is not None:
        speed = RUNS / context.generated_seconds
        rows.append(Row("generate a history", speed, "runs/s", "", f"{RUNS:,} runs of a line each"))
    return rows


def find_run(page: str) -> str:
    """The address of the first run in a list."""
    found = re.search(r'href="(/runs/[^"/?#]+/)"', page)
    assert found is not None, "the list shows no run"
    return found[1]


def measure(product: Product, browser: httpx.Client, name: str, address: str, goal: str) -> Row:
    for _ in range(5):
        browser.get(address)
    with measured(product, web_only=True) as meter:
        for _ in range(TIMES):
            began = time.monotonic()
            answer = browser.get(address)
            meter.times.append(time.monotonic() - began)
            assert answer.status_code == 200, answer.text
    size, wall = len(answer.content) / 1000, percentile(meter.times, 50) * 1000
    detail = f"CPU of one request of {TIMES}, {size:.0f} kB; p50 {wall:.0f} ms"
    return Row(f"{name} at {RUNS:,} runs", meter.cpu / TIMES * 1000, "ms", goal, detail)
