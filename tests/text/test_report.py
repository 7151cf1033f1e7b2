"""A step's report: what is right is taken, what is wrong is said with its line."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs_dashboard.text.clean import clean
from runs_dashboard.text.report import Report, parse_report


def test_everything_that_a_step_can_report_is_taken() -> None:
    report = parse_report(
        b'{"output": {"rows": 12, "file": "a\\u0000.csv"}}\r\n'
        b'{"track": {"order_id": "1234", "customer": 7, "sku": ["a", "b", "a"]}}\n\n'
        b'{"metric": {"operations_sent": 12, "seconds": 1.5}}\n'
        b'{"warning": "slow"}\n'
        b'{"output": {"rows": 13}, "warning": "twice", "track": {"order_id": "1234"}}'
    )
    assert report == Report(
        outputs={"rows": 13, "file": "a\ufffd.csv"},
        tracked=[("order_id", "1234"), ("customer", "7"), ("sku", "a"), ("sku", "b")],
        metrics={"operations_sent": 12.0, "seconds": 1.5},
        warnings=["slow", "twice"],
        problems=[],
    )


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"hello", "it is not JSON"),
        (b"[1]", "it is not a JSON object"),
        (b"{}", "it is empty"),
        (b'{"outputs": {}}', '"outputs" is unknown; expected one of output, track, metric, warning'),
        (b'{"output": 1}', '"output" must be an object'),
        (b'{"warning": {}}', '"warning" must be a text'),
        (b'{"metric": {"a": "1"}}', 'the metric "a" must be a number'),
        (b'{"metric": {"a": true}}', 'the metric "a" must be a number'),
        (b'{"metric": {"a": NaN}}', "it is not JSON"),
        (b'{"metric": {"a": 1e999}}', "it is not JSON"),
        (b'{"output": {"a": Infinity}}', "it is not JSON"),
        (b'{"metric": {"a": 1' + b"0" * 309 + b"}}", ""),
        (b'{"output": {"a": 1' + b"0" * 5_000 + b"}}", ""),
        (b'{"track": {"a": {}}}', 'the tracked value "a" must be a text or a number'),
        (b'{"track": {"a": "' + b"x" * 1_001 + b'"}}', "longer than 1,000 characters"),
        (b'{"track": {"": "x"}}', "1 to 200 characters"),
        (b'{"output": {"\xff": 1}}', "it is not "),
        (b"[" * 100_000, "it is "),
        (b'{"output": ' + b'{"a":' * 40 + b"1" + b"}" * 41, "nested deeper than 32"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_bad_line_is_a_problem_with_its_number_and_fails_nothing_else(line: bytes, problem: str) -> None:
    report = parse_report(b'{"warning": "before"}\n' + line + b'\n{"warning": "after"}\n')
    assert report.warnings == ["before", "after"]
    assert len(report.problems) == 1
    assert report.problems[0].startswith("Line 2: ")
    assert problem in report.problems[0]


def test_a_report_that_is_too_long_is_read_up_to_its_limit() -> None:
    report = parse_report(b'{"warning": "x"}\n' * 100, max_bytes=40)
    assert report.warnings == ["x", "x"]
    assert report.problems == ["The report is longer than 40 bytes; what is behind them was not read."]


def test_problems_and_warnings_are_counted_not_piled_up() -> None:
    report = parse_report(b"x\n" * 500 + b'{"warning": "w"}\n' * 1_500)
    assert len(report.warnings) == 1_000
    assert len(report.problems) == 101
    assert report.problems[-1] == "900 more lines could not be read."


def test_two_reports_share_nothing() -> None:
    parse_report(b'{"output": {"a": 1}}\n{"warning": "w"}\n{"track": {"a": 1}}\n{"metric": {"a": 1}}')
    assert parse_report(b"") == Report()
    assert parse_report(b"").outputs == {}


@given(st.binary(max_size=200))
def test_any_bytes_give_a_report(data: bytes) -> None:
    json.dumps(parse_report(data).outputs)


@given(st.dictionaries(st.text(min_size=1, max_size=20), st.integers() | st.text() | st.booleans(), max_size=5))
def test_outputs_come_out_as_they_were_written(outputs: dict[str, object]) -> None:
    kept = parse_report(json.dumps({"output": outputs}).encode()).outputs
    cleaned = {clean(key): clean(value) if isinstance(value, str) else value for key, value in outputs.items()}
    assert kept == cleaned
