"""A level is read from where a line conventionally states it, and from nowhere else."""

import re
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs_dashboard.text.levels import LEVEL_NUMBERS, LEVELS, detect_level

LOGS = Path(__file__).parents[3] / "shared" / "data" / "logs"

STATED = {
    "debug": r"""
DEBUG: connecting
TRACE entering
D/Tag: hello
<7>quiet
[debug] x
{"level":20,"msg":"x"}
{"level":"trace"}
2024-01-01 00:00:00,123 DEBUG root: x
::debug::x
""",
    "warning": r"""
WARN deprecated
WARNING: disk is filling
WARNING:root:hello
  warning: indented
npm WARN deprecated x
foo.c:12:3: warning: unused
2024-01-01 00:00:00.000  WARN 1234 --- [main] o.s.x : y
2024-01-01 00:00:00.000 | WARNING  | module:func:1 - msg
W0607 12:00:00.123456 1234 file.go:1] msg
{"lvl":"warn"}
{"level":40,"time":1531171074631,"msg":"x"}
<4>warm
##[warning]x
##vso[task.logissue type=warning;sourcepath=a.cs;linenumber=1]x
2024-05-01T10:00:00.1234567Z ##[warning]x
""",
    "error": r"""
ERROR no luck
ERROR
[error] no luck
[ERROR] no luck
Error: no luck
error: no luck
error[E0308]: mismatched types
SEVERE: no luck
E/Tag: no luck
level=error msg="no luck"
time="2024-01-01T00:00:00Z" level=error msg="no luck"
ts=2024-01-01T00:00:00Z caller=main.go:1 level=error msg=x
<3>no luck
E: Unable to locate package
npm ERR! code ENOENT
##[error]no luck
2024-05-01T10:00:00.1234567Z ##[error]no luck
##vso[task.logissue type=error]no luck
::error file=C:\a.py,line=1::no luck
::error file=a.py,line=1::no luck
src/foo.c:12:3: error: no luck
src/foo.c:12:3: fatal error: no such file
2024-01-01 00:00:00,123 - my.name - ERROR - no luck
2024-01-01 00:00:00,123 [MainThread] [ERROR] no luck
[2024-01-01 00:00:00,123: ERROR/MainProcess] no luck
[2024-01-01 00:00:00 +0000] [12345] [ERROR] no luck
2024-01-01 00:00:00.000 UTC [1234] ERROR:  no luck
2024/01/01 00:00:00 [error] 1234#0: *1 open() failed
[2024-01-01T00:00:00Z ERROR my_crate] no luck
2024-01-01T00:00:00.000000Z ERROR crate::x: no luck
2024-01-01T00:00:00+00:00 ERROR (3): no luck
E0607 12:00:00.123456 1234 file.go:1] no luck
06-07 12:00:00.000  123  456 E Tag: no luck
2024-01-01 00:00:00 myhost myapp[123]: [error] no luck
Jun 14 15:16:01 combo sshd[19939]: error: no luck
[Thu Jan 01 00:00:00.123456 2024] [core:error] [pid 1] no luck
12:00:00.123 [main] ERROR c.x.Foo - no luck
[12:00:00 ERR] no luck
1704067200.123 ERROR no luck
ERROR  [2024-01-01 00:00:00,000] com.x: no luck
web_1  | 2024-01-01 00:00:00 ERROR no luck
nova.log.1.2017-05-16_13:53:08 2017-05-16 00:00:00.008 25746 ERROR nova.wsgi no luck
{"level":"error","msg":"no luck"}
{"severity":"ERROR","message":"no luck"}
{"level":50,"msg":"no luck"}
""",
    "critical": r"""
CRITICAL no luck
FATAL: no luck
panic: runtime error
EMERG no luck
[12:00:00 FTL] no luck
2024-01-01 00:00:00.000 UTC [1234] user@db FATAL:  no role
<34>1 2003-10-11T22:14:15.003Z mymachine su - ID47 - failed
{"level":60}
{"severity":"CRITICAL"}
""",
    "info": r"""
no error found
0 errors
Error rate is low
error in state 6
errors: 0
ERROR_COUNT=0
ERROR-FREE run
Errors found: none
INFO error: none
NOTICE ERROR was cleared
finished without ERROR
2024-01-01 00:00:00 error rate is low
2024-01-01 00:00:00 no ERROR here
2024-01-01 00:00:00 INFO ERROR in the message
12:00:00 no error: fine
Jun 14 15:16:01 combo sshd[19939]: authentication failure
Traceback (most recent call last):
Information about errors
I <3 you
<999>not a priority
E = mc2
DEBUG=1 make
fatal_errors=0
std::error::Error
error::Error
level up=error
Alert
{"msg":"level error"}
{"message":{"level":"error"}}
{"level":"error", broken
{"level":true}
{"level":null}
{}
""",
}
CASES = [(level, line) for level, lines in STATED.items() for line in lines.strip("\n").split("\n")]


@pytest.mark.parametrize(("level", "line"), CASES, ids=[line for _, line in CASES])
def test_a_line_has_the_level_that_it_states(level: str, line: str) -> None:
    assert LEVELS[detect_level(line)] == level


def test_colours_do_not_hide_a_level() -> None:
    assert detect_level("\x1b[2m2024-01-01T00:00:00Z\x1b[0m \x1b[1;31mERROR\x1b[0m x") == LEVEL_NUMBERS["error"]
    assert detect_level("\x1b[33mWARN\x1b[0m x\r") == LEVEL_NUMBERS["warning"]


@given(st.text())
def test_any_text_has_a_level(text: str) -> None:
    assert 0 <= detect_level(text) <= 4
    assert 0 <= detect_level("{" + text) <= 4


@pytest.mark.parametrize(
    "line",
    [
        "2024-01-01 00:00:00 " + "[a] " * 20000,
        "x=" * 40000,
        "a=b " * 20000,
        "[" * 80000,
        "{" * 80000,
        "12:00:00" + " -|;" * 20000,
        "x" * 80000,
        " " * 80000,
        "12:00:00 a.b - " * 5000,
        "\x1b[" * 40000,
    ],
    ids=lambda line: line[:30],
)
def test_no_line_is_slow(line: str) -> None:
    begin = time.process_time()
    for _ in range(100):
        assert detect_level(line) == LEVEL_NUMBERS["info"]
    assert time.process_time() - begin < 1


# Where each system writes its level, and its words for ours.
REAL = {
    "Apache": r"\[[^\]]*\] \[(\w+)\]",
    "Hadoop": r"\S+ \S+ (\w+) ",
    "OpenStack": r"\S+ \S+ \S+ \d+ (\w+) ",
    "Spark": r"\S+ \S+ (\w+) ",
    "Windows": r"\S+ \S+ (\w+) ",
}
SAME = {"notice": "info", "warn": "warning", "fatal": "critical"}


@pytest.mark.skipif(not LOGS.is_dir(), reason="the real logs are not beside this checkout")
@pytest.mark.parametrize("system", REAL)
def test_every_line_of_a_real_log_has_its_own_level(system: str) -> None:
    lines = (LOGS / f"{system}.log").read_text(encoding="utf-8").strip("\n").split("\n")
    wrong = []
    for line in lines:
        stated = re.match(REAL[system], line)[1].lower()  # type: ignore[index]
        if LEVELS[detect_level(line)] != SAME.get(stated, stated):
            wrong.append(line)
    assert len(lines) == 2000
    assert wrong == []


@pytest.mark.skipif(not LOGS.is_dir(), reason="the real logs are not beside this checkout")
def test_a_log_without_levels_is_information_but_for_what_says_alert() -> None:
    lines = (LOGS / "Linux.log").read_text(encoding="utf-8").strip("\n").split("\n")
    counts = Counter(LEVELS[detect_level(line)] for line in lines)
    assert counts["critical"] == sum("logrotate: ALERT " in line for line in lines)
    assert counts["info"] + counts["critical"] + counts["warning"] == 2000
    assert counts["warning"] == 2


@pytest.mark.parametrize("unseen", ["\x1b[31m", "\x1b[1;31m\x1b[K", "\x1b_bk;t=1706575117741\x07"])
def test_what_is_not_seen_says_nothing(unseen: str) -> None:
    assert LEVELS[detect_level(f"{unseen}ERROR no luck")] == "error"
