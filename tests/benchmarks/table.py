"""The results as a Markdown table, on the terminal and between two marks of the README, a pair for each database."""

import re
from dataclasses import dataclass
from pathlib import Path

HEAD = ("measure", "value", "goal", "reached", "how")


@dataclass(frozen=True)
class Row:
    """One result. `goal` is empty or `≤ 4` or `≥ 50`, in the same unit; `detail` says how it was measured."""

    measure: str
    value: float
    unit: str
    goal: str = ""
    detail: str = ""

    @property
    def is_reached(self) -> bool | None:
        """Whether the value is on the goal's side of the goal; None where there is no goal."""
        if not self.goal:
            return None
        sign, number = self.goal.split()
        limit = float(number.replace(",", ""))
        if sign == "≤":
            return self.value <= limit
        if sign == "≥":
            return self.value >= limit
        raise ValueError(f"a goal begins with ≤ or ≥: {self.goal!r}")


def render(rows: list[Row]) -> str:
    """The rows as a Markdown table, a line break at its end."""
    cells = [HEAD, tuple("---" for _ in HEAD)]
    for row in rows:
        reached = {None: "", True: "yes", False: "**no**"}[row.is_reached]
        goal = f"{row.goal} {row.unit}".rstrip() if row.goal else ""
        value = f"{format_number(row.value)} {row.unit}".rstrip()
        cells.append((row.measure, value, goal, reached, row.detail))
    return "".join(f"| {' | '.join(text.replace('|', chr(92) + '|') for text in line)} |\n" for line in cells)


def format_number(value: float) -> str:
    """Three figures that count, thousands apart: 0.0123, 4.56, 123, 45,678."""
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"


def write_into(file: Path, rows: list[Row], database: str, *, is_whole: bool) -> None:
    """Put the rows between the marks of a database, `sqlite` or `postgres`; unless whole, others' rows stay.

    A row replaces the one of the same measure where it stands; a new one comes last. Raises ValueError unless each
    mark stands there once.
    """
    before = file.read_text()
    begin, end = f"<!-- benchmarks-{database}:begin -->\n", f"<!-- benchmarks-{database}:end -->"
    if before.count(begin) != 1 or before.count(end) != 1:
        raise ValueError(f"{file} must hold {begin.strip()} … {end} once")
    head, _, rest = before.partition(begin)
    old, _, tail = rest.partition(end)
    new = render(rows).splitlines(keepends=True)
    lines = {} if is_whole else {find_measure(line): line for line in old.splitlines(keepends=True)}
    lines |= {find_measure(line): line for line in new}
    file.write_text("".join([head, begin, *lines.values(), end, tail]))


def find_measure(line: str) -> str:
    """The first cell of a line of a table."""
    return re.split(r"(?<!\\)\|", line)[1].strip()
