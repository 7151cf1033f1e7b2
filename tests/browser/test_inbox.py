"""The inbox in a real browser: a failure appears, a retry that succeeds takes it out, reviewing all empties it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from playwright.sync_api import Locator, Page, expect

from ..product import wait_for

if TYPE_CHECKING:
    import httpx

    from ..product import Product

FLOW = """
id: {slug}
name: {name}
inputs:
  goes: {{type: boolean, default: false}}
  why: {{type: string, default: no stock}}
steps:
  - id: load
    component: command
    with: {{run: ["sh", "-c", "echo $INPUT_WHY; test $INPUT_GOES = true"]}}
"""


def run(client: httpx.Client, slug: str, **args: Any) -> str:
    """Starts the flow and waits until it has ended; its id."""
    answer = client.post("/api/v1/flow-runs", json={"flowId": slug, "args": args})
    assert answer.status_code == 201, answer.text
    return wait_until_ended(client, str(answer.json()["id"]))


def wait_until_ended(client: httpx.Client, uid: str) -> str:
    def is_over() -> bool:
        return client.get(f"/api/v1/flow-runs/{uid}").json()["phase"] in ("failed", "succeeded")

    wait_for(is_over, "the run to end", seconds=30, every=0.1)
    return uid


def cards(page: Page) -> Locator:
    return page.locator(".inbox > li")


def test_it_fills_with_failures_and_empties(page: Page, dashboard: Product) -> None:
    dashboard.load_flow(FLOW.format(slug="inbox-orders", name="Inbox orders"))
    page.goto("/inbox/?flow=inbox-orders")
    expect(page.get_by_role("heading", name="No unresolved failure is like that")).to_be_visible()
    with dashboard.api() as client:
        first = run(client, "inbox-orders")
        page.reload()
        expect(cards(page)).to_have_count(1)
        card = cards(page).first
        expect(card).to_contain_text("New")
        expect(card.locator(".big")).to_have_text("1")

        second = run(client, "inbox-orders")
        expect(card.locator(".big")).to_have_text("2", timeout=20_000)  # in place, while the page is open

        for uid in (first, second):
            answer = client.post(f"/api/v1/flow-runs/{uid}/retry", json={"args": {"goes": True}})
            assert answer.status_code == 201, answer.text
            wait_until_ended(client, str(answer.json()["id"]))
    expect(card).to_contain_text("Resolved", timeout=20_000)
    page.reload()
    expect(cards(page)).to_have_count(0)
    page.goto(f"/runs/{first}/")
    expect(page.locator(".facts")).to_contain_text("Resolved by")


def test_reviewing_all_of_a_kind_takes_it_out(page: Page, dashboard: Product) -> None:
    dashboard.load_flow(FLOW.format(slug="inbox-review", name="Inbox review"))
    with dashboard.api() as client:
        for _ in range(3):
            run(client, "inbox-review")
    page.goto("/inbox/?flow=inbox-review")
    expect(cards(page).locator(".big")).to_have_text("3")
    page.get_by_role("link", name="Review all").click()
    expect(page.get_by_role("heading", name="Review all that match")).to_be_visible()
    page.get_by_role("button", name="Review 3 runs").click()
    expect(page).to_have_title(re.compile("^Done: Review 3 runs"), timeout=20_000)  # not the first of them alone
    page.goto("/inbox/?flow=inbox-review")
    expect(page.get_by_role("heading", name="No unresolved failure is like that")).to_be_visible()
