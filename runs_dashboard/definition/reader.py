"""Reads plain data value by value, collecting every problem instead of stopping at the first."""

import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Any

from runs_dashboard.definition.problems import Path, Problem, format_path, show
from runs_dashboard.definition.sizes import MOST, parse_size

SLUG = re.compile(r"(?!\.+\Z)[a-z0-9_.-]+")  # not `.` or `..`: no address would lead there
SLUG_HINT = "use a-z, 0-9, underscore, dot and dash, e.g. nightly-orders"
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
VARIABLE_HINT = "use letters, digits and underscores, e.g. SHOP_TOKEN"

MAX_PROBLEMS = 200


class Reader:
    """Each reading method returns the value, or its neutral value after noting a problem at `path`."""

    def __init__(self, lines: Mapping[Path, int]):
        self.problems: list[Problem] = []
        self._lines = lines

    def refuse(self, path: Path, message: str, hint: str = "") -> None:
        """Notes a problem at a path, with the line of the closest value that has one."""
        line = next((self._lines[path[:n]] for n in range(len(path), -1, -1) if path[:n] in self._lines), 0)
        self.problems.append(Problem(line, format_path(path), message, hint))

    def expected(self, path: Path, what: str, value: Any, hint: str) -> None:
        self.refuse(path, f"expected {what}, not {show(value)}", hint)

    def keys(self, value: Any, path: Path, allowed: Collection[str], required: Collection[str] = ()) -> dict[str, Any]:
        """A mapping with known keys only; keys given as null count as absent."""
        data = self.mapping(value, path, "e.g. " + ", ".join(f"{key}: …" for key in (required or list(allowed)[:2])))
        for key in data:
            if key not in allowed:
                near = self._near(key, allowed)
                known = f"allowed: {', '.join(allowed)}"
                hint = f"did you mean {near[0]}? {known}" if near else known
                self.refuse((*path, key), f"unknown key {show(key)}", hint)
        if isinstance(value, dict):
            for key in required:
                if data.get(key) is None:
                    self.refuse(path, f"{key} is missing", f"e.g. {key}: …")
        return {key: item for key, item in data.items() if key in allowed and item is not None}

    def _near(self, text: str, known: Collection[str]) -> list[str]:
        """The closest known word, if any; no longer looked for once there are more problems than anybody reads."""
        return get_close_matches(text[:60], known, 1) if len(self.problems) < MAX_PROBLEMS else []

    def mapping(self, value: Any, path: Path, hint: str) -> dict[str, Any]:
        if isinstance(value, dict):
            return value
        self.expected(path, "a mapping", value, hint)
        return {}

    def items(self, value: Any, path: Path, what: str, hint: str, limit: int) -> list[Any]:
        if not isinstance(value, list):
            self.expected(path, what, value, hint)
            return []
        if len(value) > limit:
            self.refuse(path, f"{len(value):,} items are too many", f"at most {limit:,}")
            return []
        return value

    def text(
        self,
        value: Any,
        path: Path,
        *,
        limit: int = 200,
        pattern: re.Pattern[str] | None = None,
        hint: str = "",
        allow_empty: bool = False,
    ) -> str:
        if not isinstance(value, str):
            quoted = (
                f'put it in quotes, e.g. "{show(value)}"'
                if isinstance(value, bool | int | float)
                else hint or 'e.g. "some text"'
            )
            self.expected(path, "text", value, quoted)
            return ""
        if len(value) > limit:
            self.refuse(path, f"{len(value):,} characters are too many", f"at most {limit:,}")
            return ""
        if not value and not allow_empty:
            self.refuse(path, "may not be empty", hint)
        elif pattern is not None and not pattern.fullmatch(value):
            self.refuse(path, f"{show(value)} is not allowed here", hint)
        return value

    def choice(self, value: Any, path: Path, choices: Collection[str]) -> str:
        text = self.text(value, path, hint=f"one of {', '.join(choices)}")
        if text and text not in choices:
            near = self._near(text, choices)
            hint = f"did you mean {near[0]}? " if near else ""
            self.refuse(path, f"{show(text)} is not known", f"{hint}one of {', '.join(choices)}")
        return text

    def number(
        self, value: Any, path: Path, *, least: float, most: float, unit: str = "", above: bool = False
    ) -> float:
        """A number between the bounds; `above` excludes the lower one."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.expected(path, f"a number{unit and ' of ' + unit}", value, "e.g. 60")
            return 0.0
        if not least <= value <= most or (above and value == least):
            word = "more than" if above else "at least"
            self.refuse(path, f"{value} is out of bounds", f"{word} {least:,} and at most {most:,}")
        return float(value)

    def whole(self, value: Any, path: Path, *, least: int, most: int) -> int:
        """A whole number between the bounds, both included."""
        if isinstance(value, bool) or not isinstance(value, int):
            self.expected(path, "a whole number", value, f"{least:,} to {most:,}")
            return least
        if not least <= value <= most:
            self.refuse(path, f"{value} is out of bounds", f"{least:,} to {most:,}")
        return value

    def size(self, value: Any, path: Path) -> int:
        """Bytes: a whole number, or a text with a unit."""
        if not isinstance(value, str):
            return self.whole(value, path, least=0, most=MOST)
        try:
            return parse_size(value)
        except ValueError as error:
            self.refuse(path, f"{show(value)} is no size", str(error))
            return 0

    def texts(
        self,
        value: Any,
        path: Path,
        *,
        hint: str,
        limit: int = 10_000,
        names: re.Pattern[str] | None = None,
        name_hint: str = "",
    ) -> dict[str, str]:
        """A mapping from names to texts."""
        found = {}
        for name, item in self.mapping(value, path, hint).items():
            self.text(name, (*path, name), pattern=names, hint=name_hint)
            found[name] = self.text(item, (*path, name), limit=limit, hint=hint, allow_empty=True)
        return found
