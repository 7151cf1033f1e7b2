"""Memory of a product that has nothing to do: its own share (PSS) of all its processes, web and worker."""

import time

from .context import Context
from .table import Row

IDLE_SECONDS = 10
MEGABYTE = 1_000_000


def run(context: Context) -> list[Row]:
    with context.running() as product:
        with product.signed_in() as browser:
            browser.get("/runs/")
        time.sleep(IDLE_SECONDS)  # the measure itself: what stays when nothing happens
        processes = product.processes()
        usage = [process.memory_full_info() for process in processes]
    unique = sum(one.uss for one in usage) / MEGABYTE
    return [
        Row(
            "memory idle, web and worker",
            sum(one.pss for one in usage) / MEGABYTE,
            "MB",
            "≤ 150",
            f"PSS of {len(processes)} processes, {IDLE_SECONDS} s after a page; unshared {unique:.0f} MB",
        )
    ]
