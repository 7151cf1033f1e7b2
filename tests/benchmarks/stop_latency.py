"""From the post of a stop to a dead process, and to the word "stopped", which must never come before it."""

import time

import psutil

from ..product import Product, wait_for
from .context import FINAL, Context, command_flow, percentile, post_webhook, read_run
from .table import Row

TIMES = 20


def run(context: Context) -> list[Row]:
    deaths, states = [], []
    with context.running() as product:
        product.load_flow(command_flow("sleeper", ["sleep", "987"]))
        with product.api() as api:
            for _ in range(TIMES):
                identity = post_webhook(api, "sleeper")
                sleeper = wait_for(lambda: find_sleeper(product), "the step's process", seconds=20)
                began = time.monotonic()
                answer = api.post(f"/api/v1/flow-runs/{identity}/stop", json={})
                assert answer.status_code == 202, answer.text
                died = 0.0
                while True:
                    died = died or (0.0 if is_alive(sleeper) else time.monotonic() - began)
                    phase = read_run(api, identity)["phase"]
                    if phase in FINAL:
                        states.append(time.monotonic() - began)
                        assert not is_alive(sleeper), f"{phase} was said while the process lived"
                        assert phase == "stopped", phase
                        break
                    time.sleep(0.005)
                    assert time.monotonic() - began < 30, "not stopped in 30 s"
                deaths.append(died or states[-1])
    detail = f"{TIMES} times, never said before it was true; process dead after {percentile(deaths, 50):.3f} s"
    return [
        Row("stop to state final, p50", percentile(states, 50), "s", "≤ 0.5", detail),
        Row("stop to state final, p95", percentile(states, 95), "s", "≤ 0.5"),
    ]


def find_sleeper(product: Product) -> psutil.Process | None:
    for process in product.processes():
        try:
            if process.cmdline() == ["sleep", "987"]:
                return process
        except psutil.NoSuchProcess:
            continue
    return None


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
