"""A step's output on its way into the log store: in batches, capped, and never lost on the way."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from django.db import connection, models

from ..models import append
from ..text.ansi import strip
from ..text.intake import Intake, Line, clean
from .control import Interrupted
from .growing import GrowthNote
from .patience import AGAIN_SECONDS, AWAY, PATIENCE_SECONDS, let_go, patiently

if TYPE_CHECKING:
    from ..models import Run, Step
    from ..text.intake import Redactor
    from .control import Control

FLUSH_SECONDS = 0.1  # a printed line is in the database this soon
FLUSH_LINES = 4_000
FLUSH_BYTES = 512 * 1024
HELD_BYTES = 8 * 2**20  # held while the database is away; then the program waits


class StepLog:
    """Takes what a step's program prints, and what the product itself has to say of the step.

    max_bytes: of the program's output; what follows is counted and said, not kept; max_line: characters.
    """

    def __init__(
        self, run: Run, step: Step, control: Control, *, redactor: Redactor, max_bytes: int, max_line: int
    ) -> None:
        self.run, self.step, self.token, self.control = run, step, run.token, control
        self.redactor = redactor
        self.max_bytes = max_bytes
        self.intakes = {name: Intake(name, redactor, max_line=max_line) for name in ("stdout", "stderr")}
        self.growing = GrowthNote(run, step, self.intakes)
        self.pending: list[Line] = []
        self.pending_bytes = 0
        self.stored_at = 0.0
        self.away_since: float | None = None
        self.taken_bytes = 0
        self.is_full = False
        self.dropped_bytes = self.dropped_lines = 0
        self.is_drop_open: dict[str, bool] = {}  # stream → does its last dropped line lack its end
        self.line_count = self.warning_count = self.error_count = 0
        self.last_line = run.line_count
        self.error_line: int | None = None
        self.error_text = ""
        self.last_stderr = ""

    def take(self, stream: str, data: bytes) -> None:
        """Bytes that the program printed. Blocks while the database is slower than the program. Raises LeaseLost."""
        if not self.is_full and self.taken_bytes + len(data) > self.max_bytes:
            # Cut behind a whole line, so that no half line pretends to be one.
            cut = data.rfind(b"\n", 0, self.max_bytes - self.taken_bytes) + 1
            if cut:
                self.taken_bytes += cut
                self._hold(self.intakes[stream].feed(data[:cut]), cut)
            self.is_full, data = True, data[cut:]
            self.growing.end()
            self.say(
                f"The log limit of {self.max_bytes:,} bytes is reached: "
                "what follows is counted and not kept. The step goes on.",
                level=2,
            )
        if self.is_full:
            self.dropped_bytes += len(data)
            self.dropped_lines += data.count(b"\n")
            self.is_drop_open[stream] = not data.endswith(b"\n")
            return
        self.taken_bytes += len(data)
        lines = self.intakes[stream].feed(data)
        self.growing.printed(stream, has_ended=bool(lines))
        self._hold(lines, len(data))

    def say(self, message: str, *, level: int = 1) -> None:
        """A line of the product's own."""
        text = self.redactor.redact(clean(message))
        self._hold([Line(text, level, None, time.time(), is_system=True)], len(text))

    def write(self, message: str, *, level: int = 1) -> int:
        """A line of the step itself, stored at once. Returns its number."""
        text = self.redactor.redact(clean(message))
        self._hold([Line(text, level, None, time.time())], len(text))
        self._store_all()
        return self.last_line

    def tick(self) -> None:
        """Called often: stores what has waited long enough."""
        if self.pending and time.monotonic() - self.stored_at >= FLUSH_SECONDS:
            self._store()
        if not self.pending and self.away_since is None:
            self.growing.write()
        let_go()

    def close(self) -> None:
        """The step's output is over: stores the rest and says what was dropped. May be called again."""
        self.growing.end()
        for name, intake in self.intakes.items():
            rest = intake.flush()
            size = sum(len(line.message.encode()) for line in rest)
            if name in self.is_drop_open:
                self.dropped_bytes += size  # the beginning of a line whose end was dropped, and counted
            else:
                self._hold(rest, size)
        self.dropped_lines += sum(self.is_drop_open.values())
        if self.dropped_bytes:
            lines = f"{self.dropped_lines:,} line{'s' if self.dropped_lines != 1 else ''}"
            self.say(f"Dropped: {lines} ({self.dropped_bytes:,} bytes) printed after the limit.", level=2)
            patiently(self._count_dropped)
        self.is_drop_open = {}
        self.dropped_bytes = self.dropped_lines = 0
        self._store_all()

    def _count_dropped(self) -> None:
        rows = type(self.run).across_tenants.filter(pk=self.run.pk, token=self.token)
        rows.update(dropped_lines=models.F("dropped_lines") + self.dropped_lines)

    def _hold(self, lines: list[Line], size: int) -> None:
        if not lines:
            return
        self.pending.extend(lines)
        self.pending_bytes += size
        is_due = time.monotonic() - self.stored_at >= FLUSH_SECONDS
        if is_due or self.pending_bytes >= FLUSH_BYTES or len(self.pending) >= FLUSH_LINES:
            self._store()
            while self.pending_bytes >= HELD_BYTES:
                self._wait()
                self._store()

    def _store_all(self) -> None:
        while self.pending and not self._store():
            self._wait()

    def _wait(self) -> None:
        if self.control.is_interrupted:
            raise Interrupted
        time.sleep(AGAIN_SECONDS / 4)

    def _store(self) -> bool:
        """Stores what is held; while the database is away it stays held. Returns whether it was stored.

        Raises LeaseLost, or what the database says when it has been away for too long.
        """
        now = time.monotonic()
        if self.away_since is not None and now - self.stored_at < AGAIN_SECONDS:
            return False
        self.stored_at = now
        try:
            if self.away_since is not None:
                self._forget_what_arrived()
            if self.pending:
                is_stale = self.growing.is_stale
                last = append(self.run, self.pending, step=self.step, token=self.token, ends_growing=is_stale)
                self._account(self.pending, last)
                if is_stale:
                    self.growing.taken_away()
        except AWAY:
            self.away_since = self.away_since or now
            if now - self.away_since > PATIENCE_SECONDS:
                raise
            connection.close()
            return False
        self.away_since = None
        self.pending, self.pending_bytes = [], 0
        self.stored_at = time.monotonic()
        return True

    def _forget_what_arrived(self) -> None:
        """Of a batch that failed the database may have kept all, and only its answer was lost."""
        rows = type(self.run).across_tenants.filter(pk=self.run.pk, token=self.token)
        known = rows.values_list("line_count", flat=True).first()
        if known is not None and known > self.last_line:
            arrived = known - self.last_line
            self._account(self.pending[:arrived], known)
            self.pending = self.pending[arrived:]

    def _account(self, lines: list[Line], last: int) -> None:
        self.last_line = last
        self.line_count += len(lines)
        levels = [line.level for line in lines]
        self.warning_count += levels.count(2)
        worst = max(levels)
        if worst >= 3:
            places = [place for place, level in enumerate(levels) if level >= 3]
            self.error_count += len(places)
            self.error_line = last - len(lines) + 1 + places[-1]
            self.error_text = lines[places[-1]].message
        for line in reversed(lines):
            if line.stream == "stderr" and line.message.strip():
                self.last_stderr = line.message
                break

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
