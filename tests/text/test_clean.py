"""What a database refuses is replaced, what JSON cannot say is refused, both with a sentence."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs_dashboard.text.clean import NotJSON, TooDeep, TooLarge, clean, clean_json


@given(st.text(st.characters(), max_size=50))
def test_cleaned_text_can_be_stored_and_keeps_its_length(text: str) -> None:
    cleaned = clean(text)
    assert "\0" not in cleaned
    assert len(cleaned.encode().decode()) == len(text)


def test_nul_and_lone_surrogates_become_replacement_characters() -> None:
    assert clean("a\0b\ud800c\udfff") == "a\ufffdb\ufffdc\ufffd"
    assert clean("ü€😀") == "ü€😀"


def test_text_that_is_clean_comes_back_itself() -> None:
    text = "plain " * 10
    assert clean(text) is text


def test_json_is_cleaned_in_keys_and_values_and_not_changed_in_place() -> None:
    value = {"a\0": ["\ud83d", 1, 1.5, True, None, {"b": ("x",)}]}
    assert clean_json(value) == {"a\ufffd": ["\ufffd", 1, 1.5, True, None, {"b": ["x"]}]}
    assert value["a\0"][0] == "\ud83d"


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_are_none_are_refused(number: float) -> None:
    with pytest.raises(NotJSON, match="NaN and Infinity"):
        clean_json({"a": [number]})


@pytest.mark.parametrize("value", [b"x", {1: "a"}, {"a": object()}, 10**400])
def test_what_is_not_json_is_refused(value: object) -> None:
    with pytest.raises(NotJSON):
        clean_json(value)


def test_depth_is_limited() -> None:
    value = json.loads("[" * 32 + "]" * 32)
    assert clean_json(value) == value
    with pytest.raises(TooDeep, match="deeper than 32"):
        clean_json([value])
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(TooDeep):
        clean_json(deep)


def test_size_is_limited_over_all_parts() -> None:
    with pytest.raises(TooLarge, match="more than 10 keys"):
        clean_json([{str(i): i for i in range(6)} for _ in range(2)], max_keys=10)
    with pytest.raises(TooLarge, match="more than 10 list items"):
        clean_json({"a": [1] * 6, "b": [1] * 6}, max_items=10)
