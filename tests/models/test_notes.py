"""Notes on a run: who may change them, that each act is told once, and that they go with their run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runs_dashboard.models import AuditEntry, Membership, NoteRefused, Run, RunNote, Status
from runs_dashboard.models import note as note_module
from runs_dashboard.models.note import TEXT_LENGTH

from .runs import actor, make_flow, make_run

if TYPE_CHECKING:
    from runs_dashboard.models import Tenant, User


@pytest.fixture
def run(tenant: Tenant) -> Run:
    return make_run(make_flow(tenant), Status.FAILED)


def acts(run: Run) -> list[str]:
    return [one for one in run.audit.order_by("id").values_list("action", flat=True) if one.startswith("note.")]


def test_a_note_is_kept_as_it_was_written(run: Run, sue: User) -> None:
    note = RunNote.write(run, "  <b>one</b>  \r\ntwo\n\n", by=actor(sue))
    assert (note.text, note.author, note.edited_at) == ("<b>one</b>\ntwo", sue, None)
    assert acts(run) == ["note.write"]


@pytest.mark.parametrize("text", ["", " \n\t ", "x" * (TEXT_LENGTH + 1)])
def test_no_text_and_too_much_are_refused(run: Run, sue: User, text: str) -> None:
    with pytest.raises(NoteRefused):
        RunNote.write(run, text, by=actor(sue))
    assert not acts(run)


def test_what_a_database_refuses_is_replaced(run: Run, sue: User) -> None:
    assert (
        RunNote.write(run, "a\0b\ud800", by=actor(sue)).text == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}"
    )


def test_a_change_says_when_and_the_same_text_is_none(run: Run, sue: User) -> None:
    note = RunNote.write(run, "one", by=actor(sue))
    assert note.edit("two", by=actor(sue))
    assert not note.edit("two ", by=actor(sue))
    assert (note.text, note.edited_at is None) == ("two", False)
    assert acts(run) == ["note.write", "note.edit"]


def test_a_deleted_note_leaves_its_place_without_its_text(run: Run, sue: User, ada: User) -> None:
    note = RunNote.write(run, "secret", by=actor(sue))
    assert note.remove(by=actor(ada))
    assert not note.remove(by=actor(ada))
    assert (note.text, note.removed_by) == ("", ada)
    with pytest.raises(NoteRefused):
        note.edit("again", by=actor(sue))
    assert acts(run) == ["note.write", "note.delete"]
    assert "secret" not in str(list(AuditEntry.across_tenants.values_list("detail", flat=True)))


def test_its_author_and_an_admin_may_change_it_and_nobody_else(
    run: Run, tenant: Tenant, sue: User, oli: User, ada: User, vic: User
) -> None:
    note = RunNote.write(run, "one", by=actor(sue))
    of = {user: Membership.objects.of(tenant).get(user=user) for user in (sue, oli, ada, vic)}
    assert [note.may_be_changed_by(of[user]) for user in (sue, oli, ada, vic)] == [True, False, True, False]
    of[sue].role = "viewer"
    assert not note.may_be_changed_by(of[sue])
    note.remove(by=actor(sue))
    assert not note.may_be_changed_by(of[ada])


def test_a_run_has_so_many_notes_and_no_more(run: Run, sue: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(note_module, "NOTES_LIMIT", 2)
    first = RunNote.write(run, "one", by=actor(sue))
    RunNote.write(run, "two", by=actor(sue))
    with pytest.raises(NoteRefused):
        RunNote.write(run, "three", by=actor(sue))
    first.remove(by=actor(sue))
    RunNote.write(run, "three", by=actor(sue))


def test_notes_go_with_their_run(run: Run, sue: User) -> None:
    RunNote.write(run, "one", by=actor(sue))
    run.delete_whole(by=actor(sue))
    assert not RunNote.across_tenants.exists()
    with pytest.raises(NoteRefused):
        RunNote.write(run, "two", by=actor(sue))
