"""Log lines a second that reporting programs append by the API, with not one lost, and the server's CPU for them.

On PostgreSQL the CPU is the web process's own; what the database server does is in the lines a second.
"""

import http.client
import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import httpx

from ..product import Product
from .context import Context, Meter, measured, read_lines
from .table import Row

LEVELS = ("debug", "info", "info", "info", "warning", "info", "info", "info", "info", "error")
START = datetime(2026, 1, 1, tzinfo=UTC)
SECONDS = 4.0


def run(context: Context) -> list[Row]:
    with context.running() as product, product.api() as api:
        append_for(product, api, 1, 1_000, seconds=1.0)  # what a process does once is not measured
        return [row for size in (100, 1_000) for count in (1, 4) for row in measure(product, api, count, size)]


def measure(product: Product, api: httpx.Client, clients: int, size: int) -> list[Row]:
    lines, meter = append_for(product, api, clients, size, seconds=SECONDS)
    who = f"{clients} client{'s' if clients > 1 else ''}, batches of {size:,}"
    detail = f"{lines:,} lines as NDJSON, {len(write_batch(size)) / size:.0f} bytes each"
    cpu = meter.cpu / lines * 1e6
    share = f"{meter.cpu / meter.seconds:.0%} of a core"
    return [
        Row(f"lines a second by API, {who}", lines / meter.seconds, "lines/s", "≥ 50,000", detail),
        Row(f"CPU for 1,000 lines by API, {who}", cpu, "ms", "≤ 15", f"of the web process; {share}"),
    ]


def append_for(product: Product, api: httpx.Client, clients: int, size: int, *, seconds: float) -> tuple[int, Meter]:
    """Clients that each append to a run of its own until the time is over.

    Returns the lines that are there then, and what appending them took.
    """
    runs = [f"appended-{clients}-{size}-{number}-{time.monotonic_ns()}" for number in range(clients)]
    for identity in runs:
        answer = api.put(f"/api/v1/flow-runs/{identity}", json={"flowId": "appended", "phase": "running"})
        assert answer.is_success, answer.text
    batch = write_batch(size)
    headers = {"Authorization": str(api.headers["Authorization"]), "Content-Type": "application/x-ndjson"}

    def append(identity: str) -> int:
        sent = 0
        connection = http.client.HTTPConnection("127.0.0.1", product.port, timeout=30)
        while time.monotonic() < deadline:
            connection.request("POST", f"/api/v1/flow-runs/{identity}/flow-run-logs", batch, headers)
            answer = connection.getresponse()
            told = answer.read()
            sent += size
            assert (answer.status, json.loads(told)) == (201, {"accepted": size, "last_line": sent}), told
        connection.close()
        return sent

    with measured(product, web_only=True) as meter, ThreadPoolExecutor(clients) as programs:
        deadline = time.monotonic() + seconds
        counts = list(programs.map(append, runs))
    for identity, count in zip(runs, counts, strict=True):
        (last,) = read_lines(api, identity, after=count - 1)
        assert (last["line"], last["message"]) == (count, write_message(size - 1)), last
    return sum(counts), meter


def write_batch(size: int) -> bytes:
    """So many lines as a program's logger would send them."""
    lines = (
        {
            "timestamp": (START + timedelta(milliseconds=number)).isoformat(),
            "level": LEVELS[number % len(LEVELS)],
            "message": write_message(number),
        }
        for number in range(size)
    )
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def write_message(number: int) -> str:
    return f"order {number:06} was copied to the warehouse, 3 positions, host=worker-7 rows=1288"
