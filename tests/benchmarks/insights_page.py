"""The insights and the counts of executions over a generated history: server CPU, time and bytes of one request.

`BENCHMARK_RUNS` in the environment is how many runs the history has: 100,000 unless it says otherwise.
"""

import os
import time

from .context import Context, measured, percentile
from .list_and_run_page import measure
from .table import Row

RUNS = int(os.environ.get("BENCHMARK_RUNS", "100000"))
PAGES = {
    "insights of 7 days": "/insights/",
    "insights of 24 hours": "/insights/?period=24h",
    "insights of 90 days": "/insights/?period=90d",
    "flows": "/flows/",
}
TIMES = 20


def run(context: Context) -> list[Row]:
    with context.running() as product:
        product.manage("generate", "--runs", str(RUNS), "--lines", "2", "--seed", "1", timeout=7_200)
        with product.signed_in() as browser:
            rows = [
                measure(product, browser, name, address, "≤ 30" if "insights" in address else "", runs=RUNS)
                for name, address in PAGES.items()
            ]
        with product.api() as api, measured(product, web_only=True) as meter:
            for _ in range(TIMES):
                began = time.monotonic()
                answer = api.get("/icenter/executions", params={"groupby": "flow"})
                meter.times.append(time.monotonic() - began)
                assert answer.json()["total"] > 0
        wall = percentile(meter.times, 50) * 1000
        said = f"CPU of one call of {TIMES}; p50 {wall:.0f} ms"
        rows.append(
            Row(f"executions of a month by flow at {RUNS:,} runs", meter.cpu / TIMES * 1000, "ms", "≤ 15", said)
        )
    return rows
