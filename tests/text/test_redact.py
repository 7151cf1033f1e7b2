"""No spelling of a secret gets through, wherever the stream is cut; everything else does, unchanged and at once."""

import base64
import html
import itertools
import json
import re
import time
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs_dashboard.text.redact import Redactor

SECRET = 's3cr3t/Pa+ss w\u00f6rd?&"x\\y'
VALUES = st.text(st.characters(exclude_characters="\0\n*", exclude_categories=["Cs"]), min_size=6, max_size=12)
# Few letters, so that secrets overlap each other and themselves.
NARROW = st.text("ab", min_size=6, max_size=9)


def spell(secret: str) -> dict[str, str]:
    raw = secret.encode()
    return {
        "plain": secret,
        "base64": base64.b64encode(raw).decode(),
        "base64 unpadded": base64.b64encode(raw).decode().rstrip("="),
        "base64 for addresses": base64.urlsafe_b64encode(raw).decode(),
        "percent": quote(secret, safe=""),
        "percent of Python": quote(secret),
        "percent in lower case": re.sub("%..", lambda found: found[0].lower(), quote(secret, safe="")),
        "form": quote_plus(secret),
        "JSON": json.dumps(secret)[1:-1],
        "JSON in UTF-8": json.dumps(secret, ensure_ascii=False)[1:-1],
        "HTML": html.escape(secret),
    }


def stream(redactor: Redactor, text: str, cuts: list[int]) -> str:
    fork = redactor.fork()
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    return "".join(fork.feed(text[a:b]) for a, b in itertools.pairwise(edges)) + fork.flush()


@pytest.mark.parametrize("spelling", spell(SECRET).values(), ids=spell(SECRET).keys())
def test_a_spelling_cut_at_any_place_is_masked(spelling: str) -> None:
    redactor = Redactor([SECRET])
    text = f"before <{spelling}> after\nnext"
    for cut in range(len(text)):
        assert stream(redactor, text, [cut]) == "before <***> after\nnext"
    assert stream(redactor, text, list(range(len(text)))) == "before <***> after\nnext"


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("before", [b"", b"u", b"us", b"use"])
@pytest.mark.parametrize("after", [b"", b"?", b"??", b"\xff\xff\xff"])
def test_a_secret_inside_longer_base64_is_masked(encode, before: bytes, after: bytes) -> None:
    text = encode(before + SECRET.encode() + after).decode()
    masked = Redactor([SECRET]).redact(text)
    # What is left beside the mask decides at most the six bits at either edge.
    left, right = masked.split("***")
    assert len(left) <= len(before) * 8 // 6 + 1
    assert len(right.rstrip("=")) <= len(after) * 8 // 6 + 1


@pytest.mark.parametrize("width", [64, 76])
def test_a_long_secret_in_wrapped_base64_is_masked(width: int) -> None:
    secret = "".join(chr(33 + i * 7 % 90) for i in range(200))
    encoded = base64.b64encode(secret.encode()).decode()
    wrapped = "\n".join(encoded[at : at + width] for at in range(0, len(encoded), width))
    assert set(Redactor([secret]).redact(wrapped).split("\n")) == {"***"}


def test_each_line_of_a_secret_of_several_lines_is_masked() -> None:
    secret = "-----BEGIN KEY-----\r\n  MIIabcdefgh\nshort\nlastline\n"
    redactor = Redactor([secret])
    printed = "x MIIabcdefgh y\nlastline\n-----BEGIN KEY-----\nshort\n"
    assert redactor.redact(printed) == "x *** y\n***\n***\nshort\n"
    assert redactor.redact(json.dumps(secret)) == '"***\\n"'


@given(st.lists(NARROW, min_size=1, max_size=3), st.data(), st.lists(st.integers(0, 60), max_size=8))
def test_overlapping_secrets_leave_nothing_however_the_text_is_cut(
    secrets: list[str], data: st.DataObject, cuts: list[int]
) -> None:
    part = st.builds(lambda secret, at: secret[at:], st.sampled_from(secrets), st.integers(0, 6))
    text = "".join(data.draw(st.lists(st.one_of(part, st.text("ab\n", max_size=3)), max_size=10)))
    redactor = Redactor(secrets)
    masked = redactor.redact(text)
    assert stream(redactor, text, cuts) == masked
    assert not any(secret in masked for secret in secrets)
    covered = set()
    for secret in secrets:
        covered |= {at + i for at in range(len(text)) if text.startswith(secret, at) for i in range(len(secret))}
    assert masked.replace("*", "") == "".join(letter for at, letter in enumerate(text) if at not in covered)


def test_a_secret_that_overlaps_itself_leaves_nothing() -> None:
    redactor = Redactor(["ababab"])
    assert redactor.redact("xababababax") == "x***ax"
    assert stream(redactor, "xababababax", [3, 7]) == "x***ax"


@given(
    st.lists(VALUES, min_size=1, max_size=3),
    st.data(),
    st.lists(st.integers(0, 300), max_size=10),
)
def test_any_secret_in_any_spelling_leaves_nothing(secrets: list[str], data: st.DataObject, cuts: list[int]) -> None:
    secrets = [secret for secret in secrets if len(secret.strip()) >= 6]
    spellings = [text.strip() for secret in secrets for text in spell(secret.strip()).values()]
    pieces = data.draw(st.lists(st.one_of(st.text(max_size=4), st.sampled_from(spellings or [""])), max_size=6))
    redactor = Redactor(secrets)
    masked = stream(redactor, "".join(pieces), cuts)
    assert masked == redactor.redact("".join(pieces))
    assert not any(text in masked for text in spellings)


@given(st.text(), st.lists(st.integers(0, 100), max_size=5))
def test_text_without_a_secret_is_unchanged(text: str, cuts: list[int]) -> None:
    redactor = Redactor(["no-such-value-in-it", "another one / 2"])
    assert stream(redactor, text, cuts) == text


def test_only_the_possible_beginning_of_a_secret_is_held_back() -> None:
    redactor = Redactor(["hunter2hunter2"])
    assert redactor.feed("password: hunt") == "password: "
    assert redactor.feed("ing season") == "hunting season"
    assert redactor.feed("hunter2\n") == "hunter2\n"
    assert redactor.flush() == ""


def test_a_line_feed_is_never_held_back() -> None:
    redactor = Redactor(["first line\nsecond line"])
    assert redactor.feed("first line\n") == "***\n"
    assert redactor.feed("first lin\n") == "first lin\n"


def test_short_values_are_named_but_not_masked() -> None:
    redactor = Redactor(["abc", "", "long enough", "12345"])
    assert redactor.too_short == [0, 3]
    assert redactor.redact("abc 12345 long enough") == "abc 12345 ***"


def test_json_is_masked_in_keys_texts_and_numbers() -> None:
    redactor = Redactor(["12345678", "token-abc"])
    value = {"token-abc": [12345678, "x token-abc", True, None, 1.5], "deep": {"n": 4}}
    assert redactor.redact_json(value) == {"***": ["***", "x ***", True, None, 1.5], "deep": {"n": 4}}


def test_without_secrets_the_very_same_text_comes_back() -> None:
    text = "any text"
    assert Redactor([]).feed(text) is text
    assert Redactor([""]).redact_json({"a": text}) == {"a": text}


def test_a_text_full_of_beginnings_costs_no_more_than_its_length() -> None:
    redactor = Redactor(["a" * 4_000 + "b"])
    begin = time.process_time()
    assert redactor.redact("a" * 200_000) == "a" * 200_000
    for _ in range(50):
        redactor.feed("a" * 1_000)
    assert time.process_time() - begin < 5
