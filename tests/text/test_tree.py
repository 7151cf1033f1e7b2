"""A value as a tree: bounded, escaped, and what is left out is said and can be reached."""

from __future__ import annotations

import re
from html import unescape
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs_dashboard.text.tree import LONG, NoSuchValue, find_value, name_path, tree_html, write_json

ADDRESS = "/values/inputs/"


def make(value: Any, **options: Any) -> str:
    return tree_html(value, name="inputs", address=ADDRESS, **options)


def rows(html: str) -> list[str]:
    return re.findall(r"<li[^>]* data-at=", html)


def test_keys_and_values_are_shown_with_their_types() -> None:
    html = make({"day": "2026-03-01", "count": 12, "dry": True, "none": None, "empty": {}, "secret": "***"})
    for shown in (
        '<span class="key">day</span><span class="value text">2026-03-01</span>',
        '<span class="value number">12</span>',
        '<span class="value truth">true</span>',
        '<span class="value none">null</span>',
        '<span class="value">{}</span>',
        '<span class="value mask" title="A secret, masked">***</span>',
    ):
        assert shown in html


def test_numbers_keep_all_their_digits() -> None:
    assert "123456789012345678901234567890" in make({"a": 123456789012345678901234567890})


def test_paths_are_written_as_templates_and_people_do() -> None:
    html = tree_html({"fetch": {"body": [{"sku": 1}], "a b": 2}}, name="steps", infix=".outputs")
    paths = [unescape(path) for path in re.findall(r'data-path="([^"]*)"', html)]
    assert paths == [
        "steps.fetch.outputs",
        "steps.fetch.outputs.body",
        "steps.fetch.outputs.body[0]",
        "steps.fetch.outputs.body[0].sku",
        'steps.fetch.outputs["a b"]',
    ]
    assert name_path("steps", "/fetch/body/0", infix=".outputs") == "steps.fetch.outputs.body[0]"


@pytest.mark.parametrize("most", [1, 10, 300])
def test_never_more_values_than_wanted_and_the_nearest_to_the_root_first(most: int) -> None:
    html = make({"first": [list(range(500)) for _ in range(50)], "last": "here"}, most=most)
    assert len(rows(html)) <= most
    assert ("last" in html) == (most > 1)


def test_what_is_left_out_says_how_much_and_leads_to_it() -> None:
    html = make({"many": list(range(5_000))}, most=101)
    assert f'<a class="link left" href="{ADDRESS}?at=/many&amp;from=50">4,950 more values</a>' in html
    page = make(list(range(5_000)), pointer="/many", most=100, start=4_950)
    assert len(rows(page)) == 50
    assert "more values" not in page


def test_a_long_text_is_folded_and_a_very_long_one_leads_to_its_page() -> None:
    html = make({"text": "x" * (LONG + 5)})
    assert f'<span class="size">{LONG + 5:,} characters</span>' in html
    assert f'<a class="link left" href="{ADDRESS}?at=/text">5 more characters</a>' in html


def test_many_long_texts_do_not_make_a_large_page() -> None:
    assert len(make(["x" * 100_000 for _ in range(200)])) < 400_000


def test_a_very_deep_value_ends_somewhere_and_says_so() -> None:
    value: Any = 1
    for _ in range(200):
        value = {"a": value}
    html = make(value)
    assert len(rows(html)) < 30
    assert "1 values, not shown here" in html


def test_nothing_in_it_becomes_markup() -> None:
    evil = "<img src=x onerror=alert(1)>\"'</details>"
    html = make({evil: evil, "list": [evil], "link": f"https://x.example/{evil}"})
    assert "<img" not in html
    assert html.count("<details") == html.count("</details>")
    assert re.search(r'\sonerror="', html) is None


@pytest.mark.parametrize("pointer", ["day", "/nothing", "/list/9", "/list/-1", "/list/x", "/day/0", "/list/²"])
def test_a_pointer_to_nothing_is_told(pointer: str) -> None:
    with pytest.raises(NoSuchValue):
        find_value({"day": "x", "list": [1]}, pointer)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)


@given(values)
def test_every_row_leads_to_its_own_value(value: Any) -> None:
    html = make(value)
    for pointer in re.findall(r'data-at="([^"]*)"', html):
        found = find_value(value, unquote(unescape(pointer)))
        assert write_json(found)
