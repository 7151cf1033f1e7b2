"""A run beside another: which are offered, and that what differs is told first."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from runs_dashboard.models import Run, Status, Step

from ..models.runs import actor, claim, make_flow, make_run
from .making import write_log
from .reading import Page

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client

    from runs_dashboard.models import Tenant, User


@pytest.fixture
def client(client_of: Callable[[User], Client], vic: User) -> Client:
    return client_of(vic)


@pytest.fixture
def two(tenant: Tenant, oli: User) -> tuple[Run, Run]:
    """A success, and a failure of the same flow with another input, a step less and another line in its log."""
    flow = make_flow(tenant)
    runs = []
    for day, third in (("1", "loaded 12 rows in 0.3 s"), ("2", "no such table")):
        run = claim(flow.start({"day": day, "shop": "eu"}, trigger="manual", by=actor(oli)))
        step = Step.begin(run, flow.definition.steps[0], position=0, attempt=1)
        write_log(run, [f"fetched order {day}00", "same", third, "end"], step=step)
        if day == "1":
            step.end(Status.SUCCEEDED, outputs={"rows": 12})
            Step.begin(run, flow.definition.steps[1], position=1, attempt=1).end(Status.SUCCEEDED)
            run.finish(Status.SUCCEEDED, token=run.token)
        else:
            step.end(Status.FAILED, error="exit code 1")
            run.finish(Status.FAILED, token=run.token, error="exit code 1", error_step="fetch")
        runs.append(run)
    return runs[0], runs[1]


def test_the_last_success_is_offered_and_the_page_tells_what_differs(client: Client, two: tuple[Run, Run]) -> None:
    good, bad = two
    page = Page(client.get(f"/runs/{bad.uid}/compare/"))
    offered = {text: address for text, address in page.links.items() if address.startswith("?with=")}
    assert offered == {f"The last success before it {good.short_uid}": f"?with={good.uid}"}
    assert "Compare two runs" in page.source  # it begins with what is offered
    page = Page(client.get(f"/runs/{bad.uid}/compare/?with={good.uid}"))
    rows = [row.text for row in page.find("tr")]
    assert "Errornoneexit code 1step fetch" in rows
    assert "inputs.day changed12" in rows
    assert not any("inputs.shop" in row for row in rows)
    assert "steps.fetch.outputs removed" in page.source.replace('</code> <span class="m">', " ")
    steps = [row.text for row in page.find("div", role="row")]
    assert any(row.startswith("fetch succeeded, then failed") for row in steps)
    assert any(row.startswith("load succeeded, then not run") for row in steps)


def test_the_first_line_that_differs_is_shown_of_both(client: Client, two: tuple[Run, Run]) -> None:
    good, bad = two
    page = Page(client.get(f"/runs/{bad.uid}/compare/?with={good.uid}"))
    lines = [line.text for line in page.find("li")]
    assert "1fetched order 200" in lines, "numbers aside the first line is the same"
    assert [line.text for line in page.find("li", class_="del")] == ["3loaded 12 rows in 0.3 s", "4end"]
    assert [line.text for line in page.find("li", class_="ins")] == ["3no such table", "4end"]
    assert any(address.endswith("#L3") and good.uid in address for address in page.links.values())


def test_logs_that_say_the_same_are_said_to(client: Client, two: tuple[Run, Run]) -> None:
    good, _ = two
    again = claim(make_run(good.flow))
    step = Step.begin(again, good.flow.definition.steps[0], position=0, attempt=1)
    write_log(again, ["fetched order 300", "same", "loaded 9 rows in 0.1 s", "end"], step=step)
    page = Page(client.get(f"/runs/{again.uid}/compare/?with={good.uid}"))
    assert "The first 4 lines say the same" in page.source


def test_a_try_and_its_retry_lead_to_each_other(client: Client, two: tuple[Run, Run], oli: User) -> None:
    _, bad = two
    retry = bad.retry(by=actor(oli))
    links = Page(client.get(f"/runs/{bad.uid}/compare/")).links
    assert links[f"Its retry {retry.short_uid}"] == f"?with={retry.uid}"
    links = Page(client.get(f"/runs/{retry.uid}/compare/")).links
    assert links[f"The try before {bad.short_uid}"] == f"?with={bad.uid}"


def test_a_pages_address_is_as_good_as_an_id(client: Client, two: tuple[Run, Run]) -> None:
    good, bad = two
    pasted = f"http://testserver/runs/{good.uid}/?step=load#L3"
    assert "Compare two runs" in client.get(f"/runs/{bad.uid}/compare/", {"with": pasted}).content.decode()


def test_another_version_leads_to_what_changed_in_the_flow(
    client: Client, two: tuple[Run, Run], tenant: Tenant
) -> None:
    good = two[0]
    newer = make_run(make_flow(tenant, extra="description: another"))
    assert newer.version_id != good.version_id
    links = Page(client.get(f"/runs/{newer.uid}/compare/?with={good.uid}")).links
    address = links["What changed in the flow from v1 to v2"]
    assert address == "/flows/orders/versions/?from=1&to=2"
    assert client.get(address).status_code == 200


def test_a_run_is_not_compared_with_itself(client: Client, two: tuple[Run, Run]) -> None:
    page = Page(client.get(f"/runs/{two[0].uid}/compare/?with={two[0].uid}"))
    assert page.find("div", role="alert")


@pytest.mark.parametrize("wanted", ["nothing", "\0", "x" * 3_000, "/runs/", "<script>"])
def test_a_run_that_is_not_there_is_told_and_kept_in_the_field(
    client: Client, two: tuple[Run, Run], wanted: str
) -> None:
    answer = client.get(f"/runs/{two[0].uid}/compare/", {"with": wanted})
    assert answer.status_code in (200, 404)
    assert "<script>" not in answer.content.decode().partition("</head>")[2]


def test_another_tenants_run_is_as_one_that_does_not_exist(
    client_of: Callable[[User], Client], client: Client, two: tuple[Run, Run], eve: User, other_tenant: Tenant
) -> None:
    theirs = make_run(make_flow(other_tenant))
    good = two[0]
    foreign = client.get(f"/runs/{good.uid}/compare/?with={theirs.uid}")
    missing = client.get(f"/runs/{good.uid}/compare/?with={'0' * len(theirs.uid)}")
    assert foreign.status_code == missing.status_code == 404
    assert len(foreign.content) == len(missing.content)
    assert client_of(eve).get(f"/runs/{good.uid}/compare/").status_code == 404


def test_many_steps_are_shown_as_those_that_differ_most(client: Client, two: tuple[Run, Run]) -> None:
    good, bad = two
    for run, seconds in ((good, 1), (bad, 2)):
        started_at = run.started_at
        assert started_at is not None
        Step.across_tenants.bulk_create(
            Step(
                tenant_id=run.tenant_id,
                run=run,
                slug=f"s{number}",
                position=number + 2,
                status="succeeded",
                started_at=started_at,
                finished_at=started_at + timedelta(seconds=60 if number == 700 and seconds == 2 else 1),
            )
            for number in range(1_000)
        )
    page = Page(client.get(f"/runs/{bad.uid}/compare/?with={good.uid}"))
    rows = page.find("div", role="row")
    assert len(rows) <= 151
    assert any(row.text.startswith("s700") and "+0:59" in row.text for row in rows)
    assert "852 that differ least are not shown" in page.source
