"""A flow's inputs as the fields of a form, and the form's texts as args."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..definition.inputs import InputError, from_form
from ..text.clean import clean_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.http import QueryDict

PREFIX = "input."
LONG_TEXT = 200  # characters, from which on a text has a field of several lines
ALL = "*"  # the field that holds, as JSON, all args that no input is declared for
ALL_NAME = "args"
TICKED = ("true", "on", "1", "yes")
_TYPES = {"date": "date", "date-time": "datetime-local", "time": "time", "email": "email", "uri": "url"}


@dataclass
class Field:
    """One input. kind: `text`, `number`, `date` … (an input's type), `select`, `checkbox` or `textarea`."""

    name: str
    label: str
    kind: str
    value: str = ""
    hint: str = ""
    is_required: bool = False
    options: list[str] = field(default_factory=list)
    step: str = ""
    problems: list[str] = field(default_factory=list)
    was: str | None = None  # the value of the run that is retried; None where there was no such input
    is_new: bool = False  # the flow's newest version asks for it, the run's did not
    is_changed: bool = False
    is_first_bad: bool = False
    blank: str = ""  # what an empty field stands for

    @property
    def is_long(self) -> bool:
        return self.kind == "textarea"

    @property
    def rows(self) -> int:
        """Lines of a textarea: as many as it holds, within reason."""
        return max(4, min(16, self.value.count("\n") + 2))

    @property
    def html_name(self) -> str:
        return PREFIX + self.name if self.name != ALL else ALL_NAME

    @property
    def is_folded(self) -> bool:
        """Whether the field is one that most people leave as it is."""
        return self.name == ALL and self.value.strip() in ("", "{}") and not self.problems

    @property
    def is_checked(self) -> bool:
        return self.value in TICKED

    @property
    def was_checked(self) -> bool:
        return self.was in TICKED


def make_fields(
    inputs: Mapping[str, Mapping[str, Any]],
    args: Mapping[str, Any],
    problems: list[tuple[str, str]] | None = None,
    sent: QueryDict | None = None,
) -> list[Field]:
    """The fields with their values: what was sent, else the args, else the defaults."""
    told: dict[str, list[str]] = {}
    for name, said in problems or []:
        told.setdefault(name.partition(".")[0].partition("[")[0], []).append(said)
    if not inputs:
        text = sent.get(ALL_NAME, "") if sent is not None else json.dumps(dict(args), indent=2, ensure_ascii=False)
        hint = "A JSON object; the run's programs find it in the file that RUN_ARGS names."
        return mark_first_bad(
            [Field(ALL, "Args", "textarea", text, hint, problems=[said for _, said in problems or []])]
        )
    fields = []
    for name, spec in inputs.items():
        made = _make(name, spec, args[name] if name in args else spec.get("default"))
        if sent is not None:
            made.value = sent.get(made.html_name, "")
        made.problems = told.get(name, [])
        if made.problems and spec.get("type") in ("object", "array") and (said := _say_mistake(made.value)):
            made.problems = [said]
        fields.append(made)
    return mark_first_bad(fields)


def mark_first_bad(fields: list[Field]) -> list[Field]:
    """The first field with a mistake is where the reader's keyboard begins."""
    for one in [one for one in fields if one.problems][:1]:
        one.is_first_bad = True
    return fields


def _make(name: str, spec: Mapping[str, Any], value: Any) -> Field:
    kind, step = "text", ""
    options: list[str] = []
    declared = spec.get("type", "string")
    if spec.get("enum"):
        kind, options = "select", [as_text(option) for option in spec["enum"]]
    elif declared == "boolean":
        kind = "checkbox"
    elif declared in ("integer", "number"):
        kind, step = "number", "1" if declared == "integer" else "any"
    elif declared in ("array", "object") or spec.get("format") == "multiline":
        kind = "textarea"
    else:
        kind = _TYPES.get(spec.get("format", ""), "text")
    shown = as_text(value)
    # A browser's own field shows nothing of a value that it cannot read, and one line nothing of a line's end.
    if kind == "datetime-local" or (kind == "time" and not re.fullmatch(r"(\d\d:\d\d(:\d\d)?)?", shown)):
        kind = "text"
    if kind == "text" and ("\n" in shown or len(shown) > LONG_TEXT):
        kind = "textarea"
    return Field(
        name,
        spec.get("title") or name,
        kind,
        shown,
        _hint(spec, declared),
        spec.get("required") is True,
        options,
        step,
    )


def as_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)


def _hint(spec: Mapping[str, Any], declared: str) -> str:
    said = [spec["description"]] if spec.get("description") else []
    if declared == "array":
        said.append("One item a line, or a JSON list.")
    elif declared == "object":
        said.append("A JSON object.")
    if "minimum" in spec and "maximum" in spec:
        said.append(f"{spec['minimum']} to {spec['maximum']}.")
    return " ".join(said)


def read_args(inputs: Mapping[str, Mapping[str, Any]], sent: QueryDict) -> dict[str, Any]:
    """The args that a form says, of the right types where they can be read so. Raises InputError."""
    if not inputs:
        return read_object(sent.get(ALL_NAME, ""))
    return _clean(from_form(inputs, {name: str(sent[PREFIX + name]) for name in inputs if PREFIX + name in sent}))


def read_object(text: str) -> dict[str, Any]:
    """A field's JSON object; nothing is an empty one. Raises InputError, with the line of a mistake."""
    try:
        value = json.loads(text.strip() or "{}")
    except (ValueError, RecursionError):
        raise InputError([("", _say_mistake(text))]) from None
    if not isinstance(value, dict):
        raise InputError([("", 'not a JSON object, such as {"day": "2026-11-22"}')])
    return _clean(value)


def _say_mistake(text: str) -> str:
    """Where a text stops being JSON, or nothing where it is."""
    try:
        json.loads(text.strip() or "{}")
    except json.JSONDecodeError as error:
        return f"not JSON: {error.msg}, line {error.lineno}, column {error.colno}"
    except (ValueError, RecursionError) as error:
        return f"not JSON: {error}"
    return ""


def _clean(args: dict[str, Any]) -> dict[str, Any]:
    try:
        return clean_json(args)
    except ValueError as error:
        raise InputError([("", str(error))]) from None
