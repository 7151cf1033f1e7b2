"""Secrets masked in text that arrives in pieces."""

import base64
import html
import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import Any, Self
from urllib.parse import quote, quote_plus

from .clean import clean

MASK = "***"
MIN_LENGTH = 6

# `base64` of GNU breaks its output after 76 characters, `openssl base64` and PEM after 64.
_WRAPS = (64, 76)
# What stays as it is when a value is put into an address: form encoding and RFC 3986 (""), Python ("/"),
# encodeURIComponent, and clients that leave the reserved characters of a query alone.
_URL_SAFE = ("", "/", "!'()*", "!$&'()*+,;=:@/?")


class Redactor:
    """Replaces secret values by `***`, in every usual spelling, wherever the pieces of a stream are cut.

    A spelling is: the value, each of its lines, its base64 (both alphabets, all three alignments, padded or
    not, wrapped), its percent-encoding, its JSON and HTML escape. Values shorter than six characters are not
    masked, for the log would become unreadable: `too_short` lists their positions, so that a caller can warn.
    All occurrences are found before any is replaced, so that overlapping secrets do not uncover each other.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        self.too_short: list[int] = []
        spellings: set[str] = set()
        for position, secret in enumerate(secrets):
            value = clean(secret).strip()
            if 0 < len(value) < MIN_LENGTH:
                self.too_short.append(position)
            elif value:
                spellings.update(_spell(value))
        # A line feed ends a line and a line is never held back: spellings with one are masked line by line.
        kept = {text for text in spellings if len(text) >= MIN_LENGTH and "\n" not in text}
        self._spellings = sorted(kept)
        self._searched = _group(_without_containing_others(kept))
        self._starts = {text[:MIN_LENGTH] for text in kept}
        self._longest = max(map(len, kept), default=0)
        self._held = ""
        self._masked = 0

    def fork(self) -> Self:
        """A redactor of the same secrets that has read nothing yet: each stream needs its own."""
        twin = type(self).__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin._held = ""
        twin._masked = 0
        return twin

    def feed(self, text: str) -> str:
        """The next piece of the stream in, what is certain by now out.

        Held back is only the longest end of the piece that a secret could begin with, never a line feed.
        """
        if not self._spellings:
            return text
        if self._held:
            text = self._held + text
        cut = self._find_cut(text)
        out, end = self._mask(text, cut, self._masked)
        self._held = text[cut:]
        self._masked = max(0, end - cut)
        return out

    def flush(self) -> str:
        """What was held back; the stream has ended."""
        out = self._mask(self._held, len(self._held), self._masked)[0]
        self._held = ""
        self._masked = 0
        return out

    def redact(self, text: str) -> str:
        """A whole text in, the masked one out; the stream is not touched."""
        return self._mask(text, len(text), 0)[0]

    def redact_json(self, value: Any) -> Any:
        """A JSON value in, a masked copy out; a number that spells a secret becomes `***` too."""
        if not self._spellings or value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return self.redact(value)
        if isinstance(value, dict):
            return {self.redact(name): self.redact_json(inner) for name, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.redact_json(inner) for inner in value]
        return MASK if self.redact(str(value)) != str(value) else value

    def _find_cut(self, text: str) -> int:
        """Where the longest end starts that is a proper beginning of a spelling; the length without one."""
        size = len(text)
        start = max(text.rfind("\n") + 1, size - self._longest + 1)
        for cut in range(start, size):
            if size - cut >= MIN_LENGTH and text[cut : cut + MIN_LENGTH] not in self._starts:
                continue
            end = text[cut:]
            place = bisect_right(self._spellings, end)
            if place < len(self._spellings) and self._spellings[place].startswith(end):
                return cut
        return size

    def _mask(self, text: str, cut: int, masked: int) -> tuple[str, int]:
        """`text[:cut]` masked, and where the last mask ends (it may lie behind the cut).

        The first `masked` characters belong to a secret whose mask is out already.
        """
        found = sorted(self._find(text))
        if not found and not masked:
            return (text if cut == len(text) else text[:cut]), 0
        out: list[str] = []
        end = masked
        for begin, stop in found:
            if begin >= cut:
                break
            if begin >= end:
                out.append(text[end:begin])
                out.append(MASK)
            end = max(end, stop)
        out.append(text[end:cut])
        return "".join(out), end

    def _find(self, text: str) -> Iterator[tuple[int, int]]:
        if not any(sign in text and any(map(text.__contains__, group)) for sign, group in self._searched):
            return
        for spelling in self._spellings:
            place = text.find(spelling)
            while place >= 0:
                yield place, place + len(spelling)
                place = text.find(spelling, place + 1)


def _without_containing_others(spellings: set[str]) -> list[str]:
    """Those that are enough to see whether any is there: none of them contains another."""
    kept: list[str] = []
    for text in sorted(spellings, key=len):
        if not any(short in text for short in kept):
            kept.append(text)
    return kept


def _group(spellings: list[str]) -> list[tuple[str, list[str]]]:
    """The spellings by an escape sign that each needs ("" for none): most texts lack most of the signs."""
    groups: dict[str, list[str]] = {}
    for text in spellings:
        groups.setdefault(next((sign for sign in "%\\&" if sign in text), ""), []).append(text)
    return list(groups.items())


def _spell(value: str) -> Iterator[str]:
    yield value
    yield from (line.strip() for line in value.split("\n"))
    raw = value.encode()
    for safe in _URL_SAFE:
        yield from _both_cases(quote(value, safe=safe))
    yield from _both_cases(quote_plus(value))
    for ascii_only in (True, False):
        escaped = json.dumps(value, ensure_ascii=ascii_only)[1:-1]
        yield escaped
        yield escaped.replace("/", "\\/")
    yield html.escape(value)
    yield html.escape(value, quote=False)
    for shift in range(3):
        yield from _base64(raw, shift)


def _both_cases(encoded: str) -> Iterator[str]:
    """Percent escapes in upper and in lower case."""
    yield encoded
    first, *rest = encoded.split("%")
    yield first + "".join("%" + part[:2].lower() + part[2:] for part in rest)


def _base64(raw: bytes, shift: int) -> Iterator[str]:
    """The characters that `raw` alone decides behind `shift` bytes (mod 3), then those with its end."""
    size = shift + len(raw)
    # The first characters hold bits of what comes before: 2 after one byte, 3 after two.
    begin = (0, 2, 3)[shift]
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        padded = encode(b"\0" * shift + raw).decode()
        yield padded[begin : size * 8 // 6]
        yield padded[begin:].rstrip("=")
        yield padded[begin:]
        if shift == 0:
            for width in _WRAPS:
                yield from (padded[at : at + width] for at in range(0, len(padded), width))


# Names under which people keep secrets, in any spelling: api_key, apiKey, X-API-Key. `tokens` are counted, not hidden.
_SECRET_NAME = re.compile(
    r"passwo?r?d|passwd|passphrase|secret|token(?!s)|(?:api|private|access)[-_ ]?key|authorization|credential|cookie",
    re.IGNORECASE,
)


def mask_named(value: Any) -> Any:
    """A JSON value in, a copy out in which texts and numbers under a name such as `password` or `apiKey` are `***`."""
    if isinstance(value, dict):
        return {
            name: MASK if _names_secret(str(name)) and _is_maskable(inner) else mask_named(inner)
            for name, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [mask_named(inner) for inner in value]
    return value


def _names_secret(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None


def _is_maskable(value: Any) -> bool:
    """A template names where a secret comes from, and is none itself."""
    if isinstance(value, str):
        return bool(value) and not value.startswith("${{")
    return isinstance(value, int | float) and not isinstance(value, bool)
