"""What differs between two JSON values, value by value, bounded."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from .tree import name_path

DEEPEST = 24
MOST_LOOKED = 20_000  # values of both
LONGEST = 160  # characters shown of a value


class Difference(NamedTuple):
    """path: as templates write it; old, new: short texts, None where there is none."""

    path: str
    old: str | None
    new: str | None

    @property
    def kind(self) -> str:
        return "added" if self.old is None else "removed" if self.new is None else "changed"


class Differences(NamedTuple):
    """left: how many more differ; same: values that are equal; is_cut: not all of both was looked at."""

    shown: list[Difference]
    left: int
    same: int
    is_cut: bool

    @property
    def total(self) -> int:
        return len(self.shown) + self.left


def find_differences(old: Any, new: Any, *, name: str, infix: str = "", most: int = 100) -> Differences:
    """Compares two values in their order; lists place by place. name, infix: see text.tree.name_path."""
    found: list[Difference] = []
    left = same = looked = 0
    is_cut = False
    todo: list[tuple[str, Any, Any]] = [("", old, new)]
    while todo:
        pointer, one, two = todo.pop()
        if _is_equal(one, two):
            same += bool(pointer)
            continue
        looked += 1
        if looked > MOST_LOOKED:
            is_cut = True
            break
        pairs = _pairs(one, two) if pointer.count("/") < DEEPEST else None
        if pairs is not None:
            todo += [(f"{pointer}/{key}", first, second) for key, first, second in reversed(pairs)]
        elif len(found) < most:
            found.append(Difference(name_path(name, pointer, infix=infix), _say(one), _say(two)))
        else:
            left += 1
    return Differences(found, left, same, is_cut)


def _is_equal(one: Any, two: Any) -> bool:
    """Python's 1 equals True and 1.0, within lists and objects too."""
    return type(one) is type(two) and one == two and repr(one) == repr(two)


class _Missing:
    """In place of a value that only the other one has."""


_MISSING = _Missing()


def _pairs(one: Any, two: Any) -> list[tuple[str, Any, Any]] | None:
    """The parts of two objects, or of two lists, side by side; None for anything else."""
    if isinstance(one, dict) and isinstance(two, dict):
        keys = list(dict.fromkeys([*one, *two]))
        return [
            (str(key).replace("~", "~0").replace("/", "~1"), one.get(key, _MISSING), two.get(key, _MISSING))
            for key in keys
        ]
    if isinstance(one, list) and isinstance(two, list):
        longest = min(max(len(one), len(two)), MOST_LOOKED)
        get = lambda rows, place: rows[place] if place < len(rows) else _MISSING  # noqa: E731
        return [(str(place), get(one, place), get(two, place)) for place in range(longest)]
    return None


def _say(value: Any) -> str | None:
    if isinstance(value, _Missing):
        return None
    if isinstance(value, str):
        return value if len(value) <= LONGEST else f"{value[:LONGEST]}…"
    if isinstance(value, dict | list) and len(value) > 20:
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value):,} values"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
