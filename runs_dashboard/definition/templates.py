"""`${{ … }}`: plain look-ups in a step's settings. No language, filled once, never looked at again."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

from runs_dashboard.definition.plain import iterate_strings

OPENING = "${{"
FORMS = "inputs.NAME, steps.ID.outputs.NAME, environment.NAME, secrets.NAME, run.id"

_MARKER = re.compile(r"\$\{\{([^{}]*)\}\}")
_NAME = r"[A-Za-z_][A-Za-z0-9_-]*"
_EXPRESSION = re.compile(
    rf"(?P<root>inputs|environment|secrets)\.(?P<name>{_NAME})"
    r"|steps\.(?P<step>[a-z0-9_.-]{1,200}?)\.outputs\.(?P<keys>[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)"
    r"|(?P<run>run)\.id"
)


class TemplateError(ValueError):
    """A `${{` that is not one of the look-ups there are."""


class MissingValue(LookupError):
    """A look-up that finds nothing at run time; `expression` is what was asked for."""

    def __init__(self, expression: str):
        self.expression = expression
        super().__init__(f"{expression} has no value")


@dataclass(frozen=True)
class Reference:
    """One look-up: `path` leads through the context from its `root`, `expression` is its text."""

    expression: str
    root: str
    path: tuple[str, ...]

    @property
    def name(self) -> str:
        """The input, step, variable or secret that is meant; `id` of the run."""
        return self.path[1]


def find(value: Any) -> list[Reference]:
    """All look-ups in a text, list or mapping. Raises TemplateError for one that is malformed."""
    return [reference for _, text, _ in iterate_strings(value) for reference in find_in_text(text)]


def find_in_text(text: str) -> list[Reference]:
    """The look-ups of one text from left to right. Raises TemplateError."""
    if OPENING not in text:
        return []
    if OPENING in _MARKER.sub("", text):
        raise TemplateError(f"a {OPENING} that is not closed by }}}}")
    return [_parse(match[1]) for match in _MARKER.finditer(text)]


def mask(text: str) -> str:
    """`text` with every marker replaced by as many x: for looking at the text around them."""
    return _MARKER.sub(lambda match: "x" * len(match[0]), text)


def fill(text: str, context: Mapping[str, Any], *, encode: Literal["url"] | None = None) -> str:
    """`text` with every look-up replaced by its value; with encode="url" each value is percent-encoded.

    `context` holds plain data under inputs, steps, environment, secrets and run, e.g.
    `{"inputs": {"day": "…"}, "steps": {"fetch": {"outputs": {…}}}, "run": {"id": "…"}}`.
    Raises MissingValue, and TemplateError where the text was never checked.
    """
    find_in_text(text)

    def value_of(match: re.Match[str]) -> str:
        value = to_text(look_up(_parse(match[1]), context))
        return quote(value, safe="") if encode == "url" else value

    return _MARKER.sub(value_of, text)


def fill_tree(value: Any, context: Mapping[str, Any]) -> Any:
    """A copy of plain data with its texts filled. A text that is just one look-up keeps the value's type.

    Raises as `fill` does.
    """
    if isinstance(value, str):
        whole = _MARKER.fullmatch(value)
        return look_up(_parse(whole[1]), context) if whole else fill(value, context)
    if isinstance(value, dict):
        return {key: fill_tree(item, context) for key, item in value.items()}
    if isinstance(value, list):
        return [fill_tree(item, context) for item in value]
    return value


def look_up(reference: Reference, context: Mapping[str, Any]) -> Any:
    """The value in the context: mappings by key, lists by index, nothing else. Raises MissingValue."""
    value: Any = context
    for key in reference.path:
        if isinstance(value, Mapping) and key in value:
            value = value[key]
        elif isinstance(value, list | tuple) and key.isdecimal() and len(key) < 10 and int(key) < len(value):
            value = value[int(key)]
        else:
            raise MissingValue(reference.expression)
    return value


def to_text(value: Any) -> str:
    """A value inside a longer text: text as it is, all else as compact JSON (`true`, `12`, `["a"]`)."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _parse(expression: str) -> Reference:
    expression = expression.strip()
    match = _EXPRESSION.fullmatch(expression)
    if match is None:
        raise TemplateError(f"{OPENING} {expression[:80]} }}}} is not a look-up")
    if match["root"]:
        return Reference(expression, match["root"], (match["root"], match["name"]))
    if match["run"]:
        return Reference(expression, "run", ("run", "id"))
    return Reference(expression, "steps", ("steps", match["step"], "outputs", *match["keys"].split(".")))
