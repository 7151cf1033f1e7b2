"""From `kill -9` of everything in the middle of a run to the run being closed, the new start included."""

import time

from ..product import wait_for
from .context import Context, command_flow, percentile, post_webhook, read_lines, wait_until_final
from .table import Row

TIMES = 3


def run(context: Context) -> list[Row]:
    closed = []
    with context.running() as product:
        product.load_flow(command_flow("victim", ["sh", "-c", "echo begun; exec sleep 987"]))
        with product.api() as api:
            for _ in range(TIMES):
                identity = post_webhook(api, "victim")
                wait_for(lambda run=identity: read_lines(api, run), "the first line", seconds=20)
                began = time.monotonic()
                product.kill_everything()
                product.start()
                finished = wait_until_final(api, identity, seconds=60)
                closed.append(time.monotonic() - began)
                assert finished["phase"] == "failed", finished
                assert finished["error"], "closed without a reason"
    detail = f"kill -9 of every process, start again at once; {TIMES} times, the slowest {max(closed):.1f} s"
    return [Row("dead worker's run closed, p50", percentile(closed, 50), "s", "≤ 10", detail)]
