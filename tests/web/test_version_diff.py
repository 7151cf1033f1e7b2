"""What is different between two texts: every line of both is accounted for, within bounds."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from runs_dashboard.web import version_diff
from runs_dashboard.web.version_diff import compare

TEXTS = st.lists(st.sampled_from(["a", "b", "c", "steps:", ""]), max_size=40).map("\n".join)


def test_lines_are_told_by_sign_number_and_text() -> None:
    old = "\n".join(f"line {number}" for number in range(1, 21))
    diff = compare(old, old.replace("line 10", "line ten"))
    assert (diff.added, diff.removed, diff.is_cut) == (1, 1, False)
    assert [(line.sign, line.old, line.new, line.text) for line in diff.lines if line.sign != " "] == [
        ("−", 10, 0, "line 10"),
        ("+", 0, 10, "line ten"),
    ]
    assert [line.old for line in diff.lines] == [0, 7, 8, 9, 10, 0, 11, 12, 13, 0]
    assert [line.word for line in diff.lines if line.word] == ["removed", "added"]


def test_the_same_text_has_no_difference() -> None:
    assert compare("a\nb", "a\nb").is_same
    assert compare("", "").lines == []
    assert not compare("", "a").is_same


@given(TEXTS, TEXTS)
def test_the_lines_shown_make_both_texts(old: str, new: str) -> None:
    before, after = old.splitlines(), new.splitlines()
    diff = compare(old, new)
    assert diff.is_same == (before == after)
    kept = len(before) - diff.removed
    assert kept == len(after) - diff.added
    for line in diff.lines:
        if line.old:
            assert before[line.old - 1] == line.text
        if line.new:
            assert after[line.new - 1] == line.text
    shown = [line.new for line in diff.lines if line.new]
    assert shown == sorted(set(shown))
    added = [after[line.new - 1] for line in diff.lines if line.sign == "+"]
    assert len(added) == diff.added
    gone = {line.old for line in diff.lines if line.sign == "−"}
    rest = [text for number, text in enumerate(before, 1) if number not in gone]
    fresh = {line.new for line in diff.lines if line.sign == "+"}
    assert rest == [text for number, text in enumerate(after, 1) if number not in fresh]


def test_huge_texts_cost_no_more_than_their_reading() -> None:
    old = "\n".join(f"{number % 97}" for number in range(100_000))
    began = time.process_time()
    diff = compare(old, old[::-1])
    assert time.process_time() - began < 5
    assert diff.is_cut
    assert len(diff.lines) == version_diff.LINES_SHOWN


def test_a_long_line_is_cut_with_a_sign() -> None:
    (line,) = compare("", "x" * 10_000).lines
    assert line.text == "x" * version_diff.LINE_LENGTH + "…"
