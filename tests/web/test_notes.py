"""Notes on a run's page: written, changed, deleted, seen by others, and safe twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runs_dashboard.models import Run, RunNote, Status

from ..models.runs import actor, make_flow, make_run
from .reading import Page

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client

    from runs_dashboard.models import Tenant, User


@pytest.fixture
def run(tenant: Tenant) -> Run:
    return make_run(make_flow(tenant), Status.FAILED)


@pytest.fixture
def client(client_of: Callable[[User], Client], sue: User) -> Client:
    return client_of(sue)


def test_a_note_written_by_the_form_stands_on_the_page(client: Client, run: Run) -> None:
    page = Page(client.get(f"/runs/{run.uid}/"))
    key = next(field.attrs["value"] for field in page.find("input", name="key") if len(field.attrs["value"]) == 32)
    sent = {"text": "Asked the shop: https://shop.example/12.\n<b>not bold</b>", "key": key}
    for _ in range(2):
        answer = client.post(f"/runs/{run.uid}/notes/write/", sent)
        assert answer["Location"] == f"/runs/{run.uid}/#notes"
    page = Page(client.get(f"/runs/{run.uid}/"))
    (note,) = page.find("p", class_="note-text")
    assert note.text == "Asked the shop: https://shop.example/12. <b>not bold</b>"
    assert page.links["https://shop.example/12"] == "https://shop.example/12"
    assert "Sue wrote a note" in page.source.replace("<b>", "").replace("</b>", "")


def test_the_same_key_with_another_text_is_refused_and_the_text_is_kept(client: Client, run: Run) -> None:
    client.post(f"/runs/{run.uid}/notes/write/", {"text": "one", "key": "k"})
    answer = client.post(f"/runs/{run.uid}/notes/write/", {"text": "two", "key": "k"})
    assert answer.status_code == 422
    assert Page(answer).one("textarea").text == "two"
    assert RunNote.across_tenants.get().text == "one"


@pytest.mark.parametrize("text", ["", "   ", "x" * 10_001])
def test_a_refused_note_says_why_and_keeps_what_was_written(client: Client, run: Run, text: str) -> None:
    answer = client.post(f"/runs/{run.uid}/notes/write/", {"text": text})
    assert answer.status_code == 422
    assert Page(answer).find("div", role="alert")
    assert Page(answer).one("textarea").text == text.strip()


def test_with_scripts_the_answer_is_the_notes_with_a_new_key(client: Client, run: Run) -> None:
    answer = client.post(f"/runs/{run.uid}/notes/write/", {"text": "one", "key": "k"}, headers={"HX-Request": "true"})
    page = Page(answer)
    assert page.by_id("notes") is not None
    assert not page.find("main")
    assert page.one("input", name="key").attrs["value"] != "k"


def test_an_open_page_hears_of_others_notes_and_only_of_them(
    client: Client, client_of: Callable[[User], Client], run: Run, vic: User, oli: User
) -> None:
    reader = client_of(vic)
    address = Page(reader.get(f"/runs/{run.uid}/")).one("ol", id="note-list").attrs["hx-get"]
    assert reader.get(address).status_code == 204
    note = RunNote.write(run, "one", by=actor(oli))
    for act in (lambda: None, lambda: note.edit("two", by=actor(oli)), lambda: note.remove(by=actor(oli))):
        act()
        page = Page(reader.get(address))
        address = page.one("ol").attrs["hx-get"]
        assert reader.get(address).status_code == 204
        assert not page.find("textarea"), "a poll never touches a form"
    assert "was deleted by Oli" in page.one("ol").text


def test_only_who_may_change_a_note_is_offered_it(
    client_of: Callable[[User], Client], run: Run, sue: User, oli: User, ada: User, vic: User
) -> None:
    note = RunNote.write(run, "one", by=actor(sue))
    address = f"/runs/{run.uid}/notes/{note.uuid}/"
    for user, may in ((sue, True), (oli, False), (ada, True), (vic, False)):
        client = client_of(user)
        page = Page(client.get(f"/runs/{run.uid}/"))
        assert ("Edit" in page.links) == may
        assert ("Add note" in page.buttons) == (user is not vic)
        assert (client.get(address).status_code == 200) == may
        if not may:
            assert client.post(address, {"text": "two"}).status_code == 403
            assert client.post(f"{address}delete/").status_code == 403


def test_a_note_is_changed_and_deleted_by_its_form(client: Client, run: Run, sue: User) -> None:
    note = RunNote.write(run, "one", by=actor(sue))
    address = f"/runs/{run.uid}/notes/{note.uuid}/"
    assert Page(client.get(address)).one("textarea").text == "one"
    assert client.post(address, {"text": "two"}).status_code == 302
    assert client.post(address, {"text": ""}).status_code == 422
    assert "two" in Page(client.get(f"/runs/{run.uid}/")).one("p", class_="note-text").text
    for _ in range(2):
        assert client.post(f"{address}delete/").status_code == 302
    assert client.get(address).status_code == 404
    assert client.post(address, {"text": "three"}).status_code == 404


def test_another_tenants_notes_are_as_those_that_do_not_exist(
    client_of: Callable[[User], Client], run: Run, sue: User, eve: User
) -> None:
    note = RunNote.write(run, "one", by=actor(sue))
    client = client_of(eve)
    assert client.get(f"/runs/{run.uid}/notes/").status_code == 404
    assert client.post(f"/runs/{run.uid}/notes/write/", {"text": "x"}).status_code == 404
    assert client.get(f"/runs/{run.uid}/notes/{note.uuid}/").status_code == 404
    assert client.post(f"/runs/{run.uid}/notes/{note.uuid}/delete/").status_code == 404


def test_a_run_with_notes_says_so_in_the_list(client: Client, run: Run, sue: User) -> None:
    make_run(run.flow, Status.FAILED)
    for _ in range(2):
        RunNote.write(run, "Asked the shop.", by=actor(sue))
    removed = RunNote.write(run, "Wrong run.", by=actor(sue))
    removed.remove(by=actor(sue))
    (sign,) = Page(client.get("/runs/")).find("span", class_="noted")
    assert sign.attrs["title"] == "2 notes"
    for note in RunNote.objects.of(run.tenant).filter(removed_at=None):
        note.remove(by=actor(sue))
    assert not Page(client.get("/runs/")).find("span", class_="noted")
