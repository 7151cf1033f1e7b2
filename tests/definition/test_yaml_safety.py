"""No text, however hostile, does anything but become a Definition or a DefinitionError, quickly."""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runs_dashboard.definition.inputs import InputError, validate
from runs_dashboard.definition.problems import Problem
from runs_dashboard.definition.schema import Definition, StepDefinition
from runs_dashboard.definition.yaml_source import DefinitionError, from_json_data, parse

LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(8)
)
BOMBS = {
    "alias bomb": LAUGHS,
    "many aliases": "id: &a b\ntags: {" + ",".join(f"k{n}: *a" for n in range(300)) + "}",
    "open brackets": "id: " + "[" * 100_000,
    "open braces": "id: " + "{a: " * 60_000,
    "deep indentation": "".join(" " * n + "a:\n" for n in range(600)),
    "deep dashes": "id:\n" + "- " * 100_000,
    "question marks": "? " * 100_000,
    "many values": "id: [" + "1," * 120_000 + "]",
    "many keys": "".join(f"k{n}: 1\n" for n in range(20_000)),
    "too large": "#" * 300_000,
    "one long number": "id: a\ntimeout: " + "9" * 200_000,
    "one long key": "k" * 200_000 + ": 1",
    "one long cron": "id: a\nschedule: '" + "1," * 100_000 + "'",
    "one long zone": "id: a\ntimezone: " + "Europe/" * 30_000,
    "nested quantifiers": "id: a\ninputs: {d: {pattern: '" + "(" * 90 + "a+" + ")+" * 50 + "'}}",
    "thousand bad steps": "id: a\nsteps:\n" + "- {id: x, componet: comand, wth: {}}\n" * 1000,
    "markers": "id: a\nsteps: [{id: x, component: http, with: {url: 'https://e.example/" + "${{" * 60_000 + "'}}]",
}


COMMON_WORDS = (
    *("run", "env", "url", "headers", "body", "expect", "args", "flow", "command", "http", "approval", "attempts"),
    *("default", "required", "format", "pattern", "enum", "items", "properties", "minimum", "multipleOf", "string"),
    *("integer", "array", "object", "date"),
)


def problems_of(read: Callable[[], Definition]) -> tuple[Definition | None, list[Problem]]:
    """What reading leads to: a definition or the problems. Any other exception is the test's failure."""
    try:
        return read(), []
    except DefinitionError as error:
        return None, error.problems


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_within_a_second(name: str) -> None:
    began = time.process_time()
    with pytest.raises(DefinitionError) as caught:
        parse(BOMBS[name])
    assert len(str(caught.value)) < 200_000
    assert time.process_time() - began < 1.0


@pytest.mark.parametrize(
    "tag",
    [
        "!!python/object/apply:os.system ['true']",
        "!!python/name:os.system ''",
        "!!python/object/new:subprocess.Popen [['true']]",
        "!!binary aGFsbG8=",
        "!!timestamp 2026-11-22",
        "!!set {a, b}",
        "!custom {a: b}",
        "!<tag:yaml.org,2002:python/none> x",
    ],
)
def test_a_tag_is_refused_and_nothing_is_built(tag: str) -> None:
    with pytest.raises(DefinitionError, match=r"tag .* is refused"):
        parse(f"id: a\ntags: {tag}")


def test_deep_json_is_refused() -> None:
    data: Any = "x"
    for _ in range(5000):
        data = [data]
    with pytest.raises(DefinitionError, match="nested deeper than 32 levels"):
        from_json_data({"id": "a", "tags": data})


@pytest.mark.parametrize(
    "name", ["os.system", "builtins.eval", "__import__", "command.__class__", "runs_dashboard.chores"]
)
def test_only_the_known_components_run(name: str) -> None:
    with pytest.raises(DefinitionError, match=r"is not known; .*one of command, http, approval, flow"):
        parse(f"id: a\nsteps: [{{id: x, component: {name}}}]")


KEYS = (*Definition.__struct_fields__, *StepDefinition.__struct_encode_fields__, *COMMON_WORDS)
WORDS = st.sampled_from(
    [
        *KEYS,
        *("a", "5", "-1", "1.5", "true", "null", "~", "*", "&a ", "*a", "!!str ", "!x ", "[", "]", "{", "}", ",", "#"),
        *(": ", ":\n  ", ":\n- ", "\n", "\n  ", "\n- ", "\n    ", "- ", "? ", "| ", "> ", "'", '"', "\\", "%", "---\n"),
        *(
            "${{",
            "}}",
            "${{ inputs.a }}",
            "${{ steps.a.outputs.b }}",
            "0 2 * * *",
            "Europe/Berlin",
            "https://e.example/",
        ),
        *("\0", "\x85", "\u2028", "\ud800", "\ufeff", "é", "🚀", "\t", "\r"),
    ]
)


@given(st.one_of(st.text(), st.binary(), st.lists(WORDS, max_size=40).map("".join)))
@example("id: a\ninputs: {a: {type: array, items: {type: [x]}}}")
@example("id: a\ninputs: {a: {type: object, required: true, properties: 5}}")
@example("id: a\ninputs: {a: {minLength: x, default: 5}}")
@example("id: a\nsteps: [{id: [], component: {}, with: []}]")
@example("id: a\nsteps: [{id: a, component: command, with: {run: [ls], env: {A: '${{ steps.a.outputs.b }}'}}, {}]")
def test_any_text_is_a_definition_or_a_definition_error(text: str | bytes) -> None:
    flow, problems = problems_of(lambda: parse(text))
    assert all(problem.message and "\n" not in str(problem) for problem in problems)
    assert flow is None or Definition.from_data(flow.to_data()) == flow


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 10**20),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["${{ run.id }}", "x"]),
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=25,
)


@given(st.dictionaries(st.sampled_from(KEYS), TREES, max_size=8))
def test_any_json_is_a_definition_or_a_definition_error(data: dict[str, Any]) -> None:
    data["id"] = "a"
    flow, problems = problems_of(lambda: from_json_data(data))
    assert (flow is None) == bool(problems)
    assert flow is None or from_json_data(flow.to_data()) == flow


@given(st.dictionaries(st.sampled_from(["a", "b-c"]), TREES, max_size=2), TREES)
def test_any_input_declaration_is_read_or_refused(inputs: dict[str, Any], value: Any) -> None:
    for spec in inputs.values():
        if isinstance(spec, dict):
            spec["type"] = "string"
    flow, problems = problems_of(lambda: from_json_data({"id": "a", "inputs": inputs, "tags": {"x": "y"}}))
    assert (flow is None) == bool(problems)
    if flow is not None:
        args = dict.fromkeys(inputs, value)
        with suppress(InputError):
            assert validate(flow.inputs, args) is not args
