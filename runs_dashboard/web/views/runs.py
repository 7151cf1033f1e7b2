"""The run list, and the small answer that keeps an open list up to date."""

from __future__ import annotations

import re
import shlex
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from django.core.exceptions import ValidationError
from django.core.handlers.asgi import ASGIRequest
from django.http import JsonResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from ...filter_fields import PAIRS_LIMIT, Ago, parse_moment
from ...filters import RunFilter
from ...models import LIVE, AuditEntry, Counted, Role, Run, Status, TrackedData
from ...text.periods import is_period
from ...text.run_query import parse, say_allowed, split_pair
from ..access import needs, read_text
from ..columns import OPTIONAL, density, shown_columns
from ..counts import TABS, add_up, count_statuses, sum_up
from ..error_kind import say_errors
from ..keyset import Cursor, cut_page
from ..question_form import QuestionForm
from ..run_file import LIMIT, write_csv, write_csv_async
from ..run_question import RunQuestion
from ..run_rows import filter_runs
from ..suggesting import suggest
from ..tables import RunTable
from ..view_menu import ViewMenu, find_start

if TYPE_CHECKING:
    from django.http import HttpResponse
    from django.http.response import HttpResponseBase

    from ...models.run_set import RunQuerySet
    from ..access import MemberRequest

PAGE_SIZE = 50
NEW_LIMIT = 100  # new runs are counted so far: "99+ new runs"
UIDS_LENGTH = 256 * PAGE_SIZE
TOKEN_LENGTH = 400  # characters
TIME_LENGTH = 64
DAY = re.compile(r"\d{4}-\d\d-\d\d")
QUERY_LENGTH = 2_000  # characters of a typed query


@require_GET
def home(request: MemberRequest) -> HttpResponse:
    return redirect("run_list")


@require_GET
@needs(Role.VIEWER)
def run_list(request: MemberRequest) -> HttpResponse:
    tenant = request.tenant
    start = find_start(request)
    if start is not None:
        return redirect(f"{request.path}?{start}")
    question = RunQuestion(request.GET)
    typed, problems = None, []
    if "q" in request.GET:
        typed = read_text(request.GET, "q", QUERY_LENGTH).strip()
        asked = parse(typed)
        if not asked.problems:
            return redirect(f"{request.path}?{question.address(asked.pairs)}")
        problems = asked.problems
    if "at" in request.GET:
        try:
            return redirect(f"{request.path}?{question.address()}&cursor={_go_to(request, question)}")
        except ValidationError as error:
            problems = [f"Go to a time: {error.messages[0]}"]
    found = filter_runs(request.tenant, question)
    is_valid = not problems and found.is_valid()
    cursor = Cursor.parse(request.GET.get("cursor", ""))
    is_newest_first = question.is_newest_first
    runs = found.qs if is_valid else found.qs.none()
    page = cut_page(runs.for_list(), cursor, size=PAGE_SIZE, is_newest_first=is_newest_first)
    columns = shown_columns(question, request.user)
    context = {
        "question": question,
        "typed": question.text if typed is None else typed,
        "problems": problems,
        "filter": found,
        "chips": question.chips(say_errors(tenant, question.pairs)),
        "table": RunTable(
            page.rows,
            has_ticks=_has_ticks(request),
            columns=columns,
            density=density(request.user),
            is_newest_first=is_newest_first,
        ),
        "columns": [(name, word, name in columns) for name, word in _in_order(columns)],
        "density": density(request.user),
        "here": f"{request.path}?{question.address(columns='')}",
        "views": ViewMenu(request, question),
        "file_limit": LIMIT,
        "searched": question.value("search"),
        "unknown_keys": [] if page.rows else _find_unknown_keys(request, question),
        "allowed": say_allowed(),
        "page": page,
        "is_newest_first": is_newest_first,
        "tabs": _tabs(request, question, found, is_valid=is_valid),
        "standing": sum_up(tenant),
        "live_query": _live_query(question, columns, page.rows, cursor),
        "as_of": timezone.now(),
        "key": uuid.uuid4().hex,
        "form": QuestionForm(question, tenant),
        "api_call": _as_api_call(request, found, is_newest_first) if is_valid else None,
    }
    return render(request, "runs/list.html", context, status=200 if is_valid else 400)


@require_GET
@needs(Role.VIEWER)
def run_list_live(request: MemberRequest) -> HttpResponse:
    """The rows of an open list that still change, the counts, and how many runs are new: swapped in place."""
    question = RunQuestion(request.GET)
    found = filter_runs(request.tenant, question)
    shown, watched = (_read_uids(request, name) for name in ("shown", "watch"))
    of_tenant = Run.objects.of(request.tenant)
    rows = list(of_tenant.filter(uid__in=watched).for_list()) if watched else []
    top = Cursor.parse(request.GET.get("top", ""))
    new = 0
    if top and found.is_valid():
        newer = found.qs.after(top.at, top.pk).exclude(uid__in=shown)
        new = newer.order_by()[:NEW_LIMIT].count()
    params = request.GET.copy()
    params["watch"] = ",".join(run.uid for run in rows if run.status in LIVE)
    context = {
        "table": RunTable(rows, has_ticks=_has_ticks(request), columns=shown_columns(question, request.user)),
        "tabs": _tabs(request, question, found, is_valid=found.is_valid()),
        "new": new,
        "new_limit": NEW_LIMIT,
        "first_page": question.address(),
        "live_query": params.urlencode(),
        "as_of": timezone.now(),
    }
    return render(request, "runs/_live.html", context)


@require_GET
@needs(Role.VIEWER)
def suggestions(request: MemberRequest) -> HttpResponse:
    """What the word that is being typed into the filter bar may become."""
    token = read_text(request.GET, "token", TOKEN_LENGTH)
    return JsonResponse({"items": [{"text": text, "about": about} for text, about in suggest(request.tenant, token)]})


@require_GET
@needs(Role.VIEWER)
def run_list_csv(request: MemberRequest) -> HttpResponseBase:
    """The runs that the address asks for, as a file; who took it is in the trail."""
    question = RunQuestion(request.GET)
    found = filter_runs(request.tenant, question)
    if not found.is_valid():
        return redirect(f"{reverse('run_list')}?{question.address()}")  # which says what is wrong
    AuditEntry.record("run.list_download", request.membership, by=request.actor, query=question.text)
    write = write_csv_async if isinstance(request, ASGIRequest) else write_csv
    body: Any = write(found.qs, is_newest_first=question.is_newest_first)
    name = f"runs-{timezone.localtime():%Y-%m-%d-%H%M}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingHttpResponse(body, content_type="text/csv; charset=utf-8", headers=headers)


def _go_to(request: MemberRequest, question: RunQuestion) -> Cursor:
    """The page that begins at the time that is asked for, a day's at its end. Raises ValidationError."""
    text = read_text(request.GET, "at", TIME_LENGTH).strip()
    try:
        at = Ago.of(text) if is_period(text) else parse_moment(text)
        if question.is_newest_first:
            at += timedelta(days=1) if DAY.fullmatch(text) else timedelta(microseconds=1)
    except OverflowError:
        raise ValidationError("There is no such time.") from None
    return Cursor(question.is_newest_first, at, 0)


def _has_ticks(request: MemberRequest) -> bool:
    return request.membership.may(Role.SUPPORT)


def _read_uids(request: MemberRequest, name: str) -> list[str]:
    return [uid for uid in read_text(request.GET, name, UIDS_LENGTH).split(",") if uid][:PAGE_SIZE]


def _as_api_call(request: MemberRequest, found: RunFilter, is_newest_first: bool) -> dict[str, str]:
    """The list's first page as a program asks for it."""
    query = [
        *found.write_for_api(),
        ("sort", "-started_at" if is_newest_first else "started_at"),
        ("per_page", str(PAGE_SIZE)),
    ]
    text = urlencode(query, safe="[]:,", quote_via=quote)  # what curl -g and people can read
    url = f"{request.build_absolute_uri(reverse('api-flow-runs'))}?{text}"
    return {"url": url, "curl": f'curl -g -H "Authorization: Bearer $KEY" {shlex.quote(url)}'}


def _tabs(request: MemberRequest, question: RunQuestion, found: RunFilter, *, is_valid: bool) -> list[dict[str, Any]]:
    """One tab a status, with its count under the other filters; the first is all. found: with all filters."""
    others = question.without("status")
    counts = {str(status): Counted(0, is_whole=True) for status in TABS}

    def read() -> RunQuerySet:
        has_status = len(others) != len(question.pairs)
        return filter_runs(request.tenant, question, "status").qs if has_status else found.qs

    if is_valid:
        zone = timezone.get_current_timezone_name()  # the days of a filter are the reader's
        counts = count_statuses(read, f"{request.tenant.pk} {zone} {others}")
    now = question.value("status")
    total = {"status": "", "word": "All", "count": add_up(counts.values()), "query": question.address(others)}
    tabs = [{**total, "is_here": not now}]
    tabs += [
        {
            "status": status.value,
            "word": Status(status).label,
            "count": counts[status],
            "query": question.address([*others, ("status", status.value)]),
            "is_here": now == status.value,
        }
        for status in TABS
    ]
    return tabs


def _find_unknown_keys(request: MemberRequest, question: RunQuestion) -> list[str]:
    """Keys of tracked data that are asked for and that no run has: perhaps a filter's name, mistyped."""
    keys = {split_pair(value)[0] for value in question.values("tracked")[:PAIRS_LIMIT]}
    of_tenant = TrackedData.objects.of(request.tenant)
    return sorted(key for key in keys if not of_tenant.filter(key=key).exists())


def _in_order(columns: list[str]) -> list[tuple[str, str]]:
    """All optional columns with their titles, those that are shown first and in their order."""
    names = [*columns, *(name for name in OPTIONAL if name not in columns)]
    return [(name, OPTIONAL[name]) for name in names]


def _live_query(question: RunQuestion, columns: list[str], rows: list[Run], cursor: Cursor | None) -> str:
    """What the open list asks for every few seconds: the rows it shows, and where its top is."""
    params = [
        *question.pairs,
        *{**question.looks, "columns": ",".join(columns)}.items(),
        ("shown", ",".join(run.uid for run in rows)),
        ("watch", ",".join(run.uid for run in rows if run.status in LIVE)),
    ]
    if cursor is None and question.is_newest_first:
        first = rows[0] if rows else None
        at, pk = (first.ordered_at, first.pk) if first else (timezone.now(), 0)
        params.append(("top", str(Cursor(False, at, pk))))
    return urlencode(params)
