"""Schedules in a time zone, over the days on which the clock jumps."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs_dashboard.definition.schedule import ScheduleError, check_expression, describe, next_times, zone

BERLIN = ZoneInfo("Europe/Berlin")


def starts(expression: str, after: str, count: int, timezone: str = "Europe/Berlin") -> list[str]:
    times = next_times(expression, timezone, datetime.fromisoformat(after), count)
    assert all(time.utcoffset() == timedelta(0) for time in times)
    return [f"{time:%m-%dT%H:%M}Z" for time in times]


def test_the_hour_is_the_time_zones_in_summer_and_winter() -> None:
    assert starts("0 2 * * *", "2026-07-01T00:00Z", 2) == ["07-02T00:00Z", "07-03T00:00Z"]
    assert starts("0 2 * * *", "2026-12-01T12:00Z", 2) == ["12-02T01:00Z", "12-03T01:00Z"]


def test_an_hour_that_the_spring_skips_runs_right_after_the_gap() -> None:
    # On 2026-03-29 the clock goes from 02:00 to 03:00, which is 01:00 UTC.
    assert starts("30 2 * * *", "2026-03-28T12:00Z", 3) == ["03-29T01:00Z", "03-30T00:30Z", "03-31T00:30Z"]


def test_an_hour_that_the_autumn_doubles_runs_once() -> None:
    # On 2026-10-25 the clock goes from 03:00 back to 02:00, which is 01:00 UTC.
    assert starts("30 2 * * *", "2026-10-24T12:00Z", 2) == ["10-25T00:30Z", "10-26T01:30Z"]


def test_asked_between_the_two_doubled_hours_a_daily_job_does_not_run_again() -> None:
    assert starts("30 2 * * *", "2026-10-25T00:30Z", 1) == ["10-26T01:30Z"]
    assert starts("30 2 * * *", "2026-10-25T00:45Z", 1) == ["10-26T01:30Z"]
    assert starts("30 2 * * *", "2026-10-25T01:10Z", 1) == ["10-26T01:30Z"]


def test_a_job_of_every_quarter_goes_on_through_both_doubled_hours() -> None:
    times = next_times("*/15 * * * *", "Europe/Berlin", datetime(2026, 10, 24, 23, 45, tzinfo=UTC), 12)
    assert [later - earlier for earlier, later in pairwise(times)] == [timedelta(minutes=15)] * 11


def test_the_next_time_is_after_and_never_at_the_moment_asked() -> None:
    assert starts("0 2 * * *", "2026-07-02T00:00Z", 1) == ["07-03T00:00Z"]
    assert starts("0 2 * * *", "2026-07-01T23:59:59.999999Z", 1) == ["07-02T00:00Z"]


def test_the_zone_of_the_moment_asked_does_not_matter() -> None:
    assert starts("0 2 * * *", "2026-07-02T01:00+09:00", 1, "UTC") == ["07-02T02:00Z"]


@pytest.mark.parametrize(
    "expression",
    [
        *(
            "",
            "* * * *",
            "* * * * * *",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * * 13 *",
            "* * * * 8",
            "a b c d e",
        ),
        *(
            "*/0 * * * *",
            "5-1 * * * *",
            "0 0 31 2 *",
            "@reboot",
            "1" * 300,
            "* * * * *\n* * * * *",
            "٣ * * * *",
            "0 0 * * 9#1",
        ),
    ],
)
def test_a_bad_expression_is_refused_with_a_hint(expression: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        check_expression(expression)
    assert caught.value.hint


def test_a_schedule_in_plain_words() -> None:
    assert describe("0 2 * * *") == "At 02:00 every day"
    assert describe("*/15 9-17 * * MON-FRI").endswith("Monday through Friday")


@pytest.mark.parametrize("name", ["Nowhere", "Europe", "../etc/passwd", "/etc/localtime", "", "\0", "a" * 5000, "é"])
def test_a_name_that_is_no_time_zone_is_refused(name: str) -> None:
    with pytest.raises(ScheduleError, match="unknown time zone"):
        zone(name)


FIELD = st.text(st.sampled_from("0123456789*/,-#LWMON"), min_size=1, max_size=6)
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))


@given(st.lists(FIELD, min_size=4, max_size=6).map(" ".join), MOMENTS)
def test_any_expression_is_refused_or_has_rising_times(expression: str, after: datetime) -> None:
    try:
        times = next_times(expression, "Europe/Berlin", after, 3)
    except ScheduleError:
        return
    assert describe(expression)
    assert all(earlier < later for earlier, later in zip([after, *times], times, strict=False))


@given(st.integers(0, 59), st.integers(0, 23), MOMENTS)
def test_a_daily_schedule_runs_once_on_every_local_day(minute: int, hour: int, after: datetime) -> None:
    times = next_times(f"{minute} {hour} * * *", "Europe/Berlin", after, 5)
    days = [time.astimezone(BERLIN).date() for time in times]
    assert [later - earlier for earlier, later in pairwise(days)] == [timedelta(days=1)] * 4
