"""The insights as the page shows them: figures against the period before, rankings, and the lists behind them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ..models import NO_COMPONENT, Figures, Flow, User, look
from ..models.insights import Span
from ..models.rollup import moment_of
from .period import Period, read_preset
from .words import say_duration, say_part

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..models import Insights, Tenant

ROWS = 25  # of a table; all are in its CSV
TOP = 5
LEAST_ENDED = 5  # runs that must have ended before a flow is called unreliable
KINDS = {
    "runs": "",
    "succeeded": "succeeded",
    "failed": "failed",
    "stopped": "stopped",
    "going": "queued,running,paused",
}


@dataclass(frozen=True)
class Links:
    """Addresses of the run list: exactly the runs that a figure counts, or those whose steps it counts."""

    flow: str = ""

    def to(self, span: Span, kind: str = "runs", **more: str) -> str:
        """kind: one of KINDS; more: further filters."""
        asked = {"flow": self.flow, **more, "status": KINDS[kind]}
        text = "".join(f"{name}={quote(value, safe=',')}&" for name, value in asked.items() if value)
        return f"/runs/?{text}since={write(span.begin)}&until={write(span.end)}"


@lru_cache(10_000)
def write(hour: int) -> str:
    return f"{moment_of(hour):%Y-%m-%dT%H:%MZ}"


@dataclass
class Row:
    """A user, a flow or a component. query: what limits the list to its runs, or to those with a step of it."""

    key: str
    name: str
    sub: str
    figures: Figures
    before: Figures
    query: dict[str, str] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)

    @property
    def change(self) -> str:
        """Of the number of runs, against the period before."""
        if not self.before.runs:
            return "new"
        part = self.figures.runs / self.before.runs - 1
        return "same" if abs(part) < 0.005 else f"{'+' if part > 0 else '−'}{100 * abs(part):,.0f} %"

    @property
    def success(self) -> str:
        return say_part(self.figures.success)

    @property
    def ok_width(self) -> str:
        return f"{100 * (self.figures.success or 0):.1f}%"


@dataclass
class Report:
    """What the page shows of one period."""

    total: Figures
    before: Figures
    series: dict[int, Figures]
    tables: dict[str, list[Row]]
    more: dict[str, int]  # rows that a table leaves out
    slowest: list[Row]
    least: list[Row]


@dataclass(frozen=True)
class Figure:
    """A number of the headline. change: against the period before, in words; look: `up`, `down` or empty;
    state: what it means, as the state whose colour it has, or empty."""

    word: str
    value: str
    link: str
    change: str
    look: str
    state: str = ""


def make_headline(report: Report, period: Period, links: Links) -> list[Figure]:
    """The figures on top of the page, each with its change."""
    now, was = report.total, report.before

    def figure(word: str, value: str, kind: str, new: float | None, old: float | None, *, bad: int = 0) -> Figure:
        """bad: 1 if more is worse, -1 if less is, 0 if neither."""
        if new is None or old is None or not old:
            return Figure(word, value, links.to(period.span, kind), "none before" if new else "", "")
        part = new / old - 1
        said = "as before" if abs(part) < 0.005 else f"{100 * abs(part):,.0f} % {'more' if part > 0 else 'less'}"
        look = "" if abs(part) < 0.005 else "up" if part > 0 else "down"
        state = "" if not look or not bad else "failed" if (part > 0) == (bad > 0) else "succeeded"
        return Figure(word, value, links.to(period.span, kind), said, look, state)

    points = Figure("Success", say_part(now.success), links.to(period.span, "succeeded"), "", "")
    if now.success is not None and was.success is not None:
        moved = 100 * (now.success - was.success)
        is_same = abs(moved) < 0.05
        points = Figure(
            points.word,
            points.value,
            points.link,
            "as before" if is_same else f"{abs(moved):.1f} points {'more' if moved > 0 else 'less'}",
            "" if is_same else "up" if moved > 0 else "down",
            "" if is_same else "succeeded" if moved > 0 else "failed",
        )
    return [
        figure("Runs", f"{now.runs:,}", "runs", now.runs, was.runs),
        points,
        figure("Failed", f"{now.failed:,}", "failed", now.failed, was.failed, bad=1),
        figure("Median duration", say_duration(now.median), "succeeded", now.median, was.median, bad=1),
        figure("95 % took at most", say_duration(now.p95), "succeeded", now.p95, was.p95, bad=1),
        figure("Median wait", say_duration(now.waited_median), "runs", now.waited_median, was.waited_median, bad=1),
        figure("95 % waited at most", say_duration(now.waited_p95), "runs", now.waited_p95, was.waited_p95, bad=1),
    ]


def make_report(tenant: Tenant, period: Period, flow: Flow | None) -> Report:
    """All of one moment. flow: its runs alone."""
    span, of = period.span, flow.pk if flow else 0
    kinds = ("user", "component") if flow else ("flow", "user", "component")

    def read(seen: Insights) -> Report:
        tables: dict[str, list[Row]] = {}
        more = {}
        for kind in kinds:
            counted = seen.by(kind, span, flow=of)
            keys = _choose(counted)
            whole = seen.whole(kind, span, flow=of, keys=keys, has_waits=kind != "component")
            before = seen.by(kind, span.before, flow=of)
            tables[kind] = [Row(key, "", "", whole[key], before.get(key, Figures())) for key in keys]
            more[kind] = len(counted)
        series = seen.series(span, period.level, flow=of)
        total = Figures()
        for figures in series.values():
            total.add(figures)
        return Report(total, seen.total(span.before, flow=of), series, tables, more, [], [])

    report = look(tenant, Span(span.before.begin, span.end), read)
    for kind, rows in report.tables.items():
        name_rows(tenant, kind, rows)
        _link(rows, period, flow)
        rows.sort(key=lambda row: (-row.figures.runs, row.name))
    flows = report.tables.get("flow", [])
    known = [row for row in flows if row.figures.median is not None]
    report.slowest = sorted(known, key=lambda row: -(row.figures.median or 0))[:TOP]
    told = [row for row in flows if row.figures.failed and row.figures.ended >= LEAST_ENDED]
    report.least = sorted(told, key=lambda row: (row.figures.success or 0, -row.figures.failed))[:TOP]
    for kind, rows in report.tables.items():
        del rows[ROWS:]
        report.more[kind] -= len(rows)
    return report


def make_table(tenant: Tenant, period: Period, flow: Flow | None, kind: str) -> list[Row]:
    """One table whole, for its file."""
    span, of = period.span, flow.pk if flow else 0

    def read(seen: Insights) -> list[Row]:
        before = seen.by(kind, span.before, flow=of)
        whole = seen.whole(kind, span, flow=of)
        return [Row(key, "", "", figures, before.get(key, Figures())) for key, figures in whole.items()]

    rows = look(tenant, Span(span.before.begin, span.end), read)
    name_rows(tenant, kind, rows)
    return sorted(rows, key=lambda row: (-row.figures.runs, row.name))


def _choose(counted: dict[str, Figures]) -> list[str]:
    """Those with the most runs, and those that may be the slowest or the least reliable."""
    orders: tuple[Any, ...] = (
        (ROWS, lambda key: counted[key].runs),
        (2 * TOP, lambda key: counted[key].mean or 0),
        (2 * TOP, lambda key: counted[key].failed / counted[key].ended if counted[key].ended else 0),
    )
    chosen: dict[str, None] = {}
    for most, order in orders:
        chosen |= dict.fromkeys(sorted(counted, key=order, reverse=True)[:most])
    return list(chosen)


def name_rows(tenant: Tenant, kind: str, rows: Iterable[Row]) -> None:
    """Gives rows their names, and what asks for their runs."""
    pks = [int(row.key) for row in rows if row.key] if kind != "component" else []
    if kind == "flow":
        flows = Flow.objects.of(tenant).filter(pk__in=pks).values_list("pk", "slug", "name")
        names = {str(pk): (name or slug, slug, {"flow": slug}) for pk, slug, name in flows}
    elif kind == "user":
        users = User.objects.filter(pk__in=pks).only("username", "first_name", "last_name")
        names = {str(user.pk): (user.display_name, user.username, {"user": str(user.pk)}) for user in users}
        names[""] = ("Nobody", "schedules, engines, sub-runs", {"user": "0"})
    else:
        names = {row.key: (row.key or "Not said", "", {"component": row.key or NO_COMPONENT}) for row in rows}
    for row in rows:
        row.name, row.sub, row.query = names.get(row.key, (row.key, "", {}))


def _link(rows: Iterable[Row], period: Period, flow: Flow | None) -> None:
    links = Links(flow.slug if flow else "")
    for row in rows:
        for kind in ("runs", "succeeded", "failed"):
            if component := row.query.get("component"):  # its figures are of steps: a run may well do without one
                of_kind = component if kind == "runs" else f"{component}={KINDS[kind]}"
                row.links[kind] = links.to(period.span, component=of_kind)
            elif row.query:
                row.links[kind] = links.to(period.span, kind, **row.query)


def figures_of(tenant: Tenant, flows: Iterable[Flow]) -> dict[int, Figures]:
    """What flows' runs of the last 30 days amount to, by the flow's number."""
    keys = [str(flow.pk) for flow in flows]
    span = read_preset("30d").span
    found = look(tenant, span, lambda seen: seen.whole("flow", span, keys=keys))
    return {int(key): figures for key, figures in found.items()}
