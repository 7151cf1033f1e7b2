"""`${{ … }}` is filled once, with what it names, and never looked at again."""

import json
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs_dashboard.definition.templates import MissingValue, TemplateError, fill, fill_tree, find, mask

CONTEXT: dict[str, Any] = {
    "inputs": {"day": "2026-11-22", "n": 12, "ok": True, "none": None, "rate": 1.5, "list": ["a", {"b": 1}]},
    "steps": {"fetch": {"outputs": {"body": {"count": 3, "rows": [{"id": "x"}]}}}, "a.b": {"outputs": {"c": "dotted"}}},
    "environment": {"HOST": "shop.example"},
    "secrets": {"TOKEN": "s3cr3t"},
    "run": {"id": "0192"},
}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("plain", "plain"),
        ("${{ inputs.day }}", "2026-11-22"),
        ("${{inputs.day}}/${{  run.id  }}", "2026-11-22/0192"),
        ("${{ inputs.n }} ${{ inputs.ok }} ${{ inputs.none }} ${{ inputs.rate }}", "12 true null 1.5"),
        ("${{ inputs.list }}", '["a",{"b":1}]'),
        ("${{ steps.fetch.outputs.body.count }}", "3"),
        ("${{ steps.fetch.outputs.body.rows.0.id }}", "x"),
        ("${{ steps.a.b.outputs.c }}", "dotted"),
        ("Bearer ${{ secrets.TOKEN }} @ ${{ environment.HOST }}", "Bearer s3cr3t @ shop.example"),
        ("$ {{ inputs.day }} {{ inputs.day }} ${inputs.day}", "$ {{ inputs.day }} {{ inputs.day }} ${inputs.day}"),
    ],
)
def test_a_look_up_becomes_its_value(text: str, filled: str) -> None:
    assert fill(text, CONTEXT) == filled


@given(st.text())
def test_a_value_is_never_looked_at_again(value: str) -> None:
    assert fill("<${{ inputs.v }}>", {"inputs": {"v": value}}) == f"<{value}>"
    assert fill_tree({"${{ run.id }}": "${{ inputs.v }}"}, {"inputs": {"v": value}}) == {"${{ run.id }}": value}


def test_template_syntax_in_a_value_stays_text_through_two_steps() -> None:
    hostile = "${{ secrets.TOKEN }} {{ 7*7 }} {% x %} %(a)s {0.__class__}"
    first = fill("${{ inputs.v }}", {**CONTEXT, "inputs": {"v": hostile}})
    second = fill("${{ steps.one.outputs.v }}", {**CONTEXT, "steps": {"one": {"outputs": {"v": first}}}})
    assert second == hostile


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_value_cannot_leave_its_place_in_a_url(value: str) -> None:
    url = fill("https://e.example/${{ inputs.v }}?q=1", {"inputs": {"v": value}}, encode="url")
    path = url.removeprefix("https://e.example/").removesuffix("?q=1")
    assert not set(path) & set("/?#&=@:\\ \r\n")
    assert unquote(path) == value


def test_a_text_that_is_one_look_up_keeps_the_values_type() -> None:
    body = {
        "day": "${{ inputs.day }}",
        "n": "${{ inputs.n }}",
        "all": ["${{ inputs.list }}", "n=${{ inputs.n }}", 5, None],
    }
    assert fill_tree(body, CONTEXT) == {"day": "2026-11-22", "n": 12, "all": [["a", {"b": 1}], "n=12", 5, None]}


@pytest.mark.parametrize(
    "expression",
    [
        "inputs.nothing",
        "environment.nothing",
        "secrets.nothing",
        "steps.nothing.outputs.a",
        "steps.fetch.outputs.body.rows.1",
        "steps.fetch.outputs.body.rows.-1",
        "steps.fetch.outputs.body.rows.99999999999999999999",
        "steps.fetch.outputs.body.count.real",
        "steps.fetch.outputs.__class__",
        "steps.fetch.outputs.body.keys",
    ],
)
def test_a_look_up_that_finds_nothing_names_itself(expression: str) -> None:
    with pytest.raises(MissingValue, match="has no value") as caught:
        fill(f"${{{{ {expression} }}}}", CONTEXT)
    assert caught.value.expression == expression


@pytest.mark.parametrize(
    "text",
    [
        "${{",
        "${{ }}",
        "${{ inputs }}",
        "${{ inputs.a.b }}",
        "${{ inputs.a b }}",
        "${{ inputs['a'] }}",
        "${{ inputs.a | upper }}",
        "${{ inputs.a()}}",
        "${{ steps.a.b }}",
        "${{ run.secret }}",
        "${{ env.A }}",
        "${{ inputs.a }",
        "${{ ${{ inputs.a }} }}",
        "${{ 7*7 }}",
        "${{ inputs.é }}",
    ],
)
def test_anything_but_a_look_up_is_an_error(text: str) -> None:
    with pytest.raises(TemplateError):
        find(text)
    with pytest.raises(TemplateError):
        fill(text, CONTEXT)


def test_find_lists_what_is_named() -> None:
    found = find({"a": ["${{ inputs.day }}-${{ run.id }}", 5], "b": "${{ steps.a.b.outputs.c.d }}"})
    assert {(r.root, r.name, r.path) for r in found} == {
        ("inputs", "day", ("inputs", "day")),
        ("run", "id", ("run", "id")),
        ("steps", "a.b", ("steps", "a.b", "outputs", "c", "d")),
    }


@given(st.text(st.sampled_from("${} inputs.run.id\n"), max_size=60))
def test_any_text_is_filled_or_refused(text: str) -> None:
    try:
        filled = fill(text, CONTEXT)
    except (TemplateError, MissingValue):
        return
    assert "${{" not in filled
    assert len(mask(text)) == len(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(JSON)
def test_any_value_keeps_its_meaning(value: Any) -> None:
    context = {"inputs": {"v": value}}
    assert fill_tree("${{ inputs.v }}", context) == value
    text = fill("${{ inputs.v }}", context)
    assert (text if isinstance(value, str) else json.loads(text)) == value
