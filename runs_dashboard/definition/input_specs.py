"""Checks the `inputs` of a definition: JSON Schema's words, those that can be explained and bounded."""

import re
from typing import Any

from runs_dashboard.definition import inputs
from runs_dashboard.definition.patterns import PatternError, check_pattern
from runs_dashboard.definition.problems import Path, show
from runs_dashboard.definition.reader import Reader

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
MAX_INPUTS = 200

_WORDS = {
    "string": ("format", "minLength", "maxLength", "pattern"),
    "integer": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "boolean": (),
    "array": ("items", "minItems", "maxItems"),
    "object": ("properties", "required", "additionalProperties"),
}
_COMMON = ("type", "title", "description", "enum", "default")
_HINT = "e.g. {type: string, format: date, required: true}"


def read_inputs(reader: Reader, value: Any, path: Path) -> dict[str, dict[str, Any]]:
    """All inputs by name, checked; each is kept as it was written."""
    found: dict[str, dict[str, Any]] = {}
    variables: dict[str, str] = {}
    for name, spec in reader.mapping(value, path, f"e.g. day: {_HINT[5:]}").items():
        here = (*path, name)
        reader.text(
            name,
            here,
            limit=60,
            pattern=NAME,
            hint="start with a letter; use letters, digits, underscore and dash",
        )
        if other := variables.get(inputs.variable(name)):
            reader.refuse(here, f"{name} and {other} would both be {inputs.variable(name)}", "rename one")
        variables[inputs.variable(name)] = name
        found[name] = _read_spec(reader, spec, here, is_top=True)
    if len(found) > MAX_INPUTS:
        reader.refuse(path, f"{len(found)} inputs are too many", f"at most {MAX_INPUTS}; take an object instead")
    return found


def _read_spec(reader: Reader, spec: Any, path: Path, *, is_top: bool) -> dict[str, Any]:
    kind = spec.get("type", "string") if isinstance(spec, dict) else "string"
    words = _WORDS.get(kind, ()) if isinstance(kind, str) else ()
    allowed = (*_COMMON, *words)
    if is_top and "required" not in allowed:
        allowed += ("required",)
    noted = len(reader.problems)
    data = {"type": kind, **reader.keys(spec, path, allowed)}
    reader.choice(kind, (*path, "type"), tuple(_WORDS))
    for word, value in data.items():
        _check_word(reader, word, value, (*path, word), is_top=is_top)
    if isinstance(data.get("items"), dict):
        data["items"] = _read_spec(reader, data["items"], (*path, "items"), is_top=False)
    if isinstance(data.get("properties"), dict):
        data["properties"] = {
            name: _read_spec(reader, item, (*path, "properties", name), is_top=False)
            for name, item in data["properties"].items()
        }
    if len(reader.problems) == noted:
        _check_values(reader, data, path)
    return data


def _check_word(reader: Reader, word: str, value: Any, path: Path, *, is_top: bool) -> None:
    if word in ("title", "description"):
        reader.text(value, path, limit=2000)
    elif word == "format":
        reader.choice(value, path, inputs.FORMATS)
    elif word == "pattern":
        try:
            check_pattern(reader.text(value, path, hint="e.g. ^[A-Z]{3}-[0-9]+$"))
        except PatternError as error:
            reader.refuse(path, str(error), "avoid repeats within repeats, begin with ^, or use enum")
    elif word in ("minLength", "maxLength", "minItems", "maxItems"):
        reader.whole(value, path, least=0, most=1_000_000)
    elif word == "multipleOf":
        reader.number(value, path, least=0, most=1e15, above=True)
    elif word in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"):
        reader.number(value, path, least=-1e18, most=1e18)
    elif word == "enum":
        if not reader.items(value, path, "a list of allowed values", "e.g. [small, large]", 1000) and value == []:
            reader.refuse(path, "expected at least one value", "e.g. [small, large]")
    elif word == "additionalProperties" or (word == "required" and is_top and not isinstance(value, list)):
        if not isinstance(value, bool):
            reader.expected(path, "true or false", value, f"e.g. {word}: true")
    elif word == "required":
        for index, name in enumerate(reader.items(value, path, "a list of names", "e.g. [id, name]", 1000)):
            reader.text(name, (*path, index))
    elif word in ("items", "properties"):
        reader.mapping(value, path, "e.g. {type: string}")


def _check_values(reader: Reader, data: dict[str, Any], path: Path) -> None:
    """The allowed values and the default must be values that the input itself would take."""
    bare = {word: value for word, value in data.items() if word not in ("enum", "default")}
    for index, value in enumerate(data.get("enum", [])):
        for fault in inputs.faults(bare, value):
            reader.refuse((*path, "enum", index), f"{show(value)} is {fault}", "give values of the input's own type")
    if "default" in data:
        for fault in inputs.faults({word: value for word, value in data.items() if word != "default"}, data["default"]):
            reader.refuse((*path, "default"), f"{show(data['default'])} is {fault}", "give a default that is allowed")
