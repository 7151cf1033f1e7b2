"""How times, durations, sizes and counts are said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from runs_dashboard.web import words

NOW = datetime(2026, 11, 22, 14, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("ms", "said"),
    [
        (None, "–"),
        (0, "0.0 s"),
        (-5, "0.0 s"),
        (390, "0.4 s"),
        (12_000, "0:12"),
        (247_000, "4:07"),
        (3_723_000, "1:02:03"),
        (183_840_000, "2 d 03:04"),
    ],
)
def test_durations(ms: float | None, said: str) -> None:
    assert words.say_duration(ms) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(21, "21 s ago"), (240, "4 min ago"), (10_800, "3 h ago"), (432_000, "5 days ago"), (-300, "in 5 min")],
)
def test_how_long_ago(seconds: int, said: str) -> None:
    assert words.say_ago(NOW - timedelta(seconds=seconds), NOW) == said


@pytest.mark.parametrize(
    ("size", "said"),
    [(None, "–"), (0, "0 B"), (999, "999 B"), (2_100, "2.1 kB"), (184_000, "184 kB"), (36_000_000, "36.0 MB")],
)
def test_sizes(size: int | None, said: str) -> None:
    assert words.say_size(size) == said


def test_counts_past_the_limit_are_a_lower_bound() -> None:
    assert words.say_count(10_000, 10_000) == "10,000"
    assert words.say_count(10_001, 10_000) == "10,000+"


@pytest.mark.parametrize(
    ("at", "said"),
    [
        (NOW, "15:00:00"),
        (NOW - timedelta(days=1), "21 Nov 15:00"),
        (datetime(2025, 7, 3, 8, tzinfo=UTC), "3 Jul 2025 10:00"),
    ],
)
def test_the_clock_is_the_readers_and_says_the_day_where_it_is_another(at: datetime, said: str) -> None:
    with timezone.override(ZoneInfo("Europe/Berlin")):
        assert words.say_clock(at, NOW) == said


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/St_Johns"])
def test_the_zone_is_named_with_its_offset(zone: str) -> None:
    with timezone.override(ZoneInfo(zone)):
        assert words.say_zone().startswith(zone)
        assert "UTC" in words.say_zone()


@given(st.integers(-(10**15), 10**15))
def test_every_number_can_be_said(number: int) -> None:
    assert words.say_duration(number)
    assert words.say_size(number)


@pytest.mark.parametrize(
    ("ms", "usual", "is_over", "said"),
    [
        (None, 10, True, ""),
        (10, None, True, ""),
        (10, 0, True, ""),
        (20_000, 20_000, True, "as usual, 0:20"),
        (64_000, 20_000, True, "3.2 times the usual 0:20"),
        (2_000, 20_000, True, "shorter than the usual 0:20"),
        (2_000, 20_000, False, "of usually 0:20"),
        (90_000, 20_000, False, "4.5 times the usual 0:20"),
        (9_000_000, 20_000, True, "usually 0:20"),
    ],
)
def test_a_duration_is_said_against_the_usual_one(ms: int | None, usual: int | None, is_over: bool, said: str) -> None:
    assert words.say_against(ms, usual, is_over=is_over) == said
