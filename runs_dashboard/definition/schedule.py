"""When a scheduled flow starts: five-field cron in a time zone, by Debian cron's daylight-saving rules.

A job at a fixed hour that the clock skips in spring runs right after the gap; in autumn's doubled hour it
runs once.
"""

import re
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

_ALLOWED = re.compile(r"[0-9A-Za-z*/,#\- ]{1,200}")
_FIELDS = ("minute", "hour", "day of the month", "month", "day of the week")
_MACROS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


class ScheduleError(ValueError):
    """A cron expression or time zone that cannot be; `hint` says what would be right."""

    def __init__(self, message: str, hint: str):
        self.hint = hint
        super().__init__(message)


def check_expression(expression: str) -> None:
    """Raises ScheduleError unless this is a five-field cron expression with a next time."""
    if expression in _MACROS:
        raise ScheduleError(f"{expression} is not a five-field cron expression", f'e.g. "{_MACROS[expression]}"')
    fields = expression.split()
    if not _ALLOWED.fullmatch(expression) or len(fields) != 5:
        raise ScheduleError(f"expected five fields: {', '.join(_FIELDS)}", 'e.g. "0 2 * * *" for 02:00 every day')
    try:
        times = CronSim(expression, datetime(2026, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        said = str(error).removeprefix("Bad ")
        raise ScheduleError(f"the {said} field is wrong", 'e.g. "0 2 * * *" for 02:00 every day') from error
    if next(times, None) is None:
        raise ScheduleError("this schedule never comes", "look at the day and the month")


@lru_cache(maxsize=128)
def zone(name: str) -> ZoneInfo:
    """The time zone of this IANA name. Raises ScheduleError, with the closest name as hint."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        near = get_close_matches(name[:60], available_timezones(), 1)
        raise ScheduleError(
            "unknown time zone", f"did you mean {near[0]}?" if near else "e.g. Europe/Berlin"
        ) from error


def next_times(expression: str, timezone: str, after: datetime, count: int = 1) -> list[datetime]:
    """The next `count` starts after the aware time `after`, in aware UTC times; fewer if there are no more.

    Raises ScheduleError for a bad expression or zone.
    """
    check_expression(expression)
    times = CronSim(expression, after.astimezone(zone(timezone)))
    found: list[datetime] = []
    while len(found) < count and (moment := next(times, None)) is not None:
        moment = moment.astimezone(UTC)
        # Autumn's doubled hour makes cronsim hand out the same moment again when started inside it.
        if moment > after and (not found or moment > found[-1]):
            found.append(moment)
    return found


def describe(expression: str) -> str:
    """The schedule in plain words, e.g. "At 02:00 every day". Raises ScheduleError."""
    check_expression(expression)
    return CronSim(expression, datetime(2026, 1, 1, tzinfo=UTC)).explain()
