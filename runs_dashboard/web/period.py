"""The period that the insights are about: a preset or days of one's own, whole hours or days, UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from django.utils import timezone
from django.utils.dateparse import parse_date

from ..models.insights import Span
from ..models.rollup import DAY, HOUR, hour_of, moment_of

if TYPE_CHECKING:
    from django.http import QueryDict

PRESETS = {"24h": "24 hours", "7d": "7 days", "30d": "30 days", "90d": "90 days"}
DEFAULT = "7d"
MOST_DAYS = 186
FIRST_DAY = date(1970, 1, 1)


@dataclass(frozen=True)
class Period:
    """level: how many hours a column of the charts stands for; preset: empty for days of one's own."""

    span: Span
    level: int
    preset: str

    @property
    def first(self) -> date:
        return self.span.begins_at.date()

    @property
    def last(self) -> date:
        return (self.span.ends_at - timedelta(hours=1)).date()

    @property
    def words(self) -> str:
        """`the last 7 days`, `1 Nov 2026 to 22 Nov 2026`, `22 Nov 2026`."""
        if self.preset:
            return f"the last {PRESETS[self.preset]}"
        return say_day(self.first) if self.first == self.last else f"{say_day(self.first)} to {say_day(self.last)}"

    @property
    def before_words(self) -> str:
        """How the period is called that it is compared with."""
        days = self.span.hours // DAY
        if self.level == HOUR:
            return f"the {self.span.hours} hours before"
        return "the day before" if days == 1 else f"the {days} days before"

    @property
    def units(self) -> range:
        """The first hour of each column."""
        return range(self.span.begin, self.span.end, self.level)

    @property
    def query(self) -> dict[str, str]:
        """What asks for it in an address."""
        if self.preset:
            return {"period": self.preset}
        return {"from": self.first.isoformat(), "to": self.last.isoformat()}

    def say_unit(self, hour: int) -> str:
        """`20 Nov` or `14:00`."""
        at = moment_of(hour)
        return f"{at:%H:%M}" if self.level == HOUR else f"{at.day} {at:%b}"


def say_day(day: date) -> str:
    return f"{day.day} {day:%b %Y}"


def read_period(params: QueryDict) -> tuple[Period, str]:
    """The period that an address asks for, and what is wrong with it (then it is the usual one)."""
    begin, end = params.get("from", "").strip(), params.get("to", "").strip()
    if begin or end:
        try:
            return _own_days(begin, end), ""
        except ValueError as problem:
            return read_preset(DEFAULT), str(problem)
    preset = params.get("period", "") or DEFAULT
    if preset not in PRESETS:
        return read_preset(DEFAULT), f"There is no period of that name. Periods: {', '.join(PRESETS)}."
    return read_preset(preset), ""


def _own_days(begin: str, end: str) -> Period:
    """Raises ValueError with a sentence."""
    today = timezone.now().astimezone(UTC).date()
    last = _read_day(end) if end else today
    first = _read_day(begin) if begin else last
    if first > last:
        raise ValueError("The first day lies after the last.")
    if first < FIRST_DAY or last.year > today.year + 1:
        raise ValueError("There are no figures of that time.")
    if (last - first).days >= MOST_DAYS:
        raise ValueError(f"At most {MOST_DAYS} days at once.")
    return Period(Span.between(_midnight(first), _midnight(last)).longer(DAY), DAY, "")


def _read_day(text: str) -> date:
    try:
        day = parse_date(text)
    except ValueError:
        day = None
    if day is None:
        raise ValueError("Give days as 2026-11-22.")
    return day


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def read_preset(name: str) -> Period:
    """One of PRESETS; it ends with the current hour or day, as far as that has come."""
    now = hour_of(timezone.now())
    if name == "24h":
        return Period(Span(now + 1 - 24, now + 1), HOUR, name)
    end = now // DAY * DAY + DAY
    return Period(Span(end - int(name.removesuffix("d")) * DAY, end), DAY, name)
