"""What it means that a line holds a text: one answer for the filter, for find and for search.

A line is compared as its reader sees it, without escape codes and overwritten text (text.ansi.strip). Case is ignored
by Unicode's full case folding (`STRASSE` finds `straße`), unless it matters. A text is taken literally: there are no
operators, no wildcards and no regular expressions.
"""

from collections.abc import Iterator

from .ansi import is_plain_text, strip

TRIGRAM = 3  # characters


def fold(text: str) -> str:
    """The text as it is compared where case does not matter."""
    return text.casefold()


def trigrams(text: str, limit: int = 24) -> list[str]:
    """Pieces of three characters, which a folded line must hold to hold the text; none for a shorter text.

    At most `limit`, spread over the text: more of them tell hardly more.
    """
    folded = fold(text)
    pieces = list(dict.fromkeys(folded[at : at + TRIGRAM] for at in range(len(folded) - TRIGRAM + 1)))
    if len(pieces) <= limit:
        return pieces
    return [pieces[place * (len(pieces) - 1) // (limit - 1)] for place in range(limit)]


class TextMatch:
    """Whether a line holds a text, and does not hold another one.

    is_whole_word: no letter, digit or underscore stands next to it. Case matters for both texts or for neither.
    An empty text is in every line.
    """

    def __init__(
        self, text: str, *, is_case_sensitive: bool = False, is_whole_word: bool = False, exclude: str = ""
    ) -> None:
        self.is_case_sensitive, self.is_whole_word = is_case_sensitive, is_whole_word
        self.needle, self.exclude = self._read(text), self._read(exclude)
        self.trigrams = trigrams(text)

    def is_in(self, message: str) -> bool:
        """Whether a line as it is stored holds the text."""
        return self._is_in(self._read(strip(message)))

    def places(self, messages: list[str]) -> list[int]:
        """Which of many lines hold the text, as places in the list. As `is_in` for each, and much faster."""
        whole = "\n".join(messages)
        if not is_plain_text(whole):
            whole = "\n".join(map(strip, messages))
        if not self.needle or "\n" in self.needle or whole.count("\n") != len(messages) - 1:
            return [place for place, message in enumerate(messages) if self.is_in(message)]
        return [place for place, _ in self._walk(self._read(whole), "")]

    def is_simple_in(self, text: str) -> bool:
        """Whether `find_lines` may be asked of this long text: all of it is plain, and no hit can span two lines."""
        return bool(self.needle) and "\n" not in self.needle and is_plain_text(text)

    def find_lines(self, text: str, head_end: str) -> Iterator[tuple[int, str]]:
        """The lines of a long text that hold the text behind their first `head_end`: place, and first letter.

        As fast as reading gets: a line without a hit is not touched. Ask `is_simple_in` first.
        """
        folded = self._read(text)
        for place, begin in self._walk(folded, head_end):
            yield place, folded[begin]

    def _walk(self, text: str, head_end: str) -> Iterator[tuple[int, int]]:
        """Of a folded text's lines that hold the needle behind their head: place, and where they begin."""
        is_simple = not (self.exclude or self.is_whole_word)
        needle = self.needle
        place = counted = 0
        at = text.find(needle)
        while at >= 0:
            place += text.count("\n", counted, at)
            begin = text.rfind("\n", 0, at) + 1
            message = text.index(head_end, begin) + len(head_end)
            if at < message:  # in the head
                counted, at = begin, text.find(needle, message)
                continue
            end = text.find("\n", at)
            end = len(text) if end < 0 else end
            if is_simple or self._is_in(text[message:end]):
                yield place, begin
            counted, at = end, text.find(needle, end)

    def _read(self, text: str) -> str:
        return text if self.is_case_sensitive else fold(text)

    def _is_in(self, line: str) -> bool:
        if self.exclude and self.exclude in line:
            return False
        if not self.is_whole_word or not self.needle:
            return self.needle in line
        at = line.find(self.needle)
        while at >= 0:
            end = at + len(self.needle)
            if not (_is_word(line[at - 1 : at]) or _is_word(line[end : end + 1])):
                return True
            at = line.find(self.needle, at + 1)
        return False


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"
