"""The gateway gives the same lines wherever the bytes are cut, and loses none of them."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs_dashboard.text.intake import OPEN_CHARACTERS, Intake, Line, Redactor, split_text

# Bytes that matter to the gateway come often; all others come too.
PIECES = st.sampled_from(
    [b"\n", b"\r", b"\0", b"\xff", b"\xe2\x82\xac", b"\xf0\x9f\x92\xa1", b"\xe2", b"ERROR: ", b"\xc2\x85", b"x" * 9]
)
BYTES = st.lists(st.one_of(PIECES, st.binary(max_size=6)), max_size=40).map(b"".join)


def read(data: bytes, cuts: list[int], **options: object) -> list[Line]:
    intake = Intake("stdout", clock=lambda: 12.5, **options)  # type: ignore[arg-type]
    lines: list[Line] = []
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    for begin, end in itertools.pairwise(edges):
        lines += intake.feed(data[begin:end])
    return lines + intake.flush()


def join(lines: list[Line]) -> str:
    return "".join(line.message + ("" if line.is_open else "\n") for line in lines)


@given(BYTES, st.lists(st.integers(0, 200), max_size=20), st.integers(1, 12))
def test_any_bytes_cut_anywhere_give_the_same_lines(data: bytes, cuts: list[int], max_line: int) -> None:
    assert read(data, cuts, max_line=max_line) == read(data, [], max_line=max_line)


@given(BYTES, st.integers(1, 12))
def test_lines_joined_again_are_what_was_printed(data: bytes, max_line: int) -> None:
    lines = read(data, [3, 7], max_line=max_line)
    assert join(lines) == data.decode(errors="replace").replace("\0", "\ufffd")
    assert all(len(line.message) <= max_line for line in lines)


def test_valid_text_comes_out_byte_for_byte() -> None:
    data = "a\r\n\r10 %\r20 %\n\n\x1b[31mred\x1b[0m\u2028\x85\vü\n".encode()
    assert join(read(data, [])).encode() == data


@pytest.mark.parametrize("end", ["\r", "\v", "\f", "\x1c", "\x85", "\u2028", "\u2029"])
def test_only_a_line_feed_ends_a_line(end: str) -> None:
    assert [line.message for line in read(f"one{end}[system] two\n".encode(), [])] == [f"one{end}[system] two"]


def test_output_without_a_last_line_feed_ends_in_an_open_line() -> None:
    assert [(line.message, line.is_open) for line in read(b"one\ntwo", [])] == [("one", False), ("two", True)]
    assert read(b"", []) == []
    assert read(b"one\n", [])[-1].is_open is False


def test_a_line_that_is_too_long_goes_on_in_the_next_entry() -> None:
    lines = read(b"abcdefghij\nk\n", [], max_line=4)
    assert [(line.message, line.is_open) for line in lines] == [
        ("abcd", True),
        ("efgh", True),
        ("ij", False),
        ("k", False),
    ]


def test_a_line_of_exactly_the_longest_length_is_one_closed_entry() -> None:
    assert [(line.message, line.is_open) for line in read(b"abcd\nabcdefgh\n", [4], max_line=4)] == [
        ("abcd", False),
        ("abcd", True),
        ("efgh", False),
    ]


def test_the_rest_of_a_long_line_keeps_the_level_of_its_beginning() -> None:
    lines = read(b"ERROR: abcdef\nplain\n", [9], max_line=8)
    assert [(line.message, line.level) for line in lines] == [("ERROR: a", 3), ("bcdef", 3), ("plain", 1)]


def test_a_long_line_is_given_out_before_it_ends() -> None:
    intake = Intake("stdout", max_line=10)
    assert len(intake.feed(b"x" * 1_000)) == 99
    assert len(intake.flush()) == 1


def test_a_character_cut_in_two_is_read_whole() -> None:
    intake = Intake("stderr", clock=lambda: 1.0)
    assert intake.feed("€".encode()[:2]) == []
    assert intake.feed("€".encode()[2:] + b"\n") == [Line("€", 1, "stderr", 1.0)]


def test_secrets_are_masked_across_pieces_and_the_caller_s_redactor_is_left_alone() -> None:
    redactor = Redactor(["hunter2hunter2"])
    out, err = Intake("stdout", redactor), Intake("stderr", redactor)
    assert out.feed(b"key hunter2") == []
    assert [line.message for line in err.feed(b"hunter2\n")] == ["hunter2"]
    assert [line.message for line in out.feed(b"hunter2!\n")] == ["key ***!"]


def test_what_a_redactor_held_back_comes_at_the_end() -> None:
    intake = Intake("stdout", Redactor(["hunter2hunter2"]))
    assert [line.message for line in intake.feed(b"line\nkey hunter2")] == ["line"]
    assert [line.message for line in intake.flush()] == ["key hunter2"]


def test_an_intake_can_go_on_after_its_end() -> None:
    intake = Intake("stdout", max_line=4)
    assert [line.message for line in intake.feed(b"ERROR long") + intake.flush()] == ["ERRO", "R lo", "ng"]
    assert [(line.message, line.level) for line in intake.feed(b"next\n")] == [("next", 1)]


def test_text_of_a_client_goes_the_same_way() -> None:
    lines = split_text("WARN \ud800 token-123\nlast", Redactor(["token-123"]), clock=lambda: 3.0)
    assert lines == [Line("WARN \ufffd ***", 2, None, 3.0), Line("last", 1, None, 3.0, True)]


@given(
    st.lists(
        st.sampled_from([b"hunt", b"er2-se", b"cret", b"hunter2-secret", b"10%\r", b" ", b"\n", b"\xe2\x82", b"\xac"])
    )
)
def test_the_open_text_never_tells_more_than_the_entries_that_follow(pieces: list[bytes]) -> None:
    intake = Intake("stdout", Redactor(["hunter2-secret"]))
    lines: list[Line] = []
    told = []
    for piece in pieces:
        lines += intake.feed(piece)
        told.append(join(lines) + intake.open_text)
    whole = join(lines + intake.flush())
    assert "hunter2-secret" not in whole
    assert all(whole.startswith(text) for text in told)


def test_the_beginning_of_a_secret_is_not_in_the_open_text() -> None:
    intake = Intake("stdout", Redactor(["hunter2-secret"]))
    intake.feed(b"the key is hunter2-se")
    assert intake.open_text == "the key is "
    intake.feed(b"cret, now")
    assert intake.open_text == "the key is ***, now"
    intake.feed(b"\nContinue? ")
    assert intake.open_text == "Continue? "
    intake.flush()
    assert intake.open_text == ""


def test_of_a_long_open_line_the_end_is_told_from_where_a_terminal_would_begin_anew() -> None:
    intake = Intake("stdout")
    intake.feed(b"\r".join(b"%d%% done" % number for number in range(1_000)))
    assert len(intake.open_text) <= OPEN_CHARACTERS
    assert intake.open_text.split("\r")[0].endswith("% done")
    assert intake.open_text.endswith("\r999% done")

    intake = Intake("stdout")
    intake.feed(b"\x1b[32m.\x1b[0m" * 1_000)
    assert len(intake.open_text) <= OPEN_CHARACTERS + 1
    assert intake.open_text.startswith("…\x1b[")

    intake = Intake("stdout")
    intake.feed(b"." * 5_000 + b"\r")
    assert intake.open_text == "…" + "." * (OPEN_CHARACTERS - 1) + "\r"
