"""The one gateway in: bytes that a program printed or a client sent become clean, masked, levelled lines."""

import codecs
import time
from collections.abc import Callable
from typing import Any

import msgspec

from .clean import REPLACEMENT, NotJSON, TooDeep, TooLarge, clean, clean_json
from .levels import detect_level
from .redact import MASK, Redactor

__all__ = [
    "MASK",
    "MAX_LINE",
    "Intake",
    "Line",
    "NotJSON",
    "Redactor",
    "TooDeep",
    "TooLarge",
    "clean",
    "clean_json",
    "split_text",
]

MAX_LINE = 65_536
OPEN_CHARACTERS = 2_000  # of a line that has not ended, as far as it is shown
_LONGEST_LOOK = 24  # characters of an escape sequence that the cut may have gone through


class Line(msgspec.Struct, gc=False):
    """One log entry on its way into the store.

    `level` is 0 debug to 4 critical, `at` Unix seconds. `is_open` says that no line feed followed: the output
    ended there, or the line was too long for one entry and goes on in the next.
    """

    message: str
    level: int
    stream: str | None
    at: float
    is_open: bool = False
    is_system: bool = False
    metadata: dict[str, Any] | None = None


class Intake:
    """Turns one stream of bytes into lines, the same lines wherever the pieces are cut.

    UTF-8 with errors as U+FFFD; split at line feeds only, so that messages joined again (a line feed after
    each that is not open) are what was printed. Lines over `max_line` characters go on in further entries.
    """

    def __init__(
        self,
        stream: str | None = None,
        redactor: Redactor | None = None,
        *,
        max_line: int = MAX_LINE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._stream = stream
        # Each stream has its own place in its text: two intakes never share what is held back.
        self._redactor = redactor.fork() if redactor is not None else Redactor(())
        self._max_line = max_line
        self._clock = clock
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._rest = ""
        self._level: int | None = None

    @property
    def open_text(self) -> str:
        """What came of the line that has not ended, masked as its entry will be; of a long one the end.

        A long one is cut where a terminal would begin anew: behind a carriage return, else before a look.
        """
        rest = self._rest
        if len(rest) <= OPEN_CHARACTERS:
            return rest
        end = rest[-OPEN_CHARACTERS:]
        _, found, anew = end.partition("\r")
        if found and anew.strip("\r"):
            return anew
        return "…" + end[max(end.find("\x1b", 0, _LONGEST_LOOK), 0) :]

    def feed(self, data: bytes) -> list[Line]:
        """The next bytes in, the lines that are complete by now out."""
        return self._take(self._read(self._decode(data)))

    def flush(self) -> list[Line]:
        """The lines left at the end of the stream; the last one is open. The intake is as new afterwards."""
        lines = self._take(self._read(self._decode(b"", True)) + self._redactor.flush())
        if self._rest:
            lines.append(Line(self._rest, self._get_level(self._rest), self._stream, self._clock(), True))
        self._rest = ""
        self._level = None
        return lines

    def _read(self, text: str) -> str:
        # Decoding never gives a surrogate: NUL is the only character left to clean.
        return self._redactor.feed(text.replace("\0", REPLACEMENT) if "\0" in text else text)

    def _take(self, text: str) -> list[Line]:
        if self._rest:
            text = self._rest + text
        messages = text.split("\n")
        self._rest = messages.pop()
        stream, now = self._stream, self._clock()
        longest = self._max_line
        is_short = len(text) <= longest or len(max((*messages, self._rest), key=len)) <= longest
        if is_short and self._level is None:
            return [Line(message, detect_level(message), stream, now) for message in messages]
        lines: list[Line] = []
        for message in messages:
            self._cut(message, now, lines)
            at = 0 if len(message) <= longest else (len(message) - 1) // longest * longest
            lines.append(Line(message[at:], self._get_level(message), stream, now))
            self._level = None
        if len(self._rest) > longest:
            self._cut(self._rest, now, lines)
            self._rest = self._rest[(len(self._rest) - 1) // longest * longest :]
        return lines

    def _cut(self, message: str, now: float, lines: list[Line]) -> None:
        """Appends the full pieces of a line that is too long, all but its last piece."""
        longest = self._max_line
        for at in range(0, len(message) - longest, longest):
            # Of the first piece only: where the bytes were cut must not show.
            self._level = self._get_level(message[:longest])
            lines.append(Line(message[at : at + longest], self._level, self._stream, now, True))

    def _get_level(self, message: str) -> int:
        """A line that goes on keeps the level of its beginning."""
        return detect_level(message) if self._level is None else self._level


def split_text(
    text: str,
    redactor: Redactor | None = None,
    *,
    stream: str | None = None,
    max_line: int = MAX_LINE,
    clock: Callable[[], float] = time.time,
) -> list[Line]:
    """A whole text in, its lines out, as if a program had printed it."""
    intake = Intake(stream, redactor, max_line=max_line, clock=clock)
    return intake.feed(clean(text).encode()) + intake.flush()
