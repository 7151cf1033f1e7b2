"""Everything that matches a filter: what is shown before, while and after something is done to it."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from runs_dashboard.models import (
    AuditEntry,
    BulkAction,
    Run,
    Status,
    Worker,
    bulk_action,
    bulk_preview,
    settle_failures,
)

from ..models.bulk import ask, make_failed, work, work_off
from ..models.runs import actor, make_flow, make_run
from .making import make_history
from .reading import Page

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client

    from runs_dashboard.models import Tenant, User

PREVIEW = "/bulk/new/?act=retry&status=failed"
INPUTS = """inputs:
  day: {type: string, format: date, required: true}
  level: {type: integer, default: 2}
  dry: {type: boolean}"""


@pytest.fixture
def client(client_of: Callable[[User], Client], oli: User) -> Client:
    return client_of(oli)


def form_of(page: Page) -> dict[str, Any]:
    """What the preview's form sends."""
    fields = [e.attrs for e in page.find("input") if e.attrs.get("type") in ("hidden", "number")]
    return {attrs["name"]: attrs["value"] for attrs in fields if "name" in attrs}


def test_a_preview_says_which_and_how_many_and_does_nothing(client: Client, tenant: Tenant, oli: User) -> None:
    runs = make_failed(tenant, 12)
    runs[0].retry(by=actor(oli))
    make_history(make_flow(tenant, "other"), 3)
    page = Page(client.get(f"{PREVIEW}&flow=orders"))
    assert page.one("h1").text == "Retry all that match"
    assert "12 runs with status failed, flow orders." in page.text
    assert "1 retried already: left as it is." in page.text
    assert "Retry 11 runs" in page.buttons
    assert len([e for e in page.find("tr") if e.attrs.get("id", "").startswith("run-")]) == 10
    assert not page.find("input", name="run"), "a sample cannot be ticked"
    assert not BulkAction.across_tenants.exists()
    assert page.title.startswith("Retry 12 runs?")


def test_what_the_preview_counted_is_what_is_done(client: Client, tenant: Tenant, oli: User) -> None:
    make_failed(tenant, 5)
    form = form_of(Page(client.get(PREVIEW)))
    answers = [client.post("/bulk/new/", {**form, "start_at": "start", "per_second": "7"}) for _ in range(2)]
    action = BulkAction.across_tenants.get()
    assert [answer["Location"] for answer in answers] == [f"/bulk/{action.uuid}/"] * 2, "sent twice it is one"
    assert (action.total, action.start_at, action.per_second) == (5, "start", 7)
    assert (action.created_by, action.query, action.pairs) == (oli, "status:failed", [["status", "failed"]])
    entry = AuditEntry.objects.of(tenant).get(action="bulk.retry")
    assert (entry.actor, entry.object_id, entry.detail) == (oli, action.uid, {"query": "status:failed", "total": 5})


def make_dated(tenant: Tenant, oli: User) -> None:
    """Two failed runs of a flow with inputs, which has a newer version."""
    old = make_flow(tenant, "dated", extra=INPUTS)
    for day in (1, 2):
        old.start({"day": f"2026-11-0{day}", "level": 1}, trigger="manual", by=actor(oli))
    Run.objects.of(tenant).update(status=Status.FAILED, finished_at=timezone.now())
    make_flow(tenant, "dated", extra=INPUTS, steps="  - {id: only, component: command, with: {run: [echo, only]}}\n")


def test_all_are_retried_with_changed_inputs_in_the_newest_version(client: Client, tenant: Tenant, oli: User) -> None:
    make_dated(tenant, oli)
    page = Page(client.get(PREVIEW))
    assert "2 of 2 ran an older one" in page.text
    assert "Environment" not in [e.text for e in page.find("legend")], "they ran in none"
    names = [e.attrs["name"] for kind in ("input", "select", "textarea") for e in page.find(kind) if "name" in e.attrs]
    assert {"input.day", "input.level", "input.dry", "args", "of"} <= set(names)
    assert all(e.attrs.get("value") == "" for e in page.find("input") if e.attrs.get("name", "").startswith("input."))
    form = {**form_of(page), "version": "newest", "input.day": "", "input.level": "3", "input.dry": "off"}

    answer = client.post("/bulk/new/", {**form, "args": '{"note": "by hand"}'})

    action = BulkAction.across_tenants.get()
    assert (action.is_newest, action.changes) == (True, {"note": "by hand", "level": 3, "dry": False})
    new = [result.new_run for result in work_off(action).results.order_by("id")]
    more = {"level": 3, "dry": False, "note": "by hand"}
    assert [run.args for run in new if run] == [{"day": f"2026-11-0{day}", **more} for day in (1, 2)]
    assert {run.version.number for run in new if run} == {2}
    said = Page(client.get(answer["Location"])).text
    assert "in the newest version of its flow" in said
    assert "level = 3" in said


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"input.level": "high"}, "not a whole number"),
        ({"input.day": "tomorrow"}, "not a date"),
        ({"args": "{"}, "not JSON"),
        ({"args": "[1]"}, "not a JSON object"),
    ],
)
def test_a_change_that_cannot_be_read_is_told_beside_its_field(
    client: Client, tenant: Tenant, oli: User, sent: dict[str, str], said: str
) -> None:
    make_dated(tenant, oli)
    response = client.post("/bulk/new/", {**form_of(Page(client.get(PREVIEW))), "version": "newest", **sent})
    page = Page(response)
    assert (response.status_code, BulkAction.across_tenants.exists()) == (422, False)
    assert said in page.one("p", class_="bad").text
    (value,) = sent.values()
    assert value in page.source.replace("&quot;", '"')
    assert page.one("input", name="version", value="newest").attrs.get("checked") is not None


def test_runs_of_several_flows_have_their_changes_as_json(client: Client, tenant: Tenant, oli: User) -> None:
    make_dated(tenant, oli)
    make_failed(tenant, 1)
    page = Page(client.get(PREVIEW))
    assert not page.find("input", name="of")
    assert page.one("textarea", name="args").text == ""
    assert "The newest of its flow" in page.text


def test_more_than_was_shown_is_asked_about_again(client: Client, tenant: Tenant) -> None:
    make_failed(tenant, 5)
    form = form_of(Page(client.get(PREVIEW)))
    make_run(make_flow(tenant), Status.FAILED)
    response = client.post("/bulk/new/", form)
    page = Page(response)
    assert response.status_code == 422
    assert "6 runs match now, more than the 5 that were agreed to" in page.text
    assert client.post("/bulk/new/", form_of(page)).status_code == 302


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("act=retry", "Filter the run list first"),
        ("act=retry&view=all&sort=started_at", "Filter the run list first"),
        ("act=delete&status=failed", "There is no such act"),
        ("status=failed", "There is no such act"),
        ("act=retry&status=broken", "The filter could not be read"),
        ("act=retry&started_after=soon", "The filter could not be read"),
    ],
)
@pytest.mark.parametrize("method", ["get", "post"])
def test_what_is_no_question_is_refused_with_a_way_back(
    client: Client, tenant: Tenant, query: str, said: str, method: str
) -> None:
    make_failed(tenant, 2)
    data = dict(part.split("=") for part in query.split("&"))
    response = getattr(client, method)("/bulk/new/", data)
    page = Page(response)
    assert response.status_code == 422
    assert said in page.text
    assert page.find("a", href="/runs/?view=all")
    assert not BulkAction.across_tenants.exists()


@pytest.mark.parametrize("pace", ["0", "51", "-1", "1.5", "x", "9" * 40, "²"])
def test_a_pace_out_of_its_bounds_is_refused_and_stays_in_its_field(client: Client, tenant: Tenant, pace: str) -> None:
    make_failed(tenant, 2)
    response = client.post("/bulk/new/", {**form_of(Page(client.get(PREVIEW))), "per_second": pace})
    assert response.status_code == 422
    assert "from 1 to 50" in Page(response).text
    assert not BulkAction.across_tenants.exists()


def test_too_many_are_said_with_what_to_do(client: Client, tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    make_failed(tenant, 4)
    for module in (bulk_action, bulk_preview):
        monkeypatch.setattr(module, "MOST_RUNS", 3)
    page = Page(client.get(PREVIEW))
    assert "Narrow the filter" in page.text
    assert not [button for button in page.buttons if button.startswith("Retry")]
    assert "More than 3 runs match" in Page(client.post("/bulk/new/", {"act": "retry", "status": "failed"})).text


def test_where_nothing_can_be_done_there_is_no_button(client: Client, tenant: Tenant, oli: User) -> None:
    assert "No run matches this filter now" in Page(client.get(PREVIEW)).text
    make_run(make_flow(tenant), Status.FAILED).retry(by=actor(oli))
    page = Page(client.get(PREVIEW))
    assert "There is nothing left to retry." in page.text
    assert not [button for button in page.buttons if button.startswith("Retry")]


@pytest.mark.parametrize(("act", "words"), [("stop", "Stop 2 runs"), ("review", "Review 2 runs")])
def test_other_acts_have_no_pace(client: Client, tenant: Tenant, act: str, words: str) -> None:
    flow = make_flow(tenant)
    for _ in range(2):
        make_run(flow, Status.FAILED if act == "review" else Status.RUNNING)
    page = Page(client.get(f"/bulk/new/?act={act}&flow=orders"))
    assert words in page.buttons
    assert not page.find("input", name="per_second")
    client.post("/bulk/new/", form_of(page))
    work(timezone.now() + timedelta(seconds=1))
    assert BulkAction.across_tenants.get().done == 2


@pytest.mark.parametrize(
    ("person", "act", "status"), [("vic", "review", 403), ("sue", "retry", 403), ("sue", "stop", 403)]
)
def test_who_may_not_do_it_to_one_may_not_to_many(
    client_of: Callable[[User], Client],
    tenant: Tenant,
    oli: User,
    request: pytest.FixtureRequest,
    person: str,
    act: str,
    status: int,
) -> None:
    make_failed(tenant, 2)
    client = client_of(request.getfixturevalue(person))
    form = {"act": act, "status": "failed"}
    assert client.get("/bulk/new/", form).status_code == status
    assert client.post("/bulk/new/", form).status_code == status
    action = ask(tenant, oli, act)
    assert client.post(f"/bulk/{action.uuid}/abort/").status_code == status
    assert client.get(f"/bulk/{action.uuid}/").status_code == 200
    assert "Abort" not in Page(client.get(f"/bulk/{action.uuid}/")).buttons


def test_an_action_shows_how_far_it_is_until_it_is_over(client: Client, tenant: Tenant, oli: User) -> None:
    runs = make_failed(tenant, 4)
    runs[1].retry(by=actor(oli))
    action = ask(tenant, oli, per_second=1)
    address = f"/bulk/{action.uuid}/"
    page = Page(client.get(address))
    assert page.title == "0 % · Retry 4 runs"
    assert "No worker is alive" in page.text
    Worker.objects.create(name="w1", host="h", pid=1, slots=1, seen_at=timezone.now())
    now = timezone.now()
    for second in range(2):
        work(now + timedelta(seconds=second))
    page = Page(client.get(f"/live{address}"))
    assert page.title == "50 % · Retry 4 runs"
    assert "No worker is alive" not in page.text
    assert "1 refused: It was retried already." in page.text
    assert "hx-get" in page.one("div", id="bulk-poll").attrs
    assert "Abort" in page.buttons
    work_off(action)
    page = Page(client.get(f"/live{address}"))
    assert page.title == "Done: Retry 4 runs"
    assert "hx-get" not in page.one("div", id="bulk-poll").attrs
    assert "Abort" not in page.buttons
    new = Run.objects.of(tenant).filter(retried_run=runs[0]).get()
    page = Page(client.get(address))
    assert page.find("a", href=f"/runs/{new.uid}/")
    assert page.find("a", href=f"/runs/{runs[1].uid}/")
    only = Page(client.get(f"{address}?outcome=refused"))
    assert [e.attrs["id"] for e in only.find("tr") if "id" in e.attrs] == [
        f"result-{action.results.get(outcome='refused').pk}"
    ]


def test_outcomes_are_paged_by_key(client: Client, tenant: Tenant, oli: User) -> None:
    make_failed(tenant, 60)
    action = ask(tenant, oli, "review")
    work_off(action)
    first = Page(client.get(f"/bulk/{action.uuid}/"))
    shown = [e.attrs["id"] for e in first.find("tr") if "id" in e.attrs]
    (more,) = [e.attrs["href"] for e in first.find("a") if "after=" in e.attrs.get("href", "")]
    rest = Page(client.get(f"/bulk/{action.uuid}/{more}"))
    shown += [e.attrs["id"] for e in rest.find("tr") if "id" in e.attrs]
    assert shown == [f"result-{pk}" for pk in action.results.order_by("pk").values_list("pk", flat=True)]
    for strange in ("after=x", "after=" + "9" * 30, "outcome=%00", "after=%00"):
        assert client.get(f"/bulk/{action.uuid}/?{strange}").status_code == 200


def test_an_abort_is_a_button_and_says_what_is_done(client: Client, tenant: Tenant, oli: User) -> None:
    make_failed(tenant, 3)
    action = ask(tenant, oli, per_second=1)
    work()
    page = Page(client.post(f"/bulk/{action.uuid}/abort/", follow=True))
    assert "Aborted: 1 done before, 2 not begun." in page.text
    assert page.title == "Aborted: Retry 3 runs"
    assert "is over" in Page(client.post(f"/bulk/{action.uuid}/abort/", follow=True)).text


def test_the_actions_are_listed_newest_first_by_pages(client: Client, tenant: Tenant, oli: User) -> None:
    assert "No bulk action yet" in Page(client.get("/bulk/")).text
    make_failed(tenant, 1)
    made = [ask(tenant, oli, "review") for _ in range(55)]
    first = Page(client.get("/bulk/"))
    assert "hx-get" in first.one("div", id="bulk-actions").attrs
    shown = [e.attrs["id"] for e in first.find("li") if e.attrs.get("id", "").startswith("bulk-")]
    (older,) = [e.attrs["href"] for e in first.find("a") if "before=" in e.attrs.get("href", "")]
    rest = Page(client.get(f"/bulk/{older}"))
    shown += [e.attrs["id"] for e in rest.find("li") if e.attrs.get("id", "").startswith("bulk-")]
    assert shown == [f"bulk-{action.uuid}" for action in reversed(made)]
    for action in made:
        action.abort(by=actor(oli))
    assert "hx-get" not in Page(client.get("/live/bulk/")).one("div", id="bulk-actions").attrs


def test_the_outcomes_are_a_file_too(client: Client, tenant: Tenant, oli: User) -> None:
    runs = make_failed(tenant, 2)
    action = work_off(ask(tenant, oli, uids=[runs[0].uid, "=1+1", runs[1].uid]))
    response = client.get(f"/bulk/{action.uuid}/results.csv")
    rows = list(csv.DictReader(io.StringIO(response.content.decode())))
    assert [(row["run"], row["outcome"]) for row in rows] == [
        (runs[0].uid, "done"),
        ("'=1+1", "refused"),
        (runs[1].uid, "done"),
    ]
    assert rows[0]["new_run"] == Run.objects.of(tenant).get(retried_run=runs[0]).uid
    assert AuditEntry.objects.of(tenant).filter(action="bulk.download", object_id=action.uid).count() == 1


def test_anothers_action_is_not_there(
    client_of: Callable[[User], Client], tenant: Tenant, oli: User, eve: User
) -> None:
    make_failed(tenant, 1)
    action = ask(tenant, oli)
    eves = client_of(eve)
    for address in (f"/bulk/{action.uuid}/", f"/live/bulk/{action.uuid}/", f"/bulk/{action.uuid}/results.csv"):
        assert eves.get(address).status_code == 404
    assert eves.post(f"/bulk/{action.uuid}/abort/").status_code == 404
    assert str(action.uuid) not in eves.get("/bulk/").content.decode()


def test_the_run_list_leads_to_all_that_match(client: Client, client_of: Any, tenant: Tenant, vic: User) -> None:
    make_failed(tenant, 60)
    page = Page(client.get("/runs/?status=failed"))
    links = [e.attrs["href"] for e in page.find("a") if e.attrs.get("href", "").startswith("/bulk/new/")]
    assert links == [f"/bulk/new/?act={act}&status=failed" for act in ("retry", "stop", "review")] * 2
    assert "Retry all 60 that match…" in page.text
    assert page.find("a", href="/bulk/")
    bare = Page(client.get("/runs/?view=all"))
    assert "Filter the list first" in bare.text
    assert not [e for e in bare.find("a") if e.attrs.get("href", "").startswith("/bulk/new/")]
    theirs = Page(client_of(vic).get("/runs/?status=failed"))
    assert not [e for e in theirs.find("a") if e.attrs.get("href", "").startswith("/bulk/new/")]
    assert theirs.find("a", href="/bulk/")


def test_ticked_runs_go_the_same_way_and_lead_to_their_action(client: Client, tenant: Tenant) -> None:
    runs = make_failed(tenant, 3)
    form = {"act": "retry", "run": [run.uid for run in runs], "key": "k"}
    page = Page(client.post("/bulk/runs/", form, follow=True))
    action = BulkAction.across_tenants.get()
    assert (action.status, action.done, action.query) == ("done", 3, "")
    assert page.one("a", href=f"/bulk/{action.uuid}/").text == "See what was done"
    assert "runs that were chosen one by one" in Page(client.get(f"/bulk/{action.uuid}/")).text


def test_these_pages_ask_the_same_however_many_runs_there_are(
    client: Client, tenant: Tenant, oli: User, django_assert_max_num_queries: Any
) -> None:
    make_failed(tenant, 200)
    action = work_off(ask(tenant, oli, "review"))
    client.get("/bulk/")
    with django_assert_max_num_queries(12):
        client.get("/bulk/new/?act=retry&status=failed")
    with django_assert_max_num_queries(9):
        client.get(f"/bulk/{action.uuid}/")
    with django_assert_max_num_queries(5):
        client.get("/bulk/")
    other = Page(client.get(f"/runs/?bulk={action.uuid}"))
    assert "bulk:" in other.source


def test_an_error_is_named_by_its_words(client: Client, tenant: Tenant, oli: User) -> None:
    flow = make_flow(tenant)
    run = make_run(flow, Status.RUNNING)
    run.finish(Status.FAILED, token=run.token, error="\x1b[31mThe <b>shop</b> of 4711 does not answer\nand more")
    settle_failures()
    question = f"error={run.error_fingerprint}&flow={flow.slug}"
    said = "error The <b>shop</b> of 4711 does not answer"
    form = form_of(page := Page(client.get(f"/bulk/new/?act=retry&{question}")))
    assert f"1 run with flow orders, {said}." in page.text
    action = client.post("/bulk/new/", form)["Location"]
    assert said in Page(client.get(action)).text
    assert said in Page(client.get("/bulk/")).text
    assert said in Page(client.get(f"/runs/?{question}")).text
    assert "error 00ff" in Page(client.get("/runs/?error=00ff")).text
