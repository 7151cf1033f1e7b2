"""Log entries as events: what a browser or a program takes out is what was put in."""

import json
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs_dashboard.live.dialects import ApiDialect, Colours, PageDialect, end_event, event
from runs_dashboard.models import Entry, log_entry_id
from runs_dashboard.text.intake import clean

from .client import Event, parse

AT = datetime(2026, 3, 1, 23, 30, 5, 123_999, tzinfo=UTC)


def entry(line: int, message: str, **more) -> Entry:
    fields = {"at": AT, "level": 1, "stream": "stdout", "is_system": False, "is_open": False}
    return Entry(**{"line": line, "message": message, "action": "load", "attempt": 1, **fields, **more})


def events(data: bytes) -> list[Event]:
    text = data.decode()
    assert text.endswith("\n\n")
    found = [parse(block) for block in text[:-2].split("\n\n")]
    assert None not in found
    return [one for one in found if one is not None]


@given(st.text().map(clean), st.integers(1, 10**12))
def test_any_text_comes_through_an_event(text: str, line: int) -> None:
    (found,) = events(event(line, text))

    # A line break is a line break, however it was written (HTML Living Standard, 9.2.6).
    assert found.data == text.replace("\r\n", "\n").replace("\r", "\n")
    assert found.line == line


@given(st.lists(st.text().map(clean), min_size=1, max_size=5))
def test_any_message_comes_through_the_api_stream_unchanged(messages: list[str]) -> None:
    entries = [entry(number, message) for number, message in enumerate(messages, 1)]

    found = events(ApiDialect("run-1").render(entries, {}))

    assert [json.loads(one.data)["message"] for one in found] == messages
    assert [one.line for one in found] == [one.line for one in entries]


def test_an_api_event_is_the_log_entry_of_the_contract() -> None:
    told = entry(7, "late", level=3, stream="stderr", is_system=True)

    (found,) = events(ApiDialect("run-1").render([told], {}))

    assert json.loads(found.data) == {
        "id": log_entry_id("run-1", 7),
        "line": 7,
        "timestamp": "2026-03-01T23:30:05.123Z",
        "level": "error",
        "message": "late",
        "action": "load",
        "stream": "stderr",
        "system": True,
    }
    assert found.line == 7


def test_the_page_is_sent_rows_together_in_the_readers_zone() -> None:
    dialect = PageDialect(ZoneInfo("Europe/Berlin"))

    (found,) = events(dialect.render([entry(1, "<b>"), entry(2, "two\nlines")], {}))

    assert (found.name, found.line, found.lines) == ("", 2, [1, 2])
    assert "00:30:05.123" in found.data
    assert "&lt;b&gt;" in found.data
    assert "<b>" not in found.data
    assert "two\nlines" in found.data


def test_a_colour_goes_on_in_the_next_line_of_the_same_program_only() -> None:
    dialect, colours = PageDialect(UTC), Colours()
    first = dialect.render([entry(1, "\x1b[31mred")], colours)
    second = dialect.render(
        [entry(2, "other", action="fetch"), entry(3, "still red"), entry(4, "\x1b[0mplain")], colours
    )

    assert b'<span class="f1">red</span>' in first
    assert b'<span class="f1">still red</span>' in second
    assert second.count(b"f1") == 1
    assert colours == {}


def test_a_view_of_one_step_or_some_levels_is_sent_nothing_else() -> None:
    entries = [
        entry(1, "a"),
        entry(2, "b", level=3),
        entry(3, "c", action="fetch", level=3),
        entry(4, "d", action=None),
    ]
    wanted = {("", ()): [1, 2, 3, 4], ("load", ()): [1, 2], ("", (3,)): [2, 3], ("load", (3,)): [2], ("x", ()): []}

    for (step, levels), lines in wanted.items():
        data = PageDialect(UTC, step, frozenset(levels)).render(entries, {})
        assert ([number for one in events(data) for number in one.lines] if data else []) == lines


@pytest.mark.parametrize("status", ["succeeded", "failed", "stopped"])
def test_the_end_names_the_status(status: str) -> None:
    (found,) = events(end_event(9, status))

    assert (found.line, found.name, json.loads(found.data)) == (9, "end", {"status": status})


def test_equal_views_are_one_dialect() -> None:
    zone = ZoneInfo("Europe/Berlin")

    assert len({PageDialect(zone, "", frozenset({1, 2})), PageDialect(zone, "", frozenset({2, 1}))}) == 1
    assert len({PageDialect(zone), PageDialect(ZoneInfo("Asia/Tokyo")), ApiDialect("a"), ApiDialect("b")}) == 4
