"""How often a run's error comes: its place among the failures of its kind, and since when there are any."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils import timezone
from django.utils.http import urlencode

from ..filters import day_around
from ..models import NO_ERROR, ErrorGroup, Flow, Run, Status
from ..text.ansi import strip
from .words import say_clock, say_length

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..models import Tenant

RESOLVED_SHOWN = 5
COUNTED = 1_000  # failures of a day are counted so far
SAID_LIMIT = 200  # kinds of failure whose words are looked up at once


@dataclass(frozen=True)
class ErrorKind:
    """sentence: `4th failure of this kind today`; about: how many in all, since when, lately; query: finds them."""

    sentence: str
    about: str
    query: str


def tell_kind(run: Run) -> ErrorKind | None:
    """None for a run that did not fail with an error."""
    if run.status != Status.FAILED or not run.error_fingerprint or run.finished_at is None:
        return None
    group = ErrorGroup.objects.of(run.tenant_id).filter(flow=run.flow_id, fingerprint=run.error_fingerprint).first()
    query = urlencode({"error": run.error_fingerprint, "flow": run.flow.slug})
    if group is None or (group.first_seen_at >= run.finished_at and group.total_count <= 1):
        return ErrorKind("First of its kind", "", query)
    begin, end = day_around(run.ordered_at)
    place = (
        Run.objects.of(run.tenant_id)
        .filter(status=Status.FAILED, error_fingerprint=run.error_fingerprint, flow=run.flow_id)
        .filter(ordered_at__gte=begin, ordered_at__lte=run.ordered_at)
        .count_to(COUNTED)
    )
    is_today = begin <= timezone.now() < end
    day = "today" if is_today else f"on {timezone.localtime(begin).day} {timezone.localtime(begin):%b}"
    sentence = f"{say_place(place)} failure of this kind {day}"
    if group.is_back and group.opened_at == run.finished_at and group.emptied_at is not None:
        sentence = f"Back {say_length(run.finished_at - group.emptied_at)} after all of its kind was resolved"
    return ErrorKind(sentence, _say_how_often(group), query)


def say_place(place: int) -> str:
    """`1st`, `2nd`, `11th`, `1,000th or later`."""
    if place >= COUNTED:
        return f"{COUNTED:,}th or later"
    ending = "th" if 10 <= place % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(place % 10, "th")
    return f"{place:,}{ending}"


def _say_how_often(group: ErrorGroup) -> str:
    lately = sum(group.hours.values())
    return f"{max(group.total_count, 1):,} in all since {say_clock(group.first_seen_at)}, {lately:,} in 7 days"


def say_errors(tenant: Tenant, *asked: Iterable[Iterable[str]]) -> dict[str, str]:
    """The words of the errors that filters name by fingerprint. asked: the pairs of some filters."""
    pairs = [(name, value) for one in asked for name, value in one]
    names = {value.lower() for name, value in pairs if name == "error"}
    if not names:
        return {}
    groups = ErrorGroup.objects.of(tenant).filter(fingerprint__in=names).order_by("-last_seen_at")
    slugs = {slug for name, value in pairs if name == "flow" for slug in value.split(",")}
    if len(asked) == 1 and slugs:  # of a flow the index knows them
        groups = groups.filter(flow__in=Flow.objects.of(tenant).filter(slug__in=slugs))
    said = {NO_ERROR: "without a word"}
    for group in groups[:SAID_LIMIT]:
        said.setdefault(group.fingerprint, strip(str(group)))
    return said


def find_resolver(run: Run) -> Run | None:
    """The retry that made a failed run good; None too where it is gone."""
    if run.resolved_run_id is None:
        return None
    runs = Run.objects.of(run.tenant_id).filter(pk=run.resolved_run_id, removing_at=None)
    return runs.only("uid", "tenant_id", "finished_at").first()  # type: ignore[no-any-return]


def find_resolved(run: Run) -> list[Run]:
    """The failed runs that this retry made good, newest first; some of them."""
    if run.status != Status.SUCCEEDED or run.retried_run_id is None:
        return []
    runs = Run.objects.of(run.tenant_id).filter(resolved_run=run.pk, removing_at=None)
    return list(runs.only("uid", "tenant_id").order_by("-id")[:RESOLVED_SHOWN])
