"""The retry dialog: what it offers, what it says of each choice, and that a preview does nothing."""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from runs_dashboard.models import Environment, Run, Status, Step

from ..models.runs import ENGINE, claim, make_flow, make_run
from .reading import Page

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client

    from runs_dashboard.models import Tenant, User

INPUTS = """
inputs:
  day: {type: string, format: date, required: true}
  rows: {type: integer, default: 5}
  ratio: {type: number}
  is_dry: {type: boolean, default: false}
  rules: {type: object}
  text: {type: string}
"""
STEPS = """
  - {id: fetch, component: command, with: {run: [echo], env: {DAY: "${{ inputs.day }}"}}}
  - {id: load, component: command, with: {run: [echo]}}
  - {id: send, component: command, with: {run: [echo]}}
"""
ARGS = {
    "day": "2026-03-01",
    "ratio": 5,
    "rules": {"drop": ["a", "b"], "most": 5},
    "text": "one\ntwo",
    "ticket": "OPS-1",
}


@pytest.fixture
def client(client_of: Callable[[User], Client], oli: User) -> Client:
    return client_of(oli)


@pytest.fixture
def run(tenant: Tenant) -> Run:
    """Failed at its second step of three."""
    run = claim(make_flow(tenant, extra=INPUTS, steps=STEPS).start(ARGS, trigger="manual", by=ENGINE))
    first, second, _ = run.version.parsed.steps
    Step.begin(run, first, position=0, attempt=1).end(Status.SUCCEEDED, outputs={"rows": 7})
    Step.begin(run, second, position=1, attempt=1).end(Status.FAILED, error="boom")
    return run.finish(Status.FAILED, token=run.token, error="boom", error_step="load")


def as_sent(page: Page) -> dict[str, str]:
    """The form as a browser would send it untouched."""
    sent = {}
    for field in page.find("input"):
        name, kind = field.attrs.get("name"), field.attrs.get("type")
        if name and (kind not in ("radio", "checkbox") or "checked" in field.attrs) and "csrf" not in name:
            sent[name] = field.attrs.get("value", "")
    for field in page.find("textarea"):
        # A browser drops the line's end after the tag, and sends others as CR LF.
        sent[field.attrs["name"]] = "".join(field.parts).removeprefix("\n").replace("\n", "\r\n")
    return sent


def seen(page: Page) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]*>", "", page.source)).split())


def says(page: Page) -> str:
    return page.one("span", id="retry-says").text


def preview(client: Client, run: Run, sent: dict[str, str], how: str = "page") -> Page:
    response = client.post(f"/runs/{run.uid}/retry/", sent | {"preview": how})
    assert response.status_code == 200
    assert not Run.across_tenants.filter(retried_run=run).exists()
    return Page(response)


def test_each_step_is_a_choice_or_says_why_it_is_none(client: Client, run: Run) -> None:
    page = Page(client.get(f"/runs/{run.uid}/retry/"))
    choices = {field.attrs["value"]: "disabled" in field.attrs for field in page.find("input", name="start_at")}
    assert choices == {"start": False, "failed": False, "fetch": False, "load": False, "send": True}
    assert "Step 'load' before it has not succeeded." in seen(page)
    assert says(page) == "2 steps, 1 kept."


def test_the_address_may_choose_the_step(client: Client, run: Run) -> None:
    page = Page(client.get(f"/runs/{run.uid}/retry/?start_at=fetch"))
    chosen = [field.attrs["value"] for field in page.find("input", name="start_at") if "checked" in field.attrs]
    assert chosen == ["fetch"]
    assert says(page) == "3 steps."
    refused = Page(client.get(f"/runs/{run.uid}/retry/?start_at=send"))
    assert "Step 'load' before it has not succeeded. It begins with the failed step." in seen(refused)
    assert Page(client.get(f"/runs/{run.uid}/retry/?start_at=%00<x>")).one("form", id="retry-form")


def test_an_untouched_form_changes_nothing(client: Client, run: Run, tenant: Tenant) -> None:
    sent = as_sent(Page(client.get(f"/runs/{run.uid}/retry/")))
    assert says(preview(client, run, sent)) == "2 steps, 1 kept."
    client.post(f"/runs/{run.uid}/retry/", sent)
    new = Run.objects.of(tenant).get(retried_run=run)
    assert new.args == run.args
    assert json.dumps(new.args, sort_keys=True) == json.dumps(run.args, sort_keys=True)
    assert run.audit.get(action="run.retry").detail == {"new_run": new.uid, "start_at": "failed"}


def test_a_preview_marks_what_is_changed_and_what_was_kept_of_the_old(client: Client, run: Run) -> None:
    sent = as_sent(Page(client.get(f"/runs/{run.uid}/retry/")))
    rules = json.dumps({"drop": ["a"], "most": 5}, indent=2)
    page = preview(client, run, sent | {"input.day": "2026-03-02", "input.rules": rules})
    assert says(page) == "2 steps with 2 changed inputs, 1 kept."
    assert [element.text for element in page.find("del")] == ["was 2026-03-01", '"a",', '"b"']
    assert "fetch used inputs.day" in seen(page)
    assert len([element for element in page.find("div") if "changed" in element.attrs.get("class", "").split()]) == 2
    whole = preview(client, run, sent | {"input.day": "2026-03-02", "start_at": "start"})
    assert says(whole) == "3 steps with 1 changed input."
    assert "fetch used" not in seen(whole)


def test_a_live_preview_is_the_parts_that_follow(client: Client, run: Run) -> None:
    sent = as_sent(Page(client.get(f"/runs/{run.uid}/retry/")))
    page = preview(client, run, sent | {"input.rows": "many"}, "live")
    assert says(page) == "not yet: 1 mistake above."
    assert "rows: not a whole number" in seen(page)
    assert not page.find("form")
    assert not page.find("fieldset")


def test_a_mistake_is_where_the_keyboard_begins(client: Client, run: Run) -> None:
    sent = as_sent(Page(client.get(f"/runs/{run.uid}/retry/")))
    response = client.post(f"/runs/{run.uid}/retry/", sent | {"input.rows": "many", "args": '{"a": 1,}'})
    assert response.status_code == 422
    page = Page(response)
    bad = [element for element in page.find("input") + page.find("textarea") if "aria-invalid" in element.attrs]
    assert [element.attrs["name"] for element in bad] == ["input.rows", "args"]
    assert [element.attrs["name"] for element in bad if "autofocus" in element.attrs] == ["input.rows"]
    assert any("not JSON" in element.text and "line 1" in element.text for element in page.find("p", role="alert"))


def test_other_args_are_changed_as_json(client: Client, run: Run, tenant: Tenant) -> None:
    sent = as_sent(Page(client.get(f"/runs/{run.uid}/retry/")))
    client.post(f"/runs/{run.uid}/retry/", sent | {"args": '{"ticket": "OPS-2", "day": "never"}'})
    new = Run.objects.of(tenant).get(retried_run=run)
    assert (new.args["ticket"], new.args["day"]) == ("OPS-2", "2026-03-01")


def newest(tenant: Tenant) -> None:
    extra = INPUTS.replace("  rows: {type: integer, default: 5}\n", "  target: {type: string, default: north}\n")
    steps = STEPS.replace(
        "{id: fetch, component: command, with: {run: [echo]", "{id: fetch, component: command, with: {run: [ls]"
    )
    make_flow(tenant, extra=extra, steps=steps + "  - {id: last, component: command, with: {run: [echo]}}\n")


def test_the_newest_version_brings_its_own_inputs_and_steps(client: Client, run: Run, tenant: Tenant) -> None:
    newest(tenant)
    first = Page(client.get(f"/runs/{run.uid}/retry/"))
    assert "steps: 1 changed, 1 added; other inputs" in seen(first)
    assert any(link.attrs["href"].endswith("versions/?from=1&to=2") for link in first.find("a"))
    sent = as_sent(first) | {"version": "newest", "input.day": "2026-03-09"}
    page = preview(client, run, sent, "live")
    assert page.one("input", name="input.target").attrs["value"] == "north"
    assert page.one("input", name="input.day").attrs["value"] == "2026-03-09"
    assert not page.find("input", name="input.rows")
    assert "v2 does not ask for rows any more" in seen(page)
    assert json.loads(page.one("textarea", name="args").text) == {"ticket": "OPS-1", "rows": 5}
    assert "v2 has changed fetch, whose result of v1 is kept." in seen(page)
    assert says(page) == "3 steps with 1 changed input, 1 kept, on v2."


def test_a_chosen_step_that_the_newest_version_lacks_is_said(client: Client, run: Run, tenant: Tenant) -> None:
    make_flow(tenant, extra=INPUTS, steps="  - {id: only, component: command, with: {run: [echo]}}\n")
    sent = as_sent(Page(client.get(f"/runs/{run.uid}/retry/?start_at=load")))
    page = preview(client, run, sent | {"version": "newest"})
    assert "There is no step 'load'. Steps: only. The whole run is chosen." in seen(page)
    response = client.post(f"/runs/{run.uid}/retry/", sent | {"version": "newest"})
    assert response.status_code == 409


def test_the_newest_environment_is_offered_where_there_is_one(client: Client, tenant: Tenant) -> None:
    environment = Environment.across_tenants.create(tenant=tenant, name="production")
    environment.publish({"HOST": "one", "PORT": "1"}, by=ENGINE)
    run = make_run(make_flow(tenant), Status.FAILED, environment="production")
    assert not Page(client.get(f"/runs/{run.uid}/retry/")).find("input", name="environment")
    environment.refresh_from_db()
    environment.publish({"HOST": "two", "PORT": "1"}, by=ENGINE)
    page = Page(client.get(f"/runs/{run.uid}/retry/"))
    assert "Differs in HOST." in seen(page)
    client.post(f"/runs/{run.uid}/retry/", {"start_at": "start", "environment": "newest"})
    assert Run.objects.of(tenant).get(retried_run=run).environment_version.number == 2


def test_a_kept_steps_outputs_are_changed_as_json(client: Client, run: Run, tenant: Tenant) -> None:
    sent = as_sent(Page(client.get(f"/runs/{run.uid}/retry/"))) | {"output.fetch": '{"rows": 8}'}
    page = preview(client, run, sent)
    assert says(page) == "2 steps with changed outputs of 1 step, 1 kept."
    assert "not used" in seen(preview(client, run, sent | {"start_at": "start"}))
    assert "Outputs of fetch: not JSON" in seen(preview(client, run, sent | {"output.fetch": "{"}, "live"))
    assert client.post(f"/runs/{run.uid}/retry/", sent | {"output.fetch": "[]"}).status_code == 422
    client.post(f"/runs/{run.uid}/retry/", sent)
    assert Run.objects.of(tenant).get(retried_run=run).steps.get().outputs == {"rows": 8}


def test_outputs_too_long_to_be_edited_are_left_alone(client: Client, run: Run, tenant: Tenant) -> None:
    run.steps.filter(slug="fetch").update(outputs={"body": "x" * 70_000})
    page = Page(client.get(f"/runs/{run.uid}/retry/"))
    assert not page.find("textarea", name="output.fetch")
    assert "too long to be changed here" in seen(page)
    client.post(f"/runs/{run.uid}/retry/", as_sent(page))
    assert len(Run.objects.of(tenant).get(retried_run=run).steps.get().outputs["body"]) == 70_000


def test_forty_inputs_and_a_long_one_come_through_unchanged(client: Client, tenant: Tenant) -> None:
    names = "\n".join(f"  input_{number}: {{type: string}}" for number in range(40))
    args = {f"input_{number}": "word " * 200 if number == 7 else f"value {number}" for number in range(40)}
    run = make_flow(tenant, "many", extra=f"inputs:\n{names}").start(args, trigger="manual", by=ENGINE)
    run = claim(run).finish(Status.FAILED, token=1, error="boom")
    sent = as_sent(Page(client.get(f"/runs/{run.uid}/retry/")))
    client.post(f"/runs/{run.uid}/retry/", sent)
    assert Run.objects.of(tenant).get(retried_run=run).args == args


def test_a_runs_retry_is_offered_at_the_log_of_a_step(client: Client, run: Run) -> None:
    addresses = [link.attrs["href"] for link in Page(client.get(f"/runs/{run.uid}/?step=load")).find("a")]
    assert f"/runs/{run.uid}/retry/?start_at=load" in addresses
    assert not any("/retry/" in link.attrs["href"] for link in Page(client.get(f"/runs/{run.uid}/")).find("a"))


@pytest.mark.parametrize(
    "sent",
    [
        {"drawn": "x", "version": "y"},
        {"start_at": "\0"},
        {"start_at": "x" * 10_000},
        {"output.nowhere": "{"},
        {"drawn": "newest", "version": "same", "args": "{"},
        {"output.fetch": "[" * 100_000, "start_at": "failed"},
        {"key": "\0" * 500, "preview": "live"},
        {"environment": "newest"},
    ],
)
@pytest.mark.parametrize("how", ["", "page", "live"])
def test_nonsense_is_answered(client: Client, run: Run, sent: dict[str, Any], how: str) -> None:
    response = client.post(
        f"/runs/{run.uid}/retry/", {"input.day": "2026-03-01"} | sent | ({"preview": how} if how else {})
    )
    assert response.status_code in (200, 302, 409, 422)


def test_of_very_many_steps_only_the_last_kept_ones_have_a_field(client: Client, tenant: Tenant) -> None:
    steps = "".join(f"  - {{id: step-{number}, component: command, with: {{run: [echo]}}}}\n" for number in range(60))
    run = claim(make_flow(tenant, "long", steps=steps).start({}, trigger="manual", by=ENGINE))
    for place, step in enumerate(run.version.parsed.steps[:50]):
        Step.begin(run, step, position=place, attempt=1).end(Status.SUCCEEDED, outputs={"rows": place})
    run = run.finish(Status.FAILED, token=run.token, error="boom", error_step="step-50")
    page = Page(client.get(f"/runs/{run.uid}/retry/"))
    edited = [field.attrs["name"] for field in page.find("textarea") if field.attrs["name"].startswith("output.")]
    assert edited == [f"output.step-{number}" for number in range(10, 50)]
    assert "the last 40 steps" in seen(page)
    client.post(f"/runs/{run.uid}/retry/", as_sent(page))
    kept = Run.objects.of(tenant).get(retried_run=run).steps
    assert [step.outputs["rows"] for step in kept.order_by("position")] == list(range(50))


def test_a_dialog_of_many_steps_asks_few_questions(
    client: Client, run: Run, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    sent = as_sent(Page(client.get(f"/runs/{run.uid}/retry/")))
    with django_assert_max_num_queries(20):
        client.get(f"/runs/{run.uid}/retry/")
    with django_assert_max_num_queries(20):
        preview(client, run, sent | {"input.day": "2026-03-02"}, "live")
