"""Lengths of time as people type them: `90s`, `5m`, `2h`, `7d`, `1h30m`. No Django."""

from __future__ import annotations

import re

UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 7 * 86_400_000}
LONGEST = 100 * 366 * 86_400_000  # ms
_PERIOD = re.compile(r"(?:[0-9]{1,13}(?:ms|[smhdw]))+")
_PART = re.compile(r"([0-9]+)(ms|[smhdw])")
EXAMPLES = "90s, 5m, 2h, 7d or 1h30m"


def is_period(text: str) -> bool:
    """Whether the text is a length of time; `m` are minutes."""
    return _PERIOD.fullmatch(text.strip().lower()) is not None


def read_period(text: str) -> int:
    """Milliseconds. Raises ValueError with a sentence."""
    text = text.strip().lower()
    if not is_period(text):
        raise ValueError(f"Give a length of time such as {EXAMPLES}.")
    length = sum(int(number) * UNITS[unit] for number, unit in _PART.findall(text))
    if length > LONGEST:
        raise ValueError("Nothing takes longer than a hundred years.")
    return length
