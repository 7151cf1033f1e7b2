"""The notes on a run as its page shows them."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..models import RunNote

if TYPE_CHECKING:
    from ..models import Membership, Run


@dataclass(frozen=True)
class ShownNote:
    """may_change: whether the reader may edit and delete it."""

    note: RunNote
    may_change: bool


@dataclass(frozen=True)
class Notes:
    """stamp: another one whenever something else is to be shown; key: of the next note that the reader writes."""

    notes: list[ShownNote]
    stamp: str
    key: str

    @property
    def count(self) -> int:
        return sum(1 for shown in self.notes if not shown.note.is_removed)


def read_notes(run: Run, membership: Membership) -> Notes:
    """All notes of a run, the oldest first."""
    found = list(RunNote.objects.of(run.tenant_id).on(run))
    times = [max(filter(None, (note.created_at, note.edited_at, note.removed_at))) for note in found]
    stamp = f"{len(found)}-{int(max(times).timestamp() * 1000)}" if found else "0"
    return Notes([ShownNote(note, note.may_be_changed_by(membership)) for note in found], stamp, uuid.uuid4().hex)
