"""How lines are read together, in a real browser: folds, repeats, redrawn screens, trees, steps, while lines come."""

import json
import re

import pytest
from playwright.sync_api import Locator, Page, expect

from ..product import Product
from .test_journeys import start, state


def load(dashboard: Product, name: str, *scripts: str) -> None:
    """A flow whose steps are shell scripts; its steps are called s1, s2 …"""
    steps = "".join(
        f"  - id: s{place}\n    component: command\n    with: {{run: [sh, -c, {json.dumps(script)}]}}\n"
        for place, script in enumerate(scripts, 1)
    )
    dashboard.load_flow(f"id: {name}\nname: {name}\nsteps:\n{steps}")


def show(page: Page, dashboard: Product, name: str, *scripts: str) -> None:
    """Runs the scripts and opens the page of the ended run."""
    load(dashboard, name, *scripts)
    uid = start(page, name)
    state(page, "Succeeded")
    page.goto(f"/runs/{uid}/")
    expect(page.locator("#lines")).to_have_attribute("data-reading", "")


def seen(page: Page) -> list[int]:
    """The numbers of the lines that are to be seen."""
    numbers: list[int] = page.eval_on_selector_all(
        "#lines > [id^=L]", "rows => rows.filter(row => !row.hidden).map(row => Number(row.id.slice(1)))"
    )
    return numbers


def fold(page: Page, name: str) -> Locator:
    return page.locator("#lines").get_by_role("button", name=name)


GROUPS = r"""printf '%s\n' before '::group::Install' a b '::endgroup::' between \
'##[group]Tests' ok '::error file=a.py::broken' '##[endgroup]' after"""


def test_groups_are_closed_but_for_one_with_an_error(page: Page, dashboard: Product) -> None:
    show(page, dashboard, "read-groups", GROUPS)
    assert seen(page) == [1, 2, 6, 7, 8, 9, 10, 11]
    install, tests = fold(page, "Install"), fold(page, "Tests")
    expect(install).to_have_attribute("aria-expanded", "false")
    expect(install).to_have_attribute("data-note", "3 lines")
    expect(tests).to_have_attribute("aria-expanded", "true")
    expect(tests).to_have_attribute("data-note", "3 lines · 1 error")
    expect(page.locator("#L9 .arg")).to_have_text("file=a.py")
    expect(page.locator("#L9 .cmd").first).to_be_hidden()
    expect(page.locator("#L9 > i")).to_have_attribute("title", "error")
    install.focus()
    page.keyboard.press("Enter")
    expect(install).to_have_attribute("aria-expanded", "true")
    assert seen(page) == list(range(1, 12))
    page.keyboard.press("Space")
    assert seen(page) == [1, 2, 6, 7, 8, 9, 10, 11]
    expect(install).to_be_focused()


def test_sections_are_as_their_signs_say_and_one_is_always_open(page: Page, dashboard: Product) -> None:
    show(page, dashboard, "read-sections", r"printf '%s\n' '~~~ Prepare' a '--- Build' b '+++ Test' c '--- Upload' d")
    assert seen(page) == [1, 3, 5, 6, 7]
    expect(page.locator("#L1")).to_have_class(re.compile(r"\bdim\b"))
    show(page, dashboard, "read-last", r"printf '%s\n' '--- Build' b '--- Upload' d")
    assert seen(page) == [1, 3, 4]
    show(page, dashboard, "read-above", r"printf '%s\n' '--- Build' b '^^^ +++' '--- Upload' d")
    assert seen(page) == [1, 2, 3, 4]


def test_repeats_are_folded_and_what_counts_is_not(page: Page, dashboard: Product) -> None:
    script = (
        'for i in 7 9 3 8; do echo "$i ms for request 0xab$i at 12:00:0$i"; done; '
        'for i in 1 2 3 4; do echo "line $i"; done; '
        "for i in 1 2 3; do echo 'WARN low'; done; echo end"
    )
    show(page, dashboard, "read-repeats", script)
    assert seen(page) == [1, 5, 6, 7, 8, 9, 12]
    more = page.get_by_role("button", name="×3 more like this")
    more.click()
    expect(more).to_have_attribute("aria-expanded", "true")
    assert seen(page) == [1, 2, 3, 4, 5, 6, 7, 8, 9, 12]
    expect(page.get_by_role("button", name="×2 more like this")).to_have_attribute("aria-expanded", "false")
    assert page.evaluate("document.querySelector('#lines > .rep + [id=L10]') !== null")


def test_repeats_end_with_their_level_and_their_step(page: Page, dashboard: Product) -> None:
    show(page, dashboard, "read-steps", "echo same; echo same; echo same >&2", "echo same; echo same")
    assert seen(page) == [1, 2, 3, 4, 5]
    assert page.locator("#lines > .step-head").all_inner_texts() == ["Step s1", "Step s2"]


# Two rows that are drawn three times; then a line that rewrites the row above it, as docker does.
REDRAWN = (
    r"printf 'begin\n'; for i in 1 2 3; do [ $i = 1 ] || printf '\033[2A'; "
    r"printf '\033[2K\rone %s\n\033[2K\rtwo %s\n' $i $i; done; "
    r"printf 'layer: waiting\n\033[1A\033[2K\rlayer: done\r\033[1Bend\n'"
)


def test_what_a_terminal_overwrote_is_folded_and_not_lost(page: Page, dashboard: Product) -> None:
    show(page, dashboard, "read-redrawn", REDRAWN)
    assert seen(page) == [1, 6, 7, 9]
    expect(page.locator("#L6 > span")).to_have_text("one 3")
    assert page.locator("#L9 > span").inner_text().split() == ["layer:", "done", "end"]
    overwritten = page.get_by_role("button", name="lines overwritten")
    expect(overwritten).to_have_text("5 lines overwritten")
    overwritten.click()
    assert seen(page) == list(range(1, 10))
    expect(page.locator("#L2")).to_have_class(re.compile(r"\bover\b"))


def test_a_line_of_json_is_a_tree_whose_values_can_be_found(page: Page, dashboard: Product) -> None:
    line = json.dumps({"a": [1, {"b": "<i>x</i> \n y"}], "big": 12345678901234567890})
    show(page, dashboard, "read-json", f"cat <<'END'\nplain\n{line}\nINFO got {{\"id\": 1.50}}\n[INFO] no]\nEND")
    assert page.locator(".tree-open").count() == 2
    page.get_by_role("button", name="Line 2 as a tree").click()
    tree = page.locator("#lines > .tree")
    expect(tree).to_contain_text("big12345678901234567890")
    assert tree.locator("i").count() == 0
    value = tree.get_by_role("button", name="<i>x</i>")
    expect(value).to_have_text(r"<i>x</i> \n y")
    value.click()
    expect(page.get_by_role("searchbox", name="Find in the whole log")).to_have_value(r"<i>x</i> \n y")
    expect(page.locator("#find output")).to_have_text("1 hit")
    page.get_by_role("button", name="Line 2 as a tree").click()
    expect(tree).to_have_count(0)
    page.get_by_role("button", name="Line 3 as a tree").click()
    expect(tree).to_contain_text("id1.50")


def test_a_link_to_a_folded_line_opens_its_fold(page: Page, dashboard: Product) -> None:
    show(page, dashboard, "read-linked", GROUPS)
    address = page.url
    page.goto(f"{address}?x=1#L3")
    expect(page.locator("#L3")).to_be_visible()
    expect(page.locator("#L3")).to_be_in_viewport()


# Groups and repeats that grow while somebody looks on; the step goes on when its file is there.
LIVE = r"""echo '::group::First'; echo a; echo '::endgroup::'
for i in 1 2 3; do echo same; done
while [ ! -e {go}/1 ]; do sleep 0.05; done
for i in 1 2 3; do echo same; done
echo other; echo '::group::Last'; echo x
while [ ! -e {go}/2 ]; do sleep 0.05; done
echo y; echo '::endgroup::'; echo end"""


def test_what_the_reader_opened_stays_open_while_lines_come(
    page: Page, dashboard: Product, tmp_path_factory: pytest.TempPathFactory
) -> None:
    go = tmp_path_factory.mktemp("go")
    load(dashboard, "read-live", LIVE.format(go=go))
    start(page, "read-live")
    expect(page.get_by_role("button", name="×2 more like this")).to_be_visible()
    expect(page.locator("#L6")).to_be_visible()  # the last line, though it repeats
    expect(page.locator("#L5")).to_be_hidden()
    fold(page, "First").click()
    expect(page.locator("#L2")).to_be_visible()
    (go / "1").touch()
    expect(page.get_by_role("button", name="×5 more like this")).to_be_visible()
    expect(page.locator("#L2")).to_be_visible()
    expect(page.locator("#L6")).to_be_hidden()
    expect(fold(page, "Last")).to_have_attribute("aria-expanded", "true")
    expect(page.locator("#L12")).to_be_visible()
    page.get_by_role("button", name="×5 more like this").click()
    (go / "2").touch()
    expect(page.locator("#L15")).to_be_visible()
    expect(fold(page, "Last")).to_have_attribute("data-note", "3 lines")
    expect(page.locator("#L2")).to_be_visible()
    expect(page.locator("#L6")).to_be_visible()
    assert page.locator("#lines > .step-head").all_inner_texts() == ["Step s1"]


def test_without_scripts_every_line_is_there(page: Page, dashboard: Product, new_context, signed_in_state) -> None:  # type: ignore[no-untyped-def]
    show(page, dashboard, "read-plain", GROUPS)
    plain = new_context(java_script_enabled=False, storage_state=signed_in_state).new_page()
    plain.goto(page.url)
    for line in range(1, 12):
        expect(plain.locator(f"#L{line}")).to_be_visible()
    expect(plain.locator("#L2 > span")).to_have_text("::group::Install")


# Rows go and come at both ends, as they do while a reader moves through a log: however that went, the page must be what
# it is when all of them come at once.
COME_AND_GO = """(seed) => {
  const box = document.getElementById("lines");
  const random = (below) => ((seed = (seed * 16807) % 2147483647) >> 8) % below;
  const kinds = ["plain ab12cd", "GET 0xab3 7 ms", "GET 0xcd4 9 ms", "GET 0xee1 1 ms", "other", "WARN low", "WARN low"];
  const rows = [];
  let text = "";
  for (let line = 1; line <= 240; line++) {
    const dice = random(60);
    if (dice > 20) text = kinds[random(kinds.length)];
    let [fold, level] = ["", text.startsWith("WARN") ? ' class="w"' : ""];
    if (dice === 0) [text, fold, level] = [`--- Section ${line}`, ' data-fold="section"', ""];
    else if (dice < 4) [text, level] = [`::group::Group ${line}`, ""];
    else if (dice < 7) [text, fold, level] = ["::endgroup::", ' data-fold="end"', ""];
    else if (dice === 7) [text, level] = ["ERROR", ' class="e"'];
    if (dice && dice < 4) fold = ` data-fold="group${random(2) ? " nested" : ""}"`;
    const step = line < 150 ? "one" : "two";
    const move = MOVES && dice === 8 ? ' data-move="-1"' : "";
    rows.push(`<div id="L${line}"${level} data-step="${step}"${fold}${move}><a href="#L${line}">${line}</a>`
      + `<time>12:00:00.000</time><i></i><span>${text}</span></div>`);
  }
  const parse = (from, to) => {
    const template = document.createElement("template");
    template.innerHTML = rows.slice(from, to).join("");
    return template.content;
  };
  const settle = () => new Promise((resolve) => setTimeout(resolve));
  const note = (row) => row.querySelector("[data-note]")?.dataset.note ?? "";
  const state = () =>
    [...box.children].filter((row) => !row.hidden)
      .map((row) => `${row.id || row.className + row.textContent} ${note(row)}`);
  const drop = (count, side) => {
    while (count) {
      const row = box[`${side}ElementChild`];
      if (row.id) count -= 1;
      row.remove();
    }
  };
  return (async () => {
    box.replaceChildren(parse(0, rows.length));
    await settle();
    const wanted = state();
    let [from, to] = [0, rows.length];
    for (let turn = 0; turn < 40; turn++) {
      const count = 1 + random(60);
      const kind = random(4);
      if (kind === 0 && to - from > count) {
        drop(count, "first");
        from += count;
      } else if (kind === 1 && to - from > count) {
        box.querySelector(".cut-row")?.remove();
        drop(count, "last");
        to -= count;
        box.insertAdjacentHTML("beforeend", '<div class="cut-row" data-cut="later"></div>');
      } else if (kind === 2 && from) {
        box.prepend(parse(Math.max(0, from - count), from));
        from = Math.max(0, from - count);
      } else if (kind === 3) {
        const cut = box.querySelector(".cut-row");
        if (cut) cut.before(parse(to, to + count));
        to = Math.min(rows.length, to + count);
        if (to === rows.length) cut?.remove();
      }
      await settle();
    }
    if (from) box.prepend(parse(0, from));
    await settle();
    box.querySelector(".cut-row")?.replaceWith(parse(to, rows.length));
    await settle();
    return [wanted, state()];
  })();
}"""


@pytest.mark.parametrize("moves", ["false", "true"])
def test_however_rows_come_and_go_they_are_read_the_same(page: Page, dashboard: Product, moves: str) -> None:
    show(page, dashboard, f"read-{moves}", "echo begin")
    for seed in range(1, 25):
        wanted, found = page.evaluate(COME_AND_GO.replace("MOVES", moves), seed)
        assert found == wanted, f"seed {seed}"


# Rows made in the page, as the stream would put them there: 5,000 a second, 5,000 in it.
GROW = """async () => {
  const box = document.getElementById("lines");
  let line = Number(box.querySelector(":scope > [id^=L]:last-of-type").id.slice(1));
  const row = () => {
    line += 1;
    let text = `request ${(line * line) % 97} took ${(line * line) % 13} ms`;
    let fold = "";
    if (line % 500 === 0) [text, fold] = [`::group::Group ${line}`, ' data-fold="group"'];
    else if (line % 500 === 400) [text, fold] = ["::endgroup::", ' data-fold="end"'];
    else if (line % 7 === 0) text = `\\u2713 test ${line} passed`;
    return `<div id="L${line}" data-step="s1"${fold}><a href="#L${line}">${line}</a>`
      + `<time>12:00:00.000</time><i></i><span>${text}</span></div>`;
  };
  const add = (count) => {
    const template = document.createElement("template");
    template.innerHTML = Array.from({ length: count }, row).join("");
    box.append(template.content);
    while (box.childElementCount > 5000) box.firstElementChild.remove();
  };
  for (let batch = 0; batch < BATCHES; batch++) {
    add(500);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return { nodes: box.childElementCount, hidden: box.querySelectorAll(":scope > [hidden]").length };
}"""


def test_each_line_is_read_once_however_many_there_are(page: Page, dashboard: Product) -> None:
    show(page, dashboard, "read-burst", "echo begin; echo on")
    # A row that is read is asked once where its line leaves the cursor.
    page.evaluate("""() => {
        const ask = Element.prototype.getAttribute;
        window.asked = 0;
        Element.prototype.getAttribute = function (name) {
          window.asked += name === "data-move";
          return ask.call(this, name);
        };
    }""")
    found = page.evaluate(GROW.replace("BATCHES", "24"))
    assert found["nodes"] <= 5_200
    assert found["hidden"] > 1_000
    assert 12_000 <= page.evaluate("window.asked") <= 12_500
