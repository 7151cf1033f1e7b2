"""The file that a step reports through (`RUN_REPORT`): one JSON object a line.

`{"output": {"rows": 12}}`, `{"track": {"order_id": "1234"}}`, `{"metric": {"operations_sent": 12}}`,
`{"warning": "…"}`. A bad line is a sentence in `problems`, never a failure of the whole.
"""

import math
from typing import Any

import msgspec

from .clean import clean, clean_json

MAX_TRACKED = 1_000
MAX_WARNINGS = 1_000
MAX_PROBLEMS = 100
MAX_KEY = 200
MAX_VALUE = 1_000
MAX_WARNING = 10_000

_KINDS = ("output", "track", "metric", "warning")


class Report(msgspec.Struct):
    """What a step reported: later outputs and metrics replace earlier ones, the rest adds up."""

    outputs: dict[str, Any] = {}
    tracked: list[tuple[str, str]] = []
    metrics: dict[str, float] = {}
    warnings: list[str] = []
    problems: list[str] = []


class _Problem(ValueError):
    """A sentence about one line."""


def parse_report(data: bytes, *, max_bytes: int = 1_000_000) -> Report:
    """The file's bytes in, the report out; nothing is raised. What lies behind `max_bytes` is not read."""
    report = Report()
    lines = data[:max_bytes].split(b"\n")
    if len(data) > max_bytes:
        lines.pop()
    problems: list[str] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            _take(line, report)
        except _Problem as problem:
            problems.append(f"Line {number}: {problem}")
    if len(problems) > MAX_PROBLEMS:
        rest = len(problems) - MAX_PROBLEMS
        problems[MAX_PROBLEMS:] = [f"{rest:,} more lines could not be read."]
    if len(data) > max_bytes:
        problems.append(f"The report is longer than {max_bytes:,} bytes; what is behind them was not read.")
    report.problems = problems
    return report


def _take(line: bytes, report: Report) -> None:
    try:
        entry = clean_json(msgspec.json.decode(line))
    except RecursionError:
        raise _Problem("it is nested too deep.") from None
    except msgspec.DecodeError as error:
        raise _Problem(f"it is not JSON: {error}.") from None
    except UnicodeDecodeError:
        raise _Problem("it is not UTF-8.") from None
    except ValueError as error:
        raise _Problem(str(error)) from None
    if not isinstance(entry, dict):
        raise _Problem("it is not a JSON object.")
    if not entry:
        raise _Problem(f"it is empty; expected one of {', '.join(_KINDS)}.")
    for kind, value in entry.items():
        _take_kind(kind, value, report)


def _take_kind(kind: str, value: Any, report: Report) -> None:
    if kind == "warning":
        if not isinstance(value, str):
            raise _Problem('"warning" must be a text.')
        if len(report.warnings) >= MAX_WARNINGS:
            raise _Problem(f"there are more than {MAX_WARNINGS:,} warnings.")
        report.warnings.append(value[:MAX_WARNING])
        return
    if kind not in _KINDS:
        raise _Problem(f'"{kind[:MAX_KEY]}" is unknown; expected one of {", ".join(_KINDS)}.')
    if not isinstance(value, dict):
        raise _Problem(f'"{kind}" must be an object.')
    for name in value:
        if not name or len(name) > MAX_KEY:
            raise _Problem(f'a name in "{kind}" must have 1 to {MAX_KEY} characters.')
    if kind == "output":
        report.outputs.update(value)
    elif kind == "track":
        _take_tracked(value, report)
    else:
        report.metrics.update({name: _read_metric(name, number) for name, number in value.items()})


def _take_tracked(value: dict[str, Any], report: Report) -> None:
    pairs = [
        (name, _read_tracked(name, one))
        for name, inner in value.items()
        for one in (inner if isinstance(inner, list) else [inner])
    ]
    new = [pair for pair in dict.fromkeys(pairs) if pair not in report.tracked]
    if len(report.tracked) + len(new) > MAX_TRACKED:
        raise _Problem(f"there are more than {MAX_TRACKED:,} tracked values.")
    report.tracked.extend(new)


def _read_tracked(name: str, value: Any) -> str:
    if isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, str | int | float):
        text = clean(str(value))
    else:
        raise _Problem(f'the tracked value "{name}" must be a text or a number.')
    if len(text) > MAX_VALUE:
        raise _Problem(f'the tracked value "{name}" is longer than {MAX_VALUE:,} characters.')
    return text


def _read_metric(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Problem(f'the metric "{name}" must be a number.')
    try:
        number = float(value)
    except OverflowError:
        raise _Problem(f'the metric "{name}" is too large.') from None
    if not math.isfinite(number):
        raise _Problem(f'the metric "{name}" must be a finite number.')
    return number
