"""Asking for a bulk action: on the ticked runs of the list, or on everything that matches, after a preview."""

from __future__ import annotations

import json
import uuid
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.html import format_html
from django.views.decorators.http import require_http_methods, require_POST

from ...definition.inputs import InputError
from ...models import BulkAction, BulkRefused, KeyReused, Role, once, preview
from ...models.bulk_action import MOST_PER_SECOND, MOST_RUNS, USUAL_PER_SECOND
from ..access import needs, read_text
from ..bulk_retry import make_form, read_form
from ..bulk_words import TOLD, VERBS, phrase, say_runs
from ..error_kind import say_errors
from ..run_question import RunQuestion
from ..run_rows import filter_runs
from ..tables import RunTable
from .account import go_back

if TYPE_CHECKING:
    from django.http import HttpResponse, QueryDict

    from ..access import MemberRequest

LIMIT = 50  # ticked runs, a page of the list
KEY_LENGTH = 64
SAMPLE = 10  # runs of a preview
COLUMNS = ("trigger", "started", "duration", "problems")  # without links to other lists
MANY = 1_000  # runs, from which on a preview warns


@require_POST
@needs(Role.SUPPORT)
def act_on_runs(request: MemberRequest) -> HttpResponse:
    """Acts on the ticked runs, at most a page of them, at once. The same form sent twice acts once."""
    act = request.POST.get("act", "")
    uids = list(dict.fromkeys(uid for uid in request.POST.getlist("run") if "\0" not in uid))[:LIMIT]
    if act not in VERBS or not uids:
        messages.error(request, "Tick the runs that are meant, then press a button.")
        return redirect(go_back(request))
    _require(request, act)

    def ask() -> dict[str, Any]:
        action = BulkAction.ask(request.tenant, act, by=request.actor, uids=uids, is_watched=True)
        return {"bulk": action.uid}

    said = json.dumps([act, sorted(uids)]).encode()
    key = read_text(request.POST, "key", KEY_LENGTH) or None
    try:
        answer, _ = once(request.tenant, "bulk", key, said, ask)
    except KeyReused:
        messages.error(request, "This list was used before: look at it anew, then do it again.")
        return redirect(go_back(request))
    _tell(request, BulkAction.objects.of(request.tenant).get(uuid=answer["bulk"]).work_now())
    return redirect(go_back(request))


def _tell(request: MemberRequest, action: BulkAction) -> None:
    """How many, why not the others, and where it stands run by run."""
    said = f"{say_runs(action.done)} {TOLD[action.action]}." if action.done else "Nothing was done."
    link = format_html('<a href="{}">See what was done</a>', reverse("bulk_detail", args=[action.uuid]))
    level = messages.SUCCESS if action.done else messages.WARNING
    messages.add_message(request, level, format_html("{} {}", said, link))
    for _, reason, count in action.results.count_reasons():
        messages.warning(request, f"{count} not: {reason}")


@require_http_methods(["GET", "POST"])
@needs(Role.SUPPORT)
def bulk_new(request: MemberRequest) -> HttpResponse:
    """What would be done to everything that matches (GET), and the doing of it (POST), in the background."""
    sent = request.POST if request.method == "POST" else request.GET
    act = sent.get("act", "")
    if act not in VERBS:
        return _refuse(
            request, "There is no such act. Filter the run list, then choose what to do with all that match."
        )
    _require(request, act)
    question = RunQuestion(sent)
    if not question.pairs:
        return _refuse(request, "Filter the run list first: an act on all runs there are is never what is meant.")
    found = filter_runs(request.tenant, question)
    if not found.is_valid():
        why = " ".join(f"{name}: {' '.join(errors)}" for name, errors in found.errors.items())
        return _refuse(request, f"The filter could not be read. {why}")
    problem, of_inputs = "", []
    if request.method == "POST":
        try:
            return redirect("bulk_detail", _ask(request, act, question, found.qs))
        except InputError as error:
            problem, of_inputs = "Some of the changed inputs cannot be read. Nothing was done.", error.problems
        except (BulkRefused, KeyReused, ValueError) as error:
            problem = str(error)
    said = preview(found.qs, act)
    sample = list(found.qs.for_list()[:SAMPLE]) if said.total else []
    context = {
        "act": act,
        "verb": VERBS[act],
        "question": question,
        "phrases": phrase(question.pairs, say_errors(request.tenant, question.pairs)),
        "preview": said,
        "table": RunTable(sample, has_ticks=False, columns=COLUMNS, is_sortable=False),
        "most": MOST_RUNS,
        "is_many": said.total >= MANY,
        "problem": problem,
        "form": make_form(sent, said.flow, of_inputs),
        "per_second": read_text(sent, "per_second", 8) or str(USUAL_PER_SECOND),
        "usual_per_second": USUAL_PER_SECOND,
        "most_per_second": MOST_PER_SECOND,
        "seconds": 1000 * said.doable / USUAL_PER_SECOND,
        "key": uuid.uuid4().hex,
    }
    return render(request, "bulk/new.html", context, status=422 if problem else 200)


def _ask(request: MemberRequest, act: str, question: RunQuestion, runs: Any) -> str:
    """The id of the action that the form asks for. Raises BulkRefused, KeyReused, and ValueError with a sentence."""
    sent = request.POST
    is_retry = act == BulkAction.Act.RETRY
    how = read_form(request.tenant, sent) if is_retry else None
    per_second = _read_pace(sent) if is_retry else None
    at_most = _read_count(sent)

    def ask() -> dict[str, Any]:
        action = BulkAction.ask(
            request.tenant,
            act,
            by=request.actor,
            runs=runs,
            pairs=question.pairs,
            how=how,
            per_second=per_second,
            at_most=at_most,
        )
        return {"bulk": action.uid}

    said = json.dumps([act, question.pairs, asdict(how) if how else None, per_second, at_most], sort_keys=True).encode()
    answer, _ = once(request.tenant, "bulk", read_text(sent, "key", KEY_LENGTH) or None, said, ask)
    return str(answer["bulk"])


def _read_pace(sent: QueryDict) -> int:
    text = read_text(sent, "per_second", 8).strip() or str(USUAL_PER_SECOND)
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MOST_PER_SECOND):
        raise ValueError(f"Give a whole number of runs a second, from 1 to {MOST_PER_SECOND}.")
    return int(text)


def _read_count(sent: QueryDict) -> int:
    """How many runs the form spoke of; without that, as many as an action takes."""
    text = read_text(sent, "at_most", 8)
    return int(text) if text.isascii() and text.isdigit() else MOST_RUNS


def _refuse(request: MemberRequest, why: str) -> HttpResponse:
    return render(request, "bulk/refused.html", {"why": why}, status=422)


def _require(request: MemberRequest, act: str) -> None:
    role = BulkAction.role_for(act)
    if not request.membership.may(role):
        raise PermissionDenied(f"This needs the role {role.label}.")
