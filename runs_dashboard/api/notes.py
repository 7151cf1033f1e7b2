"""Notes that people write on a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from django.http import HttpResponse
from rest_framework.exceptions import PermissionDenied

from ..filter_fields import is_uuid
from ..models import NoteRefused, Role, RunNote, once
from .bodies import NoteBody
from .cursors import Page
from .errors import Invalid, NotThere
from .operations import IDEMPOTENCY_KEY, LOCATION, ApiView, Operation, answer, as_plain
from .representations import iso
from .small_pages import SMALL_PAGING, read_page

if TYPE_CHECKING:
    from rest_framework.request import Request

    from ..models import Run


class NoteShape(msgspec.Struct, rename="camel"):
    """A note. Of a deleted one there is no text any more."""

    id: str
    flow_run_id: str
    text: str | None
    author: int | None
    author_name: str | None
    created_at: str | None
    edited_at: str | None
    deleted_at: str | None


class NotePage(Page):
    items: list[NoteShape]


def show_note(note: RunNote, run: Run) -> NoteShape:
    return NoteShape(
        id=str(note.uuid),
        flow_run_id=run.uid,
        text=None if note.is_removed else note.text,
        author=note.author_id,
        author_name=note.author.display_name if note.author else None,
        created_at=iso(note.created_at),
        edited_at=iso(note.edited_at),
        deleted_at=iso(note.removed_at),
    )


class NotesView(ApiView):
    operations = {
        "get": Operation("List Notes", Role.VIEWER, parameters=SMALL_PAGING, answers={200: NotePage}, errors=(404,)),
        "post": Operation(
            "Write Note",
            Role.SUPPORT,
            headers=(IDEMPOTENCY_KEY,),
            body=NoteBody,
            is_body_required=True,
            answers={201: NoteShape},
            sends=(LOCATION,),
            errors=(404, 409),
        ),
    }

    def get(self, request: Request, run_id: str) -> HttpResponse:
        """A run's notes, the oldest first."""
        run = self.find_run(run_id)
        rows = RunNote.objects.of(self.tenant).on(run)
        notes, page = read_page(rows, self.query, scope=f"{self.tenant.pk}:notes:{run.pk}")
        page.items = [show_note(note, run) for note in notes]
        return answer(page)

    def post(self, request: Request, run_id: str) -> HttpResponse:
        run = self.find_run(run_id)
        body = self.read_body(NoteBody)

        def write() -> NoteShape:
            try:
                return show_note(RunNote.write(run, body.text, by=self.actor), run)
            except NoteRefused as refused:
                raise Invalid(str(refused), "body", "text") from None

        key = self.read_idempotency_key()
        shown, _ = once(self.tenant, f"note:{run.uid}", key, self.read_bytes(), as_plain(write))
        return answer(shown, 201, Location=f"/api/v1/flow-runs/{run.uid}/notes/{shown['id']}")


class NoteView(ApiView):
    operations = {
        "get": Operation("Get Note", Role.VIEWER, answers={200: NoteShape}, errors=(404,)),
        "patch": Operation(
            "Edit Note",
            Role.SUPPORT,
            body=NoteBody,
            is_body_required=True,
            answers={200: NoteShape},
            errors=(404,),
        ),
        "delete": Operation("Delete Note", Role.SUPPORT, answers={204: None}, errors=(404,)),
    }

    def get(self, request: Request, run_id: str, note_id: str) -> HttpResponse:
        run = self.find_run(run_id)
        return answer(show_note(self._find(run, note_id), run))

    def patch(self, request: Request, run_id: str, note_id: str) -> HttpResponse:
        run = self.find_run(run_id)
        body = self.read_body(NoteBody)
        note = self._find_own(run, note_id)
        try:
            note.edit(body.text, by=self.actor)
        except NoteRefused as refused:
            raise Invalid(str(refused), "body", "text") from None
        return answer(show_note(note, run))

    def delete(self, request: Request, run_id: str, note_id: str) -> HttpResponse:
        self._find_own(self.find_run(run_id), note_id).remove(by=self.actor)
        return HttpResponse(status=204)

    def _find(self, run: Run, note_id: str) -> RunNote:
        note: RunNote | None = None
        if is_uuid(note_id):
            note = RunNote.objects.of(self.tenant).on(run).filter(uuid=note_id).first()
        if note is None:
            raise NotThere
        return note

    def _find_own(self, run: Run, note_id: str) -> RunNote:
        """A note that the key may change. Raises NotThere for a deleted one, PermissionDenied."""
        note = self._find(run, note_id)
        if note.is_removed:
            raise NotThere
        if not note.may_be_changed_by(self.key):
            raise PermissionDenied("Only who wrote a note, or an admin, may change it.")
        return note
