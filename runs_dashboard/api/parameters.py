"""Query parameters: declared, read with bounds, and refused when nobody declared them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError

from ..filter_fields import PAIR_TEXT, parse_moment
from .errors import Invalid, Problem

if TYPE_CHECKING:
    from datetime import datetime

    from django.http import QueryDict

MAX_TEXT = 1_000  # characters of a value
FILTER_TEXTS = {"text": 255, "pair": PAIR_TEXT}  # of a text that a FilterSet takes
MAX_WHOLE = 10**15


@dataclass(frozen=True)
class Parameter:
    """One query parameter. kind: text, pair, whole, flag, words (comma-separated, of `choices`), moment, length or day.

    `is_filter`: its value is checked by a FilterSet, under `name` without the brackets.
    """

    name: str
    kind: str = "text"
    about: str = ""
    default: Any = None
    least: int | None = None
    most: int | None = None
    choices: tuple[str, ...] = ()
    is_required: bool = False
    is_filter: bool = False

    @property
    def plain(self) -> str:
        """`filter[status]` is `status`."""
        return self.name.partition("[")[2].rstrip("]") or self.name

    def read(self, text: str) -> Any:
        """The value. Raises ValueError with a sentence."""
        if self.kind == "words" and not all(word.strip() for word in text.split(",")):
            raise ValueError("an empty word beside a comma.")  # left out it might mean: all of them
        if self.is_filter:
            if len(text) > (limit := FILTER_TEXTS.get(self.kind, MAX_TEXT)):
                raise ValueError(f"longer than {limit:,} characters.")
            return text
        if len(text) > MAX_TEXT:
            raise ValueError(f"longer than {MAX_TEXT:,} characters.")
        if "\0" in text:
            raise ValueError("holds a NUL character.")
        return getattr(self, f"_read_{self.kind}")(text)

    def _read_text(self, text: str) -> str:
        if self.choices and text not in self.choices:
            raise ValueError(f"{text[:100]!r} is not known. Allowed: {', '.join(self.choices)}.")
        return text

    def _read_whole(self, text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) <= 18):
            raise ValueError(f"not a whole number {self._bounds()}.")
        number = int(text)
        if number < (self.least or 0) or number > (MAX_WHOLE if self.most is None else self.most):
            raise ValueError(f"not a whole number {self._bounds()}.")
        return number

    def _bounds(self) -> str:
        return f"from {self.least}" + (f" to {self.most:,}" if self.most is not None else "")

    def _read_flag(self, text: str) -> bool:
        words = {"true": True, "1": True, "false": False, "0": False}
        if text.lower() not in words:
            raise ValueError("give true or false.")
        return words[text.lower()]

    def _read_words(self, text: str) -> tuple[str, ...]:
        words = tuple(dict.fromkeys(word.strip() for word in text.split(",")))
        unknown = [word for word in words if word not in self.choices]
        if unknown:
            raise ValueError(f"{unknown[0][:100]!r} is not known. Allowed: {', '.join(self.choices)}.")
        return words

    def _read_day(self, text: str) -> date:
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
            raise ValueError("give a day as YYYY-MM-DD.")
        try:
            return date.fromisoformat(text)
        except ValueError:
            raise ValueError("there is no such day.") from None

    def _read_moment(self, text: str) -> datetime:
        try:
            return parse_moment(text)
        except ValidationError as error:
            raise ValueError(error.messages[0]) from None


@dataclass(frozen=True)
class Header:
    """A header that an operation looks at, or answers with: documented from here, read where it is needed.

    pattern: what its value matches, where anything else is refused; kind: its JSON Schema type.
    """

    name: str
    about: str
    pattern: str = ""
    most: int | None = None
    kind: str = "string"


def read_query(given: QueryDict, parameters: tuple[Parameter, ...]) -> dict[str, Any]:
    """name → value, of every parameter: its default where it is absent. Raises Invalid with every mistake."""
    known = {parameter.name: parameter for parameter in parameters}
    problems = []
    for name in given:
        if name not in known:
            allowed = ", ".join(known) or "none"
            said = f"The parameter {name[:100]!r} is not known. Allowed: {allowed}."
            problems.append(Problem(["query", name[:100]], said, "unknown_parameter"))
    values: dict[str, Any] = {}
    for name, parameter in known.items():
        texts = given.getlist(name)
        values[name] = parameter.default
        if not texts:
            if parameter.is_required:
                problems.append(Problem(["query", name], "This parameter is required.", "missing"))
            continue
        try:
            if "" in texts:
                raise ValueError("an empty value; leave the parameter out instead.")
            # Given twice: pairs must all fit, words add up, of anything else the last counts.
            if parameter.kind == "pair":
                values[name] = [parameter.read(text) for text in texts]
                continue
            joined = ",".join(texts) if parameter.kind == "words" or parameter.is_filter else texts[-1]
            values[name] = parameter.read(joined)
        except ValueError as error:
            problems.append(Problem(["query", name], f"{name}: {error}", "value_error"))
    if problems:
        raise Invalid.of(problems)
    return values
