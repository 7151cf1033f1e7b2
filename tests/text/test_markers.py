"""Lines that speak to whoever reads the log: where folds begin and end, and commands."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs_dashboard.text.markers import read_marker

TIME = "2024-05-01T10:00:00.1234567Z "
PIECES = st.sampled_from(
    "::|group|::group::|endgroup|##[|]|##vso[|--- |+++|~~~ |^^^ +++|section_start:1:a|section_end:1:a|travis_fold:end:x"
    f"|\r\x1b[0K|\x1b[31m|\x1b_bk;t=1\x07| |error|a=b|x|<b>|{TIME}".split("|")
)


@given(st.one_of(st.text(), st.lists(PIECES, max_size=12).map("".join)))
def test_a_markers_pieces_joined_are_its_line(message: str) -> None:
    marker = read_marker(message)
    assert marker is None or "".join(text for text, _ in marker.pieces) == message


@pytest.mark.parametrize(
    ("message", "fold"),
    [
        ("::group::Install", "group"),
        ("::group::", "group"),
        ("::endgroup::", "end"),
        ("##[group]Run x", "group"),
        ("##[endgroup]", "end"),
        (f"{TIME}##[group]Run x", "group"),
        (f"{TIME}##[endgroup]", "end"),
        ("\ufeff::group::a", "group"),
        ("--- Build", "section"),
        ("+++ Tests", "section open"),
        ("~~~ Preparing", "section dim"),
        ("^^^ +++", "above"),
        ("\x1b_bk;t=1706575117741\x07--- \x1b[33mBuild\x1b[0m\r", "section"),
        ("section_start:1560896352:a[collapsed=true]\r\x1b[0KHead", "group nested"),
        ("section_start:1560896352:a\r\x1b[0KHead", "group nested open"),
        ("section_end:1:a\r\x1b[0K", "end"),
        ("section_end:1:a\r\x1b[0Ksection_start:1:b\r\x1b[0KHead", "end group nested open"),
        ("travis_fold:start:git\r\x1b[0K$ git", "group nested"),
        ("travis_fold:end:git\r\x1b[0K", "end"),
    ],
)
def test_folds_of_the_known_systems(message: str, fold: str) -> None:
    marker = read_marker(message)
    assert marker is not None
    assert marker.fold == fold


@pytest.mark.parametrize(
    "message",
    [
        "",
        "---",
        "--- a/app.py",
        "+++ b/app.py",
        "--- /dev/null",
        "--- old.c\t2020-01-01 10:00:00",
        "+++ new.c 2020-01-01 10:00:00.000000000 +0000",
        "--- FAIL: TestX (0.00s)",
        "--- x.example ping statistics ---",
        "----- Captured stdout -----",
        "a ::group::x",
        "std::string x::y",
        "::1 localhost",
        "# heading",
        "travis_folder",
        f"{TIME}plain",
    ],
)
def test_what_only_looks_like_a_marker_is_text(message: str) -> None:
    assert read_marker(message) is None


@pytest.mark.parametrize(
    ("message", "pieces"),
    [
        (
            "::error file=C:\\a.py,line=1::broken",
            [("::error ", "cmd"), ("file=C:\\a.py,line=1", "arg"), ("::", "cmd"), ("broken", "")],
        ),
        ("::warning::careful", [("::warning", "cmd"), ("::", "cmd"), ("careful", "")]),
        ("##[error]broken", [("##[error]", "cmd"), ("broken", "")]),
        ("##[command]git pull", [("##[command]", "arg"), ("git pull", "")]),
        ("::set-output name=a::b", [("::set-output name=a::", "arg"), ("b", "")]),
        (
            "##vso[task.logissue type=error;line=1]broken",
            [("##vso[task.logissue ", "cmd"), ("type=error;line=1", "arg"), ("]", "cmd"), ("broken", "")],
        ),
        ("##vso[build.addbuildtag]x", [("##vso[build.addbuildtag]", "arg"), ("x", "")]),
    ],
)
def test_a_command_keeps_all_that_its_level_does_not_say(message: str, pieces: list[tuple[str, str]]) -> None:
    marker = read_marker(message)
    assert marker is not None
    assert marker.fold == ""
    assert [piece for piece in marker.pieces if piece[0]] == pieces


@pytest.mark.parametrize("begin", ["::group", "::error ", "--- ", "##vso[x ", "section_start:1:", "\x1b_", "\x1b[0m"])
@pytest.mark.parametrize("rest", ["1111-11-11 ", ":", " ---", " ", "\x1b[0m", "a=b,"])
def test_no_line_is_slow(begin: str, rest: str) -> None:
    message = begin + rest * (65_000 // len(rest))
    started_at = time.process_time()
    read_marker(message)
    assert time.process_time() - started_at < 0.5
