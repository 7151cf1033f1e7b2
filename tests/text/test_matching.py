"""What holds a text: as the reader sees it, literally, and the quick ways say what the slow one says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs_dashboard.text.ansi import strip
from runs_dashboard.text.matching import TextMatch, fold, trigrams

PIECES = ["a", "A", "ß", "s", "S", "İ", "i", "\u0307", "K", "k", "Σ", "ς", "ﬁ", "f", "é", "e\u0301", "𝔸", "_", "-", "%"]
CODES = ["\x1b[31m", "\x1b[0m", "\r", "\b", "\t", "\x1b]8;;https://a.example\x07", '"', "'", "\\", " ", "*", "\u202e"]
texts = st.lists(st.sampled_from(PIECES + CODES), max_size=8).map("".join)
flags = st.fixed_dictionaries({"is_case_sensitive": st.booleans(), "is_whole_word": st.booleans(), "exclude": texts})


def wanted_texts(messages: list[str]) -> st.SearchStrategy[str]:
    """A text to look for: a piece of what a reader sees of one of the messages, in some case, or anything else."""
    seen = [text for text in map(strip, messages) if text]
    if not seen:
        return texts.filter(bool)
    cuts = st.tuples(st.sampled_from(seen), st.integers(0, 5), st.integers(1, 9))
    pieces = cuts.map(lambda cut: cut[0][cut[1] : cut[1] + cut[2]] or cut[0])
    cased = st.tuples(pieces, st.sampled_from([str, str.upper, fold])).map(lambda pair: pair[1](pair[0]))
    return st.one_of(cased, cased, texts.filter(bool))


@given(messages=st.lists(texts, min_size=1, max_size=6), options=flags, data=st.data())
def test_many_lines_at_once_are_matched_like_each_alone(
    messages: list[str], options: dict[str, bool | str], data: st.DataObject
) -> None:
    text = data.draw(wanted_texts(messages))
    match = TextMatch(text, **options)  # type: ignore[arg-type]
    expected = [place for place, message in enumerate(messages) if match.is_in(message)]

    assert match.places(messages) == expected
    records = "\n".join(f"{place % 5}1{text[:2].replace(' ', '')} {message}" for place, message in enumerate(messages))
    if match.is_simple_in(records) and records.count("\n") == len(messages) - 1:
        found = list(match.find_lines(records, " "))
        assert found == [(place, str(place % 5)) for place in expected]


@given(message=texts, data=st.data())
def test_a_text_is_found_where_a_reader_sees_it_whatever_its_case(message: str, data: st.DataObject) -> None:
    text = data.draw(wanted_texts([message]))
    assert TextMatch(text).is_in(message) == (fold(text) in fold(strip(message)))


@given(message=texts, options=flags, data=st.data())
def test_a_line_that_holds_the_text_holds_its_trigrams(
    message: str, options: dict[str, bool | str], data: st.DataObject
) -> None:
    text = data.draw(wanted_texts([message]))
    if TextMatch(text, **options).is_in(message):  # type: ignore[arg-type]
        assert all(trigram in fold(strip(message)) for trigram in trigrams(text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("STRASSE", "straße"),
        ("error: disk", "\x1b[31mERR\x1b[1mOR\x1b[0m: disk full"),
        ("100%", "\rdone  50%\rdone 100%"),
        ("a_c", "a_c"),
        ('say "no"', 'they say "no" twice'),
    ],
)
def test_this_is_found(text: str, message: str) -> None:
    assert TextMatch(text).is_in(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [("50%", "\rdone  50%\rdone 100%"), ("a_c", "abc"), ("a%c", "abc"), ("31m", "\x1b[31mred"), (".*", "any")],
)
def test_this_is_not_found(text: str, message: str) -> None:
    assert not TextMatch(text).is_in(message)


@pytest.mark.parametrize(
    ("message", "is_found"),
    [("cat", True), ("a cat.", True), ("concat cat", True), ("concat", False), ("cats", False), ("cat_1", False)],
)
def test_a_whole_word_has_no_letter_beside_it(message: str, is_found: bool) -> None:
    assert TextMatch("cat", is_whole_word=True).is_in(message) is is_found


def test_a_long_text_is_known_by_some_of_its_trigrams() -> None:
    text = "".join(chr(0x4E00 + number) for number in range(500))

    found = trigrams(text)

    assert len(found) == 24
    assert found[0] == text[:3]
    assert found[-1] == text[-3:]
    assert trigrams("ab") == []
