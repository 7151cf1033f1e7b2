"""Everything by keyboard: the palette, the sheet of keys, the keys themselves, and that none fires while one types."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from playwright.sync_api import Page, expect

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import BrowserContext

    from ..product import Product

FLOW = """
id: key-{name}
name: Key {name}
steps:
  - id: go
    component: command
    with:
      run:
        - sh
        - -c
        - |
          echo started
          echo '{{"track": {{"parcel": "PX-{name}"}}}}' >> $RUN_REPORT
          {command}
"""


def make_run(dashboard: Product, name: str, command: str) -> str:
    dashboard.load_flow(FLOW.format(name=name, command=command))
    with dashboard.api() as client:
        answer = client.post("/api/v1/flow-runs", json={"flowId": f"key-{name}"})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])


def options(page: Page) -> Any:
    return page.locator("#jump-options [role=option]")


def test_the_palette_leads_to_a_flow_a_run_a_page_and_an_action(page: Page, dashboard: Product) -> None:
    uid = make_run(dashboard, "palette", "exit 3")
    page.goto("/flows/")
    page.keyboard.press("Control+k")
    field = page.get_by_role("combobox", name="Flow, run, order number, page or action")
    expect(field).to_be_focused()
    expect(options(page).first).to_be_visible()
    page.keyboard.type("shipp")
    expect(options(page).first).to_contain_text("Demo: shipping")
    expect(field).to_have_attribute("aria-activedescendant", "jump-option-0")
    page.keyboard.press("Enter")
    page.wait_for_url("**/flows/demo-shipping/")

    # A run by its order number, faster than the answer comes.
    page.keyboard.press("Control+k")
    page.keyboard.type("PX-palette")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/runs/{uid}/")

    # By the end of its id; down and up again.
    page.goto("/runs/")
    page.get_by_role("link", name="Jump to…").click()
    page.keyboard.type(uid[-8:])
    expect(options(page).first).to_contain_text(uid[-8:])
    page.keyboard.press("ArrowDown")
    expect(field).to_have_attribute("aria-activedescendant", "jump-option-1")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/runs/{uid}/")

    # What this page can do, and another page.
    expect(page.locator("#answer")).to_contain_text("Failed")
    page.keyboard.press("Control+k")
    page.keyboard.type("retry")
    expect(options(page).first).to_contain_text("Retry")
    page.keyboard.press("Enter")
    expect(page.locator("#retry-form")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    page.keyboard.type("insi")
    expect(options(page).first).to_contain_text("Insights")
    page.keyboard.press("Enter")
    page.wait_for_url("**/insights/")


def test_the_palette_gives_the_focus_back_and_changes_the_theme(page: Page, dashboard: Product) -> None:
    page.goto("/runs/?view=all")
    button = page.get_by_role("link", name="Jump to…")
    button.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#jump")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#jump")).to_be_hidden()
    expect(button).to_be_focused()
    page.keyboard.press("Control+k")
    page.keyboard.type("theme dark")
    expect(options(page).first).to_contain_text("Theme: Dark")
    page.keyboard.press("Enter")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.keyboard.press("Control+k")
    page.keyboard.type("theme sys")
    expect(options(page).first).to_contain_text("Theme: System")
    page.keyboard.press("Enter")
    expect(page.locator("html")).not_to_have_attribute("data-theme", re.compile("."))


def test_a_stop_asks_first(page: Page, dashboard: Product) -> None:
    uid = make_run(dashboard, "stop", "sleep 60")
    page.goto(f"/runs/{uid}/")
    expect(page.locator("#lines")).to_contain_text("started")
    page.keyboard.press("s")
    expect(page.get_by_role("textbox", name="Reason")).to_be_focused()
    expect(page.locator("#answer .st.big")).to_have_text("Running")
    page.keyboard.type("wrong day, r and s are letters here")
    expect(page.locator("dialog[open]")).to_have_count(0)
    page.keyboard.press("Enter")
    expect(page.locator("#answer .st.big")).to_have_text(re.compile("Stop"))
    expect(page.locator("#answer")).to_contain_text("wrong day")
    expect(page.locator("#answer .st.big")).to_have_text("Stopped", timeout=20_000)
    # The tab says it too, without a reload.
    expect(page).to_have_title(re.compile("^Stopped: Key stop"))
    expect(page.locator("#favicon")).to_have_attribute("href", re.compile("favicons/stopped"))


def test_the_keys_of_a_run(page: Page, dashboard: Product) -> None:
    uid = make_run(dashboard, "keys", "exit 3")
    page.goto(f"/runs/{uid}/")
    expect(page.locator("#answer .st.big")).to_have_text("Failed")
    expect(page).to_have_title(re.compile("^Failed: Key keys"))
    page.keyboard.press("r")
    expect(page.locator("#retry-form")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("d")
    expect(page.locator("#dl-format")).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("l")
    expect(page.locator("#go-to")).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    expect(page.get_by_placeholder("Find in the whole log")).to_be_focused()
    page.keyboard.type("gr?")  # letters, nothing else
    expect(page.locator("dialog[open]")).to_have_count(0)
    assert uid in page.url
    page.keyboard.press("Escape")
    page.locator("main").focus()
    # A second key that is none does nothing, nor does what another key would do alone.
    page.keyboard.press("g")
    page.keyboard.press("e")
    page.keyboard.press("Control+r")
    expect(page.locator("#retry-form")).to_be_hidden()


def test_each_page_is_two_keys_away(page: Page, dashboard: Product) -> None:
    page.goto("/account/")
    for key, place in (("r", "runs"), ("f", "flows"), ("n", "insights"), ("d", "downloads"), ("s", "search")):
        page.keyboard.press("g")
        page.keyboard.press(key)
        page.wait_for_url(f"**/{place}/**")


def test_the_sheet_has_the_keys_of_the_page_and_what_it_names_is_there(page: Page, dashboard: Product) -> None:
    uid = make_run(dashboard, "sheet", "exit 3")
    page.goto(f"/runs/{uid}/")
    expect(page.locator("#answer .st.big")).to_have_text("Failed")
    page.keyboard.press("?")
    sheet = page.get_by_role("dialog", name="Keys")
    expect(sheet).to_be_visible()
    expect(sheet.get_by_role("heading")).to_have_text(["Keys", "Everywhere", "This run", "Its log"])
    page.keyboard.press("Escape")
    expect(sheet).to_be_hidden()
    page.goto("/runs/?view=all")
    page.keyboard.press("?")
    expect(sheet.get_by_role("heading")).to_have_text(["Keys", "Everywhere", "Run list"])
    sheet.get_by_role("link", name="All keys").click()
    page.wait_for_url("**/help/")
    expect(page.get_by_role("heading", name="A run", exact=True)).to_be_visible()


def test_without_scripts_the_palette_is_the_search_and_the_sheet_a_page(
    new_context: Callable[..., BrowserContext], signed_in_state: Any, dashboard: Product
) -> None:
    page = new_context(java_script_enabled=False, storage_state=signed_in_state).new_page()
    page.goto("/runs/")
    page.get_by_role("link", name="Jump to…").click()
    page.wait_for_url("**/search/")
    page.locator("summary.user").click()
    page.locator(".top").get_by_role("link", name="Keys and help").click()
    expect(page.get_by_role("heading", name="Keys", exact=True)).to_be_visible()


def test_the_first_stop_of_the_tab_key_leads_past_the_bar(page: Page, dashboard: Product) -> None:
    page.goto("/runs/?view=all")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    for _ in range(12):
        page.keyboard.press("Tab")
        place = page.evaluate("document.activeElement.outerHTML.slice(0, 120)")
        shown = page.evaluate(f"{outline} !== 'none' || getComputedStyle(document.activeElement).boxShadow !== 'none'")
        around = page.evaluate("!!document.activeElement.closest('.query:focus-within, label:has(:focus-visible)')")
        assert shown or around, f"the focus is not seen on {place}"
