"""Characters that a database refuses, replaced in one place: the same on SQLite and PostgreSQL."""

import math
import re
from typing import Any

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

# A number beyond this many bits is no number that any reader of the JSON could use; it also keeps
# clear of Python's limit of 4,300 digits for turning an integer into text.
_MAX_INTEGER_BITS = 1024
_REFUSED = re.compile("[\x00\ud800-\udfff]")


class TooDeep(ValueError):
    """The value is nested deeper than allowed."""


class TooLarge(ValueError):
    """The value has more keys or list items than allowed."""


class NotJSON(ValueError):
    """The value holds something that JSON cannot say: NaN, Infinity, a foreign type."""


def clean(text: str) -> str:
    """Text in, the same text out with each NUL and each lone surrogate as U+FFFD."""
    if "\0" not in text:
        if text.isascii():
            return text
        try:
            text.encode()
        except UnicodeEncodeError:
            pass
        else:
            return text
    return _REFUSED.sub(REPLACEMENT, text)


def clean_json(value: Any, *, max_depth: int = 32, max_keys: int = 10_000, max_items: int = 100_000) -> Any:
    """A JSON value in, an equal one out with every string and key cleaned.

    `max_depth` counts nested objects and lists, `max_keys` all object keys, `max_items` all list items.
    Raises TooDeep, TooLarge or NotJSON, all of them ValueErrors with a sentence for a person.
    """
    keys = items = 0

    def walk(part: Any, depth: int) -> Any:
        nonlocal keys, items
        if isinstance(part, str):
            return clean(part)
        if part is None or isinstance(part, bool):
            return part
        if isinstance(part, int):
            if part.bit_length() > _MAX_INTEGER_BITS:
                raise NotJSON("A whole number is too long to be kept.")
            return part
        if isinstance(part, float):
            if not math.isfinite(part):
                raise NotJSON("NaN and Infinity are not JSON.")
            return part
        if depth >= max_depth and isinstance(part, dict | list | tuple):
            raise TooDeep(f"The value is nested deeper than {max_depth} levels.")
        if isinstance(part, dict):
            keys += len(part)
            if keys > max_keys:
                raise TooLarge(f"The value has more than {max_keys:,} keys.")
            return {_key(name): walk(inner, depth + 1) for name, inner in part.items()}
        if isinstance(part, list | tuple):
            items += len(part)
            if items > max_items:
                raise TooLarge(f"The value has more than {max_items:,} list items.")
            return [walk(inner, depth + 1) for inner in part]
        raise NotJSON(f"A value of type {type(part).__name__} is not JSON.")

    return walk(value, 0)


def _key(name: Any) -> str:
    if not isinstance(name, str):
        raise NotJSON(f"A key of type {type(name).__name__} is not JSON.")
    return clean(name)
