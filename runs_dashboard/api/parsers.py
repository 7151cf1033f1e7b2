"""Bodies in: a bounded read, strict JSON, then the shape that the operation names.

JSON is RFC 8259 in UTF-8 and nothing beside it: no NaN, no Infinity, no number out of range, no lone surrogate, no
byte order mark. Of a key given twice the last one counts. NUL becomes U+FFFD. The top level is an object.
"""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from django.conf import settings
from rest_framework.parsers import BaseParser

from ..text.intake import clean_json
from .errors import Invalid, Problem, TooBig, WrongMedia

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from django.http import HttpRequest

Shape = TypeVar("Shape")
MAX_DEPTH, MAX_KEYS, MAX_ITEMS = 32, 10_000, 100_000
JSON_TYPES = re.compile(r"application/([\w.+-]+\+)?json")
_decode = msgspec.json.Decoder().decode


def media_type(request: HttpRequest) -> str:
    """The body's type, in lower case. Raises WrongMedia for text that is not UTF-8."""
    kind, _, rest = request.META.get("CONTENT_TYPE", "").partition(";")
    charset = re.search(r"charset\s*=\s*\"?([\w.:-]+)", rest, re.IGNORECASE)
    if charset and charset[1].lower() not in ("utf-8", "utf8", "us-ascii"):
        raise WrongMedia("Send UTF-8.", "header", "Content-Type")
    return kind.strip().lower()


def read_bounded(request: HttpRequest, *, limit: int | None = None, may_inflate: bool = False) -> bytes:
    """The body's bytes, whatever its length header says. limit: bytes, the settings' by default.

    may_inflate: a gzip body is inflated, to settings.INFLATED_MAX_BYTES at most. Raises TooBig, WrongMedia, Invalid.
    """
    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE if limit is None else limit
    encoding = request.META.get("HTTP_CONTENT_ENCODING", "").strip().lower()
    if encoding not in ("", "identity") and not (may_inflate and encoding == "gzip"):
        known = "gzip or none" if may_inflate else "none"
        raise WrongMedia(f"The encoding {encoding[:40]!r} is not taken here: {known}.", "header", "Content-Encoding")
    too_big = TooBig(f"The body is larger than {limit:,} bytes.", "body")
    length = request.META.get("CONTENT_LENGTH") or "0"
    if length.isdigit() and int(length) > limit:
        raise too_big
    data = request.read(limit + 1)
    if len(data) > limit:
        raise too_big
    return inflate(data) if encoding == "gzip" else data


def inflate(data: bytes) -> bytes:
    """One gzip member (RFC 1952), bounded by what comes out. Raises TooBig or Invalid."""
    limit = settings.INFLATED_MAX_BYTES
    unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        found = unpacker.decompress(data, limit + 1)
    except zlib.error as error:
        raise Invalid(f"The body is not gzip: {error}.", "body", kind="gzip_invalid") from None
    if len(found) > limit:
        raise TooBig(f"The body is larger than {limit:,} bytes once inflated.", "body")
    if not unpacker.eof or unpacker.unused_data:
        raise Invalid("The gzip body is cut, or something follows it.", "body", kind="gzip_invalid")
    return found


def read_as(decode: Callable[[bytes], Shape], data: bytes, kind: type, *loc: str | int) -> Shape:
    """Bytes through a decoder of msgspec. Raises Invalid: what is no JSON, or not of the decoder's shape."""
    try:
        return decode(data)
    except RecursionError:
        raise Invalid(f"The JSON is nested deeper than {MAX_DEPTH} levels.", *loc, kind="too_deep") from None
    except UnicodeDecodeError as error:
        raise Invalid(f"The JSON is not UTF-8: {error.reason}.", *loc, kind="json_invalid") from None
    except msgspec.ValidationError as error:
        raise Invalid.of([locate(error, kind, loc)]) from None
    except msgspec.MsgspecError as error:
        raise Invalid(f"{str(error).rstrip('.')}.", *loc, kind="json_invalid") from None


def locate(error: msgspec.ValidationError, kind: type, loc: tuple[str | int, ...]) -> Problem:
    """msgspec's sentence as a problem: its path as loc, the known fields beside an unknown one."""
    said, _, path = str(error).partition(" - at `$")
    found: list[str | int] = [
        int(part) if part.isdigit() else part for part in re.findall(r"[^.\[\]`]+", path) if part != "..."
    ]
    if unknown := re.match(r"Object contains unknown field `(.*)`", said, re.DOTALL):
        if not found:
            said = f"{said}. Known: {', '.join(field_names(kind))}"
        found.append(unknown[1][:100])
    elif missing := re.match(r"Object missing required field `(.*)`", said):
        found.append(missing[1])
    return Problem([*loc, *found], f"{said}.", "type_error")


def decode_object(data: bytes) -> dict[str, Any]:
    """A body that must be one JSON object, cleaned. Raises Invalid, or what clean_json raises."""
    value = read_as(_decode, data, dict, "body")
    if not isinstance(value, dict):
        raise Invalid("The body must be a JSON object.", "body", kind="type_error")
    return clean_json(value, max_depth=MAX_DEPTH, max_keys=MAX_KEYS, max_items=MAX_ITEMS)


def shape(value: Any, kind: type[Shape], *loc: str | int) -> Shape:
    """The value as the shape asks for it, nothing guessed and nothing beyond it. Raises Invalid."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise Invalid.of([locate(error, kind, loc or ("body",))]) from None


def field_names(kind: type) -> list[str]:
    return [field.encode_name for field in msgspec.structs.fields(kind)] if hasattr(kind, "__struct_fields__") else []


class StrictJSONParser(BaseParser):
    """The parser of every operation whose body is one JSON object; no body at all is an empty one."""

    media_type = "application/json"

    def parse(
        self, stream: HttpRequest, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        data = read_bounded(stream)
        return self.read(stream, data)

    def read(self, request: HttpRequest, data: bytes) -> dict[str, Any]:
        """The object of bytes that were read already."""
        if not data:
            return {}
        if not JSON_TYPES.fullmatch(kind := media_type(request)):
            raise WrongMedia(f"Send application/json, not {kind[:80] or 'a body without a type'}.", "header")
        return decode_object(data)
