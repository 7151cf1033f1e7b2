"""A flow's inputs: from declarations to a checked set of args, from a form to args, and to JSON Schema."""

import copy
import ipaddress
import json
import math
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, time
from typing import Any, cast
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend

from runs_dashboard.definition.patterns import MAX_TEXT
from runs_dashboard.definition.plain import find_oddities
from runs_dashboard.definition.problems import format_path, show

Inputs = Mapping[str, Mapping[str, Any]]

_WHOLE = r"[-+]?[0-9]{1,18}"
_DECIMAL = r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]{1,3})?"

MAX_ARGS_DEPTH = 64
MAX_ARGS_NODES = 200_000


class InputError(ValueError):
    """Args that a flow does not take; `problems` are (input name, what is wrong), name "" for all of them."""

    def __init__(self, problems: list[tuple[str, str]]):
        self.problems = problems
        super().__init__("; ".join(f"{name}: {said}" if name else said for name, said in problems))


def variable(name: str) -> str:
    """The environment variable in which a step's program finds this input: `day` is INPUT_DAY."""
    return "INPUT_" + re.sub(r"[^A-Z0-9_]", "_", name.upper())


def validate(inputs: Inputs, args: Mapping[str, Any]) -> dict[str, Any]:
    """The args with defaults filled in. Keys that are no inputs are kept as they are. Raises InputError."""
    if not isinstance(args, Mapping):
        raise InputError([("", f"expected a JSON object, not {show(args)}")])
    found = dict(args)
    oddities = find_oddities(found, max_depth=MAX_ARGS_DEPTH, max_nodes=MAX_ARGS_NODES, max_digits=300)
    problems = [
        (str(path[0]) if path else "", f"{format_path(path[1:])}: {said}" if path[1:] else said)
        for path, said in oddities
    ]
    if problems:
        raise InputError(problems)
    for name, spec in inputs.items():
        if found.get(name) is None and "default" in spec:
            found[name] = copy.deepcopy(spec["default"])
        if found.get(name) is None:
            found.pop(name, None)
            if spec.get("required") is True:
                problems.append((name, "is required"))
        else:
            problems += [(name, said) for said in faults(spec, found[name])]
    if problems:
        raise InputError(problems)
    return found


def faults(spec: Mapping[str, Any], value: Any) -> Iterator[str]:
    """What is wrong with one value, in plain words, e.g. "not a date like 2026-11-22"."""
    for error in _validator(spec).iter_errors(value):
        said = _explain(error)
        yield f"{format_path(tuple(error.absolute_path))}: {said}" if error.absolute_path else said


def from_form(inputs: Inputs, raw: Mapping[str, str]) -> dict[str, Any]:
    """Typed args from a form's texts. An empty field is absent, a box that is not ticked is false.

    What cannot be read as its type stays text, so that `validate` names the mistake beside its field.
    """
    args: dict[str, Any] = {}
    for name, spec in inputs.items():
        kind = spec.get("type", "string")
        if kind == "boolean" and name not in raw:
            args[name] = False
        text = raw.get(name, "").replace("\r\n", "\n")
        if kind != "string":
            text = text.strip()
        if text:
            args[name] = _FROM_TEXT[kind](text, spec)
    return args


def json_schema(inputs: Inputs) -> dict[str, Any]:
    """The inputs as one JSON Schema (2020-12) for an object that may hold more than them."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {name: _property(spec) for name, spec in inputs.items()},
        "required": [name for name, spec in inputs.items() if spec.get("required") is True],
        "additionalProperties": True,
    }


def _property(spec: Mapping[str, Any]) -> dict[str, Any]:
    """One input without our own `required: true`; an object's list of required keys stays."""
    return {
        "type": "string",
        **{key: value for key, value in spec.items() if not (key == "required" and isinstance(value, bool))},
    }


def _number(text: str, kind: Callable[[str], Any], pattern: str) -> Any:
    return kind(text) if len(text) <= 40 and re.fullmatch(pattern, text) else text


def _decimal(text: str, spec: Mapping[str, Any]) -> Any:
    """A number as it is written: 5 stays 5, and is not 5.0 because a form showed it."""
    whole = _number(text, int, _WHOLE)
    return whole if isinstance(whole, int) else _number(text, float, _DECIMAL)


def _boolean(text: str, spec: Mapping[str, Any]) -> Any:
    return {
        "on": True,
        "true": True,
        "1": True,
        "yes": True,
        "off": False,
        "false": False,
        "0": False,
        "no": False,
    }.get(text.lower(), text)


def _array(text: str, spec: Mapping[str, Any]) -> Any:
    if text.startswith("["):
        return _json(text, spec)
    kind = spec.get("items", {}).get("type", "string")
    return [_FROM_TEXT[kind](line.strip(), spec.get("items", {})) for line in text.splitlines() if line.strip()]


def _json(text: str, spec: Mapping[str, Any]) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


_FROM_TEXT: dict[str, Callable[[str, Mapping[str, Any]], Any]] = {
    "string": lambda text, spec: text,
    "integer": lambda text, spec: _number(text, int, _WHOLE),
    "number": _decimal,
    "boolean": _boolean,
    "array": _array,
    "object": _json,
}


def _is_uri(text: str) -> bool:
    parts = urlsplit(text)
    return bool(parts.scheme) and bool(parts.netloc or parts.path) and not re.search(r"\s", text)


def _is_hostname(text: str) -> bool:
    label = r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)"
    return len(text) <= 253 and re.fullmatch(rf"{label}(\.{label})*", text) is not None


# name: (an example for the message, whether a text is one; raising ValueError means no)
_FORMATS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "date": ("2026-11-22", lambda t: re.fullmatch(r"\d{4}-\d\d-\d\d", t) and date.fromisoformat(t)),
    "date-time": (
        "2026-11-22T14:30:00Z",
        lambda t: re.match(r"\d{4}-\d\d-\d\d[T ]\d\d:", t) and datetime.fromisoformat(t),
    ),
    "time": ("14:30", lambda t: re.match(r"\d\d:\d\d", t) and time.fromisoformat(t) is not None),
    "email": ("ada@example.com", lambda t: len(t) <= 254 and re.fullmatch(r"[^@\s]+@[^@\s.][^@\s]*", t)),
    "uri": ("https://shop.example/orders", _is_uri),
    "uuid": ("01928f7e-6c1a-7b3e-9c55-0d3a5f1e2b4c", lambda t: len(t) == 36 and uuid.UUID(t)),
    "ipv4": ("192.0.2.1", lambda t: ipaddress.IPv4Address(t)),
    "ipv6": ("2001:db8::1", lambda t: ipaddress.IPv6Address(t)),
    "hostname": ("shop.example", _is_hostname),
    "multiline": ("several lines", lambda t: True),
}
FORMATS = tuple(_FORMATS)


def _check_format(validator: Any, name: str, value: Any, schema: Any) -> Iterator[ValidationError]:
    if not isinstance(value, str) or name not in _FORMATS:
        return
    example, is_one = _FORMATS[name]
    try:
        fits = bool(is_one(value))
    except ValueError:
        fits = False
    if not fits:
        yield ValidationError(f"not {_article(name)} {name} like {example}")


def _check_pattern(validator: Any, pattern: str, value: Any, schema: Any) -> Iterator[ValidationError]:
    if not isinstance(value, str):
        return
    if len(value) > MAX_TEXT:
        yield ValidationError(f"longer than {MAX_TEXT} characters")
    elif not re.search(pattern, value):
        yield ValidationError(f"does not have the form {pattern}")


def _check_multiple(validator: Any, factor: float, value: Any, schema: Any) -> Iterator[ValidationError]:
    """JSON Schema's own check divides and fails on 0.3 / 0.1; people mean the decimal numbers."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    quotient = value / factor
    if not (math.isfinite(quotient) and math.isclose(quotient, round(quotient), rel_tol=1e-9, abs_tol=1e-9)):
        yield ValidationError(f"not a multiple of {factor}")


_Validator = extend(
    Draft202012Validator, {"format": _check_format, "pattern": _check_pattern, "multipleOf": _check_multiple}
)

_TYPE_WORDS = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
}


def _validator(spec: Mapping[str, Any]) -> Validator:
    return _Validator(_property(spec))


def _explain(error: ValidationError) -> str:
    """A message for people for each word that an input may use."""
    word, limit = str(error.validator), cast(Any, error.validator_value)
    match word:
        case "type":
            return f"not {_TYPE_WORDS[limit]}"
        case "enum":
            return f"not one of {', '.join(show(value, 30) for value in limit[:20])}"
        case "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum":
            words = {"minimum": "less than", "maximum": "more than", "exclusiveMinimum": "not more than"}
            return f"{words.get(word, 'not less than')} {limit}"
        case "minLength" | "maxLength":
            return f"{'shorter' if word == 'minLength' else 'longer'} than {limit} characters"
        case "minItems" | "maxItems":
            return f"{'fewer' if word == 'minItems' else 'more'} than {limit} items"
        case "required":
            return f"lacks {show(next(iter(set(limit) - set(cast(Any, error.instance))), ''))}"
        case "additionalProperties":
            return "has keys that are not allowed"
        case _:
            return error.message


def _article(word: str) -> str:
    return "an" if word[0] in "aeio" else "a"
