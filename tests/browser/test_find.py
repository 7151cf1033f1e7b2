"""Find in the whole log, in a real browser: from hit to hit by keys, the true count, nothing moved by the marks."""

import re

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from ..product import Product
from .test_journeys import start, state

# The first hit stands far before the end that the page opens at; two stand in its last lines.
LONG = r"""
id: {name}
name: Find
steps:
  - id: print
    component: command
    with:
      run:
        - sh
        - -c
        - |
          i=1
          while [ $i -le 1500 ]; do
            case $i in 300|1490|1495) echo "line $i has a <b>\"Straße\"</b>";; *) echo "line $i";; esac
            i=$((i+1))
          done
"""


@pytest.fixture
def long_run(page: Page, dashboard: Product) -> str:
    dashboard.load_flow(LONG.format(name="find-long"))
    uid = start(page, "find-long")
    state(page, "Succeeded")
    page.goto(f"/runs/{uid}/")
    return uid


def test_keys_lead_from_hit_to_hit_through_the_whole_log(page: Page, long_run: str) -> None:
    output = page.locator("#find output")
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox", name="Find in the whole log")).to_be_focused()
    page.keyboard.type("STRASSE")
    expect(output).to_have_text("3 hits")
    assert page.evaluate("[CSS.highlights.get('find').size, document.querySelectorAll('#lines mark').length]") == [2, 0]
    page.keyboard.press("Enter")  # the next one from what the reader sees
    expect(output).to_have_text("2 of 3")
    page.keyboard.press("Enter")
    expect(output).to_have_text("3 of 3")
    expect(page.locator("#L1495")).to_have_class(re.compile(r"\bat\b"))
    page.keyboard.press("Shift+Enter")
    expect(output).to_have_text("2 of 3")
    page.keyboard.press("Enter")
    expect(output).to_have_text("3 of 3")
    assert page.evaluate("[...CSS.highlights.get('find-at')].map(range => range.startOffset)") == [20]
    page.keyboard.press("Enter")  # past the last one comes the first, which is not on this page
    page.wait_for_url("**#L300")
    expect(page.locator("#L300")).to_be_in_viewport()
    expect(output).to_have_text("1 of 3")
    page.locator("#lines").focus()
    page.keyboard.press("n")
    page.wait_for_url("**#L1490")
    expect(output).to_have_text("2 of 3")
    page.keyboard.press("n")
    expect(output).to_have_text("3 of 3")
    page.keyboard.press("N")
    expect(output).to_have_text("2 of 3")
    page.keyboard.press("Escape")
    expect(output).to_have_text("")
    assert page.evaluate("CSS.highlights.get('find').size") == 0
    assert "find=" not in page.url


def test_case_and_exclusion_narrow_the_count(page: Page, long_run: str) -> None:
    output = page.locator("#find output")
    page.goto(f"/runs/{long_run}/?find=%3Cb%3E%22&hit=0")
    expect(output).to_have_text("3 hits")
    page.locator("#find label[title='Match case']").click()
    page.get_by_role("searchbox", name="Find in the whole log").fill("strasse")
    expect(output).to_have_text("no hits")
    page.get_by_role("searchbox", name="Find in the whole log").fill("Straße")
    expect(output).to_have_text("3 hits")
    page.get_by_label("More ways to find").click()
    page.get_by_label("Without lines that hold").fill("149")
    expect(output).to_have_text("1 hit")


def test_marks_leave_selection_and_following_alone_while_lines_arrive(page: Page, dashboard: Product) -> None:
    dashboard.load_flow(
        "id: find-live\nname: Live\nsteps:\n  - id: talk\n    component: command\n    with:\n"
        "      run: [sh, -c, 'i=1; while [ $i -le 200 ]; do echo \"line $i\"; i=$((i+1)); sleep 0.03; done']\n"
    )
    start(page, "find-live")
    expect(page.locator("#lines")).to_contain_text("line 20")
    page.evaluate("getSelection().selectAllChildren(document.querySelector('#L5 > span'))")
    page.evaluate("""() => {
        const field = document.querySelector('#find [name=text]');
        field.value = 'line';
        field.dispatchEvent(new Event('input', {bubbles: true}));
    }""")
    expect(page.locator("#find output")).to_have_text(re.compile("hits"))
    assert page.evaluate("String(getSelection())") == "line 5"
    expect(page.get_by_label("Follow")).to_be_checked()
    expect(page.locator("#find output")).to_have_text("200 hits")
    expect(page.locator("#fresh")).to_contain_text("Ended")
    assert page.evaluate("CSS.highlights.get('find').size") == 200, "lines that came later are marked too"
    assert page.evaluate("String(getSelection())") == "line 5"


def test_without_scripts_the_form_finds_and_a_search_leads_to_the_line(
    new_context: object, signed_in_state: object, page: Page, long_run: str
) -> None:
    context: BrowserContext = new_context(java_script_enabled=False, storage_state=signed_in_state)  # type: ignore[operator]
    plain = context.new_page()
    plain.goto(f"/runs/{long_run}/")
    plain.get_by_role("searchbox", name="Find in the whole log").fill("straße")
    plain.keyboard.press("Enter")
    plain.wait_for_url("**#L300")
    expect(plain.locator("#L300")).to_be_in_viewport()
    plain.get_by_role("button", name="Next hit").click()
    plain.wait_for_url("**#L1490")
    plain.get_by_role("button", name="Previous hit").click()
    plain.wait_for_url("**#L300")
    plain.goto("/search/")
    plain.get_by_role("searchbox", name="Text").fill("line 300 has a <b>")
    plain.get_by_role("button", name="Search").click()
    plain.get_by_role("link", name=re.compile("line 300 has a")).first.click()
    plain.wait_for_url("**#L300")
    expect(plain.locator("#L300")).to_be_in_viewport()
    assert plain.locator("#L300").evaluate("row => row.matches(':target')")


@pytest.mark.parametrize("path", ["/search/", "/search/?q=Stra%C3%9Fe&level=debug", "/search/?q=" + "x" * 500])
def test_the_search_is_no_wider_than_a_phone(page: Page, long_run: str, path: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(path)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
