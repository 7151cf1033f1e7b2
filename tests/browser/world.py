"""One organisation with everything that pages show, named as long and as hostile as it may be.

`make(path)` runs within the product (`manage.py shell`) and writes the addresses of what it made to a JSON file.
"""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.contrib import admin
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from runs_dashboard.definition.yaml_source import parse
from runs_dashboard.models import (
    Actor,
    ApiKey,
    BulkAction,
    Download,
    Environment,
    Flow,
    Membership,
    Payload,
    Run,
    RunNote,
    SavedView,
    Status,
    Step,
    Tenant,
    TrackedData,
    User,
    WebhookDelivery,
    WebhookSecret,
    append,
)
from runs_dashboard.text.intake import Line

from .pages import PASSWORD, ZONE

PEOPLE = {"vera": "viewer", "sam": "support", "otto": "operator"}
EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7|add:7 }}</hx-partial>&amp;\u202e"
UNBROKEN = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
STEPS = 500
DEFINITION = """
id: world
name: World
schedule: "0 3 * * *"
timezone: Europe/Berlin
inputs:
  day: {type: string, format: date, required: true}
  note: {type: string}
  count: {type: integer, default: 3}
  dry: {type: boolean}
  kind: {type: string, enum: [full, part]}
steps:
  - {id: fetch, component: command, with: {run: [echo, fetched]}}
  - {id: load, component: command, with: {run: [echo, loaded]}}
"""
APPROVAL = """
id: world-ask
name: World ask
steps:
  - {id: approve, component: approval, with: {message: May it go on?}}
"""


def long(limit: int) -> str:
    """Hostile text and a word that does not break, so many characters."""
    return (f"{EVIL} {UNBROKEN} " + UNBROKEN * 60)[:limit]


def make(path: str) -> None:
    with transaction.atomic():  # the product's own worker sees no run before it has ended
        made = _make()
    Path(path).write_text(json.dumps(made))


def _make() -> dict[str, Any]:
    tenant = Tenant.objects.get()
    Tenant.objects.update(name=long(200))
    ada = User.objects.get(username="admin")
    ada.first_name, ada.last_name, ada.time_zone = long(150), long(150), ZONE
    ada.save()
    by = Actor(user=ada, address="192.0.2.1")
    for name, role in PEOPLE.items():
        user = User.objects.create_user(name, password=PASSWORD)
        Membership.across_tenants.create(tenant=tenant, user=user, role=role)
    for definition in (DEFINITION, DEFINITION.replace("[echo, loaded]", "[echo, loaded, all]"), APPROVAL):
        Flow.load(parse(definition), tenant=tenant, by=by)
    Flow.across_tenants.filter(slug="world").update(name=long(200), description=long(2000))
    flow = Flow.across_tenants.select_related("latest").get(slug="world")
    environment = Environment.across_tenants.create(tenant=tenant, name="prod")
    environment.publish({"URL": long(900)}, by=by)

    failed = _failed(flow, by)
    retry = failed.retry(by=by)
    retry = _claim(retry).finish(Status.SUCCEEDED, token=_token(retry), error="")
    child = _run(flow, Status.SUCCEEDED, parent_run=failed)
    live = _run(flow, Status.RUNNING)
    stopping = _run(flow, Status.RUNNING).request_stop(by=by, reason=long(400))
    _run(flow, Status.QUEUED)
    stopped = _run(flow, Status.STOPPED)
    for number in range(20):
        _run(flow, Status.FAILED if number % 3 else Status.SUCCEEDED, error=long(300), error_step="load")
    view, _ = SavedView.keep(tenant=tenant, owner=ada, name=long(80), query="status=failed", is_shared=True, by=by)
    ApiKey.make(user=ada, tenant=tenant, role="admin", by=by, name=long(100))
    WebhookSecret.make(flow, by=by)
    delivery = _deliver(flow)
    Download.request(failed, by=by, format="csv")
    Download.request(failed, by=by, format="txt", filters={"search": long(200)})
    note = RunNote.write(failed, long(3000), by=by)
    ticked = list(Run.across_tenants.filter(status=Status.FAILED).values_list("uid", flat=True)[:5])
    bulk = BulkAction.ask(tenant, "review", by=by, uids=[*ticked, long(200)], pairs=[("status", "failed")])
    asked = Flow.across_tenants.get(slug="world-ask").start({}, trigger="manual", by=by)
    return {
        "uid": failed.uid,
        "other": retry.uid,
        "sub": child.uid,
        "live": live.uid,
        "stopping": stopping.uid,
        "stopped": stopped.uid,
        "paused": asked.uid,
        "slug": flow.slug,
        "payload": str(failed.payloads.get().uuid),
        "delivery": str(delivery.uuid),
        "view": str(view.uuid),
        "note": str(note.uuid),
        "bulk": str(bulk.uuid),
        "admin": _admin_addresses(),
    }


def _claim(run: Run) -> Run:
    claimed = Run.across_tenants.claim(worker="world", only=run.pk)
    assert claimed is not None
    return claimed


def _token(run: Run) -> int:
    return Run.across_tenants.values_list("token", flat=True).get(pk=run.pk)


def _failed(flow: Flow, by: Actor) -> Run:
    """A failed run of many steps, with a long log, and each thing that can hang on a run."""
    run = _claim(
        flow.start(
            {"day": "2026-01-01", "note": long(4000), "deep": {f"key{n}": [long(60), {"n": n}] for n in range(80)}},
            trigger="manual",
            by=by,
            environment="prod",
            tags={"k" * 90: long(250), "team": "blue"},
            tracked=[("k" * 100, long(250)), ("order_id", "4711")],
        )
    )
    step = Step.begin(run, flow.latest.parsed.steps[0], position=0, attempt=1)
    at = timezone.now().timestamp()
    texts = [f"line {n} of {UNBROKEN}" for n in range(200)] + [long(8000), f"\x1b[31m{EVIL}\x1b[0m", '{"a": ["b"]}']
    texts += [f"\x1b[{30 + n}m colour {n} \x1b[1;{40 + n}m ground {n} \x1b[0m" for n in range(8)]
    lines = [
        Line(message=text, level=(0, 1, 2, 3, 4)[n % 5], stream="stderr" if n % 7 == 0 else "stdout", at=at)
        for n, text in enumerate(texts)
    ]
    append(run, lines, step=step, token=run.token)
    step.end(Status.SUCCEEDED, outputs={long(90): long(3000), "rows": 12})
    Step.across_tenants.bulk_create(
        Step(
            tenant_id=run.tenant_id,
            run=run,
            slug=f"step-{place}-{UNBROKEN}"[:100],
            name=long(200),
            component="command",
            position=place,
            status=Status.SUCCEEDED if place % 9 else Status.FAILED,
            started_at=timezone.now(),
            finished_at=timezone.now() + timedelta(seconds=place),
        )
        for place in range(1, STEPS)
    )
    Payload.across_tenants.create(
        tenant_id=run.tenant_id,
        run=run,
        step=step,
        line=1,
        name=long(200),
        body=json.dumps({long(80): [long(500)] * 20}),
        headers={"X-" + "H" * 200: long(500)},
        content_type="application/json",
    )
    metrics = {long(80): long(200), "operations": 3}
    error = f"{UNBROKEN * 60} {EVIL}"
    return run.finish(Status.FAILED, token=run.token, error=error, error_step="load", error_line=204, metrics=metrics)


def _run(flow: Flow, status: str, **fields: Any) -> Run:
    """A run as an engine of somebody else's reports it: nobody here works on it."""
    now = timezone.now()
    is_final = status in (Status.SUCCEEDED, Status.FAILED, Status.STOPPED)
    started_at = None if status == Status.QUEUED else now - timedelta(minutes=4)
    run = Run.across_tenants.create(
        tenant_id=flow.tenant_id,
        flow=flow,
        version=flow.latest,
        trigger="external",
        is_external=True,
        status=status,
        created_at=now - timedelta(minutes=5),
        queued_at=now - timedelta(minutes=5),
        ordered_at=started_at or now,
        started_at=started_at,
        finished_at=now if is_final else None,
        **fields,
    )
    TrackedData.across_tenants.create(tenant_id=flow.tenant_id, run=run, key="customer", value=long(250))
    return run


def _deliver(flow: Flow) -> WebhookDelivery:
    delivery = WebhookDelivery.of(
        flow, authorised_by="secret", prefix="abcd", headers={"User-Agent": long(400), "X-" + "h" * 300: "1"}
    )
    delivery.take_body(json.dumps({"note": long(4000)}).encode())
    delivery.note(422, error=long(500))
    return delivery


def _admin_addresses() -> list[str]:
    """The index, and each model's list and form: of a row where there is one, else the empty one."""
    found = [reverse("admin:index"), reverse("admin:app_list", args=["runs_dashboard"])]
    for model, window in admin.site._registry.items():
        place = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        found.append(reverse(f"{place}_changelist"))
        if getattr(window, "may_add", True):
            found.append(reverse(f"{place}_add"))
        rows = getattr(model, "across_tenants", model._default_manager)
        row = rows.order_by("pk").values_list("pk", flat=True).first()
        if row is not None:
            found += [reverse(f"{place}_change", args=[row]), reverse(f"{place}_history", args=[row])]
    return found
