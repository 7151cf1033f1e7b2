"""Notes on a run: written, changed and deleted by people, seen by everybody at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from ...models import KeyReused, NoteRefused, Role, RunNote, once
from ...models.note import TEXT_LENGTH
from ..access import find_run, needs, read_text
from ..notes import read_notes

if TYPE_CHECKING:
    from uuid import UUID

    from ...models import Run
    from ..access import MemberRequest

KEY_LENGTH = 64
MOST_READ = 4 * TEXT_LENGTH  # characters of a form's text that are looked at


@require_GET
@needs(Role.VIEWER)
def run_notes(request: MemberRequest, uid: str) -> HttpResponse:
    """The list, for an open page; 204 while it is what the page has (`seen`)."""
    run = find_run(request, uid)
    notes = read_notes(run, request.membership)
    if request.GET.get("seen") == notes.stamp:
        return HttpResponse(status=204)
    return render(request, "runs/_note_list.html", {"run": run, "notes": notes})


@require_POST
@needs(Role.SUPPORT)
def note_write(request: MemberRequest, uid: str) -> HttpResponse:
    """A new note. Sent twice it is one."""
    run = find_run(request, uid)
    text = read_text(request.POST, "text", MOST_READ)

    def act() -> dict[str, Any]:
        return {"id": str(RunNote.write(run, text, by=request.actor).uuid)}

    key = read_text(request.POST, "key", KEY_LENGTH) or None
    try:
        once(run.tenant, f"note:{run.uid}", key, text.encode(errors="replace"), act)
    except (NoteRefused, KeyReused) as error:
        return _show_form(request, run, None, text, str(error))
    if request.headers.get("HX-Request") == "true":
        return render(request, "runs/_notes.html", {"run": run, "notes": read_notes(run, request.membership)})
    return _back(run)


@require_http_methods(["GET", "POST"])
@needs(Role.SUPPORT)
def note_edit(request: MemberRequest, uid: str, note: UUID) -> HttpResponse:
    """The form of one note (GET; a dialog on the run's page), and its new text (POST)."""
    run = find_run(request, uid)
    found = _find(request, run, note)
    if request.method == "GET":
        return _show_form(request, run, found, found.text, "")
    text = read_text(request.POST, "text", MOST_READ)
    try:
        found.edit(text, by=request.actor)
    except NoteRefused as error:
        return _show_form(request, run, found, text, str(error))
    messages.success(request, "The note is changed.")
    return _back(run)


@require_POST
@needs(Role.SUPPORT)
def note_delete(request: MemberRequest, uid: str, note: UUID) -> HttpResponse:
    """Asked twice it is deleted once."""
    run = find_run(request, uid)
    found = _find(request, run, note, is_removed_too=True)
    if not found.is_removed:
        found.remove(by=request.actor)
    messages.success(request, "The note is deleted.")
    return _back(run)


def _find(request: MemberRequest, run: Run, wanted: UUID, *, is_removed_too: bool = False) -> RunNote:
    """A note that the reader may change. Raises Http404, PermissionDenied."""
    note: RunNote | None = RunNote.objects.of(request.tenant).on(run).filter(uuid=wanted).first()
    if note is None or (note.is_removed and not is_removed_too):
        raise Http404("There is no such note, or none any more.")
    if not note.is_removed and not note.may_be_changed_by(request.membership):
        raise PermissionDenied("Only who wrote a note, or an admin, may change it.")
    return note


def _show_form(request: MemberRequest, run: Run, note: RunNote | None, text: str, problem: str) -> HttpResponse:
    key = read_text(request.POST, "key", KEY_LENGTH)
    context = {"run": run, "note": note, "text": text, "problem": problem, "key": key, "most": TEXT_LENGTH}
    return render(request, "runs/note.html", context, status=422 if problem else 200)


def _back(run: Run) -> HttpResponse:
    return redirect(reverse("run_detail", args=[run.uid]) + "#notes")
