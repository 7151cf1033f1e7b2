"""Repeats of one fault share a fingerprint, different faults do not."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs_dashboard.text.fingerprint import fingerprint

SAME = [
    ("Order 1234 failed", "Order 98 failed"),
    ("took 1.5 s", "took 12 s"),
    ("run 0190a6f2-7b1e-7c3d-9f00-1234567890ab is gone", "run 7f8e9d10-0000-4abc-8def-ffffffffffff is gone"),
    ("at 0xDEADBEEF", "at 0x7ffe12"),
    ("commit 3c47b608ee18", "commit 1e0b673aa"),
    ("2026-11-22T07:20:01.234Z timeout", "2025-01-01 00:00:00,1 timeout"),
    ("no such file: /tmp/abc12/data.csv", "no such file: /var/lib/x9/data.csv"),
    ("no such file: C:\\work\\a\\data.csv", "no such file: D:\\data.csv\\data.csv"),
    ("GET https://a.example/x?page=1 failed", "GET http://b.example/ failed"),
    ("KeyError: 'alice'", "KeyError: 'bob smith'"),
    ('no column "a"', 'no column "b"'),
    ("\x1b[31mERROR\x1b[0m  x\n", "error x"),
    ("10.0.0.1:5432 refused", "192.168.1.77:80 refused"),
    ('File "/app/load.py", line 12, in load', 'File "/srv/load.py", line 99, in load'),
]
DIFFERENT = [
    ("connection refused", "connection reset"),
    ("can't open file", "can't close file"),
    ("KeyError: 'a'", "ValueError: 'a'"),
    ("no such file: /tmp/a/data.csv", "no such file: /tmp/a/orders.csv"),
    ("it's broken, isn't it", "it's fine, isn't it"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_repeats_of_one_fault_are_one(one: str, other: str) -> None:
    assert fingerprint(one) == fingerprint(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_different_faults_are_two(one: str, other: str) -> None:
    assert fingerprint(one) != fingerprint(other)


@given(st.text())
def test_any_text_has_one(text: str) -> None:
    assert re.fullmatch("[0-9a-f]{16}", fingerprint(text))
    assert fingerprint(text) == fingerprint(text)
