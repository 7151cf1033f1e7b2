"""Many open pages on a few live runs: from the append of a line to its arrival in each of them, and what that costs.

`LIVE_VIEWERS` in the environment is how many (200 unless it says otherwise).
"""

import asyncio
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import httpx
import psutil
import psycopg

from ..live.client import opened
from ..product import ROOT, Product
from .context import Context, cpu_seconds, percentile
from .table import Row

VIEWERS = int(os.environ.get("LIVE_VIEWERS", "200"))
RUNS, LINES, PAUSE = 10, 5, 0.5  # each run is given five lines twice a second
SECONDS = 10.0
IDLE_SECONDS = 3.0
TOLD = re.compile(rb"t=(\d+\.\d+)")


def run(context: Context) -> list[Row]:
    limits = {"LIVE_STREAMS": "5000", "LIVE_STREAMS_PER_USER": "5000"}
    with context.running(**limits) as product, product.signed_in() as browser, writing(product) as (uids, start):
        return asyncio.run(measure(product, browser, uids, start))


@contextmanager
def writing(product: Product) -> Iterator[tuple[list[str], IO[str]]]:
    """The runs of a writer beside the product, and its standard input: a line starts it."""
    command = [sys.executable, "-m", "tests.live.writer", str(RUNS), str(LINES), str(PAUSE)]
    writer = subprocess.Popen(
        command, cwd=ROOT, env=product.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert writer.stdin is not None
    assert writer.stdout is not None
    try:
        yield [writer.stdout.readline().strip() for _ in range(RUNS)], writer.stdin
    finally:
        writer.stdin.close()
        writer.wait(20)
        writer.stdout.close()


async def measure(product: Product, browser: httpx.Client, uids: list[str], start: IO[str]) -> list[Row]:
    delays: list[float] = []
    is_measuring = False
    open_count = 0

    async def view(number: int) -> None:
        nonlocal open_count
        headers = {"Cookie": f"sessionid={browser.cookies['sessionid']}"}
        async with opened(product.port, f"/runs/{uids[number % RUNS]}/log/stream", headers) as stream:
            assert stream.status == 200, stream.status
            open_count += 1
            while line := await stream.reader.readline():
                if is_measuring:
                    now = time.time()
                    delays.extend(now - float(told) for told in TOLD.findall(line))

    idle = cpu_seconds(product)
    await asyncio.sleep(IDLE_SECONDS)
    idle = (cpu_seconds(product) - idle) / IDLE_SECONDS
    memory, handles = resident(product), count_connections(product)
    viewers = [asyncio.create_task(view(number)) for number in range(VIEWERS)]
    began = time.monotonic()
    while open_count < VIEWERS:
        await asyncio.wait(viewers, timeout=0.01, return_when=asyncio.FIRST_EXCEPTION)
        assert not any(viewer.done() for viewer in viewers), "a stream ended"
    opening = time.monotonic() - began
    start.write("\n")
    start.flush()
    await asyncio.sleep(3)  # the writer's first round, and the streams' memory
    is_measuring = True
    cpu, own = cpu_seconds(product), time.process_time()
    await asyncio.sleep(SECONDS)
    is_measuring = False
    cpu, own = cpu_seconds(product) - cpu, time.process_time() - own
    memory, handles = resident(product) - memory, count_connections(product) - handles
    for viewer in viewers:
        viewer.cancel()
    await asyncio.gather(*viewers, return_exceptions=True)
    share = len(delays) / (VIEWERS * LINES / PAUSE * SECONDS)
    assert share > 0.9, f"only {share:.0%} of the lines came"
    title = f"{VIEWERS} open pages"
    detail = f"p95 {percentile(delays, 95):.3f} s, p99 {percentile(delays, 99):.3f} s; {share:.0%} of the lines"
    return [
        Row(f"appended to seen in {title}, p50", percentile(delays, 50), "s", "≤ 0.2", f"{RUNS} runs; {detail}"),
        Row(
            f"CPU of one core, {title}",
            cpu / SECONDS * 100,
            "%",
            "",
            f"all processes; before {idle:.0%}; the client took {own / SECONDS:.0%}",
        ),
        Row(f"memory a page, {title}", memory / VIEWERS / 1000, "KB", "", f"all opened in {opening:.1f} s"),
        Row(f"database connections more, {title}", handles, "", "≤ 8", "PostgreSQL: sessions; SQLite: open files"),
    ]


def resident(product: Product) -> int:
    """Bytes of memory that the product's processes have, each for itself."""
    return sum(process.memory_full_info().uss for process in product.processes())


def count_connections(product: Product) -> int:
    url = product.environment.get("DATABASE_URL")
    if url is None:
        files = (file.path for process in product.processes() for file in psutil.Process(process.pid).open_files())
        return sum("sqlite3" in path for path in files)
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchone()
        assert row is not None
        return row[0]
