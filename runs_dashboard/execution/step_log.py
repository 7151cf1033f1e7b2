"""A step's output on its way into the log store: in batches, capped, and never lost on the way."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import InterfaceError, OperationalError, close_old_connections

from ..models import append
from ..text.ansi import strip
from ..text.intake import Intake, Line

if TYPE_CHECKING:
    from ..models import Run, Step
    from ..text.intake import Redactor

FLUSH_SECONDS = 0.1  # a printed line is in the database this soon
FLUSH_LINES = 4_000
FLUSH_BYTES = 512 * 1024
DATABASE_PATIENCE = 300.0  # seconds that an unreachable database is waited for; the program waits too


class StepLog:
    """Takes what a step's program prints, and what the product itself has to say of the step."""

    def __init__(self, run: Run, step: Step, *, redactor: Redactor, max_bytes: int | None = None) -> None:
        self.run, self.step, self.token = run, step, run.token
        self.redactor = redactor
        self.max_bytes = max_bytes if max_bytes is not None else settings.STEP_LOG_MAX_BYTES
        self.intakes = {name: Intake(name, redactor, max_line=settings.LOG_LINE_MAX) for name in ("stdout", "stderr")}
        self.pending: list[Line] = []
        self.pending_bytes = 0
        self.flushed_at = 0.0
        self.taken_bytes = 0
        self.dropped_bytes = self.dropped_lines = 0
        self.line_count = self.warning_count = self.error_count = 0
        self.last_line = run.line_count
        self.error_line: int | None = None
        self.error_text = ""
        self.last_stderr = ""

    def take(self, stream: str, data: bytes) -> None:
        """Bytes that the program printed. Blocks while the database is slower than the program."""
        room = self.max_bytes - self.taken_bytes
        if room <= 0:
            self.dropped_bytes += len(data)
            self.dropped_lines += data.count(b"\n")
            return
        self.taken_bytes += len(data)
        if len(data) > room:
            # Cut behind a whole line, so that no half line pretends to be one.
            cut = data.rfind(b"\n", 0, room) + 1
            self._hold(self.intakes[stream].feed(data[:cut]), cut)
            self.taken_bytes = self.max_bytes
            self._announce_cap()
            self.take(stream, data[cut:])
            return
        self._hold(self.intakes[stream].feed(data), len(data))

    def say(self, message: str, *, level: int = 1) -> None:
        """A line of the product's own."""
        text = self.redactor.redact(message)
        self._hold([Line(text, level, None, time.time(), is_system=True)], len(text))

    def write(self, message: str, *, level: int = 1) -> int:
        """A line of the step itself, stored at once. Returns its number."""
        text = self.redactor.redact(message)
        self._hold([Line(text, level, None, time.time())], len(text))
        self.flush()
        return self.last_line

    def tick(self) -> None:
        """Called often: stores what has waited long enough."""
        if self.pending and time.monotonic() - self.flushed_at >= FLUSH_SECONDS:
            self.flush()

    def close(self) -> None:
        """The step's output is over: stores the rest and says what was dropped."""
        for intake in self.intakes.values():
            rest = intake.flush()
            if self.dropped_bytes:
                rest = []  # the end of a cut output belongs to what was dropped, and is counted there
            self._hold(rest, sum(len(line.message) for line in rest))
        if self.dropped_bytes:
            lines = f"{self.dropped_lines:,} lines" if self.dropped_lines != 1 else "1 line"
            self.say(f"{lines} ({self.dropped_bytes:,} bytes) were printed after the limit and are not kept.", level=2)
            type(self.run).across_tenants.filter(pk=self.run.pk, token=self.token).update(
                dropped_lines=self.run.dropped_lines + self.dropped_lines
            )
            self.run.dropped_lines += self.dropped_lines
        self.flush()

    def _announce_cap(self) -> None:
        self.say(
            f"The log limit of {self.max_bytes:,} bytes a step is reached: "
            "what follows is counted and not kept. The step goes on.",
            level=2,
        )

    def _hold(self, lines: list[Line], size: int) -> None:
        if not lines:
            return
        self.pending.extend(lines)
        self.pending_bytes += size
        is_due = time.monotonic() - self.flushed_at >= FLUSH_SECONDS
        if is_due or self.pending_bytes >= FLUSH_BYTES or len(self.pending) >= FLUSH_LINES:
            self.flush()

    def flush(self) -> None:
        """Stores what is held. Raises LeaseLost when the run is another worker's."""
        lines, self.pending, self.pending_bytes = self.pending, [], 0
        if lines:
            first = self.last_line + 1
            self.last_line = self._append(lines)
            self._count(lines, first)
        self.flushed_at = time.monotonic()

    def _append(self, lines: list[Line]) -> int:
        give_up_at = time.monotonic() + DATABASE_PATIENCE
        while True:
            try:
                return append(self.run, lines, step=self.step, token=self.token)
            except (OperationalError, InterfaceError):
                if time.monotonic() > give_up_at:
                    raise
            time.sleep(0.2)  # between two tries at a database that is away
            known = self._read_count()
            if known is not None and known >= self.last_line + len(lines):
                return known  # it was committed, only the answer was lost

    def _read_count(self) -> int | None:
        close_old_connections()
        try:
            rows = type(self.run).across_tenants.filter(pk=self.run.pk, token=self.token)
            return rows.values_list("line_count", flat=True).first()
        except (OperationalError, InterfaceError):
            return None

    def _count(self, lines: list[Line], first: int) -> None:
        self.line_count += len(lines)
        for place, line in enumerate(lines):
            if line.level == 2:
                self.warning_count += 1
            elif line.level >= 3:
                self.error_count += 1
                self.error_line = first + place
                self.error_text = line.message
        last = lines[-1]
        if last.stream == "stderr" and last.message.strip():
            self.last_stderr = last.message

    def describe_error(self) -> str:
        """What the output says of a failure: its last error line, else the last line on stderr, as plain text."""
        return strip(self.error_text or self.last_stderr).strip()[:2_000]

    def counts(self) -> dict[str, int]:
        """The step's counters, as its columns."""
        return {
            "line_count": self.line_count,
            "warning_count": self.warning_count,
            "error_count": self.error_count,
        }
