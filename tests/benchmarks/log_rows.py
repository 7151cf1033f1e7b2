"""Lines of a log as rows of the page: how many one CPU second makes, by what the lines hold."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from runs_dashboard.text import ansi
from runs_dashboard.text.rows import log_row_html

from .context import Context
from .table import Row

LINES = 20_000
ROUNDS = 5
AT = datetime(2026, 3, 29, tzinfo=UTC)
KINDS = {
    "plain": ("2026-03-29 12:00:00 INFO some.module row {} was written to the warehouse in 12 ms", "≥ 100,000"),
    "coloured": ("\x1b[32m2026-03-29\x1b[0m \x1b[1mINFO\x1b[0m some.module row {} was \x1b[31mlost\x1b[0m", ""),
    "with a link": ("GET https://shop.example/orders/{}?page=2 answered 200 in 12 ms", ""),
    "progress in one line": ("\r 10 % of {0}\r 50 % of {0}\r\x1b[K100 % of {0}", ""),
    "redrawing two rows": ("\x1b[2A\x1b[2K\rtask {0} done\x1b[1E\x1b[2K\rtask {0} waits\x1b[1E", ""),
}


@dataclass(frozen=True)
class Line:
    """A log entry as far as a row needs it (text/rows.py, LogLine): no database takes part."""

    line: int
    message: str
    at: datetime
    level: int = 1
    stream: str = "stdout"
    is_system: bool = False
    is_open: bool = False
    action: str = "load"
    attempt: int = 1


def run(context: Context) -> list[Row]:
    rows = []
    for name, (text, goal) in KINDS.items():
        lines = [
            Line(number, text.format(number), AT + timedelta(milliseconds=number)) for number in range(1, LINES + 1)
        ]
        detail = f"one thread, {LINES:,} lines, the best of {ROUNDS}"
        rows.append(Row(f"rows of the page in a CPU second, {name}", LINES / measure(lines), "lines", goal, detail))
    return rows


def measure(lines: list[Line]) -> float:
    """CPU seconds of the fastest round."""
    zone = ZoneInfo("Europe/Berlin")
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        look = ansi.PLAIN
        for line in lines:
            _, look = log_row_html(line, zone=zone, ansi_state=look)
        best = min(best, time.process_time() - began)
    return best
