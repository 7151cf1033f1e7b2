"""What people come for, in a real browser before the real product: watch, stop, retry, download, approve."""

import re

import psutil
from playwright.sync_api import BrowserContext, Page, expect

from ..product import Product, wait_for

# Three commands, one failing: the second fails unless the input says otherwise.
THREE = r"""
id: journey-{name}
name: Journey {name}
inputs:
  outcome: {{type: string, default: bad}}
steps:
  - id: fetch
    component: command
    with: {{run: ["sh", "-c", "echo fetched one; echo '{{\"track\": {{\"order_id\": \"4711\"}}}}' >> $RUN_REPORT"]}}
  - id: load
    component: command
    with:
      run:
        - sh
        - -c
        - |
          i=0
          while [ $i -lt 20 ]; do echo "line $i of load"; i=$((i+1)); sleep 0.05; done
          printf '\033[31mred\033[0m <b>not bold</b>\n'
          echo "ERROR: the outcome is $INPUT_OUTCOME" >&2
          test "$INPUT_OUTCOME" = good
  - id: publish
    component: command
    with: {{run: ["echo", "published"]}}
"""

STUBBORN = """
id: stubborn
name: Stubborn
steps:
  - id: hold
    component: command
    with:
      run:
        - sh
        - -c
        - |
          trap '' TERM
          setsid sleep 987654 &
          (setsid sh -c 'sleep 987655' &)
          echo holding
          while true; do sleep 1; done
"""


def start(page: Page, flow: str) -> str:
    """Starts a flow by its form; returns the new run's id."""
    page.goto(f"/flows/{flow}/")
    page.get_by_role("button", name="Start", exact=True).click()
    page.wait_for_url(re.compile(r"/runs/[0-9a-f-]{36}/"))
    return page.url.split("/runs/")[1].split("/")[0]


def state(page: Page, word: str, *, timeout: float = 20_000) -> None:
    expect(page.locator("#answer .st.big, .answer .st.big").first).to_have_text(re.compile(word), timeout=timeout)


def sleepers(argument: str) -> list[psutil.Process]:
    return [
        process
        for process in psutil.process_iter(["cmdline", "status"])
        if argument in (process.info["cmdline"] or []) and process.info["status"] != psutil.STATUS_ZOMBIE
    ]


def test_a_failing_run_is_watched_live_and_retried_from_its_failed_step(page: Page, dashboard: Product) -> None:
    dashboard.load_flow(THREE.format(name="live"))
    uid = start(page, "journey-live")
    lines = page.locator("#lines")
    # Lines come while the step runs: an early one is seen while the last is not printed yet.
    expect(lines).to_contain_text("line 3 of load")
    assert "the outcome is bad" not in lines.inner_text()
    expect(lines).to_contain_text("ERROR: the outcome is bad", timeout=15_000)
    expect(lines).to_contain_text("<b>not bold</b>")
    state(page, "Failed")
    numbers = [int(text.replace(",", "")) for text in lines.locator("> div > a:first-child").all_inner_texts()]
    assert numbers == list(range(1, 24)), "each line once, in order"
    expect(page.locator(".answer")).to_contain_text("the outcome is bad")

    page.get_by_role("button", name="Retry", exact=True).click()
    form = page.locator("#retry-form")
    form.get_by_label("From the failed step").check()
    form.get_by_label(re.compile("outcome", re.IGNORECASE)).fill("good")
    form.get_by_role("button", name="Retry", exact=True).click()
    page.wait_for_url(lambda url: "/runs/" in url and uid not in url)
    state(page, "Succeeded")
    expect(page.locator("#lines")).to_contain_text("published")
    assert "fetched one" not in page.locator("#lines").inner_text(), "what succeeded is kept and not run again"
    expect(page.get_by_text("order_id").first).to_be_visible()


def test_a_retry_clicked_twice_is_one_run(page: Page, dashboard: Product) -> None:
    dashboard.load_flow(THREE.format(name="twice"))
    uid = start(page, "journey-twice")
    state(page, "Failed")
    page.goto(f"/runs/{uid}/retry/")
    page.locator("#retry-form").get_by_role("button", name="Retry", exact=True).dblclick()
    page.wait_for_url(lambda url: "/runs/" in url and "/retry/" not in url)
    page.goto("/runs/?flow=journey-twice")
    expect(page.locator("tr[id^=run-]")).to_have_count(2)


def test_a_stop_ends_everything_of_a_stubborn_step_before_the_page_says_so(page: Page, dashboard: Product) -> None:
    dashboard.load_flow(STUBBORN)
    start(page, "stubborn")
    expect(page.locator("#lines")).to_contain_text("holding")
    assert sleepers("987654")
    page.get_by_role("button", name="Stop", exact=True).click()
    state(page, "Stopping")
    expect(page.locator(".ladder")).to_contain_text("Signal sent")
    state(page, "Stopped")
    assert sleepers("987654") == []
    assert sleepers("987655") == []
    expect(page.locator(".ladder")).to_contain_text("nothing of it is alive")


def test_a_run_started_by_a_signed_webhook_is_downloaded_byte_for_byte(page: Page, dashboard: Product) -> None:
    dashboard.load_flow(THREE.format(name="hook"))
    with dashboard.api() as client:
        answer = client.post("/webhooks/journey-hook", json={"outcome": "good", "extra": [1, 2]})
        assert answer.status_code == 202, answer.text
        uid = answer.json()["id"]
    page.goto(f"/runs/{uid}/")
    state(page, "Succeeded")
    page.get_by_label("What to download, and how").click()
    page.get_by_label("As printed").check()
    page.get_by_role("button", name="Whole log").click()
    page.wait_for_url("**/downloads/**")
    link = page.locator("tr", has=page.locator(f"a[href*='{uid}']")).get_by_role("link", name="Get file").first
    expect(link).to_be_visible(timeout=20_000)
    with page.expect_download() as download:
        link.click()
    printed = "fetched one\n" + "".join(f"line {n} of load\n" for n in range(20))
    printed += "\033[31mred\033[0m <b>not bold</b>\n"
    content = download.value.path().read_bytes().decode()
    # stderr has a pipe of its own: its line may stand before or after the last ones of stdout.
    assert content.replace("ERROR: the outcome is good\n", "") == printed + "published\n"
    assert content.count("ERROR: the outcome is good\n") == 1


def test_an_approval_waits_for_a_person(page: Page, dashboard: Product) -> None:
    dashboard.load_flow(
        "id: ask\nname: Ask\nsteps:\n"
        "  - {id: approve, component: approval, with: {message: May it go on?}}\n"
        "  - {id: go, component: command, with: {run: [echo, it went on]}}\n"
    )
    start(page, "ask")
    state(page, "Paused")
    page.get_by_role("button", name="Resume", exact=True).click()
    state(page, "Succeeded")
    expect(page.locator("#lines")).to_contain_text("it went on")


def test_reading_is_not_disturbed_while_lines_arrive(page: Page, dashboard: Product) -> None:
    dashboard.load_flow(
        "id: talk\nname: Talk\nsteps:\n  - id: talk\n    component: command\n    with:\n"
        "      run: [sh, -c, 'i=0; while [ $i -lt 400 ]; do echo \"line $i\"; i=$((i+1)); sleep 0.02; done']\n"
    )
    start(page, "talk")
    expect(page.locator("#lines")).to_contain_text("line 120")
    page.locator("#lines").hover()
    page.mouse.wheel(0, -600)
    wait_for(
        lambda: not page.get_by_label("Follow").is_checked(), "following stops when the reader scrolls up", every=0.05
    )
    page.evaluate(
        """() => {
            const line = [...document.querySelectorAll('#lines > [id] > span')].at(-30);
            getSelection().selectAllChildren(line);
        }"""
    )
    look = "[scrollY, document.getElementById('lines').scrollTop, String(getSelection())]"
    before = page.evaluate(look)
    assert before[2]
    more = page.locator("#more button")
    expect(more).to_have_text(re.compile("[3-9][0-9] new lines"), timeout=15_000)
    assert page.evaluate(look) == before, "the reader stays where the reader is, with what is selected"
    more.click()
    expect(page.get_by_label("Follow")).to_be_checked()
    page.evaluate("getSelection().removeAllRanges()")
    state(page, "Succeeded")
    expect(page.locator("#lines")).to_contain_text("line 399")


def test_everything_can_be_read_and_pressed_without_scripts(
    new_context: object, signed_in_state: object, dashboard: Product
) -> None:
    dashboard.load_flow(THREE.format(name="plain"))
    context: BrowserContext = new_context(java_script_enabled=False, storage_state=signed_in_state)  # type: ignore[operator]
    page = context.new_page()
    uid = start(page, "journey-plain")

    def has_failed() -> bool:
        page.goto(f"/runs/{uid}/")
        return "Failed" in page.locator(".answer").inner_text()

    wait_for(has_failed, "the run failed", seconds=20, every=0.3)
    expect(page.locator("#lines")).to_contain_text("the outcome is bad")
    page.get_by_role("button", name="Review", exact=True).click()
    expect(page.get_by_role("button", name="Review", exact=True)).to_have_count(0)
    page.get_by_role("button", name="Retry", exact=True).click()
    page.locator("#retry-form").get_by_role("button", name="Retry", exact=True).click()
    page.wait_for_url(lambda url: "/runs/" in url and uid not in url)
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.locator(".answer")).to_contain_text(re.compile("Stopp"))


def test_no_page_is_wider_than_a_phone(page: Page, dashboard: Product) -> None:
    dashboard.load_flow(THREE.format(name="a-very-long-name-that-somebody-gave-to-a-flow-without-thinking-of-phones"))
    page.set_viewport_size({"width": 390, "height": 844})
    uid = start(page, "journey-a-very-long-name-that-somebody-gave-to-a-flow-without-thinking-of-phones")
    state(page, "Failed")
    flow = "/flows/journey-a-very-long-name-that-somebody-gave-to-a-flow-without-thinking-of-phones/"
    for path in ("/runs/", f"/runs/{uid}/", f"/runs/{uid}/retry/", "/flows/", flow, "/downloads/", "/account/"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
