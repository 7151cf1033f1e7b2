"""A run's page: what happened, what can be done, the steps, the log and where it is live."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from runs_dashboard.models import LIVE, EndUser, Payload, Run, Status, Step, Worker, append_system

from ..models.runs import ENGINE, actor, claim, make_flow, make_run
from .making import write_log
from .reading import Page

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client

    from runs_dashboard.models import Tenant, User

OTHER_BUTTONS = {
    "System",
    "Light",
    "Dark",
    "Sign out",
    "Copy",
    "New lines",
    "Stop with this reason",
    "Force stop",
    "Close",
    "CloseEsc",
}
OTHER_BUTTONS |= {"Next hit", "Previous hit", "Full screen", "Go", "To the start", "To the end", "Save", "Add note"}
FILES = {"Whole log", "Download what is shown", "Support bundle"}


def acts(page: Page) -> list[str]:
    return [name for name in page.buttons if name not in OTHER_BUTTONS | FILES]


@pytest.fixture
def client(client_of: Callable[[User], Client], oli: User) -> Client:
    return client_of(oli)


BUTTONS = {
    Status.QUEUED: ["Stop", "Download", "Pin"],
    Status.RUNNING: ["Stop", "Download", "Pin"],
    Status.PAUSED: ["Resume", "Stop", "Download", "Pin"],
    Status.SUCCEEDED: ["Retry", "Download", "Pin"],
    Status.FAILED: ["Retry", "Review", "Download", "Pin"],
    Status.STOPPED: ["Retry", "Review", "Download", "Pin"],
}


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("role", ["vic", "sue", "oli", "ada"])
def test_buttons_are_those_the_status_and_the_role_allow(
    client_of: Callable[[User], Client], tenant: Tenant, request: pytest.FixtureRequest, status: Status, role: str
) -> None:
    user = request.getfixturevalue(role)
    run = make_run(make_flow(tenant), status)
    page = Page(client_of(user).get(f"/runs/{run.uid}/"))
    allowed = {"vic": set(), "sue": {"Review", "Download"}}.get(role, set(BUTTONS[status]))
    assert acts(page) == [name for name in BUTTONS[status] if name in allowed]


def test_a_stopping_run_shows_the_ladder_and_offers_force(client: Client, tenant: Tenant, oli: User) -> None:
    run = make_run(make_flow(tenant), Status.RUNNING)
    run.request_stop(by=actor(oli), reason="wrong day")
    run.climb("signal", token=run.token, count=3, pids=[1, 2, 3])
    run.climb("grace", token=run.token, seconds=10, until=4_000_000_000)
    page = Page(client.get(f"/runs/{run.uid}/"))
    rungs = [element.text for element in page.find("li") if element.text.startswith(("Requested", "Signal", "Grace"))]
    assert rungs[0] == 'Requestedby Oli, "wrong day"'
    assert rungs[1] == "Signal sentSIGTERM to 3 processes"
    assert rungs[2].startswith("Gracekilled in ")
    assert "Force stop" in page.buttons
    assert "Stop" not in page.buttons
    run.request_stop(by=actor(oli), is_forced=True)
    assert "Force stop" not in Page(client.get(f"/runs/{run.uid}/")).buttons


def test_confirmed_is_not_said_before_the_run_is_stopped(client: Client, tenant: Tenant, oli: User) -> None:
    run = make_run(make_flow(tenant), Status.RUNNING)
    run.request_stop(by=actor(oli))
    run.climb("signal", token=run.token, count=1)
    run.climb("confirmed", token=run.token, seconds=0.1)
    last = Page(client.get(f"/runs/{run.uid}/")).find("ol")[0]
    assert "when nothing of it is alive" in last.text
    run.finish(Status.STOPPED, token=run.token)
    assert "nothing of it is alive" in Page(client.get(f"/runs/{run.uid}/")).find("ol")[0].text


def test_a_failed_run_says_which_step_and_why_and_leads_to_the_line(client: Client, tenant: Tenant) -> None:
    run = make_run(make_flow(tenant), Status.RUNNING)
    write_log(run, ["one", "two"])
    run.finish(Status.FAILED, token=run.token, error="exit code 3", error_step="load", error_line=2)
    page = Page(client.get(f"/runs/{run.uid}/"))
    assert page.one("h1").text == "load failed"
    assert page.by_id("error-text").text == "exit code 3"  # type: ignore[union-attr]
    assert page.links["line 2"] == "?from=1#L2"


@pytest.mark.parametrize("status", Status)
def test_only_a_living_run_asks_again_and_streams(client: Client, tenant: Tenant, status: Status) -> None:
    run = make_run(make_flow(tenant), status)
    for address in (f"/runs/{run.uid}/", f"/runs/{run.uid}/status/"):
        poller = Page(client.get(address)).by_id("status-poll")
        assert poller is not None
        assert ("hx-get" in poller.attrs) == (status in LIVE)
    assert (Page(client.get(f"/runs/{run.uid}/")).by_id("tail") is not None) == (status in LIVE)


def test_the_stream_goes_on_after_the_last_line_shown(client: Client, tenant: Tenant) -> None:
    run = make_run(make_flow(tenant), Status.RUNNING)
    write_log(run, [f"line {number}" for number in range(7)])
    page = Page(client.get(f"/runs/{run.uid}/"))
    assert list(page.lines()) == list(range(1, 8))
    tail = page.by_id("tail")
    assert tail is not None
    assert tail.attrs["data-stream"] == f"/runs/{run.uid}/log/stream?after=7"


def test_a_long_log_opens_at_its_end_and_says_what_is_left_out(client: Client, tenant: Tenant) -> None:
    run = make_run(make_flow(tenant), Status.RUNNING)
    write_log(run, [f"line {number}" for number in range(1, 1301)])
    page = Page(client.get(f"/runs/{run.uid}/"))
    assert list(page.lines()) == list(range(801, 1301))
    assert "800 earlier lines" in page.find("div", class_="cut-row")[0].text
    earlier = Page(client.get(f"/runs/{run.uid}/{page.links['500 before'].partition('#')[0]}"))
    assert list(earlier.lines()) == list(range(301, 801))
    assert [row.text.split(" line")[0] for row in earlier.find("div", class_="cut-row")] == [
        "300 earlier",
        "500 later",
    ]
    start = Page(client.get(f"/runs/{run.uid}/{page.links['from the start'].partition('#')[0]}"))
    assert list(start.lines()) == list(range(1, 501))
    tail = start.by_id("tail")  # not at the end: what is new is counted
    assert tail is not None
    assert tail.attrs["data-stream"].endswith("?after=1300")
    after = Page(client.get(f"/runs/{run.uid}/{start.links['500 after'].partition('#')[0]}"))
    assert list(after.lines()) == list(range(501, 1001))


def test_lines_fetched_into_an_open_page_leave_out_what_is_there(client: Client, tenant: Tenant) -> None:
    run = make_run(make_flow(tenant), Status.RUNNING)
    write_log(run, [f"line {number}" for number in range(1, 1301)])
    part = Page(client.get(f"/runs/{run.uid}/log/?before=801"))
    assert list(part.lines()) == list(range(301, 801))
    assert [row.attrs["data-cut"] for row in part.find("div", class_="cut-row")] == ["earlier"]
    assert list(Page(client.get(f"/runs/{run.uid}/log/?after=1298")).lines()) == [1299, 1300]


def test_the_log_can_be_one_steps_and_one_levels(client: Client, tenant: Tenant) -> None:
    flow = make_flow(tenant)
    run = claim(make_run(flow))
    steps = [Step.begin(run, spec, position=place, attempt=1) for place, spec in enumerate(flow.definition.steps)]
    write_log(run, ["a", "b"], step=steps[0])
    write_log(run, ["c"], step=steps[1])
    write_log(run, ["broken"], step=steps[1], level=3)
    assert list(Page(client.get(f"/runs/{run.uid}/?step=load")).lines()) == [3, 4]
    page = Page(client.get(f"/runs/{run.uid}/?step=load&level=warning"))
    assert list(page.lines()) == [4]
    tail = page.by_id("tail")
    assert tail is not None
    assert "step=load&level=warning%2Cerror%2Ccritical" in tail.attrs["data-stream"]
    assert [head.text for head in Page(client.get(f"/runs/{run.uid}/")).find("div", class_="step-head")] == [
        "Step fetch",
        "Step load",
    ]


@pytest.mark.parametrize(
    "query", ["from=x", "from=99999999999999999999", "level=none", "step=%00", "before=-1", "after=1e9"]
)
def test_nonsense_in_a_logs_address_is_no_error(client: Client, tenant: Tenant, query: str) -> None:
    run = make_run(make_flow(tenant), Status.RUNNING)
    write_log(run, ["here"])
    assert client.get(f"/runs/{run.uid}/?{query}").status_code == 200
    assert client.get(f"/runs/{run.uid}/log/?{query}").status_code == 200


def test_the_products_own_lines_are_told_apart(client: Client, tenant: Tenant) -> None:
    run = make_run(make_flow(tenant), Status.RUNNING)
    append_system(run, "12 lines were dropped")
    assert Page(client.get(f"/runs/{run.uid}/")).by_id("L1").attrs["class"] == "w sys"  # type: ignore[union-attr]


def test_times_are_in_the_readers_zone(client: Client, tenant: Tenant, oli: User) -> None:
    oli.time_zone = "Asia/Tokyo"
    oli.save()
    run = make_run(make_flow(tenant), Status.RUNNING)
    write_log(run, ["noon"])
    page = Page(client.get(f"/runs/{run.uid}/"))
    line = next(element for element in page.find("time") if element.attrs["datetime"] == "2026-03-01T12:00:00.000Z")
    assert line.text == "21:00:00.000"
    assert "Asia/Tokyo (UTC+9)" in page.source


def test_inputs_outputs_tracked_data_lineage_and_trail_are_beside_it(client: Client, tenant: Tenant, oli: User) -> None:
    flow = make_flow(tenant)
    run = flow.start({"day": "2026-03-01"}, trigger="manual", by=actor(oli), tracked=[("order", "7")])
    run = claim(run)
    Step.begin(run, flow.definition.steps[0], position=0, attempt=1).end(Status.SUCCEEDED, outputs={"rows": 12})
    run.finish(Status.FAILED, token=run.token, error="boom", error_step="load")
    retry = run.retry(by=actor(oli), start_at="failed")
    page = Page(client.get(f"/runs/{run.uid}/"))
    side = page.by_id("side")
    assert side is not None
    for text in ("day2026-03-01", "fetch{1}rows12", "order7", f"{retry.short_uid}, retry", "Oli retried it as"):
        assert text in side.text
    of_retry = Page(client.get(f"/runs/{retry.uid}/"))
    assert of_retry.links[run.short_uid] == f"/runs/{run.uid}/"
    assert "kept" in of_retry.by_id("steps").text  # type: ignore[union-attr]


def test_the_facts_say_how_long_it_waited_for_whom_and_how_its_time_compares(client: Client, tenant: Tenant) -> None:
    flow = make_flow(tenant)
    run = make_run(flow, Status.RUNNING, end_user=EndUser.of(tenant.pk, "browser_user", "session-7"))
    began = timezone.now() - timedelta(seconds=100)
    Run.across_tenants.filter(pk=run.pk).update(started_at=began, queued_at=began - timedelta(seconds=65))
    type(flow).across_tenants.filter(pk=flow.pk).update(usual_ms=20_000)
    facts = Page(client.get(f"/runs/{run.uid}/")).one("dl", class_="facts").text
    assert "Waited before1:05" in facts
    assert "On behalf ofsession-7 browser_user" in facts
    assert "times the usual 0:20" in facts


def test_payloads_have_a_page_of_their_own(client: Client, tenant: Tenant) -> None:
    run = make_run(make_flow(tenant))
    payload = Payload.across_tenants.create(
        tenant=tenant, run=run, line=1, kind="response", body='{"a": "<b>"}', headers={"X-Id": "1"}, size=12
    )
    page = Page(client.get(f"/runs/{run.uid}/"))
    address = page.links["Response"]
    assert str(payload.uuid) in address
    assert '{"a": "<b>"}' in Page(client.get(address)).one("pre").text


def test_a_queued_run_says_what_it_waits_for(client: Client, tenant: Tenant) -> None:
    flow = make_flow(tenant, extra="concurrency: 1")
    claim(make_run(flow))
    run = make_run(flow)
    assert "No worker is alive: nothing executes runs now." in Page(client.get(f"/runs/{run.uid}/")).source
    Worker.objects.create(name="w", host="h", pid=1, slots=2, seen_at=timezone.now())
    for address in (f"/runs/{run.uid}/", "/runs/"):
        assert "Behind 1 run of this flow, which runs one at a time." in Page(client.get(address)).source


def test_a_paused_run_says_who_is_asked_for_what(client: Client, tenant: Tenant) -> None:
    steps = "  - {id: ask, component: approval, with: {message: May it go out?}}\n"
    flow = make_flow(tenant, steps=steps)
    run = claim(make_run(flow))
    Step.begin(run, flow.definition.steps[0], position=0, attempt=1, status=Status.PAUSED)
    run.pause(token=run.token)
    page = Page(client.get(f"/runs/{run.uid}/"))
    assert page.one("h1").text == "Orders waits for approval, ask"
    assert "May it go out?" in page.source


@pytest.mark.parametrize("tail", ["", "status/", "log/", "retry/"])
def test_another_tenants_run_is_as_one_that_does_not_exist(
    client_of: Callable[[User], Client], tenant: Tenant, eve: User, tail: str
) -> None:
    run = make_run(make_flow(tenant))
    client = client_of(eve)
    theirs, none = client.get(f"/runs/{run.uid}/{tail}"), client.get(f"/runs/{'0' * 8}/{tail}")
    assert theirs.status_code == none.status_code == 404
    strip = lambda response: response.content.replace(run.uid.encode(), b"").replace(b"0" * 8, b"")  # noqa: E731
    assert len(strip(theirs)) == len(strip(none))


@pytest.mark.parametrize("count", [1, 60, 500, 1_000])
def test_however_many_steps_there_are_the_time_line_stays_small(client: Client, tenant: Tenant, count: int) -> None:
    steps = "".join(f"  - {{id: s{n}, component: command, with: {{run: [echo]}}}}\n" for n in range(count))
    flow = make_flow(tenant, steps=steps)
    run = claim(make_run(flow))
    started_at = run.started_at
    assert started_at is not None
    rows = [
        Step(
            tenant=tenant,
            run=run,
            slug=f"s{n}",
            component="command",
            position=n,
            attempt=attempt,
            status="succeeded" if attempt == 3 else "failed",
            started_at=started_at + timedelta(seconds=n + attempt / 10),
            finished_at=started_at + timedelta(seconds=n + attempt / 10 + 0.05),
        )
        for n in range(count - 1)
        for attempt in (1, 2, 3)
    ]
    Step.across_tenants.bulk_create(rows)
    last = f"s{count - 1}"
    Step.begin(run, flow.definition.steps[-1], position=count - 1, attempt=1).end(Status.FAILED, error="x")
    page = Page(client.get(f"/runs/{run.uid}/"))
    section = page.source[page.source.index('id="steps"') : page.source.index('id="log"')]
    drawn = Page(section)
    assert len(drawn.elements) <= 520
    who = [link.attrs.get("aria-label", "") for link in drawn.find("a", class_="who")]
    assert any(label.startswith(f"failed: {last}") for label in who[:1])
    assert len(page.elements) < 2_600, "nor does any other part of the page grow with the steps"
    if count > 48:
        group = next(link for link in drawn.find("a", class_="who") if "…" in link.text)
        opened = Page(client.get(f"/runs/{run.uid}/{group.attrs['href'].partition('#')[0]}"))
        assert f"of {count:,}" in opened.one("p", class_="tl-said").text
        found = Page(client.get(f"/runs/{run.uid}/?step_name={last}"))
        assert len(found.find("a", class_="who")) == 1


def test_each_attempts_bar_leads_to_that_attempts_log(client: Client, tenant: Tenant) -> None:
    flow = make_flow(tenant)
    run = claim(make_run(flow))
    for attempt, text in ((1, "first"), (2, "second")):
        step = Step.begin(run, flow.definition.steps[0], position=0, attempt=attempt)
        write_log(run, [text], step=step)
        step.end(Status.FAILED if attempt == 1 else Status.SUCCEEDED)
    page = Page(client.get(f"/runs/{run.uid}/"))
    (bar,) = [link for link in page.find("a") if link.attrs.get("aria-label", "").startswith("Attempt 2")]
    assert list(Page(client.get(f"/runs/{run.uid}/{bar.attrs['href'].partition('#')[0]}")).lines()) == [2]


def test_the_usual_duration_of_a_step_is_that_of_the_last_successes(client: Client, tenant: Tenant) -> None:
    flow = make_flow(tenant)
    for seconds in (10, 20, 60):
        run = make_run(flow, Status.SUCCEEDED)
        step = run.steps.get()
        began = timezone.now() - timedelta(seconds=seconds)
        run.steps.filter(pk=step.pk).update(started_at=began, finished_at=began + timedelta(seconds=seconds))
    type(flow).across_tenants.filter(pk=flow.pk).update(usual_ms=20_000)
    run = claim(make_run(flow))
    Step.begin(run, flow.definition.steps[0], position=0, attempt=1)
    page = Page(client.get(f"/runs/{run.uid}/"))
    assert "usually 0:20" in page.find("a", class_="who")[0].attrs["aria-label"]


def test_a_reported_run_offers_no_retry(client: Client, tenant: Tenant) -> None:
    from runs_dashboard.models import Flow

    flow = Flow.named("engine", tenant=tenant, by=ENGINE)
    run = flow.start({}, trigger="external", by=ENGINE)
    Run.across_tenants.filter(pk=run.pk).update(status="failed", finished_at=run.created_at, error="x")
    assert "Retry" not in Page(client.get(f"/runs/{run.uid}/")).buttons
