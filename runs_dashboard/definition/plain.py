"""Plain JSON data: whether a value can be stored, sent and put into an environment without surprises."""

import math
from collections.abc import Iterator
from typing import Any

from runs_dashboard.definition.problems import Path

MAX_DEPTH = 32
MAX_NODES = 50_000


def find_oddities(
    data: Any, *, max_depth: int = MAX_DEPTH, max_nodes: int = MAX_NODES, max_digits: int = 18
) -> Iterator[tuple[Path, str]]:
    """Yields (path, what is wrong) for what is not plain JSON: NUL, lone surrogates, NaN, depth, types.

    Ends with the first depth or size that is too much. Never recurses, so no depth can hurt it.
    """
    waiting: list[tuple[Path, Any]] = [((), data)]
    seen = 0
    while waiting:
        path, value = waiting.pop()
        seen += 1
        if seen > max_nodes:
            yield (), f"more than {max_nodes:,} values"
            return
        if len(path) > max_depth:
            yield path[:4], f"nested deeper than {max_depth} levels"
            return
        if isinstance(value, dict):
            for key, item in value.items():
                if not isinstance(key, str):
                    yield path, "expected every key to be text"
                elif fault := fault_in_text(key):
                    yield path, f"a key {fault}"
                else:
                    waiting.append(((*path, key), item))
        elif isinstance(value, list):
            waiting.extend(((*path, index), item) for index, item in enumerate(value))
        elif isinstance(value, str):
            if fault := fault_in_text(value):
                yield path, fault
        elif isinstance(value, float):
            if not math.isfinite(value):
                yield path, "is not a finite number"
        elif isinstance(value, int) and not isinstance(value, bool):
            if abs(value) >= 10**max_digits:
                yield path, f"is a number of more than {max_digits} digits: quote it to keep it as text"
        elif value is not None and not isinstance(value, bool):
            yield path, f"is a {type(value).__name__}, which JSON does not know"


def fault_in_text(text: str) -> str:
    """Why this text can neither be stored nor passed on, or nothing."""
    if "\0" in text:
        return "contains a NUL character"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "contains half of a surrogate pair"
    return ""


def iterate_strings(data: Any, path: Path = ()) -> Iterator[tuple[Path, str, bool]]:
    """Every text in plain data as (path, text, whether it is a key)."""
    waiting: list[tuple[Path, Any]] = [(path, data)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, str):
            yield path, value, False
        elif isinstance(value, dict):
            for key, item in value.items():
                yield (*path, key), key, True
                waiting.append(((*path, key), item))
        elif isinstance(value, list):
            waiting.extend(((*path, index), item) for index, item in enumerate(value))
