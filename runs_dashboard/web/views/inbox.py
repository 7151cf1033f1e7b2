"""The inbox: failures that nobody has looked at and no retry has made good, by their error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.shortcuts import render
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_GET

from ...failure_filters import FailureFilter
from ...filter_fields import parse_moment
from ...models import ErrorGroup, Role, settle_failures
from ..access import needs, read_text
from ..inbox import (
    KINDS_LIMIT,
    PAGE_SIZE,
    UNRESOLVED_LIMIT,
    InboxQuestion,
    count_unresolved,
    cut_cards,
    last_resolved,
    make_cards,
)
from ..question_form import find_choices

if TYPE_CHECKING:
    from datetime import datetime

    from django.http import HttpResponse

    from ..access import MemberRequest

NEW_LIMIT = 100  # new kinds are counted so far
NUMBERS_LENGTH = 24 * PAGE_SIZE


@require_GET
@needs(Role.VIEWER)
def inbox(request: MemberRequest) -> HttpResponse:
    settle_failures()
    question = InboxQuestion(request.GET)
    found = _filter(request, question)
    is_valid = found.is_valid()
    page = cut_cards(found.qs if is_valid else found.qs.none(), question, request.tenant)
    shown = ",".join(str(card.group.pk) for card in page.cards)
    as_of = timezone.now()
    context = {
        "question": question,
        "problems": [text for texts in found.errors.values() for text in texts],
        "cards": page.cards,
        "older": question.address(cursor=page.older) if page.older else "",
        "flows": find_choices(request.tenant)["flows"],
        "last_resolved": None if page.cards else last_resolved(request.tenant),
        "live_query": urlencode({**question.asked, "shown": shown, "since": as_of.isoformat()}),
        **_standing(request),
        "as_of": as_of,
    }
    return render(request, "inbox/list.html", context, status=200 if is_valid else 400)


@require_GET
@needs(Role.VIEWER)
def inbox_live(request: MemberRequest) -> HttpResponse:
    """The cards of an open inbox as they are now, each in its place, and how many kinds came since."""
    settle_failures()
    question = InboxQuestion(request.GET)
    found = _filter(request, question)
    of_tenant = ErrorGroup.objects.of(request.tenant)
    shown = _read_numbers(request)
    groups = list(of_tenant.filter(pk__in=shown).select_related("flow")) if shown else []
    new = 0
    since = _read_since(request)
    if since is not None and found.is_valid():
        new = found.qs.filter(opened_at__gte=since).exclude(pk__in=shown).count_to(NEW_LIMIT)
    context = {
        "cards": make_cards(groups, request.tenant),
        "new": new,
        "new_limit": NEW_LIMIT,
        "first_page": question.address(),
        "live_query": request.GET.urlencode(),
        **_standing(request),
        "as_of": timezone.now(),
    }
    return render(request, "inbox/_live.html", context)


def _filter(request: MemberRequest, question: InboxQuestion) -> FailureFilter:
    rows = ErrorGroup.objects.of(request.tenant).open()
    return FailureFilter(question.asked, queryset=rows, tenant=request.tenant)


def _standing(request: MemberRequest) -> dict[str, Any]:
    return {
        "unresolved": count_unresolved(request.tenant),
        "unresolved_limit": UNRESOLVED_LIMIT,
        "kinds": ErrorGroup.objects.of(request.tenant).open().count_to(KINDS_LIMIT + 1),
        "kinds_limit": KINDS_LIMIT,
    }


def _read_numbers(request: MemberRequest) -> list[int]:
    parts = read_text(request.GET, "shown", NUMBERS_LENGTH).split(",")
    return [int(part) for part in parts if part.isascii() and part.isdigit() and len(part) < 19][:PAGE_SIZE]


def _read_since(request: MemberRequest) -> datetime | None:
    try:
        return parse_moment(read_text(request.GET, "since", 64))
    except ValidationError:
        return None
