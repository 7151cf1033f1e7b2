"""Notes on a run by the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runs_dashboard.models import RunNote

if TYPE_CHECKING:
    from collections.abc import Callable

    from runs_dashboard.models import Run, User

    from .world import Caller


def test_a_note_is_written_read_changed_and_deleted(
    caller_of: Callable[[User], Caller], ended_run: Run, sue: User
) -> None:
    sues = caller_of(sue)
    notes = f"/api/v1/flow-runs/{ended_run.uid}/notes"
    made = sues.post(notes, {"text": "one"})
    assert made.status_code == 201
    assert made["Location"] == f"{notes}/{made.json()['id']}"
    where = made["Location"]
    assert sues.get(where).json() == made.json()
    assert (made.json()["author"], made.json()["authorName"]) == (sue.pk, "Sue")
    assert sues.patch(where, {"text": "two"}).json()["text"] == "two"
    assert [note["text"] for note in sues.get(notes).json()["items"]] == ["two"]
    assert sues.delete(where).status_code == 204
    assert sues.delete(where).status_code == 404
    (left,) = sues.get(notes).json()["items"]
    assert (left["text"], left["deletedAt"] is None) == (None, False)


def test_the_same_key_writes_one_note(caller_of: Callable[[User], Caller], ended_run: Run, sue: User) -> None:
    sues, notes = caller_of(sue), f"/api/v1/flow-runs/{ended_run.uid}/notes"
    answers = [sues.post(notes, {"text": "one"}, headers={"Idempotency-Key": "k"}).json() for _ in range(2)]
    assert answers[0] == answers[1]
    assert RunNote.across_tenants.count() == 1
    assert sues.post(notes, {"text": "two"}, headers={"Idempotency-Key": "k"}).status_code == 422


def test_only_its_author_or_an_admin_changes_a_note(
    caller_of: Callable[[User], Caller], ended_run: Run, sue: User, oli: User, ada: User
) -> None:
    where = caller_of(sue).post(f"/api/v1/flow-runs/{ended_run.uid}/notes", {"text": "one"})["Location"]
    for method in ("PATCH", "DELETE"):
        assert caller_of(oli).call(method, where, {"text": "x"} if method == "PATCH" else None).status_code == 403
    assert caller_of(ada).patch(where, {"text": "two"}).status_code == 200
    assert caller_of(ada).delete(where).status_code == 204


def test_an_empty_note_is_refused(caller_of: Callable[[User], Caller], ended_run: Run, sue: User) -> None:
    notes = f"/api/v1/flow-runs/{ended_run.uid}/notes"
    for text in ("", "  \n"):
        answer = caller_of(sue).post(notes, {"text": text})
        assert answer.status_code == 422
        assert answer.json()["detail"][0]["loc"] == ["body", "text"]
