"""A flow's inputs as the fields of a form, and the form's texts as args."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..definition.inputs import InputError, from_form
from ..text.clean import clean_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.http import QueryDict

PREFIX = "input."
ALL = "args"  # the field that holds all args as JSON, where the flow declares no inputs
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

    @property
    def html_name(self) -> str:
        return PREFIX + self.name if self.name != ALL else ALL

    @property
    def is_folded(self) -> bool:
        """Whether the field is one that most people leave as it is."""
        return self.name == ALL and self.value.strip() in ("", "{}") and not self.problems

    @property
    def is_checked(self) -> bool:
        return self.value in ("true", "on", "1", "yes")


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
        text = sent.get(ALL, "") if sent is not None else json.dumps(dict(args), indent=2, ensure_ascii=False)
        hint = "A JSON object; the run's programs find it in the file that RUN_ARGS names."
        return [Field(ALL, "Args", "textarea", text, hint, problems=[said for _, said in problems or []])]
    fields = []
    for name, spec in inputs.items():
        made = _make(name, spec, args[name] if name in args else spec.get("default"))
        if sent is not None:
            made.value = sent.get(made.html_name, "")
        made.problems = told.get(name, [])
        fields.append(made)
    return fields


def _make(name: str, spec: Mapping[str, Any], value: Any) -> Field:
    kind, step = "text", ""
    options: list[str] = []
    declared = spec.get("type", "string")
    if spec.get("enum"):
        kind, options = "select", [_text(option) for option in spec["enum"]]
    elif declared == "boolean":
        kind = "checkbox"
    elif declared in ("integer", "number"):
        kind, step = "number", "1" if declared == "integer" else "any"
    elif declared in ("array", "object") or spec.get("format") == "multiline":
        kind = "textarea"
    else:
        kind = _TYPES.get(spec.get("format", ""), "text")
    # A browser's own field shows nothing of a value that it cannot read: then a plain one.
    if kind == "datetime-local":
        kind = "text"
    return Field(
        name,
        spec.get("title") or name,
        kind,
        _text(value),
        _hint(spec, declared),
        spec.get("required") is True,
        options,
        step,
    )


def _text(value: Any) -> str:
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
    if inputs:
        args: Any = from_form(inputs, {name: str(sent[PREFIX + name]) for name in inputs if PREFIX + name in sent})
    else:
        try:
            args = json.loads(sent.get(ALL, "").strip() or "{}")
        except (ValueError, RecursionError) as error:
            raise InputError([("", f"not JSON: {error}")]) from None
        if not isinstance(args, dict):
            raise InputError([("", 'not a JSON object, such as {"day": "2026-11-22"}')])
    try:
        return clean_json(args)
    except ValueError as error:
        raise InputError([("", str(error))]) from None
