"""Somebody at night: a run is found on a phone, understood, retried; all of it without scripts, too."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from playwright.sync_api import BrowserContext, Page, expect

from ..product import Product, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    NewContext = Callable[..., BrowserContext]

PASSWORD = "another long pass phrase"
PERSON = """
from runs_dashboard.models import Membership, Tenant, User
user, _ = User.objects.get_or_create(username="{name}")
user.set_password("{password}")
user.save()
Membership.across_tenants.get_or_create(user=user, tenant=Tenant.objects.get(), defaults={{"role": "{role}"}})
"""
FLOW = """
id: night-{name}
name: Night {name}
inputs:
  day: {{type: string, default: "2026-02-30"}}
steps:
  - id: fetch
    component: command
    with:
      run:
        - sh
        - -c
        - |
          echo fetched 3 orders
          echo '{{"track": {{"order_id": "{order}"}}}}' >> $RUN_REPORT
  - id: load
    component: command
    with:
      run:
        - sh
        - -c
        - |
          i=0
          while [ $i -lt 400 ]; do echo "loading row $i"; i=$((i+1)); done
          if [ "$INPUT_DAY" = "2026-02-30" ]; then echo "ERROR: no such day: $INPUT_DAY" >&2; exit 4; fi
          if [ "$INPUT_DAY" = "wait" ]; then sleep 120; fi
"""


def start(dashboard: Product, name: str, order: str, **args: str) -> str:
    dashboard.load_flow(FLOW.format(name=name, order=order))
    with dashboard.api() as client:
        answer = client.post("/api/v1/flow-runs", json={"flowId": f"night-{name}", "args": args})
        assert answer.status_code == 201, answer.text
        uid = str(answer.json()["id"])
        if not args:
            path = f"/api/v1/flow-runs/{uid}"
            wait_for(lambda: client.get(path).json()["phase"] == "failed", "the run failed", seconds=30)
    return uid


def enter(new_context: NewContext, dashboard: Product, name: str, role: str, **window: Any) -> Page:
    """A window of somebody new with this role."""
    dashboard.manage("shell", "-c", PERSON.format(name=name, password=PASSWORD, role=role))
    page = new_context(**window).new_page()
    page.goto("/login/")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/runs/**")
    return page


def test_support_finds_a_customers_run_on_the_phone_reviews_it_and_takes_the_log(
    new_context: NewContext, dashboard: Product
) -> None:
    uid = start(dashboard, "phone", "SO-77001")
    page = enter(new_context, dashboard, "sanna", "support", viewport={"width": 390, "height": 844}, has_touch=True)
    page.locator("[data-jump-open]").tap()
    page.keyboard.type("SO-77001")
    option = page.locator("#jump-options [role=option]").first
    expect(option).to_contain_text("order_id=SO-77001")
    option.tap()
    page.wait_for_url(f"**/runs/{uid}/")
    # On the first screen: that it failed, where, and with which words.
    expect(page.locator("#answer .st.big")).to_be_in_viewport()
    expect(page.locator("#what")).to_have_text("load failed")
    expect(page.locator("#error-text")).to_contain_text("no such day")
    expect(page.locator("#error-text")).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    expect(page.get_by_role("button", name="Retry", exact=True)).to_have_count(0)  # not for support
    page.get_by_role("button", name="Review", exact=True).tap()
    expect(page.locator("#answer")).to_contain_text("Reviewed")
    page.get_by_role("button", name="Download", exact=True).tap()
    page.wait_for_url("**/downloads/**")
    link = page.locator("#downloads tr").filter(has_text=uid[-8:]).locator("a[download]")
    expect(link).to_be_visible()
    with page.expect_download() as download:
        link.tap()
    assert "ERROR: no such day: 2026-02-30" in download.value.path().read_text()


def test_the_line_that_says_why_is_one_press_away(page: Page, dashboard: Product) -> None:
    uid = start(dashboard, "why", "SO-77002")
    page.goto("/runs/?flow=night-why&status=failed")
    row = page.locator(f"#run-{uid}")
    expect(row).to_contain_text("no such day")  # the list says it already
    row.locator("a.name").click()
    expect(page.locator("#what")).to_have_text("load failed")
    page.wait_for_load_state("networkidle")  # what comes later may move the link while it is pressed
    page.locator("#answer").get_by_role("link", name=re.compile("^line ")).click()
    page.wait_for_url("**from=**")
    line = page.locator("#lines > [id]", has_text="ERROR: no such day: 2026-02-30")
    expect(line).to_have_class(re.compile("here"))
    expect(line).to_be_in_viewport()
    before = page.locator("#lines > [id]", has_text="loading row 399")
    expect(before).to_be_visible()  # with what came before it
    page.get_by_role("button", name="Retry", exact=True).click()
    form = page.locator("#retry-form")
    form.get_by_label("day", exact=False).first.fill("2026-02-28")
    form.get_by_role("button", name="Retry", exact=True).click()
    page.wait_for_url(lambda url: "/runs/" in url and uid not in url)
    expect(page.locator("#answer .st.big")).to_have_text("Succeeded", timeout=30_000)


def test_find_read_retry_stop_review_download_and_sign_out_without_scripts(
    new_context: NewContext, dashboard: Product
) -> None:
    uid = start(dashboard, "plain", "SO-77003")
    page = enter(new_context, dashboard, "olga", "operator", java_script_enabled=False)
    field = page.get_by_label("Filter runs")
    field.fill("order_id:SO-77003")
    field.press("Enter")
    page.locator(f"#run-{uid} a.name").click()
    expect(page.locator("#error-text")).to_contain_text("no such day")
    page.get_by_role("link", name=re.compile("^line ")).first.click()
    expect(page.locator("#lines")).to_contain_text("ERROR: no such day: 2026-02-30")
    page.get_by_role("button", name="Review", exact=True).click()
    expect(page.locator("#answer")).to_contain_text("Reviewed")

    page.get_by_role("button", name="Download", exact=True).click()

    own_file = page.get_by_role("row").filter(has_text=uid[-8:]).get_by_role("link", name="Get file")

    def is_made() -> bool:
        page.goto("/downloads/")
        return own_file.count() > 0

    wait_for(is_made, "the file is made", seconds=30, every=0.5)
    with page.expect_download() as download:
        own_file.click()
    assert "no such day" in download.value.path().read_text()

    page.goto(f"/runs/{uid}/")
    page.get_by_role("button", name="Retry", exact=True).click()
    form = page.locator("#retry-form")
    form.get_by_label("day", exact=False).first.fill("wait")
    form.get_by_role("button", name="Retry", exact=True).last.click()
    page.wait_for_url(lambda url: "/runs/" in url and uid not in url and "/retry/" not in url)
    page.get_by_role("button", name="Stop", exact=True).click()

    def is_stopped() -> bool:
        page.reload()
        return "Stopped" in page.locator("#answer .st.big").inner_text()

    wait_for(is_stopped, "the run is stopped", seconds=40, every=0.5)
    page.locator("summary.user").click()
    page.get_by_role("button", name="Sign out").click()
    page.goto(f"/runs/{uid}/")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
