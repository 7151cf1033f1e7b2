"""What people do to a run from its page: stop, resume, retry, review, download."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runs_dashboard.models import AuditEntry, Download, Run, Status, Step

from ..models.runs import claim, make_flow, make_run
from .reading import Page

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client

    from runs_dashboard.models import Tenant, User

INPUTS = "inputs:\n  day: {type: string, format: date, required: true}\n  rows: {type: integer, default: 5}\n"


@pytest.fixture
def client(client_of: Callable[[User], Client], oli: User) -> Client:
    return client_of(oli)


@pytest.mark.parametrize("act", ["stop", "resume", "review", "download"])
def test_acts_are_posts(client: Client, tenant: Tenant, act: str) -> None:
    run = make_run(make_flow(tenant))
    assert client.get(f"/runs/{run.uid}/{act}/").status_code == 405


@pytest.mark.parametrize(
    ("act", "role", "status"),
    [
        ("stop", "sue", 403),
        ("resume", "sue", 403),
        ("retry", "sue", 403),
        ("review", "vic", 403),
        ("download", "vic", 403),
        *((act, "eve", 404) for act in ("stop", "resume", "retry", "review", "download")),
    ],
)
def test_who_has_not_the_right_changes_nothing(
    client_of: Callable[[User], Client],
    tenant: Tenant,
    request: pytest.FixtureRequest,
    act: str,
    role: str,
    status: int,
) -> None:
    run = make_run(make_flow(tenant), Status.FAILED if act in ("retry", "review") else Status.QUEUED)
    before = AuditEntry.objects.of(tenant).count()
    response = client_of(request.getfixturevalue(role)).post(f"/runs/{run.uid}/{act}/")
    assert response.status_code == status
    assert AuditEntry.objects.of(tenant).count() == before
    assert Run.objects.of(tenant).count() == 1


def test_stop_of_a_waiting_run_says_that_it_is_stopped(client: Client, tenant: Tenant) -> None:
    run = make_run(make_flow(tenant))
    response = client.post(f"/runs/{run.uid}/stop/", {"reason": "wrong day"}, follow=True)
    run.refresh_from_db()
    assert run.status == Status.STOPPED
    assert (run.stop_requested_by, run.stop_reason) == ("Oli", "wrong day")
    assert "Stopped: nothing of the run was alive." in response.content.decode()


def test_stop_of_a_running_run_is_a_request(client: Client, tenant: Tenant) -> None:
    run = make_run(make_flow(tenant), Status.RUNNING)
    page = Page(client.post(f"/runs/{run.uid}/stop/", follow=True))
    run.refresh_from_db()
    assert run.is_stopping
    assert page.by_id("answer").attrs["data-s"] == "stopping"  # type: ignore[union-attr]
    client.post(f"/runs/{run.uid}/stop/", {"force": "true"})
    run.refresh_from_db()
    assert run.is_stop_forced


def test_stop_of_an_ended_run_says_so(client: Client, tenant: Tenant) -> None:
    run = make_run(make_flow(tenant), Status.SUCCEEDED)
    response = client.post(f"/runs/{run.uid}/stop/", follow=True)
    assert "The run has succeeded already." in response.content.decode()


def test_resume_lets_a_paused_run_go_on(client: Client, tenant: Tenant) -> None:
    run = make_run(make_flow(tenant), Status.PAUSED)
    client.post(f"/runs/{run.uid}/resume/")
    run.refresh_from_db()
    assert run.status == Status.QUEUED
    again = client.post(f"/runs/{run.uid}/resume/", follow=True)
    assert "cannot become queued" in again.content.decode()


def test_review_marks_a_failed_run(client: Client, tenant: Tenant, oli: User) -> None:
    run = make_run(make_flow(tenant), Status.FAILED)
    page = Page(client.post(f"/runs/{run.uid}/review/", follow=True))
    run.refresh_from_db()
    assert run.reviewed_by == oli
    assert "Review" not in page.buttons


def test_download_asks_for_a_file_in_the_format_chosen(client: Client, tenant: Tenant) -> None:
    run = make_run(make_flow(tenant), Status.FAILED)
    assert client.post(f"/runs/{run.uid}/download/").headers["Location"] == "/downloads/"
    client.post(f"/runs/{run.uid}/download/", {"format": "raw"})
    assert sorted(Download.objects.of(tenant).values_list("format", "is_raw")) == [("txt", False), ("txt", True)]
    wrong = client.post(f"/runs/{run.uid}/download/", {"format": "exe"}, follow=True)
    assert "There is no format exe" in wrong.content.decode()


def test_what_the_page_shows_can_be_downloaded_or_the_whole_log(client: Client, tenant: Tenant) -> None:
    run = make_run(make_flow(tenant), Status.FAILED)
    page = Page(client.get(f"/runs/{run.uid}/?step=load&level=warning"))
    assert {"Whole log", "Download what is shown", "Support bundle"} <= set(page.buttons)
    shown = {"step": "load", "level": "warning", "stream": "stderr", "attempt": "2", "text": "disk"}
    for what in ("shown", "whole"):
        client.post(f"/runs/{run.uid}/download/", {**shown, "format": "csv", "what": what, "raw": "true"})
    part, whole = Download.objects.of(tenant).order_by("pk")
    levels = ["warning", "error", "critical"]
    assert part.filters == {"step": "load", "attempt": 2, "levels": levels, "stream": "stderr", "text": "disk"}
    assert (whole.filters, whole.is_raw) == ({}, True)

    plain = Page(client.get(f"/runs/{run.uid}/"))
    assert "Download what is shown" not in plain.buttons


def test_one_press_asks_for_the_support_bundle(client: Client, tenant: Tenant) -> None:
    run = make_run(make_flow(tenant), Status.FAILED)
    client.post(f"/runs/{run.uid}/download/", {"format": "bundle", "what": "shown", "step": "load"})
    (bundle,) = Download.objects.of(tenant)
    assert (bundle.format, bundle.filters) == ("bundle", {})


def failed_half_way(tenant: Tenant) -> Run:
    flow = make_flow(tenant, extra=INPUTS)
    run = claim(flow.start({"day": "2026-03-01", "extra": "kept"}, trigger="manual", by=_machine()))
    Step.begin(run, flow.definition.steps[0], position=0, attempt=1).end(Status.SUCCEEDED)
    return run.finish(Status.FAILED, token=run.token, error="boom", error_step="load")


def _machine() -> object:
    from ..models.runs import ENGINE

    return ENGINE


def test_the_retry_form_offers_what_can_be_kept_and_the_inputs(client: Client, tenant: Tenant) -> None:
    run = failed_half_way(tenant)
    page = Page(client.get(f"/runs/{run.uid}/retry/"))
    chosen = [element.attrs["value"] for element in page.find("input", type="radio") if "checked" in element.attrs]
    assert chosen == ["failed"]
    assert page.one("input", name="input.day").attrs["value"] == "2026-03-01"
    assert "1 kept, 1 runs from load." in " ".join(element.text for element in page.find("small"))
    assert "Retry" in page.buttons


def test_retry_from_the_failed_step_keeps_what_succeeded(client: Client, tenant: Tenant) -> None:
    run = failed_half_way(tenant)
    form = {"key": "k1", "start_at": "failed", "input.day": "2026-03-02", "input.rows": "7"}
    address = client.post(f"/runs/{run.uid}/retry/", form).headers["Location"]
    new = Run.objects.of(tenant).get(retried_run=run)
    assert address == f"/runs/{new.uid}/"
    assert new.args == {"day": "2026-03-02", "rows": 7, "extra": "kept"}
    assert [step.slug for step in new.steps.all()] == ["fetch"]
    assert new.created_by.username == "oli"


def test_a_retry_clicked_twice_is_one_retry(client: Client, tenant: Tenant) -> None:
    run = failed_half_way(tenant)
    form = {"key": "k1", "start_at": "start", "input.day": "2026-03-01"}
    first, second = (client.post(f"/runs/{run.uid}/retry/", form) for _ in range(2))
    assert first.headers["Location"] == second.headers["Location"]
    assert Run.objects.of(tenant).filter(retried_run=run).count() == 1
    changed = client.post(f"/runs/{run.uid}/retry/", form | {"input.day": "2026-03-09"})
    assert changed.status_code == 409
    assert Run.objects.of(tenant).filter(retried_run=run).count() == 1


def test_a_mistake_in_the_inputs_is_said_beside_its_field(client: Client, tenant: Tenant) -> None:
    run = failed_half_way(tenant)
    response = client.post(f"/runs/{run.uid}/retry/", {"key": "k1", "start_at": "start", "input.day": "soon"})
    assert response.status_code == 422
    page = Page(response)
    field = page.one("input", name="input.day")
    assert (field.attrs["value"], field.attrs["aria-invalid"]) == ("soon", "true")
    assert any("not a date" in element.text for element in page.find("p", role="alert"))
    assert page.one("input", name="key").attrs["value"] == "k1"


def test_the_newest_version_can_be_chosen(client: Client, tenant: Tenant) -> None:
    run = failed_half_way(tenant)
    make_flow(tenant, extra=INPUTS, steps="  - {id: only, component: command, with: {run: [echo]}}\n")
    assert "newest" in [
        element.attrs["value"] for element in Page(client.get(f"/runs/{run.uid}/retry/")).find("input", name="version")
    ]
    client.post(f"/runs/{run.uid}/retry/", {"start_at": "start", "version": "newest", "input.day": "2026-03-01"})
    assert Run.objects.of(tenant).get(retried_run=run).version.number == 2


@pytest.mark.parametrize("status", [Status.QUEUED, Status.RUNNING, Status.PAUSED])
def test_a_living_run_cannot_be_retried(client: Client, tenant: Tenant, status: Status) -> None:
    run = make_run(make_flow(tenant), status)
    page = Page(client.get(f"/runs/{run.uid}/retry/"))
    assert "Retry" not in page.buttons
    assert client.post(f"/runs/{run.uid}/retry/", {"start_at": "start"}).status_code == 409


@pytest.mark.parametrize("args", ["[1]", "{", '"x"', "[" * 100_000, '{"a": NaN}'])
def test_args_that_are_no_json_object_are_refused(client: Client, tenant: Tenant, args: str) -> None:
    run = make_run(make_flow(tenant), Status.FAILED)
    response = client.post(f"/runs/{run.uid}/retry/", {"start_at": "start", "args": args})
    assert response.status_code == 422
    assert Run.objects.of(tenant).count() == 1
