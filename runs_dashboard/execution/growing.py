"""Which line of a step's output is growing: noted for the pages that are open, once a second at most.

A program that ends its lines costs no statement: only what has stood open for a while is noted, and the batch that
brings the line's end takes the note away.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from django.db import connection

from ..models import GrowingLine
from .patience import AWAY

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..models import Run, Step
    from ..text.intake import Intake

STANDS_SECONDS = 0.7  # a line that ends sooner is not shown before
AGAIN_SECONDS = 1.0  # between two notes


class GrowthNote:
    """What the database says of a step's open lines. `is_stale`: the next batch of lines takes it away."""

    def __init__(
        self, run: Run, step: Step, intakes: dict[str, Intake], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.run, self.step, self.token, self.intakes, self.clock = run, step, run.token, intakes, clock
        self.begun: dict[str, float] = {}  # stream → when its line was first seen open, by the monotonic clock
        self.latest = ""  # the stream that printed last
        self.noted: GrowingLine | None = None
        self.written_at = 0.0
        self.is_stale = self.is_over = False

    def printed(self, stream: str, *, has_ended: bool) -> None:
        """The stream's intake took something. has_ended: the line that was open is among the lines it gave."""
        self.latest = stream
        if has_ended:
            self.begun.pop(stream, None)
            if self.noted is not None and self.noted.stream == stream:
                self.is_stale = True

    def end(self) -> None:
        """What is open now is shown no more: the step has ended, or what comes of its lines is not kept."""
        self.is_over = True
        self.is_stale = self.is_stale or self.noted is not None

    def taken_away(self) -> None:
        """A batch that was stored took it away."""
        self.noted, self.is_stale = None, False

    def write(self) -> None:
        """Called often, when all lines are stored: notes what there is to note."""
        now = self.clock()
        line = self._choose(now)
        if (line == self.noted and not self.is_stale) or now - self.written_at < AGAIN_SECONDS:
            return
        self.written_at = now
        # Until the database has answered it may say the one or the other.
        self.noted, self.is_stale = line, True
        try:
            self.run.grow(line, token=self.token)
        except AWAY:
            connection.close()
        else:
            self.is_stale = False

    def _choose(self, now: float) -> GrowingLine | None:
        """The line that has stood open for long enough; of two the one that was printed to last."""
        chosen = None
        for stream, intake in self.intakes.items():
            text = "" if self.is_over else intake.open_text
            if not text:
                self.begun.pop(stream, None)
            elif now - self.begun.setdefault(stream, now) >= STANDS_SECONDS and (not chosen or stream == self.latest):
                chosen = GrowingLine(self.step.slug, self.step.attempt, stream, text)
        return chosen
