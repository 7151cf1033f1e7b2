"""Bare addresses in a line become links; everything else stays the text that it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs_dashboard.text.ansi import to_html
from runs_dashboard.text.links import MOST_LINKS, check_link, split_links


def linked(text: str) -> list[str]:
    return [part for part, is_link in split_links(text) if is_link]


@given(
    st.lists(st.sampled_from(["http://", "https://x.example/", "a", "(", ")", ".", " ", "<", "'", "\u202e"])).map(
        "".join
    )
)
def test_the_pieces_joined_are_the_text(text: str) -> None:
    pieces = list(split_links(text))
    assert "".join(part for part, _ in pieces) == text
    assert all(check_link(part) for part, is_link in pieces if is_link)


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("see https://x.example/a?b=1&c=2#d.", ["https://x.example/a?b=1&c=2#d"]),
        ("(http://x.example/a_(b))", ["http://x.example/a_(b)"]),
        ("[http://[::1]:80/]", ["http://[::1]:80/"]),
        ('url="https://x.example/q", next', ["https://x.example/q"]),
        ("HTTPS://X.EXAMPLE!", ["HTTPS://X.EXAMPLE"]),
        ("two http://a.example/ and http://b.example/,", ["http://a.example/", "http://b.example/"]),
        ("https:// ftp://x.example javascript:alert(1) https://[x git+ssh://y", []),
        ("http://x.example/" + "a" * 3000, []),
    ],
)
def test_an_address_ends_where_a_reader_would_end_it(text: str, links: list[str]) -> None:
    assert linked(text) == links


def test_a_line_has_a_bounded_number_of_links() -> None:
    assert len(linked("http://x.example/ " * 500)) == MOST_LINKS


def test_an_address_is_escaped_and_tells_its_target_nothing() -> None:
    assert to_html("go http://x.example/?a=1&b=2 <now>")[0] == (
        'go <a class="link" href="http://x.example/?a=1&amp;b=2" rel="noopener noreferrer nofollow" target="_blank">'
        "http://x.example/?a=1&amp;b=2</a> &lt;now&gt;"
    )
    assert to_html("\x1b[31mhttp://x.example/\x1b[0m")[0].startswith('<span class="f1"><a class="link"')


def test_a_printed_link_keeps_its_own_target() -> None:
    html, _ = to_html("\x1b]8;;https://a.example/\x07https://b.example/\x1b]8;;\x07")
    assert html.count("<a ") == 1
    assert 'href="https://a.example/"' in html
