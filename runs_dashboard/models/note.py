"""Notes that people write on a run: what was found, who is asked, what to do next time."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Self

from django.db import models, transaction
from django.utils import timezone

from ..text.clean import clean
from .audit import Actor, AuditEntry
from .tenant import TenantQuerySet, TenantRow, tenant_managers
from .user import Role

if TYPE_CHECKING:
    from collections.abc import Collection

    from .key import ApiKey
    from .run import Run
    from .user import Membership

TEXT_LENGTH = 10_000  # characters
NOTES_LIMIT = 500  # on one run


class NoteRefused(Exception):
    """The note cannot be kept so; the text says why."""


class NoteQuerySet(TenantQuerySet):
    def on(self, run: Run) -> Self:
        """A run's notes in their order, those that were deleted too."""
        return self.filter(run=run).select_related("author", "removed_by").order_by("id")


class RunNote(TenantRow):
    """Plain text. A deleted note leaves its row without its text, so that an answer to it does not stand alone."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    run = models.ForeignKey("Run", on_delete=models.CASCADE, related_name="notes", db_index=False)
    author = models.ForeignKey(
        "User", null=True, blank=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    text = models.TextField(max_length=TEXT_LENGTH, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    edited_at = models.DateTimeField(null=True, blank=True)
    removed_at = models.DateTimeField(null=True, blank=True)
    removed_by = models.ForeignKey(
        "User", null=True, blank=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )

    objects, across_tenants = tenant_managers(NoteQuerySet)

    class Meta(TenantRow.Meta):
        verbose_name = "note"
        indexes = [models.Index(fields=["run", "id"], name="note_of_run")]

    def __str__(self) -> str:
        return self.text[:60] or "deleted"

    # --- questions ----------------------------------------------------------------------------------------------

    @property
    def is_removed(self) -> bool:
        return self.removed_at is not None

    def may_be_changed_by(self, who: Membership | ApiKey) -> bool:
        """Its author may, as long as they may write at all, and an admin."""
        is_own = self.author_id is not None and self.author_id == who.user_id
        return not self.is_removed and ((is_own and who.may(Role.SUPPORT)) or who.may(Role.ADMIN))

    # --- verbs --------------------------------------------------------------------------------------------------

    @classmethod
    def write(cls, run: Run, text: str, *, by: Actor) -> RunNote:
        """A new note on a run. Raises NoteRefused."""
        text = read_note(text)
        with transaction.atomic():
            # The run's row is locked: of two who write at once the second counts the first one's note.
            rows = type(run).across_tenants.select_for_update().filter(pk=run.pk, removing_at=None)
            if not rows.values_list("pk", flat=True):
                raise NoteRefused("The run is gone: it was deleted.")
            if cls.across_tenants.filter(run=run, removed_at=None).count() >= NOTES_LIMIT:
                raise NoteRefused(f"The run has {NOTES_LIMIT} notes: delete one that is of no use any more.")
            note: RunNote = cls.across_tenants.create(tenant_id=run.tenant_id, run=run, author=by.user, text=text)
            AuditEntry.record("note.write", note, by=by, run=run, length=len(text))
        return note

    def edit(self, text: str, *, by: Actor) -> bool:
        """Writes another text; False if it is the same. Raises NoteRefused, for a deleted note too."""
        text = read_note(text)
        now = timezone.now()
        with transaction.atomic():
            rows = type(self).across_tenants.filter(pk=self.pk, removed_at=None)
            is_changed = bool(rows.exclude(text=text).update(text=text, edited_at=now))
            if is_changed:
                AuditEntry.record("note.edit", self, by=by, run=self.run, length=len(text))
            elif not rows.exists():
                raise NoteRefused("The note was deleted: it cannot be changed any more.")
        self.refresh_from_db()
        return is_changed

    def remove(self, *, by: Actor) -> bool:
        """Deletes its text; False if that was done already."""
        changes: dict[str, Any] = {"text": "", "removed_at": timezone.now(), "removed_by": by.user}
        with transaction.atomic():
            if not type(self).across_tenants.filter(pk=self.pk, removed_at=None).update(**changes):
                return False
            AuditEntry.record("note.delete", self, by=by, run=self.run)
        self.refresh_from_db()
        return True

    edit.alters_data = remove.alters_data = True  # type: ignore[attr-defined]


def read_note(text: str) -> str:
    """A note's text as it is kept. Raises NoteRefused for none, and for too much."""
    text = "\n".join(
        line.rstrip() for line in clean(text).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    ).strip()
    if not text:
        raise NoteRefused("A note needs a text.")
    if len(text) > TEXT_LENGTH:
        raise NoteRefused(f"A note has at most {TEXT_LENGTH:,} characters; this one has {len(text):,}.")
    return text


def count_notes(runs: Collection[int]) -> dict[int, int]:
    """Of runs (primary keys, known to be one tenant's): how many notes each has, of those that have any."""
    if not runs:
        return {}
    notes = RunNote.across_tenants.filter(run__in=runs, removed_at=None).order_by()
    return dict(notes.values("run").annotate(notes=models.Count("pk")).values_list("run", "notes"))
