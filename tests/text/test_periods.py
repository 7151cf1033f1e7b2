"""Lengths of time as people type them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs_dashboard.text.periods import is_period, read_period


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("250ms", 250),
        ("90s", 90_000),
        ("5m", 300_000),
        (" 2H ", 7_200_000),
        ("1h30m", 5_400_000),
        ("7d", 604_800_000),
        ("1w", 604_800_000),
        ("0s", 0),
    ],
)
def test_a_length_is_read(text: str, ms: int) -> None:
    assert is_period(text)
    assert read_period(text) == ms


@pytest.mark.parametrize("text", ["", "5", "m", "5 m", "-5m", "1.5h", "5y", "٣h", "9" * 10 + "s", "999999999w"])
def test_what_is_no_length_is_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"length of time|hundred years"):
        read_period(text)


@given(st.text())
def test_no_text_breaks_it(text: str) -> None:
    assert is_period(text) in (True, False)
