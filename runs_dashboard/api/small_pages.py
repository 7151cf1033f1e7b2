"""Pages of short lists, by number; their cursors say the number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .cursors import Page, seal, unseal
from .errors import Invalid
from .parameters import Parameter
from .run_pages import count_capped

if TYPE_CHECKING:
    from django.db.models import QuerySet

SMALL_PAGING = (
    Parameter("page", "whole", "From 1. Give it or `cursor`.", least=1, most=10**6),
    Parameter("per_page", "whole", "Items a page.", default=25, least=1, most=100),
    Parameter("cursor", about="From an answer."),
)


def read_page(rows: QuerySet, query: dict[str, Any], *, scope: str) -> tuple[list[Any], Page]:
    """The objects of the page that `page` or `cursor` names, and the page without items. rows: ordered."""
    number, size = query["page"] or 1, query["per_page"]
    if query["cursor"] is not None:
        if query["page"] is not None:
            raise Invalid("Give page or cursor, not both.", "query", "cursor")
        number = int(unseal(query["cursor"], scope))
    total, is_lower_bound = count_capped(rows)
    start = (number - 1) * size
    found = list(rows[start : start + size + 1]) if start < total or is_lower_bound else []
    this = seal(str(number), scope)
    return found[:size], Page(
        items=[],
        total=total,
        total_is_lower_bound=is_lower_bound,
        current_page=this,
        current_page_backwards=this,
        previous_page=seal(str(number - 1), scope) if number > 1 else None,
        next_page=seal(str(number + 1), scope) if len(found) > size else None,
    )
