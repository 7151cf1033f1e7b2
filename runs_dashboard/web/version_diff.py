"""What is different between two texts, line by line, within bounds: a comparison must not cost what a run costs."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher

AROUND = 3  # lines that are the same are shown before and after what is not
LINES_COMPARED = 2_000  # of what lies between the same beginning and the same end; more is told as wholly replaced
LINES_SHOWN = 4_000
LINE_LENGTH = 500  # characters


@dataclass(frozen=True)
class DiffLine:
    """sign: `+`, `−` or a space; old, new: its numbers, 0 where it is not there; a gap has neither and no text."""

    sign: str
    old: int
    new: int
    text: str

    @property
    def word(self) -> str:
        return {"+": "added", "−": "removed"}.get(self.sign, "")

    @property
    def is_gap(self) -> bool:
        return not self.old and not self.new


@dataclass(frozen=True)
class Diff:
    lines: list[DiffLine]
    added: int
    removed: int
    is_cut: bool

    @property
    def is_same(self) -> bool:
        return not self.added and not self.removed


def compare(old: str, new: str) -> Diff:
    """The second text against the first."""
    before, after = old.splitlines(), new.splitlines()
    head = 0
    while head < min(len(before), len(after)) and before[head] == after[head]:
        head += 1
    tail = 0
    while tail < min(len(before), len(after)) - head and before[-1 - tail] == after[-1 - tail]:
        tail += 1
    changes = [
        (head + old_from, head + old_to, head + new_from, head + new_to)
        for old_from, old_to, new_from, new_to in _match(
            before[head : len(before) - tail], after[head : len(after) - tail]
        )
    ]
    lines = _write(before, after, changes)
    return Diff(
        lines[:LINES_SHOWN],
        added=sum(new_to - new_from for _, _, new_from, new_to in changes),
        removed=sum(old_to - old_from for old_from, old_to, _, _ in changes),
        is_cut=len(lines) > LINES_SHOWN,
    )


def _match(before: list[str], after: list[str]) -> list[tuple[int, int, int, int]]:
    """The stretches that differ: from and to in the one, from and to in the other."""
    if not before and not after:
        return []
    if len(before) > LINES_COMPARED or len(after) > LINES_COMPARED:
        return [(0, len(before), 0, len(after))]
    matcher = SequenceMatcher(None, before, after)
    return [(a, b, c, d) for tag, a, b, c, d in matcher.get_opcodes() if tag != "equal"]


def _write(before: list[str], after: list[str], changes: list[tuple[int, int, int, int]]) -> list[DiffLine]:
    lines: list[DiffLine] = []
    shown = 0  # lines of the old text that stand there already, or are left out
    for place, (old_from, old_to, new_from, new_to) in enumerate(changes):
        begin = max(shown, old_from - AROUND)
        if begin > shown:
            lines.append(DiffLine(" ", 0, 0, ""))
        shift = new_from - old_from
        lines += [_line(" ", number, number + shift, before) for number in range(begin, old_from)]
        lines += [_line("−", number, None, before) for number in range(old_from, old_to)]
        lines += [_line("+", None, number, after) for number in range(new_from, new_to)]
        following = changes[place + 1][0] if place + 1 < len(changes) else len(before)
        shown = min(old_to + AROUND, following)
        shift = new_to - old_to
        lines += [_line(" ", number, number + shift, before) for number in range(old_to, shown)]
    if changes and shown < len(before):
        lines.append(DiffLine(" ", 0, 0, ""))
    return lines


def _line(sign: str, old: int | None, new: int | None, text: list[str]) -> DiffLine:
    """old, new: places from 0. The text is the new line's where it is added, else the old one's."""
    place = new if sign == "+" else old
    shown = text[place or 0]
    shown = shown if len(shown) <= LINE_LENGTH else f"{shown[:LINE_LENGTH]}…"
    return DiffLine(sign, 0 if old is None else old + 1, 0 if new is None else new + 1, shown)
