"""How many runs of a flow that does nothing are queued by webhooks, and executed, logged and audited, in a second."""

from concurrent.futures import ThreadPoolExecutor

import psutil

from ..product import Product
from .context import Context, command_flow, find_web, measured, post_webhook, wait_until_final
from .table import Row

RUNS = 300
CLIENTS = 4


def run(context: Context) -> list[Row]:
    with context.running() as product:
        product.load_flow(command_flow("nothing", ["true"]))
        with product.api() as api:
            wait_until_final(api, post_webhook(api, "nothing"))
            worker = find_worker(product)
            worker.suspend()  # so that the posts do not take its time, nor it theirs
            with measured(product) as posting, ThreadPoolExecutor(CLIENTS) as clients:
                runs = list(clients.map(lambda _: post_webhook(api, "nothing"), range(RUNS)))
            with measured(product) as working:
                worker.resume()
                # The last ones only: asking for each of them would take the time that is measured.
                for identity in runs[-CLIENTS:]:
                    wait_until_final(api, identity)
            phases = [wait_until_final(api, identity)["phase"] for identity in runs]
    assert set(phases) == {"succeeded"}, set(phases)
    return [
        Row(
            "no-op runs a second",
            RUNS / working.seconds,
            "runs/s",
            "≥ 50",
            f"{RUNS} queued runs of one command step; {working.cpu / RUNS * 1000:.0f} ms of CPU a run",
        ),
        Row(
            "runs queued by webhooks a second",
            RUNS / posting.seconds,
            "runs/s",
            "",
            f"{CLIENTS} clients; {posting.cpu / RUNS * 1000:.0f} ms of CPU a run",
        ),
    ]


def find_worker(product: Product) -> psutil.Process:
    """The child of `up` that executes: the one that does not answer requests."""
    web = find_web(product)
    (worker,) = (child for child in psutil.Process(product.pid).children() if child != web)
    return worker
