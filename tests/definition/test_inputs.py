"""Args are checked against a flow's inputs, with messages for people."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from runs_dashboard.definition.inputs import InputError, from_form, json_schema, validate, variable
from runs_dashboard.definition.patterns import MAX_TEXT, PatternError, check_pattern
from runs_dashboard.definition.yaml_source import from_json_data


def declare(**specs: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Inputs as a definition holds them."""
    return from_json_data({"id": "a", "inputs": specs}).inputs


def problems_of(inputs: dict[str, dict[str, Any]], args: dict[str, Any]) -> list[tuple[str, str]]:
    """What is wrong with the args; nothing where they are right."""
    try:
        validate(inputs, args)
    except InputError as error:
        return error.problems
    return []


@pytest.mark.parametrize(
    ("spec", "value", "message"),
    [
        ({"format": "date"}, "22.11.2026", "not a date like 2026-11-22"),
        ({"format": "date"}, "2026-02-30", "not a date like 2026-11-22"),
        ({"format": "date-time"}, "2026-11-22", "not a date-time like 2026-11-22T14:30:00Z"),
        ({"format": "email"}, "ada", "not an email like ada@example.com"),
        ({"format": "uri"}, "shop", "not a uri like https://shop.example/orders"),
        ({"format": "uuid"}, "x" * 36, "not a uuid like 01928f7e-6c1a-7b3e-9c55-0d3a5f1e2b4c"),
        ({"format": "ipv4"}, "1.2.3", "not an ipv4 like 192.0.2.1"),
        ({"type": "integer"}, "5", "not a whole number"),
        ({"type": "integer"}, True, "not a whole number"),
        ({"type": "integer"}, 1.5, "not a whole number"),
        ({"type": "number"}, "x", "not a number"),
        ({"type": "boolean"}, 1, "not true or false"),
        ({"type": "array"}, {}, "not a list"),
        ({"type": "object"}, [], "not an object"),
        ({}, 5, "not text"),
        ({"enum": ["small", "large"]}, "huge", 'not one of "small", "large"'),
        ({"type": "integer", "minimum": 1}, 0, "less than 1"),
        ({"type": "integer", "maximum": 9}, 10, "more than 9"),
        ({"type": "number", "exclusiveMinimum": 0}, 0, "not more than 0"),
        ({"type": "number", "exclusiveMaximum": 1}, 1, "not less than 1"),
        ({"type": "number", "multipleOf": 0.1}, 0.25, "not a multiple of 0.1"),
        ({"minLength": 2}, "a", "shorter than 2 characters"),
        ({"maxLength": 2}, "abc", "longer than 2 characters"),
        ({"pattern": "^[0-9]+$"}, "abc", "does not have the form ^[0-9]+$"),
        ({"pattern": "^[0-9]+$"}, "1" * 300, "longer than 256 characters"),
        ({"type": "array", "minItems": 1}, [], "fewer than 1 items"),
        ({"type": "array", "items": {"type": "integer"}}, [1, "x"], "[1]: not a whole number"),
        ({"type": "object", "properties": {"a": {"format": "date"}}}, {"a": "x"}, "a: not a date like 2026-11-22"),
        ({"type": "object", "required": ["a"]}, {}, 'lacks "a"'),
        ({"type": "object", "additionalProperties": False}, {"b": 1}, "has keys that are not allowed"),
    ],
)
def test_a_wrong_value_is_named_in_plain_words(spec: dict[str, Any], value: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        validate(declare(field=spec), {"field": value})
    assert caught.value.problems == [("field", message)]
    assert str(caught.value) == f"field: {message}"


@pytest.mark.parametrize(
    ("spec", "value"),
    [
        ({"format": "date"}, "2024-02-29"),
        ({"format": "date-time"}, "2026-11-22T14:30"),
        ({"format": "date-time"}, "2026-11-22T14:30:00+01:00"),
        ({"format": "time"}, "00:00"),
        ({"format": "email"}, "ada@example.com"),
        ({"format": "uri"}, "https://shop.example/?a=b"),
        ({"format": "ipv6"}, "::1"),
        ({"format": "hostname"}, "shop.example"),
        ({"format": "multiline"}, "a\nb"),
        ({"type": "integer"}, 5.0),
        ({"type": "number", "multipleOf": 0.1}, 0.3),
        ({"type": "integer"}, 10**200),
        ({"type": "object", "required": ["a"]}, {"a": None}),
    ],
)
def test_a_right_value_passes_unchanged(spec: dict[str, Any], value: Any) -> None:
    assert validate(declare(field=spec), {"field": value}) == {"field": value}


def test_defaults_are_filled_in_and_belong_to_one_run_only() -> None:
    inputs = declare(tags={"type": "array", "default": ["a"]}, n={"type": "integer", "default": 5})
    first = validate(inputs, {"n": None})
    first["tags"].append("b")
    assert validate(inputs, {}) == {"tags": ["a"], "n": 5}


def test_a_required_input_must_be_there() -> None:
    inputs = declare(day={"format": "date", "required": True}, note={})
    for args in ({}, {"day": None}):
        with pytest.raises(InputError, match="day: is required"):
            validate(inputs, args)
    assert validate(inputs, {"day": "2026-11-22", "note": None}) == {"day": "2026-11-22"}


def test_keys_that_are_no_inputs_are_kept() -> None:
    assert validate(declare(n={"type": "integer"}), {"n": 1, "extra": {"a": [1]}}) == {"n": 1, "extra": {"a": [1]}}
    assert validate({}, {"anything": None}) == {"anything": None}


@pytest.mark.parametrize("args", [[], "x", None, 5])
def test_args_that_are_no_object_are_refused(args: Any) -> None:
    with pytest.raises(InputError, match="expected a JSON object"):
        validate({}, args)


@pytest.mark.parametrize("value", ["a\0b", "\ud800", float("nan"), float("inf"), {"x": ["\0"]}])
def test_what_cannot_be_stored_is_refused_even_in_extra_keys(value: Any) -> None:
    with pytest.raises(InputError):
        validate({}, {"extra": value})


def test_args_of_any_depth_are_refused_and_not_recursed_into() -> None:
    deep: Any = 1
    for _ in range(10_000):
        deep = {"a": deep}
    with pytest.raises(InputError, match="nested deeper"):
        validate({}, {"extra": deep})


@pytest.mark.parametrize(
    "pattern", ["^(a+)+$", "(a|aa)+$", "(.*a){20}", r"(\w+\s?)*$", ".*.*.*x", r"(a)\1+", "x*x*x*y", "(?:a?){30}a{30}"]
)
def test_a_pattern_that_could_take_long_is_refused(pattern: str) -> None:
    with pytest.raises(PatternError, match="very long"):
        check_pattern(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        r"^[A-Z]{3}-[0-9]+$",
        r"^\d{4}-\d\d$",
        r"^(small|large)$",
        r"^[a-z0-9_.-]+$",
        r"^\w+@\w+\.\w+$",
        "order",
        r"^([A-Z]{2}-)+\d$",
    ],
)
def test_an_ordinary_pattern_is_fast_on_any_text(pattern: str) -> None:
    check_pattern(pattern)
    inputs = declare(field={"pattern": pattern})
    began = time.process_time()
    for text in ("a" * MAX_TEXT, "A" * MAX_TEXT, "1" * MAX_TEXT, "a@" * 128, "AB-" * 85, "a." * 128):
        problems_of(inputs, {"field": text})
    assert time.process_time() - began < 0.5


@given(
    st.text(st.sampled_from("ab.*+?()[]|{}1,^$\\w"), max_size=12), st.text(st.sampled_from("ab1,"), max_size=MAX_TEXT)
)
def test_any_pattern_is_refused_or_fast(pattern: str, text: str) -> None:
    try:
        check_pattern(pattern)
    except PatternError:
        return
    inputs = {"field": {"type": "string", "pattern": pattern}}
    began = time.process_time()
    problems_of(inputs, {"field": text})
    assert time.process_time() - began < 1.0


FORM = declare(
    text={},
    n={"type": "integer"},
    x={"type": "number"},
    yes={"type": "boolean"},
    rows={"type": "array"},
    numbers={"type": "array", "items": {"type": "integer"}},
    data={"type": "object"},
)


def test_a_forms_texts_become_typed_args() -> None:
    raw = {
        "text": " a\r\nb ",
        "n": " 12 ",
        "x": "1.5",
        "yes": "on",
        "rows": "a\r\n\r\nb",
        "numbers": "1\n2",
        "data": '{"a": 1}',
    }
    args = from_form(FORM, {**raw, "csrfmiddlewaretoken": "t"})
    assert args == {
        "text": " a\nb ",
        "n": 12,
        "x": 1.5,
        "yes": True,
        "rows": ["a", "b"],
        "numbers": [1, 2],
        "data": {"a": 1},
    }
    assert validate(FORM, args) == args


def test_an_empty_form_gives_nothing_but_unticked_boxes() -> None:
    assert from_form(FORM, {}) == {"yes": False}
    assert from_form(FORM, dict.fromkeys(FORM, "")) == {}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("n", "twelve", "not a whole number"),
        ("n", "1.5", "not a whole number"),
        ("n", "9" * 5000, "not a whole number"),
        ("x", "nan", "not a number"),
        ("x", "1,5", "not a number"),
        ("yes", "perhaps", "not true or false"),
        ("rows", "[1, 2", "not a list"),
        ("rows", "[" * 100_000, "not a list"),
        ("data", "x", "not an object"),
        ("data", "[1]", "not an object"),
    ],
)
def test_what_a_form_cannot_mean_is_named_beside_its_field(name: str, text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        validate(FORM, from_form(FORM, {name: text}))
    assert caught.value.problems == [(name, message)]


@given(st.dictionaries(st.sampled_from(list(FORM)), st.text()))
def test_any_form_is_valid_or_explained(raw: dict[str, str]) -> None:
    problems = problems_of(FORM, from_form(FORM, raw))
    assert all(name in FORM and message for name, message in problems)


def test_the_json_schema_says_the_same() -> None:
    schema = json_schema(declare(day={"format": "date", "required": True}, o={"type": "object", "required": ["a"]}))
    Draft202012Validator.check_schema(schema)
    assert schema["required"] == ["day"]
    assert schema["properties"]["day"] == {"type": "string", "format": "date"}
    assert schema["properties"]["o"]["required"] == ["a"]


def test_an_inputs_variable_is_one_that_a_shell_can_name() -> None:
    assert (variable("day"), variable("order-id")) == ("INPUT_DAY", "INPUT_ORDER_ID")
