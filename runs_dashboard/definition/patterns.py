"""Regular expressions from a flow's file, refused when hostile text could make them run for long.

`re` cannot be interrupted, so the number of ways in which it could try to match is bounded beforehand.
"""

import re
import warnings
from re import _parser  # type: ignore[attr-defined]
from typing import Any

MAX_PATTERN = 200
MAX_TEXT = 256
_MAX_WAYS = MAX_TEXT**3


class PatternError(ValueError):
    """A pattern that is malformed or could take too long."""


def check_pattern(pattern: str) -> None:
    """Raises PatternError unless matching any MAX_TEXT characters takes well under a second."""
    if len(pattern) > MAX_PATTERN:
        raise PatternError(f"longer than {MAX_PATTERN} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Python warns of what will mean something else one day
            re.compile(pattern)
            parsed = list(_parser.parse(pattern))
    except (re.error, RecursionError, OverflowError, Warning) as error:
        raise PatternError(f"not a regular expression: {error}") from error
    is_anchored = bool(parsed) and str(parsed[0][0]) == "AT"
    if _ways(parsed) * (1 if is_anchored else MAX_TEXT) > _MAX_WAYS:
        raise PatternError("could take very long on unfortunate text")


def _ways(parsed: Any) -> int:
    """An upper bound of the paths through a parsed pattern, itself bounded by _MAX_WAYS + 1."""
    ways = 1
    for operation, argument in parsed:
        ways = min(ways * _ways_of(str(operation), argument), _MAX_WAYS + 1)
    return ways


def _ways_of(operation: str, argument: Any) -> int:
    if operation in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        least, most, body = argument
        inner, ways = _ways(body), 0
        for times in range(min(int(least), MAX_TEXT), min(int(most), MAX_TEXT) + 1):
            ways = min(ways + inner ** min(times, 64), _MAX_WAYS + 1)
        return ways
    if operation == "BRANCH":
        return sum(_ways(branch) for branch in argument[1])
    if operation == "SUBPATTERN":
        return _ways(argument[-1])
    if operation == "ATOMIC_GROUP":
        return _ways(argument)
    if operation in ("ASSERT", "ASSERT_NOT"):
        return _ways(argument[1])
    if operation in ("GROUPREF", "GROUPREF_EXISTS"):
        return _MAX_WAYS + 1
    return 1
