"""Pages left open while a thousand runs pass by: what the reader was at is as it was, and the page has not grown.

LEFT_OPEN_SECONDS says for how long (20; ten minutes are 600). `-rP` shows the figures.
"""

from __future__ import annotations

import logging
import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

if TYPE_CHECKING:
    import httpx

    from ..product import Product

tell = logging.getLogger(__name__).info
SECONDS = float(os.environ.get("LEFT_OPEN_SECONDS", "20"))
RUNS = 1000
WATCHED = 12
LINES = 3000  # of the log, at the beginning
HEAP_MAY_GROW = 12_000_000  # bytes
NODES_MAY_GROW = {"list": 3_000, "run": 60_000}  # a log shows at most 5,000 rows of about ten nodes
PASS_BY = """
import time
from django.utils import timezone
from runs_dashboard.models import Flow, Run
flow = Flow.across_tenants.select_related("latest").get(slug="left-open")
for batch in range({batches}):
    now = timezone.now()
    Run.across_tenants.bulk_create(
        Run(
            tenant_id=flow.tenant_id, flow=flow, version=flow.latest, trigger="external", is_external=True,
            status="succeeded" if number % 3 else "failed", created_at=now, queued_at=now, started_at=now,
            finished_at=now, ordered_at=now,
        )
        for number in range({size})
    )
    time.sleep({pause})
"""
LIST = """() => [scrollY, document.activeElement.closest('tr')?.id ?? document.activeElement.id,
    [...document.querySelectorAll('.tick:checked')].map((box) => box.value).sort(),
    [...document.querySelectorAll('#run-rows tr[id]')].map((row) => row.id).join(),
    document.querySelector('.bulk').checkVisibility(), document.getElementById('tick-all').indeterminate]"""
LOG = """() => {
    const box = document.getElementById('lines');
    const top = [...box.children].find((row) => row.getBoundingClientRect().bottom > box.getBoundingClientRect().top);
    return [scrollY, top.id, String(getSelection()), document.getElementById('follow').checked];
}"""


def report(client: httpx.Client, uid: str, **fields: Any) -> None:
    answer = client.put(f"/api/v1/flow-runs/{uid}", json={"flowId": "left-open", **fields})
    assert answer.status_code in (200, 201), answer.text


def write(client: httpx.Client, uid: str, first: int, count: int) -> None:
    text = "\n".join(f"line {number} of a long night" for number in range(first, first + count))
    path = f"/api/v1/flow-runs/{uid}/flow-run-logs"
    answer = client.post(path, content=text, headers={"Content-Type": "text/plain"})
    assert answer.status_code == 201, answer.text


def measure(page: Page) -> dict[str, float]:
    """Bytes of the page's heap and its nodes, after what nobody needs has gone."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    session.send("HeapProfiler.collectGarbage")
    metrics = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
    session.detach()
    return {"heap": metrics["JSHeapUsedSize"], "nodes": metrics["Nodes"]}


def count_requests(page: Page) -> list[str]:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    return asked


def test_a_list_and_a_log_left_open_are_as_they_were(
    context: BrowserContext, dashboard: Product, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger=__name__)
    with dashboard.api() as client:
        for number in range(WATCHED):
            report(client, f"open-{number:02}", phase="running")
        write(client, "open-00", 1, LINES)
        runs, run = context.new_page(), context.new_page()

        runs.goto("/runs/?flow=left-open&view=all")
        for number in (1, 4, 7):
            runs.locator(f"#run-open-{number:02} .tick").check()
        runs.locator("#run-open-04 a.name").focus()
        runs.evaluate("scrollTo(0, 260)")

        run.goto("/runs/open-00/")
        lines = run.locator("#lines")
        expect(lines).to_contain_text(f"line {LINES} of")
        lines.hover()
        run.mouse.wheel(0, -900)
        expect(run.get_by_label("Follow")).not_to_be_checked()
        run.evaluate(
            """() => {
                const box = document.getElementById('lines').getBoundingClientRect();
                const seen = [...document.querySelectorAll('#lines > [id]')].filter((row) => {
                    const place = row.getBoundingClientRect();
                    return place.top > box.top + 40 && place.bottom < box.bottom - 40;
                });
                getSelection().setBaseAndExtent(seen[0].lastElementChild, 0, seen[2].lastElementChild, 1);
            }"""
        )
        before = runs.evaluate(LIST), run.evaluate(LOG)
        assert len(before[0][2]) == 3
        assert "of a long night" in before[1][2]
        began = measure(runs), measure(run)
        asked = count_requests(runs), count_requests(run)

        batches = max(10, min(100, int(SECONDS)))
        code = PASS_BY.format(batches=batches, size=RUNS // batches, pause=SECONDS / batches)
        with ThreadPoolExecutor(1) as pool:
            passing = pool.submit(dashboard.manage, "shell", "-c", code, timeout=SECONDS + 300)
            written, until = LINES, time.monotonic() + SECONDS
            while not passing.done() or time.monotonic() < until:
                write(client, "open-00", written + 1, 20)
                written += 20
                runs.wait_for_timeout(1000)  # the plugin's clock: the browser goes on meanwhile
            passing.result()

        expect(runs.locator("#newpill")).to_have_text("100+ new runs")
        assert runs.evaluate(LIST) == before[0], "the half-made selection"
        assert run.evaluate(LOG) == before[1], "the place in the log, and what is selected"
        ended = measure(runs), measure(run)
        for name, place in (("list", 0), ("run", 1)):
            heap = ended[place]["heap"] - began[place]["heap"]
            nodes = ended[place]["nodes"] - began[place]["nodes"]
            tell("%s: heap %s bytes and %+d", name, began[place]["heap"], heap)
            tell("%s: nodes %s and %+d; %d requests", name, began[place]["nodes"], nodes, len(asked[place]))
            assert heap < HEAP_MAY_GROW, (name, heap)
            assert nodes < NODES_MAY_GROW[name], (name, nodes)
            assert len(asked[place]) < SECONDS * 2 + 40, (name, len(asked[place]))
        tell("%s s, %d runs and %d lines passed by", SECONDS, RUNS, written - LINES)

        # Both go on where they were left.
        runs.bring_to_front()
        report(client, "open-04", phase="failed", error="broke at last")
        expect(runs.locator("#run-open-04")).to_contain_text("broke at last")
        assert runs.evaluate(LIST) == before[0]
        run.bring_to_front()
        run.evaluate("getSelection().removeAllRanges()")
        run.locator("#more button").click()
        expect(lines).to_contain_text(f"line {written} of")
