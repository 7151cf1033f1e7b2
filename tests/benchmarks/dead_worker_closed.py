"""From a `kill -9` in the middle of a run to the run being closed with a reason."""

import time
from collections.abc import Callable

import httpx
import psutil

from ..product import Product, wait_for
from .context import Context, command_flow, percentile, post_webhook, read_lines, wait_until_final
from .table import Row

TIMES = 3


def run(context: Context) -> list[Row]:
    with context.running() as product:
        product.load_flow(command_flow("victim", ["sh", "-c", "echo $PPID; exec sleep 987"]))
        with product.api() as api:
            worker = [measure(product, api, kill_worker) for _ in range(TIMES)]
            everything = [measure(product, api, kill_everything) for _ in range(TIMES)]
    return [
        Row(
            "dead worker's run closed, p50",
            percentile(worker, 50),
            "s",
            "≤ 10",
            f"kill -9 of the worker, {TIMES} times",
        ),
        Row(
            "the same after a power cut, p50",
            percentile(everything, 50),
            "s",
            "≤ 10",
            "kill -9 of everything, start again",
        ),
    ]


def measure(product: Product, api: httpx.Client, kill: Callable[[Product, int], None]) -> float:
    """Seconds from the kill to the final state of the run that was in progress."""
    identity = post_webhook(api, "victim")
    (line,) = wait_for(lambda: read_lines(api, identity), "the first line", seconds=20)
    began = time.monotonic()
    kill(product, int(line["message"]))
    finished = wait_until_final(api, identity, seconds=60)
    closed = time.monotonic() - began
    assert finished["phase"] == "failed", finished
    assert finished["error"], "closed without a reason"
    return closed


def kill_worker(product: Product, pid: int) -> None:
    """The number comes from a step, so it is looked up among the product's own processes."""
    (worker,) = (process for process in product.processes() if process.pid == pid)
    assert worker.pid != product.pid
    worker.kill()
    psutil.wait_procs([worker], timeout=10)


def kill_everything(product: Product, pid: int) -> None:
    product.kill_everything()
    product.start()
