"""From just before a webhook is posted to the first thing that the step's program does: tell the time."""

import time

from .context import Context, command_flow, percentile, post_webhook, read_lines, wait_until_final
from .table import Row

TIMES = 40


def run(context: Context) -> list[Row]:
    delays = []
    with context.running() as product:
        product.load_flow(command_flow("clock", ["date", "+%s.%N"]))
        with product.api() as api:
            for _ in range(TIMES):
                posted = time.time()
                identity = post_webhook(api, "clock")
                finished = wait_until_final(api, identity)
                assert finished["phase"] == "succeeded", finished
                (line,) = read_lines(api, identity)
                delays.append(float(line["message"]) - posted)
    detail = f"webhook to the first line of a command, {TIMES} times; p95 {percentile(delays, 95):.3f} s"
    return [Row("trigger to first code, p50", percentile(delays, 50), "s", "≤ 0.1", detail)]
