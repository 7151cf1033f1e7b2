"""A log line as HTML: the one row that page and stream share."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs_dashboard.models.log_reading import Entry
from runs_dashboard.text import ansi
from runs_dashboard.text.rows import growing_row_html, log_row_html, step_head_html

AT = datetime(2026, 3, 29, 0, 59, 59, 999_400, tzinfo=UTC)


def entry(message: str = "text", **changes: Any) -> Entry:
    fields = {
        "line": 38_212,
        "at": AT,
        "level": 1,
        "stream": "stdout",
        "is_system": False,
        "is_open": False,
        "message": message,
        "action": "load",
        "attempt": 1,
    }
    return Entry(**(fields | changes))


def test_a_row_has_number_time_level_and_text() -> None:
    row, state = log_row_html(entry("stock < 12", level=2))
    assert row == (
        '<div id="L38212" class="w" data-step="load"><a href="#L38212">38,212</a>'
        '<time datetime="2026-03-29T00:59:59.999Z">00:59:59.999</time><i title="warning">W</i>'
        "<span>stock &lt; 12</span></div>"
    )
    assert state == ansi.PLAIN


@pytest.mark.parametrize(("zone", "clock"), [("Europe/Berlin", "01:59:59"), ("Asia/Kathmandu", "06:44:59")])
def test_the_clock_is_the_readers_and_the_instant_is_utc(zone: str, clock: str) -> None:
    row, _ = log_row_html(entry(), zone=ZoneInfo(zone))
    assert f">{clock}.999</time>" in row
    assert 'datetime="2026-03-29T00:59:59.999Z"' in row


@pytest.mark.parametrize(
    ("changes", "mark"),
    [
        ({"level": 0}, '<i title="debug">D</i>'),
        ({"level": 1}, "<i></i>"),
        ({"level": 4}, '<i title="critical">C</i>'),
        ({"stream": "stderr"}, '<i title="stderr">·</i>'),
        ({"stream": "stderr", "level": 3}, '<i title="error, stderr">E</i>'),
        ({"is_system": True, "stream": None}, '<i title="written by Runs Dashboard">◆</i>'),
        ({"is_system": True, "level": 2}, '<i title="warning, written by Runs Dashboard">W</i>'),
    ],
)
def test_a_level_is_a_letter_and_quiet_standard_error_a_dot(changes: dict[str, Any], mark: str) -> None:
    assert mark in log_row_html(entry(**changes))[0]


def test_the_products_own_and_unended_lines_are_marked() -> None:
    assert 'class="w sys"' in log_row_html(entry(level=2, stream=None, is_system=True, action=None))[0]
    assert 'class="open"' in log_row_html(entry(is_open=True))[0]


def test_a_colour_goes_on_into_the_next_line() -> None:
    first, state = log_row_html(entry("\x1b[31mred"))
    second, state = log_row_html(entry("still\x1b[0m not"), ansi_state=state)
    assert '<span class="f1">red</span>' in first
    assert '<span class="f1">still</span> not' in second
    assert state == ansi.PLAIN


@pytest.mark.parametrize(
    ("message", "changes", "mark"),
    [
        ("::group::Build <b>", {}, ' data-fold="group"'),
        ("plain", {"attempt": 2}, ' data-step="load" data-attempt="2"'),
        ("\x1b[2Ax", {}, ' data-move="-2"'),
        ('{"a": 1}', {}, " data-json>"),
        ('INFO {"a": 1}', {}, " data-json>"),
        ("[[1], [2]]", {}, " data-json>"),
    ],
)
def test_a_row_says_what_its_line_is_to_others(message: str, changes: dict[str, Any], mark: str) -> None:
    assert mark in log_row_html(entry(message, **changes))[0]


@pytest.mark.parametrize("message", ["plain", "}", "func {", "[INFO] x]", '{"cut": 1', "--- a/x"])
def test_most_rows_say_nothing(message: str) -> None:
    assert re.search("data-(?:fold|move|json|attempt)", log_row_html(entry(message))[0]) is None


def test_a_markers_sign_is_told_apart_and_its_name_is_text() -> None:
    row, state = log_row_html(entry("\x1b[31m::group::Build <b>"))
    assert '<span><span class="cmd">::group::</span><span class="f1">Build &lt;b&gt;</span></span>' in row
    assert state.foreground == "f1"


def test_a_step_is_named_with_its_attempt() -> None:
    assert step_head_html("load", 1) == '<div class="step-head" data-head="load">Step load</div>'
    assert step_head_html("<b>", 2) == ('<div class="step-head" data-head="&lt;b&gt;">Step &lt;b&gt; · attempt 2</div>')


MESSAGES = st.one_of(
    st.text(),
    st.lists(
        st.sampled_from(["::group::", "::error ", "--- ", "##vso[task.x ", "]", "\x1b[A", "\r", "<i>", '"', "}"])
    ).map("".join),
)


@given(MESSAGES, st.text(max_size=30), st.integers(0, 4), st.booleans())
def test_whatever_a_line_says_a_row_is_one_element_of_known_tags(
    message: str, action: str, level: int, is_open: bool
) -> None:
    row, _ = log_row_html(entry(message, action=action, level=level, is_open=is_open))
    tags = set(re.findall(r"<([a-zA-Z]+)", row))
    assert tags <= {"div", "a", "time", "i", "span", "bdi"}
    assert row.count("<div ") == row.count("</div>") == 1
    attributes = set(re.findall(r'\s([a-z-]+)="', re.sub(r'="[^"]*"', '="', row)))
    known = {"id", "class", "data-step", "href", "datetime", "title", "rel", "target"}
    assert attributes <= known | {"data-fold", "data-move", "data-at"}


def test_a_line_that_grows_is_shown_as_the_screen_would_without_number_and_time() -> None:
    assert growing_row_html("10%\r\x1b[32m20%\x1b[0m <i>", "stdout", '"load"') == (
        '<div id="growing" class="growing"><i title="Step &quot;load&quot; has not ended this line yet">…</i>'
        '<span><span class="f2">20%</span> &lt;i&gt;</span></div>'
    )
    assert 'class="growing er"' in growing_row_html("x", "stderr", "load")


@pytest.mark.parametrize("message", ["", "  ", "\x1b[2K\r", "\r\r", "\x1b[?25l"])
def test_nothing_is_shown_where_the_screen_would_show_nothing(message: str) -> None:
    assert growing_row_html(message, "stdout", "load") == ""


@given(MESSAGES, st.text(max_size=30))
def test_whatever_grows_is_one_element_of_known_tags(message: str, action: str) -> None:
    row = growing_row_html(message, "stdout", action)
    assert set(re.findall(r"<([a-zA-Z]+)", row)) <= {"div", "a", "i", "span", "bdi"}
    assert row.count("<div ") == row.count("</div>") == (1 if row else 0)
