"""Whatever a program prints, the page shows what a terminal would, and nothing of it is markup."""

import re
import time
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs_dashboard.text.ansi import PLAIN, AnsiState, render, strip, strip_lines, to_html

TERMINAL = Path(__file__).parents[3] / "shared" / "data" / "terminal"

PIECES = st.sampled_from(
    [
        "\x1b",
        "\x1b[",
        "\x1b]",
        "\x1b]8;;",
        "\x1b\\",
        "\x07",
        "\x9b",
        "\x9d",
        "\x9c",
        "m",
        "K",
        ";",
        ":",
        "31",
        "38;5;",
        "48;2;",
        "200",
        "\r",
        "\x08",
        "<b>",
        "&",
        '"',
        "'",
        "http://x/",
        "javascript:",
        "\u202e",
        "\u2066",
        "\n",
        "\t",
        "0",
        "\x1b[1E",
        "\x1b[2K",
        "\x1b[1G",
        "\x1b[A",
        "\x1b[2B",
        "\x1b[3F",
        "\x1b[9C",
        "\x1b[2D",
        "\x1b[J",
        "\x1b[40G",
        "https://x.example/a(b).",
        "\x1bP",
        "\x1b_",
        "\x1b(B",
        "\x00",
        "\x7f",
        "\x85",
    ]
)
MESSAGES = st.lists(st.one_of(PIECES, st.text(max_size=3)), max_size=30).map("".join)
LOOKS = st.builds(
    AnsiState,
    st.sampled_from(["", "f1", "x200"]),
    st.sampled_from(["", "bg2", "bx16"]),
    st.integers(0, 63),
    st.sampled_from(["", "https://x.example/"]),
)


class Reader(HTMLParser):
    """Collects text, and objects to any tag or attribute but ours."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text = ""
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "a":
            assert set(given) == {"class", "href", "rel", "target"}
            assert given["rel"] == "noopener noreferrer nofollow"
            assert re.match("https?://", given["href"] or "", re.IGNORECASE)
        else:
            assert tag in ("span", "bdi")
            if re.fullmatch("-?[0-9]+", given.get("data-at") or ""):
                assert set(given) == {"data-at"}
                self.open.append(tag)
                return
            assert set(given) == {"class"}
            assert re.fullmatch("bidi|(?:(?:b?[gx]|bg|f|x|bx|r)?[0-9]{0,3}[BDIUSN]?(?: |$))+", given["class"] or "-")
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read(markup: str) -> str:
    reader = Reader()
    reader.feed(markup)
    reader.close()
    assert reader.open == []
    return reader.text


@given(MESSAGES, LOOKS)
def test_no_message_becomes_markup_and_the_text_is_what_strip_gives(message: str, look: AnsiState) -> None:
    markup, _ = to_html(message, look)
    assert read(markup) == strip(message)
    assert not re.search(r"style=|<(?!/?(?:span|a|bdi)\b)", markup)


@given(st.binary(max_size=80))
def test_any_bytes_come_out_without_controls(data: bytes) -> None:
    for text in (strip(data.decode("latin-1")), strip(data.decode(errors="replace"))):
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)


@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Cf", "Zl", "Zp"])))
def test_plain_text_is_only_escaped(text: str) -> None:
    assert strip(text) == text
    markup, look = to_html(text)
    assert unescape(markup) == text
    assert look == PLAIN


@pytest.mark.parametrize(
    ("message", "markup"),
    [
        ("a < b & \"c\" 'd'", "a &lt; b &amp; &quot;c&quot; &#x27;d&#x27;"),
        ("\x1b[31mred\x1b[0m plain", '<span class="f1">red</span> plain'),
        ("\x1b[1;4;92mx\x1b[22mx\x1b[m", '<span class="f10 B U">x</span><span class="f10 U">x</span>'),
        ("\x1b[2;3;9;41mx\x1b[49;39;0mx", '<span class="bg1 I S">x</span>x'),
        ("\x1b[2;31mx\x1b[39mx", '<span class="f1 D">x</span><span class="D">x</span>'),
        ("\x1b[37;41mx\x1b[7;49mx", '<span class="bg1">x</span><span class="bg7 N">x</span>'),
        ("\x1b[38;5;231;48;5;52mx\x1b[38;5;53mx", '<span class="r231 bx52">x</span><span class="bx52">x</span>'),
        ("\x1b[38;5;9mx\x1b[48;5;208mx", '<span class="f9">x</span><span class="bx208">x</span>'),
        ("\x1b[38;2;255;0;0mx", '<span class="x196">x</span>'),
        ("\x1b[38:2::255:0:0mx", '<span class="x196">x</span>'),
        ("\x1b[38:2:255:0:0mx", '<span class="x196">x</span>'),
        ("\x1b[48;2;8;8;8;1mx", '<span class="bx232 B">x</span>'),
        ("\x1b[58;5;1;32mx", '<span class="f2">x</span>'),
        ("\x1b[38mx\x1b[38;5mx\x1b[38;5;999mx", "xxx"),
        ("\x1b[7;31mx", '<span class="bg1 N">x</span>'),
        ("\x1b[7;31;102mx\x1b[27mx", '<span class="bg1 N">x</span><span class="bg10">x</span>'),
        ("\x9b31mx", '<span class="f1">x</span>'),
        ("\x1b[31m<script>\x1b[0m", '<span class="f1">&lt;script&gt;</span>'),
        ("<scr\x1b[31mipt>", '&lt;scr<span class="f1">ipt&gt;</span>'),
        ("\x1b[4:0mx\x1b[4:3mx", 'x<span class="U">x</span>'),
        ("\x1b[?25lx\x1b[>4;1mx", "xx"),
    ],
)
def test_colours_become_classes(message: str, markup: str) -> None:
    assert to_html(message)[0] == markup


def test_a_look_goes_on_in_the_next_line_until_it_ends() -> None:
    first, look = to_html("\x1b[32;1mone")
    second, look = to_html("two", look)
    third, look = to_html("three\x1b[0m four", look)
    assert [first, second] == ['<span class="f2 B">one</span>', '<span class="f2 B">two</span>']
    assert third == '<span class="f2 B">three</span> four'
    assert look == PLAIN


@pytest.mark.parametrize(
    "sequence",
    [
        "\x1b[2J",
        "\x1b[1A",
        "\x1b[10;20H",
        "\x1b]0;title\x07",
        "\x1b]52;c;ZXZpbA==\x1b\\",
        "\x1b(B",
        "\x1bc",
        "\x1b7",
        "\x1bP1$r\x1b\\",
        "\x1b_bk;t=1\x07",
        "\x1b[?1049h",
        "\x9d0;title\x9c",
        "\x85",
        "\x84",
        "\x00",
        "\x7f",
        "\x0b",
        "\x1b[31",
        "\x1b",
    ],
)
def test_every_other_sequence_is_dropped(sequence: str) -> None:
    assert to_html(f"a{sequence}")[0] == "a"
    assert strip(f"{sequence}") == ""


def test_an_unterminated_title_takes_nothing_but_its_own_line() -> None:
    assert strip("a\x1b]0;title") == "a"
    assert to_html("a\x1b]0;title")[1] == PLAIN
    assert to_html("a\x1b]0;ti\x1b[31mb")[0] == 'a<span class="f1">b</span>'


@pytest.mark.parametrize("end", ["\x07", "\x1b\\", "\x9c"])
def test_a_link_leads_to_the_web_only_and_tells_it_nothing(end: str) -> None:
    markup, look = to_html(f'\x1b]8;id=1;https://x.example/?a=1&b="{end}here\x1b]8;;{end} after')
    assert markup == (
        '<a class="link" href="https://x.example/?a=1&amp;b=&quot;" rel="noopener noreferrer nofollow"'
        ' target="_blank">here</a> after'
    )
    assert look == PLAIN


def test_a_link_that_is_not_ended_ends_with_its_line() -> None:
    _, look = to_html("\x1b[31m\x1b]8;;https://x.example/\x07here")
    assert to_html("next", look)[0] == '<span class="f1">next</span>'


@pytest.mark.parametrize(
    "target",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "//x.example",
        "https:x",
        "https://[x",
        " javascript:alert(1)",
        "https://x.example/\u202egpj.exe",
        "https://" + "x" * 3000,
        "vbscript:x",
    ],
)
def test_a_link_to_anywhere_else_is_text(target: str) -> None:
    assert to_html(f"\x1b]8;;{target}\x07here\x1b]8;;\x07")[0] == "here"


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("10 %\r20 %\r100 %", "100 %"),
        ("long text\rshort", "shorttext"),
        ("long text\rshort\x1b[K", "short"),
        ("line\r", "line"),
        ("line\r\r", "line"),
        ("\x1b[2K\rdone", "done"),
        ("waiting\x1b[2K\x1b[1Gdone", "done"),
        ("waiting\x1b[2Kx", "       x"),
        ("abc\x1b[1Kd", "   d"),
        ("|\b/\b-\b\\", "\\"),
        ("_\bx", "x"),
        ("\b\bx", "x"),
        ("one\x1b[1Etwo\rT", "one\nTwo"),
        ("a\r\nb\rc", "a\nc"),
        ("a\x1b[3Cb\x1b[2Dc", "a  cb"),
        ("\x1b[5Gx\x1b[Gy", "y   x"),
        ("\x1b[900Gx", " " * 500 + "x"),
    ],
)
def test_what_a_terminal_overwrites_is_overwritten(message: str, text: str) -> None:
    assert strip(message) == text
    assert read(to_html(message)[0]) == text


@pytest.mark.parametrize(
    ("message", "html", "moves"),
    [
        ("a\x1b[A", "a", "-1"),
        ("\x1b[1Aabove\x1b[1B", '<span data-at="-1">above</span>', "0"),
        ("\x1b[1A\x1b[2K\rdone\x1b[1Enext", '<span data-at="-1">done\n</span><span data-at="0">next</span>', "0"),
        ("\x1b[3Fx", '<span data-at="-3">x</span>', "-3"),
        ("\x1b[2K\x1b[1A\x1b[2K\x1b[G", '<span data-at="-1"></span><span data-at="0"></span>', "-1"),
        ("\x1b[2A\x1b[J", '<span data-at="-2"></span>', "-2,-1"),
        ("x\x1b[J", "x", "0,1"),
        ("\x1b[31m\x1b[2Ared\x1b[2B", '<span data-at="-2"><span class="f1">red</span></span>', "0"),
        ("\x1b[99999999999A<b>", '<span data-at="-200">&lt;b&gt;</span>', "-200"),
        ("\x1b[2J\x1b[Hx", "x", ""),
    ],
)
def test_a_line_that_moves_up_comes_out_as_its_rows(message: str, html: str, moves: str) -> None:
    rendered = render(message)
    assert (rendered.html, rendered.moves) == (html, moves)
    assert read(html) == strip(message)


@given(MESSAGES)
def test_where_a_line_leaves_the_cursor_is_a_number_or_two(message: str) -> None:
    assert re.fullmatch("|-?[0-9]{1,3}(?:,-?[0-9]{1,3})?", render(message).moves)


def test_overwriting_keeps_each_character_s_own_colour() -> None:
    assert to_html("\x1b[31mabc\x1b[32m\rX")[0] == '<span class="f2">X</span><span class="f1">bc</span>'


def test_characters_that_turn_text_are_shown() -> None:
    assert to_html("a\u202eb\u2066")[0] == 'a<bdi class="bidi">U+202E</bdi>b<bdi class="bidi">U+2066</bdi>'
    assert strip("a\u202eb") == "aU+202Eb"
    assert to_html("x\r\u202ey")[0] == '<bdi class="bidi">U+202E</bdi>y'


def test_tabs_stay() -> None:
    assert to_html("a\tb")[0] == strip("a\tb") == "a\tb"


@pytest.mark.parametrize(
    "message",
    [
        "x" * 30000 + "\x1b[1Ky" * 7000,
        "x" * 30000 + "\x1b[2Ky" * 7000,
        "\x1b]" * 32000,
        "\x9d" * 65000,
        "\x1b[" + "1;" * 32000 + "m",
        "\x1b[1m\x1b[0m" * 8000,
        "\r" * 65000 + "x",
        "\x1b[38;5" * 9000,
        "\x1b[" + "9" * 65000 + "m",
        "<" * 65000,
        "\u202e" * 65000,
        "\x1b[1;31" * 9000,
        "a\x08" * 32000,
        "\x1b[500Gx\x1b[1A" * 6000,
        "\x1b[1A\x1b[J" * 9000,
        "\x1b[1Ax\x1b[1By\x1b[J" * 5000,
        "http://x.example/" + ")" * 65000,
        "http://x. " * 6500,
    ],
    ids=lambda message: repr(message[-12:]),
)
def test_no_line_is_slow(message: str) -> None:
    begin = time.process_time()
    to_html(message)
    strip(message)
    assert time.process_time() - begin < 2


# What a reader of each recording must find, and the last line that its progress left.
RECORDED = {
    "curl.sh": ["$ curl -o /tmp/file.txt https://example.com/file.txt", "100   170  100   170    0     0    105"],
    "docker-pull.sh": [
        "07e62ecb726a: Preparing",
        "07e62ecb726a: Layer already exists \n331743f747fb: Layer already exists",
        "9a5a7e9: digest: sha256:e0271b89d75b4bf43d89eda0de850770f8f0a026",
    ],
    "playwright.sh": ["Running 8 tests using 1 worker", "✓  1 [chromium]", "Finished test run: passed", "7 passed"],
    "rustfmt.sh": ["- use std::collections::HashMap;", "+use std::collections::HashMap;", " use std::path;"],
}


@pytest.mark.skipif(not TERMINAL.is_dir(), reason="the terminal recordings are not beside this checkout")
@pytest.mark.parametrize("name", RECORDED)
def test_what_real_programs_print_comes_out_right(name: str) -> None:
    look, shown = PLAIN, []
    for line in (TERMINAL / f"{name}.raw").read_bytes().decode().split("\n"):
        markup, look = to_html(line, look)
        shown.append(read(markup))
        assert shown[-1] == strip(line)
    text = "\n".join(shown)
    for expected in RECORDED[name]:
        assert expected in text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]|\\[0m|_bk;", text)
    assert look == PLAIN


@given(st.lists(MESSAGES.map(lambda message: message.replace("\n", "\r")), max_size=5))
def test_many_lines_are_stripped_as_each_of_them_is(messages: list[str]) -> None:
    assert strip_lines(messages) == "\n".join(map(strip, messages))


@pytest.mark.parametrize("ending", ["", "\r", "\r\r", "\r\x1b[0m", "\x1b[0m\r", "\x1b[", "\x1b[K"])
def test_colours_and_carriage_returns_at_the_end_are_left_out_at_once(ending: str) -> None:
    messages = [f"\x1b[32mline {number}\x1b[38;5;200m of\x1b[m many{ending}" for number in range(9)]
    assert strip_lines(messages) == "\n".join(map(strip, messages))
