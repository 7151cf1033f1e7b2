"""A program that prints 50,000 lines a second: what its open page and a program at the API are sent meanwhile.

The page is sent the newest lines and rows that stand for the rest; the program is sent every line.
"""

import asyncio
import subprocess
import sys
import time
from typing import IO

from ..live.client import Event, numbers, opened
from ..product import ROOT, Product
from .context import Context, cpu_seconds
from .table import Row

BATCH, PAUSE = 5_000, 0.1
SECONDS = 10.0
CATCH_UP = 60.0  # seconds for who is sent all


def run(context: Context) -> list[Row]:
    with context.running() as product, product.signed_in() as browser, product.api() as api:
        command = [sys.executable, "-m", "tests.live.writer", "1", str(BATCH), str(PAUSE)]
        with subprocess.Popen(
            command, cwd=ROOT, env=product.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdin is not None
            assert writer.stdout is not None
            uid = writer.stdout.readline().strip()
            page = {"Cookie": f"sessionid={browser.cookies['sessionid']}"}
            program = {"Authorization": str(api.headers["Authorization"])}
            return asyncio.run(measure(product, uid, page, program, writer.stdin))


async def catch_up(gathered: list[list[Event]]) -> None:
    """Waits until the page stands still and the program has been sent as far as the page, at most CATCH_UP seconds."""
    ends = time.monotonic() + CATCH_UP
    last = 0
    while time.monotonic() < ends:
        await asyncio.sleep(0.5)
        shown, sent = (numbers(events)[-1:] for events in gathered)
        if shown == sent == [last]:
            return
        last = shown[0] if shown else 0


async def measure(
    product: Product, uid: str, page: dict[str, str], program: dict[str, str], start: IO[str]
) -> list[Row]:
    paths = [(f"/runs/{uid}/log/stream", page), (f"/api/v1/flow-runs/{uid}/flow-run-logs/stream", program)]
    gathered: list[list[Event]] = [[], []]

    async def follow(number: int) -> None:
        path, headers = paths[number]
        async with opened(product.port, path, headers) as stream:
            async for event in stream.events():
                gathered[number].append(event)

    readers = [asyncio.create_task(follow(number)) for number in range(len(paths))]
    await asyncio.sleep(1.0)
    cpu = cpu_seconds(product, web_only=True)
    start.write("\n")
    start.flush()
    await asyncio.sleep(SECONDS)
    cpu = cpu_seconds(product, web_only=True) - cpu
    start.close()
    behind = time.monotonic()
    await catch_up(gathered)
    behind = time.monotonic() - behind
    for reader in readers:
        reader.cancel()
    await asyncio.gather(*readers, return_exceptions=True)
    shown, whole = gathered
    told, sent = numbers(shown), numbers(whole)
    assert told == list(range(1, len(told) + 1)), "the page has a gap"
    assert sent == list(range(1, len(sent) + 1)), "the program has a gap"
    assert len(told) == len(sent), (len(told), len(sent))
    drawn = [event for event in shown if event.skipped is None]
    rows = len(numbers(drawn))
    return [
        Row(
            "a program behind the flood has all", behind, "s", "", f"after {SECONDS:.0f} s of it; most {CATCH_UP:.0f} s"
        ),
        Row("flood of lines, printed", len(sent) / SECONDS, "lines/s", "", f"all {len(sent):,} sent to a program"),
        Row(
            "of them sent to its open page",
            rows / SECONDS,
            "rows/s",
            "≤ 20,000",
            f"{len(shown) - len(drawn)} rows for the rest",
        ),
        Row("rows in an event of the page, at most", max(len(event.lines) for event in drawn), "", "≤ 500"),
        Row("CPU of the web process meanwhile", cpu / SECONDS * 100, "%", "", "of one core, for both"),
    ]
