"""How times, durations and sizes are said: the same everywhere on the pages."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from django.utils import timezone

DASH = "–"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def say_duration(ms: float | None) -> str:
    """Milliseconds as `0.4 s`, `4:07`, `1:02:03` or `2 d 03:04`; a dash for None."""
    if ms is None:
        return DASH
    seconds = max(0.0, ms / 1000)
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours:02d}:{minutes:02d}"
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def say_against(ms: float | None, usual_ms: float | None, *, is_over: bool = True) -> str:
    """A duration beside the usual one: `as usual`, `3.2 times the usual 0:20`; nothing where one is not known.

    is_over: False for what goes on: it is told only once it takes longer.
    """
    if ms is None or not usual_ms:
        return ""
    times, usual = ms / usual_ms, say_duration(usual_ms)
    if times >= 1.25:
        return f"{times:.1f} times the usual {usual}" if times < 100 else f"usually {usual}"
    if not is_over:
        return f"of usually {usual}"
    if times >= 0.8:
        return f"as usual, {usual}"
    return f"shorter than the usual {usual}"


def say_ago(at: datetime | None, now: datetime | None = None) -> str:
    """`21 s ago`, `4 min ago`, `3 h ago`, `5 days ago`, or `in 4 min`; nothing for None."""
    if at is None:
        return ""
    seconds = ((now or timezone.now()) - at).total_seconds()
    amount = abs(seconds)
    if amount < 60:
        text = f"{int(amount)} s"
    elif amount < 3600:
        text = f"{int(amount // 60)} min"
    elif amount < 48 * 3600:
        text = f"{int(amount // 3600)} h"
    else:
        text = f"{int(amount // 86400)} days"
    return f"{text} ago" if seconds >= 0 else f"in {text}"


def say_length(length: timedelta) -> str:
    """`40 s`, `4 min`, `3 h`, `12 days`."""
    return say_ago(EPOCH, EPOCH + abs(length)).removesuffix(" ago")


def say_size(size: int | None) -> str:
    """Bytes as `184 B`, `2.1 kB`, `36 MB`; a dash for None."""
    if size is None:
        return DASH
    amount, unit = float(size), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if amount < 1000 or unit == "TB":
            break
        amount /= 1000
    return f"{int(amount)} B" if unit == "B" else f"{amount:.1f} {unit}" if amount < 100 else f"{amount:.0f} {unit}"


def say_count(number: int, limit: int) -> str:
    """A number with separators; past the limit `10,000+`, since it was not counted further."""
    return f"{limit:,}+" if number > limit else f"{number:,}"


def say_part(part: float | None) -> str:
    """`98.2 %`; never 100 or 0 for what is not quite that."""
    if part is None:
        return DASH
    rounded = round(100 * part, 1)
    if rounded in (0.0, 100.0) and 0 < part < 1:
        rounded = 0.1 if rounded == 0 else 99.9
    return f"{rounded:g} %"


def say_zone() -> str:
    """The reader's time zone with its offset now: `Europe/Berlin (UTC+1)`."""
    zone = timezone.get_current_timezone()
    name = timezone.get_current_timezone_name() if str(zone) in ("", "None") else str(zone)
    offset = timezone.localtime().utcoffset()
    minutes = int(offset.total_seconds() // 60) if offset else 0
    if not minutes:
        return "UTC" if name == "UTC" else f"{name} (UTC)"
    hours, rest = divmod(abs(minutes), 60)
    sign = "+" if minutes > 0 else "−"
    return f"{name} (UTC{sign}{hours}{f':{rest:02d}' if rest else ''})"


def say_instant(at: datetime) -> str:
    """ISO 8601, UTC, milliseconds: what a `datetime` attribute holds."""
    utc = at.astimezone(UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"


def say_clock(at: datetime, now: datetime | None = None) -> str:
    """The reader's wall clock: `14:32:07` today, `21 Nov 14:32` this year, `21 Nov 2025 14:32` before."""
    return say_local(timezone.localtime(at), timezone.localdate(now))


def say_day(day: date) -> str:
    """`Today`, `Yesterday` or nothing, by the reader's clock."""
    passed = (timezone.localdate() - day).days
    return {0: "Today", 1: "Yesterday"}.get(passed, "")


def say_local(local: datetime, today: date) -> str:
    """The same of a time that is on the reader's clock already, as his day is."""
    if local.date() == today:
        return f"{local:%H:%M:%S}"
    if local.year == today.year:
        return f"{local.day} {local:%b %H:%M}"
    return f"{local.day} {local:%b %Y %H:%M}"
