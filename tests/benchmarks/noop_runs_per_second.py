"""How many runs of a flow that does nothing are started, executed, logged and audited in a second."""

import time
from concurrent.futures import ThreadPoolExecutor

from .context import Context, command_flow, measured, post_webhook, wait_until_final
from .table import Row

RUNS = 300
CLIENTS = 4


def run(context: Context) -> list[Row]:
    with context.running() as product:
        product.load_flow(command_flow("nothing", ["true"]))
        with product.api() as api:
            wait_until_final(api, post_webhook(api, "nothing"))
            with measured(product) as meter:
                with ThreadPoolExecutor(CLIENTS) as clients:
                    runs = list(clients.map(lambda _: post_webhook(api, "nothing"), range(RUNS)))
                posted = time.monotonic()
                # The last ones only: asking for each of them would take the time that is measured.
                for identity in runs[-CLIENTS:]:
                    wait_until_final(api, identity)
                waited = time.monotonic() - posted
            phases = [wait_until_final(api, identity)["phase"] for identity in runs]
    assert set(phases) == {"succeeded"}, set(phases)
    detail = (
        f"{RUNS} runs of one command step, posted by {CLIENTS} clients, {waited:.1f} s after the last post; "
        f"{meter.cpu / RUNS * 1000:.0f} ms of CPU a run, the posts and the command included"
    )
    return [Row("no-op runs a second", RUNS / meter.seconds, "runs/s", "≥ 50", detail)]
