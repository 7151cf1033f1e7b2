"""Cursors: opaque, signed, and good for one list of one tenant only."""

from __future__ import annotations

import base64
import hmac
from typing import Any

import msgspec
from django.utils.crypto import salted_hmac

from .errors import Invalid

MAC_BYTES = 12


class Page(msgspec.Struct):
    """One page of a list (seed 1's envelope). The cursors refetch this page, from either end, or lead to the next."""

    items: list[Any]
    total: int
    current_page: str
    current_page_backwards: str
    previous_page: str | None
    next_page: str | None
    total_is_lower_bound: bool = False


def seal(text: str, scope: str) -> str:
    """A cursor that says the text, in one scope: the list and whose it is."""
    return base64.urlsafe_b64encode(_mac(text, scope) + text.encode()).decode().rstrip("=")


def unseal(cursor: str, scope: str) -> str:
    """What a cursor of the scope says. Raises Invalid for one that was changed, or made for another list."""
    try:
        data = base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        text = data[MAC_BYTES:].decode("ascii")
    except ValueError:
        text, data = "", b""
    if not text or not hmac.compare_digest(data[:MAC_BYTES], _mac(text, scope)):
        raise Invalid("This is no cursor of this list: take one from an answer, unchanged.", "query", "cursor")
    return text


def _mac(text: str, scope: str) -> bytes:
    return salted_hmac(f"cursor:{scope}", text, algorithm="sha256").digest()[:MAC_BYTES]
