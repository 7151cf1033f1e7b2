"""What one may write into the log's "Go to": a line, a share, a time, an end, the next error. And where that is."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, NamedTuple

from django.utils import timezone
from django.utils.dateparse import parse_datetime, parse_time

from ..models import LogView

if TYPE_CHECKING:
    from ..models import Run
    from .log_window import LogQuery

LINE = re.compile(r"(?:line\s*|L|#L?)?(\d{1,15}|\d{1,3}(?:[, ]\d{3}){1,4})", re.ASCII | re.IGNORECASE)
SHARE = re.compile(r"(\d{1,3}(?:\.\d{1,6})?)\s*%", re.ASCII)
SINCE = re.compile(r"\+(?:(?:(\d{1,5}):)?(\d{1,6}):)?(\d{1,8}(?:\.\d{1,6})?)", re.ASCII)
CLOCK = re.compile(r"\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?", re.ASCII)
DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
HELP = "Write a line (1,204), a share (50%), a time (14:32:07, 2026-03-01 14:32) or how long after the start (+4:07)."
NEXT = re.compile(r"(?:(next|previous)\s+)?(error|warning)", re.IGNORECASE)
LEVELS_OF = {"error": frozenset({3, 4}), "warning": frozenset({2})}


class Place(NamedTuple):
    """line: where to go, None to stay; said: what the reader should know, empty where all is as asked."""

    line: int | None
    said: str = ""


def find_place(run: Run, query: LogQuery, text: str, *, at: int = 0) -> Place:
    """The line that a text means in the part of the log that is shown.

    text: see HELP, or `start`, `end`, `next error`, `previous warning`; at: where the reader is, 0 for nowhere.
    """
    text = text.strip()
    if not run.line_count:
        return Place(None, "The log has no line yet." if run.is_live else "The log has no line.")
    if level := NEXT.fullmatch(text):
        return _next_of_level(run, query, level[2].lower(), at, (level[1] or "").lower() == "previous")
    if text == "end":
        found = query.view(run).read_before(None, limit=1).entries
        return Place(found[0].line if found else run.line_count)
    if text == "start":
        return _nearest(run, query, 1)
    if SHARE.fullmatch(text):
        share = float(text.rstrip("% ")) / 100
        return _nearest(run, query, max(1, min(run.line_count, round(share * run.line_count))))
    if found_line := LINE.fullmatch(text):
        return _line(run, query, int(re.sub(r"\D", "", found_line[1])))
    moment = _read_moment(run, text)
    if moment is None:
        return Place(None, HELP)
    line = LogView(run).line_at(moment)
    if line > run.line_count:
        return Place(run.line_count, "The log ends before that time.")
    return _nearest(run, query, line)


def _line(run: Run, query: LogQuery, line: int) -> Place:
    if not 1 <= line <= run.line_count:
        return Place(None, f"There is no line {line:,}: the log has lines 1 to {run.line_count:,}.")
    place = _nearest(run, query, line)
    if place.line != line and not place.said:
        return place._replace(said=f"Line {line:,} is not in this view; this is the nearest one after it.")
    return place


def _nearest(run: Run, query: LogQuery, line: int) -> Place:
    """The first line of the view from there on, else its last."""
    view = query.view(run)
    if view.is_whole:
        return Place(line)
    found = view.read_after(line - 1, limit=1).entries or view.read_before(line, limit=1).entries
    return Place(found[0].line) if found else Place(None, "No line near there is in this view.")


def _next_of_level(run: Run, query: LogQuery, word: str, at: int, is_backward: bool) -> Place:
    levels = LEVELS_OF[word] & query.levels if query.level else LEVELS_OF[word]
    if not levels:
        return Place(None, f"This view leaves {word}s out.")
    view = LogView(run, action=query.step, attempt=query.attempt, stream=query.stream, levels=levels)
    stretch = view.read_before(at or None, limit=1) if is_backward else view.read_after(at, limit=1)
    if stretch.entries:
        return Place(stretch.entries[0].line)
    way = "before" if is_backward else "after"
    if not stretch.is_end:
        return Place(
            stretch.reached, f"No {word} between line {at:,} and line {stretch.reached:,}. Ask again to go on."
        )
    has_place = bool(at)
    return Place(None, f"There is no {word} {way} line {at:,}." if has_place else f"There is no {word} in this view.")


def _read_moment(run: Run, text: str) -> datetime | None:
    """A time on the reader's clock. Without a day it is the first such time since the run started."""
    start = timezone.localtime(run.started_at or run.created_at)
    if since := SINCE.fullmatch(text):
        hours, minutes, seconds = (float(part or 0) for part in since.groups())
        return start + timedelta(seconds=hours * 3600 + minutes * 60 + seconds)
    try:
        if CLOCK.fullmatch(text):
            clock = parse_time(text.zfill(5) if text.count(":") == 1 else text)
            if clock is None:
                return None
            found = _on_clock(datetime.combine(start.date(), clock))
            # To the second: who writes 14:32:07 of a run that started at 14:32:07.4 means this day.
            is_before = found < start.replace(microsecond=0, second=0 if text.count(":") == 1 else start.second)
            return _on_clock(datetime.combine(start.date() + timedelta(days=1), clock)) if is_before else found
        is_day = DAY.fullmatch(text)
        found_moment = datetime.combine(datetime.fromisoformat(text).date(), time()) if is_day else parse_datetime(text)
        if found_moment is None or not 1970 <= found_moment.year <= 9000:
            return None
        return found_moment if timezone.is_aware(found_moment) else _on_clock(found_moment)
    except (ValueError, OverflowError):
        return None


def _on_clock(moment: datetime) -> datetime:
    return timezone.make_aware(moment)
