"""The rows of the insights' tables as HTML: a template takes four times as long, and there are seventy of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.urls import reverse

from .markup import fill, join
from .words import say_duration

if TYPE_CHECKING:
    from django.utils.safestring import SafeString

    from .insight_tables import Row

BAR = (
    '<td class="x"><svg class="hb" aria-hidden="true"><rect class="ko" width="{}" height="100%" rx="2"/>'
    '<rect class="ok" width="{}" height="100%"/></svg></td>'
)
CELL, WIDE_CELL = '<td class="r num">{}</td>', '<td class="r num x">{}</td>'
LINK = '<a href="{}">{}</a>'


def draw_rows(kind: str, rows: list[Row], before: str) -> SafeString:
    """kind: flow, user or component; before: the period that the change is against, in words."""
    return join(_draw(kind, row, before) for row in rows)


def _draw(kind: str, row: Row, before: str) -> SafeString:
    figures, links = row.figures, row.links
    name = fill(LINK, reverse("flow_detail", args=[row.query["flow"]]), row.name) if kind == "flow" else row.name
    sub = fill(' <span class="m">{}</span>', row.sub) if row.sub and kind == "user" else ""
    runs, failed = f"{figures.runs:,}", f"{figures.failed:,}"
    cells = [
        fill('<td class="cut">{}{}</td>', name, sub),
        fill(BAR, "0" if figures.success is None else "100%", row.ok_width),
        fill(CELL, fill(LINK, links["runs"], runs) if links else runs),
        fill('<td class="r num x" title="{} in {}">{}</td>', f"{row.before.runs:,}", before, row.change),
        fill(CELL, fill(LINK, links["failed"], failed) if links and figures.failed else failed),
        fill(CELL, row.success),
        fill(CELL, say_duration(figures.median)),
        fill(WIDE_CELL, say_duration(figures.p95)),
    ]
    if kind != "component":  # a step does not wait
        cells.append(fill(WIDE_CELL, say_duration(figures.waited_median)))
    return fill("<tr>{}</tr>", join(cells))
