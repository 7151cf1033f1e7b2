"""How a stream that may not be opened is answered: in the API's error shape, or in a sentence for the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from .access import Kind, Refused


def answer_refusal(refusal: Refused, kind: Kind) -> tuple[dict[str, str], bytes]:
    """The headers and the body; the status is the refusal's own."""
    if kind == "api":
        problem = {"loc": refusal.loc, "msg": refusal.message, "type": refusal.kind}
        body = msgspec.json.encode({"detail": [problem]})
        media = "application/json"
    else:
        body, media = refusal.message.encode(), "text/plain; charset=utf-8"
    return {
        "Content-Type": media,
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        **refusal.headers,
    }, body
