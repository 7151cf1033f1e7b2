"""Inputs, outputs, metrics and payloads: on the run's page as trees, each with a page and a file of its own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from runs_dashboard.models import Payload, Run, Status, Step

from ..models.runs import actor, claim, make_flow, make_run
from .reading import Page

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client

    from runs_dashboard.models import Tenant, User

ARGS: dict[str, Any] = {"order": {"id": 4711, "lines": [{"sku": "a"}, {"sku": "b"}]}, "many": list(range(3_000))}


@pytest.fixture
def client(client_of: Callable[[User], Client], vic: User) -> Client:
    return client_of(vic)


@pytest.fixture
def run(tenant: Tenant, oli: User) -> Run:
    return make_flow(tenant).start(ARGS, trigger="manual", by=actor(oli))


def test_the_page_shows_what_fits_and_leads_to_the_rest(client: Client, run: Run) -> None:
    page = Page(client.get(f"/runs/{run.uid}/"))
    paths = [element.attrs["data-path"] for element in page.find("li") if "data-path" in element.attrs]
    assert "inputs.order.lines[1].sku" in paths
    assert len(paths) <= 200
    address = page.links[f"{3_000 - sum('many[' in path for path in paths):,} more values"]
    rest = Page(client.get(address))
    assert "inputs.many[2999]" not in [element.attrs.get("data-path") for element in rest.find("li")]
    last = Page(client.get(next(link for text, link in rest.links.items() if "more values" in text)))
    assert "inputs.many[2999]" in [element.attrs.get("data-path") for element in last.find("li")]
    assert "Those before" in last.links


def test_a_value_has_a_page_with_the_way_back_to_each_that_holds_it(client: Client, run: Run) -> None:
    page = Page(client.get(f"/runs/{run.uid}/values/inputs/?at=/order/lines/0"))
    assert page.one("h1").text == "inputs.order.lines[0]"
    assert page.links["order"] == "?at=/order"
    assert page.links["lines"] == "?at=/order/lines"
    assert page.links["Inputs"] == "?at="


def test_a_value_can_be_had_as_json_whole(client: Client, run: Run) -> None:
    answer = client.get(f"/runs/{run.uid}/values/inputs/json/")
    assert json.loads(answer.content) == ARGS
    assert "attachment" in answer["Content-Disposition"]
    assert answer["Content-Security-Policy"].startswith("sandbox")
    part = client.get(f"/runs/{run.uid}/values/inputs/json/?at=/order/lines/1/sku")
    assert json.loads(part.content) == "b"


def test_outputs_stand_under_their_step_while_it_runs_and_after(client: Client, tenant: Tenant) -> None:
    flow = make_flow(tenant)
    run = claim(make_run(flow))
    Step.begin(run, flow.definition.steps[0], position=0, attempt=1).end(Status.SUCCEEDED, outputs={"rows": [1]})
    for _ in range(2):
        answer = client.get(f"/runs/{run.uid}/values/outputs/json/")
        assert json.loads(answer.content) == {"fetch": {"rows": [1]}}
        assert "steps.fetch.outputs.rows[0]" in client.get(f"/runs/{run.uid}/").content.decode()
        if run.is_live:
            run.finish(Status.SUCCEEDED, token=run.token, outputs={"fetch": {"rows": [1]}})


@pytest.mark.parametrize(
    "tail", ["inputs/?at=/nothing", "inputs/?at=x", "args/", "stop_ladder/", "inputs/json/?at=/order/9", "%00/"]
)
def test_what_is_not_there_is_not_found(client: Client, run: Run, tail: str) -> None:
    assert client.get(f"/runs/{run.uid}/values/{tail}").status_code == 404


@pytest.mark.parametrize("begin", ["x", "-1", "99999999999999", "99999999", "²"])
def test_a_place_that_is_none_is_no_error(client: Client, run: Run, begin: str) -> None:
    assert client.get(f"/runs/{run.uid}/values/inputs/", {"from": begin, "at": "/many"}).status_code == 200


def test_another_tenants_values_are_as_those_that_do_not_exist(
    client_of: Callable[[User], Client], run: Run, eve: User
) -> None:
    client = client_of(eve)
    for tail in ("", "json/"):
        assert client.get(f"/runs/{run.uid}/values/inputs/{tail}").status_code == 404


def make_payload(run: Run, body: str, **fields: Any) -> Payload:
    return Payload.across_tenants.create(
        tenant_id=run.tenant_id, run=run, line=1, kind="response", body=body, size=len(body), **fields
    )


def test_a_payload_of_json_is_a_tree_with_its_text_beside_it(client: Client, run: Run) -> None:
    payload = make_payload(run, '{"a": {"b": [1, 2]}, "token": "***"}', headers={"X-Id": "1"})
    page = Page(client.get(f"/runs/{run.uid}/payloads/{payload.uuid}/"))
    assert "body.a.b[1]" in [element.attrs.get("data-path") for element in page.find("li")]
    assert page.by_id("payload-body").text == payload.body  # type: ignore[union-attr]
    assert page.one("th", scope="row").text == "X-Id"
    part = client.get(f"/runs/{run.uid}/values/{payload.uuid}/json/?at=/a/b")
    assert json.loads(part.content) == [1, 2]


@pytest.mark.parametrize(
    ("body", "ending"), [("<a>1</a>", "txt"), ('{"cut":', "txt"), ("[" * 50_000, "txt"), ("[1]", "json")]
)
def test_a_payloads_body_is_a_file_as_it_was_kept(client: Client, run: Run, body: str, ending: str) -> None:
    payload = make_payload(run, body)
    assert client.get(f"/runs/{run.uid}/payloads/{payload.uuid}/").status_code == 200
    answer = client.get(f"/runs/{run.uid}/payloads/{payload.uuid}/body/")
    assert answer.content.decode() == body
    assert f".{ending}" in answer["Content-Disposition"]
    assert "attachment" in answer["Content-Disposition"]
    if ending == "txt":
        assert client.get(f"/runs/{run.uid}/values/{payload.uuid}/").status_code == 404


def test_inputs_stand_in_the_order_in_which_the_flow_declares_them(client: Client, tenant: Tenant, oli: User) -> None:
    flow = make_flow(tenant, extra="inputs:\n  warehouse: {type: string}\n  day: {type: string}")
    run = flow.start({"a": 1, "day": "2026-11-22", "warehouse": "north"}, trigger="manual", by=actor(oli))
    for address in (f"/runs/{run.uid}/", f"/runs/{run.uid}/values/inputs/"):
        paths = [e.attrs["data-path"] for e in Page(client.get(address)).find("li") if "data-path" in e.attrs]
        assert paths[:3] == ["inputs.warehouse", "inputs.day", "inputs.a"], address
