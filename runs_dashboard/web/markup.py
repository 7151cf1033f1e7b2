"""Text filled into HTML many hundred times a page, every value of it escaped."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from django.utils.safestring import SafeString, mark_safe

if TYPE_CHECKING:
    from collections.abc import Iterable


def fill(template: str, *values: object) -> SafeString:
    """Django's `format_html` for text that is at hand, in a third of its time: it looks for no lazy text.

    template: HTML of our own, with a `{}` for each value. What is HTML already (a SafeString) stays as it is.
    """
    escaped = [value if isinstance(value, SafeString) else escape(str(value)) for value in values]
    return mark_safe(template.format(*escaped))  # noqa: S308  (each value was escaped, or is HTML of ours)


def join(parts: Iterable[SafeString]) -> SafeString:
    """HTML after HTML. Raises TypeError for text that is none."""
    known = list(parts)
    for part in known:
        if not isinstance(part, SafeString):
            raise TypeError(f"Not HTML: {part!r}")
    return mark_safe("".join(known))  # noqa: S308  (each part is HTML of ours)
