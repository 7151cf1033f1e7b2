"""An open run page in a real browser: what the reader does with it survives whatever happens to the run."""

import re
from itertools import count
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from ..product import Product, wait_for

NUMBERS = count(1)
# The shorter keys first, which is the order that PostgreSQL keeps.
ARGS: dict[str, Any] = {"order": {"id": 4711, "lines": [{"id": "a", "qty": 12345678901234567890}]}, "customer": "1"}


def report(client: httpx.Client, uid: str, **fields: Any) -> None:
    answer = client.put(
        f"/api/v1/flow-runs/{uid}", json={"flowId": "run-page", "flowType": "automation", "args": ARGS, **fields}
    )
    assert answer.status_code in (200, 201), answer.text


def steps(done: int, most: int = 6) -> list[dict[str, Any]]:
    """The first ones succeeded, one at work."""
    return [
        {
            "id": f"step-{place}",
            "component": "command",
            "phase": "succeeded" if place < done else "running",
            "startTime": f"2026-03-01T12:0{place}:00Z",
            **({"endTime": f"2026-03-01T12:0{place}:50Z"} if place < done else {}),
        }
        for place in range(min(done + 1, most))
    ]


@pytest.fixture
def live_run(dashboard: Product) -> str:
    uid = f"run-page-{next(NUMBERS)}"
    with dashboard.api() as client:
        report(
            client,
            uid,
            phase="running",
            startTime="2026-03-01T12:00:00Z",
            actions=steps(1),
            outputs={"step-0": {"rows": {"read": 1}}},
            trackedData={"order_id": uid},
        )
    return uid


def wait_for_step(page: Page, name: str) -> None:
    """Until a poll has brought this step onto the time line."""
    expect(page.locator("#timeline")).to_contain_text(name)


def test_what_the_reader_does_survives_every_poll(page: Page, dashboard: Product, live_run: str) -> None:
    page.set_viewport_size({"width": 1300, "height": 700})
    page.goto(f"/runs/{live_run}/")
    page.locator("#side-trail > summary").click()  # closed by the reader
    page.locator("#side-inputs li[data-path='inputs.order'] > details > summary").first.click()  # and this
    expect(page.locator("#side-tracked")).to_contain_text("no other run")
    note = page.locator("#note-text")
    note.fill("half a no")
    note.press("End")
    page.evaluate("scrollTo(0, 200)")
    place = page.evaluate("scrollY")
    page.evaluate("document.getElementById('note-form').mark = document.getElementById('side').mark = 1")
    with dashboard.api() as client:
        report(client, live_run, phase="running", actions=steps(3))
        wait_for_step(page, "step-3")
        note.press_sequentially("te")
        report(client, live_run, phase="running", actions=steps(4))
        wait_for_step(page, "step-4")
    expect(note).to_have_value("half a note")
    expect(note).to_be_focused()
    assert page.evaluate("[document.getElementById('note-form').mark, document.getElementById('side').mark]") == [1, 1]
    assert page.evaluate("scrollY") == place
    expect(page.locator("#side-trail")).not_to_have_attribute("open", "")
    order = page.locator("#side-inputs li[data-path='inputs.order'] > details").first
    expect(order).not_to_have_attribute("open", "")
    expect(page.locator("#side-tracked")).to_contain_text("no other run")
    page.on("dialog", lambda dialog: dialog.accept())  # a half-written note is asked about


def test_selected_text_holds_the_page_still_and_then_it_goes_on(page: Page, dashboard: Product, live_run: str) -> None:
    page.goto(f"/runs/{live_run}/")
    customer = "document.querySelector('#side-inputs li[data-path=\"inputs.customer\"]')"
    page.evaluate(f"getSelection().selectAllChildren({customer})")
    selected = page.evaluate("String(getSelection())")
    assert "customer" in selected
    with dashboard.api() as client:
        report(client, live_run, phase="running", actions=steps(3))
    page.wait_for_timeout(2_500)  # longer than a poll takes
    assert page.evaluate("String(getSelection())") == selected
    page.evaluate("getSelection().removeAllRanges()")
    wait_for_step(page, "step-3")


def test_a_note_is_written_in_place_and_others_see_it(page: Page, context: Any, live_run: str) -> None:
    page.goto(f"/runs/{live_run}/")
    other = context.new_page()
    other.goto(f"/runs/{live_run}/")
    other.locator("#note-text").fill("mine is not done")
    page.locator("#note-text").fill("The shop was asked: https://shop.example/12")
    page.evaluate("window.mark = 1")
    page.locator("#note-text").press("Control+Enter")
    expect(page.locator(".note-text")).to_have_text("The shop was asked: https://shop.example/12")
    expect(page.locator("#note-text")).to_have_value("")
    expect(page.locator("#note-text")).to_be_focused()
    assert page.evaluate("window.mark") == 1, "the page was not loaded anew"
    expect(other.locator(".note-text")).to_have_text(re.compile("The shop was asked"))
    expect(other.locator("#note-text")).to_have_value("mine is not done")
    other.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("link", name="Edit").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Text").fill("The shop has answered.")
    dialog.get_by_role("button", name="Save").click()
    expect(page.locator(".note-text")).to_have_text("The shop has answered.")
    page.get_by_role("link", name="Edit").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete note").click()
    expect(page.locator("#note-list")).to_contain_text("was deleted by")


def test_a_value_is_copied_as_it_is_kept_and_found_by_keys(page: Page, context: Any, live_run: str) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"/runs/{live_run}/")
    tree = page.locator("#side-inputs ul.tree").first
    tree.focus()
    page.keyboard.press("ArrowDown")
    tool = page.locator(".tree-tool")
    expect(tool.locator("code")).to_have_text("inputs.order")
    for _ in range(2):
        page.keyboard.press("ArrowDown")
    expect(tool.locator("code")).to_have_text("inputs.order.lines")
    expect(page.locator("li[data-path='inputs.order.lines[0]']")).to_be_hidden()
    for key in ("ArrowRight", "ArrowDown", "ArrowRight", "ArrowDown", "ArrowDown"):
        page.keyboard.press(key)
    expect(tool.locator("code")).to_have_text("inputs.order.lines[0].qty")
    tool.get_by_role("button", name="Copy").click()
    expect(tool.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == "12345678901234567890"
    page.locator("#side-inputs > .in-d > .tree-acts").get_by_role("button", name="Copy").click()
    wait_for(lambda: "4711" in page.evaluate("navigator.clipboard.readText()"), "the whole is copied")


def test_groups_of_steps_open_in_place_and_the_address_says_so(page: Page, dashboard: Product) -> None:
    uid = "run-page-many"
    many = [
        {
            "id": f"s{place:04d}",
            "phase": "succeeded",
            "startTime": f"2026-03-01T12:{place // 60:02d}:{place % 60:02d}Z",
            "endTime": f"2026-03-01T12:{place // 60:02d}:{place % 60:02d}.500Z",
        }
        for place in range(900)
    ]
    with dashboard.api() as client:
        report(client, uid, phase="failed", startTime="2026-03-01T12:00:00Z", actions=many, error="x")
    page.goto(f"/runs/{uid}/")
    assert page.evaluate("document.querySelectorAll('#steps *').length") <= 520
    page.evaluate("window.mark = 1")
    page.locator("#timeline .group a.who").first.click()
    expect(page.locator(".tl-said")).to_contain_text("of 900")
    assert re.search(r"[?&]steps=\d+-\d+", page.url)
    assert page.evaluate("document.querySelectorAll('#steps *').length") <= 520
    page.get_by_label("A step's name").fill("s0777")
    page.get_by_role("button", name="Find", exact=True).first.click()
    expect(page.locator("#timeline a.who b")).to_have_text(["s0777"])
    assert "step_name=s0777" in page.url
    page.get_by_role("link", name="All steps").first.click()
    expect(page.locator(".tl-said")).to_contain_text("Of 900 steps")
    assert page.evaluate("window.mark") == 1


def test_on_a_phone_what_can_be_done_is_at_hand_and_nothing_scrolls_sideways(
    page: Page, dashboard: Product, live_run: str
) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"/runs/{live_run}/")
    expect(page.get_by_role("button", name="Stop", exact=True)).to_be_in_viewport()
    page.mouse.wheel(0, 5_000)
    expect(page.get_by_role("button", name="Stop", exact=True)).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    log, timeline = (page.locator(name).bounding_box() for name in ("#log", "#steps"))
    assert log is not None
    assert timeline is not None
    assert log["y"] < timeline["y"]
    expect(page.locator("#side-inputs")).not_to_have_attribute("open", "")
    with dashboard.api() as client:
        report(client, f"{live_run}-other", phase="failed", error="it broke")
    page.goto(f"/runs/{live_run}/compare/?with={live_run}-other")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    heads = page.locator(".duo-table thead th")
    for place in range(2):
        box = heads.nth(place).bounding_box()
        assert box is not None
        assert box["width"] > 150


def test_on_paper_there_is_the_whole_in_black_on_white_and_nothing_to_press(page: Page, live_run: str) -> None:
    page.emulate_media(media="print", color_scheme="dark")
    page.goto(f"/runs/{live_run}/")
    assert page.get_by_role("button").count() == 0
    expect(page.locator("#note-form")).to_be_hidden()
    for part in ("#answer", "#steps", "#side-inputs", "#side-outputs", "#log"):
        expect(page.locator(part)).to_be_visible()
    for part in ("#lines", "#timeline"):
        assert page.evaluate("one => getComputedStyle(document.querySelector(one)).overflowY", part) == "visible"
    ink = page.evaluate("getComputedStyle(document.querySelector('#answer h1')).color")
    assert float(re.findall(r"[\d.]+", ink)[0]) < 0.5, "dark ink, whatever the screen's theme"
