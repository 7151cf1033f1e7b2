"""Search across runs: lines of all logs, and tracked data."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.core.exceptions import ValidationError
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from ...filter_fields import parse_moment
from ...models import Flow, Role, Run, SearchPage, TrackedData, search_logs
from ...text.clean import clean
from ...text.levels import LEVELS
from ...text.run_query import split_pair
from ..access import needs, read_text
from ..log_window import LogQuery
from ..marks import Piece, mark

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from django.http import HttpResponse

    from ...models import Entry, Hit
    from ..access import MemberRequest

TEXT_LENGTH = 500
NAME_LENGTH = 200
CHOICES_LIMIT = 500
RUNS_SHOWN = 20
PAIRS_READ = 200
BEFORE = 20  # lines that a page shows before the one it leads to
LETTERS = ("D", "", "W", "E", "C")


@dataclass
class Asked:
    """What the address asks, and what is wrong with it."""

    text: str
    flow: Flow | None = None
    level: str = ""
    after: datetime | None = None
    before: datetime | None = None
    problems: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, request: MemberRequest) -> Asked:
        asked = cls(clean(request.GET.get("q", ""))[:TEXT_LENGTH])
        slug = read_text(request.GET, "flow", NAME_LENGTH)
        if slug:
            asked.flow = Flow.objects.of(request.tenant).filter(slug=clean(slug)).first()
            if asked.flow is None:
                asked.problems.append("There is no such flow.")
        asked.level = request.GET.get("level", "")
        if asked.level and asked.level not in LEVELS:
            asked.problems.append("There is no such level.")
            asked.level = ""
        asked.after = asked._read_moment(request, "after", "From")
        asked.before = asked._read_moment(request, "before", "Until")
        return asked

    def _read_moment(self, request: MemberRequest, name: str, word: str) -> datetime | None:
        text = read_text(request.GET, name, NAME_LENGTH)
        try:
            return parse_moment(text) if text else None
        except ValidationError as error:
            self.problems.append(f"{word}: {' '.join(error.messages)}")
            return None


@dataclass(frozen=True)
class HitRow:
    """A line as it is shown. url: the run's page at this line, with the text in its find box."""

    entry: Entry
    letter: str
    level: str
    pieces: list[Piece]
    url: str


@dataclass(frozen=True)
class HitGroup:
    """Lines of one run that follow each other among the hits."""

    run: Run
    rows: list[HitRow]


@dataclass(frozen=True)
class TrackedRow:
    """A run with a key that was looked for. query: of the list of all runs with this key."""

    run: Run
    key: str
    value: str
    query: str


@require_GET
@needs(Role.VIEWER)
def search(request: MemberRequest) -> HttpResponse:
    asked = Asked.read(request)
    cursor = request.GET.get("cursor") or None
    page: SearchPage | None = None
    if "q" in request.GET and not asked.problems:
        try:
            page = search_logs(
                request.tenant,
                asked.text,
                flow=asked.flow,
                levels=LogQuery(level=asked.level).levels,
                after=asked.after,
                before=asked.before,
                cursor=cursor,
            )
        except ValueError as error:
            asked.problems.append(str(error))
    context = {
        "asked": asked,
        "page": page,
        "groups": list(_group(page.hits, asked.text)) if page else [],
        "tracked": _find_tracked(request, asked) if page and cursor is None else [],
        "is_further": cursor is not None,
        "flows": Flow.objects.of(request.tenant).order_by("name").values_list("slug", "name")[:CHOICES_LIMIT],
        "levels": LEVELS,
        "text_length": TEXT_LENGTH,
    }
    return render(request, "search/search.html", context, status=400 if asked.problems else 200)


def _group(hits: list[Hit], text: str) -> Iterator[HitGroup]:
    for _, found in groupby(hits, key=lambda hit: hit.run.pk):
        some = list(found)
        yield HitGroup(some[0].run, [_make_row(hit, text) for hit in some])


def _make_row(hit: Hit, text: str) -> HitRow:
    entry = hit.entry
    asked = urlencode({"from": max(1, entry.line - BEFORE), "find": text, "hit": entry.line})
    address = f"{reverse('run_detail', args=[hit.run.uid])}?{asked}#L{entry.line}"
    return HitRow(entry, LETTERS[entry.level], LEVELS[entry.level], mark(entry.message, text), address)


def _find_tracked(request: MemberRequest, asked: Asked) -> list[TrackedRow]:
    """Runs with a tracked value that is the text or begins with it; `key=value` asks for one key. Equal ones first."""
    pairs = TrackedData.objects.of(request.tenant)
    found = _begin_with(pairs, asked.text)
    key, value = split_pair(asked.text)
    if value is not None:
        found = _begin_with(pairs.filter(key=key), value) + found
    runs = Run.objects.of(request.tenant).for_list().filter(pk__in={pair[2] for pair in found})
    if asked.flow is not None:
        runs = runs.filter(flow=asked.flow)
    known = {run.pk: run for run in runs}
    rows = [
        TrackedRow(known[run], key, value, urlencode({"tracked": f"{key}:{value}"}))
        for key, value, run in dict.fromkeys(found)
        if run in known
    ]
    return rows[:RUNS_SHOWN]


def _begin_with(pairs: Any, text: str) -> list[tuple[str, str, int]]:
    # In the index's order what begins with a text comes right behind it; LIKE would read every pair of the tenant.
    near = pairs.filter(value__gte=text).order_by("value", "-run_id").values_list("key", "value", "run_id")
    return [pair for pair in near[:PAIRS_READ] if pair[1].startswith(text)]
