"""What differs between two values: named as templates name it, bounded, and nothing is told twice."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs_dashboard.text.differences import find_differences


def told(old: Any, new: Any, **options: Any) -> list[tuple[str, str, str | None, str | None]]:
    found = find_differences(old, new, name="inputs", **options)
    return [(one.path, one.kind, one.old, one.new) for one in found.shown]


def test_what_was_added_removed_and_changed_is_told_by_its_path() -> None:
    old = {"day": "1", "order": {"lines": [{"qty": 1}, {"qty": 2}]}, "gone": None}
    new = {"day": "2", "order": {"lines": [{"qty": 1}]}, "new": {"a": True}}
    assert told(old, new) == [
        ("inputs.day", "changed", "1", "2"),
        ("inputs.order.lines[1]", "removed", '{"qty": 2}', None),
        ("inputs.gone", "removed", "null", None),
        ("inputs.new", "added", None, '{"a": true}'),
    ]


@pytest.mark.parametrize(("old", "new"), [(1, True), (0, False), (1, "1"), ({}, []), (None, False)])
def test_another_type_is_another_value(old: Any, new: Any) -> None:
    assert len(told({"a": old}, {"a": new})) == 1


def test_never_more_than_wanted_are_shown_and_the_others_are_counted() -> None:
    found = find_differences(list(range(5_000)), list(range(1, 5_001)), name="inputs", most=10)
    assert (len(found.shown), found.left, found.total) == (10, 4_990, 5_000)


def test_very_large_values_are_not_looked_through_for_ever() -> None:
    assert find_differences(list(range(50_000)), ["x"] * 50_000, name="inputs").is_cut


values = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.text("ab/~", max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab/~", max_size=3), inner, max_size=4),
    max_leaves=15,
)


def same(one: Any, two: Any) -> bool:
    """Equal, and of the same types all the way down."""
    return repr(one) == repr(two)


@given(st.dictionaries(st.text("ab/~", max_size=3), values, max_size=5))
def test_a_value_does_not_differ_from_itself(value: Any) -> None:
    assert not find_differences(value, value, name="x").total


@given(values, values)
def test_what_differs_is_told_one_way_and_the_other(old: Any, new: Any) -> None:
    forth, back = find_differences(old, new, name="x"), find_differences(new, old, name="x")
    assert forth.total == back.total
    assert {(one.path, one.old, one.new) for one in forth.shown} == {(o.path, o.new, o.old) for o in back.shown}
