"""Whatever a flow, a run, a person or a program calls itself is shown as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.utils.http import urlencode

from runs_dashboard.models import (
    BulkAction,
    Download,
    Environment,
    ErrorGroup,
    Flow,
    Payload,
    Run,
    RunNote,
    Status,
    Step,
    settle_failures,
)

from ..models.runs import actor, claim, make_flow
from .making import write_log
from .reading import Page

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client

    from runs_dashboard.models import Tenant, User

EVIL = (
    "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7|add:7 }}{% now %}&amp;"
    "</hx-partial><hx-partial hx-target=body>"
)


@pytest.fixture
def hostile(tenant: Tenant, oli: User) -> Run:
    """A failed run with hostile text wherever somebody else can put some."""
    oli.first_name, oli.last_name = EVIL[:100], "<b>"
    oli.save()
    tenant.name = EVIL[:180]
    tenant.save()
    flow = make_flow(tenant, extra="inputs:\n  x: {type: string}\n")
    Flow.across_tenants.filter(pk=flow.pk).update(name=EVIL[:190], description=EVIL)
    flow.refresh_from_db()
    environment = Environment.across_tenants.create(tenant=tenant, name="prod")
    environment.publish({"URL": EVIL}, by=actor(oli))
    run = claim(
        flow.start(
            {"x": EVIL, "list": [EVIL]},
            trigger="manual",
            by=actor(oli),
            environment="prod",
            tags={"k": EVIL},
            tracked=[("key", EVIL)],
        )
    )
    step = Step.begin(run, flow.definition.steps[0], position=0, attempt=1)
    Step.across_tenants.filter(pk=step.pk).update(name=EVIL[:190], component="<i>x</i>")
    write_log(run, [EVIL, f"\x1b[31m{EVIL}\x1b[0m", f"\x1b]8;;javascript:alert(1)\x07{EVIL}\x1b]8;;\x07"], step=step)
    step.end(Status.SUCCEEDED, outputs={EVIL: EVIL})
    Payload.across_tenants.create(
        tenant=tenant, run=run, step=step, line=1, name=EVIL[:190], body=EVIL, headers={EVIL: EVIL}, content_type="<b>"
    )
    run.finish(Status.FAILED, token=run.token, error=EVIL, error_step="<step>", error_line=1, metrics={EVIL: EVIL})
    RunNote.write(run, f"{EVIL} https://x.example/{EVIL}", by=actor(oli))
    Download.request(run, by=actor(oli))
    return run


def test_nothing_of_it_becomes_markup_on_any_page(client_of: Callable[[User], Client], hostile: Run, oli: User) -> None:
    payload, note = hostile.payloads.get(), hostile.notes.get()
    other = hostile.flow.start({"y": {EVIL: 1}}, trigger="manual", by=actor(oli), tracked=[("key", EVIL)])
    settle_failures()
    client = client_of(oli)
    runs = Run.objects.of(hostile.tenant)
    bulk = BulkAction.ask(
        hostile.tenant, "retry", by=actor(oli), runs=runs, pairs=[("search", EVIL), ("tag", f"k:{EVIL}")]
    )
    bulk.work_now()
    asked = urlencode({"act": "retry", "tag": f"k:{EVIL}", "search": EVIL})
    addresses = [
        "/runs/",
        f"/live/runs/?watch={hostile.uid}",
        f"/runs/{hostile.uid}/",
        f"/runs/{hostile.uid}/status/",
        f"/runs/{hostile.uid}/log/?after=0",
        f"/runs/{hostile.uid}/retry/",
        f"/runs/{hostile.uid}/payloads/{payload.uuid}/",
        f"/runs/{hostile.uid}/related/",
        f"/runs/{hostile.uid}/compare/",
        f"/runs/{hostile.uid}/compare/?with={other.uid}",
        f"/runs/{hostile.uid}/notes/",
        f"/runs/{hostile.uid}/notes/{note.uuid}/",
        f"/runs/{hostile.uid}/values/inputs/",
        f"/runs/{hostile.uid}/values/inputs/?at=/list/0",
        f"/runs/{hostile.uid}/values/outputs/",
        f"/runs/{hostile.uid}/values/metrics/",
        "/inbox/",
        f"/live/inbox/?shown={ErrorGroup.objects.of(hostile.tenant).get().pk}",
        "/flows/",
        "/flows/orders/",
        "/downloads/",
        "/account/",
        f"/bulk/new/?{asked}",
        "/bulk/",
        f"/bulk/{bulk.uuid}/",
        f"/live/bulk/{bulk.uuid}/",
        f"/runs/?{asked}",
    ]
    for address in addresses:
        page = Page(client.get(address))
        assert page.source.count("alert(1)") == page.source.count("&lt;script&gt;alert(1)"), address
        assert not page.find("img"), address
        assert not [e for e in page.elements if any(key.startswith("on") for key in e.attrs)], address
        assert not [e for e in page.find("script") if "src" not in e.attrs], address
        assert not [e for e in page.elements if e.attrs.get("href", "").startswith("javascript")], address
        assert not page.find("hx-partial", **{"hx-target": "body"}), address
        assert "{% now %}" in page.source or "{%" not in page.source, address


@pytest.mark.parametrize("query", [EVIL, "\x00", "\ud800", "%F0%9F", "'; DROP TABLE runs; --", "A" * 3000])
@pytest.mark.parametrize("name", ["search", "flow", "user", "tag", "tracked", "environment", "cursor", "status"])
def test_what_stands_in_the_address_is_text_too(
    client_of: Callable[[User], Client], vic: User, name: str, query: str
) -> None:
    response = client_of(vic).get("/runs/", {name: query.encode("utf-8", "surrogatepass")})
    assert response.status_code in (200, 400)
    page = Page(response)
    assert not page.find("img")
    assert "<script>alert" not in page.source


def test_an_id_that_cannot_be_is_not_there(client_of: Callable[[User], Client], vic: User) -> None:
    client = client_of(vic)
    for uid in ("%00", "..", "%ED%A0%80", "A" * 400, "%3Cscript%3E", "run id"):
        assert client.get(f"/runs/{uid}/").status_code in (400, 404), uid
        assert client.get(f"/flows/{uid}/").status_code in (400, 404), uid
