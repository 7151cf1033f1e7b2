"""An operator with 300 failed runs: all retried from the list, another action aborted in its middle."""

import re
from collections.abc import Callable
from typing import Any

from playwright.sync_api import BrowserContext, Page, expect

from ..product import Product, wait_for

FLOW = """
id: {name}
name: {name}
steps:
  - id: work
    component: command
    with: {{run: ["true"]}}
"""
FAILED = """
from datetime import timedelta
from django.utils import timezone
from runs_dashboard.models import Flow, Run
flow = Flow.across_tenants.select_related("latest").get(slug="{name}")
now = timezone.now() - timedelta(hours=1)
Run.across_tenants.bulk_create(
    Run(
        tenant_id=flow.tenant_id, flow=flow, version=flow.latest, trigger="manual", status="failed", error="boom",
        created_at=now, queued_at=now, started_at=now, finished_at=now, ordered_at=now + timedelta(seconds=number),
    )
    for number in range({count})
)
"""


def make_failed(dashboard: Product, name: str, count: int) -> None:
    dashboard.load_flow(FLOW.format(name=name))
    dashboard.manage("shell", "-c", FAILED.format(name=name, count=count))


def count_retries(dashboard: Product, name: str) -> int:
    with dashboard.api() as client:
        answer = client.get("/api/v1/flow-runs", params={"filter[flow_id]": name, "filter[trigger]": "retry"})
        assert answer.status_code == 200, answer.text
        return int(answer.json()["total"])


def test_three_hundred_failed_runs_are_retried_from_the_list(page: Page, dashboard: Product) -> None:
    make_failed(dashboard, "bulk-many", 300)
    page.goto("/runs/?status=failed&flow=bulk-many")
    page.get_by_label("Select all on this page").check()
    bar = page.locator("#bulk")
    expect(bar.get_by_role("button", name="Retry selected")).to_be_visible()
    bar.get_by_role("link", name="Retry all 300 that match…").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Retry all that match")
    expect(page.locator("main")).to_contain_text("300 runs with status failed, flow bulk-many.")
    page.get_by_label("Runs a second").fill("50")
    page.get_by_role("button", name="Retry 300 runs").click()
    page.wait_for_url(re.compile(r"/bulk/[0-9a-f-]{36}/"))
    expect(page).to_have_title(re.compile(r"^[1-9]\d? % · Retry 300 runs$"))
    page.evaluate("document.querySelector('#bulk-tabs a').focus()")
    expect(page).to_have_title("Done: Retry 300 runs", timeout=90_000)
    assert page.evaluate("document.activeElement.closest('#bulk-tabs') !== null"), "the focus stays where it was"
    expect(page.locator("#bulk-head")).to_contain_text("300 of 300 done")
    expect(page.locator("#bulk-poll[data-ended]")).to_have_count(1)
    assert count_retries(dashboard, "bulk-many") == 300
    page.get_by_role("link", name=re.compile("^[0-9a-f]{8}$")).first.click()
    expect(page.locator("main")).to_contain_text("bulk-many")


def test_an_abort_in_the_middle_leaves_the_rest_alone(page: Page, dashboard: Product) -> None:
    make_failed(dashboard, "bulk-abort", 60)
    page.goto("/bulk/new/?act=retry&status=failed&flow=bulk-abort")
    page.get_by_label("Runs a second").fill("2")
    page.get_by_role("button", name="Retry 60 runs").click()
    page.wait_for_url(re.compile(r"/bulk/[0-9a-f-]{36}/"))
    expect(page).to_have_title(re.compile(r"^[1-9]\d? % · Retry 60 runs$"))
    page.get_by_role("button", name="Abort").click()
    expect(page).to_have_title("Aborted: Retry 60 runs")
    said = page.locator("#messages").inner_text()
    found = re.search(r"Aborted: (\d+) done before, (\d+) not begun", said)
    assert found, said
    done, left = int(found[1]), int(found[2])
    assert done + left == 60
    assert 0 < done < 60
    page.wait_for_timeout(2_000)  # in which four more would have been begun
    assert count_retries(dashboard, "bulk-abort") == done
    expect(page.get_by_role("button", name="Abort")).to_have_count(0)


def test_it_works_without_scripts_on_a_phone(
    new_context: Callable[..., BrowserContext], signed_in_state: Any, dashboard: Product
) -> None:
    make_failed(dashboard, "bulk-phone", 60)
    window = new_context(
        storage_state=signed_in_state, java_script_enabled=False, viewport={"width": 390, "height": 800}
    )
    page = window.new_page()
    page.goto("/runs/?status=failed&flow=bulk-phone")
    page.get_by_text("All that match", exact=True).click()
    page.get_by_role("link", name="Review all that match…").click()
    page.get_by_role("button", name="Review 60 runs").click()
    page.wait_for_url(re.compile(r"/bulk/[0-9a-f-]{36}/"))

    def is_done() -> bool:
        page.reload()
        return page.title() == "Done: Review 60 runs"

    wait_for(is_done, "the end of the action", seconds=60, every=0.5)
    assert page.locator("#bulk-results tr[id]").count() == 50
    page.get_by_role("link", name="Next").click()
    assert page.locator("#bulk-results tr[id]").count() == 10
