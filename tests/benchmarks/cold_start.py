"""From the start of `up` to a product that says it is ready and shows the sign-in page."""

import statistics
import time

import httpx

from .context import Context, cpu_seconds
from .table import Row

TIMES = 5


def run(context: Context) -> list[Row]:
    product = context.make_product()
    first = second = 0.0
    again, pages, cpu = [], [], []
    try:
        for number in range(1 + TIMES):
            began = time.monotonic()
            product.launch()
            product.wait_until_ready()
            ready = time.monotonic() - began
            used = cpu_seconds(product)
            answer = httpx.get(f"{product.url}/runs/", follow_redirects=True, trust_env=False)
            assert answer.status_code == 200, answer.text
            page = time.monotonic() - began
            product.stop()
            if number == 0:
                first, second = ready, page
            else:
                again.append(ready)
                pages.append(page)
                cpu.append(used)
    finally:
        context.make_product.end(product)
    detail = f"median of {TIMES}; {statistics.median(cpu):.2f} s of CPU"
    return [
        Row("cold start, empty data folder", first, "s", "≤ 4", f"to the sign-in page {second:.2f} s"),
        Row("cold start, kept data", statistics.median(again), "s", "≤ 4", detail),
        Row("cold start to the sign-in page", statistics.median(pages), "s", "≤ 4", f"median of {TIMES}"),
    ]
