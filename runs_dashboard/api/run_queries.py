"""Which runs: seed 3's bracketed names over the one FilterSet that the pages use too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..filters import LEVELS, RunFilter, name_for_api
from ..models import Status, Trigger
from . import including
from .errors import Invalid, Problem
from .parameters import Parameter

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.db.models import QuerySet

    from ..models import Tenant

STATUSES = tuple(Status.values)
FILTERS = tuple(
    Parameter(name_for_api(name), kind, about, choices=choices, is_filter=True)
    for name, kind, about, choices in (
        ("user", "text", "Runs created by this user number, or name; 0: by nobody.", ()),
        ("flow", "text", "Runs of this flow; several with commas.", ()),
        ("flow_version_id", "text", "Runs of this flow version.", ()),
        ("virtual_environment_id", "text", "Runs in this environment.", ()),
        ("trigger", "words", "What started them; several with commas.", tuple(Trigger.values)),
        ("status", "words", "Their status; several with commas.", STATUSES),
        ("search", "text", "An id, a tracked value, a tag's value, or a part of a flow's name.", ()),
        ("started_before", "moment", "Unix milliseconds, ISO 8601, or how long ago: 2h, 7d.", ()),
        ("started_after", "moment", "Unix milliseconds, ISO 8601, or how long ago: 2h, 7d.", ()),
        ("started_on", "moment", "A day (UTC): Unix milliseconds or ISO 8601.", ()),
        ("since", "moment", "By their start, or their making while they wait.", ()),
        ("until", "moment", "The same, before that time.", ()),
        ("retried", "flag", "true or false: some later run retried it.", ()),
        ("has_warnings", "flag", "true or false.", ()),
        ("tag", "pair", "key:value, or a key alone; given several times, all must fit.", ()),
        ("tracked", "pair", "Tracked data, key:value, or a key alone; given several times, all must fit.", ()),
        ("parent_run_id", "text", "Sub-runs of this run.", ()),
        ("bulk", "text", "Taken by the bulk action with this id, or made by it.", ()),
        ("reviewed", "flag", "true or false.", ()),
        ("unresolved", "flag", "true or false: failed, and neither reviewed nor retried with success.", ()),
        ("error", "text", "Failed with this kind of error, a `fingerprint` of /failures; none: without a text.", ()),
        ("pinned", "flag", "true or false: retention leaves it alone.", ()),
        ("environment", "text", "The environment's name.", ()),
        ("component", "text", "With a step of this component, or of it and a status: http=failed.", ()),
        ("duration_over", "length", "Took longer, or has run longer by now: 90s, 5m, 2h.", ()),
        ("duration_under", "length", "Took less: 90s, 5m, 2h.", ()),
        ("level", "words", "With lines of this level; several with commas.", tuple(word for word, _ in LEVELS)),
        ("not_status", "words", "Not with this status; several with commas.", STATUSES),
        ("not_flow", "text", "Not of this flow; several with commas.", ()),
        ("not_trigger", "words", "Not started so; several with commas.", tuple(Trigger.values)),
        ("not_user", "text", "Not created by this user number, or name.", ()),
        ("not_environment", "text", "Not in the environment of this name.", ()),
        ("not_tag", "pair", "Without this tag, key:value, or a key alone.", ()),
        ("not_tracked", "pair", "Without this tracked data, key:value, or a key alone.", ()),
    )
)
PAGING = (
    Parameter("page", "whole", "From 1. Give it or `cursor`.", least=1),
    Parameter("per_page", "whole", "Items a page.", default=25, least=1, most=100),
    Parameter("cursor", about="From an answer."),
)
SORT = Parameter("sort", about="Newest first by default.", default="-started_at", choices=("started_at", "-started_at"))
LIST_PARAMETERS = (*FILTERS, *including.RUN_PARAMETERS, SORT, *PAGING)


def filter_runs(rows: QuerySet, query: dict[str, Any], tenant: Tenant) -> QuerySet:
    """The runs that the query's filters leave. Raises Invalid."""
    given = {parameter.plain: query[parameter.name] for parameter in FILTERS if query[parameter.name] is not None}
    return choose_runs(rows, given, tenant, lambda name: ["query", f"filter[{name}]"])


def choose_runs(
    rows: QuerySet, given: dict[str, Any], tenant: Tenant, place: Callable[[str], list[str | int]]
) -> QuerySet:
    """The runs that these filters leave. given: by their names; place: where one of them was given. Raises Invalid."""
    if not given:
        return rows
    chosen = RunFilter(given, queryset=rows, tenant=tenant)
    if not chosen.is_valid():
        raise Invalid.of(
            [
                Problem(place(name), _say(name, text), "value_error")
                for name, texts in chosen.errors.items()
                for text in texts
            ]
        )
    return chosen.qs


def _say(name: str, text: str) -> str:
    allowed = next((p.choices for p in FILTERS if p.plain == name), ())
    return f"{text} Allowed: {', '.join(allowed)}." if allowed else text
