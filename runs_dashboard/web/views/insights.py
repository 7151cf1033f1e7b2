"""Insights: counts, success, durations and waits over a period, each with the list behind it; and their CSV."""

from __future__ import annotations

import csv
from io import StringIO
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from ...models import Flow, Role, Run
from ...models.insights import Span
from ...models.rollup import moment_of
from ...text.export import neutralise
from ..access import needs, read_text
from ..charts import draw_durations, draw_outcomes
from ..insight_rows import draw_rows
from ..insight_tables import KINDS, Links, make_headline, make_report, make_table
from ..period import PRESETS, read_period
from ..words import say_instant

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...models import Figures
    from ..access import MemberRequest
    from ..insight_tables import Report
    from ..period import Period

FLOWS_LIMIT = 500
NAME_LENGTH = 200
TABLES = ("time", "flow", "user", "component")
COLUMNS = (
    *("runs", "succeeded", "failed", "stopped", "in_progress", "success_rate", "with_warnings"),
    *("median_seconds", "p95_seconds", "queue_wait_median_seconds", "queue_wait_p95_seconds", "runs_before"),
)


@require_GET
@needs(Role.VIEWER)
def insights(request: MemberRequest) -> HttpResponse:
    period, problem = read_period(request.GET)
    flow, unknown = _find_flow(request)
    report = make_report(request.tenant, period, flow)
    links = Links(flow.slug if flow else "")
    of_flow = {"flow": flow.slug} if flow else {}
    asked = {**period.query, **of_flow}
    is_table = request.GET.get("as") == "table"
    context: dict[str, Any] = {
        "period": period,
        "presets": [(name, words, urlencode({"period": name, **of_flow})) for name, words in PRESETS.items()],
        "flow": flow,
        "flows": Flow.objects.of(request.tenant).order_by("name").values_list("slug", "name")[:FLOWS_LIMIT],
        "problems": [said for said in (problem, unknown) if said],
        "report": report,
        "rows": {kind: draw_rows(kind, rows, period.before_words) for kind, rows in report.tables.items()},
        "links": {kind: links.to(period.span, kind) for kind in KINDS},
        "headline": make_headline(report, period, links),
        "query": urlencode(asked),
        "is_table": is_table,
        "has_runs": bool(report.total.runs) or Run.objects.of(request.tenant).exists(),
    }
    if report.total.runs:
        context |= _show_times(period, report, links) if is_table else _draw(period, report, links)
    return render(request, "insights/page.html", context, status=400 if context["problems"] else 200)


@require_GET
@needs(Role.VIEWER)
def insights_csv(request: MemberRequest, table: str) -> HttpResponse:
    """One table of the page whole, as RFC 4180; durations in seconds."""
    if table not in TABLES:
        raise Http404("There is no such table.")
    period, problem = read_period(request.GET)
    flow, unknown = _find_flow(request)
    if problem or unknown:
        return HttpResponse(f"{problem or unknown}\n", status=400, content_type="text/plain; charset=utf-8")
    file = StringIO()
    writer = csv.writer(file)
    if table == "time":
        report = make_report(request.tenant, period, flow)
        writer.writerow(("begin", *COLUMNS[:-1]))
        for unit in period.units:
            if unit in report.series:
                writer.writerow((say_instant(moment_of(unit)), *_numbers(report.series[unit])))
    else:
        writer.writerow((table, "name", *COLUMNS))
        for row in make_table(request.tenant, period, flow, table):
            key = row.sub if table == "flow" or (table == "user" and row.key) else row.key
            cells = (neutralise(key), neutralise(row.name))
            writer.writerow((*cells, *_numbers(row.figures), row.before.runs))
    name = f"insights-by-{table}-{period.first}-{period.last}.csv"
    return HttpResponse(
        file.getvalue(),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _find_flow(request: MemberRequest) -> tuple[Flow | None, str]:
    slug = read_text(request.GET, "flow", NAME_LENGTH).strip()
    if not slug:
        return None, ""
    flow = Flow.objects.of(request.tenant).filter(slug=slug).first()
    return flow, "" if flow else "There is no flow with that id: these are the figures of all flows."


def _draw(period: Period, report: Report, links: Links) -> dict[str, Any]:
    def unit_of(hour: int) -> Span:
        return Span(hour, hour + period.level)

    def lines(read: Callable[[Figures], tuple[float | None, ...]], kind: str) -> Any:
        return draw_durations(
            period.units,
            {hour: read(figures) for hour, figures in report.series.items()},
            say=period.say_unit,
            link=lambda hour: links.to(unit_of(hour), kind),
        )

    return {
        "outcomes": draw_outcomes(
            period.units,
            report.series,
            say=period.say_unit,
            link=lambda hour, kind: links.to(unit_of(hour), kind),
        ),
        "durations": lines(lambda figures: figures.times, "succeeded"),
        "waits": lines(lambda figures: figures.waits, "runs"),
    }


def _show_times(period: Period, report: Report, links: Links) -> dict[str, Any]:
    """The charts as a table."""
    rows = []
    for hour in reversed(period.units):
        if hour in report.series:
            span = Span(hour, hour + period.level)
            rows.append((period.say_unit(hour), report.series[hour], {kind: links.to(span, kind) for kind in KINDS}))
    return {"times": rows}


def _numbers(figures: Figures) -> tuple[Any, ...]:
    def seconds(ms: float | None) -> str:
        return "" if ms is None else f"{ms / 1000:.3f}"

    success = "" if figures.success is None else f"{figures.success:.4f}"
    return (
        *(figures.runs, figures.succeeded, figures.failed, figures.stopped, figures.going, success, figures.warned),
        *map(seconds, (*figures.times, *figures.waits)),
    )
