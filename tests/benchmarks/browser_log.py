"""A log in a real Chromium: a million lines opened and jumped through, then a live one that grows by 5,000 lines a
second for a minute while its reader has scrolled up.

Wanted: no task of the page over 200 ms, a bounded number of nodes, a flat heap, the reader's place kept, no line lost.
"""

import os
import shutil
import subprocess
import sys
import time
from typing import Any

from ..browser.conftest import ARGUMENTS, CHROMIUM
from ..product import ROOT, Product, wait_for
from .context import Context, read_lines
from .table import Row

LINES = int(os.environ.get("BROWSER_LINES", "1000000"))
SECONDS = float(os.environ.get("BROWSER_SECONDS", "60"))
BATCH, PAUSE = 500, 0.1  # 5,000 lines a second
JUMPS = (0.5, 0.05, 0.95, 0.33, 0.66)
# Kept by the page itself: no answer of it is disturbed by our asking.
WATCH = """
window.longTasks = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) window.longTasks.push(entry.duration);
}).observe({ type: "longtask", buffered: true });
"""
LAST_ROW = "() => [...document.querySelectorAll('#lines > [id^=L]')].at(-1)?.id ?? ''"
TOP_ROW = """() => {
  const box = document.getElementById("lines");
  const at = box.getBoundingClientRect().top;
  const row = [...box.querySelectorAll(":scope > [id^=L]")].find((one) => one.getBoundingClientRect().bottom > at);
  return [row?.id, Math.round(row?.getBoundingClientRect().top - at)];
}"""


def run(context: Context) -> list[Row]:
    from playwright.sync_api import sync_playwright

    chromium = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if chromium is None:
        return []
    product = context.make_product()
    try:
        product.start()
        code = f"from tests.benchmarks.browser_log import make_long; print(make_long({LINES}))"
        uid = product.manage("shell", "-v0", "-c", code, timeout=1_200).split()[-1]
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
            try:
                page = browser.new_page(viewport={"width": 1280, "height": 800})
                page.add_init_script(WATCH)
                sign_in(page, product)
                return [*jump(page, product, uid), *follow(page, product)]
            finally:
                browser.close()
    finally:
        context.make_product.end(product)


def make_long(size: int) -> str:
    """Within the product's own Python: a failed run of so many lines."""
    from runs_dashboard.models import Flow, Machine, Tenant

    from . import log_sizes

    flow = Flow.named("long", tenant=Tenant.objects.get(slug="default"), by=Machine(name="benchmark"))
    return str(log_sizes.fill(flow, size).uid)


def sign_in(page: Any, product: Product) -> None:
    page.goto(f"{product.url}/runs/")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password", exact=True).fill(product.password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/runs/")


class Instruments:
    """What Chromium says of the page: nodes and heap after a collection of what nobody uses."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.session = page.context.new_cdp_session(page)
        self.session.send("Performance.enable")
        self.tasks: list[float] = []

    def look(self) -> tuple[int, float]:
        self.session.send("HeapProfiler.collectGarbage")
        told = {one["name"]: one["value"] for one in self.session.send("Performance.getMetrics")["metrics"]}
        self.tasks += self.page.evaluate("() => window.longTasks.splice(0)")
        return self.page.evaluate("() => document.querySelectorAll('*').length"), told["JSHeapUsedSize"] / 1e6

    def longest(self) -> float:
        longest = max(self.tasks, default=0.0)
        self.tasks = []
        return longest


def jump(page: Any, product: Product, uid: str) -> list[Row]:
    watch = Instruments(page)
    times, nodes = [], []
    for place in (None, *JUMPS):
        address = f"{product.url}/runs/{uid}/"
        began = time.monotonic()
        page.goto(address if place is None else f"{address}?from={int(LINES * place)}")
        page.locator("#lines > [id^=L]").first.wait_for()
        times.append(time.monotonic() - began)
        point_at_log(page)
        for _ in range(15):  # and on from there, both ways
            page.mouse.wheel(0, -3_000)
            page.wait_for_timeout(60)
        for _ in range(15):
            page.mouse.wheel(0, 4_000)
            page.wait_for_timeout(60)
        nodes.append(watch.look()[0])
    how = f"{len(JUMPS)} places of {LINES:,} lines, each scrolled 30 times"
    return [
        Row(
            "browser: a million lines opened", times[0], "s", "≤ 1", f"to its first row; a jump {max(times[1:]):.2f} s"
        ),
        Row("browser: longest task while jumping", watch.longest(), "ms", "≤ 200", how),
        Row("browser: nodes while jumping, at most", max(nodes), "", "", how),
    ]


def follow(page: Any, product: Product) -> list[Row]:
    command = [sys.executable, "-m", "tests.live.writer", "1", str(BATCH), str(PAUSE)]
    with (
        subprocess.Popen(
            command, cwd=ROOT, env=product.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as writer,
        product.api() as api,
    ):
        assert writer.stdin is not None
        assert writer.stdout is not None
        uid = writer.stdout.readline().strip()
        append = f"/api/v1/flow-runs/{uid}/flow-run-logs"
        body = "".join(f"before {number}\n" for number in range(2_000))
        assert api.post(append, content=body, headers={"Content-Type": "text/plain"}).is_success
        page.goto(f"{product.url}/runs/{uid}/")
        page.locator("#L2000").wait_for()
        watch = Instruments(page)
        began = time.monotonic()
        writer.stdin.write("\n")
        writer.stdin.flush()
        wait_for(lambda: last_line(page) > 4_000, "new lines in the page", seconds=30, every=0.1)
        point_at_log(page)
        turns = 0
        while page.evaluate("() => document.getElementById('follow').checked"):
            turns += 1
            assert turns < 50, "scrolling up does not end the following"
            page.mouse.wheel(0, -600)
            page.wait_for_timeout(50)
        page.wait_for_timeout(500)
        watch.look()
        watch.longest()
        place = page.evaluate(TOP_ROW)
        looks: list[tuple[int, float]] = []
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            page.wait_for_timeout(SECONDS * 100)
            looks.append(watch.look())
        kept = page.evaluate(TOP_ROW)
        longest = watch.longest()
        lasted = time.monotonic() - began
        writer.stdin.close()
        writer.wait(20)
        count = count_lines(api, uid)
        page.locator("#more button").click()
        wait_for(lambda: last_line(page) == count, "the end of the log", seconds=30, every=0.1)
        longest_end = (watch.look(), watch.longest())[1]
    assert kept == place, f"the reader's place moved: {place} became {kept}"
    rate = (count - 2_000) / lasted
    how = f"{lasted:.0f} s at {rate:,.0f} lines/s, the reader scrolled up; {count:,} lines, none lost"
    heaps = [heap for _, heap in looks]
    return [
        Row("browser: longest task while a log grows", longest, "ms", "≤ 200", how),
        Row("browser: turns of the wheel that end the following", turns, "", "≤ 1"),
        Row("browser: longest task on the way back to its end", longest_end, "ms", "≤ 200"),
        Row("browser: nodes meanwhile, at most", max(nodes for nodes, _ in looks), "", "", f"first {looks[0][0]:,}"),
        Row("browser: heap at the end", heaps[-1], "MB", "", f"first {heaps[0]:.1f}, most {max(heaps):.1f}"),
    ]


def point_at_log(page: Any) -> None:
    box = page.evaluate(
        "() => { const box = document.getElementById('lines'); box.scrollIntoView({ block: 'nearest' });"
        " const { x, y, width, height } = box.getBoundingClientRect(); return [x + width / 2, y + height / 2]; }"
    )
    page.mouse.move(*box)


def last_line(page: Any) -> int:
    return int(page.evaluate(LAST_ROW)[1:] or 0)


def count_lines(api: Any, uid: str) -> int:
    """How many there are; the last of them has that number."""
    total = int(api.get(f"/api/v1/flow-runs/{uid}/flow-run-logs", params={"per_page": 1}).json()["total"])
    (last,) = read_lines(api, uid, after=total - 1)
    assert last["line"] == total
    return total
