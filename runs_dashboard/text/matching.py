"""What it means that a line holds a text: one answer for the filter, for find and for search.

A line is compared as its reader sees it, without escape codes and overwritten text (text.ansi.strip). Case is ignored
by Unicode's full case folding (`STRASSE` finds `straße`), unless it matters. A text is taken literally: there are no
operators, no wildcards and no regular expressions.
"""

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

    def may_be_in(self, text: str) -> bool:
        """False if no line of a long text holds the text; a quick look that is sure of nothing else."""
        return not is_plain_text(text) or self.needle in self._read(text)

    def places(self, messages: list[str]) -> list[int]:
        """Which of many lines hold the text, as places in the list. As `is_in` for each, and much faster."""
        whole = "\n".join(messages)
        if not is_plain_text(whole) or whole.count("\n") != len(messages) - 1 or "\n" in self.needle:
            return [place for place, message in enumerate(messages) if self.is_in(message)]
        if not self.needle:
            return [place for place, message in enumerate(messages) if self._is_in(self._read(message))]
        text = self._read(whole)
        found = []
        place = begin = 0
        at = text.find(self.needle)
        while at >= 0:
            place += text.count("\n", begin, at)
            begin = text.rfind("\n", 0, at) + 1
            end = text.find("\n", at)
            end = len(text) if end < 0 else end
            if self._is_in(text[begin:end]):
                found.append(place)
            begin = end
            at = text.find(self.needle, end)
        return found

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
