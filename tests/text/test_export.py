"""Downloads: raw is what was printed, text has no escapes, a spreadsheet computes nothing."""

import csv
import io
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs_dashboard.text.export import BLOCK, as_csv, as_ndjson, as_raw, as_txt, neutralise, safe_filename
from runs_dashboard.text.intake import Intake

DATA = Path(__file__).parents[3] / "shared" / "data"
REAL = sorted([*DATA.glob("logs/*.log"), *DATA.glob("terminal/*.raw")])
AT = datetime(2026, 11, 22, 7, 20, 1, 234_567, tzinfo=timezone(timedelta(hours=1)))


@dataclass
class Entry:
    message: str
    line: int = 1
    at: datetime = AT
    level: int = 1
    stream: str | None = "stdout"
    is_system: bool = False
    is_open: bool = False
    action: str | None = "load"


def take_in(data: bytes, max_line: int = 65_536) -> list[Entry]:
    intake = Intake("stdout", max_line=max_line)
    lines = intake.feed(data) + intake.flush()
    return [Entry(line.message, number, is_open=line.is_open) for number, line in enumerate(lines, 1)]


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), st.integers(1, 9))
def test_raw_is_byte_for_byte_what_was_printed(text: str, max_line: int) -> None:
    assert b"".join(as_raw(take_in(text.encode(), max_line))) == text.encode()


@pytest.mark.skipif(not REAL, reason="the real logs and recordings are not beside this checkout")
@pytest.mark.parametrize("path", REAL, ids=[path.name for path in REAL])
def test_a_real_log_comes_out_byte_for_byte(path: Path) -> None:
    data = path.read_bytes()
    assert b"".join(as_raw(take_in(data))) == data
    if path.suffix == ".log":
        assert b"".join(as_txt(take_in(data))) == data.replace(b"\r\n", b"\n")


@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Cf", "Zl", "Zp"], include_characters="\n\t")))
def test_text_without_escapes_is_what_was_printed(text: str) -> None:
    assert b"".join(as_txt(take_in(text.encode()))) == text.encode()


def test_raw_leaves_our_own_lines_out_and_text_names_them() -> None:
    entries = [Entry("a\x1b[31m"), Entry("3 lines dropped", is_system=True), Entry("b", is_open=True)]
    assert b"".join(as_raw(entries)) == b"a\x1b[31m\nb"
    assert b"".join(as_txt(entries)) == b"a\n[system] 3 lines dropped\nb"


def test_an_open_line_is_ended_before_another_source_goes_on() -> None:
    entries = [
        Entry("50", is_open=True),
        Entry(" %", is_open=True),
        Entry("oops", stream="stderr", is_open=True),
        Entry("next", action="publish", is_open=True),
        Entry("worker lost", is_system=True),
    ]
    assert b"".join(as_txt(entries)) == b"50 %\noops\nnext\n[system] worker lost\n"
    assert b"".join(as_raw(entries)) == b"50 %oopsnext"


@given(st.text())
def test_text_has_no_control_but_tab_and_line_feed(text: str) -> None:
    printed = b"".join(as_txt(take_in(text.encode(errors="replace"))))
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", printed.decode())


@pytest.mark.parametrize("export", [as_txt, as_raw, as_ndjson, as_csv])
def test_blocks_are_of_even_size_and_never_empty(export) -> None:
    blocks = list(export(Entry("x" * 99, number) for number in range(1, 5_001)))
    assert all(BLOCK <= len(block) < BLOCK + 1_000 for block in blocks[:-1])
    assert 1 <= len(blocks[-1]) < BLOCK + 1_000
    assert list(as_raw([])) == list(as_txt([])) == []


def test_ndjson_has_the_fields_of_the_api() -> None:
    entries = [Entry("\x1b[31m\u20ac\u2028", 7, level=3, stream=None, action=None), Entry("b", 8, is_open=True)]
    first, second = b"".join(as_ndjson(entries, is_raw=True)).splitlines()
    assert "\x1b" not in json.loads(b"".join(as_ndjson(entries[:1])))["message"]
    assert json.loads(first) == {
        "line": 7,
        "timestamp": "2026-11-22T06:20:01.234Z",
        "level": "error",
        "message": "\x1b[31m\u20ac\u2028",
        "action": None,
        "stream": None,
        "system": False,
    }
    assert json.loads(second)["open"] is True


@given(st.lists(st.text(max_size=20), max_size=5))
def test_csv_is_read_back_row_by_row_and_computes_nothing(messages: list[str]) -> None:
    entries = [Entry(text.encode(errors="replace").decode(), n, action=text[:3]) for n, text in enumerate(messages)]
    data = b"".join(as_csv(entries)).decode(errors="replace") if entries else b"".join(as_csv([])).decode()
    rows = list(csv.reader(io.StringIO(data, newline=""), strict=True))
    assert rows[0] == ["line", "timestamp", "level", "action", "stream", "system", "message"]
    assert len(rows) == len(messages) + 1
    for row in rows[1:]:
        for cell in row:
            assert re.fullmatch(r"[+-]?\d+(\.\d+)?(e[+-]?\d+)?", cell, re.IGNORECASE) or not re.match(
                "[\t\r\n]|\\s*[=+\\-@\uff1d\uff0b\uff0d\uff20]", cell
            )


@pytest.mark.parametrize(
    "cell",
    [
        "=1+1",
        "+cmd",
        "-cmd",
        "@SUM(A1)",
        "\tx",
        "\rx",
        "\nx",
        "  =1",
        "\xa0=1",
        "\ufeff=1",
        "＝1",
        "-",
        "\u200b=1",
        "+",
        "--1",
        '"=1',
        "-1e",
        "+1;=1",
    ],
)
def test_what_a_spreadsheet_would_compute_is_neutralised(cell: str) -> None:
    assert neutralise(cell) == "'" + cell


@pytest.mark.parametrize("cell", ["", "text", "1", "-1", "+1.5", "-1.5e-3", "a=b", "1=1", " text", "ü", "x@y"])
def test_plain_text_and_numbers_stay(cell: str) -> None:
    assert neutralise(cell) == cell


@given(st.text())
def test_a_file_name_is_safe_whatever_it_is_made_of(name: str) -> None:
    safe = safe_filename(name)
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}", safe)
    assert ".." not in safe
    assert not safe.endswith(".")


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("nightly orders", "nightly-orders"),
        ("../../etc/passwd", "etc-passwd"),
        ('a"b\r\nSet-Cookie: x', "a-b-Set-Cookie-x"),
        ("CON", "_CON"),
        ("lpt1.txt", "_lpt1.txt"),
        ("Müller\u202egpj", "Mullergpj"),
        ("", "download"),
        ("日本", "download"),
        ("x" * 300, "x" * 100),
        (".hidden", "hidden"),
    ],
)
def test_file_names(name: str, safe: str) -> None:
    assert safe_filename(name) == safe


def test_times_are_utc_with_milliseconds() -> None:
    assert AT.astimezone(UTC).hour == 6
    assert b"2026-11-22T06:20:01.234Z" in b"".join(as_csv([Entry("x")]))
