"""What made-up programs print, as the text of log chunks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..models.log import CHUNK_BYTES, CHUNK_LINES, FLAG_STDERR, FLAG_STDOUT, STREAM_BITS
from .synthetic import TRACEBACK, WARNINGS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from .synthetic import Habit, Template

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
# Numbers below 36³ (46 s in ms) in base 36, without and with leading zeros.
_LOW = [a + b + c for a in _DIGITS for b in _DIGITS for c in _DIGITS]
_STREAMS = {FLAG_STDOUT: STREAM_BITS["stdout"], FLAG_STDERR: STREAM_BITS["stderr"]}
_SMALL = [text.lstrip("0") or "0" for text in _LOW]


def base36(number: int) -> str:
    """A number of 0 or more as models.log writes it."""
    if number < 46_656:
        return _SMALL[number]
    high, low = divmod(number, 46_656)
    return base36(high) + _LOW[low]


class Chunk:
    """A chunk in the making. `first` is the number of its first line, `at` its first time in Unix ms."""

    def __init__(self, first: int, at: int) -> None:
        self.first, self.at, self.last_at = first, at, at
        self.records: list[str] = []
        self.size = 0
        self.mask = self.streams = 0
        self.warnings = self.errors = 0

    @property
    def count(self) -> int:
        return len(self.records)

    def add(self, level: int, flags: int, at: int, message: str) -> None:
        self.records.append(f"{level}{flags}{base36(at - self.at)} {message}")
        self.size += (len(message) if message.isascii() else len(message.encode())) + 1
        self.mask |= 1 << level
        self.streams |= _STREAMS[flags]
        self.last_at = at
        if level >= 2:
            if level == 2:
                self.warnings += 1
            else:
                self.errors += 1

    @property
    def is_full(self) -> bool:
        return self.size >= CHUNK_BYTES or len(self.records) >= CHUNK_LINES

    @property
    def body(self) -> str:
        return "\n".join(self.records)


def print_lines(
    random: Random, habit: Habit, *, first: int, count: int, start: int, took: int, error: str = ""
) -> Iterator[Chunk]:
    """The chunks of `count` lines that a step of the flow prints between `start` and `start + took` (Unix ms).

    error: the step fails with it; its last lines say so.
    """
    last = (*TRACEBACK, "ERROR") if error else ()
    plain = max(0, count - len(last))
    draw, warning = random.random, habit.warning
    gap = took / (count + 1)
    templates, amount = habit.lines, len(habit.lines)
    chunk = Chunk(first, start + int(draw() * gap))
    for number in range(plain):
        at = max(chunk.last_at, start + int((number + draw()) * gap)) if number else chunk.at
        if chunk.is_full:
            yield chunk
            chunk = Chunk(first + number, at)
        if draw() < warning:
            level, message = fill(random, WARNINGS[int(draw() * len(WARNINGS))])
            chunk.add(level, FLAG_STDERR, at, message)
        else:
            level, message = fill(random, templates[int(draw() * amount)])
            chunk.add(level, FLAG_STDOUT, at, message)
    at = max(chunk.last_at, start + int(plain * gap)) if plain else chunk.at
    for text in last[-count:] if count else ():
        message = f"ERROR {error}" if text == "ERROR" else text % int(draw() * 400) if "%d" in text else text
        chunk.add(3 if text == "ERROR" else 1, FLAG_STDERR, at, message)
    if chunk.records:
        yield chunk


def fill(random: Random, template: Template) -> tuple[int, str]:
    """The template's level, and its text with numbers drawn."""
    level, text, bounds = template
    draw = random.random
    return level, text % tuple([int(draw() * bound) for bound in bounds])
