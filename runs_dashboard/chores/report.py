"""How a chore reads its inputs and tells its results: the same means that any step's program has."""

import json
import os
import sys
from pathlib import Path
from typing import Any, TextIO


class ChoreError(Exception):
    """A chore cannot do its work; the message is a sentence for the run's page."""


def say(line: str, stream: TextIO | None = None, end: str = "\n") -> None:
    """Writes one line to the run's log, at once. It may begin with its level: `WARNING low on space`."""
    stream = stream or sys.stdout
    stream.write(line + end)
    stream.flush()


def warn(sentence: str) -> None:
    """Writes a warning to the log and marks the run as one that has warnings."""
    say(f"WARNING {sentence}")
    report(warning=sentence)


def report(**entry: Any) -> None:
    """Appends one object to the report file: output, track, metric (mappings) or warning (text)."""
    name = os.environ.get("RUN_REPORT")
    if name:
        with Path(name).open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")


def read_setting(name: str) -> str:
    """A variable that the flow hands to its step. Raises ChoreError where it is absent or empty."""
    value = os.environ.get(name, "")
    if not value:
        raise ChoreError(
            f"{name} is not set: give it in the step's env, or start the flow in the environment `dashboard`."
        )
    return value


def read_number(name: str, default: int) -> int:
    """An input that is a whole number. Raises ChoreError for anything else."""
    text = os.environ.get(name, "") or str(default)
    try:
        return int(text)
    except ValueError:
        raise ChoreError(f"{name} is {text!r}, which is not a whole number.") from None


def format_size(size: float) -> str:
    """Bytes for people: 1,536 is `1.5 kB`."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1024 or unit == "GB":
            break
        size /= 1024
    return f"{size:,.0f} {unit}" if unit == "bytes" else f"{size:,.1f} {unit}"
