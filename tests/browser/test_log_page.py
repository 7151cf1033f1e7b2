"""The log of a run in a real browser: any place of it, a bounded page, the reader undisturbed while lines arrive."""

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from ..product import Product, wait_for

LINES = 200_000
ERRORS = (70_003, 70_004, 150_001)
ROWS = "document.querySelectorAll('#lines > [id^=L]').length"
SEEN = """() => {
    const box = document.getElementById('lines').getBoundingClientRect();
    const rows = [...document.querySelectorAll('#lines > [id^=L]')].filter(row => {
        const place = row.getBoundingClientRect();
        return place.bottom > box.top + 2 && place.top < box.bottom - 2;
    });
    return rows.map(row => [Number(row.id.slice(1)), Math.round(row.getBoundingClientRect().top)]);
}"""

# Goes near one end of what is there, waits until more came, and tells by how much the row that was looked at moved.
READ_ON = """async (side) => {
    const box = document.getElementById('lines');
    const { log } = box;
    const frame = () => new Promise(done => requestAnimationFrame(() => setTimeout(done)));
    const edge = log.end(side).id;
    box.scrollTop = side === 'earlier' ? 40 : box.scrollHeight - box.clientHeight - 40;
    const row = document.getElementById(`L${log.current(true)}`);
    const place = () => row.getBoundingClientRect().top - box.getBoundingClientRect().top;
    const before = place();
    for (let time = 0; time < 300 && log.end(side).id === edge; time++) await frame();
    await frame();
    return [log.end(side).id === edge, Math.round(place() - before), log.rows().length];
}"""


def report(client: httpx.Client, uid: str, **fields: Any) -> None:
    answer = client.put(
        f"/api/v1/flow-runs/{uid}", json={"flowId": "log-page", "flowType": "automation", "args": {}, **fields}
    )
    assert answer.status_code in (200, 201), answer.text


def append(client: httpx.Client, uid: str, first: int, count: int, **more: Any) -> None:
    """Lines `first` and on, a hundredth of a second apart, some of them errors."""
    logs = [
        {
            "timestamp": f"2026-03-01T{12 + number // 360_000:02d}:{number // 6000 % 60:02d}:{number // 100 % 60:02d}"
            f".{number % 100:02d}0Z",
            "level": "error" if number in ERRORS else "info",
            "message": f"line {number}",
            **more,
        }
        for number in range(first, first + count)
    ]
    body = json.dumps({"logs": logs}).encode()
    answer = client.post(
        f"/api/v1/flow-runs/{uid}/flow-run-logs", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 201, answer.text


@pytest.fixture(scope="module")
def long_run(dashboard: Product) -> str:
    """A failed run with 200,000 lines, three of them errors."""
    uid = "log-page-long"
    with dashboard.api() as client:
        report(client, uid, phase="running", startTime="2026-03-01T12:00:00Z")
        for first in range(1, LINES, 20_000):
            append(client, uid, first, 20_000)
        report(client, uid, phase="failed", endTime="2026-03-01T12:40:00Z", error="it broke")
    return uid


def seen(page: Page) -> list[int]:
    return [line for line, _ in page.evaluate(SEEN)]


def go_to(page: Page, place: str) -> None:
    page.keyboard.press("g")
    page.keyboard.press("g")
    page.get_by_label("Line, time or share").fill(place)
    page.keyboard.press("Enter")


def test_a_failed_run_opens_at_its_first_error_and_keys_lead_from_error_to_error(page: Page, long_run: str) -> None:
    page.goto(f"/runs/{long_run}/")
    expect(page.locator(".lnote")).to_contain_text("Opened at the first of 3 errors, line 70,003")
    wait_for(lambda: 70_003 in seen(page), "the first error is seen")
    assert 69_999 in seen(page), "with what came before it"
    assert page.evaluate("scrollY") == 0, "the answer at the top of the page stays in view"
    for key, line in (("e", 70_004), ("e", 150_001), ("E", 70_004)):
        page.keyboard.press(key)
        expect(page.locator(f"#L{line}")).to_have_class(re.compile("here"))
        assert line in seen(page)
        assert page.url.endswith(f"#L{line}")
    page.keyboard.press("E")
    page.keyboard.press("E")
    expect(page.locator("#log-said")).to_have_text("There is no error before line 70,003.")


def test_go_to_takes_lines_times_shares_and_ends(page: Page, long_run: str) -> None:
    page.goto(f"/runs/{long_run}/")
    for place, line in (("123,456", 123_456), ("50%", 100_000), ("+10:00", 60_000), ("12:20:00", 120_000)):
        go_to(page, place)
        expect(page.locator(f"#L{line}")).to_have_class(re.compile("here"))
        assert line in seen(page)
    go_to(page, "300000")
    expect(page.locator("#log-said")).to_have_text("There is no line 300,000: the log has lines 1 to 200,000.")
    page.keyboard.press("Escape")
    page.locator("#lines").focus()
    page.keyboard.press("End")
    wait_for(lambda: LINES in seen(page), "the end is seen")
    page.keyboard.press("Home")
    wait_for(lambda: 1 in seen(page), "the start is seen")


def test_a_long_log_that_has_ended_opens_at_its_last_line_or_where_the_address_says(page: Page, long_run: str) -> None:
    page.goto(f"/runs/{long_run}/?from=end")
    wait_for(lambda: LINES in seen(page), "the end is seen")
    page.goto(f"/runs/{long_run}/?from={LINES - 200}")
    wait_for(lambda: LINES - 200 in seen(page), "the line that the address names is seen")
    assert LINES not in seen(page)


def test_links_to_a_line_and_to_a_range_are_fetched_marked_and_kept(page: Page, long_run: str) -> None:
    page.goto(f"/runs/{long_run}/#L1200-L1203")
    for line in range(1200, 1204):
        expect(page.locator(f"#L{line}")).to_have_class(re.compile("here"))
    expect(page.locator("#L1204")).not_to_have_class(re.compile("here"))
    expect(page.locator("#L1200")).to_be_in_viewport()
    page.locator("#L1202 > a").click()
    assert page.url.endswith("#L1202")
    page.locator("#L1205 > a").click(modifiers=["Shift"])
    assert page.url.endswith("#L1202-L1205")
    page.reload()
    expect(page.locator("#lines > .here")).to_have_count(4)
    expect(page.locator("#L1202")).to_be_in_viewport()
    page.evaluate("location.hash = 'L999999'")
    expect(page.locator("#log-said")).to_have_text("There is no line 999,999: the log has 200,000.")


@pytest.mark.timeout(300)  # whichever test is first writes the long log
def test_reading_up_and_down_never_jumps_and_never_grows_the_page(page: Page, long_run: str) -> None:
    page.goto(f"/runs/{long_run}/?from=end")
    wait_for(lambda: page.evaluate(ROWS) >= 500, "the end is there")
    told = [page.evaluate(READ_ON, side) for side in ["earlier"] * 11 + ["later"] * 2]
    assert {(is_same, moved) for is_same, moved, _ in told} == {(False, 0)}, "more came, and nothing moved"
    assert max(count for *_, count in told) <= 5_000
    edges = page.locator("#lines > .cut-row").all_inner_texts()
    assert len(edges) == 2, "what was let go is said, at both ends"
    numbers = [
        int(row["id"][1:])
        for row in page.evaluate("[...document.querySelectorAll('#lines > [id^=L]')].map(row => ({id: row.id}))")
    ]
    assert numbers == list(range(numbers[0], numbers[-1] + 1)), "no line is missing between"
    assert f"{numbers[0] - 1:,} earlier lines" in edges[0]
    assert f"{LINES - numbers[-1]:,} later lines" in edges[1]


def test_the_ruler_shows_errors_and_leads_to_them(page: Page, long_run: str) -> None:
    page.goto(f"/runs/{long_run}/")
    ruler = page.locator("#ruler")
    expect(ruler.locator("rect.e")).to_have_count(2)  # two are side by side
    ruler.scroll_into_view_if_needed()
    box = ruler.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 6, box["y"] + box["height"] * 0.75)
    expect(page.locator("#L150001")).to_have_class(re.compile("here"))
    assert 150_001 in seen(page)


def test_a_reader_away_from_the_end_stays_and_comes_back_without_a_reload(page: Page, dashboard: Product) -> None:
    uid = "log-page-live"
    with dashboard.api() as client:
        report(client, uid, phase="running", startTime="2026-03-01T12:00:00Z")
        append(client, uid, 1, 1_000)
        page.goto(f"/runs/{uid}/")
        expect(page.locator("#L1000")).to_be_attached()
        page.evaluate("window.isSame = true; document.getElementById('lines').scrollIntoView({block: 'end'})")
        append(client, uid, 1_001, 10)
        expect(page.locator("#L1010")).to_be_in_viewport()
        page.locator("#lines").hover()
        page.mouse.wheel(0, -900)
        expect(page.get_by_label("Follow")).not_to_be_checked()
        wait_for(lambda: page.locator("#L1010").bounding_box()["y"] > 0, "it has scrolled")  # type: ignore[index]
        page.wait_for_function("() => new Promise(done => setTimeout(() => done(true), 300))")
        before = page.evaluate(SEEN)
        for first in range(1_011, 13_011, 2_000):
            append(client, uid, first, 2_000)
        more = page.locator("#more button")
        expect(more).to_have_text("12,000 new lines")
        assert page.evaluate(SEEN) == before
        assert page.evaluate(ROWS) <= 5_000
        more.click()
        expect(page.locator("#L13010")).to_be_in_viewport()
        expect(page.get_by_label("Follow")).to_be_checked()
        append(client, uid, 13_011, 5)
        expect(page.locator("#L13015")).to_be_in_viewport()
        assert page.evaluate("window.isSame"), "the page was not loaded anew"
        report(client, uid, phase="succeeded", endTime="2026-03-01T12:40:00Z")
        expect(page.locator("#fresh")).to_contain_text("Ended")
    numbers = page.evaluate("[...document.querySelectorAll('#lines > [id^=L]')].map(row => Number(row.id.slice(1)))")
    assert numbers == list(range(numbers[0], 13_016))


# Prints what a bar does, one part of it for each file that is made.
BAR = """
id: {name}
name: {name}
steps:
  - id: load
    component: command
    with:
      run:
        - sh
        - -c
        - |
          until_made() {{ while [ ! -e {folder}/$1 ]; do sleep 0.05; done; }}
          seq 1 100
          printf '\\033[32m10%%\\033[0m\\r'
          until_made more
          printf '\\033[32m20%%\\033[0m\\r'
          until_made beside
          seq 101 140 >&2
          until_made done
          printf 'done\\n'
          until_made asked
          printf 'Continue? '
          until_made end
"""


def test_a_line_that_has_not_ended_is_seen_below_the_last_and_then_becomes_one(
    page: Page, dashboard: Product, tmp_path: Path
) -> None:
    dashboard.load_flow(BAR.format(name="growing", folder=tmp_path))
    growing = page.locator("#lines > #growing:last-child > span")
    with dashboard.api() as client:
        started = client.post("/api/v1/flow-runs", json={"flowId": "growing", "flowType": "automation", "args": {}})
        assert started.status_code == 201, started.text
        uid = started.json()["id"]
        page.goto(f"/runs/{uid}/")
        expect(growing).to_have_text("10%")
        page.evaluate("document.getElementById('lines').scrollIntoView({block: 'end'})")
        expect(growing).to_be_in_viewport()
        expect(growing.locator(".f2")).to_have_text("10%")
        expect(page.locator("#L100")).to_be_attached()
        page.reload()
        expect(growing).to_have_text("10%", timeout=1_000)
        page.evaluate("window.isSame = true; document.getElementById('lines').scrollIntoView({block: 'end'})")
        (tmp_path / "more").touch()
        expect(growing).to_have_text("20%")
        (tmp_path / "beside").touch()
        expect(page.locator("#L140")).to_be_in_viewport()
        expect(growing).to_have_text("20%")
        expect(growing).to_be_in_viewport()

        page.locator("#lines").hover()
        page.mouse.wheel(0, -900)
        expect(page.get_by_label("Follow")).not_to_be_checked()
        page.wait_for_function("() => new Promise(done => setTimeout(() => done(true), 300))")
        before = page.evaluate(SEEN)
        (tmp_path / "done").touch()
        expect(page.locator("#L141 > span")).to_have_text("done")
        expect(page.locator("#growing")).to_have_count(0)
        (tmp_path / "asked").touch()
        expect(growing).to_have_text("Continue? ")
        assert page.evaluate(SEEN) == before, "who reads elsewhere is not moved"
        go_to(page, "100%")
        expect(page.locator("#L141")).to_be_in_viewport()
        (tmp_path / "end").touch()
        expect(page.locator("#L142")).to_be_attached()
        expect(page.locator("#growing")).to_have_count(0)
        expect(page.locator("#fresh")).to_contain_text("Ended")
        assert page.evaluate("window.isSame"), "the page was not loaded anew"
        listed = client.get(f"/api/v1/flow-runs/{uid}/flow-run-logs", params={"after": 139}).json()["items"]
    assert [entry["message"].split("\r")[-1] for entry in listed] == ["140", "done", "Continue? "]


def test_where_no_stream_gets_through_the_page_asks_and_says_so(
    page: Page, dashboard: Product, expected_complaints: list[str]
) -> None:
    uid = "log-page-asking"
    expected_complaints.append("net::ERR_FAILED")
    page.route("**/log/stream*", lambda route: route.abort())
    with dashboard.api() as client:
        report(client, uid, phase="running", startTime="2026-03-01T12:00:00Z")
        append(client, uid, 1, 5)
        page.goto(f"/runs/{uid}/")
        expect(page.locator("#fresh")).to_contain_text("Asking every 2 s: streaming does not get through")
        append(client, uid, 6, 1_200)
        expect(page.locator("#L1205")).to_be_attached()
        page.evaluate("document.getElementById('lines').scrollIntoView({block: 'end'})")
        expect(page.locator("#L1205")).to_be_in_viewport()
        report(client, uid, phase="succeeded", endTime="2026-03-01T12:40:00Z")
        expect(page.locator("#fresh")).to_contain_text("Ended")


def test_where_no_stream_gets_through_nothing_stands_there_that_has_grown_since(
    page: Page, dashboard: Product, tmp_path: Path, expected_complaints: list[str]
) -> None:
    expected_complaints.append("net::ERR_FAILED")
    dashboard.load_flow(BAR.format(name="growing-unseen", folder=tmp_path))
    with dashboard.api() as client:
        started = client.post(
            "/api/v1/flow-runs", json={"flowId": "growing-unseen", "flowType": "automation", "args": {}}
        )
        uid = started.json()["id"]
        wait_for(lambda: 'id="growing"' in page.request.get(f"/runs/{uid}/").text(), "a line grows", every=0.2)
        page.route("**/log/stream*", lambda route: route.abort())
        page.goto(f"/runs/{uid}/")
        expect(page.locator("#L100")).to_be_attached()
        expect(page.locator("#growing")).to_have_count(0)
        for name in ("more", "beside", "done", "asked", "end"):
            (tmp_path / name).touch()
        expect(page.locator("#L142")).to_be_attached()
        expect(page.locator("#fresh")).to_contain_text("Ended")


def test_choices_of_display_follow_the_person_to_another_browser(
    page: Page, long_run: str, new_context: Any, signed_in_state: Any
) -> None:
    page.goto(f"/runs/{long_run}/#L60000")
    expect(page.locator("#L60000 > time")).to_have_text(re.compile(r"12:\d\d:\d\d|1[0-3]:10:00.000"))
    page.locator("#log-display > summary").click()
    with page.expect_response(lambda answer: answer.url.endswith("/account/log/")):
        page.locator("#t-off").check()
    expect(page.locator("#L60000 > time")).to_be_hidden()
    width = page.locator("#L60000 > span").evaluate("text => text.getBoundingClientRect().width")
    assert width > 300, "the text has the room of the times"
    with page.expect_response(lambda answer: answer.url.endswith("/account/log/") and answer.status == 204):
        page.get_by_label("Since the start").check()
    expect(page.locator("#L60000 > time")).to_have_text("+10:00.000")
    with page.expect_response(lambda answer: answer.url.endswith("/account/log/")):
        page.get_by_label("Scroll sideways").check()
    other: BrowserContext = new_context(storage_state=signed_in_state)
    elsewhere = other.new_page()
    elsewhere.goto(f"/runs/{long_run}/#L60000")
    expect(elsewhere.locator("#L60000 > time")).to_have_text("+10:00.000")
    elsewhere.locator("#log-display > summary").click()
    for name in ("On the clock", "Wrap"):
        with elsewhere.expect_response(lambda answer: answer.url.endswith("/account/log/")):
            elsewhere.get_by_label(name, exact=True).check()
    expect(elsewhere.locator("#L60000 > time")).to_have_text(re.compile(r"^\d\d:10:00.000"))


def test_full_screen_is_left_by_escape(page: Page, long_run: str) -> None:
    page.goto(f"/runs/{long_run}/")
    page.get_by_role("button", name="Full screen").click()
    size = page.evaluate(
        "(({width, height}) => [width, height])(document.getElementById('log').getBoundingClientRect())"
    )
    assert size == page.evaluate("[document.documentElement.clientWidth, innerHeight]")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Full screen")).to_have_attribute("aria-pressed", "false")


def test_all_of_it_can_be_reached_without_scripts(new_context: Any, signed_in_state: Any, long_run: str) -> None:
    context: BrowserContext = new_context(java_script_enabled=False, storage_state=signed_in_state)
    page = context.new_page()
    page.goto(f"/runs/{long_run}/?find=line")
    expect(page.locator("#L70003")).to_be_visible()
    page.get_by_role("button", name="Next error").click()
    expect(page.locator("#L70004")).to_be_in_viewport()
    page.get_by_role("button", name="Next error").click()
    expect(page.locator("#L150001")).to_be_in_viewport()
    page.locator("#log-go > summary").click()
    page.get_by_label("Line, time or share").fill("1,234")
    page.keyboard.press("Enter")
    expect(page.locator("#L1234")).to_be_in_viewport()
    page.get_by_role("link", name="500 before").click()
    expect(page.locator("#L1213")).to_be_attached()
    assert "find=line" in page.url
    page.locator("#log-go > summary").click()
    page.get_by_label("Line, time or share").fill("never")
    page.get_by_role("button", name="Go", exact=True).click()
    expect(page.locator("#messages")).to_contain_text("Write a line")
