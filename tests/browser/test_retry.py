"""The retry dialog in a real browser: it follows what is chosen and typed, says what it would do, and does that."""

import re

from playwright.sync_api import BrowserContext, Locator, Page, expect

from ..product import Product, wait_for
from .test_journeys import start, state

FLOW = r"""
id: retried-{name}
name: Retried {name}
inputs:
  day: {{type: string, format: date, default: "2026-03-01"}}
  is_dry: {{type: boolean, default: false}}
  rules: {{type: object, default: {{most: 5, drop: [a, b]}}}}
{inputs}
steps:
  - id: fetch
    component: command
    with: {{run: ["sh", "-c", "echo fetched $INPUT_DAY; echo '{{\"output\": {{\"rows\": 7}}}}' >> $RUN_REPORT"]}}
  - {{id: check, component: command, with: {{run: [echo, checked]}}}}
  - id: load
    component: command
    with:
      run: ["sh", "-c", "echo loading $ROWS; test $ROWS -gt 7"]
      env: {{ROWS: "${{{{ steps.fetch.outputs.rows }}}}"}}
  - {{id: send, component: command, with: {{run: [echo, sent]}}}}
"""
PHONE = {"width": 390, "height": 844}


def fail(page: Page, dashboard: Product, name: str, inputs: str = "") -> str:
    dashboard.load_flow(FLOW.format(name=name, inputs=inputs))
    uid = start(page, f"retried-{name}")
    state(page, "Failed")
    return uid


def open_dialog(page: Page) -> Locator:
    page.get_by_role("button", name="Retry", exact=True).click()
    form = page.locator("dialog #retry-form")
    expect(form).to_be_visible()
    return form


def test_the_dialog_follows_what_is_typed_and_chosen(
    page: Page, dashboard: Product, expected_complaints: list[str]
) -> None:
    expected_complaints.append("422")  # the form that is sent with a mistake
    uid = fail(page, dashboard, "typed")
    form = open_dialog(page)
    says = form.locator("#retry-says")
    expect(says).to_have_text("2 steps, 2 kept.")
    rows = form.locator(".from-steps > li")
    expect(rows.nth(0)).to_contain_text("kept from")
    expect(rows.nth(0).locator(".goes")).to_be_hidden()
    expect(rows.nth(2).locator(".goes")).to_be_visible()

    day = form.get_by_label("day")
    day.fill("2026-03-02")
    expect(form.locator(".field.changed")).to_have_count(1)
    expect(form.get_by_text("was: 2026-03-01")).to_be_visible()
    expect(says).to_have_text("2 steps with 1 changed input, 2 kept.")
    expect(form.locator("#retry-plan")).to_contain_text("fetch used inputs.day")
    expect(day).to_be_focused()

    form.get_by_role("button", name="Begin with fetch").click()
    expect(form.get_by_label("From the step fetch")).to_be_checked()
    expect(says).to_have_text("4 steps with 1 changed input.")
    expect(rows.nth(0).locator(".goes")).to_be_visible()
    expect(form.locator("#retry-plan .note")).to_have_count(0)

    form.get_by_role("button", name="Put back").click()
    expect(day).to_have_value("2026-03-01")
    expect(form.locator(".field.changed")).to_have_count(0)
    expect(says).to_have_text("4 steps.")

    form.get_by_label("rules").fill('{"most": 6')
    expect(form.locator("#retry-plan")).to_contain_text("not JSON")
    form.get_by_role("button", name="Retry", exact=True).click()
    expect(page.locator("#retry-form").get_by_label("rules")).to_be_focused()
    assert f"/runs/{uid}/retry/" in page.url
    page.locator("#retry-form").get_by_label("rules").fill('{"most": 6}')
    page.locator("#retry-form").get_by_role("button", name="Retry", exact=True).click()
    page.wait_for_url(lambda url: "/runs/" in url and uid not in url)
    expect(page.locator("#side")).to_contain_text("6")


def test_a_kept_steps_output_is_changed_and_the_run_goes_on(page: Page, dashboard: Product) -> None:
    uid = fail(page, dashboard, "outputs")
    form = open_dialog(page)
    form.locator(".from-steps > li").first.locator("summary").first.click()
    form.get_by_label("Outputs of fetch, as JSON").fill('{"rows": 8}')
    expect(form.locator("#retry-says")).to_have_text("2 steps with changed outputs of 1 step, 2 kept.")
    form.get_by_role("button", name="Retry", exact=True).click()
    page.wait_for_url(lambda url: "/runs/" in url and uid not in url)
    state(page, "Succeeded")
    expect(page.locator("#lines")).to_contain_text("The outputs of fetch were changed by")
    expect(page.locator("#lines")).to_contain_text("loading 8")


def test_a_retry_begins_at_the_step_whose_log_is_read(page: Page, dashboard: Product) -> None:
    uid = fail(page, dashboard, "here")
    page.goto(f"/runs/{uid}/?step=check")
    page.get_by_role("link", name="Retry from here").click()
    form = page.locator("dialog #retry-form")
    expect(form.get_by_label("From the step check")).to_be_checked()
    form.get_by_role("button", name="Retry", exact=True).dblclick()
    page.wait_for_url(lambda url: "/runs/" in url and uid not in url)
    state(page, "Failed")
    expect(page.locator("#timeline")).to_contain_text("kept")
    page.goto("/runs/?flow=retried-here")
    expect(page.locator("tr[id^=run-]")).to_have_count(2)


def test_the_newest_version_is_drawn_with_what_was_typed(page: Page, dashboard: Product) -> None:
    fail(page, dashboard, "newest")
    dashboard.load_flow(FLOW.format(name="newest", inputs="  target: {type: string, default: north}"))
    page.reload()
    form = open_dialog(page)
    form.get_by_label("day").fill("2026-03-05")
    form.get_by_label("The newest, v2").check()
    expect(form.get_by_label("target")).to_have_value("north")
    expect(form.get_by_label("day")).to_have_value("2026-03-05")
    expect(form.locator("#retry-says")).to_have_text("2 steps with 1 changed input, 2 kept, on v2.")
    form.get_by_label("The same, v1").check()
    expect(form.get_by_label("target")).to_have_count(0)


def test_it_previews_and_retries_without_scripts(
    new_context: object, signed_in_state: object, dashboard: Product
) -> None:
    context: BrowserContext = new_context(java_script_enabled=False, storage_state=signed_in_state)  # type: ignore[operator]
    page = context.new_page()
    dashboard.load_flow(FLOW.format(name="plain", inputs=""))
    uid = start(page, "retried-plain")

    def has_failed() -> bool:
        page.goto(f"/runs/{uid}/")
        return "Failed" in page.locator(".answer").inner_text()

    wait_for(has_failed, "the run failed", seconds=20, every=0.3)
    page.get_by_role("button", name="Retry", exact=True).click()
    form = page.locator("#retry-form")
    form.get_by_label("From the step check").check()
    expect(form.locator(".from-steps > li").nth(1).locator(".goes")).to_be_visible()
    form.get_by_label("is_dry").check()
    form.get_by_role("button", name="Preview").click()
    expect(form.locator("#retry-says")).to_have_text("3 steps with 1 changed input, 1 kept.")
    expect(form.get_by_text("was: off")).to_be_visible()
    form.get_by_role("button", name="Retry", exact=True).click()
    page.wait_for_url(lambda url: "/runs/" in url and uid not in url)


def test_forty_inputs_fit_a_phone(page: Page, dashboard: Product) -> None:
    names = "\n".join(
        f"  a_rather_long_input_name_{number}: {{type: string, default: '{'x' * 150}'}}" for number in range(40)
    )
    uid = fail(page, dashboard, "many", names)
    page.set_viewport_size(PHONE)
    page.reload()
    form = open_dialog(page)
    assert form.evaluate("form => form.scrollWidth <= form.clientWidth")
    assert form.locator(".body").evaluate("body => body.scrollWidth <= body.clientWidth")
    expect(form.get_by_role("button", name=re.compile("^Retry$"))).to_be_in_viewport()
    page.goto(f"/runs/{uid}/retry/")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_slow_press_of_the_button_is_not_lost_when_the_dialog_follows_what_was_typed(
    page: Page, dashboard: Product
) -> None:
    uid = fail(page, dashboard, "slow")
    page.set_viewport_size({"width": 1280, "height": 1600})  # so that the dialog has room to grow
    form = open_dialog(page)
    button = form.get_by_role("button", name="Retry", exact=True)
    form.get_by_label("rules").fill('{\n"most": 6,\n"drop": ["c", "d"],\n"more": 1\n}')
    box = button.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.wait_for_timeout(900)  # as long as a tired person presses; what is typed has been answered meanwhile
    page.mouse.up()
    page.wait_for_url(lambda url: "/runs/" in url and uid not in url, timeout=5_000)
