"""The last line of `python -m tests`: both runs in one, in pytest's own style, and the truth when one died."""

from pathlib import Path

import pytest

from .__main__ import Outcome, closing_line, read_outcome, run_twice

REPORT = '<testsuites><testsuite tests="9" failures="2" errors="1" skipped="1"/></testsuites>'


def test_the_counts_of_both_runs_are_added() -> None:
    line = closing_line([Outcome(1, passed=10, failed=1), Outcome(0, passed=11, skipped=2)], 61.5)

    assert line.strip("=") == " 1 failed, 21 passed, 2 skipped in 61.50s "


@pytest.mark.parametrize(("errors", "word"), [(1, "1 error"), (2, "2 errors")])
def test_one_error_is_not_many(errors: int, word: str) -> None:
    assert word in closing_line([Outcome(1, errors=errors)], 1).split(" in ")[0].strip("= ").split(", ")


def test_what_is_neither_failed_nor_skipped_has_passed(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(REPORT)

    assert read_outcome(1, report) == Outcome(1, passed=5, failed=2, errors=1, skipped=1)


@pytest.mark.parametrize("code", [0, 3])
def test_a_run_that_left_no_report_is_an_error(tmp_path: Path, code: int) -> None:
    outcome = read_outcome(code, tmp_path / "never-written.xml")

    assert outcome.errors == 1
    assert outcome.code != 0


@pytest.mark.parametrize(
    ("answers", "arguments", "expected"),
    [
        ([Outcome(0, passed=9)], [], Outcome(0, passed=9)),
        ([Outcome(1, passed=8, failed=1), Outcome(0, passed=1)], [], Outcome(0, passed=9)),
        ([Outcome(1, passed=8, failed=1), Outcome(1, failed=1)], [], Outcome(1, passed=8, failed=1)),
        ([Outcome(1, passed=8, failed=1)], ["tests/models"], Outcome(1, passed=8, failed=1)),
        ([Outcome(1, passed=8, failed=40)], [], Outcome(1, passed=8, failed=40)),
        ([Outcome(2, errors=1)], [], Outcome(2, errors=1)),
    ],
)
def test_what_failed_is_run_once_more_alone_and_no_more(
    monkeypatch: pytest.MonkeyPatch, answers: list[Outcome], arguments: list[str], expected: Outcome
) -> None:
    left = list(answers)
    monkeypatch.setattr("tests.__main__.run_pytest", lambda arguments, database_url: left.pop(0))

    assert run_twice(arguments, None) == expected
    assert left == []
