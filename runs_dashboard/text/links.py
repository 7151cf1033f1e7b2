"""Addresses that a printed line may lead to: http and https only."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

MAX_LINK = 2083
MOST_LINKS = 100  # of one line; what follows stays text

_ADDRESS = re.compile(r"""\bhttps?://[^\s<>"'`\\^{|}]+""", re.IGNORECASE)
_CLOSING = {")": "(", "]": "["}


def check_link(target: str) -> str:
    """The address where it is http or https and printable, else nothing."""
    if len(target) > MAX_LINK or not target.isprintable() or " " in target:
        return ""
    try:
        parts = urlsplit(target)
    except ValueError:
        return ""
    return target if parts.scheme in ("http", "https") and parts.netloc else ""


def split_links(text: str) -> Iterator[tuple[str, bool]]:
    """A text in pieces, each with whether it is an address; joined they are the text.

    A sentence's punctuation behind an address is none of it, nor a bracket that was not opened in it.
    """
    at = count = 0
    for found in _ADDRESS.finditer(text):
        target = _trim(found[0])
        if not check_link(target):
            continue
        if found.start() > at:
            yield text[at : found.start()], False
        yield target, True
        at = found.start() + len(target)
        count += 1
        if count == MOST_LINKS:
            break
    if at < len(text):
        yield text[at:], False


def _trim(address: str) -> str:
    address = address[: MAX_LINK + 1]
    while address:
        last = address[-1]
        opening = _CLOSING.get(last)
        if last not in ".,;:!?*" and (opening is None or address.count(opening) >= address.count(last)):
            break
        address = address[:-1]
    return address
