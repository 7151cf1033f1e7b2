"""A log line as pieces of text, those that were looked for apart: templates mark them, nothing is markup before."""

from __future__ import annotations

from typing import NamedTuple

from ..text.ansi import strip
from ..text.matching import fold

LEAD = 80  # characters shown before the first place
SHOWN = 400  # characters shown of a line


class Piece(NamedTuple):
    text: str
    is_found: bool = False


def mark(message: str, wanted: str) -> list[Piece]:
    """The part of a line, as its reader sees it, that begins a little before the text; an ellipsis where it is cut.

    Case does not matter, as in text.matching.
    """
    text = strip(message)
    places = _find(text, wanted)
    start = max(0, places[0][0] - LEAD) if places else 0
    end = max(start + SHOWN, places[0][1] if places else 0)
    pieces = [Piece("… ")] if start else []
    at = start
    for begin, stop in places:
        if begin >= end:
            break
        if begin > at:
            pieces.append(Piece(text[at:begin]))
        at = min(stop, end)
        pieces.append(Piece(text[begin:at], is_found=True))
    if at < end:
        pieces.append(Piece(text[at:end]))
    if end < len(text):
        pieces.append(Piece(" …"))
    return [piece for piece in pieces if piece.text]


def _find(text: str, wanted: str) -> list[tuple[int, int]]:
    """Where the text stands, as pairs of first place and the one after the last, in the line's own characters."""
    folded, needle = fold(text), fold(wanted)
    if not needle:
        return []
    # Folding makes some letters longer: `ß` becomes `ss`. Only then the places are not the line's own.
    is_longer = len(folded) != len(text)
    owners = [place for place, letter in enumerate(text) for _ in fold(letter)] if is_longer else None
    found = []
    at = folded.find(needle)
    while at >= 0:
        end = at + len(needle)
        found.append((owners[at], owners[end - 1] + 1) if owners else (at, end))
        at = folded.find(needle, end)
    return found
