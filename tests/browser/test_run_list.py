"""The run list in a real browser: find by order number, views for the team, a list left open while runs pass by."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from playwright.sync_api import Page, expect

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx
    from playwright.sync_api import BrowserContext

    from ..product import Product

LIVE = 12
MANY = """
import time
from django.utils import timezone
from runs_dashboard.models import Flow, Run
flow = Flow.across_tenants.select_related("latest").get(slug="passing-by")
for batch in range(10):
    now = timezone.now()
    Run.across_tenants.bulk_create(
        Run(
            tenant_id=flow.tenant_id, flow=flow, version=flow.latest, trigger="external", is_external=True,
            status="succeeded" if number % 3 else "failed", created_at=now, queued_at=now, started_at=now,
            finished_at=now, ordered_at=now,
            **({"uid": "passing-last"} if (batch, number) == (9, 99) else {}),
        )
        for number in range(100)
    )
    time.sleep(0.3)
"""
PEOPLE = """
from runs_dashboard.models import Membership, Tenant, User
user, _ = User.objects.get_or_create(username="{name}")
user.set_password("{password}")
user.save()
Membership.across_tenants.get_or_create(user=user, tenant=Tenant.objects.get(), defaults={{"role": "{role}"}})
"""


def report(client: httpx.Client, uid: str, **fields: Any) -> None:
    answer = client.put(f"/api/v1/flow-runs/{uid}", json={"flowId": "passing-by", **fields})
    assert answer.status_code in (200, 201), answer.text


def field(page: Page) -> Any:
    return page.get_by_role("combobox", name="Filter runs")


def test_a_run_is_found_by_its_order_number(page: Page, dashboard: Product) -> None:
    with dashboard.api() as client:
        report(client, "bar-1", phase="failed", trackedData=[{"key": "order_id", "value": "90210"}], error="no stock")
        report(client, "bar-2", phase="succeeded", trackedData=[{"key": "order_id", "value": "90211"}])
    page.goto("/runs/?view=all")
    page.keyboard.press("/")
    expect(field(page)).to_be_focused()
    options = page.locator("#query-options [role=option]")
    expect(options.first).to_be_visible()
    page.keyboard.type("order_")
    expect(options).to_have_text(["order_id:tracked data"])
    page.keyboard.press("ArrowDown")
    expect(field(page)).to_have_attribute("aria-activedescendant", "query-option-0")
    page.keyboard.press("Enter")
    expect(field(page)).to_have_value("order_id:")
    page.keyboard.type("9021")
    expect(options).to_have_text(["order_id:90210", "order_id:90211"])
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(field(page)).to_have_value("order_id:90210 ")
    expect(options).to_have_count(0)
    page.keyboard.press("Enter")
    page.wait_for_url("**/runs/?tracked=order_id%3A90210")
    expect(page.locator("#run-rows tr[id]")).to_have_count(1)
    expect(page.locator("#run-bar-1")).to_contain_text("no stock")
    # From here by keys alone: to the run, ticked, opened.
    page.keyboard.press("Escape")
    page.locator("main").focus()
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(page.locator("#run-bar-1 .tick")).to_be_checked()
    page.keyboard.press("Enter")
    page.wait_for_url("**/runs/bar-1/")


def test_suggestions_close_by_escape_and_never_stand_in_the_way_of_enter(page: Page, dashboard: Product) -> None:
    page.goto("/runs/?view=all")
    field(page).click()
    page.keyboard.type("flow:nothing-like-this sta")
    options = page.locator("#query-options [role=option]")
    expect(options.first).to_be_visible()
    page.keyboard.press("Escape")
    expect(options).to_have_count(0)
    expect(field(page)).to_have_attribute("aria-expanded", "false")
    page.keyboard.type("tus:failed")
    page.keyboard.press("Enter")
    page.wait_for_url("**/runs/?status=failed&flow=nothing-like-this")
    expect(page.get_by_role("heading", name="No run fits")).to_be_visible()


def test_a_view_is_kept_shared_and_used_by_somebody_else(
    page: Page, dashboard: Product, new_context: Callable[..., BrowserContext]
) -> None:
    dashboard.manage("shell", "-c", PEOPLE.format(name="vera", password="another pass phrase", role="viewer"))
    with dashboard.api() as client:
        report(client, "view-1", phase="failed")
    page.goto("/runs/?status=failed&flow=passing-by&columns=duration,lines")
    page.locator("summary", has_text="Views").click()
    page.get_by_label("Save this list as a view").fill("Night shift")
    page.get_by_label("Share it with").check()
    page.get_by_role("button", name="Save view").click()
    expect(page.locator("summary", has_text="Night shift")).to_be_visible()

    theirs = new_context().new_page()
    theirs.goto("/login/")
    theirs.get_by_label("Username").fill("vera")
    theirs.get_by_label("Password").fill("another pass phrase")
    theirs.get_by_role("button", name="Sign in").click()
    theirs.wait_for_url("**/runs/")
    theirs.locator("summary", has_text="Views").click()
    theirs.get_by_role("link", name="Night shift").click()
    theirs.wait_for_url(re.compile("status=failed&flow=passing-by"))
    expect(field(theirs)).to_have_value("status:failed flow:passing-by")
    expect(theirs.locator("#run-view-1")).to_be_visible()
    expect(theirs.get_by_role("columnheader")).to_have_text(["Status", "Flow and run", "Duration", "Lines"])
    theirs.goto("/views/")
    expect(theirs.get_by_role("button", name="Delete Night shift")).to_have_count(0)
    theirs.get_by_role("button", name="Begin with Night shift").click()
    theirs.goto("/")
    expect(field(theirs)).to_have_value("status:failed flow:passing-by")

    page.goto("/views/")
    page.get_by_role("button", name="Delete Night shift").click()
    theirs.goto("/runs/")
    expect(field(theirs)).to_have_value("")


def test_a_list_left_open_while_a_thousand_runs_pass_keeps_ticks_focus_and_place(
    page: Page, dashboard: Product
) -> None:
    with dashboard.api() as client:
        for number in range(LIVE):
            report(client, f"live-{number:02}", phase="running")
        page.goto("/runs/?flow=passing-by&view=all")
        rows = page.locator("#run-rows tr[id]")
        shown = rows.evaluate_all("rows => rows.map((row) => row.id)")
        for number in (1, 4, 7):
            page.locator(f"#run-live-{number:02} .tick").check()
        page.locator("#run-live-04 a.name").focus()
        page.evaluate("scrollTo(0, 260)")
        looks = """() => [scrollY, document.activeElement.closest('tr')?.id ?? document.activeElement.id,
            [...document.querySelectorAll('.tick:checked')].map((box) => box.value).sort(),
            document.querySelector('.bulk').checkVisibility(), document.getElementById('tick-all').indeterminate]"""
        before = page.evaluate(looks)
        assert before[1:3] == ["run-live-04", ["live-01", "live-04", "live-07"]]
        # What changes, changes in its place: a ticked one, the focused one, and one that is neither.
        for number in (2, 4, 7):
            report(client, f"live-{number:02}", phase="failed", error=f"broke {number}")
        expect(page.locator("#run-live-04")).to_contain_text("broke 4")
        expect(page.locator("#run-live-07")).to_have_attribute("data-s", "failed")
        report(client, "passing-first", phase="succeeded")
        expect(page.locator("#newpill")).to_have_text("1 new run")
        dashboard.manage("shell", "-c", MANY)
        expect(page.locator("#newpill")).to_have_text("100+ new runs")
        expect(page.locator("#run-live-02")).to_contain_text("broke 2")
        assert page.evaluate(looks) == before
        assert rows.evaluate_all("rows => rows.map((row) => row.id)") == shown, "no row slid"

        # Text that is being selected stays selected, and its row changes when the reader has done.
        page.evaluate("getSelection().selectAllChildren(document.querySelector('#run-live-01 code'))")
        chosen = page.evaluate("String(getSelection())")
        report(client, "live-01", phase="succeeded")
        page.wait_for_timeout(7_000)  # two questions and more: that nothing is asked cannot be waited for otherwise
        assert page.evaluate("String(getSelection())") == chosen
        expect(page.locator("#run-live-01")).to_have_attribute("data-s", "running")
        page.evaluate("getSelection().removeAllRanges()")
        expect(page.locator("#run-live-01")).to_have_attribute("data-s", "succeeded")
        assert page.evaluate(looks) == before
    page.locator("#newpill a").click()
    expect(page.locator("#run-passing-last")).to_be_visible()


def test_an_open_menu_of_the_list_is_left_alone_by_the_news(page: Page, dashboard: Product) -> None:
    with dashboard.api() as client:
        report(client, "menu-1", phase="running")
        page.goto("/runs/?flow=passing-by&view=all")
        page.locator("summary", has_text="Filters").click()
        page.get_by_label("Started after").fill("3d")
        report(client, "menu-1", phase="failed")
        page.wait_for_timeout(4_000)
        expect(page.get_by_label("Started after")).to_have_value("3d")
        page.keyboard.press("Escape")
        expect(page.locator("#run-menu-1")).to_have_attribute("data-s", "failed")


def test_the_list_and_its_menus_fit_a_phone(page: Page, dashboard: Product, expected_complaints: list[str]) -> None:
    expected_complaints.append("status of 400")  # of the query that cannot be read
    page.set_viewport_size({"width": 390, "height": 844})
    with dashboard.api() as client:
        report(
            client,
            "phone-1",
            phase="failed",
            error="x" * 400,
            trackedData=[{"key": "customer_reference_number", "value": "y" * 200}],
        )
    for address in (
        "/runs/?flow=passing-by&tag=" + "z" * 200,
        "/runs/?flow=passing-by",
        "/views/",
        "/runs/?q=statsu:x",
    ):
        page.goto(address, wait_until="domcontentloaded")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, address
    page.goto("/runs/?flow=passing-by")
    for name in ("Filters", "Views"):
        page.locator("summary", has_text=name).click()
        panel = page.locator("details[open] > .panel").first
        expect(panel).to_be_in_viewport()
        box = panel.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
        page.keyboard.press("Escape")


def test_a_reason_that_is_unfolded_stays_so_while_its_row_is_drawn_again(page: Page, dashboard: Product) -> None:
    with dashboard.api() as client:
        report(client, "unfold-1", phase="queued")
    page.goto("/runs/?flow=passing-by&status=queued")
    row = page.locator("#run-unfold-1")
    row.locator("summary").focus()
    page.keyboard.press("Enter")
    seen = page.locator("#live").inner_text()
    expect(page.locator("#live")).not_to_have_text(seen)
    seen = page.locator("#live").inner_text()
    expect(page.locator("#live")).not_to_have_text(seen)
    expect(row.locator("details")).to_have_attribute("open", "")
    expect(row.locator("summary")).to_be_focused()


def test_the_list_goes_to_a_time_that_is_typed(page: Page, dashboard: Product) -> None:
    with dashboard.api() as client:
        report(
            client,
            "old-1",
            flowId="gone-by",
            phase="succeeded",
            startTime="2026-03-01T10:00:00Z",
            endTime="2026-03-01T10:01:00Z",
        )
        report(client, "new-1", flowId="gone-by", phase="succeeded")
    page.goto("/runs/?flow=gone-by")
    page.get_by_label("Go to").fill("2026-03-01 23:00")
    page.get_by_role("button", name="Go", exact=True).click()
    expect(page.locator("#run-old-1")).to_be_visible()
    expect(page.locator("#run-new-1")).to_have_count(0)
    assert "flow=gone-by" in page.url
    page.get_by_role("link", name="Newer").click()
    expect(page.locator("#run-new-1")).to_be_visible()
